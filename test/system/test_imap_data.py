"""Message data over real connections, through gate and TLS, with Python's imaplib, zlib and email."""
import base64
import email
import email.message
import email.policy
import hashlib
import imaplib
import random
import zlib

import pytest


class Compressed(imaplib.IMAP4_SSL):
    """imaplib, that compresses once it has asked for it (RFC 4978)."""
    packer = unpacker = None
    plain = b""

    def compress(self):
        kind, data = self.xatom("COMPRESS", "DEFLATE")
        assert kind == "OK", data
        self.packer = zlib.compressobj(wbits=-15)
        self.unpacker = zlib.decompressobj(wbits=-15)

    def send(self, data):
        if self.packer:
            data = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        super().send(data)

    def fill(self):
        packed = self.sock.recv(65536)
        assert packed, "the server closed"
        self.plain += self.unpacker.decompress(packed)

    def read(self, size):
        if not self.unpacker:
            return super().read(size)
        while len(self.plain) < size:
            self.fill()
        taken, self.plain = self.plain[:size], self.plain[size:]
        return taken

    def readline(self):
        if not self.unpacker:
            return super().readline()
        while b"\n" not in self.plain:
            self.fill()
        return self.read(self.plain.index(b"\n") + 1)


@pytest.fixture
def mailbox(golub, request):
    name = request.node.name.replace("_", "-")[:60]
    golub.account(name, "a password of mine")
    with Compressed("localhost", golub.port("imaps"), ssl_context=golub.tls(), timeout=60) as m:
        m.login(f"{name}@{golub.domain}", "a password of mine")
        yield m


def with_attachment(data):
    m = email.message.EmailMessage()
    m["Subject"], m["From"], m["To"] = "pictures", "ana@example.test", "branko@example.test"
    m.set_content("Here they are.\n\nOn Monday Branko wrote:\n> Where are they?\n")
    m.add_attachment(data, maintype="image", subtype="png", filename="a.png")
    return m.as_bytes(policy=email.policy.SMTP)


def literals(data):
    return [part[1] for part in data if isinstance(part, tuple)]


def test_a_compressed_session(mailbox):
    """Megabytes both ways, compressed; what comes back is what went in."""
    mailbox.compress()
    assert mailbox.xatom("COMPRESS", "DEFLATE")[0] == "NO"
    picture = random.Random(1).randbytes(1_500_000)
    sent = with_attachment(picture)
    for _ in range(3):
        assert mailbox.append("INBOX", "", "", sent)[0] == "OK"
    assert mailbox.select("INBOX")[1] == [b"3"]
    for n in "123":
        kind, data = mailbox.fetch(n, "(BODY.PEEK[])")
        assert hashlib.sha256(literals(data)[0]).digest() == hashlib.sha256(sent).digest()
    kind, data = mailbox.fetch("1:3", "(FLAGS)")
    assert kind == "OK" and len(data) == 3


def test_binary_parts(mailbox):
    """An attachment comes decoded, whole and in partials; email's own decoder agrees."""
    picture = random.Random(2).randbytes(700_000)
    assert mailbox.append("INBOX", "", "", with_attachment(picture))[0] == "OK"
    mailbox.select("INBOX")
    kind, data = mailbox.fetch("1", "(BINARY.SIZE[2] PREVIEW EMAILID)")
    assert b"BINARY.SIZE[2] 700000" in data[0] and b'PREVIEW "Here they are."' in data[0], data
    kind, data = mailbox.fetch("1", "(BODY.PEEK[2])")
    assert base64.b64decode(literals(data)[0]) == picture
    got = b""
    for at in range(0, 700_000, 100_000):
        mailbox.send(b"b%d FETCH 1 BINARY.PEEK[2]<%d.100000>\r\n" % (at, at))
        head = mailbox.readline()
        assert head.startswith(b"* 1 FETCH (BINARY[2]<%d> ~{" % at), head  # there are NULs in random bytes
        got += mailbox.read(int(head[head.index(b"{") + 1:head.index(b"}")]))
        assert mailbox.readline() == b")\r\n" and mailbox.readline().startswith(b"b%d OK" % at)
    assert got == picture


def test_forwarding_without_fetching(mailbox):
    """CATENATE, as a client forwards a message without having it (RFC 4469), and REPLACE of a draft."""
    picture = bytes(range(256)) * 2000
    assert mailbox.append("INBOX", "", "", with_attachment(picture))[0] == "OK"
    head = (b"Subject: Fwd: pictures\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=xyz\r\n\r\n"
            b"--xyz\r\n\r\nLook.\r\n--xyz\r\n")
    mailbox.send(b"f APPEND Drafts (\\Draft) CATENATE (TEXT {%d+}\r\n" % len(head) + head +
                 b' URL "/INBOX/;UID=1/;SECTION=2.MIME" URL "/INBOX/;UID=1/;SECTION=2" TEXT {9+}\r\n\r\n--xyz--)\r\n')
    answer = mailbox.readline()
    assert answer.startswith(b"f OK [APPENDUID "), answer
    mailbox.select("Drafts")
    kind, data = mailbox.fetch("1", "(BODY.PEEK[])")
    forwarded = email.message_from_bytes(literals(data)[0])
    assert [p.get_content_type() for p in forwarded.get_payload()] == ["text/plain", "image/png"]
    assert forwarded.get_payload(1).get_payload(decode=True) == picture
    mailbox.send(b"r UID REPLACE 1 Drafts {14+}\r\nSubject: new\r\n\r\n")
    answers = [mailbox.readline()]
    while not answers[-1].startswith(b"r "):
        answers.append(mailbox.readline())
    assert answers[0].startswith(b"* OK [APPENDUID ") and b"* 1 EXPUNGE\r\n" in answers and answers[-1].startswith(b"r OK"), answers
