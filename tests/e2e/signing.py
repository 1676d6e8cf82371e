#!/usr/bin/env python3
"""Signed manifests and the chain of sets as their owner uses them, with minisign(1) as the other side."""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402
from world import World, fresh_database, psql, url  # noqa: E402

SQL = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 500) i;
"""


def minisign(*words, answers=""):
    return subprocess.run(["minisign", *words], input=answers, capture_output=True, text=True, check=False)


class Signing(World):
    """A world with a small database; a key that signs, where it is told so."""

    def __init__(self, is_signed=True):
        super().__init__(fresh_database("e2e_sign", SQL))
        self.key = self.path("signing.key")
        self.public = None
        if is_signed:
            self.public = self.keygen(self.key)
            self.env["SIGNING_KEY_FILE"] = self.key

    def path(self, name):
        return os.path.join(self.folder, name)

    def keygen(self, path):
        done = self.run("keygen", "--signing", "--output", path)
        assert done.code == 0, done
        return done.out.strip()

    def backup(self):
        done = self.run("--json", "backup", "database")
        assert done.code == 0, done
        return done.json["set"]

    def stored(self, set_id, rest=".json"):
        return os.path.join(self.env["BACKUP_DIR"], f"backup_{set_id}{rest}")

    def listed(self, **env):
        done = self.run("--json", "list", **env)
        assert done.code == 0, done
        return {row["set"]: row for row in done.json["sets"]}

    def chain(self, **env):
        done = self.run("--json", "chain", **env)
        return done.code, done.json.get("troubles", []), done


@case("/signing/minisign-checks-what-holdfast-signed")
def _():
    with Signing() as world:
        set_id = world.backup()
        done = minisign("-V", "-m", world.stored(set_id), "-P", world.public)
        assert done.returncode == 0 and f"file:backup_{set_id}.json" in done.stdout, done
        with open(world.stored(set_id), "ab") as file:
            file.write(b" ")
        assert minisign("-V", "-m", world.stored(set_id), "-P", world.public).returncode != 0
        text = open(world.stored(set_id, ".RESTORE.txt"), encoding="utf-8").read()
        assert f"minisign -Vm backup_{set_id}.json -P {world.public}" in text, text
        assert oct(os.stat(world.key).st_mode & 0o777) == "0o600"


@case("/signing/holdfast-checks-what-minisign-signed")
def _():
    with Signing(is_signed=False) as world:
        keys = ["-p", world.path("m.pub"), "-s", world.path("m.key")]
        assert minisign("-G", "-W", *keys).returncode == 0
        public = open(world.path("m.pub"), encoding="utf-8").read().splitlines()[1]
        set_id = world.backup()
        for legacy in ([], ["-l"]):
            os.chdir(world.env["BACKUP_DIR"])
            done = minisign("-S", "-W", *legacy, "-s", world.path("m.key"), "-m", f"backup_{set_id}.json",
                            "-t", f"timestamp:1\tfile:backup_{set_id}.json")
            os.chdir("/")
            assert done.returncode == 0, done
            assert world.listed(SIGNING_PUBLIC_KEYS=public)[set_id]["signed"] == "yes"
        assert world.listed()[set_id]["signed"] == "unchecked"
        # Its secret key signs for us as well, and ours for it.
        world.env["SIGNING_KEY_FILE"] = world.path("m.key")
        second = world.backup()
        assert minisign("-V", "-m", world.stored(second), "-P", public).returncode == 0
        ours = world.keygen(world.path("ours.key"))
        with open(world.path("word"), "w", encoding="utf-8") as file:
            file.write("word")
        assert minisign("-S", "-W", "-s", world.path("ours.key"), "-m", world.path("word")).returncode == 0
        assert minisign("-V", "-m", world.path("word"), "-P", ours).returncode == 0


@case("/signing/a-key-with-a-password-is-refused-with-the-remedy")
def _():
    with Signing(is_signed=False) as world:
        # 158 bytes as minisign writes them, with the name of scrypt in its place.
        world.keygen(world.key)
        comment, text = open(world.key, encoding="utf-8").read().splitlines()
        raw = bytearray(base64.b64decode(text))
        raw[2:4] = b"Sc"
        with open(world.path("protected.key"), "w", encoding="utf-8") as file:
            file.write(f"{comment}\n{base64.b64encode(raw).decode()}\n")
        for words in (["backup", "database"], ["list"], ["doctor"]):
            done = world.run(*words, SIGNING_KEY_FILE=world.path("protected.key"))
            assert done.code == 2 and "minisign -C -W" in done.err + done.out, (words, done)
            assert text[20:] not in done.err + done.out
        done = world.run("list", SIGNING_PUBLIC_KEYS=text)
        assert done.code == 2 and "SIGNING_PUBLIC_KEYS" in done.err and text[10:30] not in done.err, done


@case("/signing/keygen-overwrites-nothing-and-keeps-the-secret")
def _():
    with Signing() as world:
        before = open(world.key, encoding="utf-8").read()
        done = world.run("keygen", "--signing", "--output", world.key)
        assert done.code == 1 and open(world.key, encoding="utf-8").read() == before, done
        done = world.run("--json", "keygen", "--signing")
        assert done.code == 2 and "--output" in done.err, done
        done = world.run("--json", "keygen", "--signing", "--output", world.path("other.key"))
        assert done.code == 0 and done.json["public_key"].startswith("RW") and len(done.json["public_key"]) == 56, done
        done = world.run("keygen", "--signing")
        lines = done.out.splitlines()
        assert done.code == 0 and len(lines) == 2 and lines[0].startswith("untrusted comment: "), done
        secret = before.splitlines()[1]
        world.backup()
        for words in (["config"], ["--json", "list"], ["doctor"], ["backup", "database"], ["show", "latest"]):
            done = world.run(*words)
            assert secret[30:90] not in done.out + done.err, words


@case("/signing/a-changed-manifest-is-damaged-everywhere")
def _():
    with Signing() as world:
        first, second = world.backup(), world.backup()
        assert {row["signed"] for row in world.listed().values()} == {"yes"}
        assert "yes, the signature is right" in world.run("show", second).out
        assert "SIGNED" in world.run("list").out
        path = world.stored(second)
        text = open(path, encoding="utf-8").read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r'"host": "[^"]*"', '"host": "elsewhere"', text))
        row = world.listed()[second]
        assert row["status"] == "damaged" and row["signed"] == "bad" and ".json.minisig" in row["trouble"], row
        for level in ("1", "2"):
            done = world.run("verify", second, "--level", level)
            assert done.code == 1 and "signature" in done.err and second in done.err, done
        database = fresh_database("e2e_sign_into")
        done = world.run("restore", "database", second, "--to", url(database))
        assert done.code == 1 and "signature" in done.err, done
        assert psql(database, "SELECT count(*) FROM pg_class WHERE relname = 'customers'") == "0"
        done = world.run("restore", "database", second, "--to", url(database), "--ignore-signature")
        assert done.code == 0 and "is wrong" in done.err, done
        assert psql(database, "SELECT count(*) FROM customers") == "500"
        done = world.run("prune", "--dry-run")
        assert "damaged" in done.out + done.err, done
        assert world.run("verify", "latest", "--level", "1").code == 0  # the one before
        assert world.run("--json", "show", "latest").json["set"] == first
        code, troubles, done = world.chain()
        assert code == 1 and any(second in line for line in troubles), done
        doctor = world.run("doctor")
        assert doctor.code == 1 and second in doctor.out, doctor


@case("/signing/keys-are-changed-by-trusting-both")
def _():
    with Signing() as world:
        first = world.backup()
        new = world.keygen(world.path("new.key"))
        world.env["SIGNING_KEY_FILE"] = world.path("new.key")
        assert world.listed()[first]["status"] == "damaged"
        world.env["SIGNING_PUBLIC_KEYS"] = f"{world.public},{new}"
        second = world.backup()
        rows = world.listed()
        assert [rows[name]["signed"] for name in (first, second)] == ["yes", "yes"], rows
        assert world.chain()[0] == 0
        del world.env["SIGNING_KEY_FILE"]  # a host that only restores
        assert [row["signed"] for row in world.listed().values()] == ["yes", "yes"]
        done = world.run("backup", "database")
        assert done.code == 2 and "SIGNING_KEY_FILE" in done.err, done
        done = world.run("doctor")
        assert "no key of its own" in done.out, done


@case("/signing/sets-from-before-are-warned-about")
def _():
    with Signing(is_signed=False) as world:
        old = world.backup()
        world.keygen(world.key)
        world.env["SIGNING_KEY_FILE"] = world.key
        world.backup()
        new = world.backup()
        assert [world.listed()[name]["signed"] for name in (old, new)] == ["no", "yes"]
        database = fresh_database("e2e_sign_into")
        done = world.run("restore", "database", old, "--to", url(database))
        assert done.code == 0 and "is not signed" in done.err, done
        assert world.run("verify", old, "--level", "2").code == 0
        os.unlink(world.stored(new, ".json.minisig"))
        done = world.run("verify", new, "--level", "1")
        assert done.code == 1 and "not signed" in done.err, done


@case("/chain/what-is-taken-away-or-put-back-is-named")
def _():
    with Signing() as world:
        first, second, third = world.backup(), world.backup(), world.backup()
        code, troubles, done = world.chain()
        assert (code, troubles) == (0, []), done
        kept = world.path("kept")
        shutil.copytree(world.env["BACKUP_DIR"], kept)
        for name in os.listdir(kept):
            if second in name:
                os.unlink(os.path.join(world.env["BACKUP_DIR"], name))
        code, troubles, done = world.chain()
        assert code == 1 and len(troubles) == 1 and second in troubles[0] and "taken away" in troubles[0], done
        doctor = world.run("doctor")
        assert doctor.code == 1 and "taken away" in doctor.out, doctor
        done = world.run("delete", second)
        assert done.code == 0 and "noted" in done.out, done
        assert world.chain()[0] == 0
        # Deleted by us: no alarm; back again: one.
        assert world.run("delete", first).code == 0
        assert world.chain()[0] == 0
        for name in os.listdir(kept):
            if first in name:
                shutil.copy2(os.path.join(kept, name), world.env["BACKUP_DIR"])
        code, troubles, done = world.chain()
        assert code == 1 and len(troubles) == 1 and first in troubles[0] and "although it was deleted" in troubles[0], done
        fourth = world.backup()
        code, troubles, done = world.chain()
        assert code == 1 and len(troubles) == 1 and first in troubles[0], done
        assert world.run("delete", first).code == 0
        assert world.chain()[0] == 0
        manifest = json.load(open(world.stored(fourth), encoding="utf-8"))
        assert [link["id"] for link in manifest["previous"]] == [third], manifest["previous"]


@case("/chain/the-newest-is-missed-by-the-host-that-saw-it")
def _():
    with Signing(is_signed=False) as world:
        first, second = world.backup(), world.backup()
        assert world.chain()[0] == 0
        for name in os.listdir(world.env["BACKUP_DIR"]):
            if second in name:
                os.unlink(os.path.join(world.env["BACKUP_DIR"], name))
        code, troubles, done = world.chain()
        assert code == 1 and len(troubles) == 1 and second in troubles[0], done
        while time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime()) <= second:  # or its id would be taken again
            time.sleep(0.1)
        third = world.backup()
        code, troubles, done = world.chain()
        assert code == 1 and second in troubles[0], done
        assert world.chain(BACKUP_STATE_DIR=world.path("another-host"))[0] == 0  # which never saw it
        assert world.run("delete", second).code == 0
        assert world.chain()[0] == 0
        assert set(world.listed()) == {first, third}


@case("/signing/a-replica-has-the-signatures-too")
def _():
    with Signing() as world:
        os.mkdir(world.path("replica"))
        world.env["REPLICA_1_DIR"] = world.path("replica")
        set_id = world.backup()
        copy = os.path.join(world.path("replica"), f"backup_{set_id}.json")
        assert minisign("-V", "-m", copy, "-P", world.public).returncode == 0
        assert world.run("verify", set_id, "--from", "replica-1").code == 0
        with open(copy, "ab") as file:
            file.write(b" ")
        done = world.run("verify", set_id, "--from", "replica-1", "--level", "1")
        assert done.code == 1 and "signature" in done.err, done


@case("/chain/minisign-checks-records-of-deletions")
def _():
    with Signing() as world:
        first, _second = world.backup(), world.backup()
        assert world.run("delete", first).code == 0
        done = minisign("-V", "-m", world.stored(first, ".deleted.json"), "-P", world.public)
        assert done.returncode == 0, done


if __name__ == "__main__":
    run()
