#!/usr/bin/env python3
"""Images out of a set: restored into folders and buckets in every mode, one by one, listed, compared, proved; damaged
ones named, and all others restored; and RESTORE.txt run by stock tools."""
import hashlib
import json
import os
import random
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import FaultProxy  # noqa: E402
from tap import case, run  # noqa: E402
from world import Bucket, World  # noqa: E402

FILES = {"a.txt": b"first", "a/b.jpg": None, "a/c d+e%.jpg": None, "copy.txt": b"first", "empty": b"",
         "ża/ź.png": None, "sub/1.jpg": None, "sub/2.jpg": None, "sub/deep/3.jpg": None, "zz": b"z" * 50000}
META = ["--content-type", "image/webp", "--cache-control", "max-age=60", "--content-disposition", "inline",
        "--metadata", "owner=7,note=hello"]


def noise(name, size=30000):
    return random.Random(name).randbytes(size)


def content(key):
    return FILES[key] if FILES[key] is not None else noise(key)


def write(folder, key, data):
    path = os.path.join(folder, key)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def read_tree(folder):
    """Every file below the folder: its path to its content."""
    found = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


class Images(World):
    """A folder of images, a folder as the store."""

    def __init__(self, files=None):
        super().__init__("none")
        self.images = os.path.join(self.folder, "images")
        self.env["IMAGES_DIR"] = self.images
        os.mkdir(self.images)
        for key in FILES if files is None else files:
            write(self.images, key, content(key) if files is None else files[key])

    def backup(self, **env):
        """Makes a set; its id.  Ids are seconds: the next set must have another one."""
        done = self.run("--json", "backup", "images", **env)
        assert done.code in (0, 3), done
        return done.json["set"]

    def place(self, name):
        return os.path.join(self.folder, name)

    def restore(self, *words, **env):
        return self.run("--json", "restore", "images", *words, **env)

    def store_path(self, pattern):
        found = [name for name in self.store_files() if re.fullmatch(pattern, name)]
        assert len(found) == 1, (pattern, self.store_files())
        return os.path.join(self.env["BACKUP_DIR"], found[0])


def change(world):
    """What an incremental set must show: added, changed, deleted."""
    write(world.images, "added/new.jpg", noise("new"))
    write(world.images, "a/b.jpg", noise("changed"))
    os.remove(os.path.join(world.images, "sub/2.jpg"))


def turn_bit(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def place_in_archive(world, set_id, key):
    """Where the members of an image lie in its archive: a byte in the middle of them."""
    for line in world.run("cat", set_id, "index").out.splitlines():
        row = json.loads(line)
        if row.get("key") == key:
            return row["offset"] + row["packed"] // 2
    raise AssertionError(key)


# ---- into a folder


@case("/images/restore/a-folder-comes-back-as-it-was")
def _():
    with Images() as world:
        world.backup()
        done = world.restore("latest", "--to", world.place("out"))
        assert done.code == 0 and done.json["restored"] == len(FILES) and done.json["failed"] == 0, done
        assert read_tree(world.place("out")) == read_tree(world.images)


@case("/images/restore/an-incremental-set-comes-back-as-it-was")
def _():
    with Images() as world:
        first, before = world.backup(), read_tree(world.images)
        change(world)
        second = world.backup()
        for set_id, tree in ((second, read_tree(world.images)), (first, before)):
            done = world.restore(set_id, "--to", world.place(set_id))
            assert done.code == 0 and read_tree(world.place(set_id)) == tree, done


@case("/images/restore/large-and-empty-ones")
def _():
    files = {"large": noise("large", 9 << 20), "just": noise("just", 4 << 20), "none": b"", "text": b"ab" * (6 << 20)}
    with Images(files) as world:
        world.backup()
        done = world.restore("latest", "--to", world.place("out"))
        assert done.code == 0 and read_tree(world.place("out")) == files, done


@case("/images/restore/refuses-what-would-be-overwritten")
def _():
    with Images() as world:
        world.backup()
        write(world.place("out"), "zz", b"mine")
        done = world.restore("latest", "--to", world.place("out"))
        assert done.code == 1 and done.json["code"] == "conflict", done
        assert '"zz"' in done.json["error"] and "--missing-only" in done.json["error"], done
        assert read_tree(world.place("out")) == {"zz": b"mine"}


@case("/images/restore/refuses-what-the-set-does-not-have")
def _():
    with Images() as world:
        world.backup()
        write(world.place("out"), "other", b"mine")
        done = world.restore("latest", "--to", world.place("out"))
        assert done.code == 1 and done.json["code"] == "conflict" and "--mirror" in done.json["error"], done
        assert read_tree(world.place("out")) == {"other": b"mine"}


@case("/images/restore/a-deleted-image-back-into-its-folder")
def _():
    with Images() as world:
        world.backup()
        before = read_tree(world.images)
        os.remove(os.path.join(world.images, "sub/2.jpg"))
        done = world.restore("latest", "--to", world.images)
        assert done.code == 0 and done.json["restored"] == 1 and done.json["kept"] == len(FILES) - 1, done
        assert read_tree(world.images) == before


@case("/images/restore/missing-only-leaves-what-is-there")
def _():
    with Images() as world:
        world.backup()
        write(world.place("out"), "zz", b"mine")
        write(world.place("out"), "other", b"mine")
        done = world.restore("latest", "--to", world.place("out"), "--missing-only")
        assert done.code == 0 and done.json["kept"] == 1 and done.json["restored"] == len(FILES) - 1, done
        assert read_tree(world.place("out")) == dict(read_tree(world.images), zz=b"mine", other=b"mine")


@case("/images/restore/overwrite-replaces-and-removes-nothing")
def _():
    with Images() as world:
        world.backup()
        write(world.place("out"), "zz", b"mine")
        write(world.place("out"), "other", b"mine")
        done = world.restore("latest", "--to", world.place("out"), "--overwrite")
        assert done.code == 0 and done.json["removed"] == 0, done
        assert read_tree(world.place("out")) == dict(read_tree(world.images), other=b"mine")


@case("/images/restore/mirror-removes-what-the-set-does-not-have")
def _():
    with Images() as world:
        world.backup()
        write(world.place("out"), "zz", b"mine")
        write(world.place("out"), "other/deep", b"mine")
        done = world.restore("latest", "--to", world.place("out"), "--mirror")
        assert done.code == 0 and done.json["removed"] == 1, done
        assert read_tree(world.place("out")) == read_tree(world.images)


@case("/images/restore/only-touches-what-matches")
def _():
    with Images() as world:
        world.backup()
        write(world.place("out"), "zz", b"mine")
        write(world.place("out"), "sub/old.jpg", b"mine")
        words = ["latest", "--to", world.place("out"), "--only", "sub/*"]
        refused = world.restore(*words)
        assert refused.code == 1 and '"sub/old.jpg"' in refused.json["error"], refused
        done = world.restore(*words, "--mirror")
        assert done.code == 0 and done.json["restored"] == 3 and done.json["removed"] == 1, done
        assert sorted(read_tree(world.place("out"))) == ["sub/1.jpg", "sub/2.jpg", "sub/deep/3.jpg", "zz"]
        assert read_tree(world.place("out"))["zz"] == b"mine"


@case("/images/restore/modes-and-places-that-make-no-sense")
def _():
    with Images() as world:
        world.backup()
        out = world.place("out")
        for words in ([], ["--to", ""], ["--to", "gs://bucket"], ["--to", "s3://"], ["--to", out, "--mirror", "--overwrite"],
                      ["--to", world.env["BACKUP_DIR"]]):
            done = world.restore("latest", *words)
            assert done.code == 2, (words, done)
        assert not os.path.exists(out)


@case("/images/restore/mirror-over-the-backups-folder-spares-them")
def _():
    with Images() as world:
        world.env["BACKUP_DIR"] = os.path.join(world.images, "backups")
        world.backup()
        files = world.store_files()
        write(world.images, "extra", b"mine")
        done = world.restore("latest", "--to", world.images, "--mirror")
        assert done.code == 0 and done.json["removed"] == 1 and world.store_files() == files, done


# ---- damage


@case("/images/damage/a-turned-bit-in-an-archive-costs-one-image")
def _():
    with Images() as world:
        first = world.backup()
        change(world)
        second = world.backup()
        archive = world.store_path(f"images_backup_{first}\\.tar\\.gz")
        turn_bit(archive, place_in_archive(world, second, "sub/1.jpg"))
        done = world.restore(second, "--to", world.place("out"))
        assert done.code == 1 and done.json["code"] == "corrupt" and done.json["failed"] == 1, done
        assert '"sub/1.jpg"' in done.json["troubles"][0] and first in done.json["troubles"][0], done
        wanted = read_tree(world.images)
        del wanted["sub/1.jpg"]
        assert read_tree(world.place("out")) == wanted
        verified = world.run("--json", "verify", second)
        assert verified.code == 1 and first in verified.json["error"] and 'image "sub/1.jpg"' in verified.err, verified
        assert world.run("verify", second, "--level", "1").code == 0
        assert world.run("cat", second, "sub/1.jpg").code == 1
        assert world.run("cat", second, "a.txt").out == "first"


@case("/images/damage/mirror-removes-nothing-where-an-image-is-damaged")
def _():
    with Images() as world:
        first = world.backup()
        archive = world.store_path(f"images_backup_{first}\\.tar\\.gz")
        turn_bit(archive, place_in_archive(world, first, "sub/1.jpg"))
        write(world.place("out"), "other", b"mine")
        done = world.restore(first, "--to", world.place("out"), "--mirror")
        assert done.code == 1 and "nothing was removed" in done.json["error"] and done.json["removed"] == 0, done
        assert read_tree(world.place("out"))["other"] == b"mine"


@case("/images/damage/a-cut-archive-costs-what-was-cut")
def _():
    with Images() as world:
        first = world.backup()
        archive = world.store_path(f"images_backup_{first}\\.tar\\.gz")
        os.truncate(archive, place_in_archive(world, first, "sub/2.jpg"))
        done = world.restore(first, "--to", world.place("out"))
        assert done.code == 1, done
        got, wanted = read_tree(world.place("out")), read_tree(world.images)
        assert {"a.txt", "a/b.jpg", "sub/1.jpg"} < set(got) and "sub/2.jpg" not in got, sorted(got)
        assert done.json["failed"] == len(wanted) - len(got) and all(wanted[key] == got[key] for key in got), done
        level_1 = world.run("--json", "verify", first, "--level", "1")
        assert level_1.code == 1 and "was cut" in level_1.json["error"] and first in level_1.json["error"], level_1


NUMBERED = {f"{i:05}.txt": str(i).encode() for i in range(2000)}


def index_of(world, set_id):
    return world.store_path(f"images_backup_{set_id}\\.index\\.jsonl\\.gz")


@case("/images/damage/a-turned-bit-in-the-index-costs-no-image")
def _():
    with Images(NUMBERED) as world:
        first = world.backup()
        index = index_of(world, first)
        turn_bit(index, os.path.getsize(index) // 2)
        done = world.restore(first, "--to", world.place("out"))
        assert done.code == 0 and done.json["failed"] == 0 and "rebuilt from its parity" in done.err, done
        assert os.path.basename(index) in done.err and first in done.err, done
        assert read_tree(world.place("out")) == NUMBERED
        verified = world.run("--json", "verify", first)
        assert verified.code == 1 and "the index of the images was changed" in verified.json["error"], verified
        assert os.path.basename(index) in verified.err, verified
        for key in ("00000.txt", "00999.txt", "01999.txt"):
            assert world.run("cat", first, key).out == NUMBERED[key].decode(), key
        shown = world.run("show", first, "--objects")
        assert shown.code == 0 and len(shown.out.splitlines()) == len(NUMBERED), shown


@case("/images/damage/two-turned-bits-in-the-index-cost-two-pieces-of-it")
def _():
    with Images(NUMBERED) as world:
        first = world.backup()
        index = index_of(world, first)
        for share in (0.3, 0.8):
            turn_bit(index, int(os.path.getsize(index) * share))
        done = world.restore(first, "--to", world.place("out"))
        assert done.code == 1 and done.json["failed"] == 2, done
        lost = set(NUMBERED) - set(read_tree(world.place("out")))
        named = set()
        for trouble in done.json["troubles"]:
            said = re.search(r'images from "(\d+).txt" (?:to before "(\d+).txt"|on)', trouble)
            assert said and os.path.basename(index) in trouble and first in trouble, done
            named |= {f"{i:05}.txt" for i in range(int(said[1]), int(said[2] or len(NUMBERED)))}
        assert lost == named and len(lost) < 1700, (len(lost), len(named))
        verified = world.run("--json", "verify", first)
        assert verified.code == 1 and os.path.basename(index) in verified.json["error"], verified
        shown = world.run("show", first, "--objects")
        assert shown.code == 1 and len(shown.out.splitlines()) == len(NUMBERED) - len(lost), shown
        # Stock tools need no index.
        stock = subprocess.run(["dash", world.store_path(f"backup_{first}\\.RESTORE\\.txt")], check=False, capture_output=True,
                               env=dict(world.env, RESTORE_IMAGES=world.place("stock")), cwd=world.folder)
        assert stock.returncode == 0 and read_tree(world.place("stock")) == NUMBERED, stock.stderr


@case("/images/damage/a-bit-of-the-parity-is-seen-by-verify-alone")
def _():
    with Images(NUMBERED) as world:
        first = world.backup()
        parity = world.store_path(f"images_backup_{first}\\.index\\.parity")
        turn_bit(parity, os.path.getsize(parity) // 2)
        assert world.restore(first, "--to", world.place("out")).code == 0
        verified = world.run("--json", "verify", first)
        assert verified.code == 1 and os.path.basename(parity) in verified.json["error"], verified
        index = index_of(world, first)
        turn_bit(index, os.path.getsize(index) // 2)
        done = world.restore(first, "--to", world.place("out2"))
        assert done.code == 1 and done.json["failed"] == 1, done


# ---- one image, lists, differences


@case("/images/cat/every-image-and-every-word")
def _():
    with Images(dict({key: content(key) for key in FILES}, manifest=b"an image of this name")) as world:
        first = world.backup()
        for key, data in read_tree(world.images).items():
            done = subprocess.run([os.environ["HF_TEST_HOLDFAST"], "cat", "latest", "--object", key], env=world.env,
                                  cwd=world.folder, capture_output=True, check=True)
            assert done.stdout == data, key
        assert json.loads(world.run("cat", first, "manifest").out)["id"] == first
        assert world.run("cat", first, "zz").out == "z" * 50000
        missing = world.run("cat", first, "nope")
        assert missing.code == 1 and '"nope"' in missing.err, missing
        assert world.run("cat", first, "x", "--object", "y").code == 2


@case("/images/show/objects-are-streamed-and-a-prefix-picks")
def _():
    with Images() as world:
        first = world.backup()
        rows = [json.loads(line) for line in world.run("--json", "show", first, "--objects").out.splitlines()]
        assert rows.pop() == {"set": first, "objects": len(FILES), "success": True}, rows
        assert {row["key"]: row["sha256"] for row in rows} == {
            key: hashlib.sha256(data).hexdigest() for key, data in read_tree(world.images).items()}
        assert len(world.run("show", first, "--objects", "--prefix", "sub/").out.splitlines()) == 3
        shown = world.run("show", first)
        assert f"images    {len(FILES)} objects, " in shown.out and "a full run" in shown.out, shown
        listed = world.run("--json", "list").json["sets"]
        assert [(row["kind"], row["status"]) for row in listed] == [("images", "complete")], listed


@case("/images/diff/added-changed-and-removed")
def _():
    with Images() as world:
        first = world.backup()
        change(world)
        second = world.backup()
        rows = [json.loads(line) for line in world.run("--json", "diff", first, second).out.splitlines()]
        assert rows.pop() == {"from": first, "to": second, "added": 1, "changed": 1, "removed": 1,
                              "unchanged": len(FILES) - 2, "success": True}, rows
        assert [(row["difference"], row["key"]) for row in rows] == [
            ("changed", "a/b.jpg"), ("added", "added/new.jpg"), ("removed", "sub/2.jpg")], rows
        assert "0 added, 0 changed, 0 removed" in world.run("diff", first, first).out


@case("/images/verify/level-2-of-an-incremental-set")
def _():
    with Images() as world:
        world.backup()
        change(world)
        second = world.backup()
        done = world.run("--json", "verify", second)
        assert done.code == 0 and done.json["level"] == 2, done
        os.remove(world.store_path(f"images_backup_{second}\\.dead\\.gz"))
        gone = world.run("--json", "verify", second)
        assert gone.code == 1 and "dead" in gone.json["error"], gone


# ---- buckets


def buckets(name):
    """A bucket of images with metadata, a bucket of backups, and the settings for both."""
    images, backups = Bucket(f"{name}-images"), Bucket(f"{name}-backups")
    return images, backups, dict(backups.settings(), AWS_BUCKET_NAME=images.name, IMAGES_DIR=None)


def put(world, bucket, key, data, *words):
    write(world.folder, "upload", data)
    bucket.aws("s3api", "put-object", "--bucket", bucket.name, "--key", key, "--body", world.place("upload"), *words)


def get(world, bucket, key):
    """An object's bytes, and what is kept beside them."""
    head = json.loads(bucket.aws("s3api", "get-object", "--bucket", bucket.name, "--key", key, world.place("download")))
    with open(world.place("download"), "rb") as file:
        data = file.read()
    return data, {name: head.get(name) for name in ("ContentType", "CacheControl", "ContentDisposition", "Metadata")}


@case("/images/bucket/objects-and-their-metadata-come-back")
def _():
    images, _, settings = buckets("readback")
    target = Bucket("readback-target")
    odd = {"a": b"file", "a/b": b"below", "x//y": b"double", "/lead": b"slash", "plus+per%cent": b"odd", "ż ó": b"utf-8"}
    with Images({}) as world:
        for key, data in odd.items():
            put(world, images, key, data)
        put(world, images, "rich.webp", noise("rich"), *META)
        put(world, images, "large", noise("large", 6 << 20), *META)
        first = world.backup(**settings)
        done = world.restore(first, "--to", f"s3://{target.name}/under", **settings)
        assert done.code == 0 and done.json["restored"] == len(odd) + 2, done
        assert target.keys() == sorted("under/" + key for key in images.keys()), target.keys()
        for key in images.keys():
            assert get(world, target, "under/" + key) == get(world, images, key), key
        # The same bucket: what is there has the etag of the set.
        images.aws("s3api", "delete-object", "--bucket", images.name, "--key", "a/b")
        again = world.restore(first, "--to", f"s3://{images.name}", **settings)
        assert again.code == 0 and again.json["restored"] == 1 and again.json["kept"] == len(odd) + 1, again
        # A folder cannot hold all of them: those are named, the others are there.
        folder = world.restore(first, "--to", world.place("out"), **settings)
        assert folder.code == 1 and folder.json["failed"] == 3, folder
        assert sorted(read_tree(world.place("out"))) == ["a", "large", "plus+per%cent", "rich.webp", "ż ó"]


@case("/images/bucket/mirror-spares-the-backups-in-the-same-bucket")
def _():
    one = Bucket("one-bucket-for-both")
    settings = dict(one.settings(), AWS_BUCKET_NAME=one.name, S3_BACKUP_BUCKET=None, IMAGES_DIR=None)
    with Images({}) as world:
        put(world, one, "keep.jpg", noise("keep"))
        first = world.backup(**settings)
        put(world, one, "later.jpg", b"later")
        put(world, one, "keep.jpg", b"overwritten")
        backups = [key for key in one.keys() if key.startswith("backups/")]
        done = world.restore(first, "--to", f"s3://{one.name}", "--mirror", **settings)
        assert done.code == 0 and done.json["removed"] == 1 and done.json["restored"] == 1, done
        assert one.keys() == sorted([*backups, "keep.jpg"]) and get(world, one, "keep.jpg")[0] == noise("keep")
        refused = world.restore(first, "--to", f"s3://{one.name}/backups", "--mirror", **settings)
        assert refused.code == 2 and one.keys() == sorted([*backups, "keep.jpg"]), refused


@case("/images/bucket/one-image-costs-three-requests-and-little-more-than-itself")
def _():
    files = {f"{i // 100:03}/{i:06}.jpg": noise(i, 900) for i in range(20000)}
    _, backups, settings = buckets("oneimage")
    settings["AWS_BUCKET_NAME"] = None
    with Images(files) as world, FaultProxy() as proxy:
        settings["IMAGES_DIR"] = world.images
        first = world.backup(**settings)
        key = "123/012345.jpg"
        proxy.set()
        done = world.run("cat", first, key, **dict(settings, AWS_ENDPOINT_URL=proxy.address))
        counts = proxy.counts()
        assert done.code == 0 and counts.get("GET", 0) <= 3 and sum(
            counts.get(method, 0) for method in ("GET", "HEAD", "PUT", "POST")) <= 3, counts
        # What those requests can have carried: the manifest, one piece of the index, the image's members.
        manifest = json.loads(world.run("cat", first, "manifest", **settings).out)
        pieces = [piece["offset"] for piece in manifest["images"]["pieces"]] + [manifest["images"]["index"]["packed_bytes"]]
        largest = max(end - begin for begin, end in zip(pieces, pieces[1:]))
        head = json.loads(backups.aws("s3api", "head-object", "--bucket", backups.name, "--key",
                                      f"backups/backup_{first}.json"))
        assert head["ContentLength"] + largest + 4096 < 100_000, (head["ContentLength"], largest)


# ---- stock tools


def stock_restore(world, script, **env):
    """Runs RESTORE.txt with dash; what it made below "stock"."""
    done = subprocess.run(["dash", script], env=dict(world.env, RESTORE_IMAGES=world.place("stock"), **env),
                          cwd=world.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_tree(world.place("stock"))


@case("/images/stock/full-and-incremental-sets-from-a-folder")
def _():
    with Images() as world:
        first, before = world.backup(), read_tree(world.images)
        change(world)
        second = world.backup()
        assert stock_restore(world, world.store_path(f"backup_{first}\\.RESTORE\\.txt")) == before
        subprocess.run(["rm", "-r", world.place("stock")], check=True)
        assert stock_restore(world, world.store_path(f"backup_{second}\\.RESTORE\\.txt")) == read_tree(world.images)


@case("/images/stock/full-and-incremental-sets-from-a-bucket-with-awscli")
def _():
    _, _, settings = buckets("stockimages")
    settings["AWS_BUCKET_NAME"] = None
    with Images() as world:
        settings["IMAGES_DIR"] = world.images
        keys = {"AWS_ACCESS_KEY_ID": os.environ["HF_TEST_S3_ACCESS_KEY"], "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_SECRET_ACCESS_KEY": os.environ["HF_TEST_S3_SECRET_KEY"]}
        first, before = world.backup(**settings), read_tree(world.images)
        change(world)
        second = world.backup(**settings)
        for set_id, tree in ((first, before), (second, read_tree(world.images))):
            write(world.folder, "RESTORE.txt", world.run("cat", set_id, "restore.txt", **settings).out.encode())
            assert stock_restore(world, world.place("RESTORE.txt"), **keys) == tree, set_id
            subprocess.run(["rm", "-r", world.place("stock")], check=True)


if __name__ == "__main__":
    run()
