#!/usr/bin/env python3
"""The cases of bench/verify.sh, which starts the servers and calls this."""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
import measure  # noqa: E402


def read_env(folder):
    with open(f"{folder}/env", encoding="ascii") as file:
        return urllib.parse.urlsplit(file.read().strip().split("=", 1)[1])


def libpq(url, database):
    return {"PGHOST": url.hostname, "PGPORT": str(url.port), "PGUSER": url.username, "PGPASSWORD": url.password,
            "PGDATABASE": database}


class Bench:
    def __init__(self, options):
        self.work, self.holdfast = options.work, options.holdfast
        self.source, self.hand = read_env(f"{self.work}/pg"), read_env(f"{self.work}/hand")
        with open(f"{self.work}/hand/data/postmaster.pid", encoding="ascii") as pid:
            self.hand_postmaster = int(pid.readline())
        self.base = {"PATH": os.environ["PATH"], "HOME": self.work, "LC_ALL": "C.UTF-8"}
        os.mkdir(f"{self.work}/scratch")
        os.chmod(f"{self.work}/scratch", 0o711)
        self.env = dict(
            self.base, DB_HOST=self.source.hostname, DB_PORT=str(self.source.port), DB_USER=self.source.username,
            DB_PASSWORD=self.source.password, DB_NAME="app", BACKUP_DIR=f"{self.work}/store",
            BACKUP_STATE_DIR=f"{self.work}/state", SCRATCH_DIR=f"{self.work}/scratch")
        self.runs = {}

    def sh(self, command, env):
        return subprocess.run(["bash", "-o", "pipefail", "-c", command], env=env, check=True, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True).stdout

    def prepare(self, scale):
        print(f"generating (scale {scale}) ...", file=sys.stderr, flush=True)
        source = dict(self.base, **libpq(self.source, "app"))
        here = os.path.dirname(os.path.abspath(__file__))
        self.sh("createdb app", source)
        self.sh(f"psql -q -v scale={scale} -f {here}/generate.sql", source)
        self.plain = json.loads(self.sh(f"{self.holdfast} --json backup database", self.env))["plain_bytes"]
        found = glob.glob(f"{self.work}/store/database_backup_*.sql.gz")
        self.archive = [path for path in found if "globals" not in path][0]

    def case(self, name, command, env, postmaster=None):
        run = measure.measure(command, env=env, postmaster=postmaster)
        self.runs.setdefault(name, []).append(run)
        print(f"  {name}: {run['wall_s']:.2f} s, cpu {run['cpu_s'] + run['server_cpu_s']:.2f}", file=sys.stderr, flush=True)

    def round(self):
        hand = dict(self.base, **libpq(self.hand, "copy"))
        self.case("`gunzip`, `sha256sum` by hand", f"gunzip -c {self.archive} >/dev/null && sha256sum {self.archive}", hand)
        self.case("**`holdfast verify --level 2`**", f"{self.holdfast} -q verify latest --level 2", self.env)
        self.sh("dropdb --if-exists copy && createdb copy", hand)
        self.case("`gunzip \\| psql`, `pg_dump >/dev/null` by hand",
                  f"gunzip -c {self.archive} | psql -Xq -v ON_ERROR_STOP=1 >/dev/null && pg_dump >/dev/null", hand,
                  postmaster=self.hand_postmaster)
        self.sh("dropdb copy", hand)
        # The scratch server is a child of holdfast: its seconds are among the command's.
        self.case("**`holdfast verify --level 4`**", f"{self.holdfast} -q verify latest --level 4", self.env)

    def report(self):
        print(f"{measure.machine()}; a dump of {self.plain / 1e6:.0f} MB, {len(next(iter(self.runs.values())))} round(s), "
              f"medians\n")
        print("| | seconds | MB/s of plain data | CPU seconds |\n| --- | ---: | ---: | ---: |")
        wall = {}
        for name, runs in self.runs.items():
            wall[name] = statistics.median(run["wall_s"] for run in runs)
            cpu = statistics.median(run["cpu_s"] + run["server_cpu_s"] for run in runs)
            print(f"| {name} | {wall[name]:.2f} | {self.plain / 1e6 / wall[name]:.0f} | {cpu:.2f} |")
        names = list(wall)
        print(f"\nlevel 4 takes {wall[names[3]] / wall[names[2]]:.2f} x what it replaces (wanted: at most 1.3); "
              f"level 2 reads {self.plain / 1e6 / wall[names[1]]:.0f} MB/s (wanted: at least 500)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--holdfast", required=True)
    parser.add_argument("--scale", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bench = Bench(options)
    bench.prepare(options.scale)
    for _ in range(options.rounds):
        bench.round()
    bench.report()


if __name__ == "__main__":
    main()
