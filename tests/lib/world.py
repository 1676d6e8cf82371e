"""What the end-to-end tests share: holdfast as a user runs it, databases, buckets, folders, and what may be left in them.

Everything comes from the environment that tests/run.sh sets; a missing variable ends the test program, loudly.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

HOLDFAST = os.environ["HF_TEST_HOLDFAST"]
HOLDFAST_PLAIN = os.environ.get("HF_TEST_HOLDFAST_PLAIN", HOLDFAST)
SRCDIR = os.environ["HF_TEST_SRCDIR"]
PG = urllib.parse.urlsplit(os.environ["HF_TEST_PG_URL"])


LEASES = "holdfast_leases.json"  # not a set's: it is there once a job has run


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out[-1500:]}\nstderr: {self.err[-3000:]}"

    @property
    def json(self):
        return json.loads(self.out)


def pg_env(database="postgres"):
    return dict(os.environ, PGHOST=PG.hostname, PGPORT=str(PG.port), PGUSER=PG.username, PGPASSWORD=PG.password,
                PGDATABASE=database)


def psql(database, sql):
    """Runs SQL; gives what it prints, unaligned."""
    done = subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-f", "-"], env=pg_env(database), input=sql,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fresh_database(name, sql=""):
    psql("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    psql("postgres", f'CREATE DATABASE "{name}" TEMPLATE template0')
    if sql:
        psql(name, sql)
    return name


class Session:
    """An open psql of a database, by its name or its URL, that holds a transaction."""

    def __init__(self, database, sql):
        self.process = subprocess.Popen(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", database], env=pg_env(), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.say(sql)

    def say(self, sql):
        """Runs it and waits until it is done."""
        self.process.stdin.write(sql + ";\n\\echo :done:\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if ":done:" in line:
                return
        raise AssertionError("psql ended: " + sql)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Whatever became of its server."""
        self.process.kill()
        self.process.wait()


def plain_dump(database):
    """Stock pg_dump's text without the random words of \\restrict: what two equal databases have in common."""
    text = subprocess.run(["pg_dump"], env=pg_env(database), capture_output=True, check=True).stdout
    return b"\n".join(line for line in text.split(b"\n") if not line.startswith((b"\\restrict ", b"\\unrestrict ")))


def url(database, user=None, password=None):
    user, password = user or PG.username, password or PG.password
    return f"postgres://{urllib.parse.quote(user)}:{urllib.parse.quote(password)}@{PG.hostname}:{PG.port}/{database}"


class World:
    """A folder of its own, settings for one database and one store."""

    def __init__(self, database):
        self.folder = tempfile.mkdtemp(prefix="holdfast-e2e.")
        self.env = {
            "PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8",
            "DB_HOST": PG.hostname, "DB_PORT": str(PG.port), "DB_USER": PG.username, "DB_PASSWORD": PG.password,
            "DB_NAME": database, "BACKUP_DIR": os.path.join(self.folder, "store"),
            "BACKUP_STATE_DIR": os.path.join(self.folder, "state"), "TMPDIR": self.folder}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, *words, program=HOLDFAST, timeout=300, prefix=(), **env):
        """holdfast WORDS with these settings on top; None takes one away."""
        done = subprocess.run([*prefix, program, *words], env=self.environment(env), cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
        return Result(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def start(self, *words, program=HOLDFAST, **env):
        """The same in the background; the caller waits for it."""
        return subprocess.Popen([program, *words], env=self.environment(env), cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def environment(self, changes):
        merged = dict(self.env)
        for name, value in changes.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = str(value)
        return merged

    def store_files(self, leases=False):
        """Every file below the store's folder, temporary ones too; the object of leases where it is asked for."""
        found = []
        for base, _, names in os.walk(self.env["BACKUP_DIR"]):
            found.extend(os.path.relpath(os.path.join(base, name), self.env["BACKUP_DIR"]) for name in names)
        return sorted(name for name in found if leases or name != LEASES)

    def other_files(self):
        """Files outside the store and the state: there must be none."""
        found = []
        for base, folders, names in os.walk(self.folder):
            if base == self.folder:
                folders[:] = [name for name in folders if name not in ("store", "state")]
            found.extend(os.path.join(base, name) for name in names)
        return found


class Bucket:
    """A bucket of its own on the real server, and the settings that make it the store."""

    def __init__(self, name, endpoint=None):
        self.name = name
        self.endpoint = endpoint or os.environ["HF_TEST_S3_ENDPOINT"]
        self.aws("s3api", "create-bucket", "--bucket", name)

    def settings(self, **more):
        return dict({"S3_BACKUP_BUCKET": self.name, "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1",
                     "AWS_ACCESS_KEY_ID": os.environ["HF_TEST_S3_ACCESS_KEY"],
                     "AWS_SECRET_ACCESS_KEY": os.environ["HF_TEST_S3_SECRET_KEY"]}, **more)

    def aws(self, *words):
        env = dict(os.environ, AWS_ACCESS_KEY_ID=os.environ["HF_TEST_S3_ACCESS_KEY"],
                   AWS_SECRET_ACCESS_KEY=os.environ["HF_TEST_S3_SECRET_KEY"], AWS_DEFAULT_REGION="us-east-1")
        done = subprocess.run(["aws", "--endpoint-url", os.environ["HF_TEST_S3_ENDPOINT"], *words], env=env,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keys(self, leases=False):
        """Of the whole bucket; the object of leases where it is asked for."""
        listed = self.aws("s3api", "list-objects-v2", "--bucket", self.name, "--output", "json")
        keys = [item["Key"] for item in (json.loads(listed) if listed.strip() else {}).get("Contents", [])]
        return sorted(key for key in keys if leases or key.rpartition("/")[2] != LEASES)

    def uploads(self):
        """Multipart uploads that were begun and neither completed nor aborted."""
        listed = self.aws("s3api", "list-multipart-uploads", "--bucket", self.name, "--output", "json")
        return [item["Key"] for item in (json.loads(listed) if listed.strip() else {}).get("Uploads", [])]


def wait_for(condition, seconds=120):
    """Polls until condition() is true, gives what it gave; fails after so many seconds, which a machine under load may need."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError("waited in vain")


class Gate:
    """Holds a table, made by TABLE, that pg_dump locks and nobody looks at before: a dump takes as long as a test wants."""

    TABLE = "CREATE TABLE gate (n int) PARTITION BY RANGE (n);"

    def __init__(self, database):
        self.psql = subprocess.Popen(["psql", "-qXAt"], env=pg_env(database), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)

    def __enter__(self):
        self.psql.stdin.write("BEGIN; LOCK TABLE gate; SELECT 'held';\n")
        self.psql.stdin.flush()
        assert self.psql.stdout.readline().strip() == "held"
        return self

    def open(self):
        if self.psql:
            self.psql.communicate("ROLLBACK;\n", timeout=120)
            self.psql = None

    def __exit__(self, *_):
        self.open()


def has_ended(pid):
    """Whether no thread of it lives: the first may be a zombie while others still have its files open, and locked."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return fields[0] in "ZX" and int(fields[17]) <= 1


def stand_still(child):
    """SIGSTOP, and waits until all of it stands; SIGCONT lets it go on."""
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)


def children(pid, name):
    """Process ids of the descendants of pid that run the program called name."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        comm, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        if comm == name and int(rest[1]) == pid:
            found.append(int(entry))
    return found
