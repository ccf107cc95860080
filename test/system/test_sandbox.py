"""What each role cannot do: in the test build each in turn tries, inside its sandbox, to open a file, to connect, to exec,
and to open somebody else's mail. The kernel refuses, or ends it."""
import pathlib
import re
import smtplib
import socket

import pytest

from harness import Golub, message, wait_for

ROLES = ["gate", "smtp", "login", "directory", "keeper", "account", "dns", "queue", "relay", "trace", "pickup"]
OPENED_FILE, CONNECTED, EXECUTED, OPENED_OTHER = 1, 2, 4, 8
JOB = {"dns": CONNECTED, "relay": CONNECTED}


def attempts(golub, role):
    """What the role said that it managed, before it tried exec (which ends it) and after."""
    found = re.findall(rf" {role}\[\d+\] sandbox\.(?:executing|escaped) .*?worked=(\d+)", golub.read_log())
    return [int(n) for n in found]


def wake(golub, name):
    try:
        with smtplib.SMTP("127.0.0.1", golub.port("smtp"), timeout=20) as s:
            s.sendmail("x@remote.test", [f"{name}@example.test"], message("wake up"))
    except (OSError, smtplib.SMTPException):
        pass  # an account that dies of its attempt stores nothing


@pytest.mark.parametrize("role", ROLES)
def test_the_kernel_refuses(server, role):
    golub = server()
    for name in ("ana", "branko"):
        golub.account(name)
    golub.start()
    wake(golub, "ana")
    wake(golub, "branko")
    assert golub.stop() == 0
    folders = sorted((golub.data / "account").iterdir(), key=lambda f: int(f.name))
    assert len(folders) == 2, folders
    # For the account: branko's mail, when ana wakes. For the others: a mailbox, which none of them may read.
    other = folders[1] / "mail.db"
    assert other.exists()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        golub.environ |= {"GOLUB_ESCAPE": f"{listener.getsockname()[1]} {other}", "GOLUB_ESCAPE_ROLE": role}
        try:
            golub.start()
        except AssertionError:
            assert "start.failed" in golub.read_log(), "a role that exec ends before it is ready"
        if role == "account":
            wake(golub, "ana")
        worked = wait_for(f"{role} has tried", lambda: attempts(golub, role), 30)
    allowed = JOB.get(role, 0)
    if role == "keeper":
        allowed |= OPENED_OTHER  # the accounts that it forks inherit its folder, and narrow it to their own
    for got in worked:
        assert got & ~allowed == 0, f"{role}: 1 = /etc/passwd, 2 = connected, 4 = exec, 8 = another's mail: {got}"
    if golub.process and golub.process.poll() is None:
        golub.kill()


def test_every_process_is_confined(server):
    """As /proc tells it: seccomp filters on, no new privileges, no capabilities."""
    golub = server()
    golub.account("ana")
    golub.start()
    wake(golub, "ana")
    confined = 0
    for pid, title in golub.processes().items():
        if title == "golub: supervisor":
            continue
        status = dict(re.findall(r"^(\w+):\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", title
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, title
        confined += 1
    assert confined >= 9
    assert golub.stop() == 0
