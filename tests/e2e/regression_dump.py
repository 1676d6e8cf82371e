#!/usr/bin/env python3
"""The whole database of PostgreSQL's own regression tests, read side by side: the text is stock pg_dump's, and a restore
of it gives what a restore of stock pg_dump's gives."""
import functools
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import regression  # noqa: E402
from tap import case, run  # noqa: E402
from world import SRCDIR, World  # noqa: E402

NOISE = (b"\\restrict ", b"\\unrestrict ", b"SET default_tablespace", b"SET default_table_access_method")


class Server:
    """A server of its own: the tests make roles and tablespaces."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="holdfast-regression.")
        os.chmod(self.folder, 0o755)
        self.script = os.path.join(SRCDIR, "tests/lib/postgres.sh")
        started = subprocess.run([self.script, "start", self.folder + "/pg"], capture_output=True, text=True, check=True).stdout
        self.url = urllib.parse.urlsplit(started.strip().split("=", 1)[1])
        self.env = dict(os.environ, PGHOST=self.url.hostname, PGPORT=str(self.url.port), PGUSER=self.url.username,
                        PGPASSWORD=self.url.password)

    def close(self):
        subprocess.run([self.script, "stop", self.folder + "/pg"], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def dump(self, database):
        text = subprocess.run(["pg_dump", database], env=self.env, capture_output=True, check=True).stdout
        return lines_of(text)

    def restore(self, text, database):
        """What psql says of it: the tests leave a thing or two that no restore can make."""
        subprocess.run(["createdb", "-T", "template0", database], env=self.env, check=True)
        said = subprocess.run(["psql", "-qX", "-d", database], env=self.env, input=text, capture_output=True, check=False).stderr
        return sorted(line.split(b"ERROR:")[-1] for line in said.splitlines() if b"ERROR:" in line)

    def holdfast_env(self):
        return {"DB_HOST": self.url.hostname, "DB_PORT": str(self.url.port), "DB_USER": self.url.username,
                "DB_PASSWORD": self.url.password, "DB_NAME": "regression", "DB_JOBS": "3", "DB_JOBS_TABLE_BYTES": "0"}


def lines_of(text):
    return sorted(line for line in text.split(b"\n") if line and not line.startswith(NOISE))


def difference(left, right):
    return list(set(left) - set(right))[:5], list(set(right) - set(left))[:5]


@functools.cache
def server():
    made = Server()
    try:
        regression.make(made.folder, made.env)
    except BaseException:
        made.close()
        raise
    return made


@functools.cache
def our_dump():
    with World("regression") as world:
        done = world.run("backup", "database", timeout=600, **server().holdfast_env())
        assert done.code == 0, done
        name, = [name for name in world.store_files() if name.startswith("database_") and name.endswith(".sql.gz") and
                 ".globals." not in name]
        with gzip.open(os.path.join(world.env["BACKUP_DIR"], name), "rb") as archive:
            return archive.read()


@case("/regression-dump/it-is-word-for-word-pg-dumps-but-for-the-order-of-tables")
def _():
    ours, stock = lines_of(our_dump()), server().dump("regression")
    assert ours == stock, difference(ours, stock)
    tables = our_dump().count(b"; Type: TABLE DATA; ")
    assert tables > 200, tables


@case("/regression-dump/most-tables-are-read-by-us")
def _():
    """pg_dump's come behind ours and are in the order of their names again."""
    names = [line.split(b";")[0] for line in our_dump().split(b"\n") if b"; Type: TABLE DATA; Schema: public; " in line]
    turn = next(i for i in range(1, len(names)) if names[i] < names[i - 1])
    assert turn > len(names) // 2, (turn, len(names))


@case("/regression-dump/its-restore-is-that-of-pg-dumps")
def _():
    stock = subprocess.run(["pg_dump", "regression"], env=server().env, capture_output=True, check=True).stdout
    complaints = [server().restore(text, name) for text, name in ((our_dump(), "ours"), (stock, "theirs"))]
    assert complaints[0] == complaints[1], difference(*complaints)
    ours, theirs = server().dump("ours"), server().dump("theirs")
    assert ours == theirs, difference(ours, theirs)


if __name__ == "__main__":
    try:
        run()
    finally:
        if server.cache_info().currsize:
            server().close()
