"""Bad input gets a clear protocol error, the server lives, and nothing is smuggled, invented or lost."""
import itertools
import re
import smtplib
import ssl

import pytest

from harness import message
from readers import inbox
from wire import Wire

SMUGGLED = b"MAIL FROM:<evil@remote.test>\r\nRCPT TO:<ana@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"


def alive(golub, name="ana"):
    """The server still takes and shows mail."""
    subject = f"alive {next(alive.count)}"
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=60) as s:
        s.sendmail("x@remote.test", [f"{name}@example.test"], message(subject))
    assert any(f"Subject: {subject}\r\n".encode() in m for m in inbox(golub, name))


alive.count = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def no_role_dies(golub):
    yield
    assert "role.died" not in golub.read_log()


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n",
                                 b"\r\r\n.\r\r\n", b"\r\n\0.\r\n", b"\0\n.\n"])
def test_nothing_but_crlf_dot_crlf_ends_a_message(golub, end):
    """https://www.postfix.org/smtp-smuggling.html: what follows a false end must not be taken for commands."""
    with Wire(golub.port("smtp")).hello() as w:
        w.start_data("ana@example.test")
        w.send(b"Subject: carrier\r\n\r\nbody" + end + SMUGGLED)
        code, text = w.reply()
        assert code == 550, (code, text)
        assert w.smtp("NOOP")[0] == 250, "one answer to one message"
    assert not any(b"evil@remote.test" in m or b"smuggled" in m for m in inbox(golub, "ana"))


def test_a_bare_line_end_in_a_command_is_refused(golub):
    for bad in (b"NOOP\n", b"NO\rOP\r\n", b"MAIL FROM:<a@b.test>\nRCPT TO:<ana@example.test>\r\n"):
        with Wire(golub.port("smtp")).hello() as w:
            code, text = w.smtp(bad)
            assert 500 <= code < 600 or code == 421, (bad, code, text)


def test_commands_sent_before_starttls_do_not_count_after_it(golub):
    for service in ("smtp", "submission"):
        with Wire(golub.port(service)).hello() as w:
            w.send(b"STARTTLS\r\nMAIL FROM:<injected@remote.test>\r\nRCPT TO:<ana@example.test>\r\n")
            code, _ = w.reply()
            if code != 220:
                continue  # refused altogether: as good
            context = golub.tls()
            try:
                w.socket = context.wrap_socket(w.socket, server_hostname="localhost")
            except (ssl.SSLError, OSError):
                continue  # the server closed
            w.buffer = b""
            code, text = w.smtp("RCPT TO:<ana@example.test>")
            assert code == 503, (code, text)
            assert w.smtp("DATA")[0] == 503


@pytest.mark.parametrize("service,command,ready", [("imap", b"a STARTTLS\r\n", b"a OK"), ("pop3", b"STLS\r\n", b"+OK")])
def test_commands_sent_before_starttls_do_not_count_after_it_when_reading(golub, service, command, ready):
    with Wire(golub.port(service)) as w:
        w.line()
        injected = b"x CAPABILITY\r\n" if service == "imap" else b"CAPA\r\n"
        w.send(command + injected)
        first = w.line()
        if not first.startswith(ready):
            return
        try:
            w.socket = golub.tls().wrap_socket(w.socket, server_hostname="localhost")
        except (ssl.SSLError, OSError):
            return
        w.buffer = b""
        w.send(b"y NOOP\r\n" if service == "imap" else b"QUIT\r\n")
        line = w.line()
        assert line.startswith(b"y OK") if service == "imap" else line.startswith(b"+OK"), line


@pytest.mark.parametrize("service", ["smtp", "submission", "imap", "pop3"])
def test_an_endless_line_is_bounded(golub, service):
    with Wire(golub.port(service)) as w:
        w.line()
        try:
            for _ in range(200):
                w.send(b"A" * 65536)
            w.send(b"\r\n")
            answer = w.line()
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        assert answer == b"" or re.match(rb"5\d\d|421|\* BAD|\* BYE|A+.* BAD|-ERR", answer), answer[:80]
    alive(golub)


@pytest.mark.parametrize("service", ["smtp", "imap", "pop3"])
def test_nul_and_noise_get_an_error(golub, service):
    noise = bytes(range(256)) * 4
    with Wire(golub.port(service)) as w:
        w.line()
        w.send(b"\0\0\0\r\n" + noise + b"\r\n")
        assert re.match(rb"5\d\d|421|\* BAD|\* BYE|\S+ BAD|-ERR", w.line())
    alive(golub)


@pytest.mark.parametrize("address", [
    "x@elsewhere.test", "x%elsewhere.test@example.test", '"x@elsewhere.test"@example.test', "@example.test:x@elsewhere.test",
    "elsewhere.test!x@example.test", "x@[127.0.0.1]", "x@[192.0.2.1]", "x@elsewhere.test@example.test", "x@EXAMPLE.test.elsewhere.test",
    "\"x@elsewhere.test\"", "x"])
def test_strangers_cannot_relay_in_any_form(golub, address):
    with Wire(golub.port("smtp")).hello() as w:
        assert w.smtp("MAIL FROM:<x@remote.test>")[0] == 250
        code, text = w.smtp(f"RCPT TO:<{address}>")
        assert 500 <= code < 600, (address, code, text)


def test_unknown_recipients_are_refused_at_rcpt(golub):
    with Wire(golub.port("smtp")).hello() as w:
        assert w.smtp("MAIL FROM:<x@remote.test>")[0] == 250
        code, text = w.smtp("RCPT TO:<nobody@example.test>")
        assert code == 550 and b"5.1.1" in text and b"nobody@example.test" in text
        for there in ("postmaster", "Postmaster@example.test", "ANA@Example.TEST", "ana+tag@example.test", '"ana"@example.test'):
            assert w.smtp(f"RCPT TO:<{there}>")[0] == 250, there


def test_a_hundred_thousand_recipients(golub):
    with Wire(golub.port("smtp")).hello() as w:
        assert w.smtp("MAIL FROM:<x@remote.test>")[0] == 250
        good = refused = 0
        for _ in range(1000):
            w.send(b"RCPT TO:<ana@example.test>\r\n" * 100)
            for _ in range(100):
                code, text = w.reply()
                if code == 250:
                    good += 1
                else:
                    assert code in (452, 421), (code, text)
                    refused += 1
                    if code == 421:
                        break
            if code == 421:
                break
        assert 100 <= good <= 1000 and refused >= 1
        if code != 421:
            assert w.smtp("DATA")[0] == 354
            assert w.smtp(message("many").encode() + b".\r\n")[0] == 250
    alive(golub)


def test_a_loop_ends(golub):
    hops = "".join(f"Received: from a by b; Tue, 24 Nov 2026 12:00:{i % 60:02} +0000\r\n" for i in range(60))
    with Wire(golub.port("smtp")).hello() as w:
        w.start_data("ana@example.test")
        w.send(hops + message("loop") + ".\r\n")
        code, text = w.reply()
        assert code == 554 and b"5.4.6" in text


def test_a_message_that_is_too_large_is_refused_and_the_session_goes_on(server):
    small = server(config="[smtp]\nmessage_size = 1m\n")
    small.account("ana", "ana's password")
    with small:
        with Wire(small.port("smtp")).hello() as w:
            w.start_data("ana@example.test")
            w.send(b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * 2000 + b".\r\n")
            code, text = w.reply()
            assert code == 552 and b"5.3.4" in text
            w.start_data("ana@example.test")
            assert w.smtp(message("small").encode() + b".\r\n")[0] == 250
        got = inbox(small, "ana")
        assert len(got) == 1 and b"Subject: small" in got[0]


def logged_in(golub):
    w = Wire(golub.port("imap"))
    w.line()
    assert w.imap('LOGIN ana@example.test "ana\'s password"')[-1].startswith(b"a OK")
    return w


def test_huge_literals(golub):
    with Wire(golub.port("imap")) as w:
        w.line()
        assert re.match(rb"a (NO|BAD)|\* BYE", w.imap("LOGIN {4000000000}")[-1] or b"* BYE")
    with logged_in(golub) as w:
        lines = w.imap("APPEND INBOX {4294967295}")
        assert re.match(rb"a (NO|BAD)", lines[-1]), lines
        assert w.imap("NOOP")[-1].startswith(b"a OK")
        lines = w.imap("APPEND INBOX {99999999999999999999999}")
        assert re.match(rb"a (NO|BAD)", lines[-1]), lines
        lines = w.imap("SEARCH SUBJECT {1000000000}")
        assert re.match(rb"a (NO|BAD)", lines[-1]), lines
    alive(golub)


def test_imap_survives_nonsense(golub):
    with logged_in(golub) as w:
        for bad in ("FETCH 1:* (BODY[1.2.3.4.5.6.7.8.9.10.11.99999999999.TEXT])", "FETCH 0 FLAGS", "SEARCH " + "(" * 5000,
                    "SEARCH " + "NOT " * 5000 + "ALL", "STORE 1 FLAGS (\\Nonsense", "LIST \"\" " + "*" * 1000,
                    "FETCH 1 BODY[HEADER.FIELDS ()]", "UID FETCH 1:4294967296 FLAGS", "CREATE \"a\0b\"", "FROB", "", "SELECT"):
            last = w.imap(bad, "t")[-1]
            assert re.match(rb"t (BAD|NO|OK)|\* BYE", last), (bad[:60], last)
            if last.startswith(b"* BYE"):
                break
    alive(golub)


def test_bad_commands_are_not_answered_for_ever(golub):
    for service in ("smtp", "imap", "pop3"):
        with Wire(golub.port(service)) as w:
            w.line()
            try:
                for _ in range(2000):
                    w.send(b"x frob\r\n")
                assert w.is_closed()
            except (BrokenPipeError, ConnectionResetError):
                pass
    alive(golub)


def test_many_connections_that_say_nothing(golub):
    quiet = [Wire(golub.port("smtp")) for _ in range(300)]
    try:
        alive(golub)
    finally:
        for w in quiet:
            w.socket.close()
