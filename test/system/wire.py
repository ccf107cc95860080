"""A line-by-line client for what well-behaved libraries refuse to send."""
import socket


class Wire:
    def __init__(self, port, host="127.0.0.1", timeout=60):
        self.socket = socket.create_connection((host, port), timeout)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line without its end; b"" at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                rest, self.buffer = self.buffer, b""
                return rest
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def reply(self):
        """An SMTP reply: (code, text); (0, b"") at the end."""
        lines = []
        while True:
            line = self.line()
            if not line:
                return 0, b"\n".join(lines)
            lines.append(line[4:])
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def smtp(self, command):
        self.send(command if isinstance(command, bytes) else command.encode() + b"\r\n")
        return self.reply()

    def hello(self):
        assert self.reply()[0] == 220
        assert self.smtp("EHLO client.test")[0] == 250
        return self

    def start_data(self, to, sender="x@remote.test"):
        assert self.smtp(f"MAIL FROM:<{sender}>")[0] == 250
        assert self.smtp(f"RCPT TO:<{to}>")[0] == 250
        assert self.smtp("DATA")[0] == 354

    def imap(self, command, tag="a"):
        """Untagged lines and the tagged one."""
        self.send(f"{tag} {command}\r\n" if isinstance(command, str) else tag.encode() + b" " + command + b"\r\n")
        return self.until(tag)

    def until(self, tag):
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if not line or line.startswith(tag.encode() + b" "):
                return lines

    def is_closed(self):
        while self.line():
            pass
        return True

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.socket.close()
