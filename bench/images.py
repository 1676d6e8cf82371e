#!/usr/bin/env python3
"""The cases of bench/images.sh, which starts the S3 server and calls this.

Requests are counted in the S3 server's own log.  Temporary disk is the most that lay in TMPDIR and in the folders that a
recipe needs for itself, looked at ten times a second.  Caches are warm for all: the images in the
folder are read once before each case.
"""
import argparse
import datetime
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
import measure  # noqa: E402

SOURCE, TARGET = "images", "backups"
ONE_IMAGE = "pictures/007/00007.jpg"


def key_of(number):
    return f"pictures/{number % 100:03}/{number:05}.jpg"


def generate(folder, objects, seed=1):
    """5 to 300 KB, 104 KB in the mean; one in twenty is text, the rest does not compress."""
    chance = random.Random(seed)
    total = 0
    for number in range(objects):
        path = os.path.join(folder, key_of(number))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        size = int(chance.triangular(5000, 300000, 5000))
        with open(path, "wb") as file:
            if number % 20 == 0:
                file.write((b"<svg width='%d'>line of text that repeats itself</svg>\n" % number * (size // 40))[:size])
            else:
                file.write(chance.randbytes(size))
        total += size
    return total


def generate_small(folder, objects):
    for number in range(objects):
        path = os.path.join(folder, f"{number // 1000:04}")
        if number % 1000 == 0:
            os.makedirs(path)
        with open(f"{path}/{number:07}", "wb") as file:
            file.write(b"%d" % number)


class Disk(threading.Thread):
    """The most that lay below some folders."""

    def __init__(self, folders):
        super().__init__(daemon=True)
        self.folders, self.peak, self.ended = folders, 0, threading.Event()

    def used(self):
        total = 0
        for folder in self.folders:
            for base, _, names in os.walk(folder):
                for name in names:
                    try:
                        total += os.lstat(os.path.join(base, name)).st_size
                    except OSError:
                        pass
        return total

    def run(self):
        while not self.ended.wait(0.1):
            self.peak = max(self.peak, self.used())

    def stop(self):
        self.ended.set()
        self.join()
        return max(self.peak, self.used())


class Bench:
    def __init__(self, options):
        self.work, self.holdfast, self.rounds = options.work, options.holdfast, options.rounds
        self.images, self.tmp, self.log = f"{self.work}/images", f"{self.work}/tmp", f"{self.work}/rgw/log/client.rgw.log"
        self.endpoint = os.environ["HF_TEST_S3_ENDPOINT"]
        keys = {"AWS_ACCESS_KEY_ID": os.environ["HF_TEST_S3_ACCESS_KEY"],
                "AWS_SECRET_ACCESS_KEY": os.environ["HF_TEST_S3_SECRET_KEY"]}
        base = {"PATH": os.environ["PATH"], "HOME": self.work, "LC_ALL": "C.UTF-8", "TMPDIR": self.tmp, **keys}
        self.env = dict(base, AWS_DEFAULT_REGION="us-east-1", RESTIC_PASSWORD="bench",
                        RESTIC_REPOSITORY=f"{self.work}/restic", RESTIC_CACHE_DIR=f"{self.work}/restic-cache",
                        RCLONE_CONFIG_S3_TYPE="s3", RCLONE_CONFIG_S3_PROVIDER="Ceph",
                        RCLONE_CONFIG_S3_ENV_AUTH="true", RCLONE_CONFIG_S3_ENDPOINT=self.endpoint)
        self.from_folder = dict(base, IMAGES_DIR=self.images, BACKUP_DIR=f"{self.work}/store",
                                BACKUP_STATE_DIR=f"{self.work}/state")
        self.s3 = dict(base, AWS_BUCKET_NAME=SOURCE, AWS_ENDPOINT_URL=self.endpoint, AWS_REGION="us-east-1",
                       BACKUP_STATE_DIR=f"{self.work}/state")
        self.s3_to_folder = dict(self.s3, S3_BACKUP_BUCKET="", BACKUP_DIR=f"{self.work}/store-s3")
        self.s3_to_s3 = dict(self.s3, S3_BACKUP_BUCKET=TARGET)
        self.runs, self.plain = {}, 0
        os.makedirs(self.tmp)

    def sh(self, command, env=None):
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=env or self.env, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout

    def aws(self, words):
        return self.sh(f"aws --endpoint-url {self.endpoint} {words}")

    def size(self, path):
        return int(self.sh(f"du -sb {path}").split()[0])

    def bucket_size(self):
        out = self.aws(f"s3api list-objects-v2 --bucket {TARGET} --query 'sum(Contents[].Size)'").strip()
        return int(float(out)) if out not in ("", "None") else 0

    def requests(self):
        time.sleep(0.5)  # the server writes its log in the background
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return sum(" beast: " in line for line in log)

    def prepare(self, objects):
        print(f"generating {objects} images ...", file=sys.stderr, flush=True)
        self.plain = generate(self.images, objects)
        for bucket in (SOURCE, TARGET):
            self.aws(f"s3api create-bucket --bucket {bucket}")
        self.sh(f"rclone copy --transfers 16 {self.images} s3:{SOURCE}")

    def case(self, name, command, env=None, before=None, stored=None, temporary=()):
        """One measured run; stored gives the bytes that lie there after it."""
        for folder in temporary:
            shutil.rmtree(folder, ignore_errors=True)
        if before:
            self.sh(before)
        self.sh("sync")  # what the case before left in the page cache is not this one's to wait for
        if name.startswith("folder: "):
            self.sh(f"tar cf - {self.images} 2>/dev/null | cat >/dev/null")  # nor is it to read what others had in there
        requests = self.requests()
        disk = Disk([self.tmp, *temporary])
        disk.start()
        run = measure.measure(command, env=env or self.env)
        run["temporary"] = disk.stop()
        run["requests"] = self.requests() - requests
        run["stored"] = stored() if stored else None
        self.runs.setdefault(name, []).append(run)
        print(f"  {name}: {run['wall_s']:.2f} s, cpu {run['cpu_s']:.2f}, {run['requests']} requests, "
              f"{run['peak_mib']:.0f} MiB", file=sys.stderr, flush=True)

    def touch(self, round_number):
        """Changes one image in a hundred, in the folder and in the bucket."""
        changed, images = f"{self.work}/changed", self.images
        shutil.rmtree(changed, ignore_errors=True)
        for number in range(round_number % 100, self.objects, 100):
            for folder in (images, changed):
                path = os.path.join(folder, key_of(number))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(random.Random(f"{round_number} {number}").randbytes(100000))
        self.sh(f"rclone copy --transfers 16 {changed} s3:{SOURCE}")

    def folder_round(self):
        out, copy = f"{self.work}/out", f"{self.work}/copy"
        size = lambda: os.path.getsize(out)  # noqa: E731
        gone = f"rm -f {out}"
        self.case("folder: `tar cf`", f"tar cf {out} -C {self.images} .", before=gone, stored=size)
        self.case("folder: `tar cf`, synced as Holdfast does", f"tar cf {out} -C {self.images} . && sync {out}", before=gone,
                  stored=size)
        self.case("folder: `tar czf`", f"tar czf {out} -C {self.images} .", before=gone, stored=size)
        self.case("folder: `tar \\| pigz`", f"tar cf - -C {self.images} . | pigz >{out}", before=gone, stored=size)
        os.unlink(out)
        self.case("folder: `restic backup`", f"restic backup -q {self.images}", stored=lambda: self.size(f"{self.work}/restic"),
                  before=f"rm -rf {self.work}/restic {self.work}/restic-cache; restic init -q")
        self.case("folder: `restic backup`, unchanged", f"restic backup -q {self.images}")
        self.case("folder: `rclone copy`", f"rclone copy {self.images} {copy}", before=f"rm -rf {copy}",
                  stored=lambda: self.size(copy))
        shutil.rmtree(copy)
        self.holdfast_round("folder", self.from_folder, lambda: self.size(f"{self.work}/store"),
                            lambda: shutil.rmtree(f"{self.work}/store", ignore_errors=True), copy)

    def s3_round(self):
        local, copy = f"{self.work}/sync", f"{self.work}/copy"
        self.aws(f"s3 rm --recursive --quiet s3://{TARGET}/")
        self.case("S3: `aws s3 sync`", f"aws --endpoint-url {self.endpoint} s3 sync --quiet s3://{SOURCE} {local}/all",
                  temporary=(local,))
        self.case("S3: `aws s3 sync`, `tar czf`, `aws s3 cp`",
                  f"aws --endpoint-url {self.endpoint} s3 sync --quiet s3://{SOURCE} {local}/all && "
                  f"tar czf {local}/images.tar.gz -C {local}/all . && "
                  f"aws --endpoint-url {self.endpoint} s3 cp --quiet {local}/images.tar.gz s3://{TARGET}/",
                  temporary=(local,), stored=self.bucket_size)
        shutil.rmtree(local)
        self.case("S3: `rclone copy` to a folder", f"rclone copy s3:{SOURCE} {copy}", before=f"rm -rf {copy}",
                  stored=lambda: self.size(copy))
        shutil.rmtree(copy)
        self.restic_round(copy)
        self.holdfast_round("S3 to a folder", self.s3_to_folder, lambda: self.size(f"{self.work}/store-s3"),
                            lambda: shutil.rmtree(f"{self.work}/store-s3", ignore_errors=True), copy)
        self.holdfast_round("S3 to S3", self.s3_to_s3, self.bucket_size,
                            lambda: self.aws(f"s3 rm --recursive --quiet s3://{TARGET}/"), copy)

    def restic_round(self, copy):
        """Through a copy: restic 0.14 fails on each file of an rclone mount (it lists attributes, rclone answers EIO)."""
        self.case("S3: `rclone copy`, `restic backup`", f"rclone copy s3:{SOURCE} {copy} && restic backup -q {copy}",
                  before=f"rm -rf {self.work}/restic {self.work}/restic-cache; restic init -q", temporary=(copy,),
                  stored=lambda: self.size(f"{self.work}/restic"))
        shutil.rmtree(copy)

    def holdfast_round(self, where, env, stored, clear, copy):
        command, name = f"{self.holdfast} -q backup images", f"{where}: **`holdfast backup images`**"
        clear()
        self.case(f"{name}, first", command, env=env, stored=stored)
        self.case(f"{name}, unchanged", command, env=env)
        self.changes += 1
        self.touch(self.changes)
        self.case(f"{name}, 1 % changed", command, env=env)
        latest = self.sh(f"{self.holdfast} list | tail -1 | cut -d' ' -f1", env).strip()
        self.case(f"{where}: **`holdfast restore images`**", f"{self.holdfast} -q restore images {latest} --to {copy}",
                  env=env, before=f"rm -rf {copy}", stored=lambda: self.size(copy))
        self.sh(f"cmp {copy}/{ONE_IMAGE} {self.images}/{ONE_IMAGE}")
        shutil.rmtree(copy)
        self.case(f"{where}: **`holdfast cat SET KEY`**", f"{self.holdfast} cat {latest} {ONE_IMAGE} >/dev/null", env=env)

    def unchanged(self, count, name):
        """An unchanged run of many small objects: CPU seconds, requests, memory."""
        folder = f"{self.work}/small"
        print(f"generating {count} small objects ...", file=sys.stderr, flush=True)
        generate_small(folder, count)
        env = dict(self.from_folder, IMAGES_DIR=folder, BACKUP_DIR=f"{self.work}/small-store")
        shutil.rmtree(f"{self.work}/small-store", ignore_errors=True)
        self.case(f"{name} in a folder, first", f"{self.holdfast} -q backup images", env=env)
        self.case(f"{name} in a folder, unchanged", f"{self.holdfast} -q backup images", env=env)
        if count <= 100000:
            self.aws(f"s3api create-bucket --bucket small-{count}")
            self.sh(f"rclone copy --transfers 32 --checkers 32 {folder} s3:small-{count}")
            env = dict(self.s3_to_folder, AWS_BUCKET_NAME=f"small-{count}", BACKUP_DIR=f"{self.work}/small-store-s3")
            self.case(f"{name} in S3, first", f"{self.holdfast} -q backup images", env=env)
            self.case(f"{name} in S3, unchanged", f"{self.holdfast} -q backup images", env=env)
            shutil.rmtree(f"{self.work}/small-store-s3")
        shutil.rmtree(folder)
        shutil.rmtree(f"{self.work}/small-store")

    def table(self):
        print(f"## Images: `bench/images.sh --objects {self.objects} --rounds {self.rounds}`\n")
        print(f"{datetime.date.today()}, {measure.machine()}; {self.objects:,} images, {self.plain / 1e6:,.0f} MB, medians of "
              f"{self.rounds}. CPU seconds and memory are the client side's, requests are those that the S3 server logged, "
              "temporary disk is what lay in TMPDIR and in the folders that the recipe needs for itself.\n")
        print("| | wall s | CPU s | requests | stored MB | peak MiB | temporary MB |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name, runs in self.runs.items():
            stored = f"{runs[-1]['stored'] / 1e6:,.1f}" if runs[-1]["stored"] is not None else ""
            print(f"| {name} | {self.median(name, 'wall_s'):.2f} | {self.median(name, 'cpu_s'):.2f} | "
                  f"{self.median(name, 'requests'):,.0f} | {stored} | {self.median(name, 'peak_mib'):.0f} | "
                  f"{self.median(name, 'temporary') / 1e6:,.1f} |")

    def median(self, name, figure):
        return statistics.median(run[figure] for run in self.runs[name])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--holdfast", required=True)
    parser.add_argument("--objects", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=100000)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--only", choices=("folder", "s3", "many"))
    options = parser.parse_args()
    bench = Bench(options)
    bench.objects, bench.changes = options.objects, 0
    if options.only != "many":
        bench.prepare(options.objects)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        if options.only in (None, "folder"):
            bench.folder_round()
        if options.only in (None, "s3"):
            bench.s3_round()
    if options.many and options.only in (None, "many"):
        bench.unchanged(options.many, f"{options.many:,} small objects")
    if options.million and options.only in (None, "many"):
        bench.unchanged(10000, "10,000 small objects")
        bench.unchanged(1000000, "1,000,000 small objects")
    bench.table()


if __name__ == "__main__":
    main()
