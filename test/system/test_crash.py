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


class Senders:
    """Eight connections that send numbered messages, for ever; keeps the numbers that were acknowledged."""

    def __init__(self, golub, service, recipient):
        self.golub, self.service, self.recipient = golub, service, recipient
        self.acknowledged, self.lock, self.stopping = set(), threading.Lock(), False
        self.numbers = iter(range(10**9))
        self.threads = [threading.Thread(target=self.run) for _ in range(SENDERS)]
        for t in self.threads:
            t.start()

    def number(self):
        with self.lock:
            return next(self.numbers)

    def session(self):
        s = smtplib.SMTP("127.0.0.1", self.golub.port(self.service), "remote.test", timeout=20)
        if self.service == "submission":
            s.login("ana@example.test", "secret password")
        return s

    def run(self):
        while not self.stopping:
            try:
                s = self.session()
                while not self.stopping:
                    n = self.number()  # never sent again: an answer that was lost tells nothing
                    to = self.recipient(n)
                    s.sendmail("ana@example.test", [to], message(f"number {n}", to=to, body=f"{n}\r\n" * random.randint(1, 2000)))
                    with self.lock:
                        self.acknowledged.add(n)
            except (OSError, smtplib.SMTPException):
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


def test_every_acknowledged_message_is_in_its_mailbox_exactly_once():
    golub = Golub()
    for name in NAMES:
        golub.account(name)
    with golub:
        senders = Senders(golub, "smtp", lambda n: f"{NAMES[n % len(NAMES)]}@example.test")
        try:
            kill_again_and_again(golub, senders)
        finally:
            acknowledged = senders.stop()
        found = sum((numbers(inbox(golub, name)) for name in NAMES), collections.Counter())
    assert len(acknowledged) > KILLS
    lost = acknowledged - set(found)
    twice = [n for n, times in found.items() if times > 1]
    assert not lost and not twice, f"lost {sorted(lost)[:10]}, twice {twice[:10]} of {len(acknowledged)}"


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


def test_every_acknowledged_submission_reaches_the_other_side():
    """There at most what was in flight may come twice: one message a connection and kill (RFC 5321 section 4.1.1.4)."""
    sink = Sink()
    connections = 4
    golub = Golub(config=f"[login]\nplain_on_loopback = yes\n[route sink.test]\nhost = 127.0.0.1\nport = {sink.server_address[1]}\n"
                         f"[queue]\nretry = 1s\nretry_most = 2s\nconnections = {connections}\n")
    golub.account("ana")
    with golub:
        senders = Senders(golub, "submission", lambda n: f"n{n}@sink.test")
        try:
            kill_again_and_again(golub, senders)
        finally:
            acknowledged = senders.stop()
        wait_for("all has arrived", lambda: acknowledged <= set(numbers(sink.messages)), 120, 0.2)
        wait_for("the queue is empty", lambda: "sink.test" not in golub.command("queue", "list").stdout, 60, 0.2)
    found = numbers(sink.messages)
    twice = sum(times - 1 for times in found.values())
    assert not acknowledged - set(found)
    assert twice <= KILLS * connections, f"{twice} came twice in {KILLS} kills over {connections} connections"
    sink.shutdown()
