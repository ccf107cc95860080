"""With the mail in PostgreSQL: its server, ours and single processes of both are killed while mail flows. What was acknowledged is
there exactly once."""
import contextlib
import os
import random
import signal
import sys
import time

import harness
from harness import Golub, wait_for
from test_crash import NAMES, SENDERS, Senders, by_smtp, check_mailboxes, connect_smtp, local

sys.path.insert(0, str(harness.ROOT / "test"))
from postgresql import PostgreSQL  # noqa: E402

KILLS = int(os.environ.get("GOLUB_KILLS", "6"))


def kill_postgresql(golub, postgresql):
    postgresql.crash()
    time.sleep(random.uniform(0, 0.3))
    postgresql.start()


def restart_postgresql(golub, postgresql):
    postgresql.stop()
    postgresql.start()


def kill_golub(golub, postgresql):
    golub.kill()
    golub.start()


def kill_role(golub, name):
    for pid, title in golub.processes().items():
        if title.startswith(f"golub: {name}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def kill_store(golub, postgresql):
    kill_role(golub, "store")


def kill_accounts(golub, postgresql):
    kill_role(golub, "account")


def test_what_is_acknowledged_survives_every_kill():
    with PostgreSQL(fsync="on", full_page_writes="on") as postgresql, Golub(postgresql=postgresql.database("crash")) as golub:
        for name in NAMES:
            golub.account(name)
        senders = Senders(golub, [(connect_smtp, by_smtp, local)] * SENDERS)
        try:
            for round in range(KILLS):
                before = len(senders.acknowledged)
                wait_for("mail flows", lambda: len(senders.acknowledged) > before + 2, 60)
                time.sleep(random.uniform(0, 0.4))
                how = [kill_postgresql, kill_golub, kill_store, restart_postgresql, kill_accounts][round % 5]
                how(golub, postgresql)
            before = len(senders.acknowledged)
            wait_for("mail flows after the last", lambda: len(senders.acknowledged) > before + 2, 60)
        finally:
            acknowledged = senders.stop()
        assert len(acknowledged) > KILLS
        check_mailboxes(golub, acknowledged)
