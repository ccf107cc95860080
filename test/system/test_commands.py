"""What an administrator types, with the server running and without."""
import re
import smtplib

import pytest

from harness import Golub, message, wait_for
from readers import login, wait_for_message
from wire import Wire


def test_init_prints_what_to_publish_and_refuses_to_overwrite(server):
    golub = server()
    again = golub.golub("init", str(golub.data), "--domain", "other.test", check=False)
    assert again.returncode == 1 and "golub.conf" in again.stdout + again.stderr
    fresh = golub.golub("init", str(golub.folder / "second"), "--domain", "other.test", "--hostname", "mx.other.test")
    for record in ("MX", "v=spf1", "v=DKIM1", "v=DMARC1"):
        assert record in fresh.stdout, record
    assert (golub.folder / "second" / "tls" / "ca.pem").read_text().startswith("-----BEGIN CERTIFICATE")


def test_usage_errors_exit_2_and_failures_1(server):
    golub = server()
    assert golub.golub("frobnicate", check=False).returncode == 2
    assert golub.command("account", "add", check=False).returncode == 2
    assert golub.command("account", "remove", "nobody@example.test", check=False).returncode == 1
    assert golub.command("account", "add", "ana@elsewhere.test", "--password-stdin", stdin="x\n", check=False).returncode == 1
    assert golub.golub("-c", "/nonexistent/golub.conf", "account", "list", check=False).returncode == 1
    helped = golub.golub("help")
    assert "account" in helped.stdout and "queue" in helped.stdout


def test_accounts_come_and_go_without_a_restart(golub):
    golub.account("vesna", "vesna's password")
    assert "vesna@example.test" in golub.command("account", "list").stdout
    twice = golub.command("account", "add", "vesna@example.test", "--password-stdin", stdin="x\n", check=False)
    assert twice.returncode == 1 and "vesna@example.test" in twice.stderr
    with login(golub, "vesna"):
        pass
    golub.command("account", "password", "vesna@example.test", "--password-stdin", stdin="a new one\n")
    with pytest.raises(Exception, match="AUTHENTICATIONFAILED|failed"):
        login(golub, "vesna")
    with login(golub, "vesna", "a new one"):
        pass
    golub.command("account", "remove", "vesna@example.test")
    with Wire(golub.port("smtp")).hello() as w:
        w.smtp("MAIL FROM:<>")
        assert w.smtp("RCPT TO:<vesna@example.test>")[0] == 550


def test_domains_and_addresses(golub):
    golub.command("domain", "add", "second.test")
    assert "second.test" in golub.command("domain", "list").stdout
    golub.command("address", "add", "all@second.test", "ana@example.test", "branko@example.test")
    listed = golub.command("address", "list").stdout
    assert "all@second.test" in listed and "branko@example.test" in listed
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), timeout=30) as s:
        s.sendmail("x@remote.test", ["ALL@second.test"], message("to all"))
    wait_for_message(golub, "ana", "to all")
    wait_for_message(golub, "branko", "to all")
    golub.command("address", "remove", "all@second.test")
    with Wire(golub.port("smtp")).hello() as w:
        w.smtp("MAIL FROM:<>")
        assert w.smtp("RCPT TO:<all@second.test>")[0] == 550


def test_check_finds_what_is_wrong(server):
    golub = server()
    good = golub.command("check", check=False)
    assert "certificate" in good.stdout.lower()
    with golub.conf.open("a") as f:
        f.write("[tls]\ncertificate = /nonexistent.pem\n")
    bad = golub.command("check", check=False)
    assert bad.returncode == 1 and "/nonexistent.pem" in bad.stdout + bad.stderr


@pytest.fixture
def waiting(server):
    """A server with mail that cannot leave: nothing listens where its route leads."""
    golub = server(config="[login]\nplain_on_loopback = yes\n[route gone.test]\nhost = 127.0.0.1\nport = 9\n"
                          "[queue]\nretry = 1h\nretry_most = 1h\n")
    golub.account("ana")
    golub.start()
    with smtplib.SMTP("127.0.0.1", golub.port("submission"), timeout=30) as s:
        s.login("ana@example.test", "secret password")
        s.sendmail("ana@example.test", ["x@gone.test"], message("waiting", to="x@gone.test"))
    return golub


def queue_id(golub):
    return wait_for("it is in the queue", lambda: re.search(r"^\s*(\d+)\b.*", golub.command("queue", "list").stdout, re.M)
                    and re.findall(r"^\s*(\d+)\b", golub.command("queue", "list").stdout, re.M)[0])


def test_the_queue_can_be_seen_and_retried_and_dropped(waiting):
    number = queue_id(waiting)
    shown = wait_for("an attempt was made", lambda: (s := waiting.command("queue", "show", number).stdout) and "refused" in s.lower() and s)
    assert "x@gone.test" in shown and "ana@example.test" in shown
    tries = waiting.read_log().count("relay.deferred")
    waiting.command("queue", "retry", number)
    wait_for("it is tried again", lambda: waiting.read_log().count("relay.deferred") > tries, 30, 0.2)
    waiting.command("queue", "drop", number)
    assert "x@gone.test" not in waiting.command("queue", "list").stdout
    assert waiting.command("queue", "show", number, check=False).returncode == 1
    assert waiting.command("queue", "show", "999999", check=False).returncode == 1


def test_the_queue_waits_through_a_restart(waiting):
    number = queue_id(waiting)
    waiting.kill()
    waiting.start()
    assert "x@gone.test" in waiting.command("queue", "show", number).stdout


def test_expired_mail_comes_back_to_its_sender(server):
    golub = server(config="[login]\nplain_on_loopback = yes\n[route gone.test]\nhost = 127.0.0.1\nport = 9\n"
                          "[queue]\nretry = 1s\nretry_most = 1s\nlifetime = 3s\n")
    golub.account("ana")
    with golub:
        with smtplib.SMTP("127.0.0.1", golub.port("submission"), timeout=30) as s:
            s.login("ana@example.test", "secret password")
            s.sendmail("ana@example.test", ["x@gone.test"], message("never arrives", to="x@gone.test"))
        with login(golub, "ana") as m:
            wait_for("the report", lambda: m.select()[1] != [b"0"], 40, 0.3)
            raw = m.fetch("1", "(BODY[])")[1][0][1]
    assert b"Final-Recipient: rfc822; x@gone.test" in raw and b"Action: failed" in raw and b"never arrives" in raw


def test_repeated_failures_make_one_address_wait_and_the_user_elsewhere_gets_in(server):
    golub = server(config="[listen]\naddress = 127.0.0.1 ::1\n[login]\nfailures = 3\n")
    golub.account("ana")
    with golub:
        def attempt(host, password):
            with Wire(golub.port("imap"), host) as w:
                w.line()
                w.send("s STARTTLS\r\n")
                assert w.line().startswith(b"s OK")
                w.socket, w.buffer = golub.tls().wrap_socket(w.socket, server_hostname="localhost"), b""
                return w.imap(f'LOGIN ana@example.test "{password}"')[-1]
        answers = [attempt("127.0.0.1", f"wrong {i}") for i in range(6)]  # the same one again counts once
        assert all(b" NO " in a for a in answers)
        assert b" NO " in attempt("127.0.0.1", "secret password"), "this address waits, whatever it says"
        assert b" OK" in attempt("::1", "secret password"), "the real user, elsewhere"
