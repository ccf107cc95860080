#!/usr/bin/env python3
"""A PostgreSQL server for tests: Debian's 15, unpacked by ./dev deps or installed, in a temporary folder, on a unix socket.

  test/postgresql.py COMMAND...      runs it with GOLUB_TEST_POSTGRESQL, a conninfo to which dbname= may be added

It refuses to run as root, so then it runs as nobody. fsync is off: a test kills processes, not the machine; commits are
waited for as ever (synchronous_commit).
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parents[1]
PEERS = HERE / "build-peers/root"
TAKES = ["usr/lib/postgresql/15", "usr/share/postgresql/15"]  # of it, with the libraries
START_SECONDS = 60
SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "max_connections": "200", "shared_buffers": "64MB",
            "autovacuum_naptime": "5s", "log_min_messages": "warning", "timezone": "UTC", "max_wal_size": "512MB",
            "dynamic_shared_memory_type": "mmap"}


def is_closed(folder):
    """Whether user nobody cannot get there: a checkout may lie below a folder of root's alone."""
    return any(not parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents])


class PostgreSQL:
    def __init__(self, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="golub-pg-", dir="/tmp"))  # a socket's path is short
        self.data, self.log_path = self.folder / "data", self.folder / "log"
        self.settings = SETTINGS | settings
        self.process = None
        self.who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self.root = self.find_programs()
        libraries = ":".join(str(f) for f in self.root.glob("usr/lib/*-linux-gnu")) if self.root != pathlib.Path("/") else ""
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        self.environ |= {"LC_ALL": "C.UTF-8", "HOME": str(self.folder)} | ({"LD_LIBRARY_PATH": libraries} if libraries else {})
        if self.who:
            shutil.chown(self.folder, "nobody", "nogroup")
        self.folder.chmod(0o755)
        self.run("initdb", "-D", str(self.data), "-U", "golub", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
                 "--no-instructions")

    def find_programs(self):
        """Where usr/lib/postgresql is: in build-peers, in a copy of it, or installed."""
        if not (PEERS / TAKES[0] / "bin/postgres").exists():
            assert pathlib.Path("/", TAKES[0], "bin/postgres").exists(), "PostgreSQL is not here: ./dev deps brings it"
            return pathlib.Path("/")
        if not (self.who and is_closed(PEERS)):
            return PEERS
        for part in [*TAKES, *(str(f.relative_to(PEERS)) for f in PEERS.glob("usr/lib/*-linux-gnu"))]:
            shutil.copytree(PEERS / part, self.folder / "root" / part, symlinks=True)
        return self.folder / "root"

    def program(self, name):
        return str(self.root / TAKES[0] / "bin" / name)

    def run(self, name, *args):
        done = subprocess.run([self.program(name), *args], env=self.environ, cwd=self.folder, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **self.who)
        assert done.returncode == 0, f"{name}: {done.stdout}"
        return done.stdout

    @property
    def conninfo(self):
        return f"host={self.folder} user=golub"

    def psql(self, sql, database="postgres"):
        return self.run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-U", "golub", "-d", database,
                        "-c", sql)

    def database(self, name):
        """A new one; its conninfo."""
        self.psql(f"CREATE DATABASE {name}")
        return f"{self.conninfo} dbname={name}"

    def start(self):
        options = [f"-c{key}={value}" for key, value in self.settings.items()]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program("postgres"), "-D", str(self.data), "-k", str(self.folder), *options],
                                            env=self.environ, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, **self.who)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.psql("SELECT 1")
                return self
            except AssertionError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("PostgreSQL does not start:\n" + self.log_path.read_text()) from None
                time.sleep(0.05)

    def end(self, how):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def stop(self):
        self.end(signal.SIGINT)  # "fast": open transactions are rolled back

    def crash(self):
        """SIGKILL to the postmaster and all its children: shared memory goes, the log of writes is all that is left."""
        postmaster, children = self.process, [pid for pid in self.processes() if pid != self.process.pid]
        self.process = None
        for pid in [postmaster.pid, *children]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        postmaster.wait()
        while self.processes():
            time.sleep(0.01)

    def processes(self):
        """Of this server: they work in its folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.path.samefile(entry / "cwd", self.data):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def __enter__(self):
        return self.start()

    def __exit__(self, *rest):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with PostgreSQL() as server:
        sys.exit(subprocess.run(sys.argv[1:], env=dict(os.environ, GOLUB_TEST_POSTGRESQL=server.conninfo)).returncode)
