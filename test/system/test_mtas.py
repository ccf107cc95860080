"""golub and the mail servers that others wrote (Postfix has a file of its own), on hosts of their own with DNS between them: mail in both
directions, byte for byte but for trace headers, over STARTTLS where the other one can."""
import re
import smtplib

import pytest

from harness import Golub, message, wait_for
from mtas import MTAS, USER, UTF8_USER
from network import Network
from readers import inbox

TRACE = re.compile(rb"^(Return-Path|Received|Delivered-To|X-Original-To):.*\n([ \t].*\n)*", re.M | re.I)
SECONDS = 90
BODIES = {
    "plain": b"coo\r\n",
    "dots": b".\r\n..\r\n.x\r\n",
    "eight bits": "Čačak, Ниш, 東京\r\n".encode() + b"\r\n",
    "empty": b"",
    "long lines": b"x" * 900 + b"\r\n" + b"y" * 900 + b"\r\n",
    "from": b"From here\r\n>From there\r\n",
    "30 MiB": b"".join(b"%07d " % i * 9 + b"\r\n" for i in range(425000)),
}


def without_trace(raw):
    head, body = raw.replace(b"\r\n", b"\n").split(b"\n\n", 1)
    return TRACE.sub(b"", head + b"\n") + b"\n" + body


@pytest.fixture(scope="module")
def network():
    network = Network("near", *MTAS)
    try:
        network.serve_dns("".join(f"{name} MX 10 mail.{name}\nmail.{name} A {network.address[name]}\n"
                                  f"six.{name} MX 10 mail6.{name}\nmail6.{name} AAAA {network.address6[name]}\n" for name in network.address))
        yield network
    finally:
        network.remove()


@pytest.fixture(scope="module")
def golub(network):
    golub = Golub(domain="near.test", hostname="mail.near.test", prefix=network.enter("near"),
                  config=f"[listen]\naddress = {network.address['near']} {network.address6['near']} 127.0.0.1\nport_base = 0\n[dns]\nserver = 10.77.0.1\n"
                         "[login]\nplain_on_loopback = yes\n[queue]\nretry = 2s\nretry_most = 2s\n")
    golub.base = 0
    golub.account("ana")
    golub.command("domain", "add", "six.near.test")
    golub.command("address", "add", "ana@six.near.test", "ana@near.test")
    golub.command("address", "add", "чича@near.test", "ana@near.test")
    with golub:
        yield golub


@pytest.fixture(scope="module", params=MTAS)
def mta(request, network):
    one = MTAS[request.param](network, request.param, f"{request.param}.test")
    yield one
    one.stop()


def same(mta, got, sent):
    """All of the messages, byte for byte but for trace headers, or what is left alone by one that rewrites headers."""
    def key(raw):
        raw = without_trace(raw)
        return raw if mta.is_faithful else (re.search(rb"^Message-ID: .*\n", raw, re.M | re.I)[0].lower(), raw.split(b"\n\n", 1)[1])
    return sorted(map(key, got)) == sorted(map(key, sent))


def letter(mta, way, body):
    head = message(f"{way} {mta.domain} {body}", "a@near.test", f"{USER}@{mta.domain}").encode().split(b"\r\n\r\n")[0]
    return head + b"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + BODIES[body]


def test_golub_to_the_other(network, golub, mta):
    with network.inside("near"), smtplib.SMTP("127.0.0.1", 587, "client.test", timeout=60) as s:
        s.login("ana@near.test", "secret password")
        for body in BODIES:
            s.sendmail("ana@near.test", [f"{USER}@{mta.domain}"], letter(mta, "to", body).replace(b"a@near", b"ana@near"), ["BODY=8BITMIME"])
    wait_for(f"{mta.domain} has all", lambda: len(mta.messages()) == len(BODIES), SECONDS, 0.2)
    assert same(mta, mta.messages(), [letter(mta, "to", body).replace(b"a@near", b"ana@near") for body in BODIES])
    if mta.takes_tls:
        assert all(b"ESMTPS" in m.upper() or b"TLSV1" in m.upper() for m in mta.messages()), "over STARTTLS"


def test_the_other_to_golub(network, golub, mta):
    with network.inside(mta.host), smtplib.SMTP(mta.address, 25, "client.test", timeout=60) as s:
        for body in BODIES:
            s.sendmail(f"{USER}@{mta.domain}", ["ana@near.test"], letter(mta, "from", body), ["BODY=8BITMIME"] if s.has_extn("8bitmime") else [])

    def look():
        with network.inside("near"):
            found = [m for m in inbox(golub, "ana") if f"Subject: from {mta.domain} ".encode() in m]
        return found if len(found) == len(BODIES) else None
    found = wait_for("golub has all", look, SECONDS, 0.5)
    assert same(mta, found, [letter(mta, "from", body) for body in BODIES])
    assert all(re.search(rb"with (ESMTPS|UTF8SMTPS) id", m) for m in found), "over STARTTLS"


def test_a_refusal_is_told_to_the_sender(network, golub, mta):
    """By golub at once, or by one that takes the message first and bounces it."""
    with network.inside("near"), smtplib.SMTP("127.0.0.1", 587, "client.test", timeout=60) as s:
        s.login("ana@near.test", "secret password")
        s.sendmail("ana@near.test", [f"stranger@{mta.domain}"], message("refused", "ana@near.test", f"stranger@{mta.domain}"))

    def look():
        with network.inside("near"):
            return next((m for m in inbox(golub, "ana") if b"multipart/report" in m and f"rfc822; stranger@{mta.domain}".encode() in m.lower()), None)
    report = wait_for("a report", look, SECONDS, 0.2)
    assert b"action: failed" in report.lower() and re.search(rb"\nStatus: 5\.\d\.\d+", report)


@pytest.fixture(scope="module")
def exim(network):
    one = MTAS["exim"](network, "exim", "exim.test")
    yield one
    one.stop()


def submit(network, sender, to, text, options=()):
    with network.inside("near"), smtplib.SMTP("127.0.0.1", 587, "client.test", timeout=60) as s:
        s.login("ana@near.test", "secret password")
        s.sendmail(sender, [to], text, options)


def hear(network, host, address, sender, to, text, options=()):
    with network.inside(host), smtplib.SMTP(address, 25, "client.test", timeout=60) as s:
        s.sendmail(sender, [to], text, options)


def has(network, golub, line):
    def look():
        with network.inside("near"):
            return next((m for m in inbox(golub, "ana") if line in m), None)
    return wait_for("golub has it", look, SECONDS, 0.2)


def test_hosts_that_have_ipv6_only(network, golub, exim):
    submit(network, "ana@near.test", f"{USER}@six.exim.test", message("over six", "ana@near.test", f"{USER}@six.exim.test"))
    got = wait_for("Exim has it", lambda: next((m for m in exim.messages() if b"Subject: over six" in m), None), SECONDS, 0.2)
    assert f"[{network.address6['near']}]".encode() in got
    hear(network, "exim", network.address6["exim"], f"{USER}@exim.test", "ana@six.near.test", message("back over six", f"{USER}@exim.test", "ana@six.near.test"))
    assert f"[{network.address6['exim']}]".encode() in has(network, golub, b"Subject: back over six").replace(b"IPv6:", b"")


def test_addresses_beyond_ascii(network, golub, exim):
    text = message("Писмо", "ana@near.test", f"{UTF8_USER}@exim.test")
    submit(network, "ana@near.test", f"{UTF8_USER}@exim.test", text.encode(), ["SMTPUTF8", "BODY=8BITMIME"])
    wait_for("Exim has it", lambda: any("Subject: Писмо".encode() in m for m in exim.messages()), SECONDS, 0.2)
    hear(network, "exim", exim.address, f"{UTF8_USER}@exim.test", "чича@near.test", message("Одговор", f"{UTF8_USER}@exim.test", "чича@near.test").encode(),
         ["SMTPUTF8", "BODY=8BITMIME"])
    got = has(network, golub, "Subject: Одговор".encode())
    assert b"with UTF8SMTPS" in got and f"Return-Path: <{UTF8_USER}@exim.test>".encode() in got


def test_prdr_as_exim_speaks_it(network, golub, exim):
    """Two recipients in one transaction: Exim asks for PRDR, reads 353 and a line for each, and its log says so."""
    golub.account("ben")
    with network.inside("exim"), smtplib.SMTP(exim.address, 25, "client.test", timeout=60) as s:
        s.sendmail(f"{USER}@exim.test", ["ana@near.test", "ben@near.test"], message("for two", f"{USER}@exim.test", "ana@near.test"))
    has(network, golub, b"Subject: for two")
    log = exim.folder / "logs/mainlog"

    def said():
        lines = [line for line in log.read_text().splitlines() if " PRDR " in line and "250 2.1.5 <" in line]
        return all(any(f" {who}@near.test " in line and f"250 2.1.5 <{who}@near.test> has it as" in line for line in lines)
                   for who in ("ana", "ben"))
    wait_for("Exim heard of each", said, SECONDS, 0.2)
