"""A tiny harness: each case is a function with a claim for a name; run() prints TAP and ends the program.

    @case("/backup/an-empty-database-works")
    def _():
        assert ...

HF_TEST_ONLY, a regular expression, picks cases by name while one works on them.
"""
import os
import re
import signal
import sys
import time
import traceback

cases = []


def case(name):
    def add(function):
        cases.append((name, function))
        return function
    return add


def run():
    # Whoever is ended leaves its "with" blocks, and so stops what it started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))
    only = re.compile(os.environ.get("HF_TEST_ONLY", ""))
    chosen = [(name, function) for name, function in cases if only.search(name)]
    print(f"1..{len(chosen)}", flush=True)
    failures = 0
    for number, (name, function) in enumerate(chosen, 1):
        begin = time.monotonic()
        try:
            function()
            mark = "ok"
        except Exception:  # any exception is this case's failure, and the next case still runs
            mark = "not ok"
            failures += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
        print(f"{mark} {number} {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    sys.exit(1 if failures else 0)
