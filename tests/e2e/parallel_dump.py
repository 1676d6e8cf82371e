#!/usr/bin/env python3
"""Tables read side by side: what comes out is what stock pg_dump says of the same snapshot, and restores to the same
database; while others write; and where tables, locks or connections go away under it nothing is stored.

Every table is taken, small ones too (DB_JOBS_TABLE_BYTES=0), where a case does not say otherwise."""
import functools
import gzip
import os
import random
import signal
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from awkward import AWKWARD  # noqa: E402
from shapes import UNUSUAL, random_schema  # noqa: E402
from tap import case, run  # noqa: E402
from world import PG, Session, World, children, fresh_database, has_ended, pg_env, plain_dump, psql, url, wait_for  # noqa: E402

ALL = {"DB_JOBS": "3", "DB_JOBS_TABLE_BYTES": "0"}


def dump_of(world):
    """The plain text of the only set in the store."""
    name, = [name for name in world.store_files() if name.startswith("database_") and name.endswith(".sql.gz") and ".globals." not in name]
    with gzip.open(os.path.join(world.env["BACKUP_DIR"], name), "rb") as archive:
        return archive.read()


def stock_dump(database, *options):
    return subprocess.run(["pg_dump", *options], env=pg_env(database), capture_output=True, check=True).stdout


def lines_of(text):
    """All lines of a dump, sorted: the order of the tables is not compared, and words that differ from run to run."""
    noise = (b"\\restrict ", b"\\unrestrict ", b"SET default_tablespace", b"SET default_table_access_method")
    return sorted(line for line in text.split(b"\n") if line and not line.startswith(noise))


def assert_same_text(ours, stock):
    left, right = lines_of(ours), lines_of(stock)
    if left != right:
        only = [list(set(a) - set(b))[:5] for a, b in ((left, right), (right, left))]
        raise AssertionError(f"only ours: {only[0]}\nonly pg_dump's: {only[1]}\n{len(left)} and {len(right)} lines")


def assert_well_formed(text):
    assert text.count(b"\n\\restrict ") <= 1 and text.count(b"\n\\unrestrict ") <= 1
    assert text.startswith(b"--\n-- PostgreSQL database dump\n--\n")


def restore(world, copy, text):
    """By psql alone, from stock files."""
    psql("postgres", f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
    psql("postgres", f'CREATE DATABASE "{copy}" TEMPLATE template0')
    done = subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1"], env=pg_env(copy), input=text, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def proves_equal(database, is_restored=True, moves_rows=False, **env):
    """moves_rows: a table is partitioned by the hash of an enum, so a row's partition changes with each restore."""
    with World(database) as world:
        done = world.run("backup", "database", **{**ALL, **env})
        assert done.code == 0, done
        text = dump_of(world)
        assert_well_formed(text)
        assert_same_text(text, stock_dump(database))
        proved = world.run("verify", "latest", "--level", "2")
        assert proved.code == 0, proved
        if not is_restored:
            return
        copy = database + "_back"
        restore(world, copy, text)
        ours = plain_dump(copy)
        restore(world, copy, stock_dump(database))
        theirs = plain_dump(copy)
        assert (lines_of(ours) == lines_of(theirs)) if moves_rows else ours == theirs
        psql("postgres", f'DROP DATABASE "{copy}"')


# ---- shapes ----

@case("/parallel-dump/awkward-and-unusual-things-are-pg-dumps-own-text")
def _():
    proves_equal(fresh_database("par_awkward", AWKWARD + UNUSUAL), moves_rows=True)


@case("/parallel-dump/many-pieces-of-one-table")
def _():
    database = fresh_database("par_pieces", """
        CREATE TABLE t AS SELECT i, repeat(md5(i::text), 8) AS a FROM generate_series(1, 200000) i;
        DELETE FROM t WHERE i % 3 = 0 OR i BETWEEN 50000 AND 120000; UPDATE t SET a = 'x' WHERE i % 50 = 1;
        CREATE TABLE toasted AS SELECT i, (SELECT string_agg(md5((i * n)::text), '') FROM generate_series(1, 500) n) AS a
          FROM generate_series(1, 400) i""")
    proves_equal(database)
    proves_equal(database, is_restored=False, DB_JOBS="8")
    proves_equal(database, is_restored=False, DB_JOBS="2", DB_JOBS_TABLE_BYTES="1M")


@case("/parallel-dump/pgbench")
def _():
    database = fresh_database("par_pgbench")
    subprocess.run(["pgbench", "-i", "-q", "-s", "3", "--foreign-keys", "--partitions=3"], env=pg_env(database),
                   capture_output=True, check=True)
    proves_equal(database)
    copy = database + "_side_by_side"
    psql("postgres", f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
    with World(database) as world:
        assert world.run("backup", "database", **ALL).code == 0
        done = world.run("restore", "database", "latest", "--create", "--jobs", "3", "--to", url(copy))
        assert done.code == 0 and "equal to the manifest" in done.out, done
    assert lines_of(plain_dump(copy)) == lines_of(plain_dump(database))
    psql("postgres", f'DROP DATABASE "{copy}"')


for seed in range(6):
    @case(f"/parallel-dump/property/shapes-of-seed-{seed}")
    def _(seed=seed):
        proves_equal(fresh_database("par_shapes", random_schema(random.Random(seed))))


@case("/parallel-dump/every-compression-is-seekable")
def _():
    database = fresh_database("par_forms", "CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 90000) i")
    for form in ("zstd", "none", "gzip:6"):
        with World(database) as world:
            done = world.run("backup", "database", **ALL, BACKUP_COMPRESSION=form, ARCHIVE_BYTES="1M")
            assert done.code == 0, done
            done = world.run("verify", "latest", "--level", "2")
            assert done.code == 0, done


@case("/parallel-dump/an-extensions-tables-are-pg-dumps")
def _():
    """One whose rows pg_dump takes by the extension's condition, and one that it leaves out."""
    proves_equal(fresh_database("par_extension", """
        CREATE EXTENSION pgcrypto; CREATE SCHEMA its; CREATE TABLE its.mine (i int); INSERT INTO its.mine VALUES (1);
        CREATE TABLE configured (i int); INSERT INTO configured VALUES (1), (2), (3); CREATE TABLE hidden (i int);
        INSERT INTO hidden VALUES (4); ALTER EXTENSION pgcrypto ADD TABLE configured; ALTER EXTENSION pgcrypto ADD TABLE hidden;
        UPDATE pg_extension SET extconfig = ARRAY['configured'::regclass], extcondition = ARRAY['WHERE i > 1']
          WHERE extname = 'pgcrypto';
        ALTER EXTENSION pgcrypto ADD SCHEMA its; CREATE TABLE ours (i int); INSERT INTO ours VALUES (5)"""), is_restored=False)


# ---- settings of others ----

@case("/parallel-dump/settings-of-the-role-and-the-database-change-nothing")
def _():
    database = fresh_database("par_settings", """
        CREATE TABLE a_locked (i int); CREATE TABLE t (i int PRIMARY KEY, f float8, d date, n interval, z timestamptz, b bytea, s text);
        INSERT INTO t SELECT i, i / 3.0, date '2024-02-01' + i % 900, i * interval '1 hour 3 s', now(), '\\xff00', 'ü'
          FROM generate_series(1, 100000) i;
        ALTER DATABASE par_settings SET statement_timeout = '2s'; ALTER DATABASE par_settings SET lock_timeout = '2s';
        ALTER DATABASE par_settings SET idle_in_transaction_session_timeout = '2s';
        ALTER DATABASE par_settings SET "DateStyle" = 'German'; ALTER DATABASE par_settings SET "IntervalStyle" = 'iso_8601';
        ALTER DATABASE par_settings SET extra_float_digits = -5; ALTER DATABASE par_settings SET enable_tidscan = off;
        ALTER DATABASE par_settings SET bytea_output = escape; ALTER DATABASE par_settings SET "TimeZone" = 'Asia/Tokyo';
        ALTER DATABASE par_settings SET search_path = pg_temp;
        ALTER DATABASE par_settings SET default_transaction_isolation = serializable;
        ALTER DATABASE par_settings SET default_transaction_deferrable = on""")
    # One connection waits for a lock, and the snapshot's is idle, for longer than they may by these.
    lock = Session(database, "SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE public.a_locked IN ACCESS EXCLUSIVE MODE")
    with World(database) as world:
        ours = world.start("backup", "database", **ALL)
        wait_for(lambda: waits_for_lock(database, "query_start < clock_timestamp() - interval '3 s'"))
        lock.say("COMMIT")
        lock.close()
        out, err = ours.communicate()
        assert ours.returncode == 0, out + err
        assert_same_text(dump_of(world), stock_dump(database))
        proved = world.run("verify", "latest", "--level", "2")
        assert proved.code == 0, proved


@case("/parallel-dump/the-encoding-is-the-databases")
def _():
    psql("postgres", "DROP DATABASE IF EXISTS par_latin WITH (FORCE)")
    psql("postgres", "CREATE DATABASE par_latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    psql("par_latin", "SET client_encoding = 'UTF8'; CREATE TABLE \"Größe\" (\"Maß\" text); "
         "INSERT INTO \"Größe\" SELECT 'Ä' || i FROM generate_series(1, 5000) i;"
         "ALTER DATABASE par_latin SET client_encoding = 'UTF8'")
    with World("par_latin") as world:
        done = world.run("backup", "database", **ALL)
        assert done.code == 0, done
        assert_same_text(dump_of(world), stock_dump("par_latin", "--encoding=LATIN1"))
    psql("postgres", "DROP DATABASE par_latin")


@case("/parallel-dump/one-job-is-pg-dump-alone")
def _():
    database = fresh_database("par_alone", "CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i")
    with World(database) as world:
        done = world.run("backup", "database", DB_JOBS="1", DB_JOBS_TABLE_BYTES="0")
        assert done.code == 0, done
        strip = [line for line in dump_of(world).split(b"\n") if b"restrict " not in line]
        assert strip == [line for line in stock_dump(database).split(b"\n") if b"restrict " not in line]


@case("/parallel-dump/tables-whose-order-matters-are-left-to-pg-dump")
def _():
    """A CHECK that looks into another table restores by the luck of the names' order, and must go on doing so."""
    database = fresh_database("par_order", """
        CREATE TABLE a_first (i int); INSERT INTO a_first VALUES (1);
        CREATE FUNCTION known(v int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.a_first WHERE i = v)';
        CREATE TABLE b_second (i int CHECK (public.known(i))); INSERT INTO b_second VALUES (1)""")
    proves_equal(database)
    with World(database) as world:
        assert world.run("backup", "database", **ALL).code == 0
        text, stock = ([line for line in dump.split(b"\n") if b"restrict " not in line]
                       for dump in (dump_of(world), stock_dump(database)))
        assert text == stock


# ---- while others write ----

class Writers:
    """Threads that insert, update, delete, vacuum and make tables all the time."""

    STATEMENTS = ("INSERT INTO busy SELECT i, md5(random()::text) FROM generate_series(1, 500) i",
                  "UPDATE busy SET a = md5(a) WHERE ctid = ANY (ARRAY(SELECT ctid FROM busy ORDER BY random() LIMIT 300))",
                  "DELETE FROM busy WHERE ctid = ANY (ARRAY(SELECT ctid FROM busy ORDER BY random() LIMIT 300))",
                  "VACUUM busy", "SELECT nextval('counted')",
                  "CREATE TABLE IF NOT EXISTS late_{0} (i int); INSERT INTO late_{0} VALUES (1)")

    def __init__(self, database, count):
        self.database, self.ended, self.done = database, threading.Event(), 0
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(count)]

    def work(self, number):
        choice = random.Random(number)
        while not self.ended.is_set():
            psql(self.database, choice.choice(self.STATEMENTS).format(number))
            self.done += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def waits_for_lock(database, which="true", program="holdfast"):
    return psql("postgres", f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND "
                f"application_name = '{program}' AND wait_event_type = 'Lock' AND {which}") != "0"


def exported_snapshot(database):
    """The one of this database: others of the server may be dumped at the same time, and theirs cannot be taken here."""
    for name in psql("postgres", "SELECT pg_ls_dir('pg_snapshots')").split():
        if subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-c", "BEGIN ISOLATION LEVEL REPEATABLE READ", "-c",
                           f"SET TRANSACTION SNAPSHOT '{name}'"], env=pg_env(database), capture_output=True,
                          check=False).returncode == 0:
            return name
    raise AssertionError("no snapshot is exported")


BUSY = """CREATE TABLE a_locked (i int); INSERT INTO a_locked VALUES (7); CREATE SEQUENCE counted;
    CREATE TABLE busy AS SELECT i, md5(i::text) AS a FROM generate_series(1, 150000) i"""


@case("/parallel-dump/writers-all-the-while-and-it-is-one-snapshot")
def _():
    database = fresh_database("par_writers", BUSY)
    lock = Session(database, "BEGIN; LOCK TABLE a_locked IN ACCESS EXCLUSIVE MODE")
    with World(database) as world, Writers(database, 3) as writers:
        ours = world.start("backup", "database", **ALL)
        wait_for(lambda: waits_for_lock(database))
        snapshot = exported_snapshot(database)
        stock = subprocess.Popen(["pg_dump", "--snapshot=" + snapshot], env=pg_env(database), stdout=subprocess.PIPE)
        wait_for(lambda: waits_for_lock(database, program="pg_dump"))
        before = writers.done
        wait_for(lambda: writers.done > before + 30)
        lock.say("COMMIT")
        lock.close()
        text = stock.communicate()[0]
        out, err = ours.communicate()
        assert ours.returncode == 0 and stock.returncode == 0, out + err
        mine = dump_of(world)
    # What a sequence gives is never of a snapshot.
    left, right = ([line for line in lines_of(dump) if b"setval('public.counted'" not in line] for dump in (mine, text))
    assert left == right and len(left) > 100000
    assert stock_dump(database) != text


# ---- what goes away ----

def refuses(database, words, meanwhile, **env):
    """holdfast waits for a_locked, meanwhile() happens, and it fails with these words and stores nothing."""
    lock = Session(database, "BEGIN; LOCK TABLE a_locked IN ACCESS EXCLUSIVE MODE")
    with World(database) as world:
        ours = world.start("backup", "database", **{**ALL, **env})
        wait_for(lambda: waits_for_lock(database))
        meanwhile(lock)
        lock.close()
        out, err = ours.communicate(timeout=120)
        assert ours.returncode == 1 and words in err, out + err
        assert world.store_files() == [], world.store_files()
        assert world.other_files() == [], world.other_files()


GONE = [
    ("dropped", "was dropped or renamed", lambda lock: lock.say("DROP TABLE a_locked; COMMIT")),
    ("renamed", "was dropped or renamed", lambda lock: lock.say("ALTER TABLE a_locked RENAME TO z; COMMIT")),
    ("swapped-by-name", "table public.a_locked was altered", lambda lock: lock.say(
        "ALTER TABLE a_locked RENAME TO z; CREATE TABLE a_locked (i int); COMMIT")),
    ("truncated", "table public.a_locked was altered", lambda lock: lock.say("TRUNCATE a_locked; COMMIT")),
    ("a-column-dropped", "table public.a_locked was altered", lambda lock: lock.say(
        "ALTER TABLE a_locked ADD j int, DROP i; COMMIT")),
    ("rewritten", "table public.a_locked was altered", lambda lock: lock.say(
        "ALTER TABLE a_locked ALTER i TYPE bigint; COMMIT")),
    ("vacuumed-full", "table public.busy was altered", lambda lock: (psql(lock_database(), "VACUUM FULL busy"),
                                                                    lock.say("COMMIT"))),
]


def lock_database():
    return "par_gone"


for what, expected, happens in GONE:
    @case(f"/parallel-dump/a-table-is-{what}-before-it-is-locked")
    def _(expected=expected, happens=happens):
        refuses(fresh_database("par_gone", BUSY), expected, happens)


@case("/parallel-dump/an-owner-that-is-dropped-meanwhile-is-among-the-roles")
def _():
    """He owns something in the snapshot, so a restore needs him."""
    role = f"par_owner_{os.getpid()}"
    database = fresh_database("par_owner", BUSY + f"; CREATE ROLE {role}; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                              f"ALTER FUNCTION f() OWNER TO {role}")
    lock = Session(database, "BEGIN; LOCK TABLE a_locked IN ACCESS EXCLUSIVE MODE")
    with World(database) as world:
        ours = world.start("backup", "database", **ALL)
        wait_for(lambda: waits_for_lock(database) and all(has_ended(pid) for pid in children(ours.pid, "pg_dumpall")))
        psql(database, f"ALTER FUNCTION f() OWNER TO CURRENT_USER; DROP ROLE {role}")
        lock.say("COMMIT")
        lock.close()
        out, err = ours.communicate(timeout=120)
        assert ours.returncode == 0, out + err
        assert f"OWNER TO {role}".encode() in dump_of(world)
        roles = world.run("cat", "latest", "globals")
        assert f"CREATE ROLE {role};" in roles.out, roles


@case("/parallel-dump/a-lock-that-lasts-is-an-error-that-says-so")
def _():
    database = fresh_database("par_locked", BUSY)
    for jobs in ("1", "3"):
        lock = Session(database, "BEGIN; LOCK TABLE a_locked IN ACCESS EXCLUSIVE MODE")
        with World(database) as world:
            done = world.run("backup", "database", **{**ALL, "DB_JOBS": jobs}, DB_LOCK_SECONDS="1")
            assert done.code == 1 and "DB_LOCK_SECONDS" in done.err, done
            assert world.store_files() == [], world.store_files()
        lock.say("COMMIT")
        lock.close()


# Pieces of 4 MiB on the disk that are a hundred times as long in a dump: no socket's buffer takes one whole.
LARGE = "CREATE TABLE large AS SELECT i, repeat('x', 100000) AS a FROM generate_series(1, 5000) i"


@functools.cache
def large_database():
    return fresh_database("par_large", LARGE)


def stopped_amid(database, then, **env):
    """Stops holdfast while its readers copy, does then(world, ours), lets it go on; gives how it ended."""
    with World(database) as world:
        ours = world.start("backup", "database", **{**ALL, **env})
        wait_for(lambda: copying(database))
        ours.send_signal(signal.SIGSTOP)
        then(ours)
        ours.send_signal(signal.SIGCONT)
        out, err = ours.communicate(timeout=120)
        assert world.store_files() == [], world.store_files()
        assert world.other_files() == [], world.other_files()
        wait_for(lambda: psql("postgres", f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'") == "0")
        return ours.returncode, out + err


def copying(database):
    return psql("postgres", f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND state = 'active' AND "
                "query LIKE 'COPY (SELECT%'").split()


def end_backends(database, which):
    assert psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                f"datname = '{database}' AND {which}"), which


@case("/parallel-dump/a-reader-whose-connection-is-ended-fails-the-backup")
def _():
    database = large_database()
    code, said = stopped_amid(database, lambda ours: psql(
        "postgres", f"SELECT pg_terminate_backend({copying(database)[0]})"))
    assert code == 1 and "the connection was lost" in said, said


@case("/parallel-dump/a-query-that-is-cancelled-fails-the-backup")
def _():
    database = large_database()
    code, said = stopped_amid(database, lambda ours: psql(
        "postgres", f"SELECT pg_cancel_backend({copying(database)[0]})"))
    assert code == 1 and "table public.large" in said and "canceling" in said, said


@case("/parallel-dump/a-pg-dump-that-is-ended-fails-the-backup")
def _():
    database = large_database()
    code, said = stopped_amid(database, lambda ours: end_backends(database, "application_name = 'holdfast' AND "
                                                                  "query NOT LIKE 'COPY%' AND query NOT LIKE '%export%'"))
    assert code == 1 and "run it again" in said, said


@case("/parallel-dump/a-pg-dump-that-is-killed-fails-the-backup")
def _():
    """While it waits for a lock, so that it cannot have said all that it has to say."""
    database = fresh_database("par_killed", BUSY + "; CREATE TABLE z_late (i int); ALTER TABLE z_late ENABLE ROW LEVEL SECURITY")
    lock = Session(database, "BEGIN; LOCK TABLE z_late IN ACCESS EXCLUSIVE MODE")
    with World(database) as world:
        ours = world.start("backup", "database", **ALL)
        pids = wait_for(lambda: len(children(ours.pid, "pg_dump")) == 3 and waits_for_lock(database) and
                        children(ours.pid, "pg_dump"))
        os.kill(max(pids), signal.SIGKILL)
        lock.say("COMMIT")
        lock.close()
        out, err = ours.communicate(timeout=120)
        assert ours.returncode == 1 and "signal 9" in err, out + err
        assert world.store_files() == [], world.store_files()


@case("/parallel-dump/the-snapshots-connection-is-ended-and-the-backup-fails")
def _():
    database = large_database()
    code, said = stopped_amid(database, lambda ours: end_backends(database, "query LIKE '%''pg_catalog.pg_authid''%'"))
    assert code == 1, said


@case("/parallel-dump/a-stop-on-the-way-leaves-nothing")
def _():
    database = large_database()
    code, said = stopped_amid(database, lambda ours: ours.send_signal(signal.SIGTERM))
    assert code == 1 and "cancelled" in said, said


@case("/parallel-dump/too-few-connections-are-an-error")
def _():
    database = fresh_database("par_few", BUSY)
    psql("postgres", "DROP ROLE IF EXISTS par_few; CREATE ROLE par_few LOGIN PASSWORD 'x' IN ROLE pg_read_all_data "
         "CONNECTION LIMIT 3")
    with World(database) as world:
        done = world.run("backup", "database", **ALL, DB_USER="par_few", DB_PASSWORD="x")
        assert done.code != 0 and "too many connections for role" in done.err, done
        assert world.store_files() == [], world.store_files()
    psql("postgres", "DROP DATABASE par_few; DROP ROLE par_few")


@case("/parallel-dump/a-login-without-rights-is-told-what-to-grant")
def _():
    database = fresh_database("par_denied", BUSY)
    psql("postgres", "DROP ROLE IF EXISTS par_denied; CREATE ROLE par_denied LOGIN PASSWORD 'x'")
    with World(database) as world:
        done = world.run("backup", "database", **ALL, DB_USER="par_denied", DB_PASSWORD="x")
        assert done.code == 1 and "permission denied for table" in done.err and "GRANT" in done.err, done
        assert world.store_files() == [], world.store_files()
    psql("postgres", "DROP DATABASE par_denied; DROP ROLE par_denied")


if __name__ == "__main__":
    assert PG.hostname and url
    run()
