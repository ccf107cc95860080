"""Whose connection it is, when a proxy or a filter stands in front (PROXY with HAProxy, XCLIENT with swaks), and what
strangers and users meet that go too far. The strangers are named by the one or the other."""
import base64
import imaplib
import os
import signal
import smtplib
import socket
import struct
import subprocess
import time

import pytest

import peers
from harness import Golub, message, wait_for
from readers import inbox
from wire import Wire

PROXY, FILTER = "127.0.0.2", "127.0.0.3"  # trusted to say who is behind them; 127.0.0.1 is an ordinary client
CONFIG = f"""
[listen]
proxy = {PROXY}
[login]
plain_on_loopback = yes
[log]
level = debug
[smtp]
xclient = {FILTER}
tarpit = 1s
[limit address]
connections = 3
recipient_rate = 4/h
[limit account]
message_rate = 2/h
"""
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.fixture(scope="module")
def golub():
    server = Golub(config=CONFIG + "[server]\nworkers = 2\n")
    server.account("ana", "ana's password")
    server.account("branko", "branko's password")
    server.account("vesna", "vesna's password")
    server.command("address", "add", "postmaster@example.test", "vesna@example.test")
    with server:
        yield server
        assert "role.died" not in server.read_log()


def dial(golub, service, source=PROXY):
    w = Wire.__new__(Wire)
    w.socket = socket.create_connection(("127.0.0.1", golub.port(service)), 60, (source, 0))
    w.buffer = b""
    return w


def v2(command, family, body):
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(body)) + body


def v2_ipv4(peer, port, *more):
    return v2(1, 0x11, socket.inet_aton(peer) + socket.inet_aton("198.51.100.1") + struct.pack(">HH", port, 25) + b"".join(more))


def accepted(golub, helo, **want):
    """The log line of the message that a client of this HELO has sent says so."""
    line = wait_for(helo, lambda: next((l for l in golub.read_log().splitlines()
                                           if " message.accepted " in l and f"helo={helo}" in l), None))
    for key, value in want.items():
        assert f" {key}={value}" in line, line


def send(wire, helo):
    assert wire.reply()[0] == 220
    assert wire.smtp(f"EHLO {helo}")[0] == 250
    wire.start_data("ana@example.test")
    assert wire.smtp(message(helo).encode() + b".\r\n")[0] == 250


@pytest.mark.parametrize("name, header, peer", [
    ("v1-ipv4", b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 25\r\n", "192.0.2.7"),
    ("v1-ipv6", b"PROXY TCP6 2001:db8::7 2001:db8::25 50001 25\r\n", "2001:db8::7"),
    ("v1-unknown", b"PROXY UNKNOWN\r\n", PROXY),
    ("v2-ipv4", v2_ipv4("192.0.2.8", 50001), "192.0.2.8"),
    ("v2-local", v2(0, 0, b""), PROXY),
])
def test_a_header_says_whose_connection_it_is(golub, name, header, peer):
    with dial(golub, "smtp") as w:
        for byte in header:  # in the smallest pieces
            w.send(bytes([byte]))
        send(w, name)
    accepted(golub, name, peer=peer)


def test_the_first_command_may_come_in_the_packet_of_the_header(golub):
    with dial(golub, "imap") as w:
        w.send(v2_ipv4("192.0.2.9", 5) + b"a LOGOUT\r\n")
        assert w.line().startswith(b"* OK")
        assert any(l.startswith(b"a OK") for l in w.until("a"))


@pytest.mark.parametrize("bytes_", [b"EHLO client.test\r\n", b"PROXY TCP4 1.2.3.4\r\n", SIGNATURE + b"\x31\x11\0\0", b"\x16\x03\x01"])
def test_from_a_proxy_nothing_else_is_taken(golub, bytes_):
    for service in ("smtp", "imaps", "pop3"):
        with dial(golub, service) as w:
            w.send(bytes_)
            assert w.line() == b""


def test_others_cannot_use_it(golub):
    with dial(golub, "smtp", "127.0.0.1") as w:
        w.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 50001 25\r\n")
        assert w.reply()[0] == 220
        assert w.reply()[0] == 500


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def test_haproxy_in_front_of_smtp_and_imap(golub, tmp_path):
    """Version 1 to 25, version 2 to 993, and TLS that HAProxy takes off, told to 143."""
    pem = tmp_path / "both.pem"
    pem.write_text("".join((golub.data / "tls" / f).read_text() for f in ("server.pem", "server.key")))
    smtp, imaps, imap = free_ports(3)
    conf = tmp_path / "haproxy.cfg"
    conf.write_text(f"""
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen smtp
    bind 127.0.0.1:{smtp}
    server golub 127.0.0.1:{golub.port('smtp')} send-proxy source {PROXY}
listen imaps
    bind 127.0.0.1:{imaps}
    server golub 127.0.0.1:{golub.port('imaps')} send-proxy-v2 source {PROXY}
listen imap
    bind 127.0.0.1:{imap} ssl crt {pem}
    server golub 127.0.0.1:{golub.port('imap')} send-proxy-v2-ssl proxy-v2-options crc32c,ssl-cipher source {PROXY}
""")
    run = subprocess.Popen([peers.path("haproxy"), "-db", "-f", str(conf)], env=peers.environ())
    try:
        def answers():
            try:
                socket.create_connection(("127.0.0.1", imap), 1).close()
                return True
            except OSError:
                return False
        wait_for("haproxy listens", answers)
        with smtplib.SMTP("127.0.0.1", smtp, "through-haproxy.test", 60, ("127.0.0.3", 0)) as s:
            s.sendmail("x@remote.test", ["ana@example.test"], message("haproxy"))
        accepted(golub, "through-haproxy.test", peer="127.0.0.3")
        for port in (imaps, imap):
            m = imaplib.IMAP4_SSL("localhost", port, ssl_context=golub.tls(), timeout=60)
            if port == imap:  # TLS is on already, so STARTTLS is not offered and passwords may come
                assert "STARTTLS" not in m.capabilities and "LOGINDISABLED" not in m.capabilities
            m.login("ana@example.test", "ana's password")
            assert m.select("INBOX")[0] == "OK"
            m.logout()
    finally:
        run.terminate()
        run.wait()


# --- XCLIENT ---

def swaks(golub, *more, server="127.0.0.1", source=FILTER, to="ana@example.test"):
    return subprocess.run(["swaks", "--server", server, "--port", str(golub.port("smtp")), "--local-interface", source,
                           "--from", "x@remote.test", "--to", to, *more], capture_output=True, text=True, timeout=60)


def test_swaks_speaks_for_others(golub):
    run = swaks(golub, "--helo", "through-swaks.test", "--xclient-addr", "192.0.2.77", "--xclient-name", "mx.remote.test",
                "--xclient-port", "4711", "--xclient-proto", "ESMTP", "--xclient-delim", "--xclient-helo", "any.remote.test",
                "--xclient-destaddr", "198.51.100.25", "--xclient-destport", "25")
    assert run.returncode == 0, run.stdout + run.stderr
    accepted(golub, "through-swaks.test", peer="192.0.2.77")
    raw = wait_for("delivered", lambda: next((m for m in inbox(golub, "ana") if b"through-swaks.test" in m), None))
    assert b"from through-swaks.test ([192.0.2.77])" in raw, raw[:400]
    run = swaks(golub, "--xclient-addr", "192.0.2.77", source="127.0.0.1")
    assert run.returncode != 0, run.stdout  # nobody offers it to him


def test_a_filter_says_who_has_logged_in(golub):
    with dial(golub, "smtp", FILTER) as w:
        w.hello()
        assert w.smtp("XCLIENT LOGIN=nobody@example.test")[0] == 501
        assert w.smtp("XCLIENT COLOR=red")[0] == 501
        assert w.smtp("XCLIENT ADDR=192.0.2.78 LOGIN=branko@example.test")[0] == 220
        assert w.smtp("MAIL FROM:<branko@example.test>")[0] == 503  # from the greeting on
        assert w.smtp("EHLO lent-login.test")[0] == 250
        assert w.smtp("MAIL FROM:<ana@example.test>")[0] == 553  # not his
        w.start_data("ana@example.test", "branko@example.test")
        assert w.smtp(message("lent", sender="branko@example.test").encode() + b".\r\n")[0] == 250
        accepted(golub, "lent-login.test", peer="192.0.2.78", user="branko@example.test", **{"with": "ESMTPA"})
        assert w.smtp("XCLIENT LOGIN=[UNAVAILABLE]")[0] == 220
        assert w.smtp("EHLO client.test")[0] == 250
        assert w.smtp("MAIL FROM:<branko@example.test>")[0] == 250
        assert w.smtp("XCLIENT ADDR=192.0.2.78")[0] == 503
        assert w.smtp("RCPT TO:<x@elsewhere.test>")[0] == 550
    with dial(golub, "smtp", "127.0.0.1") as w:
        assert w.reply()[0] == 220
        assert b"XCLIENT" not in w.smtp("EHLO client.test")[1]
        assert w.smtp("XCLIENT ADDR=192.0.2.78")[0] == 550


# --- strangers ---

def stranger(golub, service, address, *more):
    w = dial(golub, service)
    w.send(v2_ipv4(address, 50000) + b"".join(more))
    return w


def test_who_speaks_before_the_greeting_is_no_mail_server(golub):
    with stranger(golub, "smtp", "203.0.113.1", b"EHLO client.test\r\n") as w:
        assert w.reply()[0] == 554
        assert w.is_closed()
    with stranger(golub, "smtp", "203.0.113.1") as w:
        before = time.monotonic()
        assert w.reply()[0] == 220
        assert time.monotonic() - before > 0.5
        assert w.smtp("EHLO patient.test")[0] == 250
        w.start_data("ana@example.test")
        assert w.smtp(message("patient").encode() + b".\r\n")[0] == 250

    def is_greeted_at_once():
        with stranger(golub, "smtp", "203.0.113.1") as w:
            before = time.monotonic()
            assert w.reply()[0] == 220
            return time.monotonic() - before < 0.5
    wait_for("who is known by now is greeted at once", is_greeted_at_once)  # on a busy machine not each time


@pytest.mark.parametrize("lines", [b"EHLO client.test\r\nMAIL FROM:<x@remote.test>\r\n",
                                   b"HELO client.test\r\n|NOOP\r\nMAIL FROM:<x@remote.test>\r\n",
                                   b"EHLO client.test\r\n|DATA\r\nSubject: x\r\n"])
def test_nobody_goes_on_without_the_answer_that_decides(golub, lines):
    with stranger(golub, "submission", "203.0.113.2") as w:
        assert w.reply()[0] == 220
        parts = lines.split(b"|")
        for part in parts[:-1]:
            assert w.smtp(part)[0] == 250
        w.send(parts[-1])
        assert w.reply()[0] == 554
        assert w.is_closed()


@pytest.mark.parametrize("bytes_", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\n\r\nEHLO client.test\r\n",
                                    b"\x16\x03\x01\x02\x00\x01\x00"])
def test_what_is_no_smtp_ends_the_session(golub, bytes_):
    with dial(golub, "smtp", "127.0.0.1") as w:
        assert w.reply()[0] == 220
        w.send(bytes_)
        assert w.reply()[0] == 554
        assert w.is_closed()


def test_names_that_cannot_be_theirs_and_too_many_faults(golub):
    with stranger(golub, "smtp", "203.0.113.4") as w:
        assert w.reply()[0] == 220
        for name in ("mail.example.test", "203.0.113.4", "-x-"):
            assert w.smtp(f"EHLO {name}")[0] == 250
            assert w.smtp("MAIL FROM:<x@remote.test>")[0] == 550
        assert w.smtp("EHLO [203.0.113.4]")[0] == 250
        assert w.smtp("MAIL FROM:<x@remote.test>")[0] == 250
        before = time.monotonic()  # the fourth fault waits
        assert w.smtp("RCPT TO:<x@elsewhere.test>")[0] == 550
        assert time.monotonic() - before > 0.9
        for _ in range(3):
            assert w.smtp("RCPT TO:<ana@example.test>")[0] == 250
        code, text = w.smtp("RCPT TO:<ana@example.test>")  # 4 an hour
        assert code == 450 and b"recipients" in text


def test_an_address_holds_so_many_connections(golub):
    held = [stranger(golub, "submission", "203.0.113.5") for _ in range(3)]
    assert all(w.reply()[0] == 220 for w in held)
    with stranger(golub, "submission", "203.0.113.5") as w:
        assert w.reply()[0] == 421
    with stranger(golub, "submission", "203.0.113.6") as w:
        assert w.reply()[0] == 220
    held.pop().socket.close()

    def has_room():
        with stranger(golub, "submission", "203.0.113.5") as w:
            return w.reply()[0] == 220
    wait_for("room again", has_room)
    for w in held:
        w.socket.close()


def test_when_room_is_short_known_senders_go_first(golub):
    """Of 40 sessions in two processes strangers get 15 each. The two gates share them out evenly but for one or two."""
    with stranger(golub, "smtp", "203.0.113.8") as w:
        send(w, "known.test")
    before, at = golub.conf.read_text(), len(golub.read_log())
    golub.conf.write_text(before + "\n[smtp]\nsessions = 40\n")
    os.kill(golub.process.pid, signal.SIGHUP)
    wait_for("reloaded", lambda: " reloaded " in golub.read_log(at))
    held = [stranger(golub, "smtp", f"198.18.{n}.1") for n in range(26)]  # their greetings may wait
    try:
        def is_turned_away():  # each process learns of the new config when it does
            held.append(stranger(golub, "smtp", f"198.18.{len(held)}.1"))
            began = time.monotonic()
            code, text = held[-1].reply()
            assert code == 220 or (code == 421 and b"go first" in text), text
            return code == 421 and time.monotonic() - began < 0.5
        wait_for("strangers are turned away", is_turned_away)
        for address in ("203.0.113.8", "203.0.113.8"):
            held.append(stranger(golub, "smtp", address))
            assert held[-1].reply()[0] == 220
    finally:
        for w in held:
            w.socket.close()
        golub.conf.write_text(before)
        os.kill(golub.process.pid, signal.SIGHUP)
        wait_for("reloaded", lambda: golub.read_log(at).count(" reloaded ") == 2)


# --- users ---

def test_an_account_that_sends_too_much_waits_and_postmaster_hears_of_it_once(golub):
    for turn in range(2):
        w = stranger(golub, "submissions", f"198.51.100.{turn}")
        w.socket = golub.tls().wrap_socket(w.socket, server_hostname="localhost")
        with w:
            w.hello()
            assert w.smtp("AUTH PLAIN AHZlc25hQGV4YW1wbGUudGVzdAB2ZXNuYSdzIHBhc3N3b3Jk")[0] == 235
            for _ in range(2 - 2 * turn):
                w.start_data("ana@example.test", "vesna@example.test")
                assert w.smtp(message("spray", sender="vesna@example.test").encode() + b".\r\n")[0] == 250
            for _ in range(2):
                code, text = w.smtp("MAIL FROM:<vesna@example.test>")
                assert code == 450 and b"vesna@example.test" in text and b"messages" in text, text
    notes = [m for m in inbox(golub, "vesna", password="vesna's password") if b"may be in the wrong hands" in m]
    assert len(notes) == 1
    assert b"vesna@example.test" in notes[0] and b"198.51.100.0" in notes[0] and b"Auto-Submitted: auto-generated" in notes[0]
    assert b"message_rate 2/h, of [limit account]" in notes[0]


def user(golub, name, peer):
    w = stranger(golub, "submissions", peer)
    w.socket = golub.tls().wrap_socket(w.socket, server_hostname="localhost")
    w.hello()
    assert w.smtp("AUTH PLAIN " + base64.b64encode(f"\0{name}@example.test\0{name}'s password".encode()).decode())[0] == 235
    return w


def test_a_command_lets_an_account_send_more_or_less_from_the_next_message_on(golub):
    def mails(w):
        code = w.smtp("MAIL FROM:<ana@example.test>")[0]
        assert w.smtp("RSET")[0] == 250
        return code
    with user(golub, "ana", "198.51.100.20") as w:
        assert [mails(w) for _ in range(3)] == [250, 250, 450]  # as golub.conf has it
        golub.command("account", "limit", "ana@example.test", "--message-rate", "4/h")
        assert [mails(w) for _ in range(5)] == [250] * 4 + [450]
        golub.command("account", "limit", "ana@example.test", "--message-rate", "default")
        golub.command("domain", "limit", "example.test", "--message-rate", "1/d")
        assert [mails(w) for _ in range(2)] == [250, 450]
        golub.command("account", "limit", "ana@example.test", "--message-rate", "none")
        assert [mails(w) for _ in range(9)] == [250] * 9
        golub.command("domain", "limit", "example.test", "--message-rate", "default")


def test_reports_are_in_the_language_that_is_set_of_the_sender(golub):
    golub.command("account", "limit", "branko@example.test", "--message-rate", "none")
    golub.command("domain", "language", "example.test", "sr-Latn")
    for turn, language in enumerate(["sr-Latn", "sr-Cyrl"]):
        with user(golub, "branko", "198.51.100.21") as w:
            assert w.smtp("MAIL FROM:<branko@example.test>")[0] == 250
            assert w.smtp("RCPT TO:<ana@example.test> NOTIFY=SUCCESS")[0] == 250
            assert w.smtp("DATA")[0] == 354
            assert w.smtp(message("language", sender="branko@example.test", extra="Content-Language: en-US\r\n").encode() + b".\r\n")[0] == 250
        reports = wait_for(language, lambda: [m for m in inbox(golub, "branko", password="branko's password") if b"Content-Language: " + language.encode() in m])
        assert len(reports) == 1 and b"Action: delivered" in reports[0]
        golub.command("account", "language", "branko@example.test", "sr-Cyrl")


def test_what_was_counted_holds_after_a_restart(golub):
    with user(golub, "ana", "198.51.100.22") as w:
        golub.command("account", "limit", "ana@example.test", "--message-rate", "1/h")
        assert [w.smtp(l)[0] for l in ("MAIL FROM:<ana@example.test>", "RSET", "MAIL FROM:<ana@example.test>")] == [250, 250, 450]
    golub.stop()
    golub.start()
    with user(golub, "ana", "198.51.100.23") as w:
        assert w.smtp("MAIL FROM:<ana@example.test>")[0] == 450
    golub.command("account", "limit", "ana@example.test", "--message-rate", "default")
