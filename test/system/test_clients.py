"""Mail clients and client libraries that others wrote, each doing what its users do all day."""
import json
import os
import subprocess

import pytest

from harness import ROOT, message, wait_for
from readers import inbox, login
from thunderbird import Thunderbird

CLIENT_SECONDS = 120  # on a busy machine, against a sanitizer build
PASSWORD = "reader's password"


@pytest.fixture
def reader(golub, request):
    """A fresh account for one test: its address."""
    return golub.account(request.node.name.removeprefix("test_").replace("_", "-"), PASSWORD)


def run(*command, **environ):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=CLIENT_SECONDS, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, LC_ALL="C.UTF-8", **environ))
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def append(golub, reader, folder, *subjects):
    with login(golub, reader, PASSWORD) as m:
        for subject in subjects:
            assert m.append(folder, "", None, message(subject).encode())[0] == "OK"


def subjects(golub, reader, folder="INBOX"):
    found = [line for text in inbox(golub, reader, folder, PASSWORD) for line in text.split(b"\r\n") if line.startswith(b"Subject: ")]
    return sorted(line.removeprefix(b"Subject: ").decode() for line in found)


def test_imapflow(golub, reader):
    out = run("node", ROOT / "test/system/imapflow/check.mjs", "localhost", golub.port("imaps"), reader, PASSWORD, golub.ca)
    seen = json.loads(out)
    assert ["Sent", "\\Sent"] in seen["folders"] and ["INBOX", "\\Inbox"] in seen["folders"]
    assert seen["exists"] == 3 and seen["found"] == [2]
    assert {"$Label1", "\\Flagged", "\\Seen"} <= set(seen["flags"])
    assert [s[:2] for s in seen["subjects"]] == [["two", "text/plain"], ["three", "text/plain"]]
    assert seen["subjects"][0][2] == "Subject: two\r\nFrom: <flow@remote.test>\r\n\r\nbody of two\r\n"
    assert (seen["moved"], seen["left"], seen["archive"]) == (1, 1, 1)
    assert subjects(golub, reader, "Projects/2026") == ["two"]


def test_horde(golub, reader):
    seen = json.loads(run("php", ROOT / "test/system/horde/check.php", "localhost", golub.port("imaps"), reader, PASSWORD, golub.ca))
    assert {"INBOX", "Sent", "Trash"} <= set(seen["folders"])
    assert (seen["appended"], seen["found"], seen["subject"], seen["type"]) == (3, 1, "two", "text/plain")
    assert {"\\flagged", "$label1"} <= set(seen["flags"])
    assert seen["text"] == "Subject: two\r\nFrom: <horde@remote.test>\r\nTo: <horde@example.test>\r\nMessage-ID: <two@horde.remote.test>\r\n\r\nbody of two\r\n"
    assert (seen["left"], seen["archive"]) == (2, 1)
    assert seen["sorted"] == [1, 3] and seen["vanished"] == [1]
    assert subjects(golub, reader, "Archive") == ["two"]


def test_imapfilter(golub, reader, tmp_path):
    append(golub, reader, "INBOX", "an invoice", "a letter", "old news")
    (tmp_path / "config.lua").write_text(f"""
        options.timeout = {CLIENT_SECONDS}
        account = IMAP {{ server = "localhost", port = {golub.port('imaps')}, ssl = "auto",
                          username = "{reader}", password = "{PASSWORD}" }}
        account:create_mailbox("Invoices")
        invoices = account.INBOX:contain_subject("invoice") + account.INBOX:match_body("no such words")
        invoices:move_messages(account["Invoices"])
        account.INBOX:contain_subject("letter"):mark_flagged()
        account.INBOX:contain_subject("news"):delete_messages()
    """)
    run("imapfilter", "-t", golub.ca, "-c", tmp_path / "config.lua", HOME=str(tmp_path))
    assert subjects(golub, reader) == ["a letter"]
    assert subjects(golub, reader, "Invoices") == ["an invoice"]
    with login(golub, reader, PASSWORD) as m:
        m.select()
        assert m.search(None, "FLAGGED")[1] == [b"1"]


def test_offlineimap(golub, reader, tmp_path):
    append(golub, reader, "INBOX", "from the server", "deleted here")
    append(golub, reader, "Sent", "sent")
    (tmp_path / "rc").write_text(f"""
[general]
accounts = reader
metadata = {tmp_path}/metadata
ui = quiet
[Account reader]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = {tmp_path}/mail
[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {golub.port('imaps')}
remoteuser = {reader}
remotepass = {PASSWORD}
ssl = yes
sslcacertfile = {golub.ca}
""")
    def sync():
        run("offlineimap", "-c", tmp_path / "rc", "-o", HOME=str(tmp_path))

    def local(folder):
        return {f: f.read_text() for part in ("new", "cur") for f in (tmp_path / "mail" / folder / part).iterdir()}

    sync()
    files = local("INBOX")
    assert len(files) == 2 and len(local("Sent")) == 1
    gone = next(f for f, text in files.items() if "deleted here" in text)
    gone.unlink()
    (tmp_path / "mail/INBOX/cur/1764158400.1.test:2,FS").write_text(message("from the maildir").replace("\r\n", "\n"))
    append(golub, reader, "INBOX", "later")
    sync()
    sync()  # converged: nothing more to do
    assert subjects(golub, reader) == ["from the maildir", "from the server", "later"]
    assert len(local("INBOX")) == 3
    with login(golub, reader, PASSWORD) as m:
        m.select()
        assert m.search(None, "FLAGGED", "SEEN", "SUBJECT", "maildir")[1] == [b"3"]


def test_thunderbird(golub, reader, tmp_path):
    append(golub, reader, "INBOX", "hello", "read me", "to the archive")
    with Thunderbird(tmp_path, golub.ca) as bird:
        bird.add_account("localhost", golub.port("imaps"), reader, PASSWORD)
        expected = {"INBOX", "Sent", "Drafts", "Trash", "Archive", "Junk"}
        wait_for("Thunderbird shows all folders", lambda: expected <= set(bird.folders()), CLIENT_SECONDS, 0.5)
        assert sorted(bird.messages("INBOX")) == ["hello", "read me", "to the archive"]
        assert "coo" in bird.body("INBOX", "hello")
        bird.mark_read("INBOX", "read me")
        bird.move("INBOX", "to the archive", "Archive")
        append(golub, reader, "INBOX", "while it runs")  # told by IDLE
        wait_for("Thunderbird shows it", lambda: "while it runs" in bird.messages("INBOX", update=False), CLIENT_SECONDS, 0.5)
        assert bird.search("INBOX", "hello") == ["hello"]
        wait_for("the move is done", lambda: subjects(golub, reader, "Archive") == ["to the archive"], CLIENT_SECONDS, 0.5)
    assert subjects(golub, reader) == ["hello", "read me", "while it runs"]
    with login(golub, reader, PASSWORD) as m:
        m.select(readonly=True)
        assert m.search(None, "SEEN", "SUBJECT", '"read me"')[1] == [b"2"]
