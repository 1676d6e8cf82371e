"""What notifications are sent to in the tests: a mail server, and a web server that does what a path says."""
import base64
import email
import email.policy
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading

from world import SRCDIR, wait_for


def python_with(module):
    """An interpreter that has a Debian package's module: ours, or the system's."""
    for program in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([program, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0:
            return program
    raise AssertionError(f"no python3 has {module}: deploy/install-packages.sh tests")


class Mail:
    def __init__(self, line):
        told = json.loads(line)
        self.sender, self.to, self.tls, self.user = told["from"], told["to"], told["tls"], told["user"]
        self.bytes = base64.b64decode(told["data"])
        self.message = email.message_from_bytes(self.bytes, policy=email.policy.default)

    def part(self, kind):
        return self.message.get_body((kind,)).get_content().replace("\r\n", "\n")


class MailServer:
    """tests/lib/mailserver.py for the length of a block; words are its options."""

    def __init__(self, *words):
        self.child = subprocess.Popen([python_with("aiosmtpd"), os.path.join(SRCDIR, "tests/lib/mailserver.py"), *words],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline())
        self.mails = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            self.mails.append(Mail(line))

    def wait(self, count):
        wait_for(lambda: len(self.mails) >= count)
        return self.mails

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(30)
        self.reader.join(30)
        self.child.stdout.close()


class Hook:
    """One request as it came in."""

    def __init__(self, handler, body):
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server.owner
        with server.lock:
            server.hooks.append(Hook(self, body))
            status = server.status
        if self.path.startswith("/hang"):
            server.released.wait(60)
            return
        if self.path.startswith("/redirect"):
            status = 302
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        try:
            if self.path.startswith("/endless"):
                while not server.released.is_set():
                    self.wfile.write(b"x" * 65536)
            # A careless server tells what it was asked for.
            self.wfile.write(b"I was asked for " + self.path.encode())
        except OSError:
            pass

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class HookServer:
    """Plain HTTP on loopback, which answers with status."""

    def __init__(self, status=200):
        self.status, self.hooks = status, []
        self.lock, self.released = threading.Lock(), threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def wait(self, count):
        wait_for(lambda: len(self.hooks) >= count)
        return self.hooks

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(30)


CLOSED = []


def closed_port():
    """A port on loopback that nobody listens on, now and later: it stays ours."""
    CLOSED.append(socket.socket())
    CLOSED[-1].bind(("127.0.0.1", 0))
    return CLOSED[-1].getsockname()[1]


# ---- who delivers ----

def look_at_deliverers(folder):
    """(process id, words) of the deliveries of a world."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == folder:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read()
                if b"--deliver" in words.split(b"\0"):
                    found.append((int(entry), words))
        except OSError:
            pass
    return found


def deliverers(folder):
    return [pid for pid, _ in look_at_deliverers(folder)]


def end_deliverers(folder, number=signal.SIGTERM):
    """They try for a day where nobody takes a message."""
    for pid in deliverers(folder):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    wait_for(lambda: not deliverers(folder))
