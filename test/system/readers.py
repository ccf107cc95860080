"""Looking into a mailbox as a user would, by IMAP over TLS."""
import imaplib

from harness import wait_for

PASSWORDS = {"ana": "ana's password", "branko": "branko's password"}


def login(golub, name, password=None):
    m = imaplib.IMAP4_SSL("localhost", golub.port("imaps"), ssl_context=golub.tls(), timeout=60)
    address = name if "@" in name else f"{name}@{golub.domain}"
    m.login(address, password or golub.passwords.get(address) or PASSWORDS[name])
    return m


def inbox(golub, name, folder="INBOX", password=None):
    """The raw bytes of every message."""
    with login(golub, name, password) as m:
        assert m.select(folder, readonly=True)[0] == "OK"
        kind, data = m.fetch("1:*", "(BODY.PEEK[])") if m.search(None, "ALL")[1][0] else ("OK", [])
        assert kind == "OK"
        return [part[1] for part in data if isinstance(part, tuple)]


def wait_for_message(golub, name, subject, folder="INBOX", seconds=30):
    """The one message with that subject."""
    line = f"Subject: {subject}\r\n".encode()
    return wait_for(f"{name} has {subject!r}", lambda: next((m for m in inbox(golub, name, folder) if line in m), None), seconds, 0.1)
