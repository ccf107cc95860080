"""Addresses and routes: each kind by swaks, from a stranger and from a user, to mailboxes here and at another server, and
`golub route` saying the same beforehand."""
import re
import smtplib
import subprocess

import pytest

from harness import Golub, wait_for
from readers import inbox, wait_for_message


@pytest.fixture(scope="module")
def here():
    """A server, and another one whose domain is far.test; each sends the other's mail there."""
    config = "[login]\nplain_on_loopback = yes\n"
    here, there = Golub(config=config), Golub(domain="far.test", hostname="mail.far.test", config=config)
    for name in ("ana", "branko", "boss"):
        here.account(name, f"{name}'s password")
    for name in ("zoe", "guest"):
        there.account(name, f"{name}'s password")
    here.command("route", "add", "far.test", "--host", "127.0.0.1", "--port", str(there.port("smtp")))
    there.command("route", "add", "*", "--host", "127.0.0.1", "--port", str(here.port("smtp")))
    with here, there:
        here.there = there
        yield here


def swaks(golub, to, subject, sender="zoe@far.test", user=None, *more):
    login = ["--auth", "PLAIN", "--auth-user", f"{user}@example.test", "--auth-password", f"{user}'s password"] if user else []
    run = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(golub.port("smtp")), "--from", sender, "--to", to,
                          "--header", f"Subject: {subject}", *login, *more], capture_output=True, text=True, timeout=60)
    return run.returncode, run.stdout + run.stderr


def told(golub, address, sender="zoe@far.test"):
    return golub.command("route", address, "--from", sender, "--offline").stdout


def test_aliases_patterns_and_other_names_of_domains(here):
    here.command("domain", "add", "other.test", "--alias-of", "example.test")
    here.command("address", "add", "sales-*@example.test", "ana+$1@example.test")
    here.command("address", "add", r"/(branko|ana)\.[a-z]+/@example.test", "$1@example.test")
    for address, name, words in (("ana@other.test", "ana", "other.test is another name of example.test"),
                                 ("sales-north@other.test", "ana", "but sales-*@example.test fits"),
                                 ("Branko.Peric@example.test", "branko", "fits"),
                                 ("ana+tag@example.test", "ana", "with the tag tag")):
        text = told(here, address)
        assert words in text and f"{name}@example.test gets it in the mailbox of account" in text, text
        code, output = swaks(here, address, f"to {address}")
        assert code == 0, output
        wait_for_message(here, name, f"to {address}")
    assert "refused: 550 5.1.1" in told(here, "nobody@other.test")
    assert "550 5.1.1" in swaks(here, "nobody@other.test", "nobody")[1]


def test_groups_and_addresses_that_end(here):
    here.command("address", "add", "team@example.test", "ana@example.test", "branko@example.test", "--post", "members")
    for sender, user, may in (("zoe@far.test", None, False), ("boss@example.test", "boss", False), ("ana@example.test", "ana", True)):
        assert ("refused: 550 5.7.2" in told(here, "team@example.test", sender)) != may
        code, output = swaks(here, "team@example.test", f"team {sender}", sender, user)
        assert (code == 0) == may and ("550 5.7.2" in output) != may, output
    wait_for_message(here, "branko", "team ana@example.test")
    here.command("address", "add", "offer@example.test", "ana@example.test")
    here.command("address", "disable", "offer@example.test")
    assert "is disabled" in told(here, "offer@example.test") and "550 5.2.1" in swaks(here, "offer@example.test", "x")[1]
    here.command("address", "enable", "offer@example.test")
    here.command("address", "set", "offer@example.test", "--until", "2020-01-01")
    assert "has ended" in told(here, "offer@example.test") and "550 5.1.1" in swaks(here, "offer@example.test", "x")[1]
    assert "until 2020-01-02" in here.command("address", "list").stdout


def test_a_forward_passes_and_its_bounce_comes_back(here):
    here.command("account", "forward", "branko@example.test", "--to", "guest@far.test", "--keep")
    text = told(here, "branko@example.test")
    assert "the sender becomes SRS0=" in text and "guest@far.test goes to another server" in text and "127.0.0.1, port" in text, text
    assert swaks(here, "branko@example.test", "forwarded")[0] == 0
    wait_for_message(here, "branko", "forwarded")
    raw = wait_for_message(here.there, "guest", "forwarded")
    assert re.match(rb"Return-Path: <SRS0=[^=]+=[A-Z2-7]{2}=far\.test=zoe@example\.test>\r\n", raw), raw[:200]
    # the other server refuses: the report goes to our return address, and from there to zoe
    here.command("account", "forward", "branko@example.test", "--to", "nobody@far.test")
    assert swaks(here, "branko@example.test", "bounces")[0] == 0
    wait_for("the report at zoe's", lambda: any(b"nobody@far.test" in m and b"multipart/report" in m
                                               for m in inbox(here.there, "zoe")), 30)
    here.command("account", "forward", "branko@example.test", "--off")
    assert "stays here" in here.command("account", "forward", "branko@example.test").stdout
    forged = "SRS0=aaaaaa=2W=far.test=zoe@example.test"
    assert "not made here" in told(here, forged) and "550 5.1.1" in swaks(here, forged, "forged", "")[1]


def test_a_backup_takes_mail_for_those_it_knows(here):
    here.there.command("domain", "add", "friend.test")
    here.there.account("mira@friend.test", "mira's password")
    here.command("domain", "add", "friend.test", "--backup-mx", "--recipients", "mira@friend.test")
    here.command("route", "add", "friend.test", "--host", "127.0.0.1", "--port", str(here.there.port("smtp")))
    assert "backup MX" in told(here, "mira@friend.test")
    records = here.command("dns", "friend.test").stdout
    assert re.search(r"^friend\.test\. +MX +100 \S+\.$", records, re.M) and "mx: " in records and "TLSA" in records, records
    assert "_dmarc" not in records and "v=spf1" not in records and records in here.command("dns").stdout
    assert swaks(here, "mira@friend.test", "kept for mira", "stranger@elsewhere.test")[0] == 0
    raw = wait_for_message(here.there, "mira@friend.test", "kept for mira")
    assert raw.startswith(b"Return-Path: <stranger@elsewhere.test>\r\n")
    assert "550 5.1.1" in swaks(here, "nina@friend.test", "x", "stranger@elsewhere.test")[1]


def test_senders_rights_and_rewriting(here):
    def send(sender, author, to="boss@example.test", subject="x"):
        with smtplib.SMTP("127.0.0.1", here.port("smtp"), "client.test", timeout=30) as s:
            s.login("ana@example.test", "ana's password")
            s.sendmail(sender, [to], f"From: {author}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nx\r\n")
    with pytest.raises(smtplib.SMTPSenderRefused):
        send("boss@example.test", "boss@example.test")
    here.command("account", "send-as", "ana@example.test", "--add", "boss@example.test", "--on-behalf")
    assert "on behalf of boss@example.test" in here.command("account", "send-as", "ana@example.test").stdout
    send("boss@example.test", "Boss <boss@example.test>", subject="on behalf")
    raw = wait_for_message(here, "boss", "on behalf")
    assert b"\r\nSender: <ana@example.test>\r\n" in raw and b"\r\nFrom: Boss <boss@example.test>\r\n" in raw
    here.command("rewrite", "add", "sender", "ana@example.test", "a.lee@example.test")
    here.command("rewrite", "add", "recipient", "@old.test", "@example.test")
    send("ana@example.test", '"ana@example.test" <ana@example.test>', "boss@old.test", "rewritten")
    raw = wait_for_message(here, "boss", "rewritten")
    assert raw.startswith(b"Return-Path: <a.lee@example.test>\r\n"), raw[:100]
    assert b'\r\nFrom: "ana@example.test" <a.lee@example.test>\r\nTo: boss@example.test\r\n' in raw
    here.command("rewrite", "remove", "sender", "ana@example.test")


def test_routes_are_told_and_logins_are_not(here):
    here.command("route", "add", "*", "--from", "@example.test", "--host", "smarthost.test", "--port", "587", "--tls", "verify",
                 "--user", "me", "--password-stdin", stdin="a secret\n")
    listed = here.command("route", "list").stdout
    assert "smarthost.test, port 587, logged in as me, tls verify" in listed and "a secret" not in listed
    text = told(here, "x@elsewhere.test", "ana@example.test")
    assert "smarthost.test, port 587" in text and "route * for mail from @example.test" in text and "secret" not in text
    assert "the MX of elsewhere.test" in told(here, "x@elsewhere.test")
    here.command("route", "remove", "*", "--from", "@example.test")
    assert here.command("route", "remove", "*", "--from", "@example.test", check=False).returncode == 1
    assert here.command("route", "add", "*", "--tls", "strong", check=False).returncode == 2


def test_a_file_of_aliases_is_taken_over(here, tmp_path):
    aliases = tmp_path / "aliases"
    aliases.write_text("# as Debian has it\npostmaster: root\nroot: ana\nstaff: ana,\n  zoe@far.test\nauto: |/usr/bin/prog\n")
    done = here.command("address", "import", str(aliases), "--domain", "example.test", check=False)
    assert done.returncode == 1 and "3 addresses" in done.stdout
    assert f"{aliases}:6: auto is left out: mail is not given to a program here (|/usr/bin/prog)" in done.stderr
    listed = here.command("address", "list").stdout
    assert "staff@example.test" in listed and "zoe@far.test" in listed and "auto@" not in listed
    assert "ana@example.test" in told(here, "postmaster@example.test")
