#!/usr/bin/env python3
"""holdfast-timer as it is run: against a pool that does as it is told, and against the real one."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakepool import FakePool  # noqa: E402
from tap import case, run  # noqa: E402
from world import HOLDFAST, HOLDFAST_PLAIN, SRCDIR, World, fresh_database, wait_for  # noqa: E402

TIMER = os.path.join(os.path.dirname(HOLDFAST), "holdfast-timer")
TIMER_PLAIN = os.path.join(os.path.dirname(HOLDFAST_PLAIN), "holdfast-timer")
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
TOKEN = "0123456789abcdef0123456789abcdef"
DAY = 86400
# When the daily run is, in UTC: far from now, so that no night comes while a test runs.
HOUR = 2 if 4 <= time.gmtime().tm_hour < 22 else 14


def last_night():
    """When the last daily run was due."""
    return (int(time.time()) - HOUR * 3600) // DAY * DAY + HOUR * 3600


class Timer:
    """A world with a pool that is not started yet, and a timer."""

    def __init__(self):
        self.world = World("x")
        self.folder = self.world.folder
        self.pool = FakePool(os.path.join(self.folder, "pool.sock"), TOKEN)
        self.env_file = os.path.join(self.folder, "settings.env")
        self.process = None
        self.log_path = os.path.join(self.folder, "log")
        self.settings(ENABLE_DAILY_BACKUP="true")

    def settings(self, **more):
        with open(self.env_file, "w", encoding="utf-8") as file:
            for name, value in dict(dict(FCGI_SOCKET=self.pool.path, INTERNAL_TOKEN=TOKEN,
                                         DAILY_BACKUP_SCHEDULE=f"0 {HOUR} * * *"), **more).items():
                file.write(f'{name}="{value}"\n')

    def start(self, program=TIMER, prefix=(), **env):
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([*prefix, program, "--env-file", self.env_file], stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.world.environment(env),
                                            cwd=self.folder)
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def says(self, words, count=1):
        wait_for(lambda: self.log().count(words) >= count)
        assert self.log().count(words) == count, self.log()

    def started(self, count=1):
        wait_for(lambda: len(self.pool.started) >= count)
        return self.pool.started

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(50)
        self.process = None
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.pool.stop()
        self.world.close()


# ---- catching up ----

@case("/timer/what-was-missed-runs-once-whatever-is-restarted")
def _():
    with Timer() as timer:
        timer.pool.marks["daily"] = last_night() - 5 * DAY
        timer.pool.start()
        timer.start().says("is started: job J1")
        assert timer.pool.started == [("daily", last_night())], timer.pool.started
        assert timer.end(signal.SIGKILL) == -signal.SIGKILL
        timer.start().says("next runs: daily", 2)
        wait_for(lambda: timer.pool.requests.count("GET /api/backup/internal/schedule") == 2)
        assert timer.end() == 0
        assert len(timer.pool.started) == 1, timer.pool.requests


@case("/timer/a-pool-that-is-down-when-it-fires-is-asked-again-and-runs-once")
def _():
    with Timer() as timer:
        timer.pool.marks["daily"] = last_night() - DAY
        timer.start().says("the pool does not answer")
        time.sleep(2.5)  # at least one try more
        timer.says("the pool does not answer")
        timer.pool.start()
        timer.started()
        timer.says("the pool answers again")
        timer.says("is started: job J1")
        assert timer.end() == 0
        assert timer.pool.started == [("daily", last_night())]
        assert timer.log().count("does not answer") == 1, timer.log()


@case("/timer/killed-between-request-and-answer-it-starts-nothing-twice")
def _():
    with Timer() as timer:
        timer.pool.marks["daily"] = last_night() - DAY
        timer.pool.answer = "silence"
        timer.pool.start()
        timer.start().started()
        timer.end(signal.SIGKILL)
        timer.pool.answer = None
        timer.start().says("next runs: daily", 2)
        wait_for(lambda: timer.pool.requests[-1].startswith("GET") and len(timer.pool.requests) == 3)
        time.sleep(0.5)
        assert timer.end() == 0
        assert timer.pool.started == [("daily", last_night())], timer.pool.requests


# ---- troubles, told once ----

TROUBLES = [
    ("another-job", (409, {"error": "job J0 runs", "code": "conflict"}), "waits until another job is done"),
    ("a-failing-service", (500, {"error": "the disk is full", "code": "failed"}), "the service answers 500: the disk is full"),
    ("a-reply-without-words", (500, []), "the service answers 500: without a word"),
    ("an-unknown-route", (404, {"error": "no such route"}), "the service answers 404: no such route"),
    ("an-overloaded-service", (503, {"error": "later"}), "the service cannot now: later"),
]


def trouble_case(name, answer, words):
    @case(f"/timer/{name}-is-told-once-and-tried-again")
    def _():
        with Timer() as timer:
            timer.pool.marks["daily"] = last_night() - DAY
            timer.pool.answer = answer
            timer.pool.start()
            timer.start().says(words)
            wait_for(lambda: len(timer.pool.requests) >= 4)
            timer.says(words)
            timer.pool.answer = None
            timer.says("is started: job J1")
            assert timer.end() == 0
            assert len(timer.pool.started) == 1


for row in TROUBLES:
    trouble_case(*row)


@case("/timer/another-token-is-told-once-with-the-remedy")
def _():
    with Timer() as timer:
        timer.pool.token = "another-one-another-one-another-one"
        timer.pool.start()
        timer.start().says("the service refuses the internal token (401)")
        wait_for(lambda: len(timer.pool.requests) >= 2)
        timer.says("INTERNAL_TOKEN or BACKUP_STATE_DIR")
        assert timer.end() == 0


# ---- signals ----

@case("/timer/term-ends-it-in-the-middle-of-a-request")
def _():
    with Timer() as timer:
        timer.pool.marks["daily"] = last_night() - DAY
        timer.pool.answer = "silence"
        timer.pool.start()
        timer.start().started()
        begin = time.monotonic()
        assert timer.end() == 0
        assert time.monotonic() - begin < 10  # the request would have waited for a minute


@case("/timer/hup-takes-other-settings-and-refuses-wrong-ones")
def _():
    with Timer() as timer:
        timer.settings()
        timer.pool.start()
        timer.start().says("nothing is scheduled: set ENABLE_DAILY_BACKUP or ENABLE_WEEKLY_BACKUP to true")
        assert timer.pool.requests == []
        timer.settings(ENABLE_WEEKLY_BACKUP="true", TZ="Europe/Berlin")
        timer.process.send_signal(signal.SIGHUP)
        timer.says("next runs: weekly ")
        timer.says("(Europe/Berlin)")
        timer.settings(ENABLE_WEEKLY_BACKUP="true", WEEKLY_BACKUP_SCHEDULE="0 25 * * *")
        timer.process.send_signal(signal.SIGHUP)
        timer.says('the settings were not taken, the old ones stay: WEEKLY_BACKUP_SCHEDULE "0 25 * * *": hour "25"')
        assert timer.process.poll() is None
        assert timer.end(signal.SIGINT) == 0


# ---- systemd ----

def notified(address):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(address.replace("@", "\0"))
    listener.settimeout(120)
    return listener


def notify_case(name, address_of):
    @case(f"/timer/systemd-is-told/{name}")
    def _():
        with Timer() as timer:
            address = address_of(timer.folder)
            with notified(address) as listener:
                timer.pool.start()
                timer.start(NOTIFY_SOCKET=address)
                assert listener.recv(4096) == b"READY=1"
                assert re.fullmatch(rb"STATUS=Next runs: daily \d{4}-\d\d-\d\dT%02d:00:00\+00:00" % HOUR, listener.recv(4096))
                timer.process.send_signal(signal.SIGHUP)
                assert listener.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
                assert listener.recv(4096) == b"READY=1"
                timer.end()
                words = [listener.recv(4096)]
                while words[-1] != b"STOPPING=1":
                    words.append(listener.recv(4096))


notify_case("by-a-path", lambda folder: os.path.join(folder, "notify"))
notify_case("by-an-abstract-name", lambda folder: "@holdfast-test-" + os.path.basename(folder))


# ---- wrong settings ----

WRONG = [
    ("expression", {"DAILY_BACKUP_SCHEDULE": "0 2 * *"}, "DAILY_BACKUP_SCHEDULE"),
    ("day-that-never-comes", {"WEEKLY_BACKUP_SCHEDULE": "0 0 31 2 *"}, "never come"),
    ("zone", {"TZ": "Europe/Berln"}, 'TZ "Europe/Berln"'),
    ("flag", {"ENABLE_DAILY_BACKUP": "perhaps"}, "ENABLE_DAILY_BACKUP"),
    ("token", {"ENABLE_DAILY_BACKUP": "true", "INTERNAL_TOKEN": "short"}, "INTERNAL_TOKEN"),
    ("socket", {"FCGI_SOCKTE": "/x"}, "FCGI_SOCKTE"),
]


def wrong_case(name, env, words):
    @case(f"/timer/wrong-settings/{name}")
    def _():
        with World("x") as world:
            result = world.run(program=TIMER, **env)
            assert result.code == 2 and result.out == "", result
            assert len(result.err.splitlines()) == 1 and words in result.err, result


for row in WRONG:
    wrong_case(*row)


@case("/timer/arguments-that-are-none")
def _():
    with World("x") as world:
        for words in (["now"], ["--frob"], ["--env-file", "/nowhere/x.env"]):
            result = world.run(*words, program=TIMER)
            assert result.code == 2 and words[-1] in result.err, result
        assert world.run("--version", program=TIMER).out.startswith("holdfast-timer ")


# ---- clocks ----

class Clock:
    """The time as libfaketime tells it to a process; to be changed while that runs."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "clock")

    def set(self, offset):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(f"{offset:+d}\n")
        os.rename(self.path + ".new", self.path)

    @property
    def env(self):
        return {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@case("/timer/fires-when-its-time-has-come-and-not-before")
def _():
    with Timer() as timer:
        clock = Clock(timer.folder)
        tonight = last_night() + DAY
        clock.set(tonight - int(time.time()) - 3600)
        timer.pool.start()
        timer.start(TIMER_PLAIN, **clock.env).says("next runs: daily")
        wait_for(lambda: timer.pool.requests == ["GET /api/backup/internal/schedule"])
        # It is up: however long that took, what comes now takes three seconds.
        begin = time.monotonic()
        clock.set(tonight - int(time.time()) - 3)
        timer.process.send_signal(signal.SIGHUP)
        assert timer.started() == [("daily", tonight)]
        assert time.monotonic() - begin > 1.9  # three seconds, less what whole seconds cut off
        timer.says("is started: job J1")
        assert timer.pool.requests == ["GET /api/backup/internal/schedule"] * 2 + ["POST /api/backup/internal/run"]
        assert timer.end() == 0


@case("/timer/a-clock-that-is-set-back-and-forth-runs-nothing-twice-and-loses-nothing")
def _():
    with Timer() as timer:
        clock = Clock(timer.folder)
        clock.set(0)
        timer.pool.start()
        timer.start(TIMER_PLAIN, **clock.env).says("next runs: daily")
        wait_for(lambda: timer.pool.requests)

        def look(offset, count):
            """The clock is set; HUP makes the timer look at it, since only the kernel can tell it so by itself."""
            before = timer.pool.requests.count("GET /api/backup/internal/schedule")
            clock.set(offset)
            timer.process.send_signal(signal.SIGHUP)
            wait_for(lambda: timer.pool.requests.count("GET /api/backup/internal/schedule") > before)
            wait_for(lambda: len(timer.pool.started) == count)
            time.sleep(0.3)
            assert len(timer.pool.started) == count, timer.pool.started

        look(DAY, 1)       # forth over a slot: it runs
        look(0, 1)         # back: not again
        look(-3600, 1)
        look(DAY, 1)       # and forth: not again
        look(2 * DAY, 2)   # the next one
        look(DAY, 2)
        look(5 * DAY, 3)   # three nights at once are one run
        assert timer.end() == 0
        slots = [slot for _, slot in timer.pool.started]
        assert slots == sorted(set(slots)), slots


@case("/timer/a-clock-that-the-kernel-says-was-set-makes-it-ask-again")
def _():
    with Timer() as timer:
        timer.pool.start()
        # What the kernel answers where the clock was set before the timer is armed again (timerfd_create(2)).
        timer.start(TIMER_PLAIN, prefix=["strace", "-f", "-o", os.path.join(timer.folder, "trace"), "-e", "trace=timerfd_settime",
                                         "-e", "inject=timerfd_settime:error=ECANCELED:when=2"])
        timer.says("the clock was set")
        wait_for(lambda: timer.pool.requests.count("GET /api/backup/internal/schedule") == 2)
        os.kill(timer_pid(timer), signal.SIGTERM)
        assert timer.process.wait(20) == 0


def timer_pid(timer):
    """Of the timer itself, where it runs under strace."""
    with open(f"/proc/{timer.process.pid}/task/{timer.process.pid}/children", encoding="ascii") as children:
        return int(children.read().split()[0])


# ---- how little it is ----

def status_of(pid, *names):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    return [fields[name].split()[0] for name in names]


@case("/timer/nothing-wakes-it-between-runs")
def _():
    with Timer() as timer:
        timer.pool.marks["daily"] = last_night()
        timer.pool.start()
        timer.start(TIMER_PLAIN).says("next runs: daily")
        wait_for(lambda: timer.pool.answered == 1)
        names = ("State", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")

        def settled():
            """It sleeps, and has slept for half a second: what it had to do is done."""
            before = status_of(timer.process.pid, *names)
            time.sleep(0.5)
            return before[0] == "S" and before == status_of(timer.process.pid, *names) and before
        before = wait_for(settled)
        time.sleep(4)
        assert status_of(timer.process.pid, *names) == before
        assert status_of(timer.process.pid, "Threads") == ["1"]


@case("/timer/its-own-memory-stays-under-4-mib")
def _():
    with Timer() as timer:
        timer.settings(ENABLE_DAILY_BACKUP="true", ENABLE_WEEKLY_BACKUP="true", TZ="Europe/Berlin")
        timer.pool.marks["daily"] = last_night() - 2 * DAY
        timer.pool.start()
        timer.start(TIMER_PLAIN).says("is started: job J1")
        for _ in range(50):
            timer.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        time.sleep(0.5)
        with open(f"/proc/{timer.process.pid}/smaps_rollup", encoding="ascii") as rollup:
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup if line.endswith("kB\n")}
        own = sizes["Private_Dirty"] + sizes["Private_Clean"]
        print(f"# resident {sizes['Rss']} KiB, anonymous {sizes['Anonymous']} KiB, private {own} KiB")
        assert sizes["Anonymous"] < 4096 and sizes["Private_Dirty"] < 4096, sizes


# ---- holdfast schedule ----

@case("/timer/holdfast-schedule-shows-what-the-timer-does")
def _():
    with World("x") as world:
        shown = world.run("schedule", "--json", "-n", "5", ENABLE_DAILY_BACKUP="true", TZ="Europe/Berlin",
                          DAILY_BACKUP_SCHEDULE="30 2 * * *")
        assert shown.code == 0, shown
        daily, weekly = shown.json["daily"], shown.json["weekly"]
        assert shown.json["timezone"] == "Europe/Berlin" and len(daily["next"]) == 5
        assert all("T02:30:00+0" in moment["local"] or "T03:00:00+02" in moment["local"] for moment in daily["next"])
        assert weekly["enabled"] is False and weekly["next"] == []
        text = world.run("schedule", ENABLE_WEEKLY_BACKUP="true").out
        assert "set ENABLE_DAILY_BACKUP to true" in text and "T03:00:00+00:00" in text, text
        assert world.run("schedule", "-n", "0").code == 2
        assert json.loads(world.run("schedule", "--json", TZ="Mars").out)["code"] == "usage"


# ---- the real pool ----

class Stack:
    def __init__(self, timer, database):
        os.chmod(timer.folder, 0o711)  # nginx runs as a user of its own
        self.folder = os.path.join(timer.folder, "stack")
        self.env = dict(os.environ, HF_STACK_ENV_FILE=timer.env_file, HF_TEST_HOLDFAST=HOLDFAST)
        timer.pool.path = os.path.join(self.folder, "run", "fcgi.sock")
        world = timer.world.env
        timer.settings(ENABLE_DAILY_BACKUP="true", JWT_SECRET="s" * 32, HOLDFAST_PROGRAM=HOLDFAST,
                       DB_NAME=database,
                       **{name: world[name] for name in ("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "BACKUP_DIR",
                                                         "BACKUP_STATE_DIR")})

    def do(self, command):
        done = subprocess.run([os.path.join(SRCDIR, "tests/lib/stack.sh"), command, self.folder], env=self.env,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def __enter__(self):
        self.do("start")
        return self

    def __exit__(self, *_):
        self.do("stop")


@case("/timer/the-real-pool-runs-each-night-once-down-or-up-back-or-forth")
def _():
    with Timer() as timer:
        clock = Clock(timer.folder)
        clock.set(0)

        def sets():
            return [row for row in timer.world.run("list", "--json").json["sets"] if row["status"] == "complete"]

        def look(offset, count):
            clock.set(offset)
            timer.process.send_signal(signal.SIGHUP)
            wait_for(lambda: len(sets()) == count)
            time.sleep(1)
            assert len(sets()) == count

        database = fresh_database("timer_e2e", "CREATE TABLE t AS SELECT generate_series(1, 100) AS n;")
        with Stack(timer, database) as stack:
            timer.start(TIMER_PLAIN, **clock.env).says("next runs: daily")
            look(0, 0)
            stack.do("pool-stop")
            clock.set(DAY)
            timer.process.send_signal(signal.SIGHUP)
            timer.says("the pool does not answer")
            stack.do("pool-start")
            wait_for(lambda: len(sets()) == 1)
            timer.says("the pool answers again")
            timer.says("is started: job 2")
            look(0, 1)
            look(DAY, 1)
            timer.end(signal.SIGKILL)
            said = timer.log().count("next runs: daily")
            timer.start(TIMER_PLAIN, **clock.env).says("next runs: daily", said + 1)
            look(DAY, 1)
            look(2 * DAY, 2)
            assert timer.end() == 0
            shown = timer.world.run("schedule", "--json", ENABLE_DAILY_BACKUP="true").json
            assert shown["daily"]["last"]["utc"].endswith(f"T{HOUR:02}:00:00Z"), shown


run()
