"""Quotas: set by a command beside the running server, held to by SMTP, the queue and IMAP."""
import imaplib
import smtplib

import pytest

from harness import message, wait_for
from readers import inbox, login

BIG = "x" * 70 + "\r\n"


@pytest.fixture(scope="module")
def golub(request):
    from harness import Golub
    server = Golub(config="[login]\nplain_on_loopback = yes\n[queue]\nretry = 1s\n")
    server.account("ana", "ana's password")
    server.account("branko", "branko's password")
    with server:
        yield server


def send(golub, to, body="coo\r\n", subject="quota", size=None):
    """What SMTP says to each step: (rcpt, data)."""
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=60) as s:
        s.ehlo()
        s.mail("sender@remote.test", [f"size={size}"] if size else [])
        rcpts = [s.rcpt(t if "@" in t or t == "postmaster" else f"{t}@{golub.domain}") for t in to.split()]
        if all(code != 250 for code, _ in rcpts):
            return rcpts, None
        return rcpts, s.data(message(subject, "sender@remote.test", body=body))


def quota(golub, *words):
    return golub.command("quota", *words).stdout


def test_messages_are_counted_and_refused_at_rcpt(golub):
    golub.account("carla", "carla's password")
    quota(golub, "set", "carla@example.test", "--messages", "2")
    for i in range(2):
        assert send(golub, "carla")[1][0] == 250
    (code, words), = send(golub, "carla")[0]
    assert code == 452 and words.startswith(b"4.2.2 "), words
    assert "2" in quota(golub, "show", "carla@example.test")
    assert "2 messages" in golub.command("account", "list").stdout
    quota(golub, "set", "carla@example.test", "--messages", "none")  # at once, without a restart
    assert send(golub, "carla")[1][0] == 250
    assert len(inbox(golub, "carla", password="carla's password")) == 3


def test_bytes_are_refused_by_size_or_after_data(golub):
    golub.account("dora", "dora's password")
    quota(golub, "set", "dora@example.test", "--bytes", "100k")
    assert send(golub, "dora", size=200000)[0][0][0] == 452  # as announced, before it comes
    rcpts, (code, words) = send(golub, "dora", BIG * 2000)  # not announced: when it has come
    assert rcpts[0][0] == 250 and code == 452 and words.startswith(b"4.2.2 "), words
    assert send(golub, "dora", BIG * 10)[1][0] == 250  # another still fits
    with login(golub, "dora", "dora's password") as m:
        assert m.append("INBOX", "", None, (BIG * 10).encode())[0] == "OK"
        kind, data = m.append("INBOX", "", None, (BIG * 2000).encode())
        assert kind == "NO" and b"OVERQUOTA" in data[0]
        quota(golub, "set", "dora@example.test", "--bytes", "1m")  # while the session goes on
        assert m.append("INBOX", "", None, (BIG * 2000).encode())[0] == "OK"
    assert inbox(golub, "dora", password="dora's password")


def test_postmaster_gets_mail_however_full(golub):
    golub.account("emil", "emil's password")
    golub.command("address", "add", "postmaster@example.test", "emil@example.test")
    quota(golub, "set", "emil@example.test", "--messages", "1")
    assert send(golub, "emil")[1][0] == 250
    assert send(golub, "emil")[0][0][0] == 452
    for to in ("postmaster", "Postmaster@example.test"):
        assert send(golub, to, subject="help, I am full")[1][0] == 250
    assert len(inbox(golub, "emil", password="emil's password")) == 3


def test_one_of_two_is_full_and_gets_it_from_the_queue_later(golub):
    golub.account("filip", "filip's password")
    golub.account("goran", "goran's password")
    quota(golub, "set", "filip@example.test", "--bytes", "50k")
    rcpts, (code, _) = send(golub, "filip goran", BIG * 1000, "for two")
    assert [r[0] for r in rcpts] == [250, 250] and code == 250
    assert len(inbox(golub, "goran", password="goran's password")) == 1
    assert "filip@example.test" in golub.command("queue", "list").stdout
    assert inbox(golub, "filip", password="filip's password") == []
    quota(golub, "set", "filip@example.test", "--bytes", "default")
    golub.command("queue", "retry", "--all")
    wait_for("filip has it", lambda: len(inbox(golub, "filip", password="filip's password")) == 1, 30, 0.2)
    wait_for("nothing waits", lambda: "0 messages" in golub.command("queue", "list").stdout)


def test_domains_have_defaults(golub):
    golub.command("domain", "add", "other.test")
    golub.account("one@other.test", "a password")
    quota(golub, "set", "@other.test", "--messages", "1")
    golub.account("two@other.test", "a password")
    golub.account("vip@other.test", "a password")
    quota(golub, "set", "vip@other.test", "--messages", "none")
    for name, expected in (("one", 452), ("two", 452), ("vip", 250)):
        assert send(golub, f"{name}@other.test")[1][0] == 250
        assert send(golub, f"{name}@other.test")[0][0][0] == expected
    shown = quota(golub, "list")
    assert any(l.split()[0] == "@other.test" and l.split()[-1] == "1" for l in shown.splitlines()), shown
    assert any(l.split()[0] == "two@other.test" and l.split()[-2:] == ["1", "1"] for l in shown.splitlines()), shown
    quota(golub, "set", "@other.test", "--messages", "default")
    assert send(golub, "one@other.test")[1][0] == 250
    with imaplib.IMAP4("127.0.0.1", golub.port("imap"), timeout=60) as m:
        m.login("two@other.test", "a password")
        assert m.append("INBOX", "", None, b"Subject: x\r\n\r\nx\r\n")[0] == "OK"


def test_mistakes_are_told(golub):
    for words, why in ((["set", "ana@example.test"], "say what"), (["set", "ana@example.test", "--bytes", "2x"], "a limit is"),
                       (["set", "ana@example.test", "--messages", "2k"], "a limit is"), (["set", "nobody@example.test", "--bytes", "1g"], "no account"),
                       (["set", "@nowhere.test", "--bytes", "1g"], "not one of our domains"), (["show", "nobody@example.test"], "no account")):
        run = golub.command("quota", *words, check=False)
        assert run.returncode != 0 and why in run.stderr, run.stderr


def test_permanent_refusals(server):
    golub = server(config="[mailbox]\nover_quota = permanent\n[login]\nplain_on_loopback = yes\n")
    golub.account("ana", "ana's password")
    quota(golub, "set", "ana@example.test", "--messages", "1", "--bytes", "100k")  # before it ever ran
    with golub:
        code, words = send(golub, "ana", BIG * 2000)[1]
        assert code == 552 and words.startswith(b"5.2.2 "), words
        assert send(golub, "ana")[1][0] == 250
        code, words = send(golub, "ana")[0][0]
        assert code == 552 and words.startswith(b"5.2.2 "), words
