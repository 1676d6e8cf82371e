#!/usr/bin/env python3
"""What goes wrong with a backup of images: what cannot be read is named, all else is stored, and the next run tries again."""
import fcntl
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import FaultProxy  # noqa: E402
from tap import case, run  # noqa: E402
from world import Bucket, World, wait_for  # noqa: E402

BUCKET = Bucket("faults-of-holdfast-images")
KEYS = [f"pictures/{number:03}.jpg" for number in range(30)]


def fill():
    with World("postgres") as world:
        for key in KEYS:
            path = os.path.join(world.folder, key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(os.urandom(20000))
        BUCKET.aws("s3", "sync", "--quiet", os.path.join(world.folder, "pictures"), f"s3://{BUCKET.name}/pictures/")


fill()


def settings(proxy=None, **more):
    endpoint = {"AWS_ENDPOINT_URL": proxy.address} if proxy else {}
    return BUCKET.settings(AWS_BUCKET_NAME=BUCKET.name, S3_BACKUP_BUCKET="", S3_TRIES="2", **endpoint, **more)


def backup(world, proxy=None, **more):
    return world.run("--json", "backup", "images", timeout=120, **settings(proxy, **more))


# What is done to one object, and what is said of it.
ONE_OBJECT = [
    ("forbidden", {"kind": "denied", "method": "GET", "match": "013.jpg"}, "denied"),
    ("in-cold-storage", {"kind": "archived", "method": "GET", "match": "013.jpg"}, ""),
    ("shorter-than-listed", {"kind": "short-reply", "method": "GET", "match": "013.jpg", "bytes": 700}, ""),
    ("cut-every-time", {"kind": "cut-reply", "method": "GET", "match": "013.jpg", "bytes": 0}, ""),
]


def one_object_case(name, fault, word):
    @case(f"/fault/images/one-object-{name}")
    def _():
        with World("postgres") as world, FaultProxy(fault) as proxy:
            result = backup(world, proxy)
            assert result.code == 3, result
            reply = result.json
            assert reply["status"] == "partial" and reply["images"]["troubled"] == 1, result
            assert reply["images"]["objects"] == len(KEYS) - 1, result
            trouble = reply["images"]["troubles"][0]
            assert trouble["key"] == "pictures/013.jpg" and word in trouble["reason"].lower(), result
            assert "pictures/013.jpg" in result.err, result
            proxy.set()
            again = backup(world, proxy)
            assert again.code == 0 and again.json["status"] == "complete", again
            assert again.json["images"]["unchanged"] == len(KEYS) - 1, again
            assert again.json["images"]["objects"] == len(KEYS), again


for row in ONE_OBJECT:
    one_object_case(*row)


@case("/fault/images/one-object-that-vanishes-after-the-listing")
def _():
    with World("postgres") as world, FaultProxy() as proxy:
        # The listing says that it is there; then it is not.
        with open(os.path.join(world.folder, "x"), "wb") as file:
            file.write(b"x")
        proxy.set({"kind": "hold", "method": "GET", "match": "vanishing"})
        BUCKET.aws("s3", "cp", "--quiet", os.path.join(world.folder, "x"), f"s3://{BUCKET.name}/vanishing")
        child = world.start("--json", "backup", "images", **settings(proxy))
        wait_for(lambda: proxy.counts()["held"])
        BUCKET.aws("s3", "rm", "--quiet", f"s3://{BUCKET.name}/vanishing")
        proxy.set()
        out, err = child.communicate(timeout=120)
        reply = json.loads(out)
        assert child.returncode == 3 and reply["images"]["troubles"][0]["key"] == "vanishing", (out, err)
        again = backup(world)
        assert again.code == 0 and again.json["images"]["objects"] == len(KEYS), again


@case("/fault/images/one-object-forbidden-by-the-server-itself")
def _():
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET.name}/pictures/007.jpg"}]}
    BUCKET.aws("s3api", "put-bucket-policy", "--bucket", BUCKET.name, "--policy", json.dumps(policy))
    try:
        with World("postgres") as world:
            result = backup(world)
            assert result.code == 3, result
            assert [row["key"] for row in result.json["images"]["troubles"]] == ["pictures/007.jpg"], result
    finally:
        BUCKET.aws("s3api", "delete-bucket-policy", "--bucket", BUCKET.name)


@case("/fault/images/objects-larger-than-memory-are-streamed")
def _():
    with World("postgres") as world:
        images = os.path.join(world.folder, "images")
        os.mkdir(images)
        with open(os.path.join(images, "large"), "wb") as file:
            for _ in range(30):
                file.write(os.urandom(10 << 20))
        result = world.run("--json", "backup", "images", program=os.environ["HF_TEST_HOLDFAST_PLAIN"], timeout=120,
                           IMAGES_DIR=images)
        assert result.code == 0 and result.json["images"]["bytes"] == 300 << 20, result


@case("/fault/images/a-list-that-is-cut-is-an-error-not-a-deletion")
def _():
    with World("postgres") as world, FaultProxy() as proxy:
        good = backup(world, proxy)
        assert good.code == 0, good
        before = world.store_files()
        for kind in ("cut-reply", "short-reply"):
            proxy.set({"kind": kind, "method": "GET", "match": "list-type=2", "bytes": 2000})
            result = backup(world, proxy)
            assert result.code == 1, result
            assert world.store_files() == before, world.store_files()


@case("/fault/images/the-source-bucket-is-gone")
def _():
    with World("postgres") as world:
        result = world.run("backup", "images", **dict(settings(), AWS_BUCKET_NAME="faults-of-holdfast-not-there"))
        assert result.code in (1, 2) and "faults-of-holdfast-not-there" in result.err, result
        assert world.store_files() == [], world.store_files()
        folder = world.run("backup", "images", IMAGES_DIR="/nonexistent/folder")
        assert folder.code == 2 and "IMAGES_DIR" in folder.err, folder


@case("/fault/images/two-runs-at-once")
def _():
    with World("postgres") as world:
        os.makedirs(world.env["BACKUP_STATE_DIR"])
        with open(os.path.join(world.env["BACKUP_STATE_DIR"], "images.lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for what in ("images", "full"):
                result = world.run("backup", what, **settings())
                assert result.code == 1 and "running already" in result.err, result
        assert world.store_files() == [], world.store_files()
        assert backup(world).code == 0


LOST = [
    ("lost", "index.jsonl.gz", lambda path: os.unlink(path)),
    ("cut", "index.jsonl.gz", lambda path: os.truncate(path, os.path.getsize(path) // 2)),
    ("bit-turned", "index.jsonl.gz", lambda path: turn_a_bit(path)),
    ("tarball-lost", "tar.gz", lambda path: os.unlink(path)),
]


def turn_a_bit(path):
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 4]))


def lost_case(name, extension, damage):
    @case(f"/fault/images/last-index-{name}-makes-a-full-run-that-says-so")
    def _():
        with World("postgres") as world:
            first = backup(world).json["set"]
            damage(os.path.join(world.env["BACKUP_DIR"], f"images_backup_{first}.{extension}"))
            second = backup(world)
            assert second.code == 0, second
            images = second.json["images"]
            assert "base" not in images and images["full_reason"] and images["added"] == len(KEYS), second
            assert first in images["full_reason"] and "full" in second.err, second


for row in LOST:
    lost_case(*row)


run()
