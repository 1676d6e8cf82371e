#!/usr/bin/env python3
"""Replicas as an owner uses them: folders and real buckets that are brought level, that refuse, and that are restored from."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import FaultProxy  # noqa: E402
from site_of_tests import Site  # noqa: E402
from tap import case, run  # noqa: E402
from world import World, fresh_database, psql, url, wait_for  # noqa: E402

DATABASE = f"holdfast_replicas_{os.getpid()}"
SECRET = "planted-replica-secret-0123456789"


class Replicas(World):
    """A world with a small database, three images and a folder for a replica."""

    def __init__(self, **env):
        super().__init__(DATABASE)
        self.env.update(IMAGES_DIR=self.below("images"), REPLICA_1_DIR=self.below("replica"), **env)
        for key in ("a.jpg", "b.jpg", "c/d.jpg"):
            self.image(key)

    def below(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def image(self, key):
        path = os.path.join(self.env["IMAGES_DIR"], key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(os.urandom(20000))

    def ok(self, *words, code=0, **env):
        done = self.run("--json", *words, **env)
        assert done.code == code, (words, done)
        return done.json if done.out.lstrip().startswith("{") else done

    def replicate(self, *words, code=0, **env):
        return self.ok("replicate", *words, code=code, **env)["replicas"][0]


LEASES = "holdfast_leases.json"  # of the store alone: a replica has no runs


def names(folder):
    return sorted(name for name in os.listdir(folder) if name != LEASES)


fresh_database(DATABASE, "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 500) g")


# ---- a folder

@case("/replicate/folder/a-backup-brings-it-level-and-all-is-restored-from-it-when-the-store-is-lost")
def _():
    with Replicas() as world:
        # Large enough that its rows are restored in pieces, by connections that open the store themselves.
        psql(DATABASE, "CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 5000) i")
        made = world.ok("backup", "full")
        assert made["replicas"][0]["level"] and made["replicas"][0]["copied"] == [made["set"]], made
        world.image("e.jpg")
        second = world.ok("backup", "full")["set"]
        assert names(world.env["REPLICA_1_DIR"]) == names(world.env["BACKUP_DIR"])
        shutil.rmtree(world.env["BACKUP_DIR"])
        there = ("--from", "replica-1")
        assert [row["set"] for row in world.ok("list", *there)["sets"]] == [made["set"], second]
        assert world.ok("show", "latest", *there)["set"] == second
        assert re.match(r"\+ .* e\.jpg\n", world.run("diff", made["set"], second, *there).out)
        assert world.ok("verify", "latest", *there)["level"] == 2
        assert "CREATE TABLE public.t" in world.run("cat", "latest", *there).out
        target = fresh_database(DATABASE + "_back")
        world.ok("restore", "database", "latest", "--to", url(target), *there)
        assert psql(target, "SELECT count(*) FROM t") == "500"
        world.ok("restore", "images", "latest", "--to", world.below("back"), *there)
        assert subprocess.run(["diff", "-r", world.env["IMAGES_DIR"], world.below("back")], check=False).returncode == 0
        os.chmod(world.folder, 0o755)  # the scratch cluster runs as somebody else
        assert world.ok("verify", "latest", "--level", "4", *there)["level"] == 4
        drilled = world.ok("drill", *there)
        assert drilled["level"] == 4 and drilled["set"] == second, drilled
        psql(DATABASE, "DROP TABLE wide")


@case("/replicate/folder/tarballs-of-deleted-sets-come-along-and-are-no-sets-there")
def _():
    with Replicas() as world:
        first = world.ok("backup", "images", REPLICA_1_DIR=None)["set"]
        world.image("e.jpg")
        second = world.ok("backup", "images", REPLICA_1_DIR=None)["set"]
        world.ok("delete", first, "--force", REPLICA_1_DIR=None)
        assert world.replicate()["copied"] == [second]
        assert [row["set"] for row in world.ok("list", "--from", "replica-1")["sets"]] == [second]
        assert world.ok("verify", second, "--from", "replica-1")["level"] == 2
        # The tarball alone is lost there: nothing but a manifest says that it is missed.
        tarball = next(name for name in names(world.env["REPLICA_1_DIR"]) if name.startswith(f"images_backup_{first}"))
        os.remove(os.path.join(world.env["REPLICA_1_DIR"], tarball))
        assert world.replicate()["mended"] == [f"{tarball} was missing"]
        assert world.replicate()["objects"] == 0


@case("/replicate/folder/places-that-will-not-do-are-refused")
def _():
    with Replicas() as world:
        made = world.ok("backup", "database", REPLICA_1_DIR=None)["set"]
        store, images = world.env["BACKUP_DIR"], world.env["IMAGES_DIR"]
        link = os.path.join(world.folder, "link")
        os.symlink(store, link)
        for settings, said, code in (
                ({"REPLICA_1_DIR": store}, "the place of the backups themselves", 2),
                ({"REPLICA_1_DIR": link + "/."}, "the place of the backups themselves", 2),
                ({"REPLICA_1_DIR": os.path.join(store, "inside")}, "the place of the backups themselves", 2),
                ({"REPLICA_1_DIR": images}, "the images that are backed up", 2),
                ({"REPLICA_2_DIR": world.env["REPLICA_1_DIR"]}, "lies in replica-", 2),
                ({"REPLICA_1_BUCKET": "b"}, "REPLICA_1_DIR and REPLICA_1_BUCKET are both set", 2),
                ({"REPLICA_1_DIR": None, "REPLICA_1_BUCKET": "b", "REPLICA_1_ACCESS_KEY": "k"}, "REPLICA_1_SECRET_ACCESS_KEY", 2),
                ({"REPLICA_1_DIR": None}, "there is no replica", 2),
                ({"REPLICA_1_DIR": os.path.join(world.folder, "nas")}, "is it mounted?", 1),
                ({"REPLICA_5_DIR": images}, "there are replicas 1 to 4, such as REPLICA_1_DIR", 2),
                ({"REPLICA_2_BUCKE": images}, "did you mean REPLICA_2_BUCKET", 2)):
            done = world.run("replicate", **settings)
            assert done.code == code and said in done.err, (settings, done)
        assert world.run("list", "--from", "replica-2").code == 2 and world.run("list", "--from", "nas").code == 2
        assert [row["set"] for row in world.ok("list")["sets"]] == [made]
        assert names(world.env["REPLICA_1_DIR"]) == []
        # Two settings that mean one place are seen to be one.
        bind = world.below("bind")
        if os.geteuid() == 0 and subprocess.run(["mount", "--bind", store, bind], capture_output=True, check=False).returncode == 0:
            try:
                done = world.run("replicate", REPLICA_1_DIR=bind)
                assert done.code == 2 and "are one place" in done.err, done
            finally:
                subprocess.run(["umount", bind], check=True)


@case("/replicate/folder/ciphertext-is-copied-as-it-is")
def _():
    with Replicas() as world:
        keys = world.run("keygen").out
        with open(os.path.join(world.folder, "identity"), "w", encoding="ascii") as file:
            file.write(keys)
        world.env["BACKUP_RECIPIENTS"] = re.search(r"age1\w+", keys).group()
        world.ok("backup", "database")
        dump = next(name for name in names(world.env["REPLICA_1_DIR"]) if name.endswith(".sql.gz.age") and "globals" not in name)
        with open(os.path.join(world.env["REPLICA_1_DIR"], dump), "rb") as its, \
                open(os.path.join(world.env["BACKUP_DIR"], dump), "rb") as ours:
            assert its.read() == ours.read()
        identity = os.path.join(world.folder, "identity")
        assert "CREATE TABLE" in world.run("cat", "latest", "--from", "replica-1", BACKUP_IDENTITY_FILE=identity).out


# ---- buckets

BUCKETS = [f"hf-replicate-{which}-{os.getpid()}" for which in "ab"]


def request(method, target):
    """One signed request without a body, and without the second that awscli takes to start."""
    done = subprocess.run(
        ["curl", "-sf", "-X", method, "--aws-sigv4", "aws:amz:us-east-1:s3", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
         "-H", "content-length: 0", "--user", f"{os.environ['HF_TEST_S3_ACCESS_KEY']}:{os.environ['HF_TEST_S3_SECRET_KEY']}",
         f"{os.environ['HF_TEST_S3_ENDPOINT']}/{target}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (method, target, done)
    return done.stdout


class Place:
    """A prefix of its own in one of the two buckets."""

    def __init__(self, bucket, prefix):
        self.bucket, self.prefix, self.path = bucket, prefix, f"{bucket}/{prefix}"

    def keys(self):
        listed = request("GET", f"{self.bucket}?list-type=2&prefix={self.prefix}%2F")
        return sorted(key for key in re.findall(f"<Key>{self.prefix}/(.*?)</Key>", listed) if key != LEASES)

    def uploads(self):
        return re.findall(f"<Key>{self.prefix}/.*?</Key>", request("GET", f"{self.bucket}?uploads="))


def two_buckets(world, name, **env):
    store, replica = Place(BUCKETS[0], f"{name}-store"), Place(BUCKETS[1], f"{name}-replica")
    world.env.pop("REPLICA_1_DIR")
    world.env.update({"S3_BACKUP_BUCKET": store.bucket, "S3_BACKUP_PREFIX": store.prefix, "REPLICA_1_BUCKET": replica.bucket,
                      "REPLICA_1_PREFIX": replica.prefix, "AWS_ENDPOINT_URL": os.environ["HF_TEST_S3_ENDPOINT"], "S3_TRIES": "2",
                      "AWS_ACCESS_KEY_ID": os.environ["HF_TEST_S3_ACCESS_KEY"],
                      "AWS_SECRET_ACCESS_KEY": os.environ["HF_TEST_S3_SECRET_KEY"], **env})
    return store, replica


for bucket in BUCKETS:
    request("PUT", bucket)


@case("/replicate/s3/one-server-copies-by-itself-and-an-unchanged-store-costs-list-requests-alone")
def _():
    with Replicas() as world, FaultProxy() as proxy:
        store, replica = two_buckets(world, "hf-server", AWS_ENDPOINT_URL=proxy.address)
        made = world.ok("backup", "full")
        done = made["replicas"][0]
        assert done["level"] and done["objects"] == done["copied_by_server"] > 4, done
        assert replica.keys() == store.keys()
        targets = proxy.counts()["targets"]
        begin = next(at for at, target in enumerate(targets) if target.startswith("PUT") and replica.path in target)
        read = [target for target in targets[begin:] if target.startswith("GET") and ".gz" in target and "prefix=" not in target]
        assert read == [], read  # no archive came here
        proxy.set()
        assert world.replicate()["objects"] == 0
        requests = [target for target in proxy.counts()["targets"] if LEASES not in target]
        assert requests and all(target.startswith("GET") and "list-type=2" in target for target in requests), requests
        assert len(requests) == 6, requests  # three prefixes of either
        assert world.ok("verify", "latest", "--from", "replica-1")["level"] == 2
        text = world.run("cat", "latest", "restore.txt", "--from", "replica-1").out
        assert f"s3://{replica.path}" in text and store.bucket not in text


@case("/replicate/s3/a-server-that-does-not-copy-is-streamed-from")
def _():
    with Replicas() as world, FaultProxy() as proxy:
        store, replica = two_buckets(world, "hf-stream", AWS_ENDPOINT_URL=proxy.address)
        world.ok("backup", "database", REPLICA_1_BUCKET=None)
        # Of PUTs into the replica the claim is the first; then the copies, one for each of three archives.
        proxy.set({"kind": "unsupported", "method": "PUT", "match": f"{replica.path}/database_backup", "times": 1})
        done = world.replicate()
        assert done["level"] and done["copied_by_server"] == done["objects"] - 1, done
        assert replica.keys() == store.keys()


FAULTS = [
    ({"kind": "quota"}, "the quota is used up"),
    ({"kind": "denied"}, "access denied"),
    ({"kind": "slowdown"}, "the server is busy"),
    ({"kind": "no-bucket"}, "correct REPLICA_1_BUCKET"),
    ({"kind": "unknown-key"}, "check REPLICA_1_ACCESS_KEY"),
]


@case("/replicate/s3/a-replica-that-is-down-full-or-forbidden-is-a-warning-and-is-caught-up")
def _():
    with Replicas() as world, FaultProxy() as proxy:
        store, replica = two_buckets(world, "hf-down", REPLICA_1_ACCESS_KEY=os.environ["HF_TEST_S3_ACCESS_KEY"],
                                     REPLICA_1_SECRET_ACCESS_KEY=os.environ["HF_TEST_S3_SECRET_KEY"])
        down = world.run("--json", "backup", "database", REPLICA_1_ENDPOINT_URL="http://127.0.0.1:1")
        assert down.code == 3 and down.json["success"] and "replica" in down.json["warning"], down
        assert "check REPLICA_1_ENDPOINT_URL" in down.err and not down.json["suspect"], down
        assert [row["set"] for row in world.ok("list")["sets"]] == [down.json["set"]]
        checks = {row["check"]: row for row in world.run("--json", "doctor").json["checks"]}
        assert checks["replica-1"]["mark"] == "warn" and "1 sets are missing" in checks["replica-1"]["message"], checks
        world.env["REPLICA_1_ENDPOINT_URL"] = proxy.address
        for fault, said in FAULTS:
            proxy.set(dict(fault, method="PUT"))
            done = world.run("replicate")
            assert done.code in (1, 2) and said in done.err, (fault, done)
            assert world.ok("list", "--from", "replica-1")["sets"] == [], fault
        proxy.set()
        done = world.replicate()
        assert done["level"] and done["copied"] == [down.json["set"]] and done["copied_by_server"] == 0, done
        assert replica.keys() == store.keys() and replica.uploads() == []
        checks = {row["check"]: row for row in world.run("--json", "doctor").json["checks"]}
        assert checks["replica-1"]["mark"] == "ok", checks


@case("/replicate/s3/a-run-that-was-killed-leaves-nothing-visible-and-is-gone-on-with")
def _():
    with Replicas() as world, FaultProxy() as proxy:
        store, replica = two_buckets(world, "hf-kill")
        made = world.ok("backup", "database", REPLICA_1_BUCKET=None)["set"]
        proxy.set({"kind": "stall", "method": "PUT", "match": ".index.jsonl.gz"})
        child = world.start("replicate", REPLICA_1_ENDPOINT_URL=proxy.address)
        wait_for(lambda: any(".index.jsonl.gz" in target and target.startswith("PUT") for target in proxy.counts()["targets"]))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert world.ok("list", "--from", "replica-1")["sets"] == []
        assert any(key.endswith(".claim") for key in replica.keys()), replica.keys()
        proxy.set()
        done = world.replicate(REPLICA_1_ENDPOINT_URL=proxy.address)
        assert done["copied"] == [made] and done["objects"] < 3, done
        assert replica.keys() == store.keys()


@case("/replicate/s3/a-stop-leaves-the-backup-stored-and-is-caught-up-with-and-two-do-not-run-at-once")
def _():
    with Replicas() as world, FaultProxy() as proxy:
        store, replica = two_buckets(world, "hf-stop", REPLICA_1_ENDPOINT_URL=proxy.address)

        def stop(*words):
            proxy.set({"kind": "stall", "method": "PUT", "match": f"{replica.path}/database_backup"})
            child = world.start("--json", *words)
            wait_for(lambda: any(target.startswith("PUT") and "/database_backup" in target for target in proxy.counts()["targets"]))
            again = world.run("replicate")
            child.send_signal(signal.SIGTERM)
            out, err = child.communicate(timeout=120)
            return child.returncode, json.loads(out), err, again
        code, reply, err, again = stop("backup", "database")
        assert code == 3 and reply["success"] and "not everywhere" in err and reply["replicas"][0]["code"] == "cancelled", (code, reply, err)
        assert again.code == 1 and "process" in again.err, again
        code, stopped, err, again = stop("replicate")
        assert code == 1 and stopped["code"] == "cancelled" and again.code == 1 and "has to wait" in again.err, (code, stopped, again)
        proxy.set()
        assert world.replicate()["copied"] == [reply["set"]]
        assert replica.keys() == store.keys() and replica.uploads() == []


@case("/replicate/s3/no-secret-is-told")
def _():
    with Replicas() as world:
        two_buckets(world, "hf-secret", REPLICA_1_ACCESS_KEY="AKIDREPLICA", REPLICA_1_SECRET_ACCESS_KEY=SECRET)
        said = [world.run("--json", *words) for words in
                (["backup", "database"], ["replicate"], ["doctor"], ["config"], ["jobs"], ["list", "--from", "replica-1"])]
        assert said[0].code == 3, said[0]
        for done in said:
            assert SECRET not in done.out and SECRET not in done.err, done
        assert subprocess.run(["grep", "-rqa", SECRET, world.env["BACKUP_STATE_DIR"]], check=False).returncode == 1
        path = os.path.join(world.folder, "secret")
        with open(path, "w", encoding="ascii") as file:
            file.write(os.environ["HF_TEST_S3_SECRET_KEY"] + "\n")
        world.replicate(REPLICA_1_ACCESS_KEY=os.environ["HF_TEST_S3_ACCESS_KEY"], REPLICA_1_SECRET_ACCESS_KEY=None,
                        REPLICA_1_SECRET_ACCESS_KEY_FILE=path)


# ---- the service

@case("/replicate/api/a-backup-with-a-replica-that-is-down-is-a-success-with-a-warning-and-a-job-catches-up")
def _():
    replica = tempfile.mkdtemp(prefix="holdfast-e2e.")
    os.rmdir(replica)
    with Site(REPLICA_1_DIR=replica) as stack:
        try:
            assert stack.get("status").json["replicas"] == [{"name": "replica-1", "level": False, "missing": 0}]
            made = stack.call("POST", "database")
            assert made.status == 200 and "replica is behind" in made.json["warning"], made
            seen = stack.get("status").json["replicas"][0]
            assert not seen["level"] and seen["missing"] == 1 and "mounted" in seen["error"] and seen["behindSince"], seen
            os.mkdir(replica)
            assert stack.call("POST", "replicate", body={"replica": 2}).status == 422
            assert stack.call("POST", f"sets/{made.json['set']}/verify", body={"from": "replica-2"}).status == 422
            started = stack.call("POST", "replicate", body={"replica": 1})
            assert started.status == 202, started
            job = stack.job(started.json["job"])
            assert job["status"] == "done" and job["exit"] == 0 and job["kind"] == "replicate", job
            assert job["result"]["replicas"][0]["copied"] == [made.json["set"]], job
            seen = stack.get("status").json["replicas"][0]
            assert seen["level"] and seen["missing"] == 0 and "error" not in seen and "behindSince" not in seen, seen
            verified = stack.job(stack.call("POST", f"sets/{made.json['set']}/verify",
                                            body={"level": 2, "from": "replica-1"}).json["job"])
            assert verified["exit"] == 0 and verified["parameters"]["from"] == "replica-1", verified
            assert f"backup_{made.json['set']}.level2.json" in names(replica)
        finally:
            shutil.rmtree(replica, ignore_errors=True)


run()
