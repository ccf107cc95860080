"""A full disk: a temporary refusal, a living server, and nothing acknowledged lost."""
import base64
import os
import smtplib
import subprocess

import pytest

from harness import Golub, message
from readers import inbox, login


def noise(n):
    """What compression does not help with."""
    return base64.encodebytes(os.urandom(n)).decode().replace("\n", "\r\n")


@pytest.fixture
def small_disk(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "golub-test", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_refuses_for_now_and_loses_nothing(small_disk):
    golub = Golub(folder=small_disk)
    golub.account("ana")
    golub.log_path = small_disk.parent / "disk-full-log"
    with golub:
        stored, refused = [], 0
        with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=120) as s:
            for i in range(200):
                try:
                    s.sendmail("x@remote.test", ["ana@example.test"], message(f"number {i}", body=noise(100000)))
                    stored.append(i)
                except smtplib.SMTPDataError as e:
                    assert e.smtp_code in (451, 452) and b"4.3" in e.smtp_error, e
                    refused += 1
                    if refused == 5:
                        break
        assert stored and refused == 5, (len(stored), refused)
        with login(golub, "ana") as m:
            m.select()
            kind, text = m.append("INBOX", None, None, message("append", body=noise(8000000)).encode())
            assert kind == "NO", text
            assert m.noop()[0] == "OK"
        subjects = {m.split(b"Subject: ")[1].split(b"\r\n")[0] for m in inbox(golub, "ana")}
        assert {f"number {i}".encode() for i in stored} <= subjects
        # Room again: mail flows.
        subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
        with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=60) as s:
            s.sendmail("x@remote.test", ["ana@example.test"], message("room again"))
        assert "role.died" not in golub.read_log()
