"""Whose connection it is, when a proxy or a filter stands in front: the PROXY protocol, with HAProxy as the sender."""
import imaplib
import smtplib
import socket
import struct
import subprocess

import pytest

import peers
from harness import Golub, message, wait_for
from wire import Wire

PROXY = "127.0.0.2"  # trusted to say who is behind it; 127.0.0.1 is an ordinary client
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.fixture(scope="module")
def golub():
    server = Golub(config=f"[listen]\nproxy = {PROXY}\n[login]\nplain_on_loopback = yes\n[log]\nlevel = debug\n")
    server.account("ana", "ana's password")
    with server:
        yield server


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
