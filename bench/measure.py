"""Runs one command and measures it from outside: wall and CPU seconds, peak memory, temporary disk.

CPU seconds are those of the command and of all that it waited for.  The PostgreSQL server's are counted apart: what
the postmaster and its children used meanwhile.  Memory is the largest sum of the proportional set sizes (PSS) of the
command's process tree, looked at every 200 ms after the first moments, since a look takes some 3 ms of one core; `own` is the largest resident set of the processes of one name alone.
"""
import os
import resource
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def children_of():
    """pid -> list of child pids, of the whole machine."""
    tree = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:
                    fields = stat.read().rpartition(b")")[2].split()
                tree.setdefault(int(fields[1]), []).append(int(entry))
            except OSError:
                pass
    return tree


def descendants(pid):
    tree = children_of()
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        queue.extend(tree.get(current, []))
    return found


def pss_kib(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def peak_kib(pid, name):
    """VmHWM of the process where it runs the program called name, else 0."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            fields = dict(line.split(":", 1) for line in status if ":" in line)
        if fields.get("Name", "").strip() == name[:15]:
            return int(fields["VmHWM"].split()[0])
    except (OSError, KeyError, ValueError):
        pass
    return 0


def server_cpu_s(postmaster):
    """CPU seconds of a postmaster, of its live children, and of those that ended."""
    if not postmaster:
        return 0.0
    total = 0
    for pid in descendants(postmaster):
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
            total += sum(int(value) for value in fields[11:13])
            if pid == postmaster:
                total += sum(int(value) for value in fields[13:15])
        except OSError:
            pass
    return total / TICKS


class Watch(threading.Thread):
    def __init__(self, pid, own_name):
        super().__init__(daemon=True)
        self.pid, self.own_name = pid, own_name
        self.peak = self.own = 0
        self.ended = threading.Event()

    def run(self):
        looks = 0
        while not self.ended.wait(0.02 if looks < 20 else 0.2):
            looks += 1
            pids = descendants(self.pid)
            self.peak = max(self.peak, sum(pss_kib(pid) for pid in pids))
            if self.own_name:
                self.own = max([self.own] + [peak_kib(pid, self.own_name) for pid in pids])


def measure(command, env=None, cwd=None, postmaster=None, own_name=None):
    """Runs a shell command; raises if it fails.  Seconds, MiB."""
    server_before = server_cpu_s(postmaster)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    child = subprocess.Popen(["bash", "-o", "pipefail", "-c", command], env=env, cwd=cwd,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    watch = Watch(child.pid, own_name)
    watch.start()
    output = child.communicate()[0].decode("utf-8", "replace")
    wall = time.monotonic() - begin
    watch.ended.set()
    watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode != 0:
        raise RuntimeError(f"{command}: exit {child.returncode}\n{output[-2000:]}")
    return {
        "wall_s": wall,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "server_cpu_s": server_cpu_s(postmaster) - server_before,
        "peak_mib": watch.peak / 1024,
        "own_mib": watch.own / 1024,
        "output": output,
    }


def machine():
    """One line: processors, their model, memory, kernel."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(models)} x {models[0] if models else 'unknown'}, {gib:.0f} GiB, Linux {os.uname().release}"
