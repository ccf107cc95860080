"""Hosts in network namespaces that a test makes and removes, with a DNS server (knot) between them. Needs root."""
import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import peers
from harness import wait_for

PREFIX = "10.77.0."
PREFIX6 = "fd77::"
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def sh(*command, **kw):
    run = subprocess.run(command, capture_output=True, text=True, **kw)
    assert run.returncode == 0, f"{' '.join(command)}\n{run.stdout}{run.stderr}"
    return run.stdout


class Network:
    """A bridge with the DNS server at .1, and a host a name: hosts["near"] is at .2, the next at .3 ..."""

    def __init__(self, *hosts):
        self.folder, self.id = pathlib.Path(tempfile.mkdtemp(prefix="golub-net-")), f"golub{os.getpid()}"
        self.folder.chmod(0o755)  # Postfix gives up root
        self.address = {name: PREFIX + str(i + 2) for i, name in enumerate(hosts)}
        self.address6 = {name: PREFIX6 + str(i + 2) for i, name in enumerate(hosts)}
        self.processes = []
        try:
            self.build()
        except BaseException:
            self.remove()
            raise

    def space(self, host):
        return f"{self.id}-{host}"

    def build(self):
        dns = self.space("dns")
        sh("ip", "netns", "add", dns)
        sh("ip", "-n", dns, "link", "add", "bridge", "type", "bridge")
        sh("ip", "-n", dns, "address", "add", PREFIX + "1/24", "dev", "bridge")
        for link in ("lo", "bridge"):
            sh("ip", "-n", dns, "link", "set", link, "up")
        for name, address in self.address.items():
            space = self.space(name)
            sh("ip", "netns", "add", space)
            sh("ip", "-n", dns, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", space)
            sh("ip", "-n", dns, "link", "set", name, "master", "bridge", "up")
            sh("ip", "-n", space, "address", "add", address + "/24", "dev", "eth0")
            sh("ip", "-n", space, "address", "add", self.address6[name] + "/64", "dev", "eth0", "nodad")
            for link in ("lo", "eth0"):
                sh("ip", "-n", space, "link", "set", link, "up")

    def remove(self):
        for p in self.processes:
            with contextlib.suppress(ProcessLookupError):
                p.terminate()
            p.wait()
        for name in ["dns", *self.address]:
            subprocess.run(["ip", "netns", "del", self.space(name)], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def enter(self, host):
        return ["ip", "netns", "exec", self.space(host)]

    @contextlib.contextmanager
    def inside(self, host):
        """Sockets that this thread makes meanwhile are the host's."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.space(host)}") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0

    def serve_dns(self, zone, signed=False, others={}):
        """The zone `test.`, from its records, and others by their names. Signed: returns the DS record for `test.`"""
        knot = self.folder / "knot"
        knot.mkdir()
        start = f"$TTL 60\n@ SOA ns.test. host.test. 1 60 60 600 60\n@ NS ns.test.\n"
        (knot / "test.zone").write_text("$ORIGIN test.\n" + start + f"ns A {PREFIX}1\n" + zone)
        for name, records in others.items():
            (knot / f"{name}.zone").write_text(f"$ORIGIN {name}.\n" + start + records)
        (knot / "knot.conf").write_text(f"""
server:
    listen: {PREFIX}1@53
    rundir: {knot}
    user: root:root
database:
    storage: {knot}
policy:
  - id: plain
    single-type-signing: on
zone:
  - domain: test
    file: {knot}/test.zone
    dnssec-signing: {"on" if signed else "off"}
    dnssec-policy: plain
    zonefile-sync: -1
""" + "".join(f"  - domain: {name}\n    file: {knot}/{name}.zone\n" for name in others) + """
log:
  - target: stderr
    any: warning
""")
        self.processes.append(subprocess.Popen(self.enter("dns") + [peers.path("knotd"), "-c", str(knot / "knot.conf")],
                                               env=peers.environ(), stderr=open(knot / "log", "w")))
        wait_for("the DNS server answers", lambda: "ANSWER" in subprocess.run(
            self.enter("dns") + ["kdig", "+noall", "+header", "+answer", "@" + PREFIX + "1", "test.", "SOA"],
            capture_output=True, text=True).stdout)
        if signed:
            ds = sh(peers.path("keymgr"), "-c", str(knot / "knot.conf"), "test.", "ds", env=peers.environ())
            return next(l for l in ds.splitlines() if re.search(r" DS \d+ \d+ 2 ", l)) + "\n"


class Postfix:
    """Postfix from Debian's package, over /usr and /etc in a mount namespace of its own.
    Mail for DOMAIN goes to maildirs below `mail`. `more` stands at the end of its main.cf."""
    USERS = {"postfix": 989, "postdrop": 988, "vmail": 987}

    def __init__(self, network, host, domain, users, more=""):
        self.network, self.domain = network, domain
        self.folder = network.folder / "postfix"
        self.mail, self.etc = self.folder / "mail", self.folder / "etc"
        for d in ("etc/postfix", "spool", "data", "mail"):
            (self.folder / d).mkdir(parents=True)
        for name in ("passwd", "group"):
            text = pathlib.Path("/etc", name).read_text()
            for user, number in self.USERS.items():
                text = "".join(l for l in text.splitlines(True) if not l.startswith(user + ":"))
                text += f"{user}:x:{number}:{number}::/nonexistent:/bin/false\n" if name == "passwd" else f"{user}:x:{number}:\n"
            (self.etc / name).write_text(text)
        (self.etc / "resolv.conf").write_text(f"nameserver {PREFIX}1\n")
        os.chown(self.folder / "data", self.USERS["postfix"], self.USERS["postfix"])
        os.chown(self.mail, self.USERS["vmail"], self.USERS["vmail"])
        sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
           "-subj", f"/CN=mail.{domain}", "-keyout", str(self.folder / "key.pem"), "-out", str(self.folder / "cert.pem"))
        config = self.etc / "postfix"
        (config / "boxes").write_text("".join(f"{u}@{domain} {u}/\n" for u in users))
        (config / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.folder}/spool
data_directory = {self.folder}/data
maillog_file = {self.folder}/log
maillog_file_prefixes = {self.folder}
inet_interfaces = {network.address[host]}
inet_protocols = ipv4
myhostname = mail.{domain}
mydestination =
mynetworks = {network.address[host]}/32
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {self.mail}
virtual_mailbox_maps = texthash:{config}/boxes
virtual_uid_maps = static:{self.USERS["vmail"]}
virtual_gid_maps = static:{self.USERS["vmail"]}
message_size_limit = 52428800
virtual_mailbox_limit = 0
smtpd_tls_cert_file = {self.folder}/cert.pem
smtpd_tls_key_file = {self.folder}/key.pem
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtp_tls_security_level = may
smtp_tls_loglevel = 1
{more}""".replace(str(config) + "/boxes", "/etc/postfix/boxes"))
        (config / "master.cf").write_text(pathlib.Path(peers.path("master.cf.dist", "usr/share/postfix")).read_text()
                                          .replace("smtp      inet  n       -       y", "smtp      inet  n       -       n")
                                          .replace("       y       ", "       n       "))
        script = ("mount -t overlay golub -o lowerdir=$R/usr:/usr /usr && mount -t overlay golub -o lowerdir=$D/etc:$R/etc:/etc /etc && "
                  "postfix set-permissions >/dev/null 2>&1; exec postfix -c /etc/postfix start-fg")
        self.process = subprocess.Popen(network.enter(host) + ["unshare", "-m", "sh", "-c", script],
                                        env=dict(os.environ, R=str(peers.ROOT), D=str(self.folder)), stdin=subprocess.DEVNULL,
                                        stdout=open(self.folder / "start.log", "w"), stderr=subprocess.STDOUT, start_new_session=True)
        wait_for("Postfix runs", lambda: "daemon started" in self.log(), 30)

    def log(self):
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_text()
        return (self.folder / "start.log").read_text()

    def messages(self, user):
        return [f.read_bytes() for f in (self.mail / user / "new").glob("*")]

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int((self.folder / "spool/pid/master.pid").read_text()), signal.SIGTERM)
        self.process.wait(20)
