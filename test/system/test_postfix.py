"""golub and Postfix on two hosts with DNS between them: mail in both directions, over STARTTLS, byte for byte but for
trace headers."""
import re
import smtplib

import pytest

from harness import Golub, message, wait_for
from network import Network, Postfix
from readers import inbox

TRACE = re.compile(rb"^(Return-Path|Received|Delivered-To|X-Original-To):.*\r?\n([ \t].*\r?\n)*", re.M)


def without_trace(raw):
    head, body = raw.replace(b"\r\n", b"\n").split(b"\n\n", 1)
    return TRACE.sub(b"", head + b"\n") + b"\n" + body


@pytest.fixture(scope="module")
def hosts():
    network = Network("near", "far", "dead")
    try:
        near, far = network.address["near"], network.address["far"]
        network.serve_dns(f"""
near MX 10 mail.near
mail.near A {near}
far MX 20 mail.far
far MX 10 dead.far
mail.far A {far}
dead.far A {network.address["dead"]}
implicit A {far}
null MX 0 .
""")
        postfix = Postfix(network, "far", "far.test", ["boris"], f"transport_maps = inline:{{ lists.near.test=lmtp:inet:[{near}]:24 }}\n")
        golub = Golub(domain="near.test", hostname="mail.near.test", prefix=network.enter("near"),
                      config=f"[listen]\naddress = {near} 127.0.0.1\nport_base = 0\nlmtp = {near}@24\n[dns]\nserver = 10.77.0.1\n"
                             "[login]\nplain_on_loopback = yes\n[queue]\nretry = 2s\nretry_most = 2s\n")
        golub.base = 0
        golub.account("ana")
        golub.command("domain", "add", "lists.near.test")
        golub.command("address", "add", "all@lists.near.test", "ana@near.test")
        with golub:
            yield network, golub, postfix
        postfix.stop()
    finally:
        network.remove()


BODIES = {
    "plain": b"coo\r\n",
    "dots": b".\r\n..\r\n.x\r\n",
    "eight bits": "Čačak, Ниш, 東京\r\n".encode() + b"\r\n",
    "empty": b"",
    "long lines": b"x" * 900 + b"\r\n" + b"y" * 900 + b"\r\n",
    "large": b"".join(b"%07d " % i * 9 + b"\r\n" for i in range(60000)),
}


@pytest.mark.parametrize("body", BODIES)
def test_golub_to_postfix(hosts, body):
    network, golub, postfix = hosts
    raw = message(f"to postfix {body}", "ana@near.test", "boris@far.test").encode().split(b"\r\n\r\n")[0] + b"\r\n\r\n" + BODIES[body]
    with network.inside("near"), smtplib.SMTP("127.0.0.1", 587, "client.test", timeout=60) as s:
        s.login("ana@near.test", "secret password")
        s.sendmail("ana@near.test", ["boris@far.test"], raw, ["BODY=8BITMIME"])
    line = f"Subject: to postfix {body}\n".encode()
    got = wait_for("Postfix has it", lambda: next((m for m in postfix.messages("boris") if line in m), None), 60, 0.1)
    assert without_trace(got) == without_trace(raw)
    assert b"(using TLSv1.3" in got, "over STARTTLS"
    assert got.count(b"\nReceived: ") + got.startswith(b"Received: ") == 2, "a trace header a hop"


@pytest.mark.parametrize("body", BODIES)
def test_postfix_to_golub(hosts, body):
    network, golub, postfix = hosts
    raw = message(f"to golub {body}", "boris@far.test", "ana@near.test").encode().split(b"\r\n\r\n")[0] + b"\r\n\r\n" + BODIES[body]
    with network.inside("far"), smtplib.SMTP(network.address["far"], 25, "client.test", timeout=60) as s:
        s.sendmail("boris@far.test", ["ana@near.test"], raw, ["BODY=8BITMIME"])
    line = f"Subject: to golub {body}\r\n".encode()

    def look():
        with network.inside("near"):
            return next((m for m in inbox(golub, "ana") if line in m), None)
    got = wait_for("golub has it", look, 60, 0.2)
    assert without_trace(got) == without_trace(raw)
    assert b"with ESMTPS id" in got, "over STARTTLS"
    assert got.count(b"\r\nReceived: ") == 2


def submit(network, to, subject):
    with network.inside("near"), smtplib.SMTP("127.0.0.1", 587, "client.test", timeout=60) as s:
        s.login("ana@near.test", "secret password")
        s.sendmail("ana@near.test", [to], message(subject, "ana@near.test", to))


def report(network, golub, to, seconds=60):
    """The non-delivery report about that recipient."""
    def look():
        with network.inside("near"):
            return next((m for m in inbox(golub, "ana") if b"multipart/report" in m and f"Final-Recipient: rfc822; {to}".lower().encode() in m.lower()), None)
    return wait_for(f"a report about {to}", look, seconds, 0.2)


@pytest.mark.parametrize("to,status,words", [
    ("nobody@far.test", b"5.1.1", b"nobody@far.test"),
    ("x@null.test", b"5.1.10", b"null.test"),
    ("x@nowhere.test", b"5.1.2", b"nowhere.test"),
])
def test_a_failure_is_told_to_the_sender_in_words_and_in_rfc3464(hosts, to, status, words):
    network, golub, postfix = hosts
    submit(network, to, f"fails {status.decode()}")
    raw = report(network, golub, to)
    assert b"Return-Path: <>" in raw and b"Action: failed" in raw and b"message/delivery-status" in raw
    assert b"Status: " + status in raw and words in raw and b"fails " + status in raw


def test_the_first_mx_being_down_the_second_gets_it(hosts):
    _, _, postfix = hosts
    assert any(b"to postfix plain" in m for m in postfix.messages("boris")), "dead.far.test has the better preference"


def test_a_host_without_mx_gets_it_by_its_address(hosts):
    """RFC 5321 section 5.1: the implicit MX. Postfix refuses the domain, in its own words."""
    network, golub, _ = hosts
    submit(network, "x@implicit.test", "implicit")
    assert b"Remote-MTA: dns; implicit.test" in report(network, golub, "x@implicit.test")


def test_postfix_delivers_by_lmtp(hosts):
    """One of two recipients is nobody: each has an answer of its own."""
    network, golub, postfix = hosts
    with network.inside("far"), smtplib.SMTP(network.address["far"], 25, "client.test", timeout=60) as s:
        s.sendmail("boris@far.test", ["all@lists.near.test", "nobody@lists.near.test"], message("by lmtp", "boris@far.test", "all@lists.near.test"))

    def look():
        with network.inside("near"):
            return next((m for m in inbox(golub, "ana") if b"Subject: by lmtp\r\n" in m), None)
    assert b"with LMTP" in wait_for("golub has it", look, 60, 0.2)
    bounce = wait_for("Postfix tells its user", lambda: next((m for m in postfix.messages("boris") if b"nobody@lists.near.test" in m), None), 60, 0.2)
    assert b"5.1.1" in bounce and b"all@lists.near.test" not in bounce.split(b"message/rfc822")[0].split(b"Reporting-MTA")[1]
