"""Scripts of IMAP conversations: test/system/imap/*.imap, one file an RFC, one case a section.

    === 6.3.5 DELETE: a mailbox with children stays as a level       a case; what stands before the colon is the section
    @ messages 3                  mailbox T is there with three messages ("one", "two", "three") and selected
    @ mailbox Work                is there
    @ login 2                     a second connection of the same account
    C: STORE 1 +FLAGS (\\Seen)    the client says, with a tag of the runner's
    C: APPEND T {{Subject: x\\r\\n\\r\\nbody}}     {{...}} is sent as a literal {n+}, ~{{...}} as a literal8
    C> DONE                       a line without a tag
    S: * 1 FETCH (FLAGS (...))    an untagged line that must come, in any order; ... stands for anything
    S! * ... EXPUNGE              one that must not
    S: + ...                      the continuation request
    S: OK [READ-ONLY]             the tagged answer: begins so
    S> * 2 EXISTS                 one that comes without being asked for (IDLE, NOTIFY): the runner waits for it
    C2: ...   S2: ...             the same of connection 2
    $name                         in S: takes a word and remembers it; where it is known already, stands for that word

Answers are compared without case of atoms being told apart from quoted strings: what the grammar calls equal is written as the
server writes it. A literal in an answer is seen as {n}\\r\\n and its bytes.
"""
import pathlib
import re

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
FOLDERS = ["INBOX", "Drafts", "Sent", "Archive", "Junk", "Trash"]


class Case:
    def __init__(self, path, number, title):
        self.path, self.number, self.title, self.lines = path, number, title, []

    def __str__(self):
        return f"{self.path.stem} {self.title}"


def cases(folder):
    """Every case of every script below a folder."""
    found = []
    for path in sorted(pathlib.Path(folder).glob("*.imap")):
        case = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("=== "):
                case = Case(path, number, line[4:].strip())
                found.append(case)
            elif line.strip() and not line.startswith("#"):
                assert case, f"{path}:{number}: a line outside of any case"
                case.lines.append((number, line))
    return found


def unescape(text):
    return text.encode().decode("unicode_escape").encode("latin-1").decode("utf-8").encode() if "\\" in text else text.encode()


def message(number):
    """What `@ messages` appends: the same for everybody."""
    word = NUMBERS[number - 1]
    return (f"From: Sender {word} <{word}@remote.test>\r\nTo: reader@example.test\r\nSubject: {word}\r\n"
            f"Date: Tue, {number} Sep 2026 10:00:00 +0000\r\nMessage-ID: <{word}@remote.test>\r\n\r\nbody of {word}\r\n").encode()


def with_literals(text):
    """{{...}} and ~{{...}} as the bytes of a literal that needs no asking."""
    out, at = b"", 0
    for found in re.finditer(r"\{\{(.*?)\}\}", text):
        literal = found.group(1).replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0").encode()
        out += text[at:found.start()].encode() + b"{%d+}\r\n%s" % (len(literal), literal)
        at = found.end()
    return out + text[at:].encode()


class Connection:
    def __init__(self, wire):
        self.wire, self.tag, self.number = wire, None, 0
        self.greeting = self.line()

    def line(self):
        """One response, with its literals in it."""
        text = self.wire.line()
        assert text or self.wire.buffer, "the server closed the connection"
        while found := re.search(rb"\{(\d+)\}$", text):
            size = int(found.group(1))
            while len(self.wire.buffer) < size:
                more = self.wire.socket.recv(65536)
                assert more, "the server closed the connection within a literal"
                self.wire.buffer += more
            text += b"\r\n" + self.wire.buffer[:size]
            self.wire.buffer = self.wire.buffer[size:]
            text += self.wire.line()
        return text.decode("utf-8", "backslashreplace")

    def say(self, text):
        self.number += 1
        self.tag = f"t{self.number}"
        self.wire.send(self.tag.encode() + b" " + text + b"\r\n")

    def answer(self):
        """Untagged lines and the tagged one, whose tag is cut off."""
        lines = []
        while True:
            line = self.line()
            if line.startswith(self.tag + " "):
                return lines, line[len(self.tag) + 1:]
            lines.append(line)

    def do(self, text):
        self.say(text.encode() if isinstance(text, str) else text)
        return self.answer()


class Script:
    """Runs one case. connect() makes a connection that has not logged in; login(connection) logs it in."""

    def __init__(self, case, connect, login):
        self.case, self.connect, self.login = case, connect, login
        self.connections, self.known = {}, {}
        self.seen, self.tagged, self.at = {}, {}, 0

    def fail(self, words):
        raise AssertionError(f"{self.case.path.name}:{self.at}: {words}")

    def connection(self, number):
        if number not in self.connections:
            self.connections[number] = Connection(self.connect())
            self.seen[number] = []
            self.login(self.connections[number])
        return self.connections[number]

    def names(self, command):
        """What LIST or LSUB tells of, but for the folders that every account has."""
        for line in self.connection(1).do(f'{command} "" *')[0]:
            found = re.match(rf'\* {command} \(.*?\) "/" (?:"(.*)"|(\S+))$', line)
            name = found and (found.group(1) or found.group(2))
            if name and name not in FOLDERS:
                yield name

    def clean(self):
        """What earlier cases of the account have left goes."""
        c = self.connection(1)
        for _ in range(2):  # again: levels whose children are gone then
            for name in self.names("LIST"):
                c.do(f'DELETE "{name}"')
        for name in self.names("LSUB"):
            c.do(f'UNSUBSCRIBE "{name}"')
        for name in FOLDERS:
            untagged, _ = c.do(f"SELECT {name}")
            if "* 0 EXISTS" not in untagged:
                c.do(r"STORE 1:* +FLAGS.SILENT (\Deleted)")
                c.do("EXPUNGE")
        c.do("UNSELECT")

    def setup(self, words):
        if words[0] == "messages":
            c = self.connection(1)
            assert c.do("CREATE T")[1].startswith("OK")
            for number in range(1, int(words[1]) + 1):
                literal = message(number)
                assert c.do(b'APPEND T "%02d-Sep-2026 12:00:00 +0000" {%d+}\r\n%s' % (number, len(literal), literal))[1].startswith("OK")
            assert c.do("SELECT T")[1].startswith("OK")
        elif words[0] == "mailbox":
            assert self.connection(1).do(f'CREATE "{" ".join(words[1:])}"')[1].startswith("OK")
        elif words[0] == "login":
            self.connection(int(words[1]))
        elif words[0] == "connect":
            self.connections[int(words[1])] = Connection(self.connect())
            self.seen[int(words[1])] = [self.connections[int(words[1])].greeting]
        else:
            self.fail(f"no such setup: {words}")

    def pattern(self, text, exact):
        """A regular expression for an expected line; $names are filled in or made to groups."""
        out = ""
        for piece in re.split(r"(\.\.\.|\$[a-z][a-z0-9_]*)", text):
            if piece == "...":
                out += ".*"
            elif re.fullmatch(r"\$[a-z][a-z0-9_]*", piece):
                name = piece[1:]
                if name in self.known:
                    out += re.escape(self.known[name])
                else:
                    out += f"(?P<{name}>[^ ()\\[\\]\"]+)"
            else:
                out += re.escape(piece.replace("\\r", "\r").replace("\\n", "\n"))
        return re.compile(out + ("$" if exact else ""), re.S)

    def take(self, number, pattern):
        for i, line in enumerate(self.seen[number]):
            if found := pattern.match(line):
                self.known.update(found.groupdict())
                del self.seen[number][i]
                return True
        return False

    def expect(self, number, text, waits):
        c = self.connections[number]
        if text.startswith("* "):
            pattern = self.pattern(text, exact=True)
            while not self.take(number, pattern):
                if not waits:
                    self.fail(f"expected {text!r}, there were {self.seen[number]}")
                self.seen[number].append(c.line())
        elif text.startswith("+"):
            line = c.line()
            while line.startswith("* "):
                self.seen[number].append(line)
                line = c.line()
            if not self.pattern(text, exact=False).match(line):
                self.fail(f"expected a continuation request, there was {line!r}")
        else:
            tag, line = self.tagged[number]
            found = self.pattern(text, exact=False).match(line)
            if not found:
                self.fail(f"expected {text!r}, there was {line!r}, with {self.seen[number]}")
            self.known.update(found.groupdict())

    def run(self):
        self.clean()
        lines = self.case.lines
        for index, (self.at, line) in enumerate(lines):
            if line.startswith("@ "):
                self.setup(line[2:].split())
                continue
            found = re.match(r"([CS])(\d?)([:!>]) ?(.*)$", line)
            if not found:
                self.fail(f"not a line of a script: {line!r}")
            kind, number, mark, text = found.groups()
            number = int(number or 1)
            c = self.connection(number)
            if kind == "C":
                for name, value in self.known.items():
                    text = text.replace(f"${name}", value)
                if mark == ">":
                    c.wire.send(with_literals(text) + b"\r\n")
                else:
                    self.seen[number] = []
                    c.say(with_literals(text))
                if not self.waits_for_go_ahead(lines[index + 1:], number):
                    untagged, tagged = c.answer()
                    self.seen[number] += untagged
                    self.tagged[number] = (c.tag, tagged)
            elif mark == "!":
                pattern = self.pattern(text, exact=True)
                if any(pattern.match(l) for l in self.seen[number]):
                    self.fail(f"{text!r} came: {self.seen[number]}")
            else:
                self.expect(number, text, mark == ">")

    @staticmethod
    def waits_for_go_ahead(rest, number):
        """Whether the next line expected of that connection is a continuation request."""
        for _, line in rest:
            if found := re.match(r"S(\d?)[:>] ?(.*)$", line):
                if int(found.group(1) or 1) == number:
                    return found.group(2).startswith("+")
            if found := re.match(r"C(\d?)[:>]", line):
                if int(found.group(1) or 1) == number:
                    return False
        return False

    def close(self):
        for c in self.connections.values():
            c.wire.socket.close()
