#!/usr/bin/env python3
"""The cases of bench/restore.sh, which starts the server and calls this."""
import argparse
import datetime
import os
import statistics
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
import measure  # noqa: E402

STOCK = "`gunzip -c \\| psql`"


class Bench:
    def __init__(self, options):
        self.work, self.holdfast, self.runs = options.work, options.holdfast, {}
        url = urllib.parse.urlsplit(os.environ["HF_TEST_PG_URL"])
        self.target = f"postgres://{url.username}@{url.hostname}:{url.port}/copy"
        with open(f"{self.work}/pg/data/postmaster.pid", encoding="ascii") as pid:
            self.postmaster = int(pid.readline())
        self.env = dict(
            os.environ, PGHOST=url.hostname, PGPORT=str(url.port), PGUSER=url.username, PGPASSWORD=url.password,
            PGDATABASE="app", LC_ALL="C.UTF-8", HOME=self.work, DB_HOST=url.hostname, DB_PORT=str(url.port),
            DB_USER=url.username, DB_PASSWORD=url.password, DB_NAME="app", BACKUP_DIR=f"{self.work}/store",
            BACKUP_STATE_DIR=f"{self.work}/state")
        self.env.pop("HF_TEST_PG_URL")

    def sh(self, command):
        return subprocess.run(["bash", "-o", "pipefail", "-c", command], env=self.env, check=True, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True).stdout

    def prepare(self, scale):
        print(f"generating (scale {scale}) ...", file=sys.stderr, flush=True)
        here = os.path.dirname(os.path.abspath(__file__))
        self.sh(f"createdb app && psql -q -v scale={scale} -f {here}/generate.sql")
        self.sh(f"{self.holdfast} -q backup database")
        self.archive = self.sh(f"ls {self.work}/store/database_backup_*.sql.gz | grep -v globals").strip()

    def case(self, name, command, own=None):
        self.sh("dropdb --if-exists copy; psql -qc CHECKPOINT")
        run = measure.measure(command, env=self.env, postmaster=self.postmaster, own_name=own)
        self.runs.setdefault(name, []).append(run)
        print(f"  {name}: {run['wall_s']:.2f} s, cpu {run['cpu_s']:.2f}, server {run['server_cpu_s']:.2f}", file=sys.stderr,
              flush=True)

    def round(self):
        self.case(STOCK, f"createdb -T template0 copy; gunzip -c {self.archive} | psql -qX -v ON_ERROR_STOP=1 -d copy >/dev/null")
        for jobs in (1, 2, 4):
            self.case(f"**`holdfast restore database --jobs {jobs}`**",
                      f"{self.holdfast} -q restore database latest --create --jobs {jobs} --to {self.target}", own="holdfast")

    def median(self, name, figure):
        return statistics.median(run[figure] for run in self.runs[name])

    def table(self, scale, rounds):
        plain = int(self.sh("pg_dump | wc -c").split()[0])
        stock = self.median(STOCK, "wall_s")
        print(f"## A restore: `bench/restore.sh --scale {scale} --rounds {rounds}`\n")
        print(f"{datetime.date.today()}, {measure.machine()}; {plain / 1e6:,.0f} MB of plain dump with its indexes, medians of "
              f"{rounds}. Wall time is a ratio to the first row's ({stock:.2f} s).\n")
        print("| | wall | CPU s | server CPU s | peak MiB | own MiB |")
        print("| --- | --- | --- | --- | --- | --- |")
        for name in self.runs:
            own = self.median(name, "own_mib")
            print(f"| {name} | {self.median(name, 'wall_s') / stock:.2f} | {self.median(name, 'cpu_s'):.1f} | "
                  f"{self.median(name, 'server_cpu_s'):.1f} | {self.median(name, 'peak_mib'):.0f} | {f'{own:.0f}' if own else ''} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--holdfast", required=True)
    parser.add_argument("--scale", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bench = Bench(options)
    bench.prepare(options.scale)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        bench.round()
    bench.table(options.scale, options.rounds)


if __name__ == "__main__":
    main()
