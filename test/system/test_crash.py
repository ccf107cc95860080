"""Pulling the plug: all processes killed at a random moment, again and again. What got its 250 is there exactly once."""
import collections
import os
import random
import re
import smtplib
import socketserver
import threading
import time

from harness import Golub, message, wait_for
from readers import inbox

KILLS = int(os.environ.get("GOLUB_KILLS", "20"))
SENDERS = 8
NAMES = ["ana", "branko", "vesna"]


# Ways for a message to come: each gives it to everybody in `to`, and returns who is said to have it.

def by_smtp(golub, s, to, text):
    refused = s.sendmail("ana@example.test", to, text)
    return [address for address in to if address not in refused]


def by_lmtp(golub, s, to, text):
    """An answer for each; smtplib would read only the first."""
    assert s.mail("ana@example.test")[0] == 250
    for address in to:
        assert s.rcpt(address)[0] == 250
    assert s.docmd("DATA")[0] == 354
    s.send(smtplib._fix_eols(text).encode() + b".\r\n")
    return [address for address in to if s.getreply()[0] == 250]


def connect_smtp(golub):
    return smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=20)


def connect_submission(golub):
    s = smtplib.SMTP("127.0.0.1", golub.port("submission"), "client.test", timeout=20)
    s.login("ana@example.test", "secret password")
    return s


def connect_lmtp(golub):
    s = smtplib.LMTP(str(golub.data / "lmtp.sock"))
    s.ehlo("local.test")
    return s


class Senders:
    """Connections that send numbered messages, for ever; keeps the numbers that were acknowledged, with the recipient."""

    def __init__(self, golub, ways):
        self.golub, self.acknowledged, self.lock, self.stopping = golub, set(), threading.Lock(), False
        self.numbers = iter(range(10**9))
        self.threads = [threading.Thread(target=self.run, args=way) for way in ways]
        for t in self.threads:
            t.start()

    def number(self):
        with self.lock:
            return next(self.numbers)

    def run(self, connect, send, recipients):
        while not self.stopping:
            try:
                s = connect(self.golub)
                while not self.stopping:
                    n = self.number()  # never sent again: an answer that was lost tells nothing
                    to = recipients(n)
                    have = send(self.golub, s, to, message(f"number {n}", to=to[0], body=f"{n}\r\n" * random.randint(1, 2000)))
                    with self.lock:
                        self.acknowledged.update((n, address) for address in have)
            except (OSError, AssertionError, smtplib.SMTPException):
                time.sleep(0.05)

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()
        return self.acknowledged


def kill_again_and_again(golub, senders):
    for _ in range(KILLS):
        before = len(senders.acknowledged)
        wait_for("mail flows", lambda: len(senders.acknowledged) > before + 2, 60)
        time.sleep(random.uniform(0, 0.6))
        golub.kill()
        golub.start()


def numbers(raw_messages):
    return collections.Counter(int(re.search(rb"Subject: number (\d+)\r\n", m).group(1)) for m in raw_messages)


def address(name):
    return f"{name}@example.test"


def local(n):
    return [address(NAMES[n % len(NAMES)])]


def check_mailboxes(golub, acknowledged):
    """What was acknowledged for a mailbox is in it, and nothing is twice."""
    for name in NAMES:
        found = numbers(inbox(golub, name))
        lost = {n for n, to in acknowledged if to == address(name)} - set(found)
        twice = [n for n, times in found.items() if times > 1]
        assert not lost and not twice, f"{name}: lost {sorted(lost)[:10]}, twice {twice[:10]} of {len(found)}"


def test_every_acknowledged_message_is_in_its_mailbox_exactly_once():
    golub = Golub()
    for name in NAMES:
        golub.account(name)
    with golub:
        senders = Senders(golub, [(connect_smtp, by_smtp, local)] * SENDERS)
        try:
            kill_again_and_again(golub, senders)
        finally:
            acknowledged = senders.stop()
        assert len(acknowledged) > KILLS
        check_mailboxes(golub, acknowledged)


class Sink(socketserver.ThreadingTCPServer):
    """A receiving server that remembers every message, and which connection it came on."""
    allow_reuse_address = True
    daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 sink.test ESMTP\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go\r\n")
                    lines = []
                    for line in self.rfile:
                        if line == b".\r\n":
                            break
                        lines.append(line[1:] if line.startswith(b".") else line)
                    else:
                        return
                    with self.server.lock:
                        self.server.messages.append(b"".join(lines))
                    self.wfile.write(b"250 taken\r\n")
                elif verb == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                elif verb == b"EHLO":
                    self.wfile.write(b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                else:
                    self.wfile.write(b"250 ok\r\n")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.messages, self.lock = [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()


def test_all_ways_together():
    """SMTP from outside, LMTP, submission to here and elsewhere in one message, queue and relay. At the other side at most what was
    in flight may come twice: one message a connection and kill (RFC 5321 section 4.1.1.4)."""
    sink = Sink()
    connections = 4
    golub = Golub(config=f"[login]\nplain_on_loopback = yes\n[route sink.test]\nhost = 127.0.0.1\nport = {sink.server_address[1]}\n"
                         f"[queue]\nretry = 1s\nretry_most = 2s\nconnections = {connections}\n[listen]\nlmtp = unix:lmtp.sock\n")
    for name in NAMES:
        golub.account(name)
    with golub:
        senders = Senders(golub, [(connect_smtp, by_smtp, local)] * 2
                          + [(connect_lmtp, by_lmtp, lambda n: [*local(n), *local(n + 1)])] * 2
                          + [(connect_submission, by_smtp, lambda n: [*local(n), f"n{n}@sink.test"])] * 4)
        try:
            kill_again_and_again(golub, senders)
        finally:
            acknowledged = senders.stop()
        check_mailboxes(golub, acknowledged)
        relayed = {n for n, to in acknowledged if to.endswith("@sink.test")}
        assert len(relayed) > KILLS and len(acknowledged) > 3 * KILLS
        wait_for("all has arrived", lambda: relayed <= set(numbers(sink.messages)), 120, 0.2)
        wait_for("the queue is empty", lambda: "sink.test" not in golub.command("queue", "list").stdout, 60, 0.2)
    twice = sum(times - 1 for times in numbers(sink.messages).values())
    assert twice <= KILLS * connections, f"{twice} came twice in {KILLS} kills over {connections} connections"
    sink.shutdown()
