#!/usr/bin/env python3
"""ENCRYPT_METADATA: nothing that is stored tells a name, and everything works for who has the key."""
import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import FaultProxy  # noqa: E402
from sealed import Sealed, age_opens  # noqa: E402
from tap import case, run  # noqa: E402
from world import Bucket, pg_env, plain_dump, psql, url  # noqa: E402

# Words that no format has, and no text of base64 by chance; each is planted where a name can stand.
WORDS = {"database": "quaggadb", "table": "zyzzyva", "column": "ptarmigan", "key": "jackalope", "folder": "axolotl",
         "host": "narwhal", "hold": "dugong", "missing": "wombat"}
SQL = f"""
CREATE TABLE "{WORDS['table']}" (id int PRIMARY KEY, "{WORDS['column']}" text);
INSERT INTO "{WORDS['table']}" SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
CREATE TABLE picture (name text);
INSERT INTO picture SELECT 'pictures/' || lpad(i::text, 3, '0') || '.jpg' FROM generate_series(0, 29) i;
"""


class Hidden(Sealed):
    """The same world, where names are encrypted as well and are worth looking for."""

    def __init__(self, name=WORDS["database"]):
        super().__init__(name)
        psql(self.env["DB_NAME"], SQL)
        self.env["ENCRYPT_METADATA"] = "true"
        self.env["IMAGE_REFERENCES_SQL"] = "SELECT name FROM picture"
        self.put(f"{WORDS['folder']}/{WORDS['key']}.jpg", b"a picture")

    def manifest(self, set_id):
        with open(self.stored(f"backup_{set_id}.json"), encoding="utf-8") as file:
            return json.load(file)

    def rewrite(self, set_id, change):
        manifest = self.manifest(set_id)
        change(manifest)
        with open(self.stored(f"backup_{set_id}.json"), "w", encoding="utf-8") as file:
            json.dump(manifest, file)

    def objects(self):
        return {name: open(self.stored(name), "rb").read() for name in self.store_files()}


def readings(content):
    """What can be made of stored bytes without a key: as they are, unpacked, and each text in them decoded."""
    yield content
    try:
        yield gzip.decompress(content)
    except (OSError, EOFError):
        pass
    for text in re.findall(rb"[A-Za-z0-9+/]{16,}={0,2}", content):
        yield base64.b64decode(text[:len(text) - len(text) % 4], validate=False) if len(text) >= 16 else b""


def other_host():
    """Words in front of a command that give it a host name worth looking for, where we may."""
    words = ["unshare", "--uts", "sh", "-c", f"hostname {WORDS['host']} && exec \"$@\"", "sh"]
    done = subprocess.run([*words, "hostname"], capture_output=True, text=True, check=False)
    return words if done.returncode == 0 and done.stdout.strip() == WORDS["host"] else []


def tells(objects, words):
    return [(name, word) for name, content in objects.items() for reading in (name.encode(), *readings(content))
            for word in words if word.encode().lower() in reading.lower()]


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


@case("/metadata/nothing-that-is-stored-tells-a-name")
def _():
    with Hidden() as world:
        host = other_host()
        first = world.backup("full", BACKUP_COMPRESSION="zstd", prefix=host)
        world.put("pictures/000.jpg", b"changed")
        os.unlink(os.path.join(world.images, f"{WORDS['folder']}/{WORDS['key']}.jpg"))
        psql(world.env["DB_NAME"], f'DELETE FROM "{WORDS["table"]}" WHERE id > 100; '
                                   f"INSERT INTO picture VALUES ('{WORDS['missing']}.png')")
        done = world.run("--json", "backup", "full", prefix=host)
        assert done.code == 3 and WORDS["table"] in json.dumps(done.json), done
        second = done.json["set"]
        assert world.run("hold", first, "--reason", f"for the {WORDS['hold']}", prefix=host).code == 0
        assert world.run("accept", second).code == 0
        assert world.owner("verify", first, "--level", "2").code == 0
        names = [*WORDS.values(), world.env["DB_NAME"], "C.UTF-8", world.images, "picture"]
        objects = world.objects()
        for kind in (r"\.suspect\.json", r"\.hold\.json", r"\.accepted\.json", r"references\.jsonl.*\.age",
                     r"dead.*\.age", r"RESTORE\.txt\.age", r"images_.*index\.jsonl.*\.age", r"level2\.json"):
            assert any(re.search(kind, name) for name in objects), (kind, sorted(objects))
        assert tells(objects, names) == [], tells(objects, names)
        # And the look itself sees what is there: the same backup in the clear tells all of it.
        shutil.rmtree(world.env["BACKUP_DIR"])
        world.run("backup", "full", ENCRYPT_METADATA=None, BACKUP_RECIPIENTS=None, prefix=host)
        found = {word for _, word in tells(world.objects(), names)}
        assert {WORDS["table"], WORDS["missing"], world.env["DB_NAME"], "C.UTF-8"} <= found, found
        assert not host or WORDS["host"] in found, found


@case("/metadata/the-host-without-a-key-goes-on-from-its-own-copy")
def _():
    with Hidden() as world:
        world.backup("full")
        world.put("pictures/new.jpg", b"new")
        again = world.run("--json", "backup", "images").json
        assert (again["images"]["added"], again["images"]["unchanged"]) == (1, 31), again
        os.unlink(os.path.join(world.images, f"{WORDS['folder']}/{WORDS['key']}.jpg"))
        again = world.run("--json", "backup", "full").json
        assert (again["images"]["added"], again["images"]["deleted"]) == (0, 1), again
        copies = os.path.join(world.env["BACKUP_STATE_DIR"], "copies")
        for base, _, names in os.walk(copies):
            assert os.stat(base).st_mode & 0o777 == 0o700, base
            for name in names:
                assert os.stat(os.path.join(base, name)).st_mode & 0o777 == 0o600 and again["set"] in name, name
        # The guard sees what was lost.
        psql(world.env["DB_NAME"], f'DELETE FROM "{WORDS["table"]}"')
        done = world.run("--json", "backup", "database")
        assert done.code == 3 and WORDS["table"] in json.dumps(done.json), done
        # Lost, the next run is a full one and says so; the guard says that it had nothing to compare with.
        shutil.rmtree(copies)
        done = world.run("--json", "backup", "full")
        assert done.code == 0 and done.json["images"]["added"] == 31, done
        assert "BACKUP_IDENTITY_FILE" in done.json["images"]["full_reason"], done
        assert "this is a full run" in done.err and "was not compared" in done.err, done


@case("/metadata/a-copy-that-was-changed-or-cut-is-not-used")
def _():
    with Hidden() as world:
        world.backup("images")
        folder = os.path.join(world.env["BACKUP_STATE_DIR"], "copies")
        [(base, names)] = [(base, names) for base, _, names in os.walk(folder) if names]
        index = os.path.join(base, next(name for name in names if "index.jsonl" in name))
        flip(index, 60)
        done = world.run("--json", "backup", "images")
        assert done.code == 0 and done.json["images"]["added"] == 31 and "full" in done.err, done
        [(base, names)] = [(base, names) for base, _, names in os.walk(folder) if names]
        with open(os.path.join(base, next(name for name in names if name.startswith("backup_"))), "w",
                  encoding="utf-8") as file:
            file.write('{"format":"holdfast-copy","version":1')
        done = world.run("--json", "backup", "images")
        assert done.code == 0 and done.json["images"]["added"] == 31 and "of no use" in done.err, done


@case("/metadata/what-needs-names-says-what-is-missing")
def _():
    with Hidden() as world:
        set_id = world.backup("full")
        listed = world.run("--json", "list")
        assert listed.code == 0 and listed.json["sets"][0]["status"] == "complete", listed
        shown = world.run("show", set_id)
        assert shown.code == 0 and "names     not known" in shown.out and "BACKUP_IDENTITY_FILE" in shown.out, shown
        told = world.run("--json", "show", set_id).json["manifest"]
        assert told["sealed"] is True and told["database"]["rows"] == 25030 and "name" not in told["database"], told
        for words in (("show", set_id, "--tables"), ("show", set_id, "--objects"), ("show", set_id, "--references"),
                      ("cat", set_id, "pictures/003.jpg"), ("cat", set_id, "index"), ("diff", set_id, set_id),
                      ("restore", "images", set_id, "--to", world.path("out")),
                      ("restore", "database", set_id, "--create", "--to", url("e2e_meta_nowhere"))):
            done = world.run(*words)
            assert done.code == 1 and "BACKUP_IDENTITY_FILE" in done.err, (words, done)
        world.keygen("other.txt")
        done = world.owner("show", set_id, "--objects", key="other.txt")
        assert done.code == 1 and "no identity in BACKUP_IDENTITY_FILE opens it" in done.err, done
        assert world.owner("list", key="other.txt").code == 0
        for level, code in (("1", 0), ("2", 0), ("4", 3)):
            done = world.run("verify", set_id, "--level", level)
            assert done.code == code, (level, done)
        done = world.run("--json", "drill", set_id, timeout=300)
        assert done.code == 3 and "BACKUP_IDENTITY_FILE" in json.dumps(done.json), done
        assert world.run("prune", "--dry-run").code == 0


@case("/metadata/without-the-key-damage-is-found-in-the-stored-bytes")
def _():
    with Hidden() as world:
        set_id = world.backup("full")
        for pattern in (r"database_.*index\.jsonl.*\.age$", r"images_.*index\.jsonl.*\.age$", r"references.*\.age$",
                        r"index\.parity$"):
            path = world.find(pattern)
            flip(path, -5)
            done = world.run("verify", set_id, "--level", "2")
            assert done.code == 1 and os.path.basename(path) in done.err, (pattern, done)
            flip(path, -5)
        os.unlink(world.stored(f"backup_{set_id}.RESTORE.txt.age"))
        done = world.run("verify", set_id, "--level", "1")
        assert done.code == 1 and "RESTORE.txt.age" in done.err, done


@case("/metadata/everything-works-for-the-owner-of-the-key")
def _():
    with Hidden() as world:
        first = world.backup("full")
        world.put("pictures/000.jpg", b"changed")
        second = world.backup("full")
        shown = world.owner("--json", "show", second, "--tables")
        assert shown.json["manifest"]["database"]["name"] == world.env["DB_NAME"], shown
        assert any(WORDS["table"] in table["name"] for table in shown.json["tables"]), shown
        assert WORDS["key"] in world.owner("show", second, "--references").out
        diff = world.owner("--json", "diff", first, second)
        assert diff.code == 0 and "pictures/000.jpg" in diff.out, diff
        assert world.owner("cat", second, "pictures/000.jpg").out == "changed"
        psql("postgres", "DROP DATABASE IF EXISTS e2e_meta_copy WITH (FORCE)")
        done = world.owner("restore", "database", second, "--create", "--to", url("e2e_meta_copy"))
        assert done.code == 0 and plain_dump("e2e_meta_copy") == plain_dump(world.env["DB_NAME"]), done
        assert world.owner("restore", "images", second, "--to", world.path("out")).code == 0
        subprocess.run(["diff", "-r", world.images, world.path("out")], check=True)
        done = world.owner("--json", "verify", second, "--level", "4")
        assert done.code == 0 and done.json["level"] == 4, done
        opened = subprocess.run(["age", "-d", "-i", world.path("key.txt")], capture_output=True, check=True,
                                input=base64.b64decode(world.manifest(second)["private"])).stdout
        assert json.loads(opened)["database"]["name"] == world.env["DB_NAME"], opened


@case("/metadata/the-readable-text-restores-with-age-and-stock-tools")
def _():
    with Hidden() as world:
        world.backup("full")
        world.put("pictures/000.jpg", b"changed")
        shutil.rmtree(os.path.join(world.images, WORDS["folder"]))
        set_id = world.backup("full")
        psql("postgres", "DROP DATABASE IF EXISTS e2e_meta_stock WITH (FORCE)")
        env = dict(pg_env(), PATH="/usr/bin:/bin", RESTORE_DATABASE="e2e_meta_stock", RESTORE_IMAGES=world.path("stock"),
                   RESTORE_IDENTITY="key.txt")
        text = os.path.relpath(world.stored(f"backup_{set_id}.RESTORE.txt"), world.folder)
        done = subprocess.run(["sh", text], env=env, cwd=world.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert plain_dump("e2e_meta_stock") == plain_dump(world.env["DB_NAME"])
        subprocess.run(["diff", "-r", world.images, world.path("stock")], check=True)
        assert WORDS["database"].encode() in age_opens(world.stored(f"backup_{set_id}.RESTORE.txt.age"),
                                                       world.path("key.txt"))
        done = world.owner("--json", "drill", set_id, timeout=300)
        assert done.code == 0 and done.json["level"] == 4, done
        flip(world.stored(f"backup_{set_id}.RESTORE.txt.age"), -3)
        done = subprocess.run(["sh", text], env=env, cwd=world.folder, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "is missing or damaged" in done.stderr, done


@case("/metadata/private-members-that-were-cut-or-swapped-are-noticed")
def _():
    with Hidden() as world:
        first, second = world.backup("full"), world.backup("full")
        good, other = world.manifest(first)["private"], world.manifest(second)["private"]
        damages = {
            "is of another object": lambda manifest: manifest.update(private=other),
            "cut": lambda manifest: manifest.update(private=good[:80]),
            "private": lambda manifest: manifest.update(private=good[:-24]),
            "name": lambda manifest: manifest.pop("private"),
            "twice": lambda manifest: manifest["database"].update(name="forged"),
            "not": lambda manifest: manifest.update(private=7),
        }
        for words, damage in damages.items():
            world.rewrite(first, damage)
            done = world.owner("show", first)
            assert done.code == 1 and "is damaged" in done.err and words in done.err, (words, done)
            row = world.owner("--json", "list").json["sets"][0]
            assert row["status"] == "damaged", row
            world.rewrite(first, lambda manifest: (manifest.update(private=good), manifest["database"].pop("name", None)))
        assert world.owner("show", first).code == 0
        # A mark of another set, in its place, is no mark.
        assert world.owner("hold", first, "--reason", "first").code == 0
        assert world.owner("hold", second, "--reason", "second").code == 0
        shutil.copy(world.stored(f"backup_{first}.hold.json"), world.stored(f"backup_{second}.hold.json"))
        rows = world.owner("--json", "list").json["sets"]
        assert [row["held"] for row in rows] == [True, True] and rows[0]["hold_reason"] == "first", rows


@case("/metadata/a-damaged-index-is-rebuilt-from-its-parity")
def _():
    with Hidden() as world:
        for number in range(1500):
            world.put(f"many/{os.urandom(20).hex()}/{number:05}.txt", b"%d" % number)
        set_id = world.backup("images")
        index = world.find(r"images_.*\.index\.jsonl\.gz\.age$")
        assert os.path.getsize(index) > 70000, os.path.getsize(index)
        for offset in (1000, 70000, -40):
            flip(index, offset)
            done = world.owner("show", set_id, "--objects")
            assert done.code == 0 and done.out.count(".txt") == 1500 and "rebuilt from its parity" in done.err, done
            flip(index, offset)
        flip(index, 1000)
        assert world.owner("cat", set_id, "pictures/000.jpg").code == 0
        assert world.owner("verify", set_id, "--level", "2").code == 1


@case("/metadata/sets-with-and-without-lie-beside-each-other")
def _():
    with Hidden() as world:
        first = world.backup("full", ENCRYPT_METADATA=None, BACKUP_RECIPIENTS=None)
        world.put("pictures/a.jpg", b"a")
        second = world.run("--json", "backup", "full").json
        assert second["images"]["added"] == 1, second
        world.put("pictures/b.jpg", b"b")
        third = world.run("--json", "backup", "full", ENCRYPT_METADATA=None).json
        assert third["images"]["added"] == 1, third
        world.put("pictures/c.jpg", b"c")
        fourth = world.run("--json", "backup", "full").json
        assert fourth["images"]["added"] == 1, fourth
        listed = world.run("--json", "list").json["sets"]
        assert [row["set"] for row in listed] == [first] + [done["set"] for done in (second, third, fourth)], listed
        assert world.run("show", third["set"], "--objects").code == 0
        for set_id in (first, second["set"], third["set"], fourth["set"]):
            assert world.owner("verify", set_id, "--level", "2").code == 0, set_id
        assert world.owner("cat", fourth["set"], "pictures/a.jpg").out == "a"
        # A proof on a host that does not know of the setting: the set's own names stay encrypted all the same.
        world.owner("hold", second["set"], "--reason", WORDS["hold"], ENCRYPT_METADATA=None, BACKUP_RECIPIENTS=None)
        with open(world.stored(f"backup_{second['set']}.hold.json"), encoding="utf-8") as file:
            assert WORDS["hold"] not in file.read()
        done = world.run("prune", BACKUP_RETENTION_DAYS="0", KEEP_LAST="1", PRUNE_AFTER_BACKUP="true")
        assert done.code == 0, done


@case("/metadata/a-passphrase-closes-names-as-well")
def _():
    with Hidden() as world:
        with open(world.path("words"), "w", encoding="utf-8") as file:
            file.write("correct horse battery staple\n")
        given = {"BACKUP_RECIPIENTS": None, "BACKUP_PASSPHRASE_FILE": world.path("words")}
        world.backup("images", **given)
        world.put("pictures/a.jpg", b"a")
        again = world.run("--json", "backup", "images", **given).json
        assert again["images"]["added"] == 1, again
        assert world.run("cat", again["set"], "pictures/a.jpg", **given).out == "a"


@case("/metadata/a-replica-restores-without-the-store")
def _():
    with Hidden() as world:
        os.mkdir(world.path("replica"))
        set_id = world.backup("images", REPLICA_1_DIR=world.path("replica"))
        shutil.rmtree(world.env["BACKUP_DIR"])
        env = dict(pg_env(), PATH="/usr/bin:/bin", RESTORE_IMAGES="stock", RESTORE_IDENTITY="key.txt")
        done = subprocess.run(["sh", f"replica/backup_{set_id}.RESTORE.txt"], env=env, cwd=world.folder, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)
        subprocess.run(["diff", "-r", world.images, world.path("stock")], check=True)


@case("/metadata/nobody-to-encrypt-for-is-refused")
def _():
    with Hidden() as world:
        done = world.run("backup", "images", BACKUP_RECIPIENTS=None)
        assert done.code == 2 and "ENCRYPT_METADATA" in done.err and "BACKUP_RECIPIENTS" in done.err, done
        assert world.store_files() == []


@case("/metadata/a-bucket-gives-one-image-by-three-requests")
def _():
    with Hidden() as world:
        bucket = Bucket(f"meta-{os.getpid()}-{int(time.time())}")
        env = bucket.settings()
        set_id = world.backup("images", **env)
        with FaultProxy() as proxy:
            through = dict(env, AWS_ENDPOINT_URL=proxy.address)
            assert world.owner("cat", set_id, f"{WORDS['folder']}/{WORDS['key']}.jpg", **through).out == "a picture"
            counts = proxy.counts()
        # The manifest, a piece of the index, the image's members: the chunks of 64 KiB that hold them, and no more.
        assert len(counts["targets"]) == 3 and counts["bytes"] < 300000, counts


if __name__ == "__main__":
    run()
