#!/usr/bin/env python3
"""The cases of bench/leases.sh, which starts the servers and calls this."""
import argparse
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
import urllib.parse

HOSTS = ("web1", "web2")


def read_env(path):
    with open(path, encoding="ascii") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


class Bench:
    def __init__(self, options):
        self.work, self.holdfast = options.work, options.holdfast
        self.pg = urllib.parse.urlsplit(read_env(f"{self.work}/pg/env")["HF_TEST_PG_URL"].strip("'\""))
        s3 = read_env(f"{self.work}/rgw/env")
        self.base = {"PATH": os.environ["PATH"], "HOME": self.work, "LC_ALL": "C.UTF-8", "DB_HOST": self.pg.hostname,
                     "DB_PORT": str(self.pg.port), "DB_NAME": "app", "DB_PASSWORD": "secret"}
        self.s3 = {"S3_BACKUP_BUCKET": "backups", "AWS_ENDPOINT_URL": s3["HF_TEST_S3_ENDPOINT"], "AWS_REGION": "us-east-1",
                   "AWS_ACCESS_KEY_ID": s3["HF_TEST_S3_ACCESS_KEY"], "AWS_SECRET_ACCESS_KEY": s3["HF_TEST_S3_SECRET_KEY"]}
        aws = dict(os.environ, AWS_ACCESS_KEY_ID=self.s3["AWS_ACCESS_KEY_ID"], AWS_DEFAULT_REGION="us-east-1",
                   AWS_SECRET_ACCESS_KEY=self.s3["AWS_SECRET_ACCESS_KEY"])
        subprocess.run(["aws", "--endpoint-url", self.s3["AWS_ENDPOINT_URL"], "s3api", "create-bucket", "--bucket", "backups"],
                       env=aws, check=True, capture_output=True)
        sql = "CREATE DATABASE app;" + "".join(f"CREATE ROLE {host} SUPERUSER LOGIN PASSWORD 'secret';" for host in HOSTS)
        self.psql("postgres", sql)
        self.psql("app", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")

    def psql(self, database, sql):
        env = dict(self.base, PGHOST=self.pg.hostname, PGPORT=str(self.pg.port), PGUSER=self.pg.username,
                   PGPASSWORD=self.pg.password, PGDATABASE=database)
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1"], env=env, input=sql, text=True, check=True, capture_output=True)

    def start(self, host, **more):
        env = dict(self.base, HOLDFAST_HOST_NAME=host, DB_USER=host, BACKUP_STATE_DIR=f"{self.work}/state-{host}",
                   BACKUP_RETENTION_DAYS="0", **more)
        return subprocess.Popen([self.holdfast, "--json", "backup", "database"], env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, child):
        out, err = child.communicate(timeout=300)
        reply = json.loads(out)
        assert child.returncode == 0 or reply["code"] == "conflict", (out, err)
        return child.returncode == 0

    # ---- contended starts ----

    def contend(self, starts):
        both = one = none = 0
        for number in range(starts):
            ends = [self.end(child) for child in [self.start(host, **self.s3) for host in HOSTS]]
            both, one, none = both + all(ends), one + (sum(ends) == 1), none + (not any(ends))
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {starts}", end="", file=sys.stderr)
        return both, one, none

    def sessions(self):
        """(host, begin, end) of each, from the server's log."""
        begun, found = {}, []
        for line in self.log():
            match = re.match(r"(\S+ \S+) UTC (\d+) (\S*) LOG:  (connection authorized|disconnection)", line)
            if not match or match[3] not in HOSTS:
                continue
            when = datetime.datetime.fromisoformat(match[1]).timestamp()
            if match[4] == "disconnection":
                found.append((match[3], begun.pop(match[2]), when))
            else:
                begun[match[2]] = when
        return found

    def log(self):
        with open(f"{self.work}/pg/server.log", encoding="utf-8", errors="replace") as file:
            return file.readlines()

    def overlaps(self):
        sessions = self.sessions()
        first, second = ([item for item in sessions if item[0] == host] for host in HOSTS)
        return len(sessions), sum(1 for a in first for b in second if a[1] < b[2] and b[1] < a[2])

    # ---- what it costs ----

    def cost(self, rounds, **store):
        times = {"off": [], "auto": []}
        for number in range(2 * rounds + 2):
            leases = ("off", "auto")[number % 2]
            begun = time.monotonic()
            assert self.end(self.start("web1", LEASES=leases, **store))
            if number >= 2:
                times[leases].append(time.monotonic() - begun)
        return {name: statistics.median(values) * 1000 for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--holdfast", required=True)
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    bench = Bench(options)
    both, one, none = bench.contend(options.starts)
    sessions, overlaps = bench.overlaps()
    bucket = bench.cost(options.rounds, **bench.s3)
    folder = bench.cost(options.rounds, S3_BACKUP_BUCKET="", BACKUP_DIR=f"{options.work}/store")
    print(f"\n{datetime.date.today()}, {os.cpu_count()} processors, Linux {platform.release()}, load average "
          f"{os.getloadavg()[0]:.1f}\n")
    print("| starts of two hosts at once | both, one after the other | one, the other refused | none | two at once |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    print(f"| {options.starts} | {both} | {one} | {none} | {overlaps} (of {sessions} sessions) |\n")
    print("| a backup of 1,000 rows, ms | `LEASES=off` | `LEASES=auto` | more |")
    print("| --- | ---: | ---: | ---: |")
    for name, times in (("to a bucket", bucket), ("to a folder", folder)):
        print(f"| {name} | {times['off']:.0f} | {times['auto']:.0f} | {times['auto'] - times['off']:.0f} |")
    sys.exit(1 if none or overlaps else 0)


main()
