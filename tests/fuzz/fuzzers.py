"""Each fuzzer of the build in HF_TEST_FUZZERS, from its corpus, as TAP.

The same tree gives the same result: as many runs each time, from the same seed.  HF_FUZZ_SECONDS=600 looks further, from
a seed of chance; what crashes one is kept, its name printed, and belongs into the corpus once mended.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(os.environ["HF_TEST_FUZZERS"])
CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
SECONDS = os.environ.get("HF_FUZZ_SECONDS")
EFFORT = [f"-max_total_time={SECONDS}"] if SECONDS else ["-seed=1", "-runs=20000"]


def fuzz(program):
    """Runs one; true where it found nothing.  New inputs go to a temporary folder, not into the tree."""
    name = program.name.removesuffix("-fuzz")
    with tempfile.TemporaryDirectory() as found:
        run = subprocess.run(
            [program, *EFFORT, "-max_len=4096", "-print_final_stats=1",
             f"-artifact_prefix={tempfile.gettempdir()}/{name}-", found, CORPUS / name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    lines = run.stdout.splitlines()
    wanted = lines[-30:] if run.returncode else [x for x in lines if "number_of_executed_units" in x]
    for line in wanted:
        print("#", line)
    return run.returncode == 0


def main():
    programs = sorted(p for p in FOLDER.glob("*-fuzz") if os.access(p, os.X_OK))
    is_good = bool(programs)
    print(f"1..{max(len(programs), 1)}")
    if not programs:
        print(f"not ok 1 /fuzz/there-are-fuzzers-in {FOLDER}")
    for number, program in enumerate(programs, 1):
        found_nothing = fuzz(program)
        is_good = is_good and found_nothing
        print(f"{'ok' if found_nothing else 'not ok'} {number} /fuzz/{program.name}", flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
