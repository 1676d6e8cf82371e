"""Levels 3 and 4 of proof, what is left of a scratch cluster (nothing), and the alarms of a set that lost something."""
import glob
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["HF_TEST_SRCDIR"], "tests", "lib"))
from proof import Proof, servers  # noqa: E402
from tap import case, run  # noqa: E402
from world import children, fresh_database, psql, url, wait_for  # noqa: E402

SMALL = """CREATE EXTENSION pgcrypto;
CREATE TABLE t AS SELECT i, md5(i::text) AS word FROM generate_series(1, 500) i;
CREATE TABLE "Odd ""name" (a int PRIMARY KEY);
INSERT INTO "Odd ""name" VALUES (1), (2);
CREATE TABLE empty (a int);
CREATE TABLE parts (a int) PARTITION BY RANGE (a);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
INSERT INTO parts SELECT generate_series(1, 50);
ALTER TABLE t OWNER TO proof_owner"""
# What hangs in a restore and nowhere else: the view is filled again at the very end of it.
SLOW = """CREATE TABLE naps (s float8);
INSERT INTO naps VALUES (0);
CREATE MATERIALIZED VIEW slow AS SELECT pg_sleep(s)::text FROM naps;
UPDATE naps SET s = 900"""


def make_owner():
    psql("postgres", "DO $$ BEGIN CREATE ROLE proof_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$")


def small(name):
    make_owner()
    return fresh_database(name, SMALL)


@case("/verify/level-3-counts-every-row-and-leaves-nothing")
def _():
    with Proof(small("proof_small")) as world:
        set_id = world.backup()["set"]
        result = world.run("--json", "verify", set_id, "--level", "3")
        assert result.code == 0, result
        proof = result.json["verification"]
        assert result.json["level"] == 3 and proof["tables"] == 4 and proof["rows"] == 552, result
        assert proof["recover_seconds"] > 0 and proof["server_version"] and "unproved" not in proof, result
        world.leaves_nothing()
        shown = world.run("show", set_id)
        assert "level 3 restored: seen" in shown.out and "recovered in" in shown.out, shown


@case("/verify/level-4-compares-digests-and-list-says-so")
def _():
    with Proof(small("proof_small")) as world:
        set_id = world.backup()["set"]
        result = world.run("verify", set_id, "--level", "4")
        assert result.code == 0 and "level 4 equal" in result.out and "552 rows" in result.out, result
        world.leaves_nothing()
        row = world.run("--json", "list").json["sets"][0]
        assert row["level"] == 4 and not row["suspect"], row
        with open(os.path.join(world.env["BACKUP_DIR"], f"backup_{set_id}.level4.json"), encoding="utf-8") as file:
            record = json.load(file)
        assert record["tables"] == 4 and record["recover_milliseconds"] > 0 and record["set"] == set_id, record


@case("/verify/a-database-called-postgres-and-one-of-another-encoding")
def _():
    psql("postgres", "DROP DATABASE IF EXISTS proof_latin")
    psql("postgres", "CREATE DATABASE proof_latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    psql("proof_latin", "CREATE TABLE t AS SELECT chr(228) AS a")
    for database in ("postgres", "proof_latin"):
        with Proof(database) as world:
            set_id = world.backup()["set"]
            result = world.run("verify", set_id, "--level", "4")
            assert result.code == 0 and "level 4" in result.out, result
            world.leaves_nothing()


@case("/verify/a-tablespace-of-the-original-is-made-in-the-scratch-folder")
def _():
    with Proof(small("proof_space")) as world:
        place = os.path.join(world.folder, "space")
        os.mkdir(place)
        if os.geteuid() == 0:
            shutil.chown(place, "postgres")
        psql("postgres", "DROP TABLESPACE IF EXISTS proof_space")
        psql("postgres", f"CREATE TABLESPACE proof_space LOCATION '{place}'")
        psql("proof_space", "CREATE TABLE far (a int) TABLESPACE proof_space; INSERT INTO far VALUES (1)")
        try:
            set_id = world.backup()["set"]
            result = world.run("verify", set_id, "--level", "4")
            assert result.code == 0 and "unproved" not in result.out, result
            world.leaves_nothing()
        finally:
            psql("postgres", "DROP DATABASE proof_space WITH (FORCE)")
            psql("postgres", "DROP TABLESPACE proof_space")


@case("/verify/a-dump-that-cannot-be-restored-is-found-and-makes-the-set-suspect")
def _():
    # A row that names an index: pg_dump is content, and the restore stops, since indexes are made after rows.
    fresh_database("proof_broken", "CREATE TABLE a (x int); CREATE INDEX a_x ON a (x);"
                   "CREATE TABLE b (r regclass); INSERT INTO b VALUES ('a_x')")
    with Proof("proof_broken") as world:
        set_id = world.backup()["set"]
        result = world.run("--json", "verify", set_id, "--level", "3")
        assert result.code == 1 and "a_x" in result.err and "cannot be restored" in result.err, result
        world.leaves_nothing()
        row = world.run("--json", "list").json["sets"][0]
        assert row["level"] == 2 and row["suspect"] and row["failed_level"] == 3, row
        assert "a_x" in row["suspect_reason"], row
        assert re_find("suspect", world.run("list").out), world.run("list")
        shown = world.run("show", set_id)
        assert "FAILED" in shown.out and "holdfast accept" in shown.out, shown


def re_find(word, text):
    return any(word in line for line in text.splitlines())


@case("/verify/level-4-finds-rows-that-change-on-the-way")
def _():
    # A type whose output is not what its input takes: every trip through text changes it, and no row is lost.
    fresh_database("proof_weird", """CREATE TYPE weird;
CREATE FUNCTION weird_in(cstring) RETURNS weird AS 'textin' LANGUAGE internal IMMUTABLE STRICT;
CREATE FUNCTION weird_out(weird) RETURNS cstring AS 'byteaout' LANGUAGE internal IMMUTABLE STRICT;
CREATE TYPE weird (INPUT = weird_in, OUTPUT = weird_out, LIKE = text);
CREATE TABLE strange (w weird); INSERT INTO strange VALUES ('a'); CREATE TABLE fine AS SELECT 1 AS a""")
    with Proof("proof_weird") as world:
        set_id = world.backup()["set"]
        assert world.run("verify", set_id, "--level", "3").code == 0
        result = world.run("--json", "verify", set_id, "--level", "4")
        assert result.code == 1 and "public.strange" in result.err and "public.fine" not in result.err, result
        differences = result.json["verification"]["differences"]
        assert len(differences) == 1 and "digests differ" in differences[0], differences
        row = world.run("--json", "list").json["sets"][0]
        assert row["level"] == 3 and row["failed_level"] == 4 and row["suspect"], row
        world.leaves_nothing()


@case("/verify/extensions-that-the-scratch-cluster-lacks-are-named")
def _():
    share = subprocess.run(["pg_config", "--sharedir"], capture_output=True, text=True, check=False).stdout.strip()
    folder = share + "/extension"
    if not os.path.isdir(folder):
        folder = sorted(glob.glob("/usr/share/postgresql/*/extension"))[-1]
    made = []
    try:
        for name in ("holdfast_one", "holdfast_two"):
            for suffix, text in ((".control", "default_version = '1'\n"), ("--1.sql", "SELECT 1;\n")):
                made.append(os.path.join(folder, name + suffix))
                with open(made[-1], "w", encoding="ascii") as file:
                    file.write(text)
        fresh_database("proof_ext", "CREATE EXTENSION holdfast_one; CREATE EXTENSION holdfast_two;"
                       "CREATE EXTENSION pgcrypto; CREATE TABLE t AS SELECT 1 AS a")
    finally:
        for path in made:
            os.unlink(path)
    with Proof("proof_ext") as world:
        set_id = world.backup()["set"]
        result = world.run("--json", "verify", set_id, "--level", "4")
        assert result.code == 3 and result.json["level"] == 2, result
        line = result.json["verification"]["unproved"][0]
        assert "holdfast_one" in line and "holdfast_two" in line and "pgcrypto" not in line, line
        row = world.run("--json", "list").json["sets"][0]
        assert row["level"] == 2 and not row["suspect"], row
        world.leaves_nothing()


@case("/verify/without-server-programs-level-2-is-seen-and-the-package-named")
def _():
    with Proof(small("proof_small")) as world:
        set_id = world.backup()["set"]
        programs = os.path.join(world.folder, "state", "bin")
        os.makedirs(programs)
        for name in ("pg_dump", "pg_dumpall", "psql"):
            os.symlink(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))[-1], os.path.join(programs, name))
        result = world.run("verify", set_id, "--level", "4", DB_BIN_DIR=programs)
        assert result.code == 3 and "install postgresql-" in result.out and "level 2" in result.out, result
        assert world.run("--json", "list").json["sets"][0]["level"] == 2
        world.leaves_nothing()


@case("/verify/a-full-disk-is-seen-before-anything-is-written")
def _():
    with Proof(small("proof_small")) as world:
        set_id = world.backup()["set"]
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=711", "holdfast-test", world.scratch], check=True)
        try:
            result = world.run("verify", set_id, "--level", "3")
            assert result.code == 3 and "are free in" in result.out and "SCRATCH_DIR" in result.out, result
            assert "level 2 read was proved" in result.out, result
            world.leaves_nothing()
        finally:
            subprocess.run(["umount", world.scratch], check=True)


@case("/verify/a-disk-that-fills-in-the-restore-says-nothing-about-the-set")
def _():
    # The dump is small, and what it makes at its end is not.
    fresh_database("proof_big", "CREATE MATERIALIZED VIEW big AS SELECT i, repeat(md5(i::text), 28) AS a, "
                   "repeat(md5((-i)::text), 28) AS b FROM generate_series(1, 400000) i")
    with Proof("proof_big") as world:
        set_id = world.backup()["set"]
        psql("postgres", "DROP DATABASE proof_big WITH (FORCE)")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=430m,mode=711", "holdfast-test", world.scratch], check=True)
        try:
            result = world.run("verify", set_id, "--level", "3", timeout=300)
            assert result.code == 3 and "free some space" in result.out and "level 2" in result.out, result
            assert not world.run("--json", "list").json["sets"][0]["suspect"]
            world.leaves_nothing()
        finally:
            subprocess.run(["umount", world.scratch], check=True)


def is_refreshing(server):
    for pid in children(server, "postgres"):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as title:
                if "REFRESH" in title.read():
                    return True
        except OSError:
            continue
    return False


def restoring(world, child):
    """Once a server of the scratch folder is at the slow view."""
    return child.poll() is None and any(is_refreshing(server) for server in servers(world.scratch))


@case("/verify/terminated-in-the-restore-leaves-nothing")
def _():
    with Proof(fresh_database("proof_slow", SLOW)) as world:
        set_id = world.backup()["set"]
        for number in (signal.SIGTERM, signal.SIGINT):
            child = world.start("verify", set_id, "--level", "3")
            wait_for(lambda: restoring(world, child))
            child.send_signal(number)
            _, err = child.communicate(timeout=300)
            assert child.returncode == 1 and "cancelled" in err, (number, child.returncode, err)
            world.leaves_nothing()
        assert not world.run("--json", "list").json["sets"][0]["suspect"]


@case("/verify/killed-in-the-restore-leaves-no-server-and-the-next-run-sweeps")
def _():
    with Proof(fresh_database("proof_slow", SLOW)) as world:
        set_id = world.backup()["set"]
        child = world.start("verify", set_id, "--level", "3")
        wait_for(lambda: restoring(world, child))
        child.kill()
        child.communicate(timeout=300)
        wait_for(lambda: not servers(world.scratch))
        left = os.listdir(world.scratch)
        assert len(left) == 1, left
        psql("proof_slow", "UPDATE naps SET s = 0")
        next_id = world.backup()["set"]
        result = world.run("verify", next_id, "--level", "3")
        assert result.code == 0 and left[0] in result.err, result
        world.leaves_nothing()


@case("/verify/a-scratch-database-on-a-server-of-ours-is-dropped")
def _():
    with Proof(small("proof_small")) as world:
        set_id = world.backup()["set"]
        result = world.run("--json", "verify", set_id, "--level", "4", VERIFY_DATABASE_URL=url("postgres"))
        assert result.code == 0 and result.json["level"] == 4, result
        assert "VERIFY_DATABASE_URL" in result.json["verification"]["unproved"][0], result
        assert psql("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'holdfast_verify%'") == "0"


@case("/verify/a-scratch-database-of-a-killed-run-is-dropped-by-the-next")
def _():
    with Proof(fresh_database("proof_slow", SLOW)) as world:
        set_id = world.backup()["set"]
        child = world.start("verify", set_id, "--level", "3", VERIFY_DATABASE_URL=url("postgres"))
        wait_for(lambda: psql("postgres", "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'REFRESH%'"
                              " AND datname LIKE 'holdfast_verify%'"))
        child.kill()
        child.communicate(timeout=300)
        count = "SELECT count(*) FROM pg_database WHERE datname LIKE 'holdfast_verify%'"
        assert psql("postgres", count) == "1"
        psql("proof_slow", "UPDATE naps SET s = 0")
        next_id = world.backup()["set"]
        result = world.run("verify", next_id, "--level", "3", VERIFY_DATABASE_URL=url("postgres"))
        assert result.code == 0 and "dropping database" in result.err, result
        assert psql("postgres", count) == "0"


@case("/verify/after-each-backup-where-the-setting-says-so")
def _():
    with Proof(small("proof_small")) as world:
        reply = world.backup(VERIFY_AFTER_BACKUP=4)
        assert reply["level"] == 4 and reply["verification"]["rows"] == 552, reply
        world.leaves_nothing()
    with Proof(fresh_database("proof_broken", "CREATE TABLE a (x int); CREATE INDEX a_x ON a (x);"
                              "CREATE TABLE b (r regclass); INSERT INTO b VALUES ('a_x')")) as world:
        reply = world.backup(code=3, VERIFY_AFTER_BACKUP=3)
        assert "a_x" in reply["verification_error"], reply
        sets = world.run("--json", "list").json["sets"]
        assert len(sets) == 1 and sets[0]["suspect"], sets


@case("/verify/a-file-of-the-earlier-implementation-is-restored-and-not-compared")
def _():
    with Proof(small("proof_small")) as world:
        world.backup()
        dump = glob.glob(world.env["BACKUP_DIR"] + "/database_backup_*.sql.gz")
        text = gzip.open([path for path in dump if "globals" not in path][0]).read()
        shutil.rmtree(world.env["BACKUP_DIR"])
        os.mkdir(world.env["BACKUP_DIR"])
        with gzip.open(world.env["BACKUP_DIR"] + "/database_backup_2024-01-15T02-00-00-000Z.sql.gz", "w") as file:
            file.write(text.replace(b"OWNER TO proof_owner", b"OWNER TO CURRENT_USER").replace(
                b"OWNER TO holdfast;", b"OWNER TO CURRENT_USER;"))
        result = world.run("verify", "latest", "--level", "3")
        assert result.code == 0 and "counted none" in result.out, result
        assert world.run("verify", "latest", "--level", "4").code == 2
        assert world.run("drill").code == 2
        world.leaves_nothing()


@case("/verify/settings-that-cannot-be-are-refused")
def _():
    with Proof(small("proof_small")) as world:
        set_id = world.backup()["set"]
        os.chmod(world.folder, 0o700)
        for words, env in (("--level 5", {}), ("--level 0", {}), ("--level 3", {"SCRATCH_DIR": "/nowhere"}),
                           ("--level 3", {"SCRATCH_DIR": "/etc/passwd"}), ("--level 3", {"SCRATCH_USER": "nosuchuser"}),
                           ("--level 3", {"SCRATCH_USER": "root"}), ("--level 3", {}),
                           ("--level 3", {"VERIFY_DATABASE_URL": "http://x"})):
            result = world.run("verify", set_id, *words.split(), **env)
            assert result.code == 2, (words, env, result)
        world.leaves_nothing()


# ---- alarms ----

@case("/alarm/a-table-that-is-gone-or-emptied-makes-the-set-suspect-once")
def _():
    with Proof(small("alarm_tables")) as world:
        first = world.backup()
        assert first["suspect"] is False
        time.sleep(1)
        psql("alarm_tables", 'DELETE FROM t WHERE i > 200; DROP TABLE "Odd ""name"; DROP TABLE empty')
        result = world.run("--json", "backup", "database")
        alarms = result.json["alarms"]
        assert result.code == 3 and result.json["suspect"] and len(alarms) == 2, result
        assert any("public.t: 200 rows instead of 500" in line for line in alarms), alarms
        assert any('"Odd ""name" is gone' in line for line in alarms), alarms
        suspect = result.json["set"]
        assert "suspect" in world.run("list").out and "holdfast accept" in world.run("show", suspect).out
        assert world.run("--json", "show", "latest").json["set"] == first["set"], "latest is the newest good one"
        time.sleep(1)
        again = world.backup()
        assert again["suspect"] is False, "no alarm twice for the same thing"
        accepted = world.run("accept", suspect)
        assert accepted.code == 0 and "is accepted" in accepted.out, accepted
        row = [row for row in world.run("--json", "list").json["sets"] if row["set"] == suspect][0]
        assert row["accepted"] and row["suspect"], row
        assert world.run("accept", again["set"]).code == 2 and world.run("accept", "latest").code == 2


@case("/alarm/the-percentage-is-a-setting")
def _():
    with Proof(small("alarm_percent")) as world:
        world.backup()
        psql("alarm_percent", "DELETE FROM t WHERE i > 300")
        time.sleep(1)
        assert world.backup(code=3, SHRINK_ALERT_PERCENT=30)["suspect"]
        psql("alarm_percent", "DELETE FROM t WHERE i > 100")
        time.sleep(1)
        assert not world.backup(SHRINK_ALERT_PERCENT=100)["suspect"]


@case("/alarm/images-that-are-gone-and-images-that-rows-name")
def _():
    fresh_database("alarm_images", "CREATE TABLE pictures AS SELECT 'p' || i || '.jpg' AS key FROM generate_series(1, 60) i")
    with Proof("alarm_images") as world:
        images = os.path.join(world.folder, "state", "images")
        os.makedirs(images)
        for number in range(1, 61):
            with open(f"{images}/p{number}.jpg", "w", encoding="ascii") as file:
                file.write(f"picture {number}")
        world.env.update(IMAGES_DIR=images, IMAGE_REFERENCES_SQL="SELECT key FROM pictures")
        assert not world.backup("full")["suspect"]
        os.unlink(f"{images}/p7.jpg")
        time.sleep(1)
        reply = world.backup("full", code=3)
        assert "p7.jpg" in reply["alarms"][0] and len(reply["alarms"]) == 1, reply
        time.sleep(1)
        assert not world.backup("images")["suspect"]
        time.sleep(1)
        assert not world.backup("full")["suspect"], "the same image is missing still"
        for number in range(10, 60):
            os.unlink(f"{images}/p{number}.jpg")
        time.sleep(1)
        alarms = world.backup("full", code=3)["alarms"]
        assert any(line.startswith("images: 9 objects instead of 59") for line in alarms), alarms
        assert any("missing" in line for line in alarms), alarms


if __name__ == "__main__":
    run()
