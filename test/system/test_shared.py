"""Mailboxes that one person shares with another: seen, read and changed under Shared/, through the owner's own process."""
import imaplib

import pytest

from harness import message
from wire import Wire

PASSWORD = "shared password"


class Imap(Wire):
    def __init__(self, golub, address):
        super().__init__(golub.port("imap"))
        self.line()
        assert self.ok(f'LOGIN {address} "{PASSWORD}"')

    def until(self, tag):
        """Empty lines belong to messages here."""
        lines = []
        while not lines or not lines[-1].startswith((tag.encode() + b" ", b"* BYE")):
            lines.append(self.line())
        return lines

    def ok(self, command):
        """Untagged lines, after OK."""
        lines = self.imap(command)
        assert lines[-1].startswith(b"a OK"), lines
        self.last = lines[-1].decode()
        return [l.decode() for l in lines[:-1]] or [""]

    def no(self, command):
        lines = self.imap(command)
        assert lines[-1].startswith(b"a NO"), lines
        return lines[-1].decode()

    def append(self, mailbox, subject, flags=""):
        text = message(subject)
        self.send(f"a APPEND {mailbox} ({flags}) {{{len(text)}+}}\r\n{text}\r\n")
        lines = self.until("a")
        assert lines[-1].startswith(b"a OK"), lines


@pytest.fixture
def two(golub, request):
    """An owner and a guest, logged in; the owner has a mailbox Projects with a message."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40]
    owner, guest = golub.account(f"{name}-o", PASSWORD), golub.account(f"{name}-g", PASSWORD)
    o, g = Imap(golub, owner), Imap(golub, guest)
    o.address, g.address = owner, guest
    o.ok("CREATE Projects")
    o.append("Projects", "from the owner", r"\Flagged")
    return o, g


def subjects(imap, mailbox):
    imap.ok(f"EXAMINE {mailbox}")
    return [l for l in imap.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]") if l.startswith("Subject: ")]


def test_nothing_is_shared_unasked(two):
    o, g = two
    assert not [l for l in g.ok('LIST "" *') if "Shared" in l]
    assert "[NONEXISTENT]" in g.no(f"SELECT Shared/{o.address}/Projects")
    assert "[NONEXISTENT]" in g.no(f"SELECT Shared/{o.address}/INBOX")
    assert "[NONEXISTENT]" in g.no("SELECT Shared/nobody@example.test/INBOX")
    assert g.no(f"CREATE Shared/{o.address}/Mine")
    assert g.no("CREATE Shared/Mine")
    assert g.no("RENAME Sent Shared/Sent")


def test_a_reader_reads_and_changes_nothing(two):
    o, g = two
    o.ok(f"SETACL Projects {g.address} lr")
    shared = f"Shared/{o.address}/Projects"
    assert [l for l in g.ok('LIST "" *') if l.endswith(f" {shared}")]
    assert any(l.endswith('"/" Shared') and "\\Noselect" in l for l in g.ok('LIST "" %'))
    assert not [l for l in g.ok('LIST "" *') if "/INBOX" in l]
    assert f"* STATUS {shared} (MESSAGES 1)" in g.ok(f"STATUS {shared} (MESSAGES)")
    lines = g.ok(f"SELECT {shared}")
    assert "* 1 EXISTS" in lines and "[READ-ONLY]" in g.last
    assert "FLAGS (\\Flagged" in g.ok("FETCH 1 (FLAGS)")[0]
    assert "coo" in "".join(g.ok("FETCH 1 BODY[TEXT]"))
    assert g.no(r"STORE 1 +FLAGS (\Seen)")
    assert g.ok("SEARCH SUBJECT owner") == ["* SEARCH 1"]
    text = message("intruder")
    g.send(f"a APPEND {shared} {{{len(text)}+}}\r\n{text}\r\n")
    assert b"a NO [NOPERM]" in g.until("a")[-1]
    assert f"* MYRIGHTS {shared} lr" in g.ok(f"MYRIGHTS {shared}")
    assert "[NOPERM]" in g.no(f"GETACL {shared}")


def test_a_writer_writes_and_the_owner_sees_it(two):
    o, g = two
    o.ok(f"SETACL Projects {g.address} lrswitekx")
    shared = f"Shared/{o.address}/Projects"
    o.ok("SELECT Projects")
    g.append(shared, "from the guest")
    assert "* 2 EXISTS" in o.ok("NOOP")
    g.ok(f"SELECT {shared}")
    g.ok(r"UID STORE 2 +FLAGS (\Seen $Work)")
    assert any("$Work" in l for l in o.ok("NOOP"))
    g.ok(f"CREATE {shared}/Deeper")
    assert any("Projects/Deeper" in l for l in o.ok('LIST "" *'))
    g.ok(f"RENAME {shared}/Deeper {shared}/Renamed")
    g.ok(f"DELETE {shared}/Renamed")
    o.append("Projects", "while the guest idles")
    g.send("b IDLE\r\n")
    seen = [g.line(), g.line()]
    while not any(l.startswith(b"* 3 EXISTS") for l in seen):
        seen.append(g.line())
    g.send("DONE\r\n")
    assert g.until("b")[-1].startswith(b"b OK")


def test_messages_travel_between_accounts(two):
    o, g = two
    o.ok(f"SETACL Projects {g.address} lrswite")
    shared = f"Shared/{o.address}/Projects"
    g.append("INBOX", "mine", r"\Answered $Tag")
    g.ok("SELECT INBOX")
    g.ok(f"COPY 1 {shared}")
    assert "[COPYUID" in g.last and g.last.split("]")[0].endswith(" 1 2")
    assert subjects(o, "Projects") == ["Subject: from the owner", "Subject: mine"]
    assert "\\Answered" in o.ok("FETCH 2 (FLAGS)")[0] and "$Tag" in o.ok("FETCH 2 (FLAGS)")[0]
    g.ok(f"SELECT {shared}")
    lines = g.ok("UID MOVE 1:2 Archive")
    assert any("COPYUID" in l and "1:2 1:2" in l for l in lines) and lines.count("* 1 EXPUNGE") == 2
    assert subjects(g, "Archive") == ["Subject: from the owner", "Subject: mine"]
    assert "\\Flagged" in g.ok("FETCH 1 (FLAGS)")[0]
    assert "* 0 EXISTS" in o.ok("SELECT Projects")
    g.ok("SELECT INBOX")
    lines = g.ok(f"MOVE 1 {shared}")
    assert "* 1 EXPUNGE" in lines
    assert "* 1 EXISTS" in o.ok("NOOP")
    g.ok("SELECT Archive")
    assert "[TRYCREATE]" in g.no(f"COPY 1 Shared/{o.address}/Nowhere")


def test_rights_that_end_end_at_once(two):
    o, g = two
    o.ok(f"SETACL Projects {g.address} lr")
    shared = f"Shared/{o.address}/Projects"
    g.ok(f"SELECT {shared}")
    o.ok(f"DELETEACL Projects {g.address}")
    g.send("a NOOP\r\n")
    assert any(l.startswith(b"* BYE") for l in g.until("a"))


def test_subscriptions_are_the_guests_own(two, golub):
    o, g = two
    o.ok(f"SETACL Projects {g.address} lr")
    shared = f"Shared/{o.address}/Projects"
    g.ok(f"SUBSCRIBE {shared}")
    for session in (g, Imap(golub, g.address)):
        assert any(shared in l and "\\Subscribed" in l for l in session.ok('LIST (SUBSCRIBED) "" *'))
        assert any(shared in l for l in session.ok('LSUB "" *'))
    assert not any("\\Subscribed" in l for l in o.ok('LIST "" Projects RETURN (SUBSCRIBED)'))
    g.ok(f"UNSUBSCRIBE {shared}")
    assert not any(shared in l for l in g.ok('LSUB "" *'))


def test_anyone_and_utf8(two):
    o, g = two
    o.ok('CREATE "&AQw-a&AQ0-ak"')
    o.ok('SETACL "&AQw-a&AQ0-ak" anyone lr')
    assert any("&AQw-a&AQ0-ak" in l for l in g.ok('LIST "" Shared/*'))
    g.ok("ENABLE IMAP4rev2")
    shared = f"Shared/{o.address}/Čačak"
    g.send(b'a LIST "" Shared/*\r\n')
    assert any(shared.encode() in l for l in g.until("a"))
    g.send(f"a SELECT \"{shared}\"\r\n".encode())
    assert g.until("a")[-1].startswith(b"a OK [READ-ONLY]")
    g.ok("SELECT INBOX")  # and back
    g.ok("CLOSE")


def test_imaplib_sees_the_namespace(golub, two):
    o, g = two
    m = imaplib.IMAP4("127.0.0.1", golub.port("imap"))
    m.login(g.address, PASSWORD)
    assert m.namespace()[1] == [b'(("" "/")) (("Shared/" "/")) NIL']
    m.logout()
