"""Every kind of damage to every stored object: found at the level that promises it, by name, and the set is suspect then."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.environ["HF_TEST_SRCDIR"], "tests", "lib"))
from proof import Proof  # noqa: E402
from tap import case, run  # noqa: E402
from world import fresh_database, psql  # noqa: E402

SQL = """CREATE TABLE t AS SELECT i, md5(i::text) || md5((-i)::text) AS word FROM generate_series(1, 40000) i;
CREATE TABLE pictures AS SELECT 'p' || i || '.jpg' AS key FROM generate_series(1, 12) i"""


def make_world():
    """Two sets, the second one an incremental one with everything that a set may have."""
    fresh_database("damage", SQL)
    world = Proof("damage")
    images = os.path.join(world.folder, "state", "images")
    os.makedirs(images)
    for number in range(1, 12):
        with open(f"{images}/p{number}.jpg", "wb") as file:
            file.write(os.urandom(20000 + number))
    world.env.update(IMAGES_DIR=images, IMAGE_REFERENCES_SQL="SELECT key FROM pictures", ARCHIVE_BYTES="1M")
    first = world.backup("full", code=3)["set"]
    assert world.run("accept", first).code == 0
    os.unlink(f"{images}/p3.jpg")
    with open(f"{images}/p5.jpg", "wb") as file:
        file.write(os.urandom(30000))
    psql("damage", "UPDATE t SET word = md5(word) || md5(i::text) WHERE i % 2 = 0")
    time.sleep(1)
    second = world.backup("full", code=3)["set"]
    assert world.run("accept", second).code == 0
    return world, first, second


WORLD, FIRST, SECOND = make_world()
STORE = WORLD.env["BACKUP_DIR"]


def archives():
    """Every object that the second set's manifest names."""
    with open(f"{STORE}/backup_{SECOND}.json", encoding="utf-8") as file:
        manifest = json.load(file)
    found = []

    def walk(value):
        if isinstance(value, dict):
            if "key" in value and "sha256" in value:
                found.append(value["key"])
            for member in value.values():
                walk(member)
        elif isinstance(value, list):
            for member in value:
                walk(member)
    walk(manifest)
    return sorted(set(found))


def flip(place):
    def change(data):
        data[place(len(data))] ^= 1
        return data
    return change


KINDS = [
    ("missing", lambda data: None, 1),
    ("empty", lambda data: b"", 1),
    ("cut by a byte", lambda data: data[:-1], 1),
    ("a byte longer", lambda data: data + b"x", 1),
    ("first byte", flip(lambda size: 0), 2),
    ("middle", flip(lambda size: size // 2), 2),
    ("last byte", flip(lambda size: size - 1), 2),
]


class Damage:
    """Changes an object, and puts everything back as it was."""

    def __init__(self, key, change):
        self.path, self.change = os.path.join(STORE, key), change

    def __enter__(self):
        self.files = set(os.listdir(STORE))
        with open(self.path, "rb") as file:
            self.was = file.read()
        data = self.change(bytearray(self.was))
        if data is None:
            os.unlink(self.path)
        else:
            with open(self.path, "wb") as file:
                file.write(data)

    def __exit__(self, *_):
        with open(self.path, "wb") as file:
            file.write(self.was)
        for name in set(os.listdir(STORE)) - self.files:
            os.unlink(os.path.join(STORE, name))
        # A proof that fails takes away what was accepted.
        for set_id in (FIRST, SECOND):
            if not os.path.exists(f"{STORE}/backup_{set_id}.accepted.json"):
                assert WORLD.run("accept", set_id).code == 0


def is_found(level, key):
    result = WORLD.run("verify", SECOND, "--level", str(level))
    assert result.code == 1, result
    assert key in result.err, result
    row = [row for row in WORLD.run("--json", "list").json["sets"] if row["set"] == SECOND][0]
    assert row["suspect"] and not row["accepted"] and row["failed_level"] == level, row
    assert key in row["suspect_reason"] or "index" in row["suspect_reason"], row


def object_case(key):
    @case(f"/damage/{key.replace(SECOND, 'SECOND').replace(FIRST, 'FIRST')}")
    def _():
        for name, change, level in KINDS:
            with Damage(key, change):
                try:
                    is_found(level, key)
                except AssertionError as error:
                    raise AssertionError(f"{name}: {error}") from error


for object_key in archives():
    object_case(object_key)


@case("/damage/an-undamaged-set-is-proved")
def _():
    assert any("part0002" in key for key in archives()) and any(".dead" in key for key in archives()), archives()
    assert any(".references" in key for key in archives()) and any(FIRST in key for key in archives()), archives()
    assert WORLD.run("verify", SECOND, "--level", "2").code == 0


@case("/damage/a-flipped-bit-is-not-what-level-1-promises")
def _():
    with Damage(f"database_backup_{SECOND}.sql.gz", KINDS[5][1]):
        assert WORLD.run("verify", SECOND, "--level", "1").code == 0


@case("/damage/archives-of-two-sets-swapped")
def _():
    for key in archives():
        other = key.replace(SECOND, FIRST)
        if SECOND not in key or not os.path.exists(os.path.join(STORE, other)):
            continue
        with open(os.path.join(STORE, other), "rb") as file:
            others = file.read()
        with open(os.path.join(STORE, key), "rb") as file:
            if file.read() == others:  # the roles of both
                continue
        with Damage(key, lambda data, others=others: others):
            result = WORLD.run("verify", SECOND, "--level", "2")
            assert result.code == 1 and key in result.err, (key, result)


@case("/damage/restore-txt")
def _():
    key = f"backup_{SECOND}.RESTORE.txt"
    for change in (KINDS[0][1], KINDS[1][1]):
        with Damage(key, change):
            is_found(1, key)
    for change in (lambda data: data.replace(b"check ", b"chekc "), lambda data: data[:len(data) // 2],
                   lambda data: data.replace(b"tar -x", b"tar -t")):
        with Damage(key, change):
            result = WORLD.run("drill", SECOND)
            assert result.code == 1, result
            WORLD.leaves_nothing()


# ---- the manifest ----

def edit(change):
    def apply(data):
        manifest = json.loads(data)
        change(manifest)
        return json.dumps(manifest).encode()
    return apply


def set_path(manifest):
    part = manifest["database"]["archive"]["parts"][0]
    part["key"] = "../" + part["key"]


def take_others(manifest):
    part = manifest["database"]["archive"]["parts"][0]
    part["key"] = part["key"].replace(SECOND, FIRST)


def other_digest(manifest):
    part = manifest["database"]["archive"]["parts"][0]
    part["sha256"] = part["sha256"][::-1]


MANIFESTS = [
    ("empty", lambda data: b"", 1, ""),
    ("first byte", flip(lambda size: 0), 1, ""),
    ("cut", lambda data: data[:-20], 1, ""),
    ("not ours", lambda data: b'{"format":"other","version":1}', 1, ""),
    ("no JSON", lambda data: b"hello", 1, ""),
    ("of a newer version", edit(lambda manifest: manifest.update(version=9)), 1, "newer holdfast"),
    ("with a path in it", edit(set_path), 1, "../"),
    ("with another set's archive", edit(take_others), 1, FIRST),
    ("with another digest", edit(other_digest), 2, f"database_backup_{SECOND}.sql.gz"),
]


@case("/damage/the-manifest")
def _():
    key = f"backup_{SECOND}.json"
    for name, change, level, word in MANIFESTS:
        with Damage(key, change):
            result = WORLD.run("verify", SECOND, "--level", str(level))
            assert result.code in (1, 2) and SECOND in result.err and word in result.err, (name, result)
            listed = WORLD.run("list")
            assert listed.code == 0 and (level == 2 or "damaged" in listed.out), (name, listed)
    with Damage(key, lambda data: None):
        result = WORLD.run("verify", SECOND)
        assert result.code == 1 and "no set" in result.err, result


@case("/damage/another-set's-manifest-and-one-of-a-set-that-was-deleted")
def _():
    with open(f"{STORE}/backup_{FIRST}.json", "rb") as file:
        older = file.read()
    with Damage(f"backup_{SECOND}.json", lambda data: older):
        result = WORLD.run("verify", SECOND, "--level", "1")
        assert result.code == 1 and SECOND in result.err and FIRST in result.err, result
    gone = "2024-01-15_02-00-00"
    path = f"{STORE}/backup_{gone}.json"
    with open(path, "wb") as file:
        file.write(older.replace(FIRST.encode(), gone.encode()))
    try:
        result = WORLD.run("verify", gone, "--level", "1")
        assert result.code == 1 and gone in result.err and "missing" in result.err, result
    finally:
        for name in os.listdir(STORE):
            if gone in name:
                os.unlink(os.path.join(STORE, name))


# What a manifest says for people, and no reader goes by; and what `holdfast chain` compares.
FOR_PEOPLE = ("host", "program", "finished", "started", "note", "kind", "level", "previous")


def what_counts(data):
    manifest = json.loads(data)
    for member in FOR_PEOPLE:
        manifest.pop(member, None)
    return manifest


@case("/damage/a-bit-anywhere-in-the-manifest-is-found-or-means-nothing")
def _():
    key = f"backup_{SECOND}.json"
    with open(os.path.join(STORE, key), "rb") as file:
        was = file.read()
    for place in range(3, len(was), max(1, len(was) // 40)):
        with Damage(key, flip(lambda size, place=place: place)):
            result = WORLD.run("verify", SECOND, "--level", "2")
            if result.code == 0:
                changed = bytearray(was)
                changed[place] ^= 1
                assert harmless(was, bytes(changed)), (place, was[place - 30:place + 30])


def harmless(was, changed):
    """The members that are not known to a reader, or that are for people, or counts that nothing is compared with."""
    before, after = what_counts(was), what_counts(changed)
    if set(before) != set(after):
        return True
    for manifest in (before, after):
        for member in ("server_version", "encoding", "collate", "ctype", "dump_version", "name"):
            manifest["database"].pop(member, None)
        images = manifest["images"]
        for archive in ("index", "top", "parity", "dead"):
            images.get(archive, {}).pop("plain_bytes", None)
        for member in ("source", "base", "added", "changed", "deleted", "unchanged", "references", "full_reason"):
            images.pop(member, None)
        for archive in images["archives"]:
            for member in ("live_objects", "live_bytes", "links_from"):
                archive.pop(member, None)
    return before == after or set(before["images"]) != set(after["images"]) or \
        set(before["database"]) != set(after["database"])


# ---- what lies beside ----

@case("/damage/a-proof-that-cannot-be-read-is-said-and-the-set-is-shown")
def _():
    assert WORLD.run("verify", SECOND, "--level", "2").code == 0
    for change in (KINDS[1][1], lambda data: b"hello", lambda data: b'{"format":"holdfast-set"}', KINDS[5][1]):
        with Damage(f"backup_{SECOND}.level2.json", change):
            shown = WORLD.run("show", SECOND)
            assert shown.code == 0 and "level 2" in shown.out, shown
            assert WORLD.run("list").code == 0


if __name__ == "__main__":
    try:
        run()
    finally:
        WORLD.close()
