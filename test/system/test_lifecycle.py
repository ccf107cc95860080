"""Starting, stopping, reloading, and roles that die."""
import os
import re
import signal
import smtplib
import ssl
import socket
import subprocess

import pytest

from harness import Golub, message, wait_for
from readers import inbox, login, wait_for_message
from wire import Wire

ROLES = ["supervisor", "gate", "smtp", "login", "directory", "keeper", "dns", "queue", "relay", "trace", "pickup"]


def send(golub, subject, to="ana@example.test"):
    with smtplib.SMTP("127.0.0.1", golub.port("smtp"), "remote.test", timeout=60) as s:
        s.sendmail("x@remote.test", [to], message(subject))


@pytest.fixture
def one(server):
    golub = server(config="[mailbox]\nstay_awake = 2s\n")
    golub.account("ana")
    return golub.start()


def test_every_role_is_a_process_with_its_name(one):
    send(one, "wake up")
    titles = list(one.processes().values())
    for role in ROLES:
        assert any(t == f"golub: {role}" for t in titles), (role, titles)
    assert "golub: account ana@example.test" in titles


def test_tls_connections_that_stay_are_spread_over_the_gates(server):
    golub = server(config="[server]\nworkers = 3\n")
    golub.start()
    gates = [p for p, t in golub.processes().items() if t == "golub: gate"]

    def descriptors():
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in gates]

    before, clients = descriptors(), []
    for _ in range(48):  # one after the other: the gate that is woken is never busy
        clients.append(golub.tls().wrap_socket(socket.create_connection(("127.0.0.1", golub.port("imaps"))),
                                               server_hostname="localhost"))
        assert clients[-1].recv(200).startswith(b"* OK")
    held = [(now - then) / 2 for now, then in zip(descriptors(), before)]
    assert sum(held) >= 48 and min(held) >= 10, held
    for c in clients:
        c.close()


def test_a_quiet_account_goes_to_sleep_and_wakes(one):
    send(one, "first")
    wait_for("the account sleeps", lambda: not any("account" in t for t in one.processes().values()), 40, 0.5)
    send(one, "second")
    assert len(inbox(one, "ana")) == 2


def test_a_copy_of_an_accounts_folder_has_all_its_mail(one):
    """As doc/storage.md says: awake, of a server that was killed, and asleep; whatever stood in the journal."""
    copies = []

    def burst(numbers):
        with smtplib.SMTP("127.0.0.1", one.port("smtp"), "remote.test", timeout=60) as s:
            for n in numbers:
                s.sendmail("x@remote.test", ["ana@example.test"], message(f"number {n}"))

    def copy(name, count, *lock):
        subprocess.run([*lock, "cp", "-a", folder, one.folder / name], check=True)
        copies.append((one.folder / name, count))

    burst(range(5))
    folder = next((one.data / "account").iterdir())
    assert (folder / "arrivals").exists()
    copy("awake", 5, "flock", folder)
    burst(range(5, 12))
    one.kill()
    assert (folder / "arrivals").exists()
    copy("killed", 12)
    one.start()
    burst(range(12, 20))
    assert one.stop() == 0
    assert [f.name for f in folder.iterdir()] == ["mail.db"]
    copy("asleep", 20)
    for put_back, count in copies:
        folder.rename(one.folder / f"{put_back.name}.before")
        put_back.rename(folder)
        one.start()
        assert len({m for m in inbox(one, "ana")}) == count, put_back
        assert one.stop() == 0
    one.start()


@pytest.mark.parametrize("role", [r for r in ROLES if r != "supervisor"])
def test_a_role_that_dies_is_started_again(one, role):
    before = {p for p, t in one.processes().items() if t == f"golub: {role}"}
    assert before
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(f"{role} is back", lambda: len({p for p, t in one.processes().items() if t == f"golub: {role}"} - before) == len(before))

    def works():
        try:
            send(one, f"after {role}")
            return True
        except (OSError, smtplib.SMTPException):
            return False
    wait_for("mail flows again", works, 30, 0.2)
    wait_for_message(one, "ana", f"after {role}")
    assert f"role.died role={role}" in one.read_log()


def test_an_account_that_dies_is_started_again(one):
    with login(one, "ana") as m:
        m.select()
        pid = next(p for p, t in one.processes().items() if t.startswith("golub: account"))
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Exception):
            m.noop()
            m.noop()
        m.shutdown()
        m.logout = m.shutdown = lambda *a: None
    send(one, "after the account")
    assert any(b"after the account" in m for m in inbox(one, "ana"))


def test_sigterm_says_goodbye_and_finishes_what_is_under_way(one):
    with login(one, "ana") as idle, Wire(one.port("smtp")).hello() as quiet, Wire(one.port("smtp")).hello() as busy:
        idle.select()
        idle.send(b"i IDLE\r\n")
        idle.readline()
        busy.start_data("ana@example.test")
        os.kill(one.process.pid, signal.SIGTERM)
        assert quiet.reply()[0] == 421
        busy.send(message("under way").encode() + b".\r\n")
        assert busy.reply()[0] == 250
        while not (line := idle.readline()).startswith(b"* BYE"):
            assert line.startswith(b"* "), "of the message, before goodbye"
        idle.logout = lambda *a: None
    assert one.process.wait(30) == 0
    one.process = None
    one.log.close()
    one.start()
    assert any(b"under way" in m for m in inbox(one, "ana"))
    assert one.stop() == 0


def certificate_seen(golub):
    with socket.create_connection(("127.0.0.1", golub.port("imaps")), 20) as s:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(s, server_hostname="localhost") as t:
            return t.getpeercert(True)


def test_sighup_takes_a_new_certificate_and_config(one):
    old = certificate_seen(one)
    fresh = one.folder / "fresh"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-keyout", f"{fresh}.key", "-out", f"{fresh}.pem"], check=True, capture_output=True)
    with one.conf.open("a") as f:
        f.write(f"\n[tls]\ncertificate = {fresh}.pem\nkey = {fresh}.key\n[smtp]\nmessage_size = 123456\n")
    with login(one, "ana") as before:
        os.kill(one.process.pid, signal.SIGHUP)
        wait_for("the new certificate", lambda: certificate_seen(one) != old)
        assert before.noop()[0] == "OK", "who was there stays"
    with smtplib.SMTP("127.0.0.1", one.port("smtp"), timeout=20) as s:
        s.ehlo()
        assert s.esmtp_features["size"] == "123456"


def test_sighup_takes_another_dns_server(one):
    before = {p for p, t in one.processes().items() if t == "golub: dns"}
    with one.conf.open("a") as f:
        f.write("\n[dns]\nserver = 127.0.0.1@9\n")
    os.kill(one.process.pid, signal.SIGHUP)
    wait_for("a dns role with the new settings", lambda: {p for p, t in one.processes().items() if t == "golub: dns"} - before)
    wait_for("it is said", lambda: "role.renewed role=dns" in one.read_log())
    assert "role.died" not in one.read_log()


def test_sighup_with_a_broken_config_changes_nothing(one):
    with one.conf.open("a") as f:
        f.write("\n[smtp]\nmessage_size = lots\n")
    os.kill(one.process.pid, signal.SIGHUP)
    wait_for("it says so", lambda: "reload.refused" in one.read_log())
    assert re.search(r"reload\.refused error=.*line \d+: \[smtp\] message_size", one.read_log())
    send(one, "still here")


def test_what_cannot_start_says_why(server):
    one = server()
    with pytest.raises(AssertionError, match="cannot listen on 127.0.0.1 port"):
        with socket.create_server(("127.0.0.1", one.port("imap"))):
            one.start()
    broken = server()
    (broken.data / "tls" / "server.pem").write_text("nonsense")
    with pytest.raises(AssertionError, match="PEM"):
        broken.start()
    newer = server()
    newer.start().stop()
    subprocess.run(["/usr/bin/python3", "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version = 9999')",
                    str(newer.data / "directory" / "directory.db")], check=True)
    with pytest.raises(AssertionError, match="newer"):
        newer.start()


def test_no_password_and_no_text_in_the_log(server):
    golub = server(config="[log]\nlevel = debug\n[login]\nplain_on_loopback = yes\n")
    golub.account("ana", "hunter2 hunter2")
    with golub:
        with smtplib.SMTP("127.0.0.1", golub.port("submission"), timeout=20) as s:
            s.login("ana@example.test", "hunter2 hunter2")
            s.sendmail("ana@example.test", ["ana@example.test"], message("log", body="secret words\r\n"))
        inbox(golub, "ana")
        with Wire(golub.port("imap")) as w:
            w.line()
            w.imap('LOGIN ana@example.test "wrong hunter3"')
        log = golub.read_log()
    assert "hunter" not in log and "secret words" not in log and "aHVudGVy" not in log
    assert "login.failure" in log or "login.failed" in log
