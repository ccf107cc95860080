#!/usr/bin/python3
"""smtp_idle.py SMTP-PORT CGROUP [COUNT]: opens COUNT (5,000) SMTP connections that do nothing, at port 25, at 587 after
EHLO, and with TLS at 465, and says what each takes in all processes of the server (PSS), and how long a further client
waits for its greeting and the answer to EHLO meanwhile."""
import resource
import socket
import ssl
import sys
import time

SMTP = int(sys.argv[1])
PROCS = f"{sys.argv[2]}/cgroup.procs"
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
MODES = {"25, greeted": (0, False, b""), "587, after EHLO": (562, False, b"EHLO idle.test\r\n"), "465, TLS": (440, True, b"")}
PROBES = 200


def pss():
    total = 0
    for pid in open(PROCS).read().split():
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def heard(s):
    """Until a last line of a reply is there."""
    text = b""
    while not text.endswith(b"\r\n") or text.splitlines()[-1][3:4] == b"-":
        more = s.recv(4096)
        if not more:
            raise SystemExit(f"smtp-idle: closed: {text!r}")
        text += more
    return text


def dial(offset, tls, says):
    s = socket.create_connection(("127.0.0.1", SMTP + offset))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        s = context.wrap_socket(s)
    for line in (b"", says) if says else (b"",):
        s.sendall(line)
        if heard(s)[:1] != b"2":
            raise SystemExit("smtp-idle: turned away")
    return s


def probe():
    began = time.monotonic()
    dial(0, False, b"EHLO probe.test\r\n").close()
    return 1000 * (time.monotonic() - began)


limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
probe()
for name, mode in MODES.items():
    time.sleep(3)
    before = pss()
    held = [dial(*mode) for _ in range(COUNT)]
    time.sleep(3)
    each = (pss() - before) / COUNT
    waits = sorted(probe() for _ in range(PROBES))
    print(f"smtp-idle: {COUNT} at {name}: {each:.1f} KiB each; others wait {waits[PROBES // 2]:.2f} ms (p50), "
          f"{waits[PROBES * 99 // 100]:.2f} ms (p99)", flush=True)
    for s in held:
        s.close()
    del held
