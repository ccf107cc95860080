"""sendmail, mailq and newaliases as /usr/sbin/sendmail: by PHP's mail(), mutt, mailx and as cron calls it; while the server
runs, and while it does not."""
import os
import pwd
import re
import signal
import subprocess
import time

import pytest

from harness import PROGRAM, Golub, wait_for
from readers import inbox, wait_for_message

NOBODY = pwd.getpwnam("nobody").pw_uid


@pytest.fixture(scope="module")
def golub():
    """With the programs beside it, as links of those names, and a folder that everybody can enter."""
    server = Golub(config="[route remote.test]\nhost = 127.0.0.1\nport = 1\n")
    server.account("ana")
    os.chmod(server.folder, 0o755)
    for name in ("sendmail", "mailq", "newaliases"):
        (server.folder / name).symlink_to(PROGRAM)
    script = server.folder / "sendmail.sh"  # what programs have as their sendmail: ours, with this server's config
    script.write_text(f"#!/bin/sh\nexec {server.folder}/sendmail -C {server.conf} \"$@\"\n")
    script.chmod(0o755)
    with server:
        yield server


def call(golub, name, *args, text="", user=None):
    assert user is None or os.geteuid() == 0
    return subprocess.run([str(golub.folder / name), "-C", str(golub.conf), *args], input=text, text=True, capture_output=True,
                          user=user, timeout=60)


def letter(golub, subject):
    return wait_for_message(golub, "ana", subject)


def raw(golub, subject):
    return wait_for(f"{subject} is there", lambda: next((m for m in inbox(golub, "ana") if f"Subject: {subject}\r\n".encode() in m), None))


def test_as_cron_calls_it(golub):
    """Debian's cron, for root's jobs; a line that is a dot does not end the output."""
    text = ("From: root (Cron Daemon)\nTo: root\nSubject: cron-job\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=UTF-8\n\none\n.\ntwo\nprogress\rdone\n")
    run = call(golub, "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root", text=text)
    assert (run.returncode, run.stderr) == (0, ""), run
    told = wait_for("the trace has it", lambda: (t := golub.command("trace", "root@example.test", check=False).stdout)
                    and "stored for postmaster@example.test" in t and t, 15, 0.2)
    assert "user local user 0" in told


def test_headers_are_completed_and_bcc_is_not_shown(golub):
    text = "To: ana@example.test\nBcc: hidden@remote.test\nSubject: with-t\n\nbody\n.\nnot this\n"
    assert call(golub, "sendmail", "-t", "-F", 'A "B" \\C', "-f", "someone@example.test", text=text).returncode == 0
    m = raw(golub, "with-t")
    assert b"hidden" not in m and b"not this" not in m and b"body\r\n" in m
    assert b'From: "A \\"B\\" \\\\C" <someone@example.test>\r\n' in m
    assert b"Message-ID: <" in m and b"\r\nDate: " in m
    assert m.startswith(b"Return-Path: <someone@example.test>\r\n")
    assert "hidden@remote.test" in call(golub, "mailq").stdout


def test_php(golub):
    code = "var_dump(mail('ana@example.test', 'from-php', \"line\\nline two\", 'X-Odd: yes'));"
    run = subprocess.run(["php", "-d", f"sendmail_path={golub.folder}/sendmail.sh -t -i", "-r", code], capture_output=True, text=True)
    assert "bool(true)" in run.stdout, run
    m = raw(golub, "from-php")
    assert b"line\r\nline two" in m and b"X-Odd: yes\r\n" in m
    code = code.replace("ana@", "nobody.there@").replace("from-php", "refused")
    run = subprocess.run(["php", "-d", f"sendmail_path={golub.folder}/sendmail.sh -t -i", "-r", code], capture_output=True, text=True)
    assert "bool(false)" in run.stdout, run


@pytest.mark.parametrize("program", ["mutt", "mailx"])
def test_mail_programs(golub, program, tmp_path):
    subject = f"from-{program}"
    if program == "mutt":
        args = ["mutt", "-n", "-F", "/dev/null", "-e", f"set sendmail='{golub.folder}/sendmail.sh -oem -oi'", "-e",
                "set copy=no", "-e", "set use_from=yes", "-e", "set use_envelope_from=yes", "-e", "set from=someone@example.test", "-s", subject, "ana@example.test"]
    else:
        args = ["s-nail", "-n", "-S", f"mta=file://{golub.folder}/sendmail.sh", "-S", "v15-compat", "-r",
                "someone@example.test", "-s", subject, "ana@example.test"]
    run = subprocess.run(args, input="čaj i kafa\n", text=True, capture_output=True,
                         env=dict(os.environ, HOME=str(tmp_path), LC_ALL="C.UTF-8", MAILRC="/dev/null"), timeout=60)
    assert run.returncode == 0, run
    m = raw(golub, subject)
    assert b"Return-Path: <someone@example.test>" in m and b"To: ana@example.test" in m


def test_nobody_writes_commands_or_headers(golub):
    for args in (["-f", "a@example.test\nBcc: b@remote.test", "ana@example.test"], ["-F", "A\nX-Evil: 1", "ana@example.test"],
                 ["ana@example.test\r\nRCPT TO:<b@remote.test>"], ["-f", "a>\r\nRCPT TO:<b@remote.test", "ana@example.test"]):
        run = call(golub, "sendmail", *args, text="Subject: evil\n\nx\n")
        assert run.returncode == 64, (args, run)
    assert call(golub, "sendmail", "--", "-X/tmp/evil@example.test", text="x\n").returncode == 67
    assert call(golub, "sendmail", text="x\n").returncode == 64
    assert call(golub, "sendmail", "-bd").returncode == 64
    assert not any(b"evil" in m for m in inbox(golub, "ana"))


def test_which_senders(golub):
    if os.geteuid() != 0:
        pytest.skip("another user's program needs root to start it")
    assert call(golub, "sendmail", "ana@example.test", text="Subject: of-nobody\n\nx\n", user=NOBODY).returncode == 0
    assert b"Return-Path: <nobody@example.test>" in raw(golub, "of-nobody")
    assert call(golub, "sendmail", "-f", "boss@foreign.test", "ana@example.test", text="x\n", user=NOBODY).returncode == 77
    wait_for("whose it was", lambda: f"local user {NOBODY}" in golub.command("trace", "nobody@example.test", check=False).stdout, 15, 0.2)


def test_a_session_on_standard_input(golub):
    talk = "EHLO x\r\nMAIL FROM:<someone@example.test>\r\nRCPT TO:<ana@example.test>\r\nDATA\r\nSubject: session\r\n\r\nx\r\n.\r\nQUIT\r\n"
    run = call(golub, "sendmail", "-bs", text=talk)
    assert run.returncode == 0 and re.search(r"250 2\.0\.0 .*", run.stdout) and "221" in run.stdout, run
    letter(golub, "session")


def test_mailq_as_scripts_read_it(golub):
    golub.command("queue", "drop", "--all")
    assert call(golub, "mailq").stdout == "Mail queue is empty\n"
    call(golub, "sendmail", "x@remote.test", "y@remote.test", text="Subject: waits\n\nx\n")
    listed = wait_for("an attempt was made", lambda: (t := call(golub, "mailq").stdout) and "refused" in t and t)
    lines = listed.splitlines()
    assert lines[0] == "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
    assert re.fullmatch(r"[0-9A-F]+[*! ] +\d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d +root@example\.test", lines[1]), lines
    assert re.fullmatch(r" *\(.*Connection refused\)", lines[2])
    assert lines[3:5] == [" " * 41 + "x@remote.test", " " * 41 + "y@remote.test"]
    assert lines[-1] == "-- 0 Kbytes in 1 Request."
    assert call(golub, "sendmail", "-bp").stdout == listed
    assert call(golub, "sendmail", "-q").returncode == 0
    assert call(golub, "newaliases").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs users beside us")
def test_users_see_and_hurry_what_is_theirs(golub):
    """mailq as Postfix gives it to everybody, of each user's own messages; [queue] readers and flushers say otherwise."""
    golub.command("queue", "drop", "--all")
    other = NOBODY - 1
    assert call(golub, "mailq", user=NOBODY).stdout == "Mail queue is empty\n"
    call(golub, "sendmail", "x@remote.test", text="Subject: waits\n\nx\n", user=NOBODY)
    call(golub, "sendmail", "-f", "ana@example.test", "y@remote.test", text="Subject: waits\n\nx\n", user=other)
    call(golub, "sendmail", "z@remote.test", text="Subject: waits\n\nx\n")
    mine = wait_for("an attempt was made", lambda: (t := call(golub, "mailq", user=NOBODY).stdout) and "refused" in t and t)
    assert "x@remote.test" in mine and "y@remote.test" not in mine and "z@remote.test" not in mine
    assert re.search(r"-- 0 Kbytes in 1 Request\.\n$", mine)
    assert "y@remote.test" in call(golub, "sendmail", "-bp", user=other).stdout
    assert call(golub, "mailq").stdout.splitlines()[-1] == "-- 0 Kbytes in 3 Requests."
    assert call(golub, "sendmail", "-q", user=NOBODY).returncode == 0
    wait_for("noted", lambda: re.search(rf"queue.flushed .*uid={NOBODY} recipients=1", golub.read_log()))
    conf, at = golub.conf.read_text(), len(golub.read_log())
    for text in ("[queue]\nreaders = anyone\nflushers = nobody\n", ""):
        golub.conf.write_text(conf + text)
        os.kill(golub.process.pid, signal.SIGHUP)
        wait_for("reloaded", lambda: " reloaded " in golub.read_log(at))
        at = len(golub.read_log())
        if text:
            wait_for("all are shown", lambda: "3 Requests" in call(golub, "mailq", user=NOBODY).stdout)
            refused = call(golub, "sendmail", "-q", user=NOBODY)
            assert refused.returncode == 69 and "[queue] flushers" in refused.stderr, refused
    golub.command("queue", "drop", "--all")


def test_while_the_server_is_down(golub):
    golub.stop()
    user = NOBODY if os.geteuid() == 0 else None
    for subject in ("down-1", "down-2"):
        run = call(golub, "sendmail", "-i", "ana@example.test", text=f"Subject: {subject}\n\nx\n", user=user)
        assert (run.returncode, run.stderr) == (0, ""), run
    assert call(golub, "sendmail", "nobody.there@example.test", text="Subject: lost?\n\nx\n", user=user).returncode == 0
    assert len(list((golub.data / "maildrop").iterdir())) == 3
    (golub.data / "maildrop" / "junk.mail").write_bytes(b"\0\n\n" * 100)
    os.symlink("/etc/passwd", golub.data / "maildrop" / "link.mail")
    os.mkfifo(golub.data / "maildrop" / "fifo.mail")
    golub.start()
    for subject in ("down-1", "down-2"):
        raw(golub, subject)
    # What could not be sent is told: to the sender, who is unknown too; so to postmaster.
    told = wait_for("a notice", lambda: (t := golub.command("trace", "postmaster@example.test", check=False).stdout)
                    and "from <> to" in t.replace(": <> to", ": from <> to") and t, 15, 0.2)
    assert "postmaster@example.test" in told
    wait_for("all is taken away", lambda: not list((golub.data / "maildrop").iterdir()), 15, 0.2)
    assert len([m for m in inbox(golub, "ana") if b"Subject: down-" in m]) == 2
