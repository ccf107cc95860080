"""Mail servers that others wrote, each on a host of a Network, from Debian's packages as ./dev deps unpacked them. Each takes mail for
boris@DOMAIN from anywhere into a maildir, and mail for elsewhere from its own host, and does STARTTLS both ways."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile

from harness import ROOT, wait_for
from network import PREFIX, sh

USER = "boris"
UTF8_USER = "бранко"  # Exim's, with the same maildir
CLOSE_SECONDS = 20
MESSAGE_MAX = 52428800


class Mta:
    """The program sees /usr and /etc with its own laid over them, and has /var/spool and /var/lib to itself."""
    package = ""
    users = []      # of the system, beside boris
    folders = []    # below /var/spool or /var/lib: (path, owner, mode)
    start = ""      # what starts it, in the foreground
    takes_tls = True
    is_faithful = True  # it leaves the header of what passes through as it is

    def __init__(self, network, host, domain):
        self.network, self.host, self.domain, self.address = network, host, domain, network.address[host]
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=network.folder, prefix=type(self).__name__.lower()))
        self.folder.chmod(0o755)  # they give up root
        self.etc, self.maildir = self.folder / "etc", self.folder / "home" / USER / "Maildir"
        self.ids = {name: 980 - i for i, name in enumerate([USER, *self.users])}
        for folder in (self.etc, self.folder / "work", self.folder / "bin", self.folder / "usr/bin", *(self.maildir / d for d in ("new", "cur", "tmp"))):
            folder.mkdir(parents=True)
        for name in ("passwd", "group"):
            text = "".join(l for l in pathlib.Path("/etc", name).read_text().splitlines(True) if l.split(":")[0] not in self.ids)
            for user, n in self.ids.items():
                home = self.folder / "home" / USER if user == USER else "/nonexistent"
                text += f"{user}:x:{n}:{n}::{home}:/bin/sh\n" if name == "passwd" else f"{user}:x:{n}:\n"
            (self.etc / name).write_text(text)
        (self.etc / "resolv.conf").write_text(f"nameserver {PREFIX}1\n")
        (self.etc / "hosts").write_text(f"127.0.0.1 localhost\n{self.address} mail.{domain} mail\n")
        (self.etc / "mailname").write_text(f"{domain}\n")
        self.chown(self.folder / "home" / USER, USER)
        sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
           f"/CN=mail.{domain}", "-keyout", str(self.folder / "key.pem"), "-out", str(self.folder / "cert.pem"))
        self.configure()
        setup = ("mount -t overlay golub -o lowerdir=$D/usr:$R/usr:/usr /usr && mount -t overlay golub -o lowerdir=$R/etc:/etc,upperdir=$D/etc,workdir=$D/work /etc && "
                 "mount -t tmpfs golub /var/spool && mount -t tmpfs golub /var/lib && mount -t tmpfs golub /run && " +
                 "".join(f"install -d -o {owner} -g {owner} -m {mode} {path} && " for path, owner, mode in self.folders))
        self.process = subprocess.Popen(network.enter(host) + ["unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-c", setup + self.start],
                                        env=dict(os.environ, R=str(ROOT / f"build-peers-{self.package}" / "root"), D=str(self.folder)),
                                        stdin=subprocess.DEVNULL, stdout=open(self.folder / "log", "w"), stderr=subprocess.STDOUT,
                                        start_new_session=True)
        wait_for(f"{type(self).__name__} serves", self.serves, 30)

    def chown(self, top, user):
        for path in [top, *top.rglob("*")]:
            os.chown(path, self.ids[user], self.ids[user])

    def serves(self):
        assert self.process.poll() is None, self.log()
        with self.network.inside(self.host), contextlib.suppress(OSError):
            with socket.create_connection((self.address, 25), 2) as s:
                return s.recv(100).startswith(b"220")

    def log(self):
        return "\n".join(f.read_text(errors="replace") for f in [self.folder / "log", *self.folder.glob("logs/*")])

    def messages(self, user=USER):
        return [f.read_bytes() for f in (self.maildir / "new").glob("*")]

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # and with it its processes, wherever they went
        self.process.wait(CLOSE_SECONDS)


class Exim(Mta):
    package = "exim4-daemon-light"
    users = ["Debian-exim"]
    folders = [("/var/spool/exim4", "Debian-exim", "750")]
    start = "exec exim4 -bdf -q10s"

    def configure(self):
        (self.folder / "logs").mkdir()
        self.chown(self.folder / "logs", "Debian-exim")
        (self.etc / "exim4").mkdir()
        (self.etc / "exim4/exim4.conf").write_text(f"""
primary_hostname = mail.{self.domain}
domainlist ours = {self.domain} : six.{self.domain}
local_interfaces = <; {self.address} ; {self.network.address6[self.host]}
spool_directory = /var/spool/exim4
log_file_path = {self.folder}/logs/%slog
message_size_limit = {MESSAGE_MAX}
tls_advertise_hosts = *
tls_certificate = {self.folder}/cert.pem
tls_privatekey = {self.folder}/key.pem
prdr_enable = true
dsn_advertise_hosts = *
accept_8bitmime = true
smtputf8_advertise_hosts = *
chunking_advertise_hosts = *
keep_environment =
never_users =
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  accept domains = +ours
         local_parts = {USER} : {UTF8_USER}
  deny   domains = +ours
         message = 5.1.1 nobody of that name
  accept hosts = <; {self.address} ; {self.network.address6[self.host]}
  deny   message = 5.7.1 relaying denied
begin routers
here:
  driver = accept
  domains = +ours
  transport = maildir
there:
  driver = dnslookup
  transport = smtp
begin transports
maildir:
  driver = appendfile
  directory = {self.maildir}
  maildir_format
  user = {USER}
  delivery_date_add = false
  envelope_to_add = false
  return_path_add = true
smtp:
  driver = smtp
begin retry
* * F,1h,2s
""")
        os.chmod(self.folder / "key.pem", 0o644)  # it has given up root when it reads it


class Sendmail(Mta):
    package = "sendmail-bin"
    users = ["smmta", "smmsp"]
    folders = [("/var/spool/mqueue", "root", "700"), ("/var/lib/sendmail", "smmta", "700"), ("/run/sendmail", "root", "755")]
    start = "exec $R/usr/libexec/sendmail/sendmail -bD -q2s"

    def configure(self):
        (self.etc / "mail").mkdir()
        for name in ("cert.pem", "key.pem"):  # not below /tmp, which anybody may write to
            (self.folder / name).rename(self.etc / "mail" / name)
        (self.etc / "mail/key.pem").chmod(0o600)
        deliver = self.folder / "bin" / "deliver"
        deliver.write_text(f"#!/bin/sh\n[ \"${{1%@*}}\" = {USER} ] || exit 67\nf=$(mktemp {self.maildir}/tmp/XXXXXXXX) && cat >\"$f\" && mv \"$f\" {self.maildir}/new/ || exit 75\n")
        deliver.chmod(0o755)
        for folder in ("tmp", "new"):  # it runs as user daemon
            (self.maildir / folder).chmod(0o777)
        (self.etc / "mail/local-host-names").write_text(self.domain + "\n")
        (self.etc / "mail/aliases").write_text("")
        source = self.folder / "sendmail.mc"
        source.write_text(f"""
define(`confDOMAIN_NAME', `mail.{self.domain}')dnl
define(`ALIAS_FILE', `text: -o /etc/mail/aliases')dnl
define(`confPID_FILE', `/run/sendmail/pid')dnl
define(`confMAX_MESSAGE_SIZE', `{MESSAGE_MAX}')dnl
define(`confSERVER_CERT', `/etc/mail/cert.pem')dnl
define(`confSERVER_KEY', `/etc/mail/key.pem')dnl
define(`confCLIENT_CERT', `/etc/mail/cert.pem')dnl
define(`confCLIENT_KEY', `/etc/mail/key.pem')dnl
define(`confCACERT_PATH', `/etc/ssl/certs')dnl
define(`confCACERT', `/etc/mail/cert.pem')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupReadableKeyFile,GroupWritableDirPathSafe')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confTO_IDENT', `0')dnl
define(`LOCAL_MAILER_PATH', `{deliver}')dnl
define(`LOCAL_MAILER_ARGS', `deliver $u')dnl
define(`LOCAL_MAILER_FLAGS', `Pmn9')dnl
define(`LOCAL_MAILER_EOL', `\\n')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`use_cw_file')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`nocanonify')dnl
DAEMON_OPTIONS(`Name=MTA, Addr={self.address}')dnl
RELAY_DOMAIN(`{self.address}')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
""")
        share = ROOT / f"build-peers-{self.package}" / "root/usr/share/sendmail/cf"
        m4 = ROOT / f"build-peers-{self.package}" / "root/usr/bin/m4"
        made = sh(str(m4), f"-D_CF_DIR_={share}/", str(share / "m4/cf.m4"), str(source),
                  env=dict(os.environ, LD_LIBRARY_PATH=":".join(map(str, m4.parents[1].glob("lib/*-linux-gnu")))))
        (self.etc / "mail/sendmail.cf").write_text(made)


class OpenSMTPD(Mta):
    """Debian 12's offers STARTTLS and fails in every handshake (its way of keeping the key apart does not go with OpenSSL 3): who
    sends to it has to go on without."""
    takes_tls = False
    package = "opensmtpd"
    users = ["opensmtpd", "opensmtpq"]
    folders = [("/var/lib/opensmtpd/empty", "root", "711"), ("/var/spool/smtpd", "root", "711")]
    start = "exec smtpd -dv"

    def configure(self):
        os.chmod(self.folder / "key.pem", 0o600)
        (self.etc / "smtpd.conf").write_text(f"""
pki mail cert "{self.folder}/cert.pem"
pki mail key "{self.folder}/key.pem"
smtp max-message-size "50M"
listen on {self.address} tls pki mail hostname mail.{self.domain}
action "here" maildir "{self.maildir}"
action "there" relay helo mail.{self.domain}
match from any for domain "{self.domain}" action "here"
match from src {self.address} for any action "there"
""")


class Courier(Mta):
    """It writes From and To, and what MIME says of the encoding, in its own way."""
    is_faithful = False
    package = "courier-mta"
    users = ["courier"]
    folders = ([("/var/lib/courier", "courier", "755"), ("/run/courier/authdaemon", "courier", "750"), ("/var/lib/courier/tmp", "courier", "770")]
               + [(f"/var/lib/courier/{name}", "courier", "750") for name in ("allfilters", "filters", "msgq", "msgs", "track", "tmp/broken")])
    start = ("chown -R root:courier /etc/courier && touch /etc/environment && makeuserdb && makealiases && makeacceptmailfor && makesmtpaccess && "
             "authdaemond start; courier start; esmtpd start; exec sleep infinity")

    def configure(self):
        config = self.etc / "courier"
        (config / "esmtpacceptmailfor.dir").mkdir(parents=True)
        (config / "hosteddomains").mkdir()
        source = ROOT / f"build-peers-{self.package}" / "root/etc/courier"
        for name, text in {
                "me": f"mail.{self.domain}\n", "locals": f"{self.domain}\n", "defaultdomain": f"{self.domain}\n",
                "esmtpacceptmailfor": f"{self.domain}\n", "dsnfrom": f"postmaster@{self.domain}\n", "sizelimit": f"{MESSAGE_MAX}\n",
                "esmtpd.pem": (self.folder / "key.pem").read_text() + (self.folder / "cert.pem").read_text(),
                "smtpaccess/default": f"{self.address}\tallow,RELAYCLIENT\n",
                "userdb": f"{USER}\tuid={self.ids[USER]}|gid={self.ids[USER]}|home={self.maildir.parent}|shell=/bin/sh\n",
                "authdaemonrc": (source / "authdaemonrc").read_text() + 'authmodulelist="authuserdb"\n',
                "retryalpha": "1\n", "retrybeta": "1\n", "retrygamma": "1\n", "bofh": "opt BOFHBADMIME=accept\n",
                "esmtpd": (source / "esmtpd").read_text() + f"ADDRESS={self.address}\nMAXPERC=40\nMAXPERIP=40\nTARPIT=0\nBOFHCHECKDNS=0\nTLS_DHPARAMS=\n"}.items():
            (config / name).parent.mkdir(exist_ok=True)
            (config / name).write_text(text)
        (config / "userdb").chmod(0o600)
        (self.folder / "usr/bin/makedat").symlink_to("/usr/lib/courier/makedat")  # which an installation would make
        (config / "esmtpd.pem").chmod(0o640)


MTAS = {"exim": Exim, "sendmail": Sendmail, "opensmtpd": OpenSMTPD, "courier": Courier}
