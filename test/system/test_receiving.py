"""Receiving, over the wire: LMTP on a unix socket and TCP, BDAT, PRDR as Exim's client speaks it, and the forks of
one message whose recipients fare differently."""
import contextlib
import imaplib
import os
import re
import smtplib
import socket
import stat

import pytest

from harness import Golub, message, wait_for

LARGE = 60_000  # over ivan's quota, whose mailbox is so full for this message, for now


class Client:
    """Lines and replies, nothing hidden."""

    def __init__(self, where):
        family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(20)
        self.socket.connect(where)
        self.file = self.socket.makefile("rb")

    def reply(self):
        lines = []
        while True:
            line = self.file.readline().decode()
            assert line.endswith("\r\n"), f"{lines} and then {line!r}"
            lines.append(line[:-2])
            if line[3] == " ":
                return "\n".join(lines)

    def send(self, *lines, raw=b""):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode() + raw)

    def say(self, line, want):
        self.send(line)
        got = self.reply()
        assert re.match(want, got), f"{line}: {got!r} instead of {want!r}"
        return got

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture(scope="module")
def golub(tmp_path_factory):
    lmtp_port = socket.create_server(("127.0.0.1", 0))
    port = lmtp_port.getsockname()[1]
    lmtp_port.close()
    g = Golub(config=f"[listen]\nlmtp = unix:lmtp.sock 127.0.0.1@{port}\nlmtp_mode = 0600\n[login]\nplain_on_loopback = yes\n"
                     "[mailbox]\nover_quota = temporary\n[queue]\nretry = 1s\n")
    g.lmtp_port = port
    g.lmtp_path = str(g.data / "lmtp.sock")
    for name in ("ana", "branko", "ivan"):
        g.account(name)
    with g:
        g.command("quota", "set", "ivan@example.test", "--bytes", "20k")
        yield g


@contextlib.contextmanager
def lmtp(where):
    c = Client(where)
    assert c.reply().startswith("220 mail.example.test LMTP")
    c.say("EHLO foo.edu", "500 5.5.1")
    assert "STARTTLS" not in c.say("LHLO foo.edu", "250") or not isinstance(where, str)
    yield c
    c.say("QUIT", "221 2.0.0")
    c.close()


@contextlib.contextmanager
def smtp(golub, user=None):
    c = Client(("127.0.0.1", golub.port("submission" if user else "smtp")))
    assert c.reply().startswith("220 mail.example.test ESMTP")
    c.say("LHLO foo.edu", "500 5.5.1")
    c.say("EHLO client.test", "250")
    if user:
        import base64
        login = f"\0{user}\0{golub.passwords[user]}".encode()
        c.say("AUTH PLAIN " + base64.b64encode(login).decode(), "235 2.7.0")
    yield c
    c.say("QUIT", "221 2.0.0")
    c.close()


def messages(golub, name):
    """Subject -> bytes of what is in the INBOX."""
    m = imaplib.IMAP4("127.0.0.1", golub.port("imap"))
    m.login(f"{name}@example.test", golub.passwords[f"{name}@example.test"])
    m.select()
    found = {}
    if m.search(None, "ALL")[1][0]:
        for item in m.fetch("1:*", "(BODY.PEEK[])")[1]:
            if isinstance(item, tuple):
                subject = re.search(rb"^Subject: (.*?)\r?$", item[1], re.M)
                found[subject.group(1).decode() if subject else ""] = item[1]
    m.logout()
    return found


def open_transaction(c, *recipients, sender="x@far.test", parameters=""):
    c.say(f"MAIL FROM:<{sender}>{parameters}", "250 2.1.0")
    for r in recipients:
        c.say(f"RCPT TO:<{r}@example.test>", "250 2.1.5")


def data(c, subject, size=0):
    c.say("DATA", "354")
    c.send(message(subject, body="coo\r\n" + ("x" * 70 + "\r\n") * (size // 72)) + ".")


# --- LMTP ---
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_lmtp_answers_for_each_recipient(golub, kind):
    where = golub.lmtp_path if kind == "unix" else ("127.0.0.1", golub.lmtp_port)
    subject = f"lmtp {kind}"
    with lmtp(where) as c:
        c.say("MAIL FROM:<x@far.test>", "250 2.1.0")
        c.say("RCPT TO:<nobody@example.test>", "550 5.1.1")
        c.say("DATA", "503 5.5.1")  # RFC 2033 section 4.2
        c.say("RCPT TO:<ana@example.test>", "250 2.1.5")
        c.say("RCPT TO:<ivan@example.test>", "250 2.1.5")
        c.say("RCPT TO:<y@elsewhere.test>", "550 5.7.1")  # no way out
        c.say("RCPT TO:<branko@example.test>", "250 2.1.5")
        data(c, subject, LARGE)
        assert re.match("250 2.1.5 <ana@example.test>", c.reply())
        assert re.match("452 4.2.2", c.reply())
        assert re.match("250 2.1.5 <branko@example.test>", c.reply())
        c.say("AUTH PLAIN AGEAYg==", "502 5.5.1")
    assert b"with LMTP id" in messages(golub, "ana")[subject]
    assert (b"(unix socket)" in messages(golub, "branko")[subject]) == (kind == "unix")
    assert subject not in messages(golub, "ivan")


def test_lmtp_answers_for_each_recipient_after_bdat(golub):
    with lmtp(golub.lmtp_path) as c:
        open_transaction(c, "ana", "branko")
        text = message("lmtp bdat").encode()
        c.send("BDAT 10", raw=text[:10])
        assert c.reply().startswith("250 2.0.0")
        c.send(f"BDAT {len(text) - 10} LAST", raw=text[10:])
        assert [c.reply()[:9], c.reply()[:9]] == ["250 2.1.5"] * 2
        open_transaction(c, "ana", "branko")
        c.send("BDAT 3 LAST", raw=b"a\nb")  # refused as a whole: as often as there are recipients
        assert [c.reply()[:10], c.reply()[:10]] == ["550 5.6.11"] * 2
    assert "lmtp bdat" in messages(golub, "ana") and "lmtp bdat" in messages(golub, "branko")


def test_the_socket_has_its_permissions(golub):
    assert stat.S_IMODE(os.stat(golub.lmtp_path).st_mode) == 0o600


def test_python_speaks_lmtp_to_it(golub):
    with smtplib.LMTP(golub.lmtp_path) as s:
        assert s.sendmail("x@far.test", ["ana@example.test", "nobody@example.test"], message("smtplib")).keys() == {
            "nobody@example.test"}
    assert "smtplib" in messages(golub, "ana")


# --- PRDR ---
def prdr(c):
    """As Exim's client: 353, a line for each recipient, and the last word."""
    first = c.reply()
    return [first] + [c.reply() for _ in range(3)] if first.startswith("353") else [first]


def test_prdr_tells_who_has_it(golub):
    with smtp(golub) as c:
        open_transaction(c, "ana", "ivan", parameters=" PRDR")
        data(c, "prdr", LARGE)
        got = prdr(c)
        assert [line[:9] for line in got[1:]] == ["250 2.1.5", "452 4.2.2", "250 2.0.0"]
        open_transaction(c, "ivan", "ivan", parameters=" PRDR")
        data(c, "prdr nobody", LARGE)
        assert [line[:9] for line in prdr(c)[1:]] == ["452 4.2.2", "452 4.2.2", "450 4.0.0"]
        open_transaction(c, "ana", parameters=" PRDR")  # a single recipient has a single answer
        data(c, "prdr one")
        assert c.reply().startswith("250 2.0.0")
    assert "prdr" in messages(golub, "ana") and "prdr one" in messages(golub, "ana")
    wait_for("nothing is tried again", lambda: "prdr" not in golub.command("queue", "list").stdout)


# --- the forks ---
def queue_list(golub):
    return golub.command("queue", "list").stdout


def test_nobody_has_it_and_the_client_hears_it(golub):
    with smtp(golub) as c:
        open_transaction(c, "ivan", "ivan")
        data(c, "fork nobody", LARGE)
        assert c.reply().startswith("452 4.2.2")


def test_a_failure_for_now_beside_a_success_goes_to_the_queue(golub):
    with smtp(golub) as c:
        open_transaction(c, "ana", "ivan")
        data(c, "fork deferred", LARGE)
        assert c.reply().startswith("250 2.0.0")
    assert "fork deferred" in messages(golub, "ana")
    assert "ivan@example.test" in queue_list(golub)
    golub.command("quota", "set", "ivan@example.test", "--bytes", "10m")
    wait_for("ivan has it", lambda: "fork deferred" in messages(golub, "ivan"))
    golub.command("quota", "set", "ivan@example.test", "--bytes", "20k")


# --- BDAT ---
def test_chunks_among_pipelined_commands(golub):
    text = message("chunks").encode()
    with smtp(golub) as c:
        c.send("MAIL FROM:<x@far.test>", "RCPT TO:<ana@example.test>", "BDAT 100", raw=text[:100])
        c.send(f"BDAT {len(text) - 100}", raw=text[100:] + b"BDAT 0 LAST\r\nNOOP\r\n")
        assert [c.reply()[:9] for _ in range(6)] == ["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"]
    assert messages(golub, "ana")["chunks"].endswith(text)


def test_a_chunk_cannot_smuggle(golub):
    evil = b"a: b\r\n\r\nx\n.\nMAIL FROM:<evil@far.test>\r\n"
    with smtp(golub) as c:
        open_transaction(c, "ana")
        c.send(f"BDAT {len(evil)}", raw=evil + b"BDAT 3 LAST\r\nabcNOOP\r\n")
        assert [c.reply()[:10] for _ in range(3)] == ["550 5.6.11", "503 5.5.1 ", "250 2.0.0 "]


def test_binary_content_comes_back_byte_for_byte(golub):
    body = bytes(range(256)) * 400 + b"\r\n.\r\nno end\n.\n"
    header = (b"From: <x@far.test>\r\nSubject: binary\r\nMIME-Version: 1.0\r\n"
              b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n")
    with smtp(golub) as c:
        open_transaction(c, "ana", parameters=" BODY=BINARYMIME")
        c.say("DATA", "503 5.5.1")
        c.send(f"BDAT {len(header) + 1000}", raw=header + body[:1000])
        c.send(f"BDAT {len(body) - 1000} LAST", raw=body[1000:])
        assert [c.reply()[:9] for _ in range(2)] == ["250 2.0.0"] * 2
    m = imaplib.IMAP4("127.0.0.1", golub.port("imap"))
    m.login("ana@example.test", golub.passwords["ana@example.test"])
    m.select()
    number = m.search(None, "SUBJECT", "binary")[1][0].split()[-1].decode()
    m.send(f"b FETCH {number} BINARY.PEEK[1]\r\n".encode())  # RFC 3516: a literal8, which may hold NUL
    line = m.readline()
    assert re.search(rb"BINARY\[1\] ~\{%d\}\r\n" % len(body), line), line
    assert m.read(len(body)) == body
    m.readline(), m.readline()
    m.logout()


def test_utf8_addresses_find_their_account(golub):
    golub.command("address", "add", "\u017eika@example.test", "ana@example.test")
    with smtp(golub) as c:
        c.say("MAIL FROM:<x@far.test> SMTPUTF8", "250 2.1.0")
        c.say("RCPT TO:<\u017eika@example.test>", "250 2.1.5")
        c.say("RCPT TO:<\u017dIKA@example.test>", "250 2.1.5")
        c.say("DATA", "354")
        c.send("From: <x@far.test>", "Subject: utf8", "To: <\u017eika@example.test>", "", "coo", ".")
        assert c.reply().startswith("250 2.0.0")
    text = messages(golub, "ana")["utf8"].decode()
    assert "with UTF8SMTP id" in text and "To: <\u017eika@example.test>\r\n" in text


# --- reports of success, and check ---
def test_a_user_is_told_of_success(golub):
    with smtp(golub, "branko@example.test") as c:
        c.say("MAIL FROM:<branko@example.test> RET=HDRS ENVID=QQ314159", "250 2.1.0")
        c.say("RCPT TO:<ana@example.test> NOTIFY=SUCCESS ORCPT=rfc822;ana@example.test", "250 2.1.5")
        c.say("RCPT TO:<ivan@example.test> NOTIFY=NEVER", "250 2.1.5|452 4.2.2")
        c.say("DATA", "354")
        c.send(message("told", "branko@example.test", "ana@example.test") + ".")
        assert c.reply().startswith("250 2.0.0")

    def report():
        return next((m for m in messages(golub, "branko").values() if b"Action: delivered" in m), None)
    text = wait_for("the report", report)
    assert b"Original-Envelope-Id: QQ314159" in text and b"Original-Recipient: rfc822; ana@example.test" in text
    assert b"ivan@example.test" not in text


def test_check_knows_the_sockets(golub):
    assert f"lmtp on {golub.lmtp_path} has somebody who listens" in golub.command("check", check=False).stdout
