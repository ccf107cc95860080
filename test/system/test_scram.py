"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS over TLS: GNU SASL's client, mutt (with Cyrus SASL), and one of our own that
binds to what GNU SASL does not."""
import base64
import hashlib
import hmac
import os
import re
import socket
import sqlite3
import ssl
import subprocess

import pytest

from readers import login

USER, PASSWORD = "ana@example.test", "ana's password"


def gsasl(golub, service, mechanism, password):
    kind = "--smtp" if service == "submission" else "--imap"
    binding = [] if mechanism.endswith("PLUS") else ["--no-cb"]
    run = subprocess.run(["gsasl", kind, "--connect", f"localhost:{golub.port(service)}", "--starttls", "--verbose",
                          f"--x509-ca-file={golub.ca}", "--mechanism", mechanism, *binding, "-a", USER, "-p", password],
                         capture_output=True, text=True, input="", timeout=60)
    return run.stdout + run.stderr


@pytest.mark.parametrize("service", ["imap", "submission"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_gnu_sasl_logs_in_and_trusts_the_server(golub, service, mechanism):
    said = gsasl(golub, service, mechanism, PASSWORD)
    assert "Client authentication finished (server trusted)" in said, said
    assert re.search(r"^\. OK .*Logged in|^235 2\.7\.0", said, re.M), said
    if mechanism.endswith("PLUS"):
        assert "cD10bHMtZXhwb3J0ZXIs" in said, said  # p=tls-exporter,
    said = gsasl(golub, service, mechanism, "not hers")
    assert re.search(r"^\. NO \[AUTHENTICATIONFAILED\]|^535 5\.7\.8", said, re.M), said
    assert "server trusted" not in said


def test_mutt_logs_in(golub, tmp_path):
    """Cyrus SASL's client, which takes no more iterations than it likes. It may try nothing else."""
    rc = tmp_path / "muttrc"
    rc.write_text(f'''
set folder = "imaps://localhost:{golub.port('imaps')}/"
set spoolfile = "+INBOX"
set imap_user = "{USER}"
set imap_pass = "{PASSWORD}"
set imap_authenticators = "scram-sha-256"
set certificate_file = "{golub.ca}"
set ssl_force_tls = yes
set ssl_usesystemcerts = no
set quit = yes
''')
    def logins():
        return [l for l in golub.read_log().splitlines() if "login.success" in l and f"user={USER}" in l]

    before = len(logins())
    run = subprocess.run(["script", "-qec", f"mutt -n -F {rc} -e \"push '<quit>'\"", "/dev/null"],
                         env=dict(os.environ, HOME=str(tmp_path), LC_ALL="C.UTF-8", TERM="xterm"), capture_output=True,
                         timeout=60, stdin=subprocess.DEVNULL)
    assert len(logins()) == before + 1, run.stdout[-2000:]


class Scram:
    """The client's side of RFC 5802, with whatever a hostile or broken client might say instead."""

    def __init__(self, password=PASSWORD, user=USER, flag="n", binding=b""):
        self.password, self.flag, self.binding = password, flag, binding
        self.bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={base64.b64encode(os.urandom(18)).decode()}"

    def first(self):
        return f"{self.flag},,{self.bare}"

    def final(self, challenge):
        fields = dict(f.split("=", 1) for f in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        without = f"c={base64.b64encode(f'{self.flag},,'.encode() + self.binding).decode()},r={fields['r']}"
        auth = f"{self.bare},{challenge},{without}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), auth, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        self.expected = "v=" + base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), auth, "sha256")).decode()
        return f"{without},p={proof}"


class Wire:
    def __init__(self, golub, service="imaps", version=None):
        context = golub.tls()
        if version:
            context.maximum_version = version
        self.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", golub.port(service)), 60), server_hostname="localhost")
        self.file = self.sock.makefile("rwb")
        self.service, self.greeting = service, self.file.readline().decode()

    def unique(self):
        return self.sock.get_channel_binding("tls-unique")

    def end_point(self):
        return hashlib.sha256(self.sock.getpeercert(binary_form=True)).digest()

    def say(self, line):
        self.file.write(line.encode() + b"\r\n")
        self.file.flush()
        return self.file.readline().decode().rstrip("\r\n")

    def challenge(self, line):
        assert line.startswith("+ "), line
        return base64.b64decode(line[2:]).decode()

    def authenticate(self, scram, mechanism="SCRAM-SHA-256"):
        """The last line that the server says."""
        coded = base64.b64encode(scram.first().encode()).decode()
        word = "a AUTHENTICATE" if self.service == "imaps" else "AUTH"
        line = self.say(f"{word} {mechanism} {coded}")
        if not line.startswith("+ "):
            return line
        line = self.say(base64.b64encode(scram.final(self.challenge(line)).encode()).decode())
        if not line.startswith("+ "):
            return line
        assert self.challenge(line) == scram.expected
        return self.say("")


def test_pop3_and_imap_with_and_without_binding(golub):
    for service, good in (("imaps", "a OK"), ("pop3s", "+OK")):
        wire = Wire(golub, service)
        if service == "imaps":
            assert "AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 AUTH=PLAIN" in wire.greeting
        assert wire.authenticate(Scram()).startswith(good)
        wire = Wire(golub, service)
        bound = Scram(flag="p=tls-server-end-point", binding=wire.end_point())
        assert wire.authenticate(bound, "SCRAM-SHA-256-PLUS").startswith(good)
        wire = Wire(golub, service, ssl.TLSVersion.TLSv1_2)
        bound = Scram(flag="p=tls-unique", binding=wire.unique())
        assert wire.authenticate(bound, "SCRAM-SHA-256-PLUS").startswith(good)


def test_a_man_in_the_middle_gets_nowhere(golub):
    wire = Wire(golub)
    refused = "a NO [AUTHENTICATIONFAILED]"
    assert wire.authenticate(Scram(flag="p=tls-exporter", binding=bytes(32)), "SCRAM-SHA-256-PLUS").startswith(refused)
    assert wire.authenticate(Scram(flag="p=tls-unique", binding=bytes(12)), "SCRAM-SHA-256-PLUS").startswith(refused)  # TLS 1.3
    # He took -PLUS out of the list: the client says that it would have bound.
    assert wire.authenticate(Scram(flag="y")).startswith(refused)
    assert "channel binding" in golub.read_log()


def test_a_signature_that_the_client_rejects_is_no_login(golub):
    wire = Wire(golub)
    scram = Scram()
    line = wire.say("a AUTHENTICATE SCRAM-SHA-256 " + base64.b64encode(scram.first().encode()).decode())
    line = wire.say(base64.b64encode(scram.final(wire.challenge(line)).encode()).decode())
    assert line.startswith("+ ")
    assert wire.say("*").startswith("a BAD")
    assert wire.say("b SELECT INBOX").startswith("b BAD")


def test_an_account_from_before_gets_its_verifier_by_plain(golub):
    golub.account("old", "old's password")
    golub.account("Čedomir", "šifra")
    with sqlite3.connect(golub.data / "directory" / "directory.db") as db:
        assert db.execute("UPDATE account SET scram = '' WHERE address = 'old@example.test'").rowcount == 1
    db.close()
    old = dict(user="old@example.test", password="old's password")
    assert Wire(golub).authenticate(Scram(**old)).startswith("a NO")
    login(golub, "old@example.test", "old's password").logout()
    assert Wire(golub).authenticate(Scram(**old)).startswith("a OK")
    golub.command("account", "password", "old@example.test", "--password-stdin", stdin="another\n")
    assert Wire(golub).authenticate(Scram(**old)).startswith("a NO")
    assert Wire(golub).authenticate(Scram(**dict(old, password="another"))).startswith("a OK")
    assert Wire(golub).authenticate(Scram(user="čedomir@example.test", password="šifra")).startswith("a OK")
