#!/usr/bin/env python3
"""The cases of bench/encryption.sh, which starts the servers and calls this."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tests", "lib")]
import measure  # noqa: E402
from faults import FaultProxy  # noqa: E402
from world import PG, Bucket  # noqa: E402

PLAIN, ENCRYPTED, HIDDEN = "in the clear", "encrypted", "encrypted, names as well"


class Bench:
    def __init__(self, options):
        self.work, self.holdfast = options.work, os.path.abspath(options.holdfast)
        self.base = {"PATH": os.environ["PATH"], "HOME": self.work, "LC_ALL": "C.UTF-8"}
        self.env = dict(self.base, DB_HOST=PG.hostname, DB_PORT=str(PG.port), DB_USER=PG.username, DB_PASSWORD=PG.password,
                        DB_NAME="app", BACKUP_DIR=f"{self.work}/store", BACKUP_STATE_DIR=f"{self.work}/state",
                        IMAGES_DIR=f"{self.work}/images")
        recipient = self.run("keygen", "--output", f"{self.work}/key.txt").strip()
        encrypted = {"BACKUP_RECIPIENTS": recipient}
        self.ways = {PLAIN: {}, ENCRYPTED: encrypted, HIDDEN: dict(encrypted, ENCRYPT_METADATA="true")}
        self.runs = {way: [] for way in self.ways}
        self.reads = {}

    def run(self, *words, **env):
        return subprocess.run([self.holdfast, *words], env=dict(self.env, **env), check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, cwd=self.work).stdout.decode("latin-1")

    def prepare(self, scale, images):
        print(f"generating (scale {scale}, {images} images) ...", file=sys.stderr, flush=True)
        libpq = dict(self.base, PGHOST=PG.hostname, PGPORT=str(PG.port), PGUSER=PG.username, PGPASSWORD=PG.password,
                     PGDATABASE="app")
        subprocess.run(["createdb", "app"], env=libpq, check=True)
        subprocess.run(["psql", "-q", "-v", f"scale={scale}", "-f", f"{HERE}/generate.sql"], env=libpq, check=True,
                       stdout=subprocess.DEVNULL)
        for number in range(images):
            folder = f"{self.work}/images/{number // 100:04}"
            os.makedirs(folder, exist_ok=True)
            with open(f"{folder}/{os.urandom(8).hex() if number != images // 2 else 'wanted'}.jpg", "wb") as file:
                file.write(os.urandom(20000))
        self.wanted = f"{images // 2 // 100:04}/wanted.jpg"
        self.plain = json.loads(self.run("--json", "backup", "database"))["plain_bytes"]

    def round(self):
        """Each way once, behind each other, so that what else the machine does falls on all of them."""
        for way, env in self.ways.items():
            shutil.rmtree(f"{self.work}/store")
            run = measure.measure(f"{self.holdfast} -q backup database", env=dict(self.env, **env))
            self.runs[way].append(run)
            print(f"  {way}: {run['wall_s']:.2f} s, cpu {run['cpu_s']:.2f}", file=sys.stderr, flush=True)

    def read_one(self):
        for number, (way, env) in enumerate(self.ways.items()):
            bucket = Bucket(f"encryption-{number}")
            settings = dict(env, **bucket.settings())
            set_id = json.loads(self.run("--json", "backup", "images", **settings))["set"]
            with FaultProxy() as proxy:
                got = self.run("cat", set_id, self.wanted, BACKUP_IDENTITY_FILE=f"{self.work}/key.txt",
                               **dict(settings, AWS_ENDPOINT_URL=proxy.address))
                assert len(got) == 20000, len(got)
                counts = proxy.counts()
            self.reads[way] = (len(counts["targets"]), counts["bytes"])

    def more(self, way, member):
        """Medians of what a round took more than the same round in the clear."""
        return statistics.median(run[member] - plain[member] for run, plain in zip(self.runs[way], self.runs[PLAIN]))

    def report(self):
        print(f"{measure.machine()}; a dump of {self.plain / 1e6:.0f} MB into a folder, {len(self.runs[PLAIN])} rounds, medians\n")
        print("| a backup of the database | seconds | CPU seconds | more wall time | more CPU s a GB | one image: requests | bytes |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for way, runs in self.runs.items():
            wall, cpu = (statistics.median(run[member] for run in runs) for member in ("wall_s", "cpu_s"))
            more = self.more(way, "wall_s") / statistics.median(run["wall_s"] for run in self.runs[PLAIN]) * 100
            per_gb = self.more(way, "cpu_s") / (self.plain / 1e9)
            requests, count = self.reads[way]
            print(f"| {way} | {wall:.2f} | {cpu:.2f} | {more:+.1f} % | {per_gb:+.2f} | {requests} | {count:,} |")
        print("\nwanted: at most 10 % more wall time and 1 CPU second a GB; as many requests as in the clear")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--holdfast", required=True)
    parser.add_argument("--scale", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=10000)
    options = parser.parse_args()
    bench = Bench(options)
    bench.prepare(options.scale, options.images)
    bench.read_one()
    for _ in range(options.rounds):
        bench.round()
    bench.report()


if __name__ == "__main__":
    main()
