#!/usr/bin/env python3
"""Each command against a real PostgreSQL and a folder, as a person or a script would use it."""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402
from world import HOLDFAST, PG, World, fresh_database, pg_env, plain_dump, psql, url  # noqa: E402

SMALL = '''CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
           CREATE TABLE "Odd ""name" (x int)'''
LARGE = """CREATE TABLE large AS SELECT i, md5(i::text) || repeat(md5((i * 7)::text), 8) AS filler
           FROM generate_series(1, 200000) i"""


def url_without_password(database):
    return f"postgres://{urllib.parse.quote(PG.username)}@{PG.hostname}:{PG.port}/{database}"


def backed_up(database):
    world = World(database)
    result = world.run("--json", "backup", "database")
    assert result.code == 0, result
    world.set = result.json["set"]
    return world


@case("/cli/backup/summary-and-json-say-the-same")
def _():
    with World(fresh_database("cli_small", SMALL)) as world:
        result = world.run("backup", "database")
        assert result.code == 0, result
        assert 'database  "cli_small": 2 tables, 1,000 rows' in result.out, result
        assert "holdfast: " not in result.err, result
        reply = world.run("--json", "backup", "database").json
        assert reply["success"] is True and reply["tables"] == 2 and reply["rows"] == 1000, reply
        assert reply["level"] == 1 and reply["status"] == "complete" and reply["duration"] > 0, reply
        assert reply["file"] in world.store_files() and reply["set"] in reply["file"], reply
        quiet = world.run("--quiet", "backup", "database")
        assert quiet.code == 0 and quiet.out == "" and quiet.err == "", quiet
        sets = world.run("--json", "list").json["sets"]
        assert len(sets) == 3 and sets == sorted(sets, key=lambda row: row["set"]), sets


@case("/cli/backup/database-url-does-the-same-as-its-parts")
def _():
    with World(fresh_database("cli_small", SMALL)) as world:
        names = ("DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD")
        only_url = dict.fromkeys(names, None)
        assert world.run("backup", "database", **dict(only_url, DATABASE_URL=url("cli_small"))).code == 0
        assert world.run("backup", "database", DATABASE_URL=url("cli_small")).code == 0
        completed = world.run("backup", "database", DATABASE_URL=url_without_password("cli_small"))
        assert completed.code == 0, completed


@case("/cli/backup/password-from-a-file")
def _():
    with World(fresh_database("cli_small", SMALL)) as world:
        path = os.path.join(world.folder, "secret")
        with open(path, "w", encoding="utf-8") as file:
            file.write(PG.password + "\n")
        assert world.run("backup", "database", DB_PASSWORD=None, DB_PASSWORD_FILE=path).code == 0


@case("/cli/list-show/what-was-backed-up")
def _():
    with backed_up(fresh_database("cli_small", SMALL)) as world:
        listed = world.run("list").out.splitlines()
        assert len(listed) == 2 and re.match(rf"{world.set}  database  stored +complete ", listed[1]), listed
        shown = world.run("show", "latest", "--tables")
        assert shown.code == 0 and re.search(r"^public\.t +1,000 ", shown.out, re.M), shown
        assert 'public."Odd ""name"' in shown.out, shown
        reply = world.run("--json", "show", world.set[:12], "--tables").json
        assert reply["set"] == world.set and {row["name"]: row["rows"] for row in reply["tables"]}["public.t"] == 1000


@case("/cli/list/a-damaged-manifest-is-shown-with-its-trouble")
def _():
    with backed_up(fresh_database("cli_small", SMALL)) as world:
        with open(os.path.join(world.env["BACKUP_DIR"], f"backup_{world.set}.json"), "w", encoding="utf-8") as file:
            file.write('{"half": ')
        listed = world.run("list")
        assert listed.code == 0 and "damaged" in listed.out, listed
        assert world.run("--json", "list").json["sets"][0]["trouble"], listed
        shown = world.run("show", world.set)
        assert shown.code == 1 and world.set in shown.err, shown


@case("/cli/verify/records-what-was-proved")
def _():
    with backed_up(fresh_database("cli_small", SMALL)) as world:
        first = world.run("verify", "latest", "--level", "1")
        assert first.code == 0 and "level 1 stored" in first.out, first
        second = world.run("--json", "verify", "latest")
        assert second.code == 0 and second.json["level"] == 2 and second.json["proof"] == "read", second
        assert world.run("--json", "list").json["sets"][0]["level"] == 2


@case("/cli/cat/plain-sql-that-psql-restores")
def _():
    with backed_up(fresh_database("cli_small", SMALL)) as world:
        target = fresh_database("cli_copy")
        dump = subprocess.run([HOLDFAST, "cat", "latest"], env=world.env, cwd=world.folder, capture_output=True, check=True)
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1"], env=pg_env(target), input=dump.stdout, check=True,
                       stdout=subprocess.DEVNULL)
        assert plain_dump(target) == plain_dump("cli_small")


@case("/cli/cat/every-part")
def _():
    with backed_up(fresh_database("cli_small", SMALL)) as world:
        assert json.loads(world.run("cat", "latest", "manifest").out)
        assert "CREATE ROLE" in world.run("cat", "latest", "globals").out
        assert "gunzip" in world.run("cat", "latest", "restore.txt").out
        lines = [json.loads(line) for line in world.run("cat", "latest", "index").out.splitlines()]
        assert any("public.t" in json.dumps(line) for line in lines), lines
        refused = world.run("--json", "cat", "latest")
        assert refused.code == 2 and refused.json["code"] == "usage", refused


@case("/cli/cat/a-closed-pipe-is-one-error-line")
def _():
    with backed_up(fresh_database("cli_large", LARGE)) as world:
        with subprocess.Popen([HOLDFAST, "cat", "latest"], env=world.env, cwd=world.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as child:
            child.stdout.read(10)
            child.stdout.close()
            said = child.stderr.read()
        assert child.returncode == 1 and len(said.splitlines()) == 1 and "standard output" in said, said


@case("/cli/restore/create-gives-an-equal-database")
def _():
    with backed_up(fresh_database("cli_small", SMALL)) as world:
        psql("postgres", "DROP DATABASE IF EXISTS cli_copy WITH (FORCE)")
        words = ["restore", "database", "latest", "--create", "--to", url_without_password("cli_copy")]
        result = world.run(*words, PGPASSWORD=PG.password)
        assert result.code == 0 and "2 tables, 1,000 rows: equal to the manifest" in result.out, result
        assert "password" not in result.err, result
        assert plain_dump("cli_copy") == plain_dump("cli_small")
        again = world.run(*words, PGPASSWORD=PG.password)
        assert again.code == 1 and "cli_copy" in again.err, again


@case("/cli/restore/into-an-empty-database-but-no-other")
def _():
    with backed_up(fresh_database("cli_small", SMALL)) as world:
        target = fresh_database("cli_copy")
        result = world.run("--json", "restore", "database", world.set, "--to", url(target))
        assert result.code == 0 and result.json["rows"] == 1000 and result.json["compared"] is True, result
        assert "can see the password" in result.err and PG.password not in result.err, result
        before = plain_dump(target)
        refused = world.run("--json", "restore", "database", world.set, "--to", url(target))
        assert refused.code == 1 and refused.json["code"] == "conflict" and "empty" in refused.json["error"], refused
        assert plain_dump(target) == before


@case("/cli/doctor/a-healthy-host")
def _():
    with backed_up(fresh_database("cli_small", SMALL)) as world:
        files = world.store_files()
        result = world.run("doctor")
        assert result.code == 0 and "FAIL" not in result.out and "warn" not in result.out, result
        for check in ("settings", "database", "pg_dump", "rights", "roles", "store", "free disk", "last good", "state"):
            assert re.search(rf"^ok +{check} ", result.out, re.M), (check, result)
        assert world.store_files() == files, "the probe was left behind"
        reply = world.run("--json", "doctor").json
        assert reply["success"] is True and reply["failures"] == 0 and len(reply["checks"]) >= 9, reply


@case("/cli/doctor/names-what-the-login-may-not-read")
def _():
    database = fresh_database("cli_rights", SMALL + "; CREATE TABLE hidden (a int)")
    psql("postgres", "DROP ROLE IF EXISTS cli_reader; CREATE ROLE cli_reader LOGIN PASSWORD 'pw'")
    psql(database, 'GRANT SELECT ON t, "Odd ""name" TO cli_reader')
    with World(database) as world:
        result = world.run("doctor", DB_USER="cli_reader", DB_PASSWORD="pw")
        assert result.code == 1 and re.search(r"^FAIL +rights +hidden .*GRANT", result.out, re.M), result
        psql(database, "GRANT SELECT ON hidden TO cli_reader; ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        result = world.run("doctor", DB_USER="cli_reader", DB_PASSWORD="pw")
        assert result.code == 1 and re.search(r"^FAIL +rights .*BYPASSRLS", result.out, re.M), result
    psql("postgres", f"DROP DATABASE {database} WITH (FORCE)")
    psql("postgres", "DROP ROLE cli_reader")


@case("/cli/doctor/goes-on-where-the-database-is-away")
def _():
    with World("x") as world:
        result = world.run("doctor", DB_PORT="1")
        assert result.code == 1 and re.search(r"^FAIL +database ", result.out, re.M), result
        assert re.search(r"^ok +store ", result.out, re.M), result


def on_a_terminal(world, columns, *words):
    """Runs holdfast with stderr on a terminal of so many columns; gives its exit status and what it drew."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([HOLDFAST, *words], env=world.env, cwd=world.folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=theirs) as child:
        os.close(theirs)
        drawn = b""
        while True:
            if select.select([ours], [], [], 60)[0]:
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # EIO: the other side is closed
                    break
                drawn += piece
            else:
                break
        code = child.wait()
    os.close(ours)
    return code, drawn.decode("utf-8")


def bar_case(columns):
    @case(f"/cli/progress/a-bar-in-{columns}-columns-that-goes-away")
    def _():
        with World("cli_large") as world:
            code, drawn = on_a_terminal(world, columns, "backup", "database")
            assert code == 0, drawn
            frames = drawn.split("\r\x1b[K")
            assert len(frames) >= 2, drawn
            assert any("/s" in frame or "dumping" in frame or "connecting" in frame for frame in frames), drawn
            for frame in frames:
                assert all(len(line) < columns for line in frame.split("\r\n")[:1] if "holdfast:" not in line), frames
            assert frames[-1].strip() == "" or frames[-1].startswith("holdfast:"), frames


for width in (40, 80, 200):
    bar_case(width)


@case("/cli/progress/quiet-draws-nothing")
def _():
    with World("cli_large") as world:
        assert on_a_terminal(world, 80, "--quiet", "backup", "database") == (0, "")


@case("/cli/progress/a-log-gets-lines-with-time-and-no-bar")
def _():
    with World("cli_large") as world:
        result = world.run("backup", "database")
        assert "\x1b" not in result.err and "\r" not in result.err, result
        for line in result.err.splitlines():
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ notice: ", line), result


if __name__ == "__main__":
    run()
