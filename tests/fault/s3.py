#!/usr/bin/env python3
"""What goes wrong between holdfast and its bucket: through a proxy that misbehaves, and against the real server's own
refusals.  Either the backup is good all the same, or there is one clear line and nothing is left behind."""
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import FaultProxy  # noqa: E402
from tap import case, run  # noqa: E402
from world import HOLDFAST_PLAIN, Bucket, Result, World, fresh_database, plain_dump, url, wait_for  # noqa: E402

SMALL = "CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 1000) i"
# Random text hardly shrinks: about 60 MB in the bucket, so four parts of 16 MiB.
LARGE = """CREATE TABLE large AS SELECT i, (SELECT string_agg(md5(random()::text || i || j), '')
           FROM generate_series(1, 20) j) AS filler FROM generate_series(1, 150000) i"""


BUCKET = Bucket("faults-of-holdfast")


def secrets():
    return [os.environ["HF_TEST_S3_SECRET_KEY"], os.environ["HF_TEST_S3_OTHER_SECRET_KEY"]]


def fails_cleanly(result, before, code, *words, does_not_answer=False):
    errors = [line for line in result.err.splitlines() if line.startswith("holdfast: ")]
    assert result.code == code, result
    assert len(errors) == 1, result
    # What was refused stored nothing; only where the server does not answer any more is that not known.
    assert does_not_answer or "taken back" not in result.err, result
    for word in words:
        assert word in errors[0], (word, result)
    assert not any(secret in result.err + result.out for secret in secrets()), result
    assert BUCKET.keys() == before, BUCKET.keys()
    assert BUCKET.uploads() == [], BUCKET.uploads()


def is_equal_after_restore(world, database, settings):
    copy = database + "_copy"
    fresh_database(copy)
    restored = world.run("restore", "database", "latest", "--to", url(copy), **settings)
    assert restored.code == 0, restored
    assert plain_dump(copy) == plain_dump(database)


# Faults that a backup gets over: it is good, and what comes back is equal.
SURVIVED = [
    ("one-request-in-five-answers-503", [{"kind": "slowdown", "every": 5}]),
    ("one-request-in-five-answers-500", [{"kind": "error500", "every": 5}]),
    ("one-request-in-five-answers-429", [{"kind": "toomany", "every": 5}]),
    ("connections-reset-while-sending", [{"kind": "reset-request", "method": "PUT", "every": 3, "bytes": 5000}]),
    ("replies-lost-after-the-server-did-it", [{"kind": "lose-reply", "method": "PUT", "every": 3}]),
    ("a-server-clock-an-hour-off", [{"kind": "skewed", "times": 1, "seconds": 3600}]),
    ("an-error-inside-a-200", [{"kind": "error-in-200", "method": "POST", "match": "uploadId", "times": 1}]),
]


def survived_case(name, faults):
    @case(f"/fault/s3/survives/{name}")
    def _():
        fresh_database("faults_s3_large", LARGE) if name == SURVIVED[0][0] else None
        with World("faults_s3_large") as world, FaultProxy(*faults) as proxy:
            settings = BUCKET.settings(AWS_ENDPOINT_URL=proxy.address, S3_BACKUP_PREFIX="survive-" + name[-20:])
            result = world.run("backup", "database", timeout=300, **settings)
            assert result.code == 0, result
            assert proxy.counts()["faults"] > 0, proxy.counts()
            assert BUCKET.uploads() == [], BUCKET.uploads()
            proxy.set()
            verified = world.run("verify", "latest", "--level", "2", **settings)
            assert verified.code == 0, verified


for row in SURVIVED:
    survived_case(*row)

# The same for reading.
READ_SURVIVED = [
    ("replies-cut-in-the-middle", [{"kind": "cut-reply", "method": "GET", "match": ".sql.gz", "times": 4}]),
    ("replies-shorter-than-they-should-be", [{"kind": "short-reply", "method": "GET", "match": ".sql.gz", "times": 2}]),
    ("one-request-in-five-answers-503", [{"kind": "slowdown", "every": 5}]),
]


def read_case(name, faults):
    @case(f"/fault/s3/reads/{name}")
    def _():
        with World(fresh_database("faults_s3_small", SMALL)) as world, FaultProxy() as proxy:
            settings = BUCKET.settings(AWS_ENDPOINT_URL=proxy.address, S3_BACKUP_PREFIX="read-" + name[-20:])
            assert world.run("backup", "database", **settings).code == 0
            proxy.set(*faults)
            verified = world.run("verify", "latest", "--level", "2", **settings)
            assert proxy.counts()["faults"] > 0, proxy.counts()
            assert verified.code == 0, verified
            is_equal_after_restore(world, "faults_s3_small", settings)


for row in READ_SURVIVED:
    read_case(*row)

# Faults that end the run.
ENDED = [
    ("always-503", [{"kind": "slowdown"}], 1, ("503",)),
    ("access-denied-for-writing", [{"kind": "denied", "method": "PUT"}], 1, ("faults-of-holdfast",)),
    ("a-full-bucket", [{"kind": "quota", "method": "PUT"}], 1, ("QuotaExceeded",)),
    ("a-wrong-region", [{"kind": "wrong-region"}], 2, ("eu-west-1", "REGION")),
    ("a-bucket-that-lives-elsewhere", [{"kind": "redirect"}], 2, ("eu-west-1", "REGION")),
]


def ended_case(name, faults, code, words):
    @case(f"/fault/s3/ends/{name}")
    def _():
        with World(fresh_database("faults_s3_small", SMALL)) as world, FaultProxy() as proxy:
            settings = BUCKET.settings(AWS_ENDPOINT_URL=proxy.address, S3_TRIES=3)
            before = BUCKET.keys()
            proxy.set(*faults)
            result = world.run("backup", "database", timeout=200, **settings)
            proxy.set()
            fails_cleanly(result, before, code, *words, does_not_answer=name == "always-503")


for row in ENDED:
    ended_case(*row)


@case("/fault/s3/ends/a-connection-that-stalls")
def _():
    with World(fresh_database("faults_s3_small", SMALL)) as world, FaultProxy() as proxy:
        before = BUCKET.keys()
        proxy.set({"kind": "stall", "method": "PUT"})
        settings = BUCKET.settings(AWS_ENDPOINT_URL=proxy.address, S3_TRIES=2, S3_STALL_SECONDS=2)
        result = world.run("backup", "database", **settings)
        proxy.set()
        fails_cleanly(result, before, 1, does_not_answer=True)


@case("/fault/s3/ends/the-manifest-is-refused-and-everything-is-taken-back")
def _():
    with World(fresh_database("faults_s3_small", SMALL)) as world, FaultProxy() as proxy:
        before = BUCKET.keys()
        proxy.set({"kind": "denied", "method": "PUT", "match": "/backup_"})
        result = world.run("backup", "database", **BUCKET.settings(AWS_ENDPOINT_URL=proxy.address))
        fails_cleanly(result, before, 1)


# What the real server refuses.
REFUSED = [
    ("a-bucket-that-is-not-there", {"S3_BACKUP_BUCKET": "no-such-bucket-here"}, 2, ("no-such-bucket-here", "BUCKET")),
    ("a-wrong-secret", {"AWS_SECRET_ACCESS_KEY": "wrong-secret-0123456789"}, 2, ("AWS_SECRET_ACCESS_KEY",)),
    ("an-unknown-key", {"AWS_ACCESS_KEY_ID": "AKIANOSUCHKEY"}, 2, ("AWS_ACCESS_KEY",)),
    ("a-port-that-refuses", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "S3_TRIES": "2"}, 1, ("127.0.0.1:1",)),
    ("a-certificate-that-nobody-vouches-for", {"AWS_ENDPOINT_URL": os.environ["HF_TEST_S3_TLS_ENDPOINT"]}, 2,
     ("AWS_CA_BUNDLE",)),
]


def refused_case(name, env, code, words):
    @case(f"/fault/s3/refused/{name}")
    def _():
        with World(fresh_database("faults_s3_small", SMALL)) as world:
            before = BUCKET.keys()
            fails_cleanly(world.run("backup", "database", **BUCKET.settings(**env)), before, code, *words,
                          does_not_answer="S3_TRIES" in env)


for row in REFUSED:
    refused_case(*row)


@case("/fault/s3/refused/somebody-elses-bucket")
def _():
    with World(fresh_database("faults_s3_small", SMALL)) as world:
        before = BUCKET.keys()
        other = BUCKET.settings(AWS_ACCESS_KEY_ID=os.environ["HF_TEST_S3_OTHER_ACCESS_KEY"],
                                AWS_SECRET_ACCESS_KEY=os.environ["HF_TEST_S3_OTHER_SECRET_KEY"])
        fails_cleanly(world.run("backup", "database", **other), before, 1, "faults-of-holdfast")


@case("/fault/s3/a-private-ca-is-trusted-by-setting")
def _():
    with World(fresh_database("faults_s3_small", SMALL)) as world:
        settings = BUCKET.settings(AWS_ENDPOINT_URL=os.environ["HF_TEST_S3_TLS_ENDPOINT"], S3_BACKUP_PREFIX="tls",
                                   AWS_CA_BUNDLE=os.environ["HF_TEST_S3_CA"])
        result = world.run("backup", "database", **settings)
        assert result.code == 0, result


@case("/fault/s3/our-clock-twenty-minutes-off")
def _():
    with World(fresh_database("faults_s3_small", SMALL)) as world:
        for offset in ("-20m", "+20m"):
            settings = BUCKET.settings(S3_BACKUP_PREFIX="clock")
            result = world.run("backup", "database", program=HOLDFAST_PLAIN, prefix=("faketime", "-f", offset), **settings)
            assert result.code == 0, result


@case("/fault/s3/doctor-sees-a-clock-that-is-off")
def _():
    with World(fresh_database("faults_s3_small", SMALL)) as world:
        for offset, words in (("-20m", " behind the store"), ("+20m", " ahead of the store"), (None, "agrees")):
            prefix = ("faketime", "-f", offset) if offset else ()
            result = world.run("doctor", program=HOLDFAST_PLAIN, prefix=prefix, **BUCKET.settings(S3_BACKUP_PREFIX="doctor"))
            line = [line for line in result.out.splitlines() if " clock " in line]
            assert result.code == 0 and len(line) == 1 and words in line[0], result


@case("/fault/s3/interrupt-aborts-the-upload")
def _():
    with World("faults_s3_large") as world, FaultProxy() as proxy:
        before = BUCKET.keys()
        proxy.set({"kind": "hold", "match": "partNumber=2"})
        child = world.start("backup", "database", **BUCKET.settings(
            AWS_ENDPOINT_URL=proxy.address, S3_BACKUP_PREFIX="interrupt", S3_STALL_SECONDS=600))
        wait_for(lambda: proxy.counts()["held"])
        assert BUCKET.uploads() != []
        child.send_signal(signal.SIGINT)
        # Whoever waited for the server would wait for longer than that.
        out, err = child.communicate(timeout=300)
        fails_cleanly(Result(child.returncode, out, err), before, 1, "cancelled")


if __name__ == "__main__":
    run()
