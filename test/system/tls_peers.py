"""Other mail servers and a web server for tests of TLS on the way out, at addresses of their own in one namespace: what each
offers and which certificate it shows is told when it is made."""
import http.server
import socket
import socketserver
import ssl
import subprocess
import threading


def openssl(*words, stdin=b""):
    run = subprocess.run(["openssl", *words], input=stdin, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


class Certificates:
    """An authority, and what it signed."""

    def __init__(self, folder):
        self.folder, self.ca = folder, folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=authority",
                "-keyout", str(folder / "ca.key"), "-out", str(self.ca))

    def make(self, name, hosts=(), own=False):
        """For those hosts by the authority; or by nobody but itself."""
        key, path = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        signer = [] if own else ["-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key")]
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-addext", "subjectAltName=" + ",".join("DNS:" + h for h in hosts or [name]), *signer, "-keyout", str(key), "-out", str(path))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, key)
        return context

    def tlsa(self, name):
        """3 1 1: RFC 7672 section 3.1.1."""
        key = openssl("x509", "-in", str(self.folder / f"{name}.pem"), "-noout", "-pubkey")
        der = openssl("pkey", "-pubin", "-outform", "DER", stdin=key)
        return "3 1 1 " + openssl("dgst", "-sha256", "-r", stdin=der).decode().split()[0]


class MailServer(socketserver.ThreadingTCPServer):
    """`messages`: (MAIL line, over TLS, bytes)."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, address, context=None, keywords=()):
        self.context, self.keywords, self.messages = context, keywords, []
        super().__init__((address, 25), MailSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def having(self, subject):
        return [m for m in self.messages if f"Subject: {subject}\r\n".encode() in m[2]]


class MailSession(socketserver.StreamRequestHandler):
    def say(self, *lines):
        self.wfile.write("".join(line + "\r\n" for line in lines).encode())
        self.wfile.flush()

    def handle(self):
        secure, sender = False, ""
        self.say("220 peer ESMTP")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            verb = line.upper()
            if verb.startswith("EHLO"):
                offers = ["8BITMIME"] + (list(self.server.keywords) if secure else ["STARTTLS"] if self.server.context else [])
                self.say("250-peer", *(f"250-{k}" for k in offers[:-1]), f"250 {offers[-1]}")
            elif verb == "STARTTLS":
                self.say("220 go")
                try:
                    self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
                except (ssl.SSLError, OSError):
                    return
                self.rfile, self.wfile, secure = self.connection.makefile("rb"), self.connection.makefile("wb"), True
            elif verb == "DATA":
                self.say("354 go")
                body = b""
                while (piece := self.rfile.readline()) != b".\r\n":
                    body += piece
                self.server.messages.append((sender, secure, body))
                self.say("250 taken")
            elif verb == "QUIT":
                return self.say("221 bye")
            else:
                sender = line if verb.startswith("MAIL") else sender
                self.say("250 fine")


class WebServer(http.server.ThreadingHTTPServer):
    """Gives out `policies` (by host name) as MTA-STS wants them, and keeps what is posted."""
    daemon_threads = True

    def __init__(self, address, context, policies):
        self.policies, self.asked, self.posted = policies, [], []
        super().__init__((address, 443), WebSession)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class WebSession(http.server.BaseHTTPRequestHandler):
    def answer(self, code, text="", kind="text/plain"):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        host = self.headers["Host"]
        policy = self.server.policies.get(host)
        self.server.asked.append(host)
        if not policy or self.path != "/.well-known/mta-sts.txt":
            return self.answer(404)
        self.answer(200, policy.pop(0) if isinstance(policy, list) else policy)

    def do_POST(self):
        self.server.posted.append((self.path, self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(201)

    def log_message(self, *words):
        pass
