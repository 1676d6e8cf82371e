#!/usr/bin/env python3
"""Runs programs that print TAP, two at a time, and counts what they say.

usage: run_tap.py [--jobs N] [--timeout SECONDS] [--log FOLDER] LIST

LIST is a file with one command a line.  A program that crashes, prints no plan, prints fewer results than its plan,
or ends with a status other than 0 although all its results were ok counts as one more failure: silence is never a
pass.  The last line is "N passed, N failed", with ", N skipped" where something was skipped; the exit status is 0 only
if nothing failed and something passed.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

RESULT = re.compile(r"^(not )?ok\b(?: +(\d+))?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")
printing = threading.Lock()
running = set()  # the children, each the leader of a session of its own
ended = threading.Event()


class Outcome:
    def __init__(self, command):
        self.command = command
        self.passed = self.failed = self.skipped = 0
        self.details = []
        self.seconds = 0.0


def read_tap(text, outcome):
    """Counts the results in text; gives the plan, or None."""
    plan = None
    noise = []
    for line in text.splitlines():
        result = RESULT.match(line)
        if PLAN.match(line):
            plan = int(PLAN.match(line).group(1))
        elif result and re.search(r"# *skip", result.group(3), re.IGNORECASE):
            outcome.skipped += 1
            outcome.details.append("skipped:" + result.group(3))
            noise = []
        elif result and result.group(1):
            outcome.failed += 1
            outcome.details.extend(noise[-40:])
            outcome.details.append(line)
            noise = []
        elif result:
            outcome.passed += 1
            noise = []
        else:
            noise.append(line)
    return plan, noise


def end(child, number):
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        pass


def ended_by_signal(number, _):
    """Ctrl-C and kill end the children, too: they are asked, have 15 s to stop what they started, then are killed."""
    ended.set()
    children = list(running)
    for child in children:
        end(child, signal.SIGTERM)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and any(child.poll() is None for child in children):
        time.sleep(0.1)
    for child in children:
        end(child, signal.SIGKILL)
    print(f"ended by signal {number}", flush=True)
    os._exit(128 + number)


def run(command, timeout, log_folder):
    outcome = Outcome(command)
    if ended.is_set():
        return outcome
    begin = time.monotonic()
    child = subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    running.add(child)
    timed_out = False
    try:
        output, _ = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        end(child, signal.SIGTERM)
        try:
            output, _ = child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            end(child, signal.SIGKILL)
            output, _ = child.communicate()
    running.discard(child)
    outcome.seconds = time.monotonic() - begin
    text = output.decode("utf-8", "replace")
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", command)[-100:]
    with open(os.path.join(log_folder, name + ".log"), "w", encoding="utf-8") as log:
        log.write(text)
    plan, noise = read_tap(text, outcome)
    results = outcome.passed + outcome.failed + outcome.skipped
    trouble = None
    if timed_out:
        trouble = f"took longer than {timeout} s"
    elif plan is None:
        trouble = f"printed no plan (exit status {child.returncode})"
    elif results != plan:
        trouble = f"planned {plan} results and gave {results} (exit status {child.returncode})"
    elif child.returncode != 0 and outcome.failed == 0:
        trouble = f"ended with status {child.returncode}"
    if trouble:
        outcome.failed += 1
        outcome.details.extend(noise[-40:])
        outcome.details.append("not ok - the program " + trouble)
    return outcome


def report(outcome):
    with printing:
        mark = "FAIL" if outcome.failed else "ok"
        counts = f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped"
        print(f"{mark:4} {outcome.command}: {counts} ({outcome.seconds:.1f} s)", flush=True)
        for line in outcome.details:
            print("     | " + line, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--log", default=".")
    parser.add_argument("list")
    options = parser.parse_args()
    with open(options.list, encoding="utf-8") as lines:
        commands = [line.strip() for line in lines if line.strip()]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended_by_signal)
    total = Outcome("")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(run, command, options.timeout, options.log) for command in commands]
        for future in concurrent.futures.as_completed(futures):
            outcome = future.result()
            report(outcome)
            total.passed += outcome.passed
            total.failed += outcome.failed
            total.skipped += outcome.skipped
    if total.passed == 0:
        total.failed += 1
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
