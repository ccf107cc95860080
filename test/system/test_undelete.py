"""golub undelete, beside the running server."""
import imaplib
import smtplib
import sqlite3
import time

import pytest

from harness import message, wait_for
from readers import inbox, login


@pytest.fixture
def carla(golub, request):
    name = request.node.name.replace("_", "-")[:50]
    golub.account(name, "carla's password")
    with login(golub, name, "carla's password") as m:
        for i in range(1, 5):
            assert m.append("INBOX", r"\Flagged" if i == 2 else "", None, message(f"lost {i} ž").encode())[0] == "OK"
    return name


def undelete(golub, name, *words, check=True):
    return golub.command("undelete", f"{name}@example.test", *words, check=check)


def expunge(m, messages):
    m.store(messages, "+FLAGS.SILENT", r"(\Deleted)")
    m.expunge()


def subjects(golub, name, folder="INBOX"):
    return [line for raw in inbox(golub, name, folder, "carla's password") for line in raw.decode().split("\r\n") if line.startswith("Subject: ")]


def test_what_was_expunged_is_listed_and_comes_back(golub, carla):
    assert "0 messages brought back" in undelete(golub, carla, "--all").stdout
    with login(golub, carla, "carla's password") as m:
        m.select()
        expunge(m, "2:3")
        shown = undelete(golub, carla, "--list").stdout.splitlines()
        assert len(shown) == 3 and "lost 2 ž" in shown[1] and shown[2].split()[:2] == ["INBOX", "3"], shown
        assert "1 message brought back" in undelete(golub, carla, "2").stdout
        wait_for("the open session sees it", lambda: m.noop() and m.untagged_responses.get("EXISTS", [b""])[-1] == b"3")
        kind, data = m.fetch("3", "(UID FLAGS BODY[HEADER.FIELDS (SUBJECT)])")
        assert b"UID 5" in data[0][0] and b"\\Flagged" in data[0][0] and b"\\Deleted" not in data[0][0]
        assert "lost 2" in data[0][1].decode()
    assert len(undelete(golub, carla, "--list").stdout.splitlines()) == 2
    assert "1 message brought back" in undelete(golub, carla, "--since", "1h").stdout
    assert [s.split()[2] for s in subjects(golub, carla)] == ["1", "4", "2", "3"]
    assert "0 messages brought back" in undelete(golub, carla, "--since", "1h").stdout


def test_a_session_in_idle_sees_it_at_once(golub, carla):
    with login(golub, carla, "carla's password") as m:
        m.select()
        expunge(m, "1:*")
        m.send(b"i IDLE\r\n")
        assert m.readline().startswith(b"+")
        began = time.monotonic()
        assert "4 messages brought back" in undelete(golub, carla, "--mailbox", "inbox").stdout
        assert m.readline() == b"* 4 EXISTS\r\n"
        assert time.monotonic() - began < 10
        m.send(b"DONE\r\n")
        while not (line := m.readline()).startswith(b"i "):
            pass


def test_moves_and_copies_are_no_losses_and_a_mailbox_may_be_gone(golub, carla):
    with login(golub, carla, "carla's password") as m:
        m.select()
        m.create("Old/Sub")
        assert m.uid("MOVE", "1", "Archive")[0] == "OK"
        assert m.uid("COPY", "2", "Archive")[0] == "OK"
        assert m.uid("MOVE", "3", "Old/Sub")[0] == "OK"
        assert m.uid("MOVE", "4", "Trash")[0] == "OK"
        m.uid("STORE", "2", "+FLAGS.SILENT", r"(\Deleted)")
        m.expunge()
        assert len(undelete(golub, carla, "--list").stdout.splitlines()) == 1
        m.select("Trash")
        expunge(m, "1:*")
        m.close()
        m.delete("Old/Sub")
    shown = undelete(golub, carla, "--list").stdout.splitlines()[1:]
    assert [line.split()[0] for line in shown] == ["Trash", "(deleted)"], shown
    assert "2 messages brought back" in undelete(golub, carla, "--all").stdout
    assert [s.split()[2] for s in subjects(golub, carla)] == ["3"]
    assert [s.split()[2] for s in subjects(golub, carla, "Trash")] == ["4"]


def test_time_mistakes_and_quota(golub, carla):
    with login(golub, carla, "carla's password") as m:
        m.select()
        expunge(m, "1:2")
    db = sqlite3.connect(max((golub.data / "account").glob("*/mail.db"), key=lambda p: int(p.parent.name)))
    with db:
        assert db.execute("UPDATE expunged SET expunged_at = expunged_at - 7200").rowcount == 2
    db.close()
    assert "0 messages" in undelete(golub, carla, "--since", "1h").stdout
    for words in ([], ["--since", "yesterday"], ["two"], ["--nope"]):
        assert undelete(golub, carla, *words, check=False).returncode == 2
    assert undelete(golub, "nobody", "--all", check=False).returncode == 1
    golub.command("quota", "set", f"{carla}@example.test", "--messages", "3")
    full = undelete(golub, carla, "--since", "3h", check=False)
    assert full.returncode == 1 and "may have 3" in full.stderr
    assert len(subjects(golub, carla)) == 2
    golub.command("quota", "set", f"{carla}@example.test", "--messages", "none")
    assert "2 messages brought back" in undelete(golub, carla, "--since", time.strftime("%Y-%m-%d", time.localtime(time.time() - 86400))).stdout


def test_the_server_need_not_run(server):
    golub = server(config="[login]\nplain_on_loopback = yes\n")
    golub.account("ana", "ana's password")
    assert "0 messages" in golub.command("undelete", "ana@example.test", "--all").stdout  # there never was any mail
    golub.start()
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), timeout=60) as s:
        s.sendmail("x@remote.test", "ana@example.test", message("only one"))
    with login(golub, "ana") as m:
        m.select()
        expunge(m, "1")
    assert golub.stop() == 0
    assert "1 message brought" in golub.command("undelete", "ana@example.test", "--all").stdout
    with golub:
        assert len(inbox(golub, "ana")) == 1
