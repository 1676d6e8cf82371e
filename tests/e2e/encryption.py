#!/usr/bin/env python3
"""Encrypted backups as their owner uses them, with age(1) as the other side."""
import base64
import gzip
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from sealed import Sealed, age_opens, mistyped  # noqa: E402
from tap import case, run  # noqa: E402
from world import World, pg_env, plain_dump, psql, url  # noqa: E402

def on_a_terminal(argv, answers):
    """age asks for passphrases on a terminal alone: runs argv there and answers each question; gives the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    said = b""
    while select.select([terminal], [], [], 120)[0]:
        try:
            said += os.read(terminal, 1000)
        except OSError:  # EIO: it has ended
            break
        if b"passphrase" in said and answers:
            said = b""
            os.write(terminal, answers.pop(0).encode() + b"\n")
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@case("/encryption/archives-open-with-age-and-names-say-it")
def _():
    with Sealed() as world:
        set_id = world.backup("full")
        dump = world.find(r"database_backup_.*[0-9]\.sql\.gz\.age$")
        text = gzip.decompress(age_opens(dump, world.path("key.txt")))
        lines = [line for line in text.split(b"\n") if not line.startswith((b"\\restrict ", b"\\unrestrict "))]
        assert b"\n".join(lines) == plain_dump("e2e_enc")
        assert b"customer " not in open(dump, "rb").read()
        listing = subprocess.run(["tar", "-tzf", "-"], input=age_opens(world.find(r"\.tar\.gz\.age$"), world.path("key.txt")),
                                 capture_output=True, check=True).stdout.decode()
        assert "pictures/007.jpg" in listing, listing
        assert world.owner("verify", set_id, "--level", "2").code == 0


@case("/encryption/the-host-that-backs-up-cannot-read")
def _():
    with Sealed() as world:
        psql("postgres", "DROP DATABASE IF EXISTS e2e_enc_copy WITH (FORCE)")
        set_id = world.backup("full")
        for words in (("cat", set_id), ("cat", set_id, "pictures/003.jpg"),
                      ("restore", "images", set_id, "--to", world.path("out")),
                      ("restore", "database", set_id, "--create", "--to", url("e2e_enc_copy"))):
            done = world.run(*words)
            assert done.code == 1 and "BACKUP_IDENTITY_FILE" in done.err and ".age" in done.err, (words, done)
        assert psql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'e2e_enc_copy'") == "0"
        # It lists, shows, proves level 1, and its next run is incremental all the same.
        assert world.run("show", set_id, "--objects").code == 0
        assert world.run("verify", set_id, "--level", "1").code == 0
        world.put("pictures/new.jpg", b"new")
        again = world.run("--json", "backup", "images").json
        assert (again["images"]["added"], again["images"]["unchanged"]) == (1, 30), again
        assert world.owner("cat", again["set"], "pictures/new.jpg").out == "new"
        assert world.owner("verify", again["set"], "--level", "2").code == 0


@case("/encryption/everything-comes-back-for-the-owner-of-the-key")
def _():
    with Sealed() as world:
        set_id = world.backup("full")
        psql("postgres", "DROP DATABASE IF EXISTS e2e_enc_copy WITH (FORCE)")
        done = world.owner("restore", "database", set_id, "--create", "--to", url("e2e_enc_copy"))
        assert done.code == 0, done
        assert plain_dump("e2e_enc_copy") == plain_dump("e2e_enc")
        done = world.owner("restore", "images", set_id, "--to", world.path("out"))
        assert done.code == 0, done
        subprocess.run(["diff", "-r", world.images, world.path("out")], check=True)


@case("/encryption/restore-txt-works-with-age-gunzip-tar-and-psql-alone")
def _():
    with Sealed() as world:
        set_id = world.backup("full")
        world.put("pictures/001.jpg", b"changed")
        world.put("pictures/more.jpg", b"more")
        os.unlink(os.path.join(world.images, "pictures/002.jpg"))
        set_id = world.backup("full")
        psql("postgres", "DROP DATABASE IF EXISTS e2e_enc_stock WITH (FORCE)")
        env = dict(pg_env(), PATH="/usr/bin:/bin", RESTORE_DATABASE="e2e_enc_stock", RESTORE_IMAGES=world.path("stock"),
                   RESTORE_IDENTITY="key.txt")
        done = subprocess.run(["sh", world.stored(f"backup_{set_id}.RESTORE.txt")], env=env, cwd=world.folder,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert plain_dump("e2e_enc_stock") == plain_dump("e2e_enc")
        subprocess.run(["diff", "-r", world.images, world.path("stock")], check=True)


@case("/encryption/restore-txt-fails-with-the-wrong-key")
def _():
    with Sealed() as world:
        set_id = world.backup("images")
        world.keygen("other.txt")
        env = dict(pg_env(), PATH="/usr/bin:/bin", RESTORE_IMAGES=world.path("stock"), RESTORE_IDENTITY="other.txt")
        done = subprocess.run(["sh", world.stored(f"backup_{set_id}.RESTORE.txt")], env=env, cwd=world.folder,
                              capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "decrypting" in done.stderr, (done.stdout, done.stderr)


@case("/encryption/another-key-is-refused-by-name")
def _():
    with Sealed() as world:
        set_id = world.backup("database")
        world.keygen("other.txt")
        done = world.owner("cat", set_id, key="other.txt")
        assert done.code == 1 and "no identity in BACKUP_IDENTITY_FILE opens it" in done.err, done
        assert ".sql.gz.age" in done.err and done.out == "", done


@case("/encryption/each-of-several-recipients-opens-it")
def _():
    with Sealed() as world:
        second = world.keygen("second.txt")
        set_id = world.backup("database", BACKUP_RECIPIENTS=f"{world.recipient}, {second}")
        for key in ("key.txt", "second.txt"):
            done = world.owner("verify", set_id, "--level", "2", key=key)
            assert done.code == 0, (key, done)
            age_opens(world.find(r"[0-9]\.sql\.gz\.age$"), world.path(key))


@case("/encryption/parts-are-age-files-of-their-own")
def _():
    with Sealed() as world:
        for compression in ("none", "gzip", "zstd"):
            psql("e2e_enc", "CREATE TABLE IF NOT EXISTS big AS SELECT md5(random()::text) || md5(random()::text) AS t "
                            "FROM generate_series(1, 60000)")
            set_id = world.backup("database", ARCHIVE_BYTES="1M", BACKUP_COMPRESSION=compression)
            parts = [name for name in world.store_files() if set_id in name and re.search(r"\.sql(\.\w+)?\.age$", name)
                     and ".globals." not in name]
            assert len(parts) >= 2, (compression, parts)
            assert world.owner("verify", set_id, "--level", "2").code == 0
            for name in parts:
                assert age_opens(world.stored(name), world.path("key.txt"))


@case("/encryption/a-passphrase-opens-what-it-closed-and-age-agrees")
def _():
    with Sealed() as world:
        with open(world.path("words"), "w", encoding="utf-8") as file:
            file.write("correct horse battery staple\n")
        with open(world.path("other"), "w", encoding="utf-8") as file:
            file.write("correct horse battery stable\n")
        given = {"BACKUP_RECIPIENTS": None, "BACKUP_PASSPHRASE_FILE": world.path("words")}
        set_id = world.backup("images", **given)
        assert world.run("verify", set_id, "--level", "2", **given).code == 0
        wrong = dict(given, BACKUP_PASSPHRASE_FILE=world.path("other"))
        done = world.run("cat", set_id, "pictures/001.jpg", **wrong)
        assert done.code == 1 and "passphrase" in done.err, done
        tarball = world.find(r"\.tar\.gz\.age$")
        status = on_a_terminal(["age", "-d", "-o", world.path("out.tar.gz"), tarball], ["correct horse battery staple"])
        assert status == 0
        subprocess.run(["tar", "-tzf", world.path("out.tar.gz")], check=True, capture_output=True)


@case("/encryption/settings-that-contradict-or-are-wrong-are-refused")
def _():
    with Sealed() as world:
        both = world.run("backup", "images", BACKUP_PASSPHRASE="x" * 30)
        assert both.code == 2 and "BACKUP_RECIPIENTS and BACKUP_PASSPHRASE" in both.err, both
        typo = world.run("backup", "images", BACKUP_RECIPIENTS=mistyped(world.recipient))
        assert typo.code == 2 and "BACKUP_RECIPIENTS" in typo.err and "keygen" in typo.err, typo
        with open(world.path("key.txt"), encoding="utf-8") as file:
            secret = file.read().splitlines()[-1]
        swapped = world.run("backup", "images", BACKUP_RECIPIENTS=secret)
        assert swapped.code == 2 and "secret key" in swapped.err and secret not in swapped.err, swapped
        missing = world.owner("list", key="nowhere.txt")
        assert missing.code == 2 and "BACKUP_IDENTITY_FILE" in missing.err, missing
        assert world.store_files() == []


@case("/encryption/damage-is-named-and-one-image-needs-its-chunks-alone")
def _():
    with Sealed() as world:
        set_id = world.backup("images")
        tarball = world.find(r"\.tar\.gz\.age$")
        with open(tarball, "r+b") as file:
            file.seek(-70000, os.SEEK_END)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        done = world.owner("verify", set_id, "--level", "2")
        assert done.code == 1 and os.path.basename(tarball) in done.err, done
        assert world.owner("cat", set_id, "pictures/000.jpg").code == 0
        whole = world.owner("restore", "images", set_id, "--to", world.path("out"))
        assert whole.code == 1, whole
        assert len(os.listdir(os.path.join(world.path("out"), "pictures"))) >= 20


@case("/encryption/another-sets-archive-in-its-place-is-found")
def _():
    with Sealed() as world:
        first = world.backup("database")
        second = world.backup("database")
        name = "database_backup_{}.sql.gz.age"
        with open(world.stored(name.format(first)), "rb") as file:
            old = file.read()
        with open(world.stored(name.format(second)), "wb") as file:
            file.write(old)
        done = world.owner("verify", second, "--level", "2")
        assert done.code == 1 and name.format(second) in done.err, done


@case("/encryption/no-secret-is-ever-said-or-stored")
def _():
    with Sealed() as world:
        with open(world.path("key.txt"), encoding="utf-8") as file:
            secret = file.read().splitlines()[-1]
        said = []
        set_id = world.backup("full")
        for words in (("--verbose", "verify", set_id, "--level", "2"), ("config",), ("--json", "config"), ("doctor",),
                      ("show", set_id)):
            done = world.owner(*words)
            said.append(done.out + done.err)
        stored = b"".join(open(world.stored(name), "rb").read() for name in world.store_files())
        assert secret not in "".join(said) and secret.encode() not in stored
        with open(world.stored(f"backup_{set_id}.json"), encoding="utf-8") as file:
            part = json.load(file)["database"]["archive"]["parts"][0]
        assert base64.b64decode(part["prologue"]).startswith(b"age-encryption.org/v1\n")


@case("/encryption/without-the-key-what-is-stored-is-proved-and-no-more-is-claimed")
def _():
    with Sealed() as world:
        set_id = world.backup("full")
        two = world.run("--json", "verify", set_id, "--level", "2")
        assert two.code == 0 and two.json["level"] == 2, two
        assert "no key to it" in json.dumps(two.json["verification"]), two
        four = world.run("verify", set_id, "--level", "4")
        assert four.code == 3 and "level 4 was not" in four.out and "no key to it" in four.out, four
        whole = world.owner("--json", "verify", set_id, "--level", "4")
        assert whole.code == 0 and whole.json["level"] == 4, whole
        for pattern in (r"[0-9]\.sql\.gz\.age$", r"\.tar\.gz\.age$", r"\.globals\.sql\.gz\.age$"):
            path = world.find(pattern)
            with open(path, "r+b") as file:
                file.seek(-5, os.SEEK_END)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))
            done = world.run("verify", set_id, "--level", "2")
            assert done.code == 1 and os.path.basename(path) in done.err, (pattern, done)
            with open(path, "r+b") as file:
                file.seek(-5, os.SEEK_END)
                file.write(byte)


@case("/encryption/a-drill-restores-with-age-or-says-that-the-key-is-missing")
def _():
    with Sealed() as world:
        set_id = world.backup("full")
        done = world.owner("--json", "drill", set_id, timeout=300)
        assert done.code == 0 and done.json["level"] == 4, done
        without = world.run("--json", "drill", set_id, timeout=300)
        assert without.code == 3 and "BACKUP_IDENTITY_FILE" in json.dumps(without.json), without


@case("/keygen/age-keygen-reads-it-and-no-key-is-written-over")
def _():
    with World("postgres") as world:
        made = world.run("keygen")
        assert made.code == 0 and made.out.splitlines()[2].startswith("AGE-SECRET-KEY-1"), made
        public = subprocess.run(["age-keygen", "-y"], input=made.out, capture_output=True, text=True, check=True).stdout
        assert f"# public key: {public.strip()}" in made.out and public.strip() in made.err, (public, made)
        assert "AGE-SECRET" not in made.err
        first = world.run("keygen", "--output", "key")
        assert first.code == 0 and first.out.startswith("age1"), first
        assert os.stat(os.path.join(world.folder, "key")).st_mode & 0o777 == 0o600
        again = world.run("keygen", "--output", "key")
        assert again.code == 1 and "exists" in again.err, again


if __name__ == "__main__":
    run()
