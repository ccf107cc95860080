"""Submission, as mail clients do it: on 587, 26 (STARTTLS) and 465 (TLS), with programs that others wrote."""
import re
import smtplib
import subprocess

import pytest

from harness import message
from readers import inbox, wait_for_message

PASSWORD = {"ana": "ana's password", "branko": "branko's password"}


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("service", ["submission", "submission_alt", "submissions"])
def test_swaks_sends_with_each_mechanism_on_each_port(golub, service, mechanism):
    subject = f"swaks {service} {mechanism}"
    run = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(golub.port(service)), "--from", "ana@example.test",
         "--to", "branko@example.test", "--auth", mechanism, "--auth-user", "ana@example.test",
         "--auth-password", PASSWORD["ana"], "--header", f"Subject: {subject}",
         "--tls-on-connect" if service == "submissions" else "--tls", "--tls-verify", "--tls-ca-path", golub.ca,
         "--tls-sni", "localhost"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    raw = wait_for_message(golub, "branko", subject)
    received = re.search(rb"^Received: from .*?(?=^\S)", raw, re.M | re.S).group(0)
    assert b"with ESMTPSA" in received and b"for <branko@example.test>" in received and b"TLS" in received, received
    assert raw.startswith(b"Return-Path: <ana@example.test>\r\n"), raw[:200]


def test_curl_sends_with_tls(golub):
    run = subprocess.run(
        ["curl", "-sS", "--cacert", golub.ca, "--url", f"smtps://localhost:{golub.port('submissions')}",
         "--user", f"ana@example.test:{PASSWORD['ana']}", "--mail-from", "ana@example.test",
         "--mail-rcpt", "branko@example.test", "--upload-file", "-"],
        input=message("from curl").encode(), capture_output=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert b"coo\r\n" in wait_for_message(golub, "branko", "from curl")


def submit(golub, user="ana"):
    s = smtplib.SMTP("127.0.0.1", golub.port("submission"), "client.test", timeout=30)
    s._host = "localhost"
    s.starttls(context=golub.tls())
    s.login(f"{user}@example.test", PASSWORD[user])
    return s


def test_missing_date_and_message_id_are_added_and_bcc_is_removed(golub):
    with submit(golub) as s:
        s.sendmail("ana@example.test", ["branko@example.test"],
                   "From: ana@example.test\r\nBcc: secret@example.test,\r\n hidden@example.test\r\nTo: x@example.test\r\n"
                   "Subject: bare bones\r\n\r\nbody\r\n")
    raw = wait_for_message(golub, "branko", "bare bones")
    header = raw.split(b"\r\n\r\n")[0]
    assert re.search(rb"^Date: \w{3}, ", header, re.M) and re.search(rb"^Message-ID: <[^>]+@mail\.example\.test>", header, re.M | re.I)
    assert b"secret" not in raw and b"hidden" not in raw
    assert b"\r\nTo: x@example.test\r\n" in raw and raw.endswith(b"\r\n\r\nbody\r\n")


def test_a_sender_that_is_not_theirs_is_refused(golub):
    with submit(golub) as s:
        code, text = s.mail("branko@example.test")
        if code == 250:
            code, text = s.rcpt("ana@example.test")
        assert code in (550, 553) and b"5.7.1" in text and b"branko@example.test" in text, (code, text)
        s.rset()
        assert s.mail("ana+tag@example.test")[0] == 250


def test_no_mail_before_authentication_and_no_authentication_before_tls(golub):
    with smtplib.SMTP("127.0.0.1", golub.port("submission"), "client.test", timeout=30) as s:
        s.ehlo()
        assert s.mail("ana@example.test")[0] == 530
        s._host = "localhost"
        s.starttls(context=golub.tls())
        s.ehlo()
        assert s.has_extn("auth") and "PLAIN" in s.esmtp_features["auth"] and "LOGIN" in s.esmtp_features["auth"]
        assert s.mail("ana@example.test")[0] == 530


def test_no_password_without_tls_unless_the_config_allows_it(server):
    strict = server()
    strict.account("ana", PASSWORD["ana"])
    with strict:
        for service in ("submission", "smtp"):
            with smtplib.SMTP("127.0.0.1", strict.port(service), "client.test", timeout=30) as s:
                s.ehlo()
                assert not s.has_extn("auth")
                code, text = s.docmd("AUTH PLAIN AGFuYUBleGFtcGxlLnRlc3QAYW5hJ3MgcGFzc3dvcmQ=")
                assert code in (503, 504, 530, 538), (code, text)


@pytest.mark.parametrize("answer", ["wrong password", ""])
def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(golub, answer):
    answers = []
    for user in ("ana@example.test", "nobody@example.test"):
        with smtplib.SMTP_SSL("localhost", golub.port("submissions"), context=golub.tls(), timeout=60) as s:
            with pytest.raises(smtplib.SMTPAuthenticationError) as e:
                s.login(user, answer)
            answers.append((e.value.smtp_code, e.value.smtp_error))
    assert answers[0] == answers[1] and answers[0][0] == 535, answers


def test_one_message_to_several_people_and_an_alias(golub):
    golub.command("address", "add", "team@example.test", "ana@example.test", "branko@example.test")
    with submit(golub) as s:
        refused = s.sendmail("ana@example.test", ["team@example.test", "ana@example.test"], message("to the team"))
        assert refused == {}
    for name in ("ana", "branko"):
        wait_for_message(golub, name, "to the team")
    assert sum(b"Subject: to the team\r\n" in m for m in inbox(golub, "ana")) == 1, "one copy each"


def test_pipelining_8bitmime_size_are_announced_and_size_is_kept(golub):
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "client.test", timeout=30) as s:
        s.ehlo()
        for extension in ("pipelining", "8bitmime", "size", "enhancedstatuscodes", "starttls"):
            assert s.has_extn(extension), extension
        limit = int(s.esmtp_features["size"])
        code, text = s.docmd(f"MAIL FROM:<x@remote.test> SIZE={limit + 1}")
        assert code == 552 and b"5.3.4" in text


def test_8bit_and_long_lines_and_dots_come_through_byte_for_byte(golub):
    body = (b".\r\n..\r\n. dot\r\n" + "Čačak и Ниш\r\n".encode() + b"\xff\xfe\x01\x7f\r\n" + b"x" * 20000 + b"\r\n\r\n.\r\n")
    raw_message = message("bytes").encode() + body
    with submit(golub) as s:
        s.sendmail("ana@example.test", ["branko@example.test"], raw_message)
    assert wait_for_message(golub, "branko", "bytes").endswith(raw_message.split(b"\r\n\r\n", 1)[1])
