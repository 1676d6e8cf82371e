#!/usr/bin/env python3
"""What Prometheus is told, judged by Prometheus: promtool, and a server of its own that scrapes through nginx.  The alert
rules, the board and docs/metrics.md are held against what is really told."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from site_of_tests import IMAGES, Site, refused  # noqa: E402
from stack import API, token  # noqa: E402
from tap import case, run  # noqa: E402
from world import HOLDFAST, SRCDIR, wait_for  # noqa: E402

METRICS_TOKEN = "scrape-me-0123456789abcdef-0123456789"
RULES = os.path.join(SRCDIR, "deploy/prometheus/holdfast.rules.yml")
BOARD = os.path.join(SRCDIR, "deploy/grafana/holdfast.json")


def scrape(stack, bearer=METRICS_TOKEN, method="GET", **headers):
    return stack.call(method, "metrics", bearer=bearer, headers=headers)


def samples(text):
    """{'name{labels}': value}; a sample that comes twice is no metric."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            assert series not in found, line
            found[series] = float(value)
    return found


def families(text):
    return re.findall(r"^# TYPE (\S+) gauge$", text, re.M)


def promtool(*words, text=None):
    done = subprocess.run(["promtool", *words], input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "error" not in done.stderr, done.stdout + done.stderr
    return done


def names_in(expressions):
    return set(re.findall(r"\bholdfast_\w+", " ".join(expressions)))


class Prometheus:
    """A server of its own that scrapes the stack with the secret, and has our rules."""

    def __init__(self, stack):
        self.folder = os.path.join(stack.world.folder, "prometheus")
        os.makedirs(self.folder)
        secret = os.path.join(self.folder, "token")
        with open(secret, "w", encoding="ascii") as file:
            file.write(METRICS_TOKEN + "\n")
        self.config = os.path.join(self.folder, "prometheus.yml")
        with open(self.config, "w", encoding="ascii") as file:
            # A scrape has as long as the interval, and one that takes longer makes all of it stale.
            json.dump({"global": {"scrape_interval": "3s", "evaluation_interval": "1s"}, "rule_files": [RULES],
                       "scrape_configs": [{
                           "job_name": "holdfast", "scheme": "https", "metrics_path": API + "metrics",
                           "authorization": {"credentials_file": secret},
                           "tls_config": {"ca_file": os.path.join(stack.folder, "tls/cert.pem")},
                           "static_configs": [{"targets": [f"127.0.0.1:{stack.port}"]}]}]}, file)

    def __enter__(self):
        log = os.path.join(self.folder, "log")
        with open(log, "wb") as file:
            self.server = subprocess.Popen(
                ["prometheus", "--config.file=" + self.config, "--storage.tsdb.path=" + os.path.join(self.folder, "data"),
                 "--web.listen-address=127.0.0.1:0"], stdout=file, stderr=file, stdin=subprocess.DEVNULL)

        def address():
            assert self.server.poll() is None, self.said()
            return re.search(r'msg="Listening on" address=(\S+)', self.said())
        try:
            self.url = "http://" + wait_for(address).group(1)
        except AssertionError:
            self.server.kill()
            raise
        return self

    def __exit__(self, *_):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(120)

    def said(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as text:
            return text.read()

    def ask(self, path, **query):
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=30) as reply:
                return json.load(reply)["data"]
        except OSError:
            return None  # it has only just begun

    def value(self, expression):
        data = self.ask("query", query=expression)
        return float(data["result"][0]["value"][1]) if data and data["result"] else None


@case("/metrics/a-real-prometheus-scrapes-through-nginx-and-answers")
def _():
    with Prometheus(stack) as prometheus:
        made = stack.call("POST", "trigger").json["set"]
        stack.call("POST", "database")
        for expression, value in (("holdfast_database_rows", 1000), ("up", 1), ("holdfast_images_objects", len(IMAGES))):
            assert wait_for(lambda expression=expression: prometheus.value(expression)) == value, expression
        age = "time() - max(holdfast_last_good_set_timestamp_seconds{kind='images',level='1'})"
        assert wait_for(lambda: prometheus.value(age)) < 600
        target = wait_for(lambda: (data := prometheus.ask("targets")) and data["activeTargets"][0]["health"] == "up" and data)
        assert target["activeTargets"][0]["lastError"] == "", target
        rules = wait_for(lambda: (data := prometheus.ask("rules")) and all(
            rule["health"] == "ok" for rule in data["groups"][0]["rules"]) and data)["groups"][0]["rules"]
        with open(RULES, encoding="utf-8") as file:
            alerts = file.read().count("- alert: ")
        assert len(rules) == alerts >= 10 and {rule["state"] for rule in rules} <= {"inactive", "pending"}, rules

        text = scrape(stack).body.decode()
        promtool("check", "metrics", text=text)
        told = samples(text)
        assert told['holdfast_sets{kind="full",state="good"}'] == 1 == told['holdfast_sets{kind="database",state="good"}'], told
        status = stack.get("status").json
        rows = [row["size"] for day in status["backupGroups"].values() for row in day if row["set"] == made]
        assert told['holdfast_last_good_set_stored_bytes{kind="images"}'] in rows, (told, rows)
        assert told['holdfast_images_bytes'] == sum(len(data) for data in IMAGES.values())
        assert told['holdfast_last_good_run_duration_seconds{kind="images"}'] > 0
        assert told['holdfast_last_good_run_peak_memory_bytes{kind="database"}'] > 1 << 20
        assert told['holdfast_jobs{kind="backup full",status="done"}'] == 1
        assert told['holdfast_job_last_success_timestamp_seconds{kind="backup database"}'] > 0
        assert told['holdfast_schedule_next_timestamp_seconds{schedule="daily"}'] > 0
        assert METRICS_TOKEN not in stack.log() + text + prometheus.said()

        shown = stack.world.run("--json", "show", made).json["manifest"]["metrics"]
        assert {phase["name"] for phase in shown["phases"]} >= {"dumping", "globals", "images", "committing"}, shown
        assert shown["plain_bytes"] > 300000 and shown["cpu_ms"] > 0 and shown["requests"] == 0, shown
        words = stack.world.run("show", made).out
        assert re.search(r"^run +\S+ \S+ a second, \S+ s of processor time, \S+ \S+ of memory$", words, re.M), words
        assert re.search(r"^phases +dumping \S+ s, globals", words, re.M), words

        # The command line tells the same, and a file of it is there whole or not at all.
        output = os.path.join(stack.world.folder, "holdfast.prom")
        before = samples(scrape(stack).body.decode())
        result = stack.world.run("metrics", "--output", output, ENABLE_DAILY_BACKUP="true")
        assert (result.code, result.out) == (0, ""), result
        with open(output, encoding="utf-8") as file:
            told = samples(file.read())
        # What changes by itself, as when the next run is, may do so between the two.
        assert told in (before, samples(scrape(stack).body.decode()))
        assert os.stat(output).st_mode & 0o777 == 0o644 & ~0o022 and not [
            name for name in os.listdir(stack.world.folder) if name.startswith("holdfast.prom.")]
        result = stack.world.run("metrics", "--output", "/nowhere/holdfast.prom")
        assert result.code == 1 and "/nowhere/holdfast.prom" in result.err, result
        assert stack.world.run("--json", "metrics").code == 2


@case("/metrics/the-secret-opens-this-door-alone")
def _():
    reply = scrape(stack)
    assert reply.status == 200 and reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", reply
    assert scrape(stack, bearer=token()).status == 200
    refused(scrape(stack, bearer=token(role="user")), 403)
    for bearer in (METRICS_TOKEN[:-1], METRICS_TOKEN + "x", METRICS_TOKEN[:-1] + "x", "x" * len(METRICS_TOKEN), ""):
        refused(stack.call("GET", "metrics", headers={"Authorization": "Bearer " + bearer}), 401)
    refused(stack.raw("GET", API + "metrics"), 401)
    for method, route in (("GET", "status"), ("GET", "metrics/x"), ("GET", "jobs"), ("POST", "metrics"), ("POST", "trigger"),
                          ("DELETE", "sets/2024-01-15_02-00-00"), ("GET", "metrics%2f..%2fstatus"), ("GET", "")):
        refused(stack.raw(method, API + route, headers={"Authorization": "Bearer " + METRICS_TOKEN}), 401)
    asked = {"HTTP_AUTHORIZATION": "Bearer " + METRICS_TOKEN, "CONTENT_TYPE": "application/json"}
    assert stack.fastcgi("GET", "internal/schedule", **asked).status == 401
    assert refused(stack.call("POST", "metrics"), 405).headers["allow"] == "GET, HEAD"
    head = scrape(stack, method="HEAD")
    assert (head.status, head.body) == (200, b""), head
    # A scrape is not in the audit trail, which has room for so many lines; who was refused, and who has a name, is.
    scrape(stack, **{"X-Request-Id": "scraped-1"})
    scrape(stack, bearer="x" * 40, **{"X-Request-Id": "refused-1"})
    scrape(stack, bearer=token(), **{"X-Request-Id": "looked-1"})
    refused(stack.call("POST", "metrics", headers={"X-Request-Id": "written-1"}), 405)  # at once, and what was gathered with it

    def audited():
        with sqlite3.connect(os.path.join(stack.world.env["BACKUP_STATE_DIR"], "state.db")) as state:
            return {row[0] for row in state.execute("SELECT request_id FROM audit WHERE request_id LIKE '%-1'")}
    assert wait_for(lambda: (found := audited()) >= {"refused-1", "looked-1", "written-1"} and found) == {
        "refused-1", "looked-1", "written-1"}
    # Nothing changed: not sent again.
    wait_for(lambda: scrape(stack, **{"If-None-Match": scrape(stack).headers["etag"]}).status == 304)


@case("/metrics/a-secret-that-is-too-short-or-opens-more-is-refused")
def _():
    worker = os.path.join(os.path.dirname(HOLDFAST), "holdfast-fcgi")
    for env in ({"METRICS_TOKEN": "x" * 31}, {"METRICS_TOKEN": "y" * 40, "INTERNAL_TOKEN": "y" * 40}):
        # A socket is what a worker wants first of all: the one that listens already is none of its business.
        done = subprocess.run([sys.executable, "-c", "import os, socket, sys; s = socket.socket(socket.AF_UNIX); "
                               "s.bind(sys.argv[2]); s.listen(); os.dup2(s.fileno(), 0); os.execv(sys.argv[1], sys.argv[1:2])",
                               worker, os.path.join(stack.world.folder, "s" + str(len(env)))],
                              env=stack.world.environment(env), cwd=stack.world.folder, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 2 and "METRICS_TOKEN" in done.stderr and env["METRICS_TOKEN"] not in done.stderr, done
        doctor = stack.world.run("doctor", **env)
        assert "METRICS_TOKEN" in doctor.out and env["METRICS_TOKEN"] not in doctor.out + doctor.err, doctor


@case("/metrics/who-scrapes-does-not-wait-for-the-store")
def _():
    with Site(METRICS_TOKEN=METRICS_TOKEN, S3_BACKUP_BUCKET="nowhere", AWS_ENDPOINT_URL="http://127.0.0.1:9", S3_TRIES="20",
              AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b") as deaf:
        told = samples(scrape(deaf).body.decode())
        assert told["holdfast_store_seen_timestamp_seconds"] == 0 and 'holdfast_sets{kind="full",state="good"}' in told, told


@case("/metrics/rules-and-board-and-page-speak-of-what-there-is")
def _():
    text = scrape(stack).body.decode()
    told = families(text)
    assert len(told) == len(set(told)) and all(f"# HELP {name} " in text for name in told)
    promtool("check", "metrics", text=text)
    promtool("check", "rules", RULES)
    with open(os.path.join(SRCDIR, "tests/lib/prometheus_rules.yml"), encoding="utf-8") as file:
        tests = os.path.join(stack.world.folder, "rules.test.yml")
        with open(tests, "w", encoding="utf-8") as copy:
            copy.write(file.read().replace("[RULES]", json.dumps([RULES])))
    promtool("test", "rules", tests)
    with open(RULES, encoding="utf-8") as file:
        in_rules = names_in([file.read()])
    with open(BOARD, encoding="utf-8") as file:
        board = json.load(file)
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [note["expr"] for note in board["annotations"]["list"]] + [
        variable["query"]["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    in_board = names_in(queries)
    assert len(in_rules) >= 8 and len(in_board) >= 20, (in_rules, in_board)
    assert not (in_rules | in_board) - set(told), (in_rules | in_board) - set(told)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    # Each of them is PromQL.
    records = [{"record": f"q:q{number}", "expr": query.replace('"$instance"', '".*"')}
               for number, query in enumerate(queries) if not query.startswith("label_values")]
    rules = os.path.join(stack.world.folder, "query.yml")
    with open(rules, "w", encoding="utf-8") as file:
        json.dump({"groups": [{"name": "q", "rules": records}]}, file)
    promtool("check", "rules", rules)
    with open(os.path.join(SRCDIR, "docs/metrics.md"), encoding="utf-8") as file:
        described = re.findall(r"^\| `(holdfast_\w+)`", file.read(), re.M)
    assert sorted(described) == sorted(told), set(described) ^ set(told)


if __name__ == "__main__":
    with Site(METRICS_TOKEN=METRICS_TOKEN, ENABLE_DAILY_BACKUP="true") as stack:
        run()
