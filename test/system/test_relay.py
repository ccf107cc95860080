"""The ways out: LMTP to Dovecot over TCP and a unix socket, a smarthost with login (Exim), hosts with IPv6 alone, hosts of which an
address or a server is dead, and the address that mail is sent from."""
import contextlib
import smtplib
import socket
import time

import pytest

from harness import Golub, message, wait_for
from mtas import USER, Exim, Mta
from network import PREFIX6, Network, sh
from readers import inbox

SECRET = "a smarthost's password"
SECOND = "10.77.0.102"


class Dovecot(Mta):
    package = "dovecot-core"
    users = ["dovecot", "dovenull"]
    start = "exec dovecot -F -c $D/dovecot.conf"

    def configure(self):
        home = self.maildir.parent
        (self.folder / "users").write_text(f"{USER}::{self.ids[USER]}:{self.ids[USER]}::{home}\n")
        (self.folder / "dovecot.conf").write_text(f"""
protocols = lmtp
base_dir = /run/dovecot
log_path = /dev/stderr
ssl = yes
ssl_cert = <{self.folder}/cert.pem
ssl_key = <{self.folder}/key.pem
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {self.folder}/users
}}
service lmtp {{
  unix_listener {self.folder}/lmtp {{
    mode = 0600
  }}
  inet_listener lmtp {{
    address = {self.address}
    port = 24
  }}
}}
""")

    def serves(self):
        assert self.process.poll() is None, self.log()
        with self.network.inside(self.host), contextlib.suppress(OSError):
            with socket.create_connection((self.address, 24), 2) as s:
                return s.recv(100).startswith(b"220")


class Smarthost(Exim):
    """Takes mail for anything.test, for smart.test only from who logs in over TLS."""

    def configure(self):
        super().configure()
        conf = self.etc / "exim4/exim4.conf"
        conf.write_text(conf.read_text()
                        .replace("domainlist ours = ", "domainlist ours = *.test : ")
                        .replace("acl_smtp_rcpt = rcpt", "acl_smtp_rcpt = rcpt\nlog_selector = +incoming_interface")
                        .replace("rcpt:\n", "rcpt:\n  deny domains = smart.test\n       !authenticated = *\n       message = 5.7.1 who are you?\n")
                        + f"""
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{near}}}}{{eq{{$auth3}}{{{SECRET}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
""")


@pytest.fixture(scope="module")
def hosts():
    network = Network("near", "far", "store")
    servers = []
    try:
        sh("ip", "-n", network.space("near"), "address", "add", SECOND + "/24", "dev", "eth0")
        near, far, store = (network.address[h] for h in ("near", "far", "store"))
        network.serve_dns(f"""
near MX 10 mail.near
mail.near A {near}
mail.far A {far}
six MX 10 mail.six
mail.six AAAA {network.address6["far"]}
half MX 10 mail.half
mail.half AAAA {PREFIX6}99
mail.half A {far}
failover MX 10 gone.failover
failover MX 20 mail.far
gone.failover A 10.77.0.99
shy MX 10 mail.store
shy MX 20 mail.far
mail.store A {store}
""")
        servers = [Smarthost(network, "far", "far.test"), Dovecot(network, "store", "store.test")]
        golub = Golub(domain="near.test", hostname="mail.near.test", prefix=network.enter("near"),
                      config=f"[listen]\naddress = {near} 127.0.0.1\nport_base = 0\n[dns]\nserver = 10.77.0.1\n"
                             "[login]\nplain_on_loopback = yes\n[queue]\nretry = 2s\nretry_most = 2s\n"
                             f"[relay]\nlmtp_sockets = /nowhere {servers[1].folder}/lmtp\n")
        golub.base = 0
        golub.account("ana")
        with golub:
            yield network, golub, *servers
    finally:
        for server in servers:
            server.stop()
        network.remove()


def submit(network, to, subject, body="coo\r\n"):
    to = [to] if isinstance(to, str) else to
    raw = message(subject, "ana@near.test", to[0], body)
    with network.inside("near"), smtplib.SMTP("127.0.0.1", 587, "client.test", timeout=60) as s:
        s.login("ana@near.test", "secret password")
        s.sendmail("ana@near.test", to, raw)


def arrives(server, subject, seconds=30):
    line = f"Subject: {subject}\n".encode()
    return wait_for(f"{subject}: it is there", lambda: next((m for m in (m.replace(b"\r\n", b"\n") for m in server.messages()) if line in m), None), seconds, 0.05)


def test_dovecot_takes_lmtp_and_answers_for_each_recipient(hosts):
    network, golub, _, dovecot = hosts
    golub.command("route", "add", "store.test", "--host", dovecot.address, "--lmtp")
    submit(network, [f"{USER}@store.test", "nobody@store.test"], "by lmtp", ".\r\n..\r\nline\r\n")
    raw = arrives(dovecot, "by lmtp")
    assert raw.endswith(b"\n\n.\n..\nline\n") and b"Delivered-To: boris@store.test" in raw and b" with LMTPS\n" in raw

    def report():
        with network.inside("near"):
            return next((m for m in inbox(golub, "ana") if b"Final-Recipient: rfc822; nobody@store.test" in m), None)
    assert b"Status: 5.1.1" in wait_for("a report about nobody", report, 30, 0.2)


def test_dovecot_takes_lmtp_over_the_unix_socket_that_the_config_names(hosts):
    network, golub, _, dovecot = hosts
    golub.command("route", "add", "socket.test", "--host", f"{dovecot.folder}/lmtp", "--lmtp")
    submit(network, f"{USER}@socket.test", "by unix socket")
    assert b" with LMTP\n" in arrives(dovecot, "by unix socket"), "plain LMTP, on a wire of our own"
    golub.command("route", "add", "other.test", "--host", f"{golub.data}/other", "--lmtp")
    submit(network, f"{USER}@other.test", "not there")
    wait_for("it is not opened", lambda: "golub.conf does not name it in [relay] lmtp_sockets" in golub.read_log())


def test_a_smarthost_with_login(hosts):
    network, golub, exim, _ = hosts
    login = ["route", "add", "smart.test", "--host", "mail.far.test", "--tls", "encrypt", "--user", "near", "--password-stdin"]
    golub.command(*login, stdin="wrong\n")
    submit(network, f"{USER}@smart.test", "by login")
    wait_for("the login is refused", lambda: "4.7.8 mail.far.test" in golub.read_log())
    golub.command(*login, stdin=SECRET + "\n")  # what waits goes the new way
    raw = arrives(exim, "by login")
    assert b"with esmtpsa" in raw.lower() and "A=plain:near" in exim.log()
    assert SECRET not in golub.read_log()


def test_a_password_is_not_shown_to_a_host_that_proves_nothing(hosts):
    network, golub, exim, _ = hosts
    golub.command("route", "add", "shown.test", "--host", "mail.far.test", "--user", "near", "--password-stdin", stdin=SECRET + "\n")
    submit(network, f"{USER}@shown.test", "not shown")
    wait_for("the certificate is refused", lambda: any("relay.deferred" in line and "4.7.5 mail.far.test" in line
                                                       for line in golub.read_log().splitlines()))


def test_a_host_with_ipv6_alone(hosts):
    network, golub, exim, _ = hosts
    submit(network, f"{USER}@six.test", "by six")
    assert f"[{network.address6['near']}]".encode() in arrives(exim, "by six")


@pytest.mark.parametrize("domain", ["half", "failover", "shy"])
def test_what_is_dead_is_followed_by_what_is_not(hosts, domain):
    """half: its IPv6 address is dead. failover: its first MX is. shy: its first MX does not listen."""
    network, golub, exim, _ = hosts

    def seconds_to(domain, subject):
        began = time.monotonic()
        submit(network, f"{USER}@{domain}.test", subject)
        arrives(exim, subject)
        return time.monotonic() - began
    took = seconds_to(domain, f"past the dead {domain}")
    if domain == "half":
        usual = seconds_to("six", "what is not dead")  # on a machine as busy as this one
        assert took < usual + 2.5, "the other family has not waited for the kernel to give up"


def test_mail_is_sent_from_the_address_that_its_route_says(hosts):
    network, golub, exim, _ = hosts
    golub.command("route", "add", "source.test", "--host", "mail.far.test", "--source", SECOND)
    submit(network, f"{USER}@source.test", "from another")
    assert f"[{SECOND}]".encode() in arrives(exim, "from another")
