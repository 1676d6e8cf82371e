"""Measures GET /api/backup/status through nginx beside the same replies from Node, and prints the table for
docs/benchmarks.md.  bench/api.sh starts all that is needed and calls this.

The three take turns, round by round, so that what else the machine does hits them alike; each figure is the median of its
rounds.
"""
import argparse
import gzip
import json
import os
import pathlib
import re
import signal
import ssl
import statistics
import subprocess
import sys
import time
import urllib.request

MIB = 1024 * 1024
NODE = pathlib.Path(__file__).resolve().parent / "npm" / "server.js"


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("stack", "work", "modules"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=10, help="of one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--soak", type=int, default=0, help="so many requests to Holdfast at the end, for its memory")
    return parser.parse_args()


def stack_env(folder):
    lines = pathlib.Path(folder, "env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def get(url, ca, token, accept="identity"):
    """The body, and how many bytes it was on the wire."""
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": accept}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=ssl.create_default_context(cafile=ca)) as reply:
        body = reply.read()
        return (gzip.decompress(body) if reply.headers["Content-Encoding"] == "gzip" else body), len(body)


def wrk(url, args, accept="identity"):
    done = subprocess.run(["wrk", "-t", "2", "-c", str(args.connections), "-d", f"{args.seconds}s", "--timeout", "30s", "-H",
                           f"Accept-Encoding: {accept}", "-s", str(pathlib.Path(__file__).with_name("api.lua")), url],
                          capture_output=True, text=True, check=True)
    result = json.loads(re.search(r"RESULT (\{.*\})", done.stdout).group(1))
    if result["failed"]:
        sys.exit(f"api.py: {result['failed']} requests to {url} failed:\n{done.stdout}")
    return result


def memory(pids):
    """(resident, private) bytes of the largest process: /proc/PID/smaps_rollup."""
    rows = []
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        kib = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
        rows.append((kib["Rss"] * 1024, (kib["Private_Clean"] + kib["Private_Dirty"]) * 1024))
    return max(rows)


def cpu_s(pids):
    """CPU time of processes, all threads: /proc/PID/stat, fields 14 and 15."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(url, accept, pids, nginx, args):
    """wrk's figures, and the CPU time of the handler and of nginx for each request."""
    begin = cpu_s(pids), cpu_s(nginx)
    result = wrk(url, args, accept)
    result["handler_us"] = (cpu_s(pids) - begin[0]) / result["requests"] * 1e6
    result["nginx_us"] = (cpu_s(nginx) - begin[1]) / result["requests"] * 1e6
    return result


def children(pid):
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def start_node(args, reply):
    path = pathlib.Path(args.work, "reply.json")
    path.write_bytes(reply)
    env = dict(os.environ, NODE_PATH=args.modules, NODE_ENV="production")
    node = subprocess.Popen(["node", str(NODE), str(path), f"{args.work}/node.sock", str(args.workers)],
                            env=env, stdout=subprocess.PIPE, text=True)
    if node.stdout.readline() != "ready\n":
        sys.exit("api.py: Node did not start")
    os.chmod(f"{args.work}/node.sock", 0o666)
    return node


def add_node_to_nginx(args):
    """Node gets kept connections, which is the best that nginx can do for it."""
    folder = pathlib.Path(args.stack)
    with open(folder / "holdfast-http.conf", "a", encoding="utf-8") as conf:
        conf.write(f"upstream node {{ server unix:{args.work}/node.sock; keepalive 64; keepalive_requests 1000000; }}\n")
    pathlib.Path(args.work, "server.conf").write_text(
        "location ^~ /node/ {\n    proxy_pass http://node/;\n    proxy_http_version 1.1;\n"
        "    proxy_set_header Connection \"\";\n    proxy_buffers 16 64k;\n    proxy_buffer_size 16k;\n"
        "    gzip on;\n    gzip_proxied any;\n    gzip_types application/json;\n}\n", encoding="utf-8")
    os.kill(int((folder / "run" / "nginx.pid").read_text(encoding="ascii")), signal.SIGHUP)
    time.sleep(1)


def row(name, results, memories):
    rate = statistics.median(r["requests"] / r["duration_us"] * 1e6 for r in results)
    p50 = statistics.median(r["p50_us"] for r in results) / 1000
    p99 = statistics.median(r["p99_us"] for r in results) / 1000
    handler, nginx = (statistics.median(r[key] for r in results) for key in ("handler_us", "nginx_us"))
    before, after = memories
    print(f"| {name} | {rate:,.0f} | {p50:.1f} | {p99:.1f} | {handler:,.0f} | {nginx:,.0f} | {before[0] / MIB:.1f} / {before[1] / MIB:.1f} "
          f"| {after[0] / MIB:.1f} / {after[1] / MIB:.1f} |")
    return rate


def same_reply(ours, theirs):
    """The same but for the times that pass."""
    ours, theirs = json.loads(ours), json.loads(theirs)
    for reply in (ours, theirs):
        for name in ("store", "nextRuns", "running"):
            reply.pop(name)
    return ours == theirs


def soak(args, url, accept, pids):
    begin, sent = memory(pids), 0
    while sent < args.soak:
        sent += wrk(url, args, accept)["requests"]
        now = memory(pids)
        print(f"after {sent:,} requests: {now[0] / MIB:.1f} MiB resident, {now[1] / MIB:.1f} MiB private "
              f"({(now[1] - begin[1]) / MIB:+.2f})", flush=True)


def main():
    args = arguments()
    env = stack_env(args.stack)
    token = os.environ["HF_BENCH_TOKEN"]
    base = env["HF_STACK_URL"]
    cases = {name: (base + path, accept) for name, path, accept in (
        ("Holdfast", "/api/backup/status", "identity"),
        ("Node/Express, reply made from rows", "/node/made", "identity"),
        ("Node/Express, reply kept as text", "/node/kept", "identity"),
        ("Holdfast, as browsers ask (gzip)", "/api/backup/status", "gzip"),
        ("Node/Express, made, packed by nginx", "/node/made", "gzip"),
        ("Node/Express, kept, packed by nginx", "/node/kept", "gzip"))}
    reply = get(cases["Holdfast"][0], env["HF_STACK_CA"], token)[0]
    total = json.loads(reply)["totalBackups"]
    node = start_node(args, reply)
    try:
        add_node_to_nginx(args)
        sizes = {}
        for name, (url, accept) in cases.items():
            body, sizes[name] = get(url, env["HF_STACK_CA"], token, accept)
            if not same_reply(body, reply):
                sys.exit(f"api.py: {name} does not give the same reply")
        ours = children(env["HF_STACK_POOL"])
        pids = {name: ours if name.startswith("Holdfast") else children(node.pid) for name in cases}
        nginx = children(int(pathlib.Path(args.stack, "run", "nginx.pid").read_text(encoding="ascii")))
        before = {name: memory(pids[name]) for name in cases}
        results = {name: [] for name in cases}
        for _ in range(args.rounds):
            for name, (url, accept) in cases.items():
                results[name].append(measure(url, accept, pids[name], nginx, args))
        packed = sizes["Holdfast, as browsers ask (gzip)"]
        print(f"{total:,} backups, {len(reply):,} bytes a reply, {packed:,} packed, {args.connections} connections, {args.workers} workers each, "
              f"{os.cpu_count()} cores (nginx and wrk among them), {args.rounds} rounds of {args.seconds} s, "
              f"load average {os.getloadavg()[0]:.1f}\n")
        print("| | requests/s | p50 ms | p99 ms | CPU us a request, handler | nginx | a worker's MiB before (resident / private) | after |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        rates = [row(name, results[name], (before[name], memory(pids[name]))) for name in cases]
        print(f"\nHoldfast: {rates[0] / rates[1]:.1f} x made, {rates[0] / rates[2]:.1f} x kept; "
              f"gzip: {rates[3] / rates[4]:.1f} x made, {rates[3] / rates[5]:.1f} x kept")
        soak(args, *cases["Holdfast, as browsers ask (gzip)"], ours)
    finally:
        node.terminate()
        node.wait()


if __name__ == "__main__":
    main()
