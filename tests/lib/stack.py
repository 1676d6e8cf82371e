"""The web stack (stack.sh) around a World, and two clients of it: HTTP through nginx, and bare FastCGI."""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
import struct
import subprocess
import time

from openapi import description
from world import HOLDFAST, SRCDIR, wait_for

SECRET = "the secret of the tests, 32 bytes or more"
API = "/api/backup/"


def token(secret=SECRET, **claims):
    """An HS256 token by the standard library alone (RFC 7515); claims on top of an administrator's."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    payload = {"sub": "tester", "role": "admin", "exp": int(time.time()) + 3600, **claims}
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(payload)
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:2000]!r}"


class Stack:
    """Started and stopped with the block, by way of prefix.  settings reach the workers; holdfast says which build."""

    def __init__(self, world, workers=2, prefix=(), holdfast=HOLDFAST, **settings):
        self.world, self.prefix = world, list(prefix)
        self.folder = os.path.join(world.folder, "stack")
        world.env["JWT_SECRET"] = SECRET
        self.env = world.environment(settings) | {
            "HF_STACK_WORKER": os.path.join(os.path.dirname(holdfast), "holdfast-fcgi"),
            "HF_STACK_WORKERS": str(workers), "HF_STACK_NO_LIMITS": settings.get("HF_STACK_NO_LIMITS", "1")}

    def script(self, command):
        done = subprocess.run([*self.prefix, os.path.join(SRCDIR, "tests/lib/stack.sh"), command, self.folder],
                              env=self.env, cwd=self.world.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    def __enter__(self):
        os.chmod(self.world.folder, 0o755)
        facts = self.script("start")
        self.port = int(facts["HF_STACK_URL"].rsplit(":", 1)[1])
        self.socket, self.pool = facts["HF_STACK_SOCKET"], int(facts["HF_STACK_POOL"])
        self.tls = ssl.create_default_context(cafile=facts["HF_STACK_CA"])
        return self

    def __exit__(self, *_):
        self.script("stop")

    def log(self):
        with open(os.path.join(self.folder, "pool.log"), encoding="utf-8", errors="replace") as text:
            return text.read()

    def workers(self):
        """Process ids of the workers that multiwatch has now."""
        with open(f"/proc/{self.pool}/task/{self.pool}/children", encoding="ascii") as children:
            return [int(pid) for pid in children.read().split()]

    # ---- HTTP ----

    def connect(self, timeout=300):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=timeout)

    def raw(self, method, target, body=None, headers=None, timeout=300):
        """As it is, nothing added; the path is not cleaned."""
        connection = self.connect(timeout)
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return take_reply(connection)

    def raw_at_once(self, count, method, target):
        """Connections first, then a request over each: as close together as can be."""
        connections = [self.connect() for _ in range(count)]
        for connection in connections:
            connection.connect()
        for connection in connections:
            connection.request(method, target)
        return [take_reply(connection) for connection in connections]

    def call(self, method, route, body=None, bearer=None, headers=None, timeout=300):
        """With an administrator's token; body as JSON; the reply is checked against docs/openapi.yaml."""
        headers = {"Authorization": "Bearer " + (bearer or token()), **(headers or {})}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        reply = self.raw(method, API + route, data, headers, timeout)
        if reply.status != 304:
            description.check(method, API + route, reply.status, reply.headers.get("content-type"), reply.body)
        return reply

    def get(self, route, **more):
        return self.call("GET", route, **more)

    def job(self, job):
        """The record of a job once it has ended."""
        return wait_for(lambda: (record := self.get("jobs/" + job).json["job"])["status"] not in ("queued", "running")
                        and record)

    # ---- FastCGI 1.0, the responder's role ----

    def peer(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(300)
        connection.connect(self.socket)
        return connection

    def fastcgi(self, method, route, body=b"", **parameters):
        return speak(self.peer(), method, route, body, **parameters)


def take_reply(connection):
    answer = connection.getresponse()
    reply = Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    connection.close()
    return reply


def record(kind, content, request=1):
    return struct.pack(">BBHHBx", 1, kind, request, len(content), 0) + content


def pairs(parameters):
    made = b""
    for name, value in parameters.items():
        name, value = name.encode(), value.encode()
        made += b"".join(struct.pack(">B" if len(text) < 128 else ">I", len(text) | (0 if len(text) < 128 else 1 << 31))
                         for text in (name, value)) + name + value
    return made


def speak(connection, method, route, body=b"", **parameters):
    """One request over a connected socket.  None where the other side closes without a reply."""
    given = {"REQUEST_METHOD": method, "REQUEST_URI": API + route, "CONTENT_LENGTH": str(len(body))} | parameters
    request = record(1, struct.pack(">HB5x", 1, 0)) + record(4, pairs(given)) + record(4, b"")
    request += (record(5, body) if body else b"") + record(5, b"")
    output = b""
    with connection:
        # Whoever has heard enough may answer and close before all is sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                output += chunk
    said = b""
    while len(output) >= 8:
        kind, length, padding = struct.unpack(">xBxxHBx", output[:8])
        said += output[8:8 + length] if kind == 6 else b""
        output = output[8 + length + padding:]
    if not said:
        return None
    head, _, content = said.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    return Reply(int(headers.pop("Status").split()[0]), {name.lower(): value for name, value in headers.items()}, content)
