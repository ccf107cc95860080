"""Everything in PostgreSQL: mail comes, is read, moved and sent, and each account reaches its own. (Kills: test_postgresql_crash.py.)"""
import contextlib
import imaplib
import os
import re
import smtplib
import sys

import pytest

import harness
from harness import Golub, message, wait_for
from readers import inbox
from test_crash import NAMES
from test_sandbox import attempts, wake

sys.path.insert(0, str(harness.ROOT / "test"))
from postgresql import PostgreSQL  # noqa: E402

LOOPBACK = "[login]\nplain_on_loopback = yes\n"


@pytest.fixture(scope="module")
def postgresql():
    with PostgreSQL() as server:
        yield server


def make(postgresql, name, config="", accounts=NAMES):
    golub = Golub(postgresql=postgresql.database(name), config=LOOPBACK + config)
    for who in accounts:
        golub.account(who)
    return golub


def reader(golub, name="ana"):
    m = imaplib.IMAP4("127.0.0.1", golub.port("imap"))
    m.login(f"{name}@example.test", "secret password")
    return m


def deliver(golub, to, text):
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=20) as s:
        s.sendmail("x@remote.test", to, text)


def test_mail_comes_and_is_read_moved_and_searched(postgresql):
    large = os.urandom(900_000).hex()  # several chunks, which do not get smaller
    lines = "".join(large[i:i + 70] + "\r\n" for i in range(0, len(large), 70))
    with make(postgresql, "plain") as golub:
        deliver(golub, ["ana@example.test", "branko@example.test"], message("both", body="pigeons\r\n"))
        deliver(golub, ["ana@example.test"], message("large", body=lines))
        m = reader(golub)
        assert m.select()[1] == [b"2"]
        assert lines.encode() in m.fetch("2", "(BODY.PEEK[])")[1][0][1]
        assert m.search(None, "TEXT", "pigeons")[1] == [b"1"]
        m.create("Work")
        assert m.copy("1:2", "Work")[0] == "OK"
        m.store("1", "+FLAGS", r"(\Deleted $Important)")
        m.expunge()
        assert m.select("Work")[1] == [b"2"]
        m.logout()
        assert len(inbox(golub, "ana")) == 1 and len(inbox(golub, "branko")) == 1 and not inbox(golub, "vesna")
        assert not list(golub.data.rglob("*.db*"))
    # Nobody's rows among another's.
    assert postgresql.psql("SELECT string_agg(DISTINCT account::text, ',' ORDER BY account::text) FROM golub_mail.mailbox",
                           "plain").strip() == "2,3,4"


def test_another_account_cannot_be_reached(postgresql):
    """What store itself fills in: the views show nothing without it."""
    make(postgresql, "alone")
    with pytest.raises(AssertionError, match="golub.owner"):
        postgresql.psql("SELECT * FROM golub_mail_own.message", "alone")
    assert postgresql.psql("SET golub.owner = 7; SELECT count(*) FROM golub_mail_own.mailbox", "alone").split()[-1] == "0"


def test_commands_work_beside_the_server(postgresql):
    with make(postgresql, "commands", config="[route sink.test]\nhost = 127.0.0.1\nport = 1\n") as golub:
        assert "ana@example.test" in golub.command("account", "list").stdout
        with smtplib.SMTP("127.0.0.1", golub.port("submission"), timeout=20) as s:
            s.login("ana@example.test", "secret password")
            s.sendmail("ana@example.test", ["x@sink.test"], message("leaves", to="x@sink.test"))
        listed = wait_for("it waits", lambda: re.search(r"(?m)^(\d+) .*", golub.command("queue", "list").stdout))
        assert "x@sink.test" in golub.command("queue", "show", listed.group(1)).stdout
        golub.command("queue", "drop", listed.group(1))
        wait_for("it is gone", lambda: "sink.test" not in golub.command("queue", "list").stdout)
        deliver(golub, ["vesna@example.test"], message("last"))
        golub.command("account", "remove", "vesna@example.test", "--yes")
        assert postgresql.psql("SELECT count(*) FROM golub_mail.message", "commands").strip() == "0"
        golub.account("new", "new password")
        deliver(golub, ["new@example.test"], message("first"))
        assert len(inbox(golub, "new")) == 1


def test_a_password_in_the_config_is_refused(server):
    golub = server()
    with golub.conf.open("a") as f:
        f.write("[storage]\npostgresql = host=/nowhere password=secret\n")
    refused = golub.command("account", "list", check=False)
    assert refused.returncode != 0 and "passfile" in refused.stderr


def test_a_server_that_cannot_be_reached_is_told(server):
    golub = server()
    with golub.conf.open("a") as f:
        f.write("[storage]\npostgresql = host=/nowhere dbname=golub\n")
    refused = golub.command("account", "list", check=False)
    assert refused.returncode != 0 and "/nowhere" in refused.stderr


def test_the_kernel_refuses_store_all_but_its_socket(postgresql):
    """Over a unix socket: not even a TCP connection. (The other roles then have no files: test_sandbox.py has them with files.)"""
    for role in ["store", "directory", "queue", "keeper"]:
        golub = make(postgresql, f"escape_{role}", accounts=[])
        other = golub.folder / "other"
        other.write_text("mail\n")
        golub.environ |= {"GOLUB_ESCAPE": f"{golub.port('imap')} {other}", "GOLUB_ESCAPE_ROLE": role}
        with contextlib.suppress(AssertionError):  # exec ends it before it is ready
            golub.start()
        for got in wait_for(f"{role} has tried", lambda: attempts(golub, role), 30):
            assert got == 0, f"{role}: {got}"
        if golub.process:
            golub.kill()


def test_an_account_has_no_files(postgresql):
    golub = make(postgresql, "no_files", accounts=["ana"])
    other = golub.folder / "other"
    other.write_text("mail\n")
    golub.environ |= {"GOLUB_ESCAPE": f"{golub.port('imap')} {other}", "GOLUB_ESCAPE_ROLE": "account"}
    with golub:
        wake(golub, "ana")
        for got in wait_for("the account has tried", lambda: attempts(golub, "account"), 30):
            assert got == 0
