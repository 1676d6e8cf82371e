#!/usr/bin/env python3
"""The cases of bench/database.sh, which starts the servers and calls this."""
import argparse
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
import measure  # noqa: E402

BUCKET = "bench"
JOBS = (1, 2, 4)  # connections side by side


class Bench:
    def __init__(self, options):
        self.work, self.holdfast, self.rounds = options.work, options.holdfast, options.rounds
        url = urllib.parse.urlsplit(os.environ["HF_TEST_PG_URL"])
        self.url = url
        with open(f"{self.work}/pg/data/postmaster.pid", encoding="ascii") as pid:
            self.postmaster = int(pid.readline())
        self.env = dict(os.environ)
        self.env.update({
            "PGHOST": url.hostname, "PGPORT": str(url.port), "PGUSER": url.username, "PGPASSWORD": url.password,
            "PGDATABASE": "app", "LC_ALL": "C.UTF-8",
            "RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": f"{self.work}/restic", "HOME": self.work,
            "RESTIC_CACHE_DIR": f"{self.work}/restic-cache"})
        self.holdfast_env = {
            "PATH": os.environ["PATH"], "HOME": self.work, "LC_ALL": "C.UTF-8",
            "DB_HOST": url.hostname, "DB_PORT": str(url.port), "DB_USER": url.username, "DB_PASSWORD": url.password,
            "DB_NAME": "app", "BACKUP_DIR": f"{self.work}/store", "BACKUP_STATE_DIR": f"{self.work}/state"}
        self.s3_env = dict(self.holdfast_env)
        self.s3_env.update({
            "S3_BACKUP_BUCKET": BUCKET, "AWS_ENDPOINT_URL": os.environ["HF_TEST_S3_ENDPOINT"],
            "AWS_ACCESS_KEY_ID": os.environ["HF_TEST_S3_ACCESS_KEY"],
            "AWS_SECRET_ACCESS_KEY": os.environ["HF_TEST_S3_SECRET_KEY"], "AWS_REGION": "us-east-1"})
        self.runs = {}

    def sh(self, command, env=None):
        return subprocess.run(["bash", "-o", "pipefail", "-c", command], env=env or self.env, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout

    def aws(self, words):
        env = dict(self.s3_env, PATH=os.environ["PATH"], AWS_DEFAULT_REGION="us-east-1")
        return self.sh(f"aws --endpoint-url {self.s3_env['AWS_ENDPOINT_URL']} {words}", env)

    def size(self, path):
        return int(self.sh(f"du -sb {path}").split()[0])

    def prepare(self, scale):
        print(f"generating (scale {scale}) ...", file=sys.stderr, flush=True)
        self.sh("createdb app")
        here = os.path.dirname(os.path.abspath(__file__))
        self.sh(f"psql -q -v scale={scale} -f {here}/generate.sql")
        self.sh("psql -qc 'VACUUM (FREEZE, ANALYZE)' -c CHECKPOINT")
        os.makedirs(f"{self.work}/pgbackrest", exist_ok=True)
        with open(f"{self.work}/pgbackrest.conf", "w", encoding="ascii") as conf:
            conf.write(f"[global]\nrepo1-path={self.work}/pgbackrest\nlog-path={self.work}\nlock-path={self.work}/lock\n"
                       f"compress-type=gz\ncompress-level=6\nstart-fast=y\narchive-check=n\nprocess-max=2\n"
                       f"repo1-retention-full=1\n"
                       f"[bench]\npg1-path={self.work}/pg/data\npg1-port={self.url.port}\n"
                       f"pg1-socket-path={self.work}/socket\npg1-user={self.url.username}\n")
        self.aws(f"s3api create-bucket --bucket {BUCKET}")

    def case(self, name, command, env=None, before=None, stored=None, own=None):
        """One measured run; stored gives the bytes that it left behind."""
        if before:
            self.sh(before)
        self.sh("sync")  # what the last one left to be written is not this one's work
        run = measure.measure(command, env=env or self.env, postmaster=self.postmaster, own_name=own)
        run["stored"] = stored() if stored else None
        self.runs.setdefault(name, []).append(run)
        print(f"  {name}: {run['wall_s']:.2f} s, cpu {run['cpu_s']:.2f}, own {run['own_mib']:.0f} MiB",
              file=sys.stderr, flush=True)

    def round(self):
        out = f"{self.work}/out"
        self.case("`pg_dump >/dev/null`", "pg_dump >/dev/null")
        for name in ("gzip -6", "pigz -6", "zstd -1"):
            self.case(f"`pg_dump \\| {name}`", f"pg_dump | {name} >{out}", stored=lambda: os.path.getsize(out))
        self.case("`pg_dump \\| restic backup --stdin`", "pg_dump | restic backup -q --stdin --stdin-filename app.sql",
                  before=f"rm -rf {self.work}/restic; restic init -q", stored=lambda: self.size(f"{self.work}/restic"))
        pgbackrest = f"pgbackrest --config={self.work}/pgbackrest.conf --stanza=bench --log-level-console=error"
        self.case("`pgbackrest backup` (physical, 2 processes)", f"{pgbackrest} --type=full backup",
                  before=f"rm -rf {self.work}/pgbackrest/*; {pgbackrest} stanza-create",
                  stored=lambda: self.size(f"{self.work}/pgbackrest"))
        for jobs in JOBS:
            shutil.rmtree(f"{self.work}/store", ignore_errors=True)
            self.case(f"**`holdfast backup database`** to a folder, `DB_JOBS={jobs}`", f"{self.holdfast} -q backup database",
                      own="holdfast", env=dict(self.holdfast_env, DB_JOBS=str(jobs)),
                      stored=lambda: self.size(f"{self.work}/store"))
        self.aws(f"s3 rm --recursive --quiet s3://{BUCKET}/")
        self.case("**`holdfast backup database`** to S3", f"{self.holdfast} -q backup database", env=self.s3_env,
                  own="holdfast", stored=lambda: self.stored_in_s3())

    def stored_in_s3(self):
        return int(self.aws(f"s3api list-objects-v2 --bucket {BUCKET} --query 'sum(Contents[].Size)'").strip())

    def restore_round(self):
        archive = self.sh(f"ls {self.work}/store/database_backup_*.sql.gz | grep -v globals").strip()
        target = f"postgres://{self.url.username}:{self.url.password}@{self.url.hostname}:{self.url.port}/copy"
        drop = "dropdb --if-exists copy"
        self.case("restore: `gunzip -c \\| psql`",
                  f"createdb -T template0 copy; gunzip -c {archive} | psql -qX -v ON_ERROR_STOP=1 -d copy >/dev/null",
                  before=drop)
        # A program from before it had the option has the one row.
        has_jobs = "--jobs" in self.sh(f"{self.holdfast} restore database --help")
        for words in [f" --jobs {jobs}" for jobs in JOBS] if has_jobs else [""]:
            self.case(f"restore: **`holdfast restore database{words}`**",
                      f"{self.holdfast} -q restore database latest --create --to {target}{words}",
                      env=self.holdfast_env, before=drop, own="holdfast")
        self.sh(drop)

    def table(self, scale):
        plain = int(self.sh("pg_dump | wc -c").split()[0])
        version = self.sh("psql -Atc 'SHOW server_version'").split()[0]
        first = self.median("`pg_dump >/dev/null`", "wall_s")
        gzip = statistics.median(run["stored"] for run in self.runs["`pg_dump \\| gzip -6`"])
        gunzip = self.median("restore: `gunzip -c \\| psql`", "wall_s")
        print(f"## A database: `bench/database.sh --scale {scale} --rounds {self.rounds}`\n")
        print(f"{datetime.date.today()}, {measure.machine()}; PostgreSQL {version}, "
              f"{plain / 1e6:,.0f} MB of plain dump, medians of {self.rounds}. Wall time is a ratio to the first row's "
              f"({first:.2f} s), a restore's to `gunzip | psql` ({gunzip:.2f} s). CPU seconds are the client side's; the "
              "server's stand apart. Peak memory is the largest sum over the command's processes, and the command's own "
              "process alone.\n")
        print("| | wall | CPU s | server CPU s | stored MB | against gzip -6 | peak MiB | own MiB |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for name in self.runs:
            wall = self.median(name, "wall_s") / (gunzip if name.startswith("restore") else first)
            stored = self.runs[name][-1]["stored"]
            sizes = f"{stored / 1e6:,.0f} | {stored / gzip:.3f}" if stored else " | "
            own = self.median(name, "own_mib")
            print(f"| {name} | {wall:.2f} | {self.median(name, 'cpu_s'):.1f} | {self.median(name, 'server_cpu_s'):.1f} | "
                  f"{sizes} | {self.median(name, 'peak_mib'):.0f} | {f'{own:.0f}' if own else ''} |")

    def median(self, name, figure):
        return statistics.median(run[figure] for run in self.runs[name])


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
    for _ in range(options.rounds):
        bench.restore_round()
    bench.table(options.scale)


if __name__ == "__main__":
    main()
