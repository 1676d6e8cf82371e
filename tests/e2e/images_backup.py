#!/usr/bin/env python3
"""holdfast backup images, backup full, delete and prune as a person or a script would use them: folders and real buckets."""
import json
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import FaultProxy  # noqa: E402
from tap import case, run  # noqa: E402
from world import Bucket, World, fresh_database, psql, wait_for  # noqa: E402

SMALL = "CREATE TABLE t (a int, image text); INSERT INTO t SELECT i, 'many/' || i FROM generate_series(1, 5) i"


class Images(World):
    """A world with a folder of images; the keys are as awkward as a file system allows."""

    def __init__(self, database="postgres"):
        super().__init__(database)
        self.images = os.path.join(self.folder, "images")
        self.env["IMAGES_DIR"] = self.images
        for key in ("a b+%.jpg", "many/1", "many/2", "many/3", "ünïcode/é.png"):
            self.put(key, os.urandom(3000))

    def put(self, key, content):
        path = os.path.join(self.images, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def backup(self, *words, what="images", code=0, **env):
        result = self.run("--json", "backup", what, *words, **env)
        assert result.code == code, result
        return result.json

    def manifest(self, set_id):
        with open(os.path.join(self.env["BACKUP_DIR"], f"backup_{set_id}.json"), encoding="utf-8") as file:
            return json.load(file)


def counts(reply):
    return tuple(reply["images"][name] for name in ("added", "changed", "deleted", "unchanged", "troubled"))


@case("/images/summary-and-json-say-what-changed")
def _():
    with Images() as world:
        first = world.run("backup", "images")
        assert first.code == 0 and "5 new, 0 changed, 0 deleted, 0 unchanged, 0 troubled" in first.out, first
        world.put("new", b"x")
        world.put("many/1", b"changed")
        os.unlink(os.path.join(world.images, "many/2"))
        assert counts(world.backup()) == (1, 1, 1, 3, 0)
        again = world.backup()
        assert counts(again) == (0, 0, 0, 5, 0) and again["images"]["archive_bytes"] == 0, again
        full = world.backup("--full")
        assert counts(full) == (5, 0, 0, 0, 0) and "base" not in full["images"], full
        shown = world.run("show", full["set"])
        assert shown.code == 0 and "5 objects" in shown.out, shown
        quiet = world.run("--quiet", "backup", "images")
        assert quiet.code == 0 and quiet.out == "" and quiet.err == "", quiet


@case("/images/backups-among-the-images-are-left-out")
def _():
    with Images() as world:
        world.env["BACKUP_DIR"] = os.path.join(world.images, "backups")
        assert counts(world.backup())[0] == 5
        assert counts(world.backup()) == (0, 0, 0, 5, 0)
    bucket = Bucket("images-of-holdfast-same")
    with World("postgres") as world:
        for number in range(3):
            bucket.aws("s3api", "put-object", "--bucket", bucket.name, "--key", f"many/{number}")
        settings = bucket.settings(AWS_BUCKET_NAME=bucket.name, S3_BACKUP_BUCKET=None)
        for expected in ((3, 0, 0, 0, 0), (0, 0, 0, 3, 0)):
            reply = world.run("--json", "backup", "images", **settings)
            assert reply.code == 0 and counts(reply.json) == expected, reply


@case("/images/unchanged-run-lists-once-for-a-thousand-objects")
def _():
    bucket = Bucket("images-of-holdfast-many")
    with World("postgres") as world, FaultProxy() as proxy:
        folder = os.path.join(world.folder, "many")
        os.mkdir(folder)
        for number in range(2500):
            with open(os.path.join(folder, f"{number:05}"), "w", encoding="ascii") as file:
                file.write(str(number))
        bucket.aws("s3", "sync", "--quiet", folder, f"s3://{bucket.name}/pictures/")
        settings = bucket.settings(AWS_ENDPOINT_URL=proxy.address, AWS_BUCKET_NAME=bucket.name,
                                   IMAGES_PREFIX="pictures", S3_BACKUP_BUCKET="", PRUNE_AFTER_BACKUP="false")
        first = world.run("--json", "backup", "images", **settings)
        assert first.code == 0 and counts(first.json)[0] == 2500, first
        proxy.set()
        second = world.run("--json", "backup", "images", **settings)
        assert second.code == 0 and counts(second.json) == (0, 0, 0, 2500, 0), second
        targets = proxy.counts()["targets"]
        assert len(targets) == 3 and all("list-type=2" in target for target in targets), targets


@case("/full/one-set-with-both-and-what-rows-name")
def _():
    with Images(fresh_database("images_full", SMALL)) as world:
        psql("images_full", "INSERT INTO t VALUES (6, NULL), (7, 'many/1')")
        reply = world.backup(what="full", code=3, IMAGE_REFERENCES_SQL="SELECT image FROM t; ")
        assert reply["kind"] == "full" and reply["status"] == "complete" and reply["rows"] == 7, reply
        assert reply["suspect"] and "many/4" in reply["alarms"][0], reply
        images = reply["images"]
        assert (images["named"], images["missing"], images["unnamed"]) == (5, 2, 2), reply
        shown = world.run("--json", "show", reply["set"], "--references")
        assert shown.code == 0, shown
        assert [row["key"] for row in shown.json["missing"]] == ["many/4", "many/5"], shown
        assert [row["key"] for row in shown.json["unnamed"]] == ["a b+%.jpg", "ünïcode/é.png"], shown
        references = world.manifest(reply["set"])["images"]["references"]
        assert references["missing_keys"] == [{"key": "many/4"}, {"key": "many/5"}], references
        plain = world.backup(what="full")
        none = world.run("show", plain["set"], "--references")
        assert none.code == 1 and "IMAGE_REFERENCES_SQL" in none.err, none


BAD_SQL = [
    ("two-columns", "SELECT a, image FROM t", "2 columns"),
    ("no-such-column", "SELECT picture FROM t", "picture"),
    ("no-query", "DELETE FROM t", "syntax error"),
    ("syntax", "SELEKT", "syntax error"),
]


@case("/full/bad-references-sql-is-refused-before-anything-is-stored")
def _():
    with Images(fresh_database("images_full", SMALL)) as world:
        for name, sql, word in BAD_SQL:
            result = world.run("backup", "full", IMAGE_REFERENCES_SQL=sql)
            assert result.code == 2 and "IMAGE_REFERENCES_SQL" in result.err and word in result.err, (name, result)
            assert world.store_files() == [], name


@case("/full/references-that-fail-on-the-way-leave-a-partial-set")
def _():
    with Images(fresh_database("images_full", SMALL)) as world:
        reply = world.backup(what="full", code=3, IMAGE_REFERENCES_SQL="SELECT (1 / (a - 3))::text FROM t")
        assert reply["status"] == "partial" and "division by zero" in reply["note"], reply
        assert reply["rows"] == 5 and reply["images"]["objects"] == 5, reply


@case("/full/images-that-fail-keep-the-database")
def _():
    bucket = Bucket("images-of-holdfast-gone")
    settings = bucket.settings(AWS_BUCKET_NAME="images-of-holdfast-never-was", S3_BACKUP_BUCKET="")
    with World(fresh_database("images_full", SMALL)) as world:
        result = world.run("--json", "backup", "full", **settings)
        assert result.code == 3 and result.json["status"] == "partial", result
        assert "images-of-holdfast-never-was" in result.json["note"] and "images" not in result.json, result
        assert world.run("verify", result.json["set"]).code == 0
        assert not any("images_backup" in name for name in world.store_files()), world.store_files()


@case("/full/a-database-that-fails-leaves-nothing")
def _():
    with Images(fresh_database("images_full", SMALL)) as world:
        programs = os.path.join(world.folder, "programs")
        os.mkdir(programs)
        for name in ("pg_dump", "pg_dumpall"):
            with open(os.path.join(programs, name), "w", encoding="ascii") as file:
                file.write('#!/bin/sh\n[ "$1" != --version ] || { echo "pg_dump (PostgreSQL) 99.1"; exit; }\n'
                           'echo "-- begins"; sleep 1; echo broken >&2; exit 1\n')
            os.chmod(file.name, 0o755)
        result = world.run("backup", "full", DB_BIN_DIR=programs)
        assert result.code == 1 and "broken" in result.err, result
        assert world.store_files() == [], world.store_files()


@case("/images/interrupted-first-run-goes-on")
def _():
    with Images() as world:
        for number in range(60):
            world.put(f"large/{number:03}", os.urandom(300000))
        # Behind all of them one whose end no run comes to.
        world.put("ÿ", b"")
        os.truncate(os.path.join(world.images, "ÿ"), 1 << 40)
        child = world.start("backup", "images", ARCHIVE_BYTES="1M")
        wait_for(lambda: any("part0003" in name for name in world.store_files()))
        child.send_signal(signal.SIGTERM)
        err = child.communicate()[1]
        assert child.returncode == 3, (child.returncode, err)
        os.unlink(os.path.join(world.images, "ÿ"))
        second = world.backup(ARCHIVE_BYTES="1M")
        assert counts(second)[0] + counts(second)[3] + counts(second)[1] == 65 and counts(second)[3] > 3, second
        assert second["images"]["objects"] == 65 and second["status"] == "complete", second


@case("/images/restore-txt-has-what-dead-hard-links-lead-to")
def _():
    with Images() as world:
        content = os.urandom(5000)
        world.put("x", content)
        world.backup()
        world.put("y", content)
        world.put("z", b"z")
        world.backup()
        for key in ("x", "a b+%.jpg", "many/1", "many/2", "many/3", "ünïcode/é.png"):
            world.put(key, b"another " + key.encode())
        os.unlink(os.path.join(world.images, "y"))
        last = world.backup()["set"]
        script = os.path.join(world.env["BACKUP_DIR"], f"backup_{last}.RESTORE.txt")
        restored = world.run(script, program="/bin/sh", RESTORE_IMAGES=os.path.join(world.folder, "restored"))
        assert restored.code == 0, restored
        found = os.path.join(world.folder, "restored")
        for base, _, names in os.walk(world.images):
            for name in names:
                key = os.path.relpath(os.path.join(base, name), world.images)
                with open(os.path.join(found, key), "rb") as got, open(os.path.join(base, name), "rb") as wanted:
                    assert got.read() == wanted.read(), key
        assert not os.path.exists(os.path.join(found, "y"))


@case("/prune/archives-go-with-the-last-set-that-refers-to-them")
def _():
    with Images() as world:
        first = world.backup()["set"]
        refused = world.run("delete", first)
        assert refused.code == 1 and "--force" in refused.err, refused
        world.put("new", b"x")
        second = world.backup()["set"]
        assert world.run("delete", first[:10]).code == 2
        assert world.run("delete", first).code == 0
        assert f"images_backup_{first}.tar.gz" in world.store_files()
        pruned = world.run("--json", "prune")
        assert pruned.code == 0 and pruned.json["removed"] == [] and pruned.json["kept"] == 1, pruned
        listed = world.run("--json", "list").json["sets"]
        assert [row["set"] for row in listed] == [second], listed
        last = world.backup("--full")["set"]
        assert world.run("delete", second).code == 0
        dry = world.run("--json", "prune", "--dry-run")
        assert dry.json["removed"] == [f"images_backup_{first}.tar.gz"], dry
        assert f"images_backup_{first}.tar.gz" in world.store_files()
        assert world.run("prune").code == 0
        left = [name for name in world.store_files() if not name.endswith(".deleted.json")]
        assert left and all(last in name for name in left), left
        assert counts(world.backup()) == (0, 0, 0, 6, 0)


@case("/prune/a-bucket")
def _():
    bucket = Bucket("images-of-holdfast-prune")
    with Images() as world:
        first = world.run("--json", "backup", "images", **bucket.settings()).json["set"]
        time.sleep(1.1)
        world.run("--json", "backup", "images", "--full", **bucket.settings())
        assert world.run("delete", first, **bucket.settings()).code == 0
        left = [key for key in bucket.keys() if first in key]
        assert left == [f"backups/backup_{first}.deleted.json"], left


run()
