"""A golub server for one test: made by `golub init`, started on loopback high ports in a folder of its own.

Only the program's own commands and ports are used, as a user would use them.
"""
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("GOLUB", ROOT / "build-test" / "golub"))
START_SECONDS = 60  # a sanitizer build on a busy machine
DOMAIN = "example.test"

SERVICES = {"smtp": 25, "submission_alt": 26, "submission": 587, "submissions": 465,
            "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}


def free_port_base():
    """A base at which none of our ports is taken."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4  # who run side by side keep apart: a server may be down for a moment
    for _ in range(100):
        base = 10000 + 5000 * worker + random.randrange(4000)  # below what the kernel gives to clients
        with contextlib.ExitStack() as stack:
            try:
                for port in SERVICES.values():
                    s = stack.enter_context(socket.socket())
                    s.bind(("127.0.0.1", base + port))
                return base
            except OSError:
                continue
    raise RuntimeError("no free ports on 127.0.0.1")


def wait_for(what, condition, seconds=20, pause=0.02):
    """Polls until condition() is true and returns its value; fails with words otherwise."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(pause)


class Golub:
    def __init__(self, domain=DOMAIN, hostname="mail.example.test", config="", folder=None, prefix=(), environ=None,
                 program=PROGRAM, base=None, postgresql=None):
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="golub-test-"))
        self.data = self.folder / "data"
        self.conf = self.data / "golub.conf"
        self.log_path = self.folder / "log"
        self.domain = domain
        self.program = str(program)
        self.base = free_port_base() if base is None else base  # 0: the well-known ports, in a namespace of its own
        self.process = None
        self.prefix = list(prefix)  # ["ip", "netns", "exec", NAME]
        self.environ = dict(os.environ, **(environ or {}))
        self.passwords = {}
        self.golub("init", str(self.data), "--domain", domain, "--hostname", hostname,
                   *(["--port-base", str(self.base)] if self.base else []),
                   *(["--postgresql", postgresql] if postgresql else []))
        if config:
            with self.conf.open("a") as f:
                f.write("\n" + config)

    # --- commands ---
    def golub(self, *args, stdin="", check=True):
        run = subprocess.run(self.prefix + [self.program, *args], input=stdin, text=True, capture_output=True,
                             env=self.environ, timeout=120)
        if check and run.returncode != 0:
            raise AssertionError(f"golub {' '.join(args)}: exit {run.returncode}\n{run.stdout}{run.stderr}")
        return run

    def command(self, *args, **kw):
        return self.golub("-c", str(self.conf), *args, **kw)

    def account(self, name, password="secret password"):
        address = name if "@" in name else f"{name}@{self.domain}"
        self.command("account", "add", address, "--password-stdin", stdin=password + "\n")
        self.passwords[address] = password
        return address

    # --- life ---
    def start(self):
        self.log = open(self.log_path, "ab")
        at = self.log_path.stat().st_size
        self.process = subprocess.Popen(self.prefix + [self.program, "-c", str(self.conf), "serve"], stderr=self.log,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=self.environ,
                                        start_new_session=True)
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"golub serve ended with {self.process.returncode}:\n{self.read_log()[-4000:]}")
            return any(" ready " in line for line in self.read_log(at).splitlines())
        wait_for("ready", ready, START_SECONDS)
        return self

    def processes(self):
        """pid -> title, of the supervisor and all below it."""
        found = {}
        if not self.process:
            return found
        session = self.process.pid
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError):
                    if os.getsid(int(entry.name)) == session:
                        title = (entry / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode()
                        if title:
                            found[int(entry.name)] = title
        return found

    def kill(self):
        """SIGKILL to every process of this server, at once."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_for("all processes gone", lambda: not self.processes())
        self.process = None
        self.log.close()

    def stop(self, seconds=30):
        """SIGTERM; returns the exit code."""
        if not self.process:
            return 0
        os.kill(self.process.pid, signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            left = self.processes()
            self.kill()
            raise AssertionError(f"golub did not stop within {seconds} s; left: {left}\n{self.read_log()[-3000:]}")
        wait_for("all processes gone", lambda: not self.processes())
        self.process = None
        self.log.close()
        return code

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *rest):
        if self.process:
            if kind:
                self.kill()
            else:
                assert self.stop() == 0
        problems = [l for l in self.read_log().splitlines()
                    if "AddressSanitizer" in l or "runtime error:" in l or "LeakSanitizer" in l]
        if self.own_folder and not kind and not problems:
            shutil.rmtree(self.folder, ignore_errors=True)
        assert kind or not problems, "\n".join(problems) + f"\nsee {self.log_path}"

    def read_log(self, at=0):
        with open(self.log_path, "rb") as f:
            f.seek(at)
            return f.read().decode(errors="replace")

    # --- reaching it ---
    def port(self, service):
        return self.base + SERVICES[service]

    @property
    def ca(self):
        return str(self.data / "tls" / "ca.pem")

    def tls(self):
        return ssl.create_default_context(cafile=self.ca)


def message(subject="pigeon", sender="ana@example.test", to="branko@example.test", body="coo\r\n", extra=""):
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n"
            f"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{subject.replace(' ', '.')}@test>\r\n{extra}\r\n{body}")
