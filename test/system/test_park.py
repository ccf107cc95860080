"""Sessions that are quiet sleep without a process, and go on as if nothing had been."""
import os
import signal
import smtplib
import time

import pytest

from harness import Golub, message, wait_for
from wire import Wire

PASSWORD = "secret password"
LETTER = b"From: <x@remote.test>\r\nSubject: coo\r\n\r\ncoo\r\n"


class Client(Wire):
    """IMAP over TLS, logged in."""
    def __init__(self, golub, name, *commands):
        super().__init__(golub.port("imaps"))
        self.socket = golub.tls().wrap_socket(self.socket, server_hostname="localhost")
        assert self.line().startswith(b"* OK")
        for command in (f'LOGIN {name}@example.test "{PASSWORD}"', *commands):
            assert self.imap(command)[-1].startswith(b"a OK"), command

    def append(self):
        self.send(f"p APPEND INBOX {{{len(LETTER)}+}}\r\n".encode() + LETTER + b"\r\n")
        assert self.until("p")[-1].startswith(b"p OK")

    def idle(self, tag="i"):
        self.send(f"{tag} IDLE\r\n")
        assert self.line() == b"+ idling"
        return self

    def done(self, tag="i"):
        self.send("DONE\r\n")
        lines = self.until(tag)
        assert lines[-1].startswith(tag.encode() + b" OK"), lines
        return lines[:-1]

    def hears(self, words):
        while True:
            line = self.line()
            assert line, f"the connection ended before {words}"
            if words in line:
                return line


def processes_of(golub, name):
    return [pid for pid, title in golub.processes().items() if title == f"golub: account {name}@example.test"]


def wait_for_sleep(golub, name):
    wait_for(f"{name} has no process", lambda: not processes_of(golub, name), 40, 0.1)


def deliver(golub, name):
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=60) as s:
        s.sendmail("x@remote.test", [f"{name}@example.test"], message("news"))


@pytest.fixture(scope="module")
def parks():
    golub = Golub(config="[imap]\npark_after = 1s\n")
    for name in "ana", "branko", "ceca", "dana", "ema":
        golub.account(name, PASSWORD)
    with golub:
        yield golub


def test_sleeping_clients_hear_of_mail_and_of_each_other(parks):
    """One account: a watcher in IDLE, one between two commands, one read-only, one with nothing selected."""
    writer = Client(parks, "ana", "SELECT INBOX")
    for _ in range(4):
        writer.append()
    writer.imap("STORE 2 +FLAGS (old)")
    watcher = Client(parks, "ana", "SELECT INBOX").idle("watching")
    quiet = Client(parks, "ana", "ENABLE QRESYNC", "SELECT INBOX")
    reader = Client(parks, "ana", "EXAMINE INBOX")
    bare = Client(parks, "ana")
    wait_for_sleep(parks, "ana")

    # Another session does something; its process gets all of them.
    other = Client(parks, "ana", "SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)", "STORE 3 +FLAGS (\\Flagged new)", "EXPUNGE")
    assert watcher.hears(b"FLAGS (\\Flagged new)").startswith(b"* 3 FETCH")
    assert watcher.hears(b"EXPUNGE") == b"* 1 EXPUNGE"
    other.imap("LOGOUT")
    wait_for_sleep(parks, "ana")

    deliver(parks, "ana")
    assert watcher.hears(b"EXISTS") == b"* 4 EXISTS"
    assert watcher.done("watching") == [b"* 1 RECENT"]
    told = quiet.imap("FETCH 1:* (UID)")
    assert any(b"FLAGS (\\Flagged new)" in line and b"MODSEQ" in line for line in told), told
    assert not any(line.startswith(b"* VANISHED") for line in told), told  # a number is still in use
    assert quiet.imap("NOOP")[0] == b"* VANISHED 1"
    assert b"* 3 FETCH (FLAGS (old))" not in told
    lines = reader.imap("NOOP")
    assert b"* 1 EXPUNGE" in lines and b"* 4 EXISTS" in lines
    assert reader.imap("STORE 1 +FLAGS (\\Seen)")[-1].startswith(b"a NO")
    assert bare.imap("FETCH 1 FLAGS")[-1].startswith(b"a BAD")
    for client in (watcher, quiet, reader, writer):
        assert b"* SEARCH 2 3 4 5" in client.imap("UID SEARCH ALL")
    for c in (writer, watcher, quiet, reader, bare):
        c.imap("LOGOUT")


def test_many_sessions_of_one_account(parks):
    clients = [Client(parks, "branko", "SELECT INBOX").idle() for _ in range(30)]
    wait_for_sleep(parks, "branko")
    clients[0].socket.close()
    wait_for("keeper notices that one is gone", lambda: "parked.closed address=branko" in parks.read_log())
    assert not processes_of(parks, "branko")  # nobody was woken for that
    clients[1].done()  # wakes all; this one waits for a command now
    wait_for_sleep(parks, "branko")
    deliver(parks, "branko")
    for client in clients[2:]:
        assert client.hears(b"EXISTS") == b"* 1 EXISTS"
    assert b"* 1 EXISTS" in clients[1].imap("NOOP")


def test_a_mailbox_that_is_deleted_meanwhile(parks):
    sleeper = Client(parks, "ceca", "CREATE Gone", "SELECT Gone")
    wait_for_sleep(parks, "ceca")
    other = Client(parks, "ceca", "DELETE Gone")
    assert sleeper.imap("NOOP")[0].startswith(b"* BYE")
    assert other.imap("NOOP")[-1].startswith(b"a OK")


def test_an_account_that_is_killed_takes_only_what_it_has(parks):
    """What sleeps is keeper's: nobody can kill it with an account."""
    sleeper = Client(parks, "dana", "SELECT INBOX").idle()
    wait_for_sleep(parks, "dana")
    awake = Client(parks, "ema", "SELECT INBOX")
    (pid,) = processes_of(parks, "ema")
    os.kill(pid, signal.SIGKILL)
    assert awake.is_closed()
    again = Client(parks, "ema", "SELECT INBOX")
    assert again.imap("NOOP")[-1].startswith(b"a OK")
    deliver(parks, "dana")
    assert sleeper.hears(b"EXISTS") == b"* 1 EXISTS"


def test_reloading_and_stopping(server):
    golub = server(config="[imap]\npark_after = 1s\n")
    golub.account("ana", PASSWORD)
    golub.start()
    watcher = Client(golub, "ana", "SELECT INBOX").idle()
    quiet = Client(golub, "ana", "SELECT INBOX")
    wait_for_sleep(golub, "ana")
    os.kill(golub.process.pid, signal.SIGHUP)
    wait_for("reloaded", lambda: " reloaded " in golub.read_log())
    assert quiet.imap("NOOP")[-1].startswith(b"a OK")
    assert watcher.done("i") == []
    wait_for_sleep(golub, "ana")
    os.kill(golub.process.pid, signal.SIGTERM)
    for client in (watcher, quiet):
        assert client.line() == b"* BYE The server is going down, connect again in a moment"
        assert client.is_closed()
        client.socket.close()
    assert golub.stop() == 0


def test_without_sleep_processes_stay(server):
    golub = server(config="[imap]\npark_after = 0\n")
    golub.account("ana", PASSWORD)
    golub.start()
    client = Client(golub, "ana", "SELECT INBOX").idle()
    time.sleep(3)
    assert len(processes_of(golub, "ana")) == 1
    assert client.done() == []
    client.socket.close()
