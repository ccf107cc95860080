"""[mailbox] recently_deleted = yes: what was expunged is seen, and comes back, over IMAP."""
import poplib
import re

import pytest

from harness import Golub, message, wait_for
from readers import inbox
from wire import Wire

NAME = '"Recently Deleted"'


def config(kept):
    return f"[login]\nplain_on_loopback = yes\n[mailbox]\nrecently_deleted = {kept}\n"


@pytest.fixture(scope="module")
def golub():
    with Golub(config=config("yes")) as server:
        yield server


class Session:
    """One connection that is logged in."""

    def __init__(self, golub, name):
        self.wire = Wire(golub.port("imap"))
        self.wire.line()
        self.ok(f'LOGIN {name}@example.test "word {name}"')

    def do(self, command):
        *told, answer = [line.decode() for line in self.wire.imap(command)]
        return told, answer.split(" ", 1)[1]

    def ok(self, command):
        told, answer = self.do(command)
        assert answer.startswith("OK"), (command, answer)
        return told

    def no(self, command, code):
        told, answer = self.do(command)
        assert answer.startswith(f"NO [{code}]"), (command, answer)

    def append(self, subject):
        self.wire.send(f"a APPEND INBOX ({subject}) {{{len(message(subject))}+}}\r\n{message(subject)}\r\n")
        assert b"OK" in self.wire.until("a")[-1]


@pytest.fixture
def account(golub, request):
    name = request.node.name.replace("_", "-")[:50]
    golub.account(name, f"word {name}")
    return name


@pytest.fixture
def session(golub, account):
    s = Session(golub, account)
    for subject in ("one", "two", "three", "four"):
        s.append(subject)
    s.ok("SELECT INBOX")
    s.ok(r"STORE 1,2,4 +FLAGS.SILENT (\Deleted \Seen)")
    return s


def messages(s, mailbox):
    return int(re.search(r"MESSAGES (\d+)", s.ok(f"STATUS {mailbox} (MESSAGES)")[0])[1])


def subjects(golub, account, folder="INBOX"):
    return [re.search(r"Subject: (\w+)", raw.decode())[1] for raw in inbox(golub, account, folder, f"word {account}")]


def test_it_is_listed_once_there_is_something_in_it(golub, account, session):
    assert session.ok(f'LIST "" {NAME}') == []
    session.no(f"CREATE {NAME}", "CANNOT")
    assert session.ok("EXPUNGE")[:3] == ["* 1 EXPUNGE", "* 1 EXPUNGE", "* 2 EXPUNGE"]
    assert session.ok(f'LIST "" {NAME} RETURN (CHILDREN SPECIAL-USE MYRIGHTS)') == [
        rf'* LIST (\HasNoChildren) "/" {NAME}', f"* MYRIGHTS {NAME} lrsted"]  # d: what RFC 2086 called t, e and x
    assert session.ok('LSUB "" "Recently*"') == [rf'* LSUB (\HasNoChildren) "/" {NAME}']
    assert session.ok(f"GETQUOTAROOT {NAME}") == [f"* QUOTAROOT {NAME}"]
    assert "MESSAGE 1 9 " in session.ok('SETQUOTA "" (MESSAGE 9)')[0]
    told = session.ok(f"SELECT {NAME}")
    assert "* 3 EXISTS" in told and r"* OK [PERMANENTFLAGS (\Deleted \Seen)] Others cannot be changed" in told
    told = session.ok("FETCH 1:* (FLAGS)")
    flags = [set(re.search(r"FLAGS \(([^)]*)\)", line)[1].split()) - {r"\Recent"} for line in told if "FLAGS" in line]
    assert flags == [{r"\Seen", "one"}, {r"\Seen", "two"}, {r"\Seen", "four"}]
    assert subjects(golub, account, NAME) == ["one", "two", "four"]


def test_both_ways_back(golub, account, session):
    session.ok("CLOSE")  # expunges too
    session.ok(f"SELECT {NAME}")
    told, answer = session.do("UID MOVE 1 INBOX")
    assert answer.startswith("OK") and re.match(r"\* OK \[COPYUID \d+ 1 5\]", told[0]) and "* 1 EXPUNGE" in told
    told, answer = session.do("UID COPY 2 INBOX")
    assert answer.startswith("OK [COPYUID") and messages(session, NAME) == 2
    assert subjects(golub, account) == ["three", "one", "two"]
    listed = golub.command("undelete", f"{account}@example.test", "--list").stdout
    assert "four" in listed and "one" not in listed and "two" not in listed
    assert "1 message brought back" in golub.command("undelete", f"{account}@example.test", "--all").stdout
    wait_for("the copy of what is back goes", lambda: "EXPUNGE" in " ".join(session.ok("NOOP")))
    assert subjects(golub, account) == ["three", "one", "two", "four"]
    session.ok(r"STORE 1 +FLAGS (\Deleted)")
    session.ok("EXPUNGE")
    assert messages(session, NAME) == 0


def test_nothing_is_put_into_it(session):
    session.ok("EXPUNGE")
    session.no(f"COPY 1 {NAME}", "NOPERM")
    session.no(f"MOVE 1 {NAME}", "NOPERM")
    session.wire.send(f"a APPEND {NAME} {{1+}}\r\nx\r\n")
    assert session.wire.until("a")[-1].startswith(b"a NO [NOPERM]")
    session.no('CREATE "Recently Deleted/below"', "NOPERM")
    session.no('RENAME Junk "Recently Deleted/below"', "NOPERM")
    session.no(f"RENAME {NAME} Mine", "NOPERM")
    session.no(f"DELETE {NAME}", "NOPERM")
    session.no(f"SETACL {NAME} anyone lr", "NOPERM")
    session.ok(f"SELECT {NAME}")
    session.ok(r"STORE 1 +FLAGS (\Seen)")
    session.no(r"STORE 1 +FLAGS (\Flagged)", "NOPERM")
    assert messages(session, NAME) == 3 and messages(session, "INBOX") == 1


def test_a_client_that_was_away_learns_it_all(session):
    session.ok("ENABLE QRESYNC")
    session.ok("EXPUNGE")
    told = "\n".join(session.ok(f"SELECT {NAME} (CONDSTORE)"))
    validity, modseq = re.search(r"UIDVALIDITY (\d+)", told)[1], re.search(r"HIGHESTMODSEQ (\d+)", told)[1]
    session.ok("UID MOVE 2 INBOX")
    session.ok("SELECT INBOX")
    session.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    session.ok("EXPUNGE")
    told = session.ok(f"SELECT {NAME} (QRESYNC ({validity} {modseq}))")
    assert "* VANISHED (EARLIER) 2" in told and "* 3 EXISTS" in told
    assert [re.search(r"UID (\d+)", line)[1] for line in told if "FETCH" in line] == ["4"]


def test_whoever_watches_sees_it_come(golub, account, session):
    watcher = Session(golub, account)
    watcher.ok("NOTIFY SET (selected (MessageNew MessageExpunge)) (personal (MailboxName))")
    session.ok("EXPUNGE")
    wait_for("the mailbox is told of", lambda: any("Recently Deleted" in line for line in watcher.ok("NOOP")))
    watcher.ok(f"SELECT {NAME}")
    session.ok(r"STORE 1 +FLAGS (\Deleted)")
    session.ok("EXPUNGE")
    wait_for("the next one comes", lambda: any("4 EXISTS" in line for line in watcher.ok("NOOP")))


def test_pop3_and_a_mailbox_that_is_deleted(golub, account, session):
    session.ok("EXPUNGE")
    session.ok("LOGOUT")
    pop = poplib.POP3("127.0.0.1", golub.port("pop3"), timeout=60)
    pop.user(f"{account}@example.test")
    pop.pass_(f"word {account}")
    pop.dele(1)
    pop.quit()
    s = Session(golub, account)
    assert messages(s, NAME) == 4
    s.ok("CREATE Work")
    s.ok(f"SELECT {NAME}")
    s.ok("MOVE 1:2 Work")
    s.ok("DELETE Work")
    assert subjects(golub, account, NAME) == ["four", "three", "one", "two"]


def test_switched_off_it_stays_readable(server):
    golub = server(config=config("yes"))
    golub.account("ana", "word ana")
    with golub:
        s = Session(golub, "ana")
        for subject in ("one", "two"):
            s.append(subject)
        s.ok("SELECT INBOX")
        s.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
        s.ok("EXPUNGE")
        assert golub.stop() == 0
        conf = golub.conf.read_text()
        golub.conf.write_text(conf.replace("recently_deleted = yes", "recently_deleted = no"))
        golub.start()
        s = Session(golub, "ana")
        s.ok("SELECT INBOX")
        s.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
        s.ok("EXPUNGE")
        assert subjects(golub, "ana", NAME) == ["one"]
        s.ok(f"SELECT {NAME}")
        s.ok("MOVE 1 INBOX")
        assert subjects(golub, "ana") == ["one"]
