#!/usr/bin/env python3
"""What goes wrong with a database backup: one clear line, the right exit status, and nothing left behind."""
import os
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402
from world import PG, SRCDIR, Gate, Result, Session, World, children, fresh_database, plain_dump, psql, url, wait_for  # noqa: E402

# About 60 MB of dump: long enough to be hit in the middle.  Its large object comes behind the tables.
LARGE = """CREATE TABLE large AS SELECT i, md5(i::text) || repeat(md5((i * 7)::text), 8) AS filler
           FROM generate_series(1, 200000) i; SELECT lo_from_bytea(0, 'x')"""
# So while somebody has this, a dump does not come to its end, however fast it is.
HELD = "BEGIN; LOCK TABLE pg_catalog.pg_largeobject IN ACCESS EXCLUSIVE MODE"
SMALL = "CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i"


def fails_cleanly(world, result, code, *words):
    """One line on stderr that names the thing and the remedy; the store as it was; no temporary file."""
    lines = [line for line in result.err.splitlines() if line.strip()]
    assert result.code == code, result
    errors = [line for line in lines if line.startswith("holdfast: ")]
    assert len(errors) == 1 and lines[-1] == errors[0], result
    for word in words:
        assert word in errors[0], (word, result)
    assert PG.password not in result.err + result.out, result
    assert world.store_files() == world.before, (world.before, world.store_files())
    assert not world.other_files(), world.other_files()


def with_a_good_backup(database):
    """A world that holds one good backup already, which must not be touched."""
    world = World(database)
    good = world.run("backup", "database")
    assert good.code == 0, good
    world.before = world.store_files()
    return world


SETTINGS = [
    ("a-host-that-refuses", {"DB_PORT": "1"}, 2, ("127.0.0.1", "DB_PORT")),
    ("a-host-without-a-name", {"DB_HOST": "no-such-host.invalid"}, 2, ("no-such-host.invalid", "DB_HOST")),
    ("a-wrong-password", {"DB_PASSWORD": "wrong"}, 2, ("DB_PASSWORD",)),
    ("a-database-that-is-not-there", {"DB_NAME": "no_such_database"}, 2, ("no_such_database", "DB_NAME")),
    ("a-user-that-is-not-there", {"DB_USER": "nobody_here"}, 2, ("nobody_here",)),
]


def setting_case(name, env, code, words):
    @case(f"/fault/database/{name}")
    def _():
        with with_a_good_backup(fresh_database("faults_small", SMALL)) as world:
            fails_cleanly(world, world.run("backup", "database", **env), code, *words)


for row in SETTINGS:
    setting_case(*row)


@case("/fault/database/no-right-to-read-one-table")
def _():
    database = fresh_database("faults_rights", SMALL + "; CREATE TABLE hidden (a int);")
    psql("postgres", "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'pw'")
    psql(database, "GRANT SELECT ON t TO reader")
    with with_a_good_backup(database) as world:
        result = world.run("backup", "database", DB_USER="reader", DB_PASSWORD="pw")
        fails_cleanly(world, result, 1, "hidden", "GRANT")
    psql("postgres", f"DROP DATABASE {database} WITH (FORCE); DROP ROLE reader")


@case("/fault/database/row-level-security-hides-rows")
def _():
    database = fresh_database("faults_rls", SMALL + "; ALTER TABLE t ENABLE ROW LEVEL SECURITY;")
    psql("postgres", "DROP ROLE IF EXISTS limited; CREATE ROLE limited LOGIN PASSWORD 'pw'")
    psql(database, "GRANT SELECT ON t TO limited; CREATE POLICY own ON t USING (a < 10)")
    with with_a_good_backup(database) as world:
        result = world.run("backup", "database", DB_USER="limited", DB_PASSWORD="pw")
        fails_cleanly(world, result, 1, "BYPASSRLS")
    psql("postgres", f"DROP DATABASE {database} WITH (FORCE); DROP ROLE limited")


def fake_programs(text):
    """A folder with a pg_dump of our own making."""
    folder = tempfile.mkdtemp(prefix="holdfast-fake.")
    for name in ("pg_dump", "pg_dumpall", "psql"):
        with open(os.path.join(folder, name), "w", encoding="ascii") as script:
            script.write("#!/bin/sh\n" + text)
        os.chmod(os.path.join(folder, name), 0o755)
    return folder


@case("/fault/database/a-server-newer-than-pg-dump")
def _():
    folder = fake_programs("echo 'pg_dump (PostgreSQL) 14.5 (Debian 14.5-1)'\n")
    with with_a_good_backup(fresh_database("faults_small", SMALL)) as world:
        result = world.run("backup", "database", DB_BIN_DIR=folder)
        fails_cleanly(world, result, 2, "14", "15", "postgresql-client-15")


@case("/fault/database/pg-dump-that-ends-well-but-early")
def _():
    real = subprocess.run(["sh", "-c", "ls /usr/lib/postgresql/*/bin/pg_dump | tail -n 1"], capture_output=True,
                          text=True, check=True).stdout.strip()
    folder = fake_programs(f'case "$*" in *--version*) exec {real} --version;; esac\n{real} "$@" | head -c 3000\nexit 0\n')
    with with_a_good_backup(fresh_database("faults_small", SMALL)) as world:
        result = world.run("backup", "database", DB_BIN_DIR=folder)
        fails_cleanly(world, result, 1, "closing line")


def has_grown(world):
    """Whether data has flowed into the store's temporary file."""
    try:
        names = [name for name in world.store_files() if name not in world.before]
        return any(os.path.getsize(os.path.join(world.env["BACKUP_DIR"], name)) > 100000 for name in names)
    except FileNotFoundError:
        return False


def in_the_middle(database, act, code, *words, **env):
    """Begins a backup, waits until data has flowed, acts, and looks at what is left."""
    with with_a_good_backup(database) as world:
        with Session(database, HELD) as held:
            child = world.start("backup", "database", **env)
            try:
                wait_for(lambda: has_grown(world))
                act(child)
                out, err = child.communicate(timeout=120)
            finally:
                child.kill()
            held.say("ROLLBACK")
        fails_cleanly(world, Result(child.returncode, out, err), code, *words)
        again = world.run("backup", "database")
        assert again.code == 0, again


def kill_pg_dump(child):
    for pid in children(child.pid, "pg_dump"):
        os.kill(pid, signal.SIGKILL)


@case("/fault/database/pg-dump-killed-in-the-middle")
def _():
    # Alone: beside our own readers it has little to say, and may have ended well by then.
    in_the_middle(fresh_database("faults_large", LARGE), kill_pg_dump, 1, "pg_dump", "signal 9", DB_JOBS="1")


for name, number in (("interrupt", signal.SIGINT), ("terminate", signal.SIGTERM), ("hangup", signal.SIGHUP)):
    def stop_case(name, number):
        @case(f"/fault/database/{name}-leaves-nothing")
        def _():
            in_the_middle("faults_large", lambda child: child.send_signal(number), 1, "cancelled")
    stop_case(name, number)


@case("/fault/database/backend-terminated-in-the-middle")
def _():
    def terminate(_):
        psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'faults_large'"
             " AND application_name = 'holdfast'")
    in_the_middle("faults_large", terminate, 1)


@case("/fault/database/server-stopped-in-the-middle")
def _():
    folder = tempfile.mkdtemp(prefix="holdfast-pg.")
    script = os.path.join(SRCDIR, "tests/lib/postgres.sh")
    os.chmod(folder, 0o755)
    try:
        started = subprocess.run([script, "start", folder], capture_output=True, text=True, check=True).stdout
        address = started.strip().split("=", 1)[1]
        subprocess.run(["psql", "-qX", "-d", address, "-c", LARGE], check=True)
        with World("postgres") as world:
            world.env.update({"DATABASE_URL": address})
            for name in ("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"):
                del world.env[name]
            good = world.run("backup", "database")
            assert good.code == 0, good
            world.before = world.store_files()
            with Session(address, HELD):
                child = world.start("backup", "database")
                wait_for(lambda: has_grown(world))
                subprocess.run([script, "crash", folder], check=True, capture_output=True)
                out, err = child.communicate(timeout=120)
            fails_cleanly(world, Result(child.returncode, out, err), 1, "server")
    finally:
        subprocess.run([script, "stop", folder], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", folder], check=True)


@case("/fault/database/a-full-disk")
def _():
    with World("faults_large") as world:
        store = world.env["BACKUP_DIR"]
        os.mkdir(store)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "holdfast-test", store], check=True)
        try:
            world.before = []
            result = world.run("backup", "database")
            fails_cleanly(world, result, 1, "No space left", "free some space")
        finally:
            subprocess.run(["umount", store], check=True)


@case("/fault/database/a-folder-that-may-not-be-written")
def _():
    with with_a_good_backup(fresh_database("faults_small", SMALL)) as world:
        # root may write anywhere: a file in the place of the folder is refused to everybody.
        path = os.path.join(world.folder, "state", "file")
        with open(path, "w", encoding="ascii"):
            pass
        result = world.run("backup", "database", BACKUP_DIR=path)
        fails_cleanly(world, result, 1, path)


@case("/fault/database/a-second-run-at-the-same-time-is-refused")
def _():
    with with_a_good_backup(fresh_database("faults_gate", Gate.TABLE)) as world, Gate("faults_gate") as gate:
        first = world.start("backup", "database")
        wait_for(lambda: children(first.pid, "pg_dump"))
        second = world.run("backup", "database")
        gate.open()
        out, err = first.communicate(timeout=120)
        assert first.returncode == 0, (out, err)
        assert second.code == 1 and str(first.pid) in second.err, second


def dumping(child):
    """Its pg_dump at work: not the one that is asked for its version and may have ended by now, nor one that is just being started."""
    found = []
    for pid in children(child.pid, "pg_dump"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"--snapshot" in file.read():
                    found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


@case("/fault/database/no-secret-is-seen-in-the-process-list")
def _():
    with with_a_good_backup(fresh_database("faults_gate", Gate.TABLE)) as world, Gate("faults_gate") as gate:
        child = world.start("backup", "database", DB_JOBS="1")
        dumps = wait_for(lambda: dumping(child))
        seen = b""
        for pid in dumps:
            for what in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{what}", "rb") as file:
                    seen += file.read()
        with open(f"/proc/{child.pid}/cmdline", "rb") as file:
            seen += file.read()
        gate.open()
        child.communicate(timeout=120)
        assert child.returncode == 0
        assert b"snapshot" in seen and PG.password.encode() not in seen


DAMAGE = [
    ("cut-by-one-byte", lambda data: data[:-1]),
    ("one-bit-turned-at-the-beginning", lambda data: bytes([data[0] ^ 1]) + data[1:]),
    ("one-bit-turned-in-the-middle", lambda data: data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 4])
     + data[len(data) // 2 + 1:]),
    ("one-bit-turned-at-the-end", lambda data: data[:-1] + bytes([data[-1] ^ 128])),
    ("one-byte-longer", lambda data: data + b"\0"),
    ("empty", lambda data: b""),
]


def damage_case(name, mutilate):
    @case(f"/fault/archive/{name}")
    def _():
        with with_a_good_backup(fresh_database("faults_small", SMALL)) as world:
            archive = [name for name in world.before if name.endswith(".sql.gz") and "globals" not in name][0]
            path = os.path.join(world.env["BACKUP_DIR"], archive)
            with open(path, "rb") as file:
                data = file.read()
            with open(path, "wb") as file:
                file.write(mutilate(data))
            fails_cleanly(world, world.run("cat", "latest"), 1, archive)
            # Ranged reads never see what was appended, and restore all the rows; psql alone reads the whole object.
            jobs = ("--jobs", "1") if name == "one-byte-longer" else ()
            result = world.run("restore", "database", "latest", "--create", "--to", url("faults_damaged"), *jobs)
            fails_cleanly(world, result, 1, archive)
            # A proof that failed is recorded.
            verified = world.run("verify", "latest", "--level", "2")
            failed = [name for name in world.store_files() if name not in world.before]
            assert failed in ([f"backup_{archive[16:35]}.failed{level}.json"] for level in (1, 2)), failed
            world.before = sorted([*world.before, *failed])
            fails_cleanly(world, verified, 1, archive)
            there = psql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'faults_damaged'")
            assert there == "0", "a database that could not be restored was left behind"


for row in DAMAGE:
    damage_case(*row)


@case("/fault/restore/a-database-that-is-not-empty-is-refused")
def _():
    with with_a_good_backup(fresh_database("faults_small", SMALL)) as world:
        target = fresh_database("faults_target", "CREATE TABLE mine (a int); INSERT INTO mine VALUES (1)")
        before = plain_dump(target)
        fails_cleanly(world, world.run("restore", "database", "latest", "--to", url(target)), 1, target, "empty")
        assert plain_dump(target) == before
        fails_cleanly(world, world.run("restore", "database", "latest", "--create", "--to", url(target)), 1, target)
        assert plain_dump(target) == before


@case("/fault/restore/a-target-that-is-not-there")
def _():
    with with_a_good_backup("faults_small") as world:
        psql("postgres", "DROP DATABASE IF EXISTS faults_none")
        fails_cleanly(world, world.run("restore", "database", "latest", "--to", url("faults_none")), 2, "--create")


@case("/fault/restore/a-set-that-is-not-there")
def _():
    with with_a_good_backup("faults_small") as world:
        fails_cleanly(world, world.run("restore", "database", "1999", "--to", url("x")), 1, "1999")
        fails_cleanly(world, world.run("show", "2031-01-01_00-00-00"), 1, "2031-01-01_00-00-00")


if __name__ == "__main__":
    run()
