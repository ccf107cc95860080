"""What ./dev run does once golub is built: a server, a message that arrives, and words that are true."""
import contextlib
import imaplib
import os
import pathlib
import re
import signal
import ssl
import subprocess

import pytest

from harness import PROGRAM, ROOT, free_port_base, wait_for


@pytest.fixture
def demo(tmp_path):
    """Starts it; returns the process and what it printed."""
    running = []
    environ = dict(os.environ, GOLUB=str(PROGRAM), GOLUB_RUN=str(tmp_path / "run"), GOLUB_PORT_BASE=str(free_port_base()))

    def start():
        printed = tmp_path / f"printed-{len(running)}"
        with printed.open("w") as out:
            process = subprocess.Popen([ROOT / "test/demo/run"], env=environ, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        running.append(process)

        def whole_text():
            assert process.poll() is None, printed.read_text()
            return "Ctrl-C ends it" in printed.read_text()
        wait_for("it says how to connect", whole_text, 60)
        return process, printed.read_text()
    yield start
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def processes(group):
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(int(entry.name)) == group:
                found.append(int(entry.name))
    return found


def messages(text):
    """How many branko has, as a mail client sees it that was set up from the text."""
    port = int(re.search(r"IMAP +port (\d+) TLS", text).group(1))
    ca = re.search(r"CA certificate (\S+)", text).group(1)
    user, password = re.search(r"(branko@\S+) +password (\S+)", text).groups()
    with imaplib.IMAP4_SSL("localhost", port, ssl_context=ssl.create_default_context(cafile=ca), timeout=60) as m:
        m.login(user, password)
        return int(m.select()[1][0])


def test_a_message_arrives_and_ctrl_c_ends_it_and_the_next_run_goes_on(demo):
    for run in (1, 2):
        process, text = demo()
        assert "Subject: Hello from ./dev run" in text and "The pigeon has landed." in text
        assert messages(text) == run
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does at Ctrl-C
        assert process.wait(60) == 0
        wait_for("nobody is left", lambda: not processes(process.pid))


def test_a_taken_port_is_named(demo, tmp_path):
    process, text = demo()
    conf = tmp_path / "run/golub.conf"
    base = re.search(r"port_base = (\d+)", conf.read_text()).group(1)
    second = subprocess.run([ROOT / "test/demo/run"], env=dict(os.environ, GOLUB=str(PROGRAM), GOLUB_RUN=str(tmp_path / "second"),
                                                               GOLUB_PORT_BASE=base), capture_output=True, text=True, timeout=60)
    assert second.returncode == 1 and "cannot listen on 127.0.0.1 port" in second.stderr, second.stderr
