#!/usr/bin/env python3
"""Jobs as their users meet them: started by somebody who is gone by then, two at once, cancelled, killed, and looked at."""
import json
import os
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402
from world import HOLDFAST, Gate, World, children, fresh_database, has_ended, stand_still, url, wait_for  # noqa: E402

START = os.path.join(os.path.dirname(HOLDFAST), "tests", "backup", "job", "start-job")
DATABASE = fresh_database("jobs_of_holdfast", "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000);"
                          + Gate.TABLE)


def start(world, kind, parameters=None, program=HOLDFAST, **env):
    """What a worker does; gives the exit status, what was printed, and what was said."""
    words = [START, world.env["BACKUP_STATE_DIR"], program, kind]
    if parameters is not None:
        words.append(json.dumps(parameters))
    done = subprocess.run(words, env=world.environment(env), cwd=world.folder, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout.strip(), done.stderr


def job(world, name="latest"):
    result = world.run("--json", "jobs", name)
    assert result.code == 0, result
    return result.json


def ended(world, name):
    return wait_for(lambda: (lambda it: it if it["status"] not in ("queued", "running") else None)(job(world, name)))


def log(world, name):
    return world.run("jobs", name, "--log").out


def running(world):
    """The job that dumps right now, once its record says so."""
    def look():
        rows = world.run("--json", "jobs").json["jobs"]
        return rows[0] if rows and rows[0]["status"] == "running" and rows[0].get("progress", {}).get("phase") == "dumping" else None
    return wait_for(look)


def pid_of(world, name):
    for line in world.run("jobs", name).out.splitlines():
        if line.startswith("process"):
            return int(line.split()[1])
    raise AssertionError("no process")


def opened(pid):
    """What it has open; it goes on meanwhile, and closes what it has just opened."""
    paths = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            paths.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return paths


# ---- detached ----

@case("/jobs/a-job-outlives-whoever-started-it")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        code, name, said = start(world, "backup database")
        assert code == 0, said
        assert running(world)["id"] == name
        pid = pid_of(world, name)
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        session = int(fields[3])
        assert session != os.getsid(0) and fields[4] == "0", fields  # of its own, without a terminal
        descriptors = sorted(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in ("0", "1", "2"))
        assert descriptors[0] == "/dev/null" and all(name in path for path in descriptors[1:]), descriptors
        assert os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(world.folder)
        gate.open()
        end = ended(world, name)
        assert end["status"] == "done" and end["exit"] == 0 and end["set"] and end["requestedBy"] == "api:test", end
        assert end["result"]["success"] is True and end["result"]["rows"] == 1000, end
        assert end["file"] == f"database_backup_{end['set']}.sql.gz" and end["duration"] > 0, end
        assert f"set {end['set']} is stored" in log(world, name), log(world, name)
        assert world.run("verify", end["set"]).code == 0


@case("/jobs/a-relative-folder-is-the-starters")
def _():
    with World(DATABASE) as world:
        code, name, said = start(world, "backup database", BACKUP_DIR="store")
        assert code == 0, said
        assert ended(world, name)["status"] == "done"
        assert any(file.startswith("backup_") for file in world.store_files()), world.store_files()


@case("/jobs/nothing-of-the-starter-is-inherited")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        secret = os.open("/dev/zero", os.O_RDONLY)
        os.set_inheritable(secret, True)
        words = [START, world.env["BACKUP_STATE_DIR"], HOLDFAST, "backup database"]
        subprocess.run(words, env=world.env, cwd=world.folder, check=True, capture_output=True, close_fds=False)
        os.close(secret)
        pid = pid_of(world, running(world)["id"])
        found = opened(pid)
        assert "/dev/null" in found and "/dev/zero" not in found, found
        gate.open()
        assert ended(world, "latest")["status"] == "done"


# ---- what cannot be started ----

@case("/jobs/an-unknown-job-is-not-run")
def _():
    with World(DATABASE) as world:
        result = world.run("run-job", "2024-01-01_00-00-00-abcdef")
        assert result.code == 1 and "no job" in result.err and "holdfast jobs" in result.err, result
        assert world.store_files() == []


@case("/jobs/a-job-is-run-once")
def _():
    with World(DATABASE) as world:
        name = start(world, "backup database")[1]
        ended(world, name)
        before = world.store_files()
        result = world.run("run-job", name)
        assert result.code == 1 and "done" in result.err and world.store_files() == before, result


@case("/jobs/a-running-job-is-not-run-again")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        name = start(world, "backup database")[1]
        running(world)
        result = world.run("run-job", name)
        assert result.code == 1 and "running" in result.err, result
        gate.open()
        assert ended(world, name)["status"] == "done"


for what, path in (("that-is-not-there", "/nonexistent/holdfast"), ("that-may-not-be-executed", "/etc/passwd")):
    @case(f"/jobs/a-program-{what}-fails-the-job")
    def _(path=path):
        with World(DATABASE) as world:
            code, _, said = start(world, "backup database", program=path)
            assert code == 1 and path in said and "HOLDFAST_PROGRAM" in said, said
            end = job(world)
            assert end["status"] == "failed" and path in end["error"] and end["exit"] == 1, end
            assert world.run("backup", "database").code == 0


PARAMETERS = [
    ("unknown", "verify", {"set": "latest", "sett": "x"}, "sett"),
    ("of-another-type", "verify", {"set": "latest", "level": "two"}, "level"),
    ("that-is-no-flag", "backup full", {"full_images": "yes"}, "full_images"),
    ("missing", "verify", {"level": 1}, "set"),
    ("that-looks-like-an-option", "verify", {"set": "--level=1"}, "no backups"),
]


def parameter_case(name, kind, parameters, word):
    @case(f"/jobs/a-parameter-{name}-fails-the-job")
    def _():
        with World(DATABASE) as world:
            code, id_, said = start(world, kind, parameters)
            assert code == 0, said
            end = ended(world, id_)
            assert end["status"] == "failed" and word in end["error"], end
            assert word in log(world, id_)


for row in PARAMETERS:
    parameter_case(*row)


# ---- two at once ----

@case("/jobs/two-at-once-is-a-conflict-that-names-the-other")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        name = start(world, "backup database")[1]
        running(world)
        assert start(world, "backup full")[:2] == (3, name)
        result = world.run("backup", "database", "--json")
        assert result.code == 1 and result.json["code"] == "conflict" and name in result.json["error"], result
        assert world.run("prune").code == 1 and world.run("prune", "--dry-run").code in (0, 3)  # 3: a run goes on
        gate.open()
        assert ended(world, name)["status"] == "done"
        # What was refused is no job.
        assert len(world.run("--json", "jobs").json["jobs"]) == 1


@case("/jobs/the-lock-file-guards-where-the-state-was-lost")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        child = world.start("backup", "database")
        running(world)
        stand_still(child)  # it cannot put its record into the new file
        for name in os.listdir(world.env["BACKUP_STATE_DIR"]):
            if name.startswith("state.db"):
                os.unlink(os.path.join(world.env["BACKUP_STATE_DIR"], name))
        result = world.run("backup", "database")
        os.kill(child.pid, signal.SIGCONT)
        assert result.code == 1 and str(child.pid) in result.err, result
        gate.open()
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, (out, err)
        assert {row["status"] for row in world.run("--json", "jobs").json["jobs"]} == {"failed", "done"}


# ---- stopped ----

def no_orphan(world, pid):
    wait_for(lambda: has_ended(pid))
    assert world.store_files() == [], world.store_files()
    assert world.other_files() == [], world.other_files()
    assert world.run("backup", "database").code == 0


@case("/jobs/cancel-while-dumping-leaves-no-orphan")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        name = start(world, "backup database")[1]
        running(world)
        pid = pid_of(world, name)
        dumps = children(pid, "pg_dump")
        asked = world.run("jobs", name, "--cancel")
        assert asked.code == 0 and name in asked.out, asked
        end = ended(world, name)
        assert end["status"] == "cancelled" and end["exit"] == 1 and end["code"] == "cancelled", end
        assert end["cancelRequested"] is True and "set" not in end, end
        wait_for(lambda: all(has_ended(dump) for dump in dumps))
        gate.open()
        no_orphan(world, pid)
        again = world.run("jobs", name, "--cancel")
        assert again.code == 1 and "has ended" in again.err, again


@case("/jobs/ctrl-c-is-cancelled")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        child = world.start("backup", "database")
        running(world)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=120)
        assert child.returncode == 1
        end = job(world)
        assert end["status"] == "cancelled" and end["requestedBy"].startswith("cli:"), end
        assert "cancelled" in log(world, end["id"])
        gate.open()
        no_orphan(world, child.pid)


def kill_case(name, begin):
    @case(f"/jobs/kill-9-{name}-is-interrupted-and-the-next-run-works")
    def _():
        with World(DATABASE) as world, Gate(DATABASE) as gate:
            begin(world)
            at_work = running(world)
            pid = pid_of(world, at_work["id"])
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: has_ended(pid))
            end = job(world)
            assert end["id"] == at_work["id"] and end["status"] == "interrupted" and end["exit"] == 1, end
            assert "killed" in end["error"], end
            gate.open()
            result = world.run("backup", "database")
            assert result.code == 0, result
            assert world.run("verify", "latest").code == 0


def on_a_shell(world):
    world.child = world.start("backup", "database")


kill_case("of-a-job", lambda world: start(world, "backup database"))
kill_case("on-a-shell", on_a_shell)


@case("/jobs/a-record-comes-back-where-the-state-was-deleted-under-a-job")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        name = start(world, "backup database")[1]
        running(world)
        # Out of its way first, since it writes into the folder twice a second, also while that is emptied.
        os.rename(world.env["BACKUP_STATE_DIR"], world.env["BACKUP_STATE_DIR"] + ".deleted")
        shutil.rmtree(world.env["BACKUP_STATE_DIR"] + ".deleted")
        assert running(world)["id"] == name
        assert world.run("backup", "database").code == 1
        gate.open()
        end = ended(world, name)
        assert end["status"] == "done" and end["exit"] == 0, end
        assert "is stored" in log(world, name), log(world, name)


# ---- a state that cannot be used ----

def damage(world, text):
    os.makedirs(world.env["BACKUP_STATE_DIR"], exist_ok=True)
    with open(os.path.join(world.env["BACKUP_STATE_DIR"], "state.db"), "wb") as file:
        file.write(text)


@case("/jobs/a-damaged-state-is-set-aside-with-a-warning")
def _():
    with World(DATABASE) as world:
        damage(world, b"this is no database " * 1000)
        result = world.run("backup", "database")
        assert result.code == 0 and "set aside" in result.err and "state.db.damaged" in result.err, result
        assert job(world)["status"] == "done"
        assert os.path.exists(os.path.join(world.env["BACKUP_STATE_DIR"], "state.db.damaged"))


@case("/jobs/a-state-of-a-newer-version-stops-no-backup")
def _():
    with World(DATABASE) as world:
        assert world.run("jobs").code == 0
        subprocess.run([sys.executable, "-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
                        "c.execute('PRAGMA user_version = 999'); c.close()",
                        os.path.join(world.env["BACKUP_STATE_DIR"], "state.db")], check=True)
        result = world.run("backup", "database")
        assert result.code == 0 and "not recorded" in result.err and "newer" in result.err, result
        looked = world.run("jobs")
        assert looked.code == 1 and "newer holdfast" in looked.err and "state.db" in looked.err, looked


@case("/jobs/a-state-folder-that-cannot-be-made-stops-no-backup")
def _():
    with World(DATABASE) as world:
        with open(world.env["BACKUP_STATE_DIR"], "w", encoding="ascii"):
            pass
        result = world.run("backup", "database")
        assert result.code == 0 and "not recorded" in result.err and "would not be noticed" in result.err, result
        assert world.run("jobs").code == 1 and "BACKUP_STATE_DIR" in world.run("jobs").err
        assert world.run("verify", "latest").code == 0


@case("/jobs/a-state-that-cannot-be-written-stops-no-backup")
def _():
    with World(DATABASE) as world:
        # root may write anywhere: a folder in the place of the file is refused to everybody.
        os.makedirs(os.path.join(world.env["BACKUP_STATE_DIR"], "state.db"))
        result = world.run("backup", "database")
        assert result.code == 0 and "not recorded" in result.err and "BACKUP_STATE_DIR" in result.err, result
        assert start(world, "backup database")[0] == 1


# ---- looking ----

@case("/jobs/no-password-is-kept")
def _():
    with World(DATABASE) as world:
        assert world.run("backup", "database").code == 0
        target = url("jobs_of_holdfast_nowhere", password="hush-hush")
        for made in (lambda: world.run("restore", "database", "latest", "--to", target),
                     lambda: ended(world, start(world, "restore database", {"set": "latest", "to": target})[1])):
            made()
            record = job(world)
            assert record["kind"] == "restore database" and "***" in record["parameters"]["to"], record
            assert "hush" not in json.dumps(record) and "hush" not in log(world, "latest"), record


@case("/jobs/follow-goes-on-to-the-end-and-exits-as-the-job")
def _():
    with World(DATABASE) as world, Gate(DATABASE) as gate:
        name = start(world, "backup database")[1]
        running(world)
        child = world.start("jobs", name, "--follow")
        assert "backing up" in child.stdout.readline()
        gate.open()
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0 and out.rstrip().endswith(f"job {name} is done"), (out, err)
        failed = ended(world, start(world, "verify", {"set": "nonesuch"})[1])["id"]
        assert world.run("jobs", failed, "--follow").code == 1


LOOKS = [
    ("log-of-no-job", ["jobs", "--log"], 2, "latest"),
    ("cancel-of-no-job", ["jobs", "--cancel"], 2, "latest"),
    ("two-at-once", ["jobs", "x", "--log", "--cancel"], 2, "exclude"),
    ("follow-as-json", ["jobs", "x", "--follow", "--json"], 2, "--follow"),
    ("limit-of-none", ["jobs", "--limit", "0"], 2, "1 to 1000"),
    ("unknown", ["jobs", "2024-01-01_00-00-00-abcdef"], 1, "no job"),
    ("unknown-cancelled", ["jobs", "--cancel", "../../etc/passwd"], 1, "no job"),
    ("unknown-log", ["jobs", "--log", "../../../etc/passwd"], 1, "no job"),
    ("latest-of-none", ["jobs", "latest"], 1, "no job yet"),
]


def look_case(name, words, code, says):
    @case(f"/jobs/look/{name}")
    def _():
        with World(DATABASE) as world:
            result = world.run(*words)
            assert result.code == code and says in result.err + result.out, result


for row in LOOKS:
    look_case(*row)


# ---- the list of sets ----

def cached(world):
    code = ("import json, sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
            "print(json.dumps([dict(id=i, kind=k, level=l, status=s, files=json.loads(f)) for i, k, l, s, f in"
            " c.execute('SELECT id, kind, level, status, files FROM sets ORDER BY position')]))")
    done = subprocess.run([sys.executable, "-c", code, os.path.join(world.env["BACKUP_STATE_DIR"], "state.db")],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@case("/jobs/the-list-of-sets-is-kept-up")
def _():
    with World(DATABASE) as world:
        images = os.path.join(world.folder, "images")
        os.makedirs(images)
        with open(os.path.join(images, "a.jpg"), "wb") as file:
            file.write(b"x" * 1000)
        first = world.run("--json", "backup", "full", IMAGES_DIR=images).json["set"]
        rows = cached(world)
        assert [row["id"] for row in rows] == [first] and rows[0]["level"] == 1 and rows[0]["kind"] == "full", rows
        files = {item["type"]: item for item in rows[0]["files"]}
        assert set(files) == {"database", "images"}, rows
        for item in files.values():
            path = os.path.join(world.env["BACKUP_DIR"], item["key"])
            assert os.path.getsize(path) == item["bytes"] and int(os.path.getmtime(path)) == item["modified"], item
        assert world.run("verify", first).code == 0
        assert cached(world)[0]["level"] == 2
        same = world.run("--json", "backup", "images", IMAGES_DIR=images).json
        row = cached(world)[-1]["files"]
        assert [item["key"] for item in row] == [same["file"]] and row[0]["type"] == "images", (row, same)
        assert world.run("delete", same["set"], "--force").code == 0
        second = world.run("--json", "backup", "database").json["set"]
        assert world.run("delete", first, "--force").code == 0
        assert [row["id"] for row in cached(world)] == [second]
        for name in os.listdir(world.env["BACKUP_DIR"]):  # behind our back
            os.unlink(os.path.join(world.env["BACKUP_DIR"], name))
        with open(os.path.join(world.env["BACKUP_DIR"], "database_backup_2023-05-01_02-00-00.sql.gz"), "wb") as file:
            file.write(b"x")
        assert world.run("refresh").code == 0
        rows = cached(world)
        assert [(row["status"], row["level"], row["files"][0]["key"]) for row in rows] == [
            ("adopted", 0, "database_backup_2023-05-01_02-00-00.sql.gz")], rows


if __name__ == "__main__":
    run()
