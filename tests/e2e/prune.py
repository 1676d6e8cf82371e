#!/usr/bin/env python3
"""holdfast prune, hold and release as a person or a timer would use them: folders, real buckets, versions, locks, kills."""
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402
from world import HOLDFAST, HOLDFAST_PLAIN, Bucket, Gate, World, fresh_database, stand_still, wait_for  # noqa: E402

LAST = {"BACKUP_RETENTION_DAYS": "0", "KEEP_LAST": "1", "PRUNE_AFTER_BACKUP": "false"}
START = os.path.join(os.path.dirname(HOLDFAST), "tests", "backup", "job", "start-job")
NAMES = ("database_backup_{}.sql.gz", "database_backup_{}.index.jsonl.gz", "backup_{}.RESTORE.txt")


def request(bucket, method, target):
    """One signed request without a body, and without the second that awscli takes to start."""
    done = subprocess.run(
        ["curl", "-sf", "-X", method, "--aws-sigv4", "aws:amz:us-east-1:s3", "-o", os.devnull,
         "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-H", "content-length: 0", "--user",
         f"{os.environ['HF_TEST_S3_ACCESS_KEY']}:{os.environ['HF_TEST_S3_SECRET_KEY']}",
         f"{bucket.endpoint}/{bucket.name}/{target}"], check=False)
    assert done.returncode == 0, (method, target, done.returncode)


class Sets(World):
    """A world with a small database, and sets of it."""

    def __init__(self, **env):
        super().__init__("postgres")
        self.env.update(env)

    def backup(self, days_ago=0, **env):
        """A set that a clock which is so many days behind made."""
        prefix = ("faketime", "-f", f"-{days_ago}d") if days_ago else ()
        made = self.run("--json", "backup", "database", program=HOLDFAST_PLAIN, prefix=prefix, **env)
        assert made.code == 0, made
        return made.json["set"]

    def backups(self, count, **env):
        return [self.backup(**env) for _ in range(count)]

    def listed(self, **env):
        found = self.run("--json", "list", **env)
        assert found.code == 0, found
        return [row["set"] for row in found.json["sets"]]

    def prune(self, *words, code=0, **env):
        done = self.run("--json", "prune", *words, **env)
        assert done.code == code, done
        return done.json

    def put(self, key, content=b"of another program"):
        path = os.path.join(self.env["BACKUP_DIR"], key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def whole(self, **env):
        """Every set that is listed reads back, and nothing of any other is in the folder but that it was deleted."""
        ids = self.listed(**env)
        for set_id in ids:
            assert self.run("verify", set_id, **env).code == 0, set_id
        if not env:
            strangers = [name for name in self.store_files() if not any(set_id in name for set_id in ids)
                         and not name.endswith(".deleted.json")]
            assert strangers == [], strangers
        return ids


def fates(reply):
    return {row["set"]: row["fate"] for row in reply["sets"]}


# ---- decisions


@case("/prune/explains-each-decision-and-does-what-it-said")
def _():
    with Sets(PRUNE_AFTER_BACKUP="false") as world:
        old, older = world.backup(days_ago=40), world.backup(days_ago=50)
        young = world.backup(days_ago=3)
        dry = world.run("prune", "--dry-run", "--force")
        assert dry.code == 0 and "would delete 2 of 3 sets" in dry.out and "more than half" in dry.out, dry
        lines = {line.split()[0]: line for line in dry.out.splitlines() if line[:4].isdigit()}
        assert re.search(r"40 d +delete +older than 30 days$", lines[old]), dry
        assert re.search(r"3 d +keep +the newest good set of the database; not older than 30 days$", lines[young]), dry
        assert world.listed() == [older, old, young]
        refused = world.run("prune")
        assert refused.code == 1 and "2 of 3" in refused.err and "--force" in refused.err, refused
        assert world.listed() == [older, old, young]
        done = world.run("--json", "prune", "--force")
        assert done.code == 0 and fates(done.json) == {older: "deleted", old: "deleted", young: "keep"}, done
        assert done.json["sets"][2]["reasons"] == ["newest", "highest", "age"], done
        # One line in the log for each that went, as the earlier implementation wrote them.
        assert [set_id for set_id in (older, old) if f"deleted old backup {set_id}: older than 30 days" in done.err] == \
            [older, old], done
        assert world.whole() == [young]
        again = world.prune()
        assert again["deleted"] == 0 and again["removed"] == [], again


@case("/prune/after-a-backup-it-leaves-what-may-be-read-alone")
def _():
    with Sets(KEEP_LAST="1", BACKUP_RETENTION_DAYS="0") as world:
        old, second = (world.backup(PRUNE_AFTER_BACKUP="false") for _ in range(2))
        os.chmod(world.folder, 0o711)  # a scratch cluster runs as another user where the tests run as root
        reader = world.start("verify", old, "--level", "4")
        wait_for(lambda: [job for job in world.run("--json", "jobs").json["jobs"]
                          if job["kind"] == "verify" and job["status"] == "running"])
        stand_still(reader)
        done = world.run("backup", "database", program=HOLDFAST_PLAIN)
        reader.send_signal(signal.SIGCONT)
        assert done.code == 0 and "is reading one: the next backup prunes" in done.err and second in world.listed(), done
        _, said = reader.communicate()
        assert reader.returncode == 0, said
        newest = world.backup()
        assert world.listed() == [old, newest]  # the one that was proved highest stays


@case("/prune/after-a-backup-it-leaves-what-is-about-to-be-read-alone")
def _():
    with Sets(KEEP_LAST="1", BACKUP_RETENTION_DAYS="0") as world:
        old = world.backup(PRUNE_AFTER_BACKUP="false")
        # As where the service has just answered 202: the job's process has not come as far as to say that it runs.
        slow = os.path.join(world.env["BACKUP_STATE_DIR"], "slow")
        with open(slow, "w", encoding="ascii") as script:
            script.write("#!/bin/sh\nwhile [ -e \"$0\" ]; do sleep 0.05; done\n")
        os.chmod(slow, 0o755)
        subprocess.run([START, world.env["BACKUP_STATE_DIR"], slow, "verify"], capture_output=True, check=True)
        assert [job["status"] for job in world.run("--json", "jobs").json["jobs"] if job["kind"] == "verify"] == ["queued"]
        done = world.run("backup", "database", program=HOLDFAST_PLAIN)
        os.unlink(slow)  # and so it ends
        assert done.code == 0 and "is reading one: the next backup prunes" in done.err and old in world.listed(), done


@case("/prune/runs-after-every-good-backup")
def _():
    with Sets(KEEP_LAST="2", BACKUP_RETENTION_DAYS="0") as world:
        ids = [world.backup() for _ in range(2)]
        third = world.run("--json", "backup", "database")
        assert third.code == 0 and third.json["pruned"]["deleted"] == ids[:1], third
        assert f"deleted old backup {ids[0]}: " in third.err, third
        said = world.run("backup", "database")
        assert said.code == 0 and "pruned    1 old set deleted, 2 stay" in said.out, said
        assert len(world.whole()) == 2
        off = world.run("backup", "database", PRUNE_AFTER_BACKUP="false")
        assert off.code == 0 and "pruned" not in off.out and len(world.listed()) == 3, off


@case("/prune/trouble-after-a-good-backup-is-a-warning")
def _():
    with Sets(**dict(LAST, PRUNE_AFTER_BACKUP="true")) as world:
        old = world.backup(PRUNE_AFTER_BACKUP="false")
        world.put(f"backup_{old}.json", b"{")
        made = world.run("backup", "database")
        assert made.code == 0 and f"set {old} is damaged" in made.err and "nothing: " in made.out, made


@case("/prune/without-a-rule-every-set-stays")
def _():
    with Sets(BACKUP_RETENTION_DAYS="0") as world:
        world.backup(days_ago=400)
        world.backup()
        said = world.run("prune")
        assert said.code == 0 and "no KEEP_* is set, so every set stays" in said.out, said
        assert len(world.listed()) == 2
        for value in ("-1", "x", "36501", "1.5"):
            wrong = world.run("prune", BACKUP_RETENTION_DAYS=value)
            assert wrong.code == 2 and "BACKUP_RETENTION_DAYS" in wrong.err, wrong


@case("/prune/keep-rules-reach-further-back-than-days")
def _():
    with Sets(PRUNE_AFTER_BACKUP="false", BACKUP_RETENTION_DAYS="7", KEEP_MONTHLY="3") as world:
        ids = [world.backup(days_ago=days) for days in (100, 70, 69, 38, 8, 2)]
        stay = [row["set"] for row in world.prune("--dry-run")["sets"] if row["fate"] == "keep"]
        # The newest of this month and of the two before it that have one; which ones these are, the calendar says.
        months = sorted({set_id[:7] for set_id in ids})[-3:]
        wanted = [max(set_id for set_id in ids if set_id.startswith(month)) for month in months]
        assert stay == sorted(set(wanted) | {ids[-1]}), (ids, stay)


@case("/prune/damaged-manifest-is-named-and-nothing-goes")
def _():
    with Sets(**LAST) as world:
        first, second, third = world.backups(3)
        with open(os.path.join(world.env["BACKUP_DIR"], f"backup_{first}.json"), "rb") as file:
            older = file.read()
        newer = older.replace(b'"version": 1', b'"version": 2')
        stolen = older.replace(b'"key": "', b'"key": "../')
        for damage in (b"", older[:-20], newer, stolen, older, b"\0" * 100):
            world.put(f"backup_{second}.json", damage)
            before = world.store_files()
            for words in ((), ("--force",), ("--no-runs",)):
                done = world.run("prune", *words)
                assert done.code == 3 and f"no set is deleted: set {second} is damaged" in done.out, done
                assert world.store_files() == before, damage
        assert world.run("delete", second).code == 0
        assert fates(world.prune()) == {first: "deleted", third: "keep"}
        assert world.whole() == [third]


@case("/prune/suspect-set-stops-it-until-it-is-accepted")
def _():
    with Sets(**LAST) as world:
        first, second = world.backups(2)
        world.put(f"backup_{second}.suspect.json", json.dumps(
            {"format": "holdfast-suspect", "version": 1, "set": second, "reasons": ["table gone"]}).encode())
        stopped = world.run("prune")
        assert stopped.code == 3 and f"set {second} is suspect" in stopped.out, stopped
        assert world.listed() == [first, second]
        world.put(f"backup_{second}.accepted.json", b'{"format":"holdfast-accepted","version":1}')
        assert fates(world.prune()) == {first: "deleted", second: "keep"}


@case("/prune/files-of-the-earlier-implementation-expire")
def _():
    with Sets(PRUNE_AFTER_BACKUP="false") as world:
        for name in ("database_backup_2020-01-01T02-00-00-000Z.sql.gz", "database_backup_2020-01-02_02-00-00.sql.gz",
                     "images_backup_2020-01-01_02-00-00.tar.gz"):
            world.put(name, b"x")
        world.backup()
        reply = world.prune("--force")
        assert reply["deleted"] == 2, reply
        assert [row["file"] for row in reply["sets"] if row["fate"] == "deleted"] == \
            ["database_backup_2020-01-01T02-00-00-000Z.sql.gz", "database_backup_2020-01-02_02-00-00.sql.gz"], reply
        # No other set holds images.
        assert "images_backup_2020-01-01_02-00-00.tar.gz" in world.store_files()


# ---- holds


@case("/hold/nothing-deletes-a-held-set")
def _():
    with Sets(**LAST) as world:
        first, second, third = world.backups(3)
        held = world.run("hold", first, "--reason", "before the move")
        assert held.code == 0 and f"holdfast release {first}" in held.out, held
        listed = world.run("list")
        assert "held: before the move" in listed.out, listed
        row = world.run("--json", "list").json["sets"][0]
        assert row["held"] is True and row["hold_reason"] == "before the move", row
        assert "held      before the move" in world.run("show", first).out
        reply = world.prune()
        assert fates(reply) == {first: "keep", second: "deleted", third: "keep"}, reply
        assert reply["sets"][0]["why"] == "held: before the move", reply
        for words in ((), ("--force",)):
            refused = world.run("delete", first, *words)
            assert refused.code == 1 and f"holdfast release {first}" in refused.err, refused
        assert world.run("release", first).code == 0
        again = world.run("release", first)
        assert again.code == 1 and "is not held" in again.err, again
        assert fates(world.prune()) == {first: "deleted", third: "keep"}
        assert world.whole() == [third]


@case("/hold/bad-input-is-refused")
def _():
    with Sets(**LAST) as world:
        world.backup()
        for words, code in ((("hold",), 2), (("hold", "2020-01-01_00-00-00"), 1), (("release", "nonsense"), 1),
                            (("hold", "latest", "--reason", "x" * 1001), 2), (("hold", "../x"), 1)):
            refused = world.run(*words)
            assert refused.code == code and refused.err, refused
        assert not any("hold" in name for name in world.store_files())


# ---- what is not ours


@case("/prune/only-our-names-below-our-prefix")
def _():
    bucket = Bucket("prune-of-holdfast-names")
    with Sets(**bucket.settings(**LAST)) as world:
        first, second = world.backups(2)
        others = [prefix + name.format(first) for prefix in ("", "backup/", "backups2/", "other/backups/", "backups/x/")
                  for name in NAMES]
        others += [f"backups/{name.format(first)}{tail}" for name in NAMES for tail in (".bak", "~", ".tmp")]
        others += [f"backups/my_{name.format(first)}" for name in NAMES] + ["backups/notes.txt", "backups/backup_notes.json"]
        for key in others:
            request(bucket, "PUT", key)
        reply = world.prune("--no-runs")
        assert fates(reply) == {first: "deleted", second: "keep"}, reply
        left = bucket.keys()
        assert set(others) <= set(left), set(others) - set(left)
        own = [key for key in left if first in key and key not in others]
        assert own == [f"backups/backup_{first}.deleted.json"], own
        assert world.whole(S3_BACKUP_BUCKET=bucket.name) == [second]


# ---- unfinished uploads


@case("/prune/unfinished-uploads-of-ours-go-after-two-days")
def _():
    bucket = Bucket("prune-of-holdfast-uploads")
    with Sets(**bucket.settings(**LAST)) as world:
        kept = world.backup()
        ours = ["backups/database_backup_2024-01-15_02-00-00.sql.gz", "backups/images_backup_2024-01-15_02-00-00.part0002.tar.gz"]
        others = ["backups/upload of somebody", "backups/database_backup_2024-01-15_02-00-00.sql.gz.bak",
                  "database_backup_2024-01-15_02-00-00.sql.gz", "backups2/database_backup_2024-01-15_02-00-00.sql.gz"]
        for key in ours + others:
            request(bucket, "POST", urllib.parse.quote(key) + "?uploads=")
        assert world.prune()["unfinished"] == []
        assert sorted(bucket.uploads()) == sorted(ours + others)
        # Three days later by this host's clock; the server's own says when they were begun.
        later = dict(program=HOLDFAST_PLAIN, prefix=("faketime", "-f", "+3d"))
        dry = world.run("--json", "prune", "--dry-run", **later)
        assert dry.code == 0 and ["backups/" + item["key"] for item in dry.json["unfinished"]] == ours, dry
        assert sorted(bucket.uploads()) == sorted(ours + others)
        done = world.run("prune", **later)
        assert done.code == 0 and done.out.count("removed  unfinished ") == 2, done
        assert sorted(bucket.uploads()) == sorted(others)
        assert world.listed() == [kept]


@case("/prune/more-uploads-than-one-page")
def _():
    bucket = Bucket("prune-of-holdfast-upload-pages")
    with Sets(**bucket.settings(**LAST)) as world:
        world.backup()
        for number in range(1005):
            request(bucket, "POST", f"backups/database_backup_2024-01-15_02-00-00.part{number + 2:04}.sql.gz?uploads=")
        reply = world.prune("--no-runs")
        assert len(reply["unfinished"]) == 1005, len(reply["unfinished"])
        assert bucket.uploads() == []


# ---- versions and locks


def set_policy(bucket, what):
    """Nobody may delete what; None takes that back."""
    if not what:
        bucket.aws("s3api", "delete-bucket-policy", "--bucket", bucket.name)
        return
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": ["s3:DeleteObject"],
        "Resource": [f"arn:aws:s3:::{bucket.name}/{what}"]}]}
    bucket.aws("s3api", "put-bucket-policy", "--bucket", bucket.name, "--policy", json.dumps(policy))


def versions(bucket, set_id):
    found = json.loads(bucket.aws("s3api", "list-object-versions", "--bucket", bucket.name, "--output", "json"))
    return [item["Key"] for item in found.get("Versions", []) if set_id in item["Key"]]


def retain(bucket, key, mode, until):
    bucket.aws("s3api", "put-object-retention", "--bucket", bucket.name, "--key", key, "--retention",
               json.dumps({"Mode": mode, "RetainUntilDate": until}))


class LockBucket(Bucket):
    def __init__(self, name):
        super().__init__(name)
        self.aws("s3api", "delete-bucket", "--bucket", name)
        self.aws("s3api", "create-bucket", "--bucket", name, "--object-lock-enabled-for-bucket")


@case("/prune/versioned-bucket-says-that-bytes-stay")
def _():
    bucket = Bucket("prune-of-holdfast-versions")
    bucket.aws("s3api", "put-bucket-versioning", "--bucket", bucket.name, "--versioning-configuration", "Status=Enabled")
    with Sets(**bucket.settings(**LAST)) as world:
        first, second = world.backups(2)
        done = world.run("prune")
        assert done.code == 0 and "its bytes stay for ever" in done.out and "NoncurrentVersionExpiration" in done.out, done
        assert world.listed() == [second] and len(versions(bucket, first)) >= 4
        assert "its bytes stay for ever" in world.run("doctor").out
        rule = {"Rules": [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "backups/"},
                           "NoncurrentVersionExpiration": {"NoncurrentDays": 14}}]}
        bucket.aws("s3api", "put-bucket-lifecycle-configuration", "--bucket", bucket.name, "--lifecycle-configuration",
                   json.dumps(rule))
        assert "until a lifecycle rule removes them, 14 days later" in world.run("prune").out
        rule["Rules"][0]["Filter"]["Prefix"] = "other/"
        bucket.aws("s3api", "put-bucket-lifecycle-configuration", "--bucket", bucket.name, "--lifecycle-configuration",
                   json.dumps(rule))
        assert "its bytes stay for ever" in world.run("prune").out
        bucket.aws("s3api", "put-bucket-versioning", "--bucket", bucket.name, "--versioning-configuration", "Status=Suspended")
        assert "the bucket kept versions once" in world.run("prune").out
        plain = Bucket("prune-of-holdfast-no-versions")
        silent = world.run("prune", **plain.settings())
        assert silent.code == 0 and "version" not in silent.out, silent


@case("/prune/locked-set-is-retained-until-its-date")
def _():
    for mode in ("GOVERNANCE", "COMPLIANCE"):
        bucket = LockBucket(f"prune-of-holdfast-lock-{mode.lower()}")
        with Sets(**bucket.settings(**LAST)) as world:
            bucket.aws("s3api", "put-object-lock-configuration", "--bucket", bucket.name, "--object-lock-configuration",
                       json.dumps({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, "Days": 1}}}))
            first, second = world.backups(2)
            before = bucket.keys()
            said = world.run("prune")
            assert said.code == 0 and re.search(rf"{first} .* retained +locked until \d{{4}}-.*\({mode.lower()}\)", said.out), said
            reply = world.prune()
            assert fates(reply) == {first: "retained", second: "keep"} and reply["deleted"] == 0, reply
            assert bucket.keys() == before and world.whole(S3_BACKUP_BUCKET=bucket.name) == [first, second]
            # Two days later by this host's clock the lock is over.
            later = world.run("--json", "prune", program=HOLDFAST_PLAIN, prefix=("faketime", "-f", "+2d"))
            assert later.code == 0 and fates(later.json) == {first: "deleted", second: "keep"}, later
            assert world.listed() == [second]
            # What was locked is a version still: a plain delete does not reach it.
            assert f"backups/database_backup_{first}.sql.gz" in versions(bucket, first)
            assert "object lock  on" in world.run("doctor").out


@case("/prune/what-holdfast-itself-has-locked-is-retained-until-its-date")
def _():
    bucket = LockBucket("prune-of-holdfast-own-lock")

    def head(key):
        """Whether it is locked, and how many tags it has."""
        found = json.loads(bucket.aws("s3api", "head-object", "--bucket", bucket.name, "--key", "backups/" + key))
        return found.get("ObjectLockMode"), found.get("TagCount")

    with Sets(**bucket.settings(S3_OBJECT_LOCK_DAYS="1", S3_TAGS="app=shop,tier=backup", **LAST)) as world:
        first = world.backup()
        world.backup(VERIFY_AFTER_BACKUP="2")  # a proof is no part of a set
        second = world.listed()[1]
        assert head(f"backup_{second}.level2.json") == (None, 2)
        for key in (f"database_backup_{second}.sql.gz", f"backup_{second}.RESTORE.txt", f"backup_{second}.json"):
            assert head(key) == ("GOVERNANCE", 2), key
        assert fates(world.prune()) == {first: "retained", second: "keep"} and world.whole(
            S3_BACKUP_BUCKET=bucket.name) == [first, second]
        later = world.run("--json", "prune", program=HOLDFAST_PLAIN, prefix=("faketime", "-f", "+2d"))
        assert later.code == 0 and fates(later.json) == {first: "deleted", second: "keep"}, later
        assert f"backups/database_backup_{first}.sql.gz" in versions(bucket, first)
        for wrong, word in (({"S3_SSE": "aes256"}, "AES256"), ({"S3_TAGS": "a"}, "name=value"), ({"S3_OBJECT_LOCK_DAYS": "-1"}, "36500"),
                            ({"S3_OBJECT_LOCK_MODE": "EVER"}, "GOVERNANCE"), ({"S3_STORAGE_CLASS": "COLD"}, "GLACIER"),
                            ({"S3_SSE_KMS_KEY_ID": "k"}, "aws:kms"), ({"S3_USE_ACCELERATE": "1"}, "endpoint"),
                            ({"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x", "AWS_ACCESS_KEY_ID": None,
                              "AWS_SECRET_ACCESS_KEY": None}, "AWS_WEB_IDENTITY_TOKEN_FILE")):
            refused = world.run("list", **wrong)
            assert refused.code == 2 and word in refused.err, (wrong, refused)
    plain = Bucket("prune-of-holdfast-no-lock")
    with Sets(**plain.settings(S3_OBJECT_LOCK_DAYS="1", **LAST)) as world:
        refused = world.run("backup", "database")
        assert refused.code == 2 and "Object Lock must be on for the bucket" in refused.err and plain.keys() == [], refused
        assert "object lock  S3_OBJECT_LOCK_DAYS is set" in world.run("doctor").out


@case("/prune/legal-hold-retains-too")
def _():
    bucket = LockBucket("prune-of-holdfast-legal")
    with Sets(**bucket.settings(**LAST)) as world:
        first, second = world.backups(2)
        for status, fate in (("ON", "retained"), ("OFF", "deleted")):
            bucket.aws("s3api", "put-object-legal-hold", "--bucket", bucket.name, "--key", f"backups/backup_{first}.json",
                       "--legal-hold", f"Status={status}")
            reply = world.prune()
            assert fates(reply) == {first: fate, second: "keep"}, reply
            assert status == "OFF" or reply["sets"][0]["lock"] == "under legal hold", reply


@case("/prune/refused-delete-of-a-locked-object-is-no-error")
def _():
    bucket = LockBucket("prune-of-holdfast-refused")
    with Sets(**bucket.settings(**LAST)) as world:
        first, second = world.backups(2)
        key = f"database_backup_{first}.sql.gz"
        set_policy(bucket, f"backups/{key}")
        denied = world.run("prune")
        assert denied.code == 1 and key in denied.err and "s3:DeleteObject" in denied.err, denied
        retain(bucket, f"backups/{key}", "COMPLIANCE", "2099-01-01T00:00:00Z")
        said = world.run("prune")
        assert said.code == 0 and f"retained  {key}, locked until 2099-01-01T00:00:00Z (compliance)" in said.out, said
        assert f"removed  {key}" not in said.out, said
        assert world.prune()["retained"] == [{"key": key, "lock": "until 2099-01-01T00:00:00Z (compliance)"}]
        assert f"backups/backup_{first}.claim" in bucket.keys()
        set_policy(bucket, None)
        assert world.prune()["removed"] == [key]
        assert [name for name in bucket.keys() if first in name] == [f"backups/backup_{first}.deleted.json"]
        assert world.whole(S3_BACKUP_BUCKET=bucket.name) == [second]


# ---- interrupted, at once, meanwhile


@case("/prune/killed-in-the-middle-the-next-goes-on")
def _():
    with Sets(**LAST) as world:
        for wanted in (1, 2, 4, 6):
            world.backups(8 - len(world.listed()))
            ids = world.listed()
            pruning = world.start("prune", "--force")
            manifests = [os.path.join(world.env["BACKUP_DIR"], f"backup_{set_id}.json") for set_id in ids]
            wait_for(lambda: pruning.poll() is not None or sum(not os.path.exists(path) for path in manifests) >= wanted)
            pruning.send_signal(signal.SIGKILL)
            pruning.communicate()
            # Whole or gone: what is listed reads back, and the newest is there.
            for set_id in world.listed():
                assert world.run("verify", set_id).code == 0, set_id
            assert ids[-1] in world.listed()
        world.prune("--force")
        assert world.whole() == ids[-1:]


@case("/prune/two-at-once-do-no-harm")
def _():
    with Sets(**LAST) as world:
        ids = world.backups(6)
        # As two hosts would whose store has no leases: each with a state of its own.
        both = [world.start("prune", "--force", BACKUP_STATE_DIR=os.path.join(world.folder, "state", name), LEASES="off")
                for name in "ab"]
        for pruning in both:
            out, err = pruning.communicate(timeout=120)
            assert pruning.returncode == 0, out + err
        world.prune()
        assert world.whole() == ids[-1:]


@case("/prune/while-a-run-goes-on-no-set-goes")
def _():
    fresh_database("prune_run", Gate.TABLE + "CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 200000) i")
    with Sets(**dict(LAST, DB_NAME="prune_run")) as world:
        first, second = world.backups(2)
        time.sleep(2.1)  # the second set may have the id of the next second: then the run claims that first, and lets it go
        with Gate("prune_run"):
            running = world.start("--json", "backup", "database")
            claim = wait_for(lambda: [name for name in world.store_files() if name.endswith(".claim")])[0]
            stand_still(running)
        own = world.run("prune")
        assert own.code == 1 and "backup database" in own.err, own
        other = {"BACKUP_STATE_DIR": os.path.join(world.folder, "state", "other-host")}
        said = world.run("prune", **other)
        assert said.code == 1 and "\"prune\" has to wait" in said.err and "backup database" in said.err, said
        said = world.run("prune", LEASES="off", **other)
        assert said.code == 3 and f"the run of set {claim[7:26]} goes on, or was killed" in said.out, said
        assert claim in world.store_files() and world.listed() == [first, second]
        running.send_signal(signal.SIGCONT)
        out, err = running.communicate(timeout=120)
        assert running.returncode == 0, err
        third = json.loads(out)["set"]
        reply = world.prune("--force")
        assert fates(reply) == {first: "deleted", second: "deleted", third: "keep"}, reply
        assert world.whole() == [third]


@case("/prune/failed-run-stops-it-until-there-is-a-newer-set")
def _():
    with Sets(**LAST) as world:
        first, second = world.backups(2)
        time.sleep(2.1)  # the second set may have the id of the next second
        failed = world.run("backup", "database", DB_NAME="there is no such database")
        assert failed.code != 0, failed
        # Such a run leaves nothing in the store; the history of jobs knows it.
        stopped = world.run("prune")
        assert stopped.code == 3 and "(backup database) failed: " in stopped.out and "make one" in stopped.out, stopped
        assert world.listed() == [first, second]
        time.sleep(1.1)
        third = world.backup()
        assert fates(world.prune("--force")) == {first: "deleted", second: "deleted", third: "keep"}


@case("/prune/killed-run-stops-it-until-there-is-a-newer-set")
def _():
    with Sets(**LAST) as world:
        first, second = world.backups(2)
        time.sleep(2.1)
        stamp = time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime())
        world.put(f"backup_{stamp}.claim", b"host 1\n")
        world.put(f"database_backup_{stamp}.sql.gz", b"half of it")
        stopped = world.run("prune", "--no-runs")
        assert stopped.code == 3 and "was killed" in stopped.out and "make one" in stopped.out, stopped
        # Its half is no use; its claim says what happened until all is well again.
        assert [name for name in world.store_files() if stamp in name] == [f"backup_{stamp}.claim"]
        assert world.listed() == [first, second]
        time.sleep(1.1)
        third = world.backup()
        assert fates(world.prune("--no-runs", "--force")) == {first: "deleted", second: "deleted", third: "keep"}
        assert world.whole() == [third]


run()
