#!/usr/bin/env python3
"""The command line's edges: what is asked wrongly, what help and man page say, what --json promises."""
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402
from world import PG, World  # noqa: E402

COMMANDS = ["backup database", "list", "show", "restore database", "cat", "verify", "jobs", "config", "doctor"]


def one_error(result, code, *words):
    """Exactly one line, on stderr, nothing on stdout."""
    lines = result.err.splitlines()
    assert result.code == code and result.out == "", result
    assert len(lines) == 1 and lines[0].startswith("holdfast: "), result
    for word in words:
        assert word in lines[0], (word, result)


USAGE = [
    ("no-command", [], "holdfast help"),
    ("unknown-command", ["frobnicate"], '"frobnicate"'),
    ("misspelt-command", ["lsit"], 'did you mean "holdfast list"'),
    ("half-a-command", ["backup"], '"holdfast backup database"'),
    ("half-a-command-and-a-stranger", ["restore", "pictures"], '"holdfast restore database"'),
    ("unknown-option", ["list", "--frob"], "--frob"),
    ("unknown-option-before-the-command", ["--frob", "list"], "--frob"),
    ("option-of-another-command", ["list", "--create"], "--create"),
    ("missing-argument", ["show"], "holdfast show SET"),
    ("one-argument-too-many", ["list", "more"], '"more"'),
    ("option-without-its-value", ["restore", "database", "x", "--to"], "--to"),
    ("restore-without-to", ["restore", "database", "x"], "--to"),
    ("restore-to-no-url", ["restore", "database", "x", "--to", "http://x/y"], "--to"),
    ("restore-to-no-database", ["restore", "database", "x", "--to", "postgres://127.0.0.1"], "--to"),
    ("level-that-is-no-number", ["verify", "x", "--level", "two"], "two"),
    ("level-out-of-bounds", ["verify", "x", "--level", "5"], "1 to 4"),
    ("level-zero", ["verify", "x", "--level", "0"], "1 to 4"),
    ("verify-after-out-of-bounds", ["backup", "database", "--verify", "5"], "0 to 4"),
    ("cat-of-two-things", ["cat", "x", "manifest", "--object", "key"], "one of them"),
    ("restore-images-to-nowhere", ["restore", "images", "x"], "--to"),
    ("restore-images-in-two-modes", ["restore", "images", "x", "--to", "y", "--mirror", "--overwrite"], "--mirror"),
    ("prefix-without-objects", ["show", "x", "--prefix", "a"], "--objects"),
    ("json-with-raw-output", ["cat", "x", "--json-"], "--json-"),
    ("quiet-and-verbose", ["list", "-q", "-v"], "--quiet"),
    ("env-file-that-is-not-there", ["--env-file", "/nowhere/x.env", "list"], "/nowhere/x.env"),
    ("help-about-nothing", ["help", "frobnicate"], '"frobnicate"'),
]


def usage_case(name, words, says):
    @case(f"/cli/usage/{name}")
    def _():
        with World("x") as world:
            one_error(world.run(*words), 2, says)


for row in USAGE:
    usage_case(*row)


@case("/cli/usage/cat-of-no-part-is-taken-for-an-image")
def _():
    with World("x") as world:
        one_error(world.run("cat", "x", "secrets"), 1, "manifest")


SETTINGS = [
    ("unknown-setting", {"S3_BACKUP_BUKET": "x"}, ["S3_BACKUP_BUKET", "did you mean S3_BACKUP_BUCKET?"]),
    ("out-of-bounds", {"DB_PORT": "70000"}, ["DB_PORT", "70000", "1 to 65535"]),
    ("no-size", {"ARCHIVE_BYTES": "lots"}, ["ARCHIVE_BYTES", "lots"]),
    ("no-flag", {"S3_FORCE_PATH_STYLE": "perhaps"}, ["S3_FORCE_PATH_STYLE", "true or false"]),
    ("secret-twice", {"DB_PASSWORD_FILE": "/x"}, ["DB_PASSWORD", "DB_PASSWORD_FILE", "both set"]),
    ("secret-file-missing", {"DB_PASSWORD": None, "DB_PASSWORD_FILE": "/nowhere/pw"}, ["DB_PASSWORD_FILE", "/nowhere/pw"]),
    ("half-a-key-pair", {"S3_BACKUP_BUCKET": "b", "AWS_ACCESS_KEY": "k"}, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
    ("secret-without-its-key", {"S3_BACKUP_BUCKET": "b", "AWS_SECRET_ACCESS_KEY": "s"}, ["AWS_ACCESS_KEY_ID is not"]),
]


def setting_case(name, env, words):
    @case(f"/cli/settings/{name}")
    def _():
        with World("x") as world:
            result = world.run("list", **env)
            one_error(result, 2, *words)
            assert PG.password not in result.err
            document = world.run("--json", "list", **env)
            assert document.code == 2 and document.json["success"] is False, document
            assert document.json["code"] == "usage" and words[0] in document.json["error"], document


for row in SETTINGS:
    setting_case(*row)


CONTRADICTIONS = [
    ("host", "postgres://u@elsewhere/x", "DB_HOST"),
    ("name", f"postgres://{PG.username}@{PG.hostname}:{PG.port}/other", "DB_NAME"),
    ("port", f"postgres://{PG.username}@{PG.hostname}/x", "DB_PORT"),
    ("password", f"postgres://{PG.username}:other@{PG.hostname}:{PG.port}/x", "DB_PASSWORD"),
]


def contradiction_case(name, url, setting):
    @case(f"/cli/settings/database-url-contradicted-by-the-{name}")
    def _():
        with World("x") as world:
            result = world.run("backup", "database", DATABASE_URL=url)
            one_error(result, 2, setting, "DATABASE_URL")
            assert PG.password not in result.err


for row in CONTRADICTIONS:
    contradiction_case(*row)


@case("/cli/settings/no-database-is-named")
def _():
    with World("x") as world:
        one_error(world.run("backup", "database", DB_NAME=None), 2, "DATABASE_URL", "DB_NAME")


@case("/cli/settings/compression-is-checked-before-anything-is-done")
def _():
    with World("x") as world:
        one_error(world.run("backup", "database", BACKUP_COMPRESSION="rar"), 2, "rar")


@case("/cli/settings/env-file-is-read-and-names-its-lines")
def _():
    with World("x") as world:
        path = os.path.join(world.folder, ".env")
        with open(path, "w", encoding="utf-8") as file:
            file.write("# the application's own\nCOLOUR=#fff\nexport S3_BACKUP_PREFIX='p q'\n")
        shown = {row["name"]: row for row in world.run("--json", "config").json["settings"]}
        assert shown["S3_BACKUP_PREFIX"]["value"] == "p q", shown["S3_BACKUP_PREFIX"]
        assert shown["S3_BACKUP_PREFIX"]["origin"] == "./.env"
        with open(path, "a", encoding="utf-8") as file:
            file.write("prose\n")
        one_error(world.run("list"), 2, "./.env:4: ")


@case("/cli/config/secrets-are-never-shown")
def _():
    with World("x") as world:
        for words in (["config"], ["--json", "config"]):
            result = world.run(*words, DATABASE_URL=None, AWS_SECRET_ACCESS_KEY="hush-hush", AWS_SESSION_TOKEN="hush-hush")
            assert result.code == 0 and "hush" not in result.out and PG.password not in result.out, result
        assert re.search(r"DB_PASSWORD +set \(from environment\)", world.run("config").out)


def help_case(command):
    @case(f"/cli/help/{command.replace(' ', '-')}")
    def _():
        with World("x") as world:
            asked = world.run("help", *command.split())
            assert asked.code == 0 and asked.err == "" and asked.out.startswith(f"usage: holdfast {command}"), asked
            assert max(len(line) for line in asked.out.splitlines()) <= 110, asked
            assert world.run(*command.split(), "--help").out == asked.out
            assert command in world.run("--help").out


for word in COMMANDS:
    help_case(word)


@case("/cli/version")
def _():
    with World("x") as world:
        assert re.fullmatch(r"holdfast \d+\.\d+\.\d+\n", world.run("--version").out)


@case("/cli/json/one-document-for-each-command-that-fails")
def _():
    with World("x") as world:
        for words in (["backup", "database"], ["show", "x"], ["verify", "x"], ["restore", "database", "x", "--to", "dbname=x"],
                      ["frobnicate"], ["cat", "x"], ["list", "--frob"], ["doctor"]):
            result = world.run("--json", *words, DB_PORT="1")
            document = json.loads(result.out)
            assert result.code in (1, 2) and document["success"] is False, (words, result)


@case("/cli/list/an-empty-store-says-how-to-begin")
def _():
    with World("x") as world:
        result = world.run("list")
        assert result.code == 0 and "holdfast backup database" in result.out and world.store_files() == [], result
        assert world.run("list", "--json").json["sets"] == []
        assert world.run("list", "--quiet").out == ""


@case("/cli/output/a-full-disk-at-stdout-is-an-error")
def _():
    with World("x") as world:
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([os.environ["HF_TEST_HOLDFAST"], "config"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, env=world.env, check=False)
        assert done.returncode == 1 and "standard output" in done.stderr, done


@case("/cli/doctor/wrong-settings-are-exit-2")
def _():
    with World("x") as world:
        result = world.run("doctor", DB_NAME=None)
        assert result.code == 2 and "FAIL  database" in result.out, result


@case("/cli/man/is-clean-troff-and-names-everything")
def _():
    with World("x") as world:
        page = os.path.join(world.folder, "holdfast.1")
        with open(page, "w", encoding="utf-8") as file:
            file.write(world.run("--man").out)
        # Debian's policy on manual pages has this very check (section 12.1; lintian's "groff-message").
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tascii", page], capture_output=True, text=True,
                              env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8", GROFF_NO_SGR="1"),
                              check=False)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        text = re.sub(r".\x08", "", done.stdout)  # bold, as a typewriter makes it
        for word in COMMANDS + ["--env-file", "S3_BACKUP_BUCKET", "DB_PASSWORD_FILE", "EXIT STATUS"]:
            assert word in text, word


@case("/cli/completion/is-valid-bash")
def _():
    with World("x") as world:
        script = world.run("--bash-completion").out + "\nCOMP_WORDS=(holdfast ver); COMP_CWORD=1; _holdfast; echo ${COMPREPLY[*]}\n"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "verify" and done.stderr == "", done


if __name__ == "__main__":
    run()
