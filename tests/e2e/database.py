#!/usr/bin/env python3
"""A database out and back again, as its owner would do it: into a folder and a bucket, in every compression, in one part
and in many, by holdfast and by the stock commands of RESTORE.txt.  Stock pg_dump of both sides is the judge."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from awkward import AWKWARD, ROWS  # noqa: E402
from tap import case, run  # noqa: E402
from world import HOLDFAST_PLAIN, Bucket, World, fresh_database, pg_env, plain_dump, psql, url  # noqa: E402

BUCKET = Bucket("database-of-holdfast")

STORES = [
    ("folder", {}),
    ("bucket", BUCKET.settings()),
]
FORMS = [
    ("gzip", {}),
    ("gzip-6", {"BACKUP_COMPRESSION": "gzip:6"}),
    ("zstd", {"BACKUP_COMPRESSION": "zstd"}),
    ("none", {"BACKUP_COMPRESSION": "none"}),
    ("many-parts", {"ARCHIVE_BYTES": "1M"}),
    ("many-parts-of-zstd", {"ARCHIVE_BYTES": "1M", "BACKUP_COMPRESSION": "zstd"}),
]


def goes_and_comes_back(world, database, **env):
    done = world.run("backup", "database", **env)
    assert done.code == 0, done
    proved = world.run("verify", "latest", "--level", "2", **env)
    assert proved.code == 0, proved
    copy = database + "_back"
    psql("postgres", f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
    restored = world.run("restore", "database", "latest", "--create", "--to", url(copy), **env)
    assert restored.code == 0, restored
    assert plain_dump(copy) == plain_dump(database)


def round_trip(store, settings, form, more):
    @case(f"/database/round-trip/{store}/{form}")
    def _():
        database = fresh_database("e2e_rows", ROWS + ";" + AWKWARD)
        with World(database) as world:
            goes_and_comes_back(world, database, **settings, **more, S3_BACKUP_PREFIX="trip-" + form)


for store_name, store_settings in STORES:
    for form_name, form_settings in FORMS:
        round_trip(store_name, store_settings, form_name, form_settings)


@case("/database/an-empty-one")
def _():
    with World(fresh_database("e2e_empty")) as world:
        goes_and_comes_back(world, "e2e_empty")


@case("/database/a-name-that-needs-quotes")
def _():
    name = 'it\'s "odd" = \\ ü'
    psql("postgres", 'DROP DATABASE IF EXISTS "it\'s ""odd"" = \\ ü" WITH (FORCE)')
    psql("postgres", 'CREATE DATABASE "it\'s ""odd"" = \\ ü" TEMPLATE template0')
    with World(name) as world:
        done = world.run("backup", "database")
        assert done.code == 0, done
        shown = world.run("show", "latest", "--json")
        assert shown.json["manifest"]["database"]["name"] == name, shown
    psql("postgres", 'DROP DATABASE "it\'s ""odd"" = \\ ü" WITH (FORCE)')


@case("/database/five-thousand-tables")
def _():
    make = "".join(f"CREATE TABLE t{i} (a int PRIMARY KEY); INSERT INTO t{i} VALUES ({i});" for i in range(5000))
    with World(fresh_database("e2e_many", make)) as world:
        goes_and_comes_back(world, "e2e_many")
        assert world.run("show", "latest", "--json").json["manifest"]["database"]["tables"] == 5000
    psql("postgres", "DROP DATABASE e2e_many WITH (FORCE); DROP DATABASE e2e_many_back WITH (FORCE)")


def run_restore_txt(world, folder, name, target, **env):
    """sh RESTORE.txt, with standard libpq variables alone, and nothing of holdfast's in PATH."""
    psql("postgres", f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
    base = pg_env()
    del base["PGDATABASE"]
    return subprocess.run(["sh", name], cwd=folder, env={**base, "RESTORE_DATABASE": target, "HOME": world.folder, **env},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def restore_txt(form, more):
    @case(f"/restore-txt/folder/{form}")
    def _():
        database = fresh_database("e2e_txt", ROWS + ";" + AWKWARD)
        with World(database) as world:
            done = world.run("backup", "database", **more)
            assert done.code == 0, done
            name = [name for name in world.store_files() if name.endswith("RESTORE.txt")][0]
            ran = run_restore_txt(world, world.env["BACKUP_DIR"], name, "e2e_txt_back")
            assert ran.returncode == 0, ran
            assert plain_dump("e2e_txt_back") == plain_dump(database)


def restore_txt_s3(form, more):
    @case(f"/restore-txt/bucket/{form}")
    def _():
        database = fresh_database("e2e_txt", ROWS + ";" + AWKWARD)
        with World(database) as world:
            settings = BUCKET.settings(S3_BACKUP_PREFIX="txt-" + form, **more)
            done = world.run("backup", "database", **settings)
            assert done.code == 0, done
            os.makedirs(os.path.join(world.folder, "empty"))
            with open(os.path.join(world.folder, "empty", "RESTORE.txt"), "w", encoding="utf-8") as text:
                text.write(world.run("cat", "latest", "restore.txt", **settings).out)
            ran = run_restore_txt(world, os.path.join(world.folder, "empty"), "RESTORE.txt", "e2e_txt_back",
                                  AWS_ACCESS_KEY_ID=settings["AWS_ACCESS_KEY_ID"],
                                  AWS_SECRET_ACCESS_KEY=settings["AWS_SECRET_ACCESS_KEY"], AWS_DEFAULT_REGION="us-east-1")
            assert ran.returncode == 0, ran
            assert plain_dump("e2e_txt_back") == plain_dump(database)


for form_name, form_settings in FORMS:
    if form_name != "gzip-6":
        restore_txt(form_name, form_settings)
    if form_name in ("gzip", "many-parts-of-zstd"):
        restore_txt_s3(form_name, form_settings)


@case("/database/stock-tools-read-the-archive-alone")
def _():
    with World(fresh_database("e2e_stock", ROWS)) as world:
        assert world.run("backup", "database").code == 0
        archive = [name for name in world.store_files() if name.endswith(".sql.gz") and "globals" not in name][0]
        fresh_database("e2e_stock_back")
        pipe = f"gunzip -c '{archive}' | psql -qX -v ON_ERROR_STOP=1 >/dev/null"
        subprocess.run(["bash", "-o", "pipefail", "-c", pipe], cwd=world.env["BACKUP_DIR"], env=pg_env("e2e_stock_back"),
                       check=True)
        assert plain_dump("e2e_stock_back") == plain_dump("e2e_stock")


@case("/database/an-earlier-implementations-file-is-listed-and-restored")
def _():
    with World(fresh_database("e2e_adopt", ROWS)) as world:
        os.mkdir(world.env["BACKUP_DIR"])
        pipe = f"pg_dump | gzip >{world.env['BACKUP_DIR']}/database_backup_2024-01-15_02-00-00.sql.gz"
        subprocess.run(["bash", "-o", "pipefail", "-c", pipe], env=pg_env("e2e_adopt"), check=True)
        listed = world.run("list", "--json").json
        assert [row["level"] for row in listed["sets"]] == [0], listed
        psql("postgres", "DROP DATABASE IF EXISTS e2e_adopt_back WITH (FORCE)")
        restored = world.run("restore", "database", "latest", "--create", "--to", url("e2e_adopt_back"))
        assert restored.code == 0, restored
        assert plain_dump("e2e_adopt_back") == plain_dump("e2e_adopt")


def memory_case(store, settings, limit_mib):
    @case(f"/database/memory-is-bounded/{store}")
    def _():
        database = fresh_database("e2e_memory", """CREATE TABLE t AS SELECT i, (SELECT string_agg(md5(random()::text || i || j), '')
            FROM generate_series(1, 20) j) AS filler FROM generate_series(1, 300000) i""")
        with World(database) as world:
            child = world.start("-q", "backup", "database", program=HOLDFAST_PLAIN, **settings)
            _, err = child.stdout.read(), child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
            assert status == 0, err
            assert usage.ru_maxrss < limit_mib * 1024, f"{usage.ru_maxrss / 1024:.0f} MiB"
        psql("postgres", "DROP DATABASE e2e_memory WITH (FORCE)")


# One connection and a folder: 64 MiB.  The window that puts pieces of two connections in order costs 32 more.
memory_case("folder", {"DB_JOBS": "1"}, 64)
memory_case("folder-over-two-connections", {"DB_JOBS": "2"}, 96)
memory_case("bucket", BUCKET.settings(DB_JOBS="2"), 160)

if __name__ == "__main__":
    run()
