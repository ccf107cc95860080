"""Reading mail with programs that others wrote: imaplib, poplib, curl, mutt, isync, fetchmail."""
import imaplib
import os
import poplib
import re
import smtplib
import subprocess

import pytest

import peers
from harness import message, wait_for
from readers import inbox, login, wait_for_message


def deliver(golub, to, *subjects, body="coo\r\n"):
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=60) as s:
        for subject in subjects:
            s.sendmail("sender@remote.test", [f"{to}@{golub.domain}"], message(subject, "sender@remote.test", body=body))


@pytest.fixture
def carla(golub, request):
    """A fresh account for one test."""
    name = re.sub(r"[^a-z0-9]", "-", request.node.name.lower())[:60].strip("-")
    golub.account(name, "carla's password")
    return name


def test_a_new_account_has_its_folders(golub, carla):
    with login(golub, carla) as m:
        kind, data = m.list()
        names = {re.search(rb'"/" "?([^"]*)"?$', line).group(1).decode(): line for line in data}
        assert set(names) == {"INBOX", "Drafts", "Sent", "Archive", "Junk", "Trash"}, data
        for special in ("Drafts", "Sent", "Archive", "Junk", "Trash"):
            assert f"\\{special}".encode() in names[special]


def test_imaplib_does_everything(golub, carla):
    deliver(golub, carla, "one", "two", "three")
    with login(golub, carla) as m:
        assert m.select()[1] == [b"3"]
        assert m.search(None, "SUBJECT", "two")[1] == [b"2"]
        assert m.search(None, "UNSEEN")[1] == [b"1 2 3"]
        kind, data = m.fetch("2", "(FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        assert b"Subject: two" in data[0][1] and b'"two"' in data[0][0]
        m.fetch("1", "(BODY[])")
        assert m.search(None, "SEEN")[1] == [b"1"]
        assert m.store("2", "+FLAGS", r"(\Flagged $Important)")[0] == "OK"
        assert m.search(None, "KEYWORD", "$Important")[1] == [b"2"]
        assert m.create("Work/2026")[0] == "OK"
        kind, data = m.copy("2", "Work/2026")
        assert kind == "OK" and b"COPYUID" in data[0]
        assert m.uid("MOVE", "3", "Work/2026")[0] == "OK"
        assert m.select("Work/2026")[1] == [b"2"]
        assert b"\\Flagged" in m.fetch("1", "(FLAGS)")[1][0]
        assert m.rename("Work/2026", "Work/2027")[0] == "OK"
        assert m.select("INBOX")[1] == [b"2"]
        m.store("1", "+FLAGS.SILENT", r"(\Deleted)")
        assert m.expunge()[1] == [b"1"]
        assert m.append("Drafts", r"(\Draft)", imaplib.Time2Internaldate(1700000000), message("draft").encode())[0] == "OK"
        assert b"MESSAGES 1" in m.status("Drafts", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)")[1][0]
        assert m.namespace()[1] == [b'(("" "/")) (("Shared/" "/")) NIL']
        m.delete("Work/2027")
        assert m.close()[0] == "OK"


def test_idle_tells_of_new_mail_at_once(golub, carla):
    with login(golub, carla) as m:
        m.select()
        m.send(b"i IDLE\r\n")
        assert m.readline().startswith(b"+")
        deliver(golub, carla, "while idle")
        assert m.readline() == b"* 1 EXISTS\r\n"
        m.send(b"DONE\r\n")
        while not (line := m.readline()).startswith(b"i "):
            assert line.startswith(b"* "), line
        assert line.startswith(b"i OK")


def test_poplib_does_everything(golub, carla):
    deliver(golub, carla, "one", "two", "three", body=".dot\r\n\r\nlast\r\n")
    for closed in (False, True):
        p = poplib.POP3_SSL("localhost", golub.port("pop3s"), context=golub.tls(), timeout=60)
        p.user(f"{carla}@example.test")
        p.pass_("carla's password")
        count, size = p.stat()
        assert count == (2 if closed else 3)
        uidls = p.uidl()[1]
        if not closed:
            first = uidls
            lines = p.retr(1)[1]
            assert lines[-3:] == [b".dot", b"", b"last"]
            assert p.top(2, 1)[1][-1] == b".dot"
            p.dele(2)
            p.rset()
            p.dele(2)
        else:
            assert [u.split()[1] for u in uidls] == [first[0].split()[1], first[2].split()[1]]
        p.quit()


def test_pop3_starttls_capa_and_the_lock(golub, carla):
    deliver(golub, carla, "locked")
    p = poplib.POP3("127.0.0.1", golub.port("pop3"), timeout=60)
    assert "STLS" in p.capa()
    p.host = "localhost"
    p.stls(context=golub.tls())
    assert {"UIDL", "TOP"} <= set(p.capa())
    p.user(f"{carla}@example.test")
    p.pass_("carla's password")
    assert p.stat()[0] == 1
    q = poplib.POP3_SSL("localhost", golub.port("pop3s"), context=golub.tls(), timeout=60)
    q.user(f"{carla}@example.test")
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        q.pass_("carla's password")
    p.quit()
    q = poplib.POP3_SSL("localhost", golub.port("pop3s"), context=golub.tls(), timeout=60)
    q.user(f"{carla}@example.test")
    wait_for("the lock is gone", lambda: b"+OK" in q.pass_("carla's password"))
    q.quit()


@pytest.mark.parametrize("url", ["imaps", "imap", "pop3s", "pop3"])
def test_curl_reads(golub, carla, url):
    deliver(golub, carla, "for curl")
    path = "/INBOX;MAILINDEX=1" if url.startswith("imap") else "/1"
    run = subprocess.run(["curl", "-sS", "--ssl-reqd", "--cacert", golub.ca, "--url", f"{url}://localhost:{golub.port(url)}{path}",
                          "--user", f"{carla}@example.test:carla's password"], capture_output=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert b"Subject: for curl\r\n" in run.stdout and run.stdout.endswith(b"coo\r\n")


def home(tmp_path):
    return dict(os.environ, HOME=str(tmp_path), LC_ALL="C.UTF-8", TERM="dumb")


def test_fetchmail_empties_the_maildrop(golub, carla, tmp_path):
    deliver(golub, carla, "for fetchmail", "again")
    rc = tmp_path / "fetchmailrc"
    rc.write_text(f'poll localhost service {golub.port("pop3s")} protocol pop3 uidl\n'
                  f'  username "{carla}@example.test" password "carla\'s password"\n'
                  f'  ssl sslproto "auto" sslcertck sslcertfile "{golub.ca}" nokeep mda "cat >>{tmp_path}/got"\n')
    rc.chmod(0o600)
    run = subprocess.run([peers.path("fetchmail"), "-f", str(rc), "--nosyslog", "--pidfile", str(tmp_path / "pid")],
                         env=peers.environ(HOME=str(tmp_path)), capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    got = (tmp_path / "got").read_text()
    assert "Subject: for fetchmail" in got and "Subject: again" in got
    assert inbox(golub, carla, password="carla's password") == []


def mbsync_config(golub, carla, tmp_path):
    maildir = tmp_path / "mail"
    maildir.mkdir(exist_ok=True)
    rc = tmp_path / "mbsyncrc"
    rc.write_text(f"""
IMAPAccount golub
Host localhost
Port {golub.port('imaps')}
User {carla}@example.test
Pass "carla's password"
SSLType IMAPS
CertificateFile {golub.ca}

IMAPStore far
Account golub

MaildirStore near
Path {maildir}/
Inbox {maildir}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")
    return rc, maildir


def test_isync_syncs_both_ways_until_nothing_changes(golub, carla, tmp_path):
    rc, maildir = mbsync_config(golub, carla, tmp_path)

    def sync():
        run = subprocess.run(["mbsync", "-c", str(rc), "-a"], env=home(tmp_path), capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stdout + run.stderr

    deliver(golub, carla, *[f"far {i}" for i in range(20)])
    sync()
    near = {f.name for d in ("new", "cur") for f in (maildir / "INBOX" / d).iterdir()}
    assert len(near) == 20
    # Near: a new message, one read, one deleted. Far: one flagged, one deleted, one more.
    (maildir / "INBOX" / "new" / "local.1:2,").write_bytes(message("near 1").replace("\r\n", "\n").encode())
    files = sorted((maildir / "INBOX" / "new").glob("*"))
    os.rename(files[0], maildir / "INBOX" / "cur" / (files[0].name.split(":2,")[0] + ":2,S"))
    os.unlink(files[1])
    with login(golub, carla, "carla's password") as m:
        m.select()
        m.store("20", "+FLAGS", r"(\Flagged)")
        m.store("19", "+FLAGS", r"(\Deleted)")
        m.expunge()
        m.create('"Far folder"')
    deliver(golub, carla, "far later")
    (maildir / "Near folder" / "new").mkdir(parents=True)
    (maildir / "Near folder" / "cur").mkdir()
    (maildir / "Near folder" / "tmp").mkdir()
    sync()
    sync()
    with login(golub, carla, "carla's password") as m:
        count = int(m.select()[1][0])
        folders = b"\n".join(m.list()[1])
        flagged = m.search(None, "FLAGGED")[1][0].split()
    near = [f for d in ("new", "cur") for f in (maildir / "INBOX" / d).iterdir()]
    assert count == len(near) == 20 and len(flagged) == 1
    assert b"Near folder" in folders and (maildir / "Far folder").is_dir()
    before = sorted(f.name for f in maildir.rglob("*") if f.is_file() and f.parent.name in ("new", "cur"))
    sync()
    assert before == sorted(f.name for f in maildir.rglob("*") if f.is_file() and f.parent.name in ("new", "cur"))


def test_mutt_reads_saves_and_deletes(golub, carla, tmp_path):
    deliver(golub, carla, "for mutt", "keep")
    rc = tmp_path / "muttrc"
    rc.write_text(f"""
set folder = "imaps://localhost:{golub.port('imaps')}/"
set spoolfile = "+INBOX"
set imap_user = "{carla}@example.test"
set imap_pass = "carla's password"
set certificate_file = "{golub.ca}"
set ssl_verify_host = yes
set ssl_force_tls = yes
set ssl_usesystemcerts = no
set move = no
set confirmappend = no
set delete = yes
set wait_key = no
set quit = yes
set auto_tag = no
set sort = date-received
set timeout = 5
""")
    # Saves what matches to Archive (mutt marks it deleted), and quits, which expunges.
    keys = "push '<tag-pattern>~s \"for mutt\"<enter><tag-prefix><save-message>=Archive<enter><sync-mailbox><quit>'"
    run = subprocess.run(["script", "-qec", f"mutt -n -F {rc} -e \"exec refresh\" -e {subprocess.list2cmdline([keys])}", "/dev/null"],
                         env=dict(home(tmp_path), TERM="xterm"), capture_output=True, timeout=90, stdin=subprocess.DEVNULL)
    archived = inbox(golub, carla, "Archive", "carla's password")
    assert len(archived) == 1 and b"Subject: for mutt\r\n" in archived[0], run.stdout[-3000:]
    left = inbox(golub, carla, password="carla's password")
    assert len(left) == 1 and b"Subject: keep\r\n" in left[0]


def test_messages_come_back_the_same_by_imap_and_pop3(golub, carla):
    deliver(golub, carla, "same bytes", body="Unicode\r\n..dots\r\n" + "x" * 1900 + "\r\n")
    by_imap = inbox(golub, carla, password="carla's password")[0]
    p = poplib.POP3_SSL("localhost", golub.port("pop3s"), context=golub.tls(), timeout=60)
    p.user(f"{carla}@example.test")
    p.pass_("carla's password")
    by_pop = b"\r\n".join(p.retr(1)[1]) + b"\r\n"
    p.quit()
    assert by_imap == by_pop and by_imap.startswith(b"Return-Path: <sender@remote.test>\r\n")


@pytest.mark.parametrize("secured", ["starttls", "tls"])
def test_unauthenticate_over_tls_and_somebody_else_logs_in(golub, carla, secured):
    """RFC 8437: one connection serves two people in turn, in the same TLS; what one enabled the other has not."""
    context = golub.tls()
    if secured == "tls":
        c = imaplib.IMAP4_SSL("localhost", golub.port("imaps"), ssl_context=context)
    else:
        c = imaplib.IMAP4("localhost", golub.port("imap"))
        c.starttls(context)
    dora = golub.account(f"dora-{secured}", "dora's password")
    carla = f"{carla}@{golub.domain}"

    def command(line):
        tag = c._new_tag()
        c.send(tag + b" " + line.encode() + b"\r\n")
        lines = []
        while not lines or not lines[-1].startswith(tag):
            lines.append(c.readline())
        return lines

    for address, password in ((carla, "carla's password"), (dora, "dora's password"), (carla, "carla's password")):
        assert b" OK " in command(f'LOGIN {address} "{password}"')[-1]
        assert b" OK " in command("ENABLE QRESYNC")[-1]
        assert b" OK " in command(f"CREATE of-{address.split('@')[0]}")[-1] or address == carla
        listed = b"".join(command('LIST "" of-*'))
        assert f"of-{address.split('@')[0]}".encode() in listed and listed.count(b"* LIST") == 1
        assert b" OK " in command("SELECT INBOX")[-1]
        said = command("UNAUTHENTICATE")
        assert b" OK [CAPABILITY IMAP4rev1" in said[-1] and b"STARTTLS" not in said[-1] and len(said) == 1
        assert b" BAD " in command("SELECT INBOX")[-1]
    command("LOGOUT")
    c.shutdown()
