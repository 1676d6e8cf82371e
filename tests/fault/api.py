#!/usr/bin/env python3
"""Misfortunes of the service: peers that misbehave, workers that are killed, a state that is gone, read-only or full, more
clients than there are workers.  Right status, clear message, nothing lost, the pool back at full strength."""
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from site_of_tests import Locked, Site  # noqa: E402
from stack import API, pairs, record, token  # noqa: E402
from tap import case, run  # noqa: E402
from world import HOLDFAST_PLAIN, wait_for  # noqa: E402


class Load:
    """GETs from several threads until it ends; what was not 200 is kept."""

    def __init__(self, stack, threads=4):
        self.stack, self.failed, self.done, self.is_over = stack, [], 0, False
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]

    def work(self):
        headers = {"Authorization": "Bearer " + token()}
        while not self.is_over:
            try:
                reply = self.stack.raw("GET", API + "jobs", headers=headers)
                if reply.status != 200:
                    self.failed.append(reply)
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(error)
            self.done += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join()


def is_worker(pid):
    """Not one that is just being forked: a signal to that is lost."""
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as name:
            return name.read() == "holdfast-fcgi\n"
    except (FileNotFoundError, ProcessLookupError):
        return False


def full_strength(stack, count, without=()):
    """Waits until so many workers are there, none of them one of those; their process ids."""
    def look():
        found = stack.workers()
        return found if len(found) == count and not set(found) & set(without) and all(map(is_worker, found)) else None
    return wait_for(look)


def jobs_have_ended(stack):
    """Waits for the jobs' processes: who has the reply has it a moment before they end, and close the state."""
    def running():
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{entry}/cwd") == stack.world.folder:
                    with open(f"/proc/{entry}/cmdline", "rb") as words:
                        if os.path.basename(words.read().split(b"\0")[0]) == b"holdfast":
                            return True
            except OSError:
                pass
        return False
    wait_for(lambda: not running())


def forget_state(stack):
    """As rm -r does it, also where a worker makes a file of it at that moment."""
    jobs_have_ended(stack)
    wait_for(lambda: shutil.rmtree(stack.world.env["BACKUP_STATE_DIR"], ignore_errors=True)
             or not os.path.exists(stack.world.env["BACKUP_STATE_DIR"]))


# ---- peers ----

@case("/api/a-silent-peer-does-not-hold-a-worker-for-ever")
def _():
    begin = record(1, b"\0\1\0\0\0\0\0\0")
    beginnings = [b"", begin[:5], begin, begin + record(4, pairs({"REQUEST_METHOD": "GET"}))[:9],
                  begin + record(4, pairs({"REQUEST_METHOD": "POST", "REQUEST_URI": API + "trigger", "CONTENT_LENGTH": "10"}))
                  + record(4, b"") + record(5, b"12345")]
    with Site(workers=1) as stack:
        for sent in beginnings:
            peer = stack.peer()
            peer.sendall(sent)
            assert stack.get("health").status == 200, sent
            peer.close()
        assert stack.get("jobs").json["jobs"] == []


@case("/api/a-peer-that-talks-nonsense-or-leaves-is-survived")
def _():
    begin = record(1, b"\0\1\0\0\0\0\0\0")
    asked = begin + record(4, pairs({"REQUEST_METHOD": "GET", "REQUEST_URI": API + "status"})) + record(4, b"") + record(5, b"")
    nonsense = [b"GET / HTTP/1.1\r\n\r\n" * 10, b"\0" * 4096, b"\xff" * 4096, begin + b"\xff" * 100, begin + record(4, b"\x80\xff\xff\xff" * 4),
                begin + record(4, b"\x7f\x7fx"), record(1, b"\0\2\0\0\0\0\0\0") + record(4, b""), record(1, b"\0\3\0\0\0\0\0\0") + record(4, b""),
                record(9, b""), record(200, b"x"), begin + record(2, b""), begin + begin, asked[:-8], asked]
    with Site(workers=1) as stack:
        worker = full_strength(stack, 1)
        for sent in nonsense:
            peer = stack.peer()
            peer.sendall(sent)
            peer.close()
            assert stack.get("health").status == 200, sent
        assert stack.workers() == worker, stack.log()


@case("/api/a-process-of-another-user-is-not-served")
def _():
    # A worker that refuses may have closed before the peer has sent all, or after: then sending fails, or reading does.
    script = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect(sys.argv[1]);"
              "\ntry: s.sendall(bytes.fromhex(sys.argv[2])); print(len(s.recv(10)))"
              "\nexcept (BrokenPipeError, ConnectionResetError): print(0)")
    sent = (record(1, b"\0\1\0\0\0\0\0\0") + record(4, pairs({"REQUEST_METHOD": "GET", "REQUEST_URI": API + "status"}))
            + record(4, b"") + record(5, b"")).hex()
    with Site() as stack:
        os.chmod(stack.socket, 0o666)
        for user, expected in (("nobody", "0"), ("www-data", "10")):
            done = subprocess.run(["setpriv", "--reuid", user, "--clear-groups", "/usr/bin/python3", "-c", script, stack.socket, sent],
                                  capture_output=True, text=True, check=True)
            assert done.stdout.strip() == expected, (user, done)
        assert "was refused: set FCGI_PEER_USERS" in stack.log()


@case("/api/512-connections-at-once-are-all-answered")
def _():
    with Site(workers=4) as stack:
        request = (f"GET {API}health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token()}\r\n"
                   "Connection: close\r\n\r\n").encode()
        connections = []
        for _ in range(512):
            plain = socket.create_connection(("127.0.0.1", stack.port), 120)
            connections.append(stack.tls.wrap_socket(plain, server_hostname="localhost"))
        for connection in connections:
            connection.sendall(request)
        heads = [connection.recv(12) for connection in connections]
        for connection in connections:
            connection.close()
        assert heads.count(b"HTTP/1.1 200") == 512, set(heads)


# ---- workers ----

@case("/api/a-killed-worker-is-replaced-and-takes-no-backup-with-it")
def _():
    with Site(workers=3) as stack:
        with Locked():
            job = stack.call("POST", "database", headers={"Prefer": "respond-async"}).json["job"]
            with Load(stack) as load:
                for _ in range(5):
                    killed = full_strength(stack, 3)
                    for pid in killed:
                        os.kill(pid, signal.SIGKILL)
                    full_strength(stack, 3, killed)
                wait_for(lambda: load.done > 50)
            assert stack.get("jobs/" + job).json["job"]["status"] == "running"
        assert stack.job(job)["status"] == "done"
        assert stack.call("POST", "images").status == 200


@case("/api/a-restart-in-order-fails-no-request")
def _():
    with Site(workers=3) as stack:
        with Load(stack) as load:
            for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT):
                before, ended = load.done, full_strength(stack, 3)
                for pid in ended:
                    os.kill(pid, number)
                wait_for(lambda: load.done > before + 20)
                full_strength(stack, 3, ended)
        assert load.failed == [], load.failed[:3]


@case("/api/a-worker-that-stops-answers-who-waits")
def _():
    with Site(workers=1) as stack:
        replies = []
        with Locked():
            waiting = threading.Thread(target=lambda: replies.append(stack.call("POST", "database")))
            waiting.start()
            folder = os.path.join(stack.world.env["BACKUP_STATE_DIR"], "jobs")
            wait_for(lambda: os.path.isdir(folder) and os.listdir(folder))
            os.kill(full_strength(stack, 1)[0], signal.SIGTERM)
            waiting.join()
            assert replies[0].status == 202, replies
        assert stack.job(replies[0].json["job"])["status"] == "done"


@case("/api/without-a-pool-nginx-says-so")
def _():
    with Site() as stack:
        stack.script("pool-stop")
        reply = stack.get("status")
        assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (503, "transient", "5"), reply
        facts = stack.script("pool-start")
        stack.pool = int(facts.get("HF_STACK_POOL", stack.pool))
        assert stack.get("status").status == 200


@case("/api/without-keys-a-worker-refuses-to-start")
def _():
    with Site() as stack:
        env = {name: value for name, value in stack.env.items() if not name.startswith("JWT_")}
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(stack.world.folder, "other.sock"))
        listener.listen()
        for stdin, word in ((listener, "JWT_SECRET"), (subprocess.DEVNULL, "no listening unix socket")):
            done = subprocess.run([stack.env["HF_STACK_WORKER"]], env=env, stdin=stdin, capture_output=True, text=True, check=False,
                                  timeout=60)
            assert done.returncode == 2 and word in done.stderr, done


# ---- the state ----

@case("/api/the-state-may-be-deleted-at-any-time")
def _():
    with Site() as stack:
        made = stack.call("POST", "images").json["set"]
        for _ in range(3):
            forget_state(stack)
            for _ in range(4):
                assert [row["set"] for row in stack.get("sets").json["sets"]] == [made]
                assert stack.get("status").json["lastSuccess"]["set"] == made
        os.remove(os.path.join(stack.world.env["BACKUP_STATE_DIR"], "state.db"))
        assert stack.call("POST", "images").status == 200
        assert stack.get("health").status == 200


@case("/api/a-damaged-state-is-made-anew")
def _():
    with Site() as stack:
        made = stack.call("POST", "images").json["set"]
        with open(os.path.join(stack.world.env["BACKUP_STATE_DIR"], "state.db"), "r+b") as state:
            state.write(b"rubbish" * 1000)
        assert wait_for(lambda: (reply := stack.get("status")).status == 200 and reply).json["lastSuccess"]["set"] == made


def broken_state(stack, words):
    """Reading may go on or be refused, writing is refused; always in words, and nobody hangs or dies."""
    workers = full_strength(stack, 2)
    for _ in range(4):
        for method, route in (("GET", "status"), ("GET", "sets"), ("GET", "jobs"), ("GET", "health"), ("GET", "schedule")):
            reply = stack.call(method, route)
            assert reply.status in (200, 500, 503), (route, reply)
            if reply.status != 200:
                assert any(word in reply.json["error"] for word in words), (route, reply)
        reply = stack.call("POST", "images")
        assert reply.status in (500, 503) and any(word in reply.json["error"] for word in words), reply
    assert stack.raw("GET", API + "status").status == 401
    assert stack.workers() == workers, stack.log()


@case("/api/a-read-only-state-refuses-in-words")
def _():
    # As a user whom permissions bind: everything of the stack runs as that one.
    site = Site(prefix=["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"], HOME="/nonexistent")
    state = site.env["BACKUP_STATE_DIR"]
    os.makedirs(state)
    os.makedirs(site.env["BACKUP_DIR"])
    shutil.chown(site.env["BACKUP_DIR"], "nobody")
    os.makedirs(os.path.join(site.folder, "stack"))
    shutil.chown(os.path.join(site.folder, "stack"), "nobody")
    with site as stack:
        broken_state(stack, ["state", "BACKUP_STATE_DIR"])
        shutil.chown(state, "nobody")
        assert stack.call("POST", "images").status == 200
        jobs_have_ended(stack)
        for base, folders, files in os.walk(state):
            for path in [base] + [os.path.join(base, name) for name in folders + files]:
                shutil.chown(path, "root")
                os.chmod(path, 0o755)
        broken_state(stack, ["state", "BACKUP_STATE_DIR"])


@case("/api/a-full-state-refuses-in-words")
def _():
    site = Site()
    state = site.env["BACKUP_STATE_DIR"]
    os.makedirs(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", state], check=True)
    try:
        with site as stack:
            made = stack.call("POST", "images").json["set"]
            jobs_have_ended(stack)
            with open(os.path.join(state, "filler"), "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(b"x" * 4096)
                except OSError:
                    pass
            broken_state(stack, ["full", "space"])
            os.remove(os.path.join(state, "filler"))
            assert stack.get("status").json["lastSuccess"]["set"] == made
            assert stack.call("POST", "images").status == 200
            jobs_have_ended(stack)
    finally:
        subprocess.run(["umount", state], check=True)


@case("/api/a-store-that-is-gone-is-told")
def _():
    with Site() as stack:
        made = stack.call("POST", "images").json["set"]
        jobs_have_ended(stack)
        shutil.rmtree(stack.world.env["BACKUP_DIR"])
        assert stack.get("status").json["lastSuccess"]["set"] == made
        assert stack.get(f"sets/{made}/objects").status in (404, 500)
        assert stack.get(f"sets/{made}/objects/z.txt").status in (404, 500)
        assert stack.call("DELETE", f"sets/{made}").status in (404, 500)


def lengthen_audit(stack):
    """As many calls of both kinds as are kept, and some more."""
    with sqlite3.connect(os.path.join(stack.world.env["BACKUP_STATE_DIR"], "state.db"), timeout=60) as state:
        for method, status in (("POST", 422), ("GET", 200)):
            state.executemany("INSERT INTO audit (at_s, who, method, path, status, request_id, peer, what) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                              [(1705284000 + i, "tester", method, API + "sets/2024-01-15_02-00-00/verify", status, f"{i:032x}",
                                "127.0.0.1", "level 9: 1 to 4 is wanted") for i in range(11500)])


@case("/api/memory-stays-flat")
def _():
    def private(pid):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
            return sum(int(line.split()[1]) for line in text if line.startswith("Private"))

    with Site(workers=1, holdfast=HOLDFAST_PLAIN) as stack:
        body = json.dumps({"level": 9}).encode()
        told = {"HTTP_AUTHORIZATION": "Bearer " + token(), "CONTENT_TYPE": "application/json"}

        def ask():
            for _ in range(1000):
                assert stack.fastcgi("GET", "status", **told).status == 200
                assert stack.fastcgi("GET", "status").status == 401
                assert stack.fastcgi("POST", "sets/2024-01-15_02-00-00/verify", body, **told).status == 422
        stack.call("POST", "images")
        # Until the audit trail is as long as it gets, and SQLite's cache as large, that grows.
        lengthen_audit(stack)
        for _ in range(4):
            ask()
        before = private(full_strength(stack, 1)[0])
        for _ in range(3):
            ask()
        after = private(full_strength(stack, 1)[0])
        assert after < 16384 and after - before < 256, (before, after)


if __name__ == "__main__":
    run()
