#!/usr/bin/env python3
"""Planted secrets are looked for wherever a run leaves something: what it prints, its logs, state.db, the store, the words and the
environment of every program that it starts."""
import base64
import os
import subprocess
import sys
import threading
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from receivers import end_deliverers  # noqa: E402
from sealed import Sealed, mistyped  # noqa: E402
from stack import SECRET, Stack, token  # noqa: E402
from tap import case, run  # noqa: E402
from world import HOLDFAST_PLAIN, PG, Bucket, psql  # noqa: E402

ROLE = "e2e_secret_keeper"
PLANTED = {"DB_PASSWORD": "Wolpertinger7Passwort/=+x", "BACKUP_PASSPHRASE": "jackalope rides the basilisk at 3",
           "JWT_SECRET": "chupacabra-signs-with-thirty-two-bytes", "INTERNAL_TOKEN": "yeti-token-of-at-least-thirty-two-bytes",
           "METRICS_TOKEN": "mothman-token-of-at-least-thirty-two-bytes", "SMTP_PASSWORD": "nessie-mails-from-the-loch",
           "WEBHOOK_SECRET": "whsec_" + base64.b64encode(b"kraken-signs-every-single-hook").decode()}
# Where nobody listens: what is tried there ends in an error.
NOBODY = {"NOTIFY_EMAIL_TO": "ops@example.org", "SMTP_URL": "smtps://127.0.0.1:1", "SMTP_USER": "me",
          "WEBHOOK_URL": "http://127.0.0.1:1/planted-path-of-a-hook", "HEARTBEAT_URL": "http://127.0.0.1:1/planted-path-of-a-pulse"}
# What the system's tools are called by; each notes what it was given, then becomes the real one.
NOTE = '#!/bin/sh\n/bin/cat /proc/$$/cmdline /proc/$$/environ >>"{notes}"\necho " {name} " >>"{notes}"\nexec "{real}" "$@"\n'


def readings(content):
    """As it stands, and with what stands in it decoded."""
    yield content
    yield urllib.parse.unquote_to_bytes(content)


class Watched(Sealed):
    """A world whose secrets are planted, whose tools note what they get, and which keeps all that was said."""

    def __init__(self):
        super().__init__("secrets")
        psql("postgres", f"DROP ROLE IF EXISTS {ROLE}; CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{PLANTED['DB_PASSWORD']}'")
        self.notes = os.path.join(self.folder, "notes")
        self.tools = os.path.join(self.folder, "tools")
        os.mkdir(self.tools)
        with open(self.notes, "wb"):
            os.chmod(self.notes, 0o666)  # a scratch cluster runs as another user where the tests run as root
        versions = sorted(os.listdir("/usr/lib/postgresql"), key=int)
        real = f"/usr/lib/postgresql/{versions[-1]}/bin"
        for name in os.listdir(real):
            self.wrap(name, os.path.join(real, name))
        for name in ("aws", "age", "createdb", "psql"):
            path = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
            self.wrap(name, path)
        bucket = Bucket(f"secrets-{os.getpid()}")
        self.env.update(bucket.settings(), DB_USER=ROLE, DB_BIN_DIR=self.tools,
                        PATH=f"{self.tools}:{os.environ['PATH']}", **PLANTED)
        del self.env["BACKUP_RECIPIENTS"]
        with open(self.path("key.txt"), encoding="utf-8") as file:
            self.identity = file.read().splitlines()[-1]
        self.secrets = [*PLANTED.values(), self.env["AWS_SECRET_ACCESS_KEY"], self.identity]
        self.bucket, self.said = bucket, []

    def wrap(self, name, real):
        path = os.path.join(self.tools, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(NOTE.format(notes=self.notes, name=name, real=real))
        os.chmod(path, 0o755)

    def run(self, *words, **env):
        done = super().run(*words, program=HOLDFAST_PLAIN, **env)  # stretching a passphrase takes long when sanitized
        if hasattr(self, "said"):
            self.said.append((words, done))
        return done

    def close(self):
        end_deliverers(self.folder)
        psql("postgres", f"DROP ROLE IF EXISTS {ROLE}")
        super().close()

    def look(self, where, content):
        for secret in self.secrets:
            for form in (secret.encode(), base64.b64encode(secret.encode())[:-4]):
                for reading in readings(content):
                    assert form not in reading, f"{where} has a secret: {secret[:6]}..."

    def look_everywhere(self):
        for words, done in self.said:
            self.look(words, (done.out + done.err).encode())
        for base, _, names in os.walk(self.env["BACKUP_STATE_DIR"]):
            for name in names:
                if name == "internal-token":
                    continue
                try:
                    with open(os.path.join(base, name), "rb") as file:
                        content = file.read()
                except FileNotFoundError:  # of a delivery that goes on
                    continue
                self.look(os.path.join(base, name), content)
        folder = os.path.join(self.folder, "fetched")
        self.bucket.aws("s3", "sync", "--only-show-errors", f"s3://{self.bucket.name}", folder)
        for base, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(base, name), "rb") as file:
                    self.look(name, file.read())
        with open(self.notes, "rb") as file:
            noted = file.read()
        self.look("what a program was given", noted)
        return noted


def descendants():
    """Process ids of all that this program started; a child may end while we look."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    parents[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                pass
    found, before = {os.getpid()}, 0
    while len(found) > before:
        before = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {os.getpid()}


class ProcessList(threading.Thread):
    """What anybody on the machine sees of our processes while something runs: their words."""

    def __init__(self, secrets):
        super().__init__(daemon=True)
        self.secrets, self.found, self.looks = [secret.encode() for secret in secrets], set(), 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.01):
            for pid in descendants():
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        words = file.read()
                except OSError:
                    continue
                self.found.update((words[:80], secret) for secret in self.secrets if secret in words)
            self.looks += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


@case("/secrets/none-is-said-stored-or-handed-on")
def _():
    with Watched() as world, ProcessList(world.secrets) as processes:
        made = world.run("--json", "--verbose", "backup", "images")
        assert made.code == 0, made
        set_id = made.json["set"]
        keys = {"BACKUP_PASSPHRASE": None, "BACKUP_RECIPIENTS": world.recipient, "BACKUP_IDENTITY_FILE": world.path("key.txt"),
                "ENCRYPT_METADATA": "true"}
        sealed = world.run("--json", "--verbose", "backup", "database", **keys).json["set"]
        for words, given in ((("--verbose", "drill", sealed), keys),
                             (("--json", "config"), {}), (("config",), dict(keys, BACKUP_IDENTITY_FILE=None,
                                                                           BACKUP_IDENTITY=world.identity)),
                             (("doctor",), {}), (("show", set_id), {}), (("jobs",), {}), (("--json", "list"), keys)):
            done = world.run(*words, timeout=300, **given)
            assert done.code == 0 or words[0] == "doctor", (words, done)
            assert "drill" not in words or "came back by its RESTORE.txt" in done.out, done
        noted = world.look_everywhere()
        for name in (b" pg_dump ", b" pg_dumpall ", b" psql ", b" initdb ", b" aws ", b" age "):
            assert name in noted, f"{name} was not watched"
        assert ROLE.encode() in noted, "what a program was given was not noted"
        assert processes.looks > 0 and not processes.found, processes.found


@case("/secrets/none-is-in-what-is-told-of-a-bad-night")
def _():
    with Watched() as world, ProcessList(world.secrets) as processes:
        world.secrets += ["planted-path-of-a-hook", "planted-path-of-a-pulse"]
        world.env.update(NOBODY)
        failed = world.run("backup", "database", DB_PORT="1")
        assert failed.code != 0, failed
        tested = world.run("--json", "notify", "--test")
        assert tested.code == 1 and len(tested.json["channels"]) == 3, tested
        listed = world.run("notify")
        assert "127.0.0.1" in listed.out, listed
        world.run("doctor")
        world.run("config")
        world.look_everywhere()
        assert not processes.found, processes.found


@case("/secrets/none-is-in-what-the-service-says")
def _():
    with Watched() as world:
        path = os.environ["PATH"]
        with Stack(world, PATH=path) as stack, ProcessList(world.secrets) as processes:
            world.secrets[2] = SECRET
            for bearer in (token(), "x" * 50, SECRET, PLANTED["METRICS_TOKEN"], PLANTED["INTERNAL_TOKEN"]):
                for route in ("status", "metrics", "sets", "internal/schedule"):
                    reply = stack.get(route, bearer=bearer)
                    world.look(route, reply.body)
            job = stack.call("POST", "images", headers={"Prefer": "respond-async"}).json["job"]
            stack.job(job)
            world.look("the job", stack.get(f"jobs/{job}").body)
            world.look("its log", stack.get(f"jobs/{job}/log").body)
            world.look("the pool's log", stack.log().encode())
        world.look_everywhere()
        assert not processes.found, processes.found


@case("/secrets/none-is-in-an-error")
def _():
    with Watched() as world:
        wrong = "sasquatch-" * 4
        world.secrets.append(wrong)
        password = urllib.parse.quote(PLANTED["DB_PASSWORD"], safe="")
        made = world.run("--json", "backup", "images")
        assert made.code == 0, made
        set_id = made.json["set"]
        trials = (
            (("backup", "database"), {"DB_PASSWORD": None, "DB_USER": None, "DB_HOST": None, "DB_PORT": None, "DB_NAME": None,
                                      "DATABASE_URL": f"postgres://{ROLE}:{password}@{PG.hostname}:port/x"}),
            (("backup", "database"), {"DATABASE_URL": f"postgres://{ROLE}:{password}@127.0.0.1:1/x"}),
            (("backup", "database"), {"DB_HOST": "127.0.0.1", "DB_PORT": "1"}),
            (("restore", "database", set_id, "--create", "--to", f"postgres://{ROLE}:{password}@127.0.0.1:1/x"), {}),
            (("backup", "images"), {"AWS_SECRET_ACCESS_KEY": wrong, "S3_TRIES": "1"}),
            (("cat", set_id, "pictures/001.jpg"), {"BACKUP_PASSPHRASE": wrong}),
            (("backup", "images"), {"BACKUP_RECIPIENTS": world.identity, "BACKUP_PASSPHRASE": None}),
            (("list",), {"BACKUP_IDENTITY": mistyped(world.identity)}),
            (("backup", "images"), {"BACKUP_RECIPIENTS": world.recipient}),
        )
        for words, given in trials:
            done = world.run(*words, **given)
            assert done.code != 0 and done.err, (words, done)
        world.look_everywhere()


if __name__ == "__main__":
    run()
