"""Started by root on the ports that mail uses, as README.md says: who comes from outside meets no root. And started by an
ordinary user. On a host of its own (a network namespace)."""
import imaplib
import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import tempfile

import pytest

import harness
from harness import SERVICES, Golub, message
from network import Network

USER = 64321  # of no machine
NOBODY_SPECIAL = ({USER}, {USER}, set(), 0)  # as users() tells it


@pytest.fixture(scope="module")
def host():
    network = Network("mail")
    try:
        yield network
    finally:
        network.remove()


@pytest.fixture
def folder():
    """That others than root can enter; with a copy of the program, whose own folder they perhaps cannot."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="golub-root-"))
    made.chmod(0o755)
    shutil.copy(harness.PROGRAM, made / "golub")
    yield made
    shutil.rmtree(made)


def as_root_with_a_user_golub(host, folder):
    """/etc/passwd and /etc/group as `useradd --system golub` leaves them, for these processes only."""
    others = [l for l in pathlib.Path("/etc/passwd").read_text().splitlines(True) if not l.startswith("golub:")]
    (folder / "passwd").write_text("".join(others) + f"golub:x:{USER}:{USER}::/var/lib/golub:/bin/sh\n")
    return host.enter("mail") + ["unshare", "-m", "sh", "-c", f'mount --bind {folder}/passwd /etc/passwd && exec "$@"', "sh"]


def mail_flows(host, golub, base):
    with host.inside("mail"):
        with smtplib.SMTP("127.0.0.1", base + SERVICES["smtp"], "remote.test", timeout=60) as s:
            s.sendmail("x@remote.test", ["ana@example.test"], message("in"))
        with smtplib.SMTP_SSL("localhost", base + SERVICES["submissions"], "client.test", context=golub.tls(), timeout=60) as s:
            s.login("ana@example.test", "secret password")
            s.sendmail("ana@example.test", ["ana@example.test"], message("submitted"))
        with imaplib.IMAP4_SSL("localhost", base + SERVICES["imaps"], ssl_context=golub.tls(), timeout=60) as m:
            m.login("ana@example.test", "secret password")
            return int(m.select()[1][0])


def users(golub):
    """Of each process its title, and (its real, effective, saved and file system uids, as many gids, groups, capabilities)."""
    found = []
    for pid, title in golub.processes().items():
        status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
        found.append((title, (*(set(map(int, status[key].split())) for key in ("Uid", "Gid", "Groups")),
                              int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapInh"], 16))))
    return found


def owners(golub):
    return {str(path.relative_to(golub.data)): path.stat().st_uid for path in golub.data.rglob("*")}


def test_every_role_gives_up_root(host, folder):
    golub = Golub(folder=folder, prefix=as_root_with_a_user_golub(host, folder), program=folder / "golub", base=0)
    golub.account("ana")
    with golub:
        golub.account("branko")  # root's command beside the running server
        assert mail_flows(host, golub, 0) == 2
        found = users(golub)
        assert len(found) >= 11 and "golub: account ana@example.test" in dict(found)
        assert {title for title, who in found if who != NOBODY_SPECIAL} == {"golub: supervisor"}
        with host.inside("mail"), imaplib.IMAP4_SSL("localhost", 993, ssl_context=golub.tls(), timeout=60) as m:
            m.login("branko@example.test", "secret password")
        listening = subprocess.run(host.enter("mail") + ["ss", "-tlnH"], capture_output=True, text=True).stdout
        assert {int(port) for port in re.findall(r"(?:0\.0\.0\.0|\*):(\d+)", listening)} == set(SERVICES.values())
    assert {path for path, uid in owners(golub).items() if uid != USER} == {"tls/ca.key"}, "what signs certificates stays root's"


def test_without_a_user_golub_the_owner_of_the_data_is_whom_it_becomes(host, folder):
    golub = Golub(folder=folder, prefix=host.enter("mail"), program=folder / "golub", base=0)
    golub.account("ana")
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(golub.data)], check=True)
    with golub:
        assert mail_flows(host, golub, 0) == 2
        assert {title for title, who in users(golub) if who != NOBODY_SPECIAL} == {"golub: supervisor"}


def test_an_ordinary_user_runs_a_server(host, folder):
    os.chown(folder, USER, USER)
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    golub = Golub(folder=folder, prefix=host.enter("mail") + user, program=folder / "golub", base=20000)
    golub.account("ana")
    with golub:
        assert mail_flows(host, golub, 20000) == 2
        found = users(golub)
        assert len(found) >= 10 and all(who == NOBODY_SPECIAL for _, who in found), found
    assert set(owners(golub).values()) == {USER}


def test_an_ordinary_user_is_told_about_low_ports(host, folder):
    os.chown(folder, USER, USER)
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    golub = Golub(folder=folder, prefix=host.enter("mail") + user, program=folder / "golub", base=0)
    with pytest.raises(AssertionError, match="ports under 1024 need root, or .listen. port_base"):
        golub.start()
