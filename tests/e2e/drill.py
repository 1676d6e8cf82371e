"""Drills: RESTORE.txt of a database, a full and an incremental set, by stock tools alone, from a folder and from a bucket."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["HF_TEST_SRCDIR"], "tests", "lib"))
from proof import Proof, servers  # noqa: E402
from tap import case, run  # noqa: E402
from world import Bucket, fresh_database, psql, wait_for  # noqa: E402

SQL = """CREATE TABLE t AS SELECT i, md5(i::text) AS word FROM generate_series(1, 500) i;
CREATE TABLE "Odd ""name" (a int PRIMARY KEY);
INSERT INTO "Odd ""name" VALUES (1), (2)"""
KEYS = ["a/1.jpg", "a/2.jpg", "a", "odd name", "odd\nname", "-rf", "ümläut.jpg", "copy of 1.jpg"]


def make(world):
    """A folder of images with names of every kind, one content twice."""
    images = os.path.join(world.folder, "state", "images")
    for key in KEYS:
        if key == "a":
            continue
        path = os.path.join(images, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"one" * 9000 if "1.jpg" in key else os.urandom(5000))
    world.env["IMAGES_DIR"] = images
    return images


def is_good(world, result, tables=0, objects=0):
    assert result.code == 0, result
    proof = result.json["verification"]
    assert result.json["level"] == 4 and proof["drill"] and proof["recover_seconds"] > 0, result
    assert proof["tables"] == tables and proof["objects"] == objects and "unproved" not in proof, result
    world.leaves_nothing()


@case("/drill/a-database")
def _():
    with Proof(fresh_database("drill_one", SQL)) as world:
        set_id = world.backup()["set"]
        is_good(world, world.run("--json", "drill"), tables=2)
        row = world.run("--json", "list").json["sets"][0]
        assert row["set"] == set_id and row["level"] == 4, row
        assert "(drill)" in world.run("show", set_id).out
        text = world.run("drill")
        assert "came back by its RESTORE.txt in" in text.out, text


@case("/drill/a-full-set-and-an-incremental-one")
def _():
    with Proof(fresh_database("drill_one", SQL)) as world:
        images = make(world)
        world.backup("full")
        is_good(world, world.run("--json", "drill"), tables=2, objects=7)
        os.unlink(f"{images}/odd name")
        with open(f"{images}/a/2.jpg", "ab") as file:
            file.write(b"more")
        with open(f"{images}/new", "wb") as file:
            file.write(b"new")
        time.sleep(1)
        world.backup("full")
        is_good(world, world.run("--json", "drill"), tables=2, objects=7)
        time.sleep(1)
        world.backup("images")
        newest = world.run("--json", "list").json["sets"][-1]["set"]
        is_good(world, world.run("--json", "drill", newest), objects=7)


@case("/drill/other-compressions")
def _():
    for compression in ("zstd", "none"):
        with Proof(fresh_database("drill_one", SQL)) as world:
            make(world)
            world.backup("full", BACKUP_COMPRESSION=compression)
            is_good(world, world.run("--json", "drill"), tables=2, objects=7)


@case("/drill/a-bucket")
def _():
    bucket = Bucket(f"drill-{os.getpid()}")
    with Proof(fresh_database("drill_one", SQL)) as world:
        make(world)
        world.env.update(bucket.settings())
        world.backup("full")
        is_good(world, world.run("--json", "drill", timeout=300), tables=2, objects=7)


@case("/drill/a-database-called-postgres")
def _():
    with Proof("postgres") as world:
        world.backup()
        result = world.run("--json", "drill")
        assert result.code == 0 and result.json["level"] == 4, result
        world.leaves_nothing()


@case("/drill/what-comes-back-otherwise-is-listed-and-the-set-is-suspect")
def _():
    with Proof(fresh_database("drill_one", SQL)) as world:
        make(world)
        set_id = world.backup("full")["set"]
        path = f"{world.env['BACKUP_DIR']}/backup_{set_id}.RESTORE.txt"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\nprintf x >>\"$images/a/2.jpg\"; rm \"$images/-rf\"; : >\"$images/more\"\n"
                       "psql -qXd \"$RESTORE_DATABASE\" -c 'DELETE FROM t WHERE i < 9'\n")
        result = world.run("--json", "drill")
        assert result.code == 1, result
        differences = "\n".join(result.json["verification"]["differences"])
        for words in ("table public.t: 500 row(s) were backed up, 492", '"a/2.jpg" has another content',
                      '"-rf" is not among the restored files'):
            assert words in differences, differences
        row = world.run("--json", "list").json["sets"][0]
        assert row["suspect"] and row["failed_level"] == 4, row
        world.leaves_nothing()


@case("/drill/holdfast-cannot-help-it")
def _():
    with Proof(fresh_database("drill_one", SQL)) as world:
        set_id = world.backup()["set"]
        path = f"{world.env['BACKUP_DIR']}/backup_{set_id}.RESTORE.txt"
        with open(path, "a", encoding="utf-8") as file:
            file.write("\nholdfast --version >&2\n")
        folder = os.path.dirname(os.environ["HF_TEST_HOLDFAST"])
        result = world.run("drill", PATH=f"{folder}:{world.env['PATH']}")
        assert result.code == 1 and "holdfast: not found" in result.err, result


@case("/drill/without-server-programs-the-images-are-drilled-and-all-is-read")
def _():
    with Proof(fresh_database("drill_one", SQL)) as world:
        make(world)
        set_id = world.backup("full")["set"]
        programs = os.path.join(world.folder, "state", "bin")
        os.makedirs(programs)
        for name in ("pg_dump", "pg_dumpall", "psql"):
            os.symlink(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))[-1], os.path.join(programs, name))
        result = world.run("--json", "drill", DB_BIN_DIR=programs)
        proof = result.json["verification"]
        assert result.code == 3 and proof["objects"] == 7 and result.json["level"] == 2, result
        assert "install postgresql-" in proof["unproved"][0], result
        row = world.run("--json", "list").json["sets"][0]
        assert row["set"] == set_id and row["level"] == 2 and not row["suspect"], row
        world.leaves_nothing()


@case("/drill/tools-that-are-missing-are-named-with-their-packages")
def _():
    with Proof(fresh_database("drill_one", SQL)) as world:
        make(world)
        world.backup("full")
        tools = os.path.join(world.folder, "state", "tools")
        os.makedirs(tools)
        for name in ("sh", "cat", "env", "setpriv", "dirname", "mktemp", "rm", "ls", "mkdir", "gzip", "gunzip", "find"):
            os.symlink(shutil.which(name), os.path.join(tools, name))
        result = world.run("drill", PATH=tools)
        assert result.code == 3 and "sha256sum (package coreutils)" in result.out, result
        assert "tar (package tar)" in result.out and "xargs (package findutils)" in result.out, result
        assert "gunzip" not in result.out, result
        world.leaves_nothing()


@case("/drill/a-full-disk")
def _():
    with Proof(fresh_database("drill_one", SQL)) as world:
        images = make(world)
        with open(f"{images}/large", "wb") as file:
            file.write(os.urandom(3 << 20))
        world.backup("full")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=711", "holdfast-test", world.scratch], check=True)
        try:
            result = world.run("drill")
            assert result.code == 3 and result.out.count("are free in") == 2, result
            assert "all of it was read back" in result.out, result
            world.leaves_nothing()
        finally:
            subprocess.run(["umount", world.scratch], check=True)


@case("/drill/interrupted-and-killed")
def _():
    slow = "CREATE TABLE naps (s float8); INSERT INTO naps VALUES (0);" \
           "CREATE MATERIALIZED VIEW slow AS SELECT pg_sleep(s)::text FROM naps; UPDATE naps SET s = 120"
    with Proof(fresh_database("drill_slow", slow)) as world:
        world.backup()
        for number in (signal.SIGTERM, signal.SIGKILL):
            child = world.start("drill")
            wait_for(lambda: at_the_view(world, child))
            child.send_signal(number)
            _, err = child.communicate(timeout=120)
            assert number == signal.SIGKILL or (child.returncode == 1 and "cancelled" in err), err
            wait_for(lambda: not servers(world.scratch))
            assert number == signal.SIGKILL or not os.listdir(world.scratch), os.listdir(world.scratch)
        assert os.listdir(world.scratch), "what the killed run left"
        assert not world.run("--json", "list").json["sets"][0]["suspect"]
        psql("drill_slow", "UPDATE naps SET s = 0")
        time.sleep(1)
        world.backup()
        is_good(world, world.run("--json", "drill"), tables=1)


def at_the_view(world, child):
    """Whether a server below our own folder is there: other tests have scratch servers, too."""
    assert child.poll() is None, child.communicate()
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                words = file.read()
            folder = os.readlink(os.path.join(os.path.dirname(path), "cwd"))
        except OSError:
            continue
        if words.startswith("postgres: holdfast_scratch") and "REFRESH" in words and folder.startswith(world.scratch + "/"):
            return True
    return False


if __name__ == "__main__":
    run()
