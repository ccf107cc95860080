"""Sessions that do random things to the same mailboxes, while others watch. In the end what each watcher believes is what is there,
also when the account's process was killed again and again meanwhile.

GOLUB_RANDOM_SECONDS=N makes each run longer, GOLUB_RANDOM_SEED=N repeats one.
"""
import os
import random
import re
import signal
import threading
import time

import pytest

from harness import wait_for
from wire import Wire

SECONDS = float(os.environ.get("GOLUB_RANDOM_SECONDS", "6"))
SEED = int(os.environ.get("GOLUB_RANDOM_SEED", random.randrange(1 << 30)))
ACTORS = 4
MAILBOXES = ["Busy", "Busier"]
FLAGS = [r"\Seen", r"\Flagged", r"\Answered", r"\Deleted", "$Work", "$Later"]
PASSWORD = "random password"
QUIET_SECONDS = 60  # for a watcher to come to the picture that is there


class Lost(Exception):
    """The connection ended: the account's process was killed."""


class Client(Wire):
    def __init__(self, golub, address):
        super().__init__(golub.port("imap"))
        self.number = 0
        try:
            self.line_or_lost()
            answer = self.do(f'LOGIN {address} "{PASSWORD}"')
        except OSError as e:
            raise Lost from e
        if answer.startswith("NO [UNAVAILABLE]"):  # a process that has died several times is started after a pause
            time.sleep(0.1)
            raise Lost
        assert answer.startswith("OK"), answer

    def line_or_lost(self):
        try:
            line = self.line()
        except OSError as e:
            raise Lost from e
        if not line or line.startswith(b"* BYE"):
            raise Lost
        return line.decode()

    def say(self, text):
        try:
            self.send(text)
        except OSError as e:
            raise Lost from e

    def do(self, command, hear=lambda line: None):
        """The tagged answer; untagged lines go to hear()."""
        self.number += 1
        tag = f"r{self.number}"
        self.say(f"{tag} {command}\r\n")
        while True:
            line = self.line_or_lost()
            if line.startswith(tag + " "):
                return line[len(tag) + 1:]
            hear(line)

    def idle(self, seconds, hear):
        self.number += 1
        tag = f"r{self.number}"
        self.say(f"{tag} IDLE\r\n")
        while not (line := self.line_or_lost()).startswith("+"):
            hear(line)
        self.listen(seconds, hear)
        self.say("DONE\r\n")
        while not (line := self.line_or_lost()).startswith(tag + " "):
            hear(line)

    def listen(self, seconds, hear):
        """What comes without being asked for."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                line = self.line_within()
            except TimeoutError:
                break
            if not line or line.startswith(b"* BYE"):
                raise Lost
            hear(line.decode())
        self.socket.settimeout(60)

    def line_within(self):
        try:
            return self.line()
        except TimeoutError:
            raise
        except OSError as e:
            raise Lost from e


def numbers(text):
    """The numbers of a set: 1:3,7"""
    found = []
    for piece in text.split(","):
        first, _, last = piece.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def flags_of(line):
    found = re.search(r"FLAGS \(([^)]*)\)", line)
    return frozenset(f for f in found.group(1).split() if f != r"\Recent") if found else None


def uid_of(line):
    found = re.search(r"\bUID (\d+)", line)
    return int(found.group(1)) if found else None


class ByNumber:
    """A client of plain IMAP4rev1: it knows messages by their numbers, and IDLEs."""
    label = "IDLE"

    def open(self, client, mailbox):
        self.rows = []  # [uid or None, flags or None], as the server has numbered them
        assert client.do(f"SELECT {mailbox}", self.hear).startswith("OK")
        self.complete(client)

    def hear(self, line):
        if found := re.match(r"\* (\d+) EXISTS$", line):
            n = int(found.group(1))
            assert n >= len(self.rows), f"{line} with {len(self.rows)} messages known: only EXPUNGE makes them fewer"
            self.rows += [[None, None] for _ in range(n - len(self.rows))]
        elif found := re.match(r"\* (\d+) EXPUNGE$", line):
            del self.rows[int(found.group(1)) - 1]
        elif found := re.match(r"\* (\d+) FETCH ", line):
            row = self.rows[int(found.group(1)) - 1]
            row[0] = uid_of(line) or row[0]
            row[1] = flags_of(line) if flags_of(line) is not None else row[1]

    def complete(self, client):
        """Asks for what it has only been told the number of."""
        missing = [str(i + 1) for i, row in enumerate(self.rows) if row[0] is None]
        if missing:
            client.do(f"FETCH {missing[0]}:* (UID FLAGS)", self.hear)

    def watch(self, client, seconds):
        client.idle(seconds, self.hear)
        self.complete(client)

    def picture(self):
        return {uid: flags for uid, flags in self.rows}

    def there(self, golub, address, mailbox):
        """What it ought to believe."""
        return what_is_there(golub, address, mailbox)


class ByUid:
    """A client that synchronises with QRESYNC: after each break it goes on from what it knows."""
    label = "QRESYNC"

    def __init__(self):
        self.known, self.modseq, self.validity = {}, 0, 0
        self.asked = 0  # the UID up to which it knows all: of newer ones it may hear only that their flags changed

    def open(self, client, mailbox):
        assert client.do("ENABLE QRESYNC").startswith("OK")
        resync = f" (QRESYNC ({self.validity} {self.modseq}))" if self.modseq else ""
        told = []
        assert client.do(f"SELECT {mailbox}{resync}", told.append).startswith("OK")
        text = "\n".join(told)
        validity = int(re.search(r"UIDVALIDITY (\d+)", text).group(1))
        assert validity == self.validity or not self.validity
        for line in told:
            self.hear(line)
        if not self.modseq:
            client.do("UID FETCH 1:* (FLAGS)", self.hear)
        self.asked = max(self.known, default=0)
        self.validity, self.modseq = validity, int(re.search(r"HIGHESTMODSEQ (\d+)", text).group(1))

    def hear(self, line):
        assert not re.match(r"\* \d+ EXPUNGE$", line), "EXPUNGE after ENABLE QRESYNC: RFC 7162 section 3.2.10"
        if found := re.match(r"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)$", line):
            for uid in numbers(found.group(1)):
                self.known.pop(uid, None)
        elif re.match(r"\* \d+ FETCH ", line):
            assert uid_of(line), f"no UID in {line!r}: RFC 7162 section 3.2.4"
            if flags_of(line) is not None:
                self.known[uid_of(line)] = flags_of(line)

    def watch(self, client, seconds):
        client.idle(seconds, self.hear)
        client.do(f"UID FETCH {self.asked + 1}:* (FLAGS)", self.hear)
        self.asked = max(self.known, default=0)

    def picture(self):
        return dict(self.known)

    def there(self, golub, address, mailbox):
        return what_is_there(golub, address, mailbox)


class ByNotify(ByNumber):
    """A client with NOTIFY: it says nothing and is told everything, with the UIDs and flags of what is new."""
    label = "NOTIFY"

    def open(self, client, mailbox):
        super().open(client, mailbox)
        events = "MessageNew (UID FLAGS) MessageExpunge FlagChange"
        assert client.do(f"NOTIFY SET (selected ({events}))", self.hear).startswith("OK")
        self.complete(client)  # what came between the two

    def watch(self, client, seconds):
        client.listen(seconds, self.hear)

    def picture(self):
        assert all(uid for uid, _ in self.rows), "a new message was not described: RFC 5465 section 5.2"
        return super().picture()


class BySearch(ByNumber):
    """A client that has a search kept up to date, and IDLEs: a list of UIDs in mailbox order."""
    label = "SEARCH RETURN (UPDATE)"
    search = "UID SEARCH RETURN (UPDATE ALL) FLAGGED UNDELETED"
    again = "UID SEARCH RETURN (ALL) FLAGGED UNDELETED"

    def open(self, client, mailbox):
        self.list = []
        assert client.do(f"SELECT {mailbox}").startswith("OK")
        assert client.do(self.search, self.hear).startswith("OK")

    def hear(self, line):
        if not line.startswith("* ESEARCH"):
            return
        assert " UID" in line, line
        if found := re.search(r" ALL ([\d:,]+)", line):
            self.list = numbers(found.group(1))
        for what, pairs in re.findall(r" (ADDTO|REMOVEFROM) \(([^)]*)\)", line):
            words = pairs.split()
            for at, uids in zip(words[::2], words[1::2]):
                (self.add if what == "ADDTO" else self.remove)(int(at), numbers(uids))

    def add(self, at, uids):
        assert at == 0 and not set(uids) & set(self.list)
        self.list = sorted(self.list + uids)

    def remove(self, at, uids):
        assert at == 0 and set(uids) <= set(self.list)
        self.list = [uid for uid in self.list if uid not in uids]

    def watch(self, client, seconds):
        client.idle(seconds, self.hear)

    def picture(self):
        return list(enumerate(self.list))

    def there(self, golub, address, mailbox):
        view = type(self)()
        view.list = []
        client = Client(golub, address)
        assert client.do(f"SELECT {mailbox}").startswith("OK")
        assert client.do(self.again, view.hear).startswith("OK")
        return view.picture()


class BySort(BySearch):
    """The same with an order: each change says at which place."""
    label = "SORT RETURN (UPDATE)"
    search = "UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNSEEN"
    again = "UID SORT RETURN (ALL) (SUBJECT) UTF-8 UNSEEN"

    def add(self, at, uids):
        assert 1 <= at <= len(self.list) + 1 and not set(uids) & set(self.list)
        self.list[at - 1:at - 1] = uids

    def remove(self, at, uids):
        assert self.list[at - 1:at - 1 + len(uids)] == uids, f"{uids} are not at {at} of {self.list}"
        del self.list[at - 1:at - 1 + len(uids)]


KINDS = (ByNumber, ByUid, ByNotify, BySearch, BySort)


class Watcher(threading.Thread):
    def __init__(self, golub, address, mailbox, kind, seed):
        super().__init__(daemon=True)
        self.golub, self.address, self.mailbox, self.view, self.random = golub, address, mailbox, kind(), random.Random(seed)
        self.is_last_round = threading.Event()
        self.problem, self.rounds = None, 0
        self.name = f"{self.view.label} on {mailbox}"

    def sees_what_is_there(self):
        """News come when they come, above all to who asks for nothing; they must not be lost."""
        try:
            return dict(self.view.picture()) == dict(self.view.there(self.golub, self.address, self.mailbox))
        except AssertionError:
            return False

    def run(self):
        client, end = None, None
        try:
            while True:
                last = self.is_last_round.is_set()
                try:
                    if not client:
                        client = Client(self.golub, self.address)
                        self.view.open(client, self.mailbox)
                    self.view.watch(client, 0.3 if last else self.random.uniform(0.05, 0.6))
                    self.rounds += 1
                    if last:
                        end = end or time.monotonic() + QUIET_SECONDS / 2
                        if self.sees_what_is_there() or time.monotonic() > end:
                            return
                    elif self.random.random() < 0.2:
                        raise Lost
                except Lost:
                    if client:
                        client.socket.close()
                    client = None
        except Exception as e:  # told by the test
            self.problem = e


class Actor(threading.Thread):
    def __init__(self, golub, address, seed):
        super().__init__(daemon=True)
        self.golub, self.address, self.random = golub, address, random.Random(seed)
        self.stop = threading.Event()
        self.problem, self.done, self.last_uid = None, 0, 30

    def some(self):
        """UIDs, of old messages and of new ones."""
        a = self.random.randrange(1, self.last_uid + 1)
        return f"{a}:{a + self.random.randrange(20)}" if self.random.random() < 0.7 else f"{a}"

    def act(self, client):
        choice = self.random.random()
        mailbox = self.random.choice(MAILBOXES)
        if choice < 0.35:
            text = f"Subject: {self.random.random()}\r\n\r\nx\r\n"
            answer = client.do(f"APPEND {mailbox} {{{len(text)}+}}\r\n{text}")
            if found := re.match(r"OK \[APPENDUID \d+ (\d+)\]", answer):
                self.last_uid = int(found.group(1))
            return answer
        if choice < 0.45:
            return client.do(f"SELECT {mailbox}")
        if choice < 0.75:
            how, flags = self.random.choice(["", "+", "-"]), " ".join(self.random.sample(FLAGS, self.random.randrange(1, 4)))
            return client.do(f"UID STORE {self.some()} {how}FLAGS ({flags})")
        if choice < 0.82:
            return client.do(f"UID COPY {self.some()} {mailbox}")
        if choice < 0.90:
            return client.do(f"UID MOVE {self.some()} {mailbox}")
        return client.do("EXPUNGE")

    def run(self):
        client = None
        try:
            while not self.stop.is_set():
                try:
                    if not client:
                        client = Client(self.golub, self.address)
                        client.do(f"SELECT {self.random.choice(MAILBOXES)}")
                    answer = self.act(client)
                    assert answer.startswith(("OK", "NO")), answer
                    self.done += 1
                except Lost:
                    if client:
                        client.socket.close()
                    client = None
        except Exception as e:
            self.problem = e


def what_is_there(golub, address, mailbox):
    def look():
        view = ByNumber()
        try:
            view.open(Client(golub, address), mailbox)
        except Lost:
            return None
        return view.picture()
    found = []
    wait_for("the mailbox can be looked at", lambda: (found.append(look()), found[-1] is not None)[1])
    return found[-1]


def kill_account(golub, address):
    for pid, title in golub.processes().items():
        if title == f"golub: account {address}":
            os.kill(pid, signal.SIGKILL)
            return True
    return False


@pytest.mark.parametrize("kills", [False, True], ids=["undisturbed", "killed"])
def test_every_watcher_sees_what_is_there(golub, kills):
    chance = random.Random(SEED)
    address = golub.account(f"random-{'killed' if kills else 'calm'}", PASSWORD)
    client = Client(golub, address)
    for mailbox in MAILBOXES:
        assert client.do(f"CREATE {mailbox}").startswith("OK")
    client.socket.close()
    watchers = [Watcher(golub, address, m, kind, chance.random()) for m in MAILBOXES for kind in KINDS]
    actors = [Actor(golub, address, chance.random()) for _ in range(ACTORS)]
    for thread in watchers + actors:
        thread.start()
    killed, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.3, 1.2))
        killed += kills and kill_account(golub, address)
    for actor in actors:
        actor.stop.set()
    for actor in actors:
        actor.join(QUIET_SECONDS)
    for watcher in watchers:
        watcher.is_last_round.set()
    for watcher in watchers:
        watcher.join(QUIET_SECONDS)
    for thread in watchers + actors:
        assert not thread.is_alive() and not thread.problem, f"{thread.name}: {thread.problem!r} (GOLUB_RANDOM_SEED={SEED})"
    assert sum(a.done for a in actors) > 50 and (killed > 0) == kills
    for watcher in watchers:
        there, seen = dict(watcher.view.there(golub, address, watcher.mailbox)), dict(watcher.view.picture())
        wrong = {uid: (seen.get(uid), there.get(uid)) for uid in seen.keys() | there.keys() if seen.get(uid) != there.get(uid)}
        assert not wrong, f"{watcher.name}: uid: (seen, there): {wrong} (GOLUB_RANDOM_SEED={SEED})"
