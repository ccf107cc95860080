"""POP3's extensions, with poplib and bare sockets."""
import base64
import poplib
import re
import smtplib
import socket
import subprocess
import time

import pytest

import peers
from harness import message

PASSWORD = "ana's password"


@pytest.fixture(scope="module")
def mailed(golub):
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=60) as s:
        for i in range(3):
            s.sendmail("sender@remote.test", ["ana@example.test"], message(f"pop {i}", "sender@remote.test", body=f".{i}\r\n.\r\n"))
    return golub


def dial(golub):
    p = poplib.POP3_SSL("localhost", golub.port("pop3s"), context=golub.tls(), timeout=60)
    return p


def test_capa_before_and_after_login(golub):
    p = dial(golub)
    before = p.capa()
    assert before["SASL"][-2:] == ["PLAIN", "LOGIN"] and "SCRAM-SHA-256-PLUS" in before["SASL"]
    p.user("branko@example.test")
    p.pass_("branko's password")
    after = p.capa()
    for caps in (before, after):
        assert caps["EXPIRE"] == ["NEVER"] and caps["UTF8"] == ["USER"] and "LOGIN-DELAY" not in caps
        assert {"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "LANG", "IMPLEMENTATION"} <= set(caps)
    assert "SASL" not in after and "USER" not in after and "STLS" not in after
    p.quit()


def test_a_whole_session_in_one_packet(mailed):
    plain = base64.b64encode(b"\0ana@example.test\0" + PASSWORD.encode()).decode()
    lines = ["CAPA", "UTF8", f"AUTH PLAIN {plain}", "STAT", "UIDL", "LIST", "RETR 1", "TOP 2 1", "RETR 3", "DELE 3", "RSET", "NOOP", "QUIT"]
    with socket.create_connection(("127.0.0.1", mailed.port("pop3")), 60) as s:
        s.sendall("".join(l + "\r\n" for l in lines).encode())
        said = b""
        while chunk := s.recv(65536):
            said += chunk
    assert said.count(b"+OK") == len(lines) + 1, said
    assert b"-ERR" not in said
    assert b"Subject: pop 0\r\n" in said and b"\r\n..0\r\n..\r\n.\r\n" in said
    assert said.endswith(b"+OK 0 messages deleted, goodbye\r\n")


def test_in_use_is_told(mailed):
    p = dial(mailed)
    p.user("ana@example.test")
    p.pass_(PASSWORD)
    q = dial(mailed)
    q.user("ana@example.test")
    with pytest.raises(poplib.error_proto, match=r"\[IN-USE\]"):
        q.pass_(PASSWORD)
    p.quit()


def test_names_and_passwords_in_utf8(golub):
    golub.account("željko", "лозинка")
    p = dial(golub)
    p.utf8()
    p.user("ŽELJKO@example.test")
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        p.pass_("lozinka")
    p.user("ŽELJKO@example.test")
    assert p.pass_("лозинка").startswith(b"+OK")
    p.quit()


def test_fetchmail_keeps_and_fetches_nothing_twice(mailed, tmp_path):
    rc = tmp_path / "fetchmailrc"
    rc.write_text(f'poll localhost service {mailed.port("pop3s")} protocol pop3 uidl\n'
                  f'  username "ana@example.test" password "{PASSWORD}"\n'
                  f'  ssl sslproto "auto" sslcertck sslcertfile "{mailed.ca}" keep mda "cat >>{tmp_path}/got"\n')
    rc.chmod(0o600)
    for expected in (3, 3):
        subprocess.run([peers.path("fetchmail"), "-f", str(rc), "-i", str(tmp_path / "ids"), "--nosyslog", "--pidfile", str(tmp_path / "pid")],
                       env=peers.environ(HOME=str(tmp_path)), capture_output=True, text=True, timeout=60)
        assert (tmp_path / "got").read_text().count("Subject: pop ") == expected


def test_policies(server):
    golub = server(config="[pop3]\nexpire = 30d\nlogin_delay = 4s\n[login]\nplain_on_loopback = yes\n")
    golub.account("ana", PASSWORD)
    with golub:
        p = dial(golub)
        caps = p.capa()
        assert caps["EXPIRE"] == ["30"] and caps["LOGIN-DELAY"] == ["4"]
        p.user("ana@example.test")
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            p.pass_("wrong")  # is not told that it is too early either
        p.user("ana@example.test")
        p.pass_(PASSWORD)
        came = time.monotonic()
        assert p.capa()["LOGIN-DELAY"] == ["4"]
        p.quit()
        q = dial(golub)
        q.user("ana@example.test")
        with pytest.raises(poplib.error_proto, match=r"\[LOGIN-DELAY\]") as e:
            q.pass_(PASSWORD)
        assert re.search(r"again in [1-4] seconds", str(e.value))
        time.sleep(max(0, came + 4.1 - time.monotonic()))
        q.user("ana@example.test")
        assert q.pass_(PASSWORD).startswith(b"+OK")
        q.quit()
