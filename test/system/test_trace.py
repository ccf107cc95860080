"""golub trace: a message's whole life in plain words, across a delivery, a refusal, attempts that fail, a redirection by
hand; and that it stays when the server is killed."""
import json
import os
import re
import signal
import smtplib
import socketserver
import threading

import pytest

from harness import Golub, message, wait_for


class Sink(socketserver.ThreadingTCPServer):
    """Another mail server: says 450 to RCPT until it is told to be kind."""
    allow_reuse_address = daemon_threads = True
    kind = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SinkSession)


class SinkSession(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink.test ESMTP")
        for raw in self.rfile:
            verb = raw[:4].upper()
            if verb == b"RCPT" and not self.server.kind:
                self.say("450 4.2.1 come back later")
            elif verb == b"DATA":
                self.say("354 go")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.say("250 2.0.0 taken as sink-4711")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


@pytest.fixture(scope="module")
def sink():
    s = Sink()
    threading.Thread(target=s.serve_forever, daemon=True).start()
    yield s
    s.shutdown()
    s.server_close()


@pytest.fixture(scope="module")
def golub(sink):
    port = sink.server_address[1]
    server = Golub(config="[login]\nplain_on_loopback = yes\n[queue]\nretry = 1h\n"
                          f"[route sink.test]\nhost = 127.0.0.1\nport = {port}\n")
    for name in ("ana", "branko"):
        server.account(name)
    server.command("address", "add", "team@example.test", "ana@example.test", "branko@example.test")
    with server:
        yield server


def told(golub, question, *words):
    """What the trace says, once it says all of that."""
    def all_there():
        text = golub.command("trace", question, check=False).stdout
        return text if all(re.search(w, text) for w in words) else None
    try:
        return wait_for(f"{words} in the trace of {question}", all_there, 15, 0.2)
    except AssertionError:
        raise AssertionError(golub.command("trace", question, check=False).stdout + golub.read_log()[-3000:])


def send(golub, sender, to, subject, service="smtp", user=None):
    with smtplib.SMTP("127.0.0.1", golub.port(service), "client.test", timeout=60) as s:
        if user:
            s.login(user, golub.passwords[user])
        s.sendmail(sender, to, message(subject, sender=sender))


def test_from_the_connection_to_the_folder(golub):
    send(golub, "x@remote.test", ["team@example.test"], "delivered")
    life = told(golub, "<delivered@test>", "stored for ana@example.test in INBOX", "stored for branko@example.test in INBOX",
                r"accepted from 127\.0\.0\.1 \(HELO client\.test, ESMTP\): x@remote\.test")
    delivery = re.match(r"message ([0-9a-f]{32})\n", life).group(1)
    for question in ("ana@example.test", "X@REMOTE.test", "@remote.test", delivery, "delivered@test", "team@example.test"):
        assert delivery in told(golub, question, delivery)


def test_what_is_refused(golub):
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(golub, "y@remote.test", ["nobody@example.test"], "refused")
    life = told(golub, "nobody@example.test", "refused for nobody@example.test, from y@remote.test at 127.0.0.1")
    assert "550 5.1.1" in life
    assert golub.command("trace", "never.heard@example.test", check=False).returncode == 1
    assert golub.command("trace", "no question", check=False).returncode == 1


def test_attempts_a_retry_and_a_redirection(golub, sink):
    sink.kind = False
    send(golub, "ana@example.test", ["bob@sink.test", "carl@sink.test"], "travels", "submission", "ana@example.test")
    life = told(golub, "bob@sink.test", "user ana@example.test", r"number \d+ in the queue", "450 4.2.1 come back later",
                r"< 450 4\.2\.1 come back later", r"> RCPT TO:<bob@sink\.test>", r"< 220 sink\.test ESMTP")
    number = re.search(r"number (\d+) in the queue", life).group(1)
    assert "sink" in golub.command("queue", "show", number).stdout
    shown = golub.command("queue", "show", number).stdout
    assert "> RCPT TO:<bob@sink.test>" in shown and "< 450 4.2.1 come back later" in shown
    assert json.loads(golub.command("queue", "list", "--json", "--recipient", "bob@*").stdout)["id"] == int(number)
    golub.command("queue", "hold", number)
    assert re.search(r"^ +0 +2 .*sink\.test", golub.command("queue", "list", "--destinations").stdout, re.M)
    golub.command("queue", "redirect", "--recipient", "bob@*", "--to", "branko@example.test")
    sink.kind = True
    golub.command("queue", "release", number)
    life = told(golub, number, "held for carl@sink.test by an administrator",
                "redirected from bob@sink.test to branko@example.test", "released for carl@sink.test",
                "sent to carl@sink.test", "taken as sink-4711", "stored for branko@example.test in INBOX")
    events = json.loads(golub.command("trace", number, "--json").stdout)
    assert events["queue"] == int(number)
    assert [e["time"] for e in events["events"]] == sorted(e["time"] for e in events["events"])
    assert {"message.accepted", "queue.accepted", "message.stored", "queue.redirected"} <= {e["event"] for e in events["events"]}


def test_it_stays(golub):
    """trace is killed, and then all of it; what was said in between, and before, is there."""
    send(golub, "x@remote.test", ["ana@example.test"], "before")
    told(golub, "<before@test>", "stored for ana")
    pid = next(p for p, t in golub.processes().items() if t == "golub: trace")
    os.kill(pid, signal.SIGKILL)
    send(golub, "x@remote.test", ["ana@example.test"], "meanwhile")
    told(golub, "<meanwhile@test>", "stored for ana")
    golub.kill()
    for question in ("<before@test>", "<meanwhile@test>", "<delivered@test>"):
        assert "stored for ana" in golub.command("trace", question).stdout
    golub.start()
    send(golub, "x@remote.test", ["ana@example.test"], "after")
    told(golub, "<after@test>", "stored for ana")
    assert "stored for ana" in golub.command("trace", "<before@test>").stdout
