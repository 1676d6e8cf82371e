#!/usr/bin/env python3
"""What goes wrong while a database is restored: one clear line that names the statement, no half of anything left, and the
live database as it was under its name."""
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402
from world import PG, SRCDIR, World, fresh_database, pg_env, plain_dump, psql, url, wait_for  # noqa: E402

GOOD = """CREATE TABLE t (i int PRIMARY KEY, a text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 2000) i;
          CREATE TABLE u (i int); INSERT INTO u SELECT 1 + i % 2000 FROM generate_series(1, 3000) i;"""
# What only stays possible because a function was changed, or a trigger silenced, behind the server's back.
BROKEN = [
    ("rows", """CREATE FUNCTION ok(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';
                CREATE TABLE bad (x int CHECK (ok(x))); INSERT INTO bad SELECT i FROM generate_series(1, 500) i;
                CREATE OR REPLACE FUNCTION ok(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 <> 400'""",
     "COPY public.bad", "bad"),
    ("a-unique-index", """CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
                CREATE UNIQUE INDEX twice ON t (f(i));
                CREATE OR REPLACE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 7'""",
     "CREATE UNIQUE INDEX twice", "twice"),
    ("a-foreign-key", """ALTER TABLE u ADD CONSTRAINT led FOREIGN KEY (i) REFERENCES t; SET session_replication_role = replica;
                DELETE FROM t WHERE i = 77""", "ALTER TABLE ONLY public.u", "led"),
    ("a-view-that-is-filled-last", """CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1';
                CREATE MATERIALIZED VIEW filled AS SELECT g(); CREATE OR REPLACE FUNCTION g() RETURNS int
                LANGUAGE sql AS 'SELECT 1 / 0'""", "REFRESH MATERIALIZED VIEW public.filled", "division"),
]


def backed_up(database, sql, **env):
    drop_like("^faults_(back|live)")
    world = World(fresh_database(database, sql))
    world.env.update(env)
    done = world.run("--json", "backup", "database")
    assert done.code == 0, done
    world.set = done.json["set"]
    return world


def databases(pattern):
    return psql("postgres", f"SELECT datname FROM pg_database WHERE datname ~ '{pattern}' ORDER BY 1").splitlines()


def drop_like(pattern):
    for name in databases(pattern):
        psql("postgres", f'DROP DATABASE "{name}" WITH (FORCE)')


def one_error(result, *words):
    lines = [line for line in result.err.splitlines() if line.startswith("holdfast: ")]
    assert result.code == 1 and len(lines) == 1, result
    for word in words:
        assert word in lines[0], (word, lines[0])
    return lines[0]


def archive_of(world):
    return [name for name in world.store_files() if name.endswith(".sql.gz") and "globals" not in name][0]


def broken_case(phase, sql, statement, word):
    @case(f"/fault/restore/{phase}-that-fail-name-the-statement-and-leave-nothing")
    def _():
        with backed_up("faults_from", GOOD + sql) as world:
            text = world.run("cat", "latest").out.splitlines()
            drop_like("^faults_back")
            for jobs in ("1", "3"):
                result = world.run("restore", "database", "latest", "--create", "--jobs", jobs, "--to", url("faults_back"))
                error = one_error(result, word)
                line = int(re.search(r"line (\d+): ", error).group(1))
                if jobs == "3":
                    assert text[line - 1].startswith(statement), (error, text[line - 1])
                assert not databases("^faults_back"), result
            # The same beside a live database, and in its place.
            live = fresh_database("faults_live", "CREATE TABLE mine (a int); INSERT INTO mine VALUES (1)")
            before = plain_dump(live)
            result = world.run("restore", "database", "latest", "--swap", "--confirm", live, "--to", url(live))
            one_error(result, word)
            assert databases("^faults_live") == [live] and plain_dump(live) == before
            result = world.run("restore", "database", "latest", "--in-place", "--confirm", live, "--to", url(live))
            one_error(result, word, "nothing was changed")
            assert plain_dump(live) == before
            drop_like("^faults_(back|live)")


for row in BROKEN:
    broken_case(*row)


@case("/fault/restore/a-turned-bit-in-the-middle-of-the-rows")
def _():
    with backed_up("faults_from", GOOD + """CREATE TABLE large AS SELECT i, md5(i::text) || repeat(md5((i * 7)::text), 8) AS f
                                            FROM generate_series(1, 60000) i""") as world:
        path = os.path.join(world.env["BACKUP_DIR"], archive_of(world))
        with open(path, "rb") as file:
            data = bytearray(file.read())
        data[len(data) // 2] ^= 4
        with open(path, "wb") as file:
            file.write(data)
        drop_like("^faults_back")
        result = world.run("--json", "restore", "database", "latest", "--create", "--jobs", "2", "--to", url("faults_back"))
        one_error(result, archive_of(world), "large")
        assert result.json["code"] == "corrupt" and not databases("^faults_back"), result
        live = fresh_database("faults_live", "CREATE TABLE mine (a int)")
        before = plain_dump(live)
        result = world.run("restore", "database", "latest", "--in-place", "--confirm", live, "--to", url(live))
        one_error(result, archive_of(world), "nothing was changed")
        result = world.run("restore", "database", "latest", "--table", "large", "--to", url(live))
        one_error(result, archive_of(world))
        assert plain_dump(live) == before
        drop_like("^faults_(back|live)")


# Without autovacuum: an analyze of it would call the function, too.
SLOW = """ALTER TABLE t SET (autovacuum_enabled = off); ALTER TABLE u SET (autovacuum_enabled = off);
          CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE INDEX ON t (slow(i));
          CREATE INDEX ON u (slow(i)); CREATE OR REPLACE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql
          AS 'SELECT 1 FROM pg_sleep(60)'"""


def indexing(pattern):
    """Server processes that make an index in a database that is like the pattern."""
    return psql("postgres", f"""SELECT pid FROM pg_stat_activity WHERE datname ~ '{pattern}' AND query LIKE 'CREATE INDEX%'
                                AND state = 'active' AND backend_type = 'client backend'""").split()


@case("/fault/restore/a-backend-that-is-killed-while-it-makes-an-index")
def _():
    with backed_up("faults_from", GOOD + SLOW) as world:
        drop_like("^faults_back")
        child = world.start("restore", "database", "latest", "--create", "--jobs", "2", "--to", url("faults_back"))
        victims = wait_for(lambda: indexing("^faults_back$"))
        psql("postgres", f"SELECT pg_terminate_backend({victims[0]})")
        out, err = child.communicate(timeout=300)
        assert child.returncode == 1 and "connection was lost" in err, (out, err)
        assert not databases("^faults_back"), (out, err)
        drop_like("^faults_(back|live)")


@case("/fault/restore/killed-beside-a-live-database-and-run-again")
def _():
    with backed_up("faults_live", GOOD + SLOW) as world:
        before = plain_dump("faults_live")
        child = world.start("restore", "database", "latest", "--swap", "--confirm", "faults_live")
        wait_for(lambda: indexing("^faults_live_restore"))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=300)
        left = databases("^faults_live_restore")
        assert len(left) == 1 and plain_dump("faults_live") == before
        # The dump of a live database that is quick to restore; the half filled one is known for what it is.
        psql("faults_live", "DROP FUNCTION slow CASCADE")
        again = world.run("--json", "backup", "database")
        done = world.run("restore", "database", again.json["set"], "--swap", "--confirm", "faults_live")
        assert done.code == 0 and left[0] in done.err, done
        names = databases("^faults_live")
        assert len(names) == 2 and "faults_live" in names and "_before_" in "".join(names), names
        drop_like("^faults_(back|live)")


@case("/fault/restore/a-session-that-the-login-may-not-end-stops-the-swap-and-nothing-is-restored-twice")
def _():
    psql("postgres", "DO $$ BEGIN CREATE ROLE faults_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    psql("postgres", "ALTER ROLE faults_owner LOGIN CREATEDB NOSUPERUSER PASSWORD 'pw'")
    world = backed_up("faults_live", GOOD)
    psql("postgres", "ALTER DATABASE faults_live OWNER TO faults_owner")
    psql("faults_live", "ALTER TABLE t OWNER TO faults_owner; ALTER TABLE u OWNER TO faults_owner")
    world.env.update(DB_USER="faults_owner", DB_PASSWORD="pw")
    made = world.run("--json", "backup", "database").json["set"]
    words = ["restore", "database", made, "--swap", "--confirm", "faults_live"]
    with subprocess.Popen(["psql", "-qXAt"], env=pg_env("faults_live"), stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE) as session:
        session.stdin.write("SELECT 1;\n")
        session.stdin.flush()
        session.stdout.readline()
        result = world.run(*words)
        one_error(result, "is as it was", "faults_live_restore_", PG.username, "stop them")
        session.stdin.write("SELECT count(*) FROM t;\n")
        session.stdin.flush()
        assert session.stdout.readline() == "2000\n", "the session was ended all the same"
        session.stdin.close()
    kept = databases("^faults_live_restore")
    assert len(kept) == 1, kept
    psql(kept[0], "COMMENT ON TABLE t IS 'of the first run'")
    done = world.run(*words)
    assert done.code == 0 and "earlier run" in done.err, done
    assert psql("faults_live", "SELECT obj_description('t'::regclass)") == "of the first run"
    world.close()
    drop_like("^faults_(back|live)")
    psql("postgres", "DROP ROLE faults_owner")


@case("/fault/restore/a-live-database-that-a-person-renamed")
def _():
    with backed_up("faults_live", GOOD) as world:
        psql("postgres", 'ALTER DATABASE faults_live RENAME TO "faults_live_before_2026-01-02_03-04-05"')
        result = world.run("restore", "database", "latest", "--swap", "--confirm", "faults_live")
        one_error(result, "does not exist", "--create", "faults_live_before_2026-01-02_03-04-05")
        drop_like("^faults_(back|live)")


@case("/fault/restore/killed-in-the-place-of-a-live-database")
def _():
    with backed_up("faults_live", GOOD + SLOW) as world:
        before = plain_dump("faults_live")
        child = world.start("restore", "database", "latest", "--in-place", "--confirm", "faults_live")
        pid = wait_for(lambda: indexing("^faults_live$"))[0]
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=300)
        psql("postgres", f"SELECT pg_terminate_backend({pid})")
        wait_for(lambda: not indexing("^faults_live$"))
        assert plain_dump("faults_live") == before
        drop_like("^faults_(back|live)")


@case("/fault/restore/a-full-disk")
def _():
    # A server of its own: one whose disk was full and is gone cannot be used by anybody else.
    script, folder = os.path.join(SRCDIR, "tests", "lib", "postgres.sh"), tempfile.mkdtemp(prefix="holdfast-pg.")
    place = os.path.join(folder, "small-disk")
    os.chmod(folder, 0o755)
    os.makedirs(place)
    try:
        started = subprocess.run([script, "start", folder], capture_output=True, text=True, check=True).stdout
        address = started.strip().split("=", 1)[1].rsplit("/", 1)[0]
        owner = os.stat(os.path.join(folder, "data"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=40m,mode=700,uid={owner.st_uid},gid={owner.st_gid}", "holdfast-test",
                        place], check=True)

        def ask(database, *sql):
            done = subprocess.run(["psql", "-qXAt", "-d", f"{address}/{database}"] + [word for line in sql for word in ("-c", line)],
                                  capture_output=True, text=True, check=True)
            return done.stdout.strip()

        ask("postgres", f"CREATE TABLESPACE small LOCATION '{place}'", "CREATE DATABASE live TEMPLATE template0 TABLESPACE small")
        ask("live", "CREATE TABLE mine (a int)", "INSERT INTO mine VALUES (1)", "CHECKPOINT")
        with backed_up("faults_from", """CREATE TABLE large AS SELECT i, md5(i::text) || repeat(md5((i * 7)::text), 8) AS f
                                         FROM generate_series(1, 200000) i""") as world:
            result = world.run("restore", "database", "latest", "--swap", "--confirm", "live", "--jobs", "2", "--to",
                               f"{address}/live")
        one_error(result, "No space left", "free some space")
        assert ask("postgres", "SELECT datname FROM pg_database WHERE datname ~ 'live'") == "live"
        assert ask("live", "SELECT * FROM mine") == "1"
    finally:
        subprocess.run([script, "stop", folder], check=False, capture_output=True)
        subprocess.run(["umount", place], check=False)
        subprocess.run(["rm", "-rf", folder], check=True)


if __name__ == "__main__":
    run()
