#!/usr/bin/env python3
"""Several hosts with one store: two state folders and two names stand for two hosts."""
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import Stack  # noqa: E402
from tap import case, run  # noqa: E402
from world import LEASES, Bucket, Gate, World, fresh_database, stand_still, wait_for  # noqa: E402

START = os.path.join(os.path.dirname(os.environ["HF_TEST_HOLDFAST"]), "tests", "backup", "job", "start-job")
DATABASE = fresh_database("leases_of_holdfast", "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000);"
                          + Gate.TABLE)
BUCKET = Bucket(f"leases-{os.getpid()}")
SECONDS = 10  # the least that is allowed


class Host:
    """Settings of one host: its own name and notes, everybody's store."""

    def __init__(self, world, name, **more):
        self.world, self.name = world, name
        self.state = os.path.join(world.folder, "state", name)
        self.settings = dict(HOLDFAST_HOST_NAME=name, BACKUP_STATE_DIR=self.state, **more)

    def run(self, *words, **more):
        return self.world.run(*words, **dict(self.settings, **more))

    def start(self, *words, **more):
        return self.world.start(*words, **dict(self.settings, **more))

    def jobs(self):
        return self.run("--json", "jobs").json

    def phase(self):
        rows = self.jobs()["jobs"]
        return rows[0].get("progress", {}).get("phase") if rows and rows[0]["status"] == "running" else None


def hosts(world, bucket, *names):
    more = dict(BUCKET.settings(), S3_BACKUP_PREFIX=os.path.basename(world.folder)) if bucket else {}
    return [Host(world, name, **more) for name in names]


def leases(host):
    """What the object says; read as anybody would."""
    if "S3_BACKUP_BUCKET" not in host.settings:
        with open(os.path.join(host.world.env["BACKUP_DIR"], LEASES), encoding="ascii") as file:
            return json.load(file)
    path = os.path.join(host.world.folder, "leases")
    BUCKET.aws("s3api", "get-object", "--bucket", BUCKET.name, "--key", f"{host.settings['S3_BACKUP_PREFIX']}/{LEASES}", path)
    with open(path, encoding="ascii") as file:
        return json.load(file)


def finish(child):
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


# ---- two at once ----

def in_the_way(bucket):
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        one, two = hosts(world, bucket, "web1", "web2")
        child = one.start("backup", "database")
        wait_for(lambda: one.phase() == "dumping")
        held = leases(one)["leases"]
        assert len(held) == 1 and held[0]["host"] == "web1" and held[0]["kind"] == "backup database", held
        refused = two.run("--json", "backup", "database")
        assert refused.code == 1 and refused.json["code"] == "conflict", refused
        assert 'host "web1"' in refused.json["error"] and held[0]["job"] in refused.json["error"], refused
        assert refused.json["elsewhere"]["host"] == "web1" and refused.json["elsewhere"]["job"] == held[0]["job"], refused
        # The second host shows it from what it saw; the first does not take its own for another's.
        other = two.jobs()["elsewhere"]
        assert [(job["host"], job["kind"], job["id"]) for job in other] == [("web1", "backup database", held[0]["job"])], other
        assert "on host web1" in two.run("jobs").out
        assert one.jobs()["elsewhere"] == []
        gate.open()
        code, _, err = finish(child)
        assert code == 0, err
        assert leases(one)["leases"] == [], leases(one)
        assert two.run("backup", "database").code == 0
        # A refusal is no failed run, after which nothing would be pruned.
        assert "no set is deleted" not in two.run("prune", "--dry-run").out


@case("/leases/two-hosts/a-folder")
def _():
    in_the_way(False)


@case("/leases/two-hosts/a-bucket")
def _():
    in_the_way(True)


@case("/leases/kinds-that-go-together-do")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        one, two = hosts(world, False, "web1", "web2")
        assert one.run("backup", "database", DB_NAME="postgres").code == 0
        child = one.start("backup", "database")
        wait_for(lambda: one.phase() == "dumping")
        verified = two.run("verify", "latest")
        assert verified.code == 0, verified
        pruned = two.run("prune")
        assert pruned.code == 1 and 'host "web1"' in pruned.err, pruned
        gate.open()
        assert finish(child)[0] == 0


@case("/leases/ten-starts-at-once")
def _():
    """Each round two hosts start in the same moment: one or, one after the other, both; never none and never two at once."""
    with World(DATABASE) as world:
        pair = hosts(world, True, "web1", "web2")
        done = 0
        for _round in range(10):
            ends = [finish(child) for child in [host.start("--json", "backup", "database") for host in pair]]
            good = [json.loads(out) for code, out, _ in ends if code == 0]
            assert good and all(code == 0 or json.loads(out)["code"] == "conflict" for code, out, _ in ends), ends
            done += len(good)
        sets = pair[0].run("--json", "list").json["sets"]
        assert len(sets) == done, (len(sets), done)
        assert leases(pair[0])["leases"] == []


# ---- a host that sleeps, and one that is gone ----

@case("/leases/a-host-that-slept-cannot-commit")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        one, two = hosts(world, True, "web1", "web2")
        one.settings["LEASE_SECONDS"] = SECONDS
        child = one.start("backup", "database")
        wait_for(lambda: one.phase() == "dumping")
        slept = leases(one)["leases"][0]
        stand_still(child)
        gate.open()

        def take_over():
            time.sleep(1)  # a look, and so a process
            return two.run("backup", "database").code == 0
        try:
            wait_for(take_over)
            sets = [row["set"] for row in two.run("--json", "list").json["sets"]]
            assert len(sets) == 1, sets
        finally:
            os.kill(child.pid, signal.SIGCONT)
        code, _, err = finish(child)
        assert code == 1 and 'host "web2"' in err and "was this host asleep" in err, err
        assert [row["set"] for row in two.run("--json", "list").json["sets"]] == sets
        keys = BUCKET.keys()
        fences = [key for key in keys if key.endswith(".json") and "backup_" in key and sets[0] not in key
                  and key.startswith(one.settings["S3_BACKUP_PREFIX"])]
        assert len(fences) == 1, keys
        path = os.path.join(world.folder, "fence")
        BUCKET.aws("s3api", "get-object", "--bucket", BUCKET.name, "--key", fences[0], path)
        with open(path, encoding="ascii") as file:
            fence = json.load(file)
        assert fence["format"] == "holdfast-fence" and fence["host"] == "web2" and fence["owner"] == "web1", fence
        assert fence["job"] == slept["job"], fence
        # It is no set to anybody, it harms no sweep, and it goes when somebody knows that no run sleeps any more.
        pruned = two.run("prune")
        assert pruned.code == 0 and fences[0] in BUCKET.keys(), pruned
        assert two.run("verify", "latest").code == 0
        assert two.run("prune", "--no-runs").code == 0
        assert fences[0] not in BUCKET.keys(), BUCKET.keys()


@case("/leases/a-process-that-was-killed-is-taken-over-at-once-by-its-own-host")
def _():
    with World(DATABASE) as world:
        one, two = hosts(world, False, "web1", "web2")
        with Gate(DATABASE):
            child = one.start("backup", "database")
            wait_for(lambda: one.phase() == "dumping")
            child.kill()
            finish(child)
        assert len(leases(one)["leases"]) == 1
        other = two.run("backup", "database")
        assert other.code == 1 and "web1" in other.err, other
        done = one.run("backup", "database")
        assert done.code == 0, done
        assert leases(one)["leases"] == []


@case("/leases/given-back-when-cancelled")
def _():
    with World(DATABASE) as world, Gate(DATABASE):
        one, = hosts(world, True, "web1")
        child = one.start("backup", "database")
        wait_for(lambda: one.phase() == "dumping")
        child.terminate()
        assert finish(child)[0] == 1
        assert leases(one)["leases"] == []


@case("/leases/given-back-when-it-failed")
def _():
    with World(DATABASE) as world:
        one, = hosts(world, False, "web1")
        assert one.run("backup", "database", DB_NAME="no_such_database").code != 0
        assert leases(one)["leases"] == []


# ---- schedules ----

def scheduled(host, slot):
    """What the service does at a slot: the job's mark is the slot's."""
    words = [START, host.state, os.environ["HF_TEST_HOLDFAST"], "backup database", "{}", "schedule:daily", str(slot)]
    done = subprocess.run(words, env=host.world.environment(host.settings), cwd=host.world.folder, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done
    return done.stdout.strip()


def ended(host, name):
    def look():
        result = host.run("--json", "jobs", name).json
        return result if result["status"] not in ("queued", "running") else None
    return wait_for(look)


@case("/leases/a-slot-is-run-by-one-host")
def _():
    with World(DATABASE) as world:
        one, two = hosts(world, False, "web1", "web2")
        slot = int(time.time()) - 60
        first = ended(one, scheduled(one, slot))
        assert first["status"] == "done" and first["set"], first
        second = ended(two, scheduled(two, slot))
        assert second["status"] == "done" and second["exit"] == 0 and "set" not in second, second
        assert second["result"]["already"] is True and second["result"]["elsewhere"]["job"] == first["id"], second
        assert len(two.run("--json", "list").json["sets"]) == 1
        third = ended(two, scheduled(two, slot + 30))
        assert third["status"] == "done" and third["set"], third
        assert leases(one)["slots"] == [{"schedule": "daily", "slot": slot + 30, "host": "web2", "job": third["id"]}]


@case("/leases/a-schedule-waits-for-anothers-other-job")
def _():
    with World(DATABASE) as world:
        one, two = hosts(world, False, "web1", "web2")
        two.settings["LEASE_SECONDS"] = SECONDS
        with Gate(DATABASE) as gate:
            child = one.start("backup", "database")
            wait_for(lambda: one.phase() == "dumping")
            name = scheduled(two, int(time.time()) - 60)
            wait_for(lambda: "waiting for job" in two.run("jobs", name, "--log").out)
            gate.open()
            assert finish(child)[0] == 0
        end = ended(two, name)
        assert end["status"] == "done" and end["set"], end


# ---- the service ----

@case("/leases/the-service-names-another-hosts-job")
def _():
    with World(DATABASE) as world:
        one, two = hosts(world, False, "web1", "web2")
        with Stack(world, **two.settings) as stack, Gate(DATABASE) as gate:
            child = one.start("backup", "database")
            wait_for(lambda: one.phase() == "dumping")
            job = leases(one)["leases"][0]["job"]
            refused = stack.call("POST", "database")
            assert refused.status == 409 and refused.json["code"] == "conflict", refused
            assert refused.json["elsewhere"] == {"host": "web1", "job": job, "kind": "backup database"}, refused
            shown = stack.get("status").json
            assert shown["running"]["host"] == "web1" and shown["running"]["id"] == job, shown
            assert [other["id"] for other in shown["elsewhere"]] == [job], shown
            gate.open()
            assert finish(child)[0] == 0
            done = stack.call("POST", "database")
            assert done.status == 200, done
            shown = stack.get("status").json
            assert shown["elsewhere"] == [] and shown["running"] is None, shown


# ---- stores and settings ----

@case("/leases/settings")
def _():
    with World(DATABASE) as world:
        one, = hosts(world, False, "web1")
        for name, value in (("LEASE_SECONDS", "9"), ("LEASE_SECONDS", "3601"), ("LEASES", "perhaps")):
            result = one.run("backup", "database", **{name: value})
            assert result.code == 2 and name in result.err, result
        assert one.run("backup", "database", LEASES="off").code == 0
        assert LEASES not in world.store_files(leases=True)
        doctor = one.run("--json", "doctor")
        assert any(check["check"] == "leases" and "several hosts may share" in check["message"]
                   for check in doctor.json["checks"]), doctor


@case("/leases/who-reads-makes-no-folder")
def _():
    with World(DATABASE) as world:
        one, = hosts(world, False, "web1")
        assert one.run("verify", "latest").code == 1
        assert not os.path.exists(world.env["BACKUP_DIR"])


@case("/leases/an-object-that-is-none")
def _():
    with World(DATABASE) as world:
        one, = hosts(world, False, "web1")
        assert one.run("backup", "database").code == 0
        path = os.path.join(world.env["BACKUP_DIR"], LEASES)
        for damage in ("", "{", "[]", "{\"format\":\"other\"}", "{\"format\":\"holdfast-leases\",\"version\":2,\"writes\":1}",
                       "x" * (200 << 10)):
            with open(path, "w", encoding="ascii") as file:
                file.write(damage)
            done = one.run("prune")
            assert done.code == 0 and "has no lease" in done.err, (damage[:20], done)
        refused = one.run("backup", "database", LEASES="required")
        assert refused.code == 1 and "LEASES=required" in refused.err and LEASES in refused.err, refused
        assert one.run("backup", "database").code == 0


if __name__ == "__main__":
    run()
