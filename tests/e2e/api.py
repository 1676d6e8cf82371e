#!/usr/bin/env python3
"""The API as a client meets it: nginx, spawn-fcgi, multiwatch and workers as they are shipped; every reply is judged by
docs/openapi.yaml.  What misfortune does to it stands in tests/fault/api.py."""
import fcntl
import gzip
import json
import os
import re
import sqlite3
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from openapi import description  # noqa: E402
from site_of_tests import IMAGES, Locked, Site, refused  # noqa: E402
from stack import API, SECRET, token  # noqa: E402
from tap import case, run  # noqa: E402
from world import wait_for  # noqa: E402

# ---- who may ----

@case("/api/nothing-is-answered-without-a-token")
def _():
    wrong = [{}, {"Cookie": "token=" + token()}, {"Authorization": token()}, {"Authorization": "Basic YTpi"},
             {"X-Authorization": "Bearer " + token()}]
    with Site() as stack:
        targets = [(method, re.sub(r"\{\w+\}", "2024-01-15_02-00-00", path)) for method, path in description.operations()]
        targets += [("GET", API + "nothing"), ("DELETE", API + "status"), ("GET", API + "sets/%00"), ("BREW", API + "x"),
                    ("GET", API + "status?token=" + token()), ("GET", API + "status?access_token=" + token())]
        for method, target in targets:
            if target.startswith(API + "internal/"):
                assert stack.raw(method, target).status == 404, target
                assert stack.fastcgi(method, target.removeprefix(API)).status == 401, target
                continue
            for headers in wrong:
                reply = stack.raw(method, target, headers=headers)
                if target.endswith("%00") and reply.status == 400:
                    continue  # nginx itself
                if method == "BREW" and reply.status == 405:
                    continue
                refused(reply, 401)
                assert reply.headers["www-authenticate"].startswith("Bearer "), reply
        assert len(targets) > 20


@case("/api/a-token-that-is-no-administrators-is-forbidden")
def _():
    with Site() as stack:
        reply = refused(stack.get("status", bearer=token(role="user")), 403)
        assert 'error="insufficient_scope"' in reply.headers["www-authenticate"]
        reply = refused(stack.get("status", bearer=token(secret="another secret of 32 bytes or more")), 401)
        assert 'error="invalid_token"' in reply.headers["www-authenticate"]
        refused(stack.get("status", bearer=token(exp=int(time.time()) - 100)), 401)


@case("/api/the-timers-door-opens-for-its-own-token-alone")
def _():
    with Site(INTERNAL_TOKEN="i" * 40) as stack:
        run_it = {"schedule": "daily", "slot": int(time.time()) // 60 * 60}
        body = json.dumps(run_it).encode()
        kind = {"CONTENT_TYPE": "application/json"}
        for bearer in (token(), "j" * 40, "i" * 39, ""):
            reply = stack.fastcgi("POST", "internal/run", body, HTTP_AUTHORIZATION="Bearer " + bearer, **kind)
            assert reply.status == 401, reply
        assert stack.get("internal/schedule").status == 404
        refused(stack.get("status", bearer="i" * 40), 401)
        kind["HTTP_AUTHORIZATION"] = "Bearer " + "i" * 40
        first = stack.fastcgi("POST", "internal/run", body, **kind)
        assert first.status == 202, first
        again = stack.fastcgi("POST", "internal/run", body, **kind)
        assert (again.status, again.json["already"]) == (200, True), again
        record = stack.job(first.json["job"])
        assert (record["kind"], record["status"], record["requestedBy"]) == ("backup full", "done", "schedule:daily"), record
        marks = stack.fastcgi("GET", "internal/schedule", **kind).json
        assert marks["daily"]["lastSlot"] == run_it["slot"] and marks["weekly"]["lastSlot"] is None, marks
        for bad in ({}, {"schedule": "daily"}, {"schedule": "hourly", "slot": 1}, {"schedule": "daily", "slot": -1}):
            assert stack.fastcgi("POST", "internal/run", json.dumps(bad).encode(), **kind).status == 422, bad
        assert stack.fastcgi("POST", "internal/run", b'{"schedule":1,"slot":2}', **kind).status == 400


# ---- the earlier API ----

@case("/api/a-client-of-the-earlier-api-does-not-notice")
def _():
    with Site() as stack:
        reply = stack.raw("POST", API + "trigger", headers={"Authorization": "Bearer " + token()})
        assert reply.status == 200, reply
        assert list(reply.json)[:4] == ["success", "message", "duration", "timestamp"], reply
        assert reply.json["message"] == "Backup completed successfully" and reply.json["success"] is True
        assert isinstance(reply.json["duration"], float)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", reply.json["timestamp"]), reply
        # axios sends {} or nothing, and a type either way.
        headers = {"Authorization": "Bearer " + token(), "Content-Type": "application/x-www-form-urlencoded"}
        database = stack.raw("POST", API + "database", b"", headers).json
        assert database["message"] == "Database backup completed successfully", database
        assert database["file"] == f"database_backup_{database['set']}.sql.gz", database
        images = stack.call("POST", "images", {}).json
        assert images["message"] == "S3 images backup completed successfully", images
        assert images["file"].startswith("images_backup_"), images
        status = stack.get("status").json
        assert list(status)[:4] == ["success", "totalBackups", "retentionDays", "backupGroups"], status
        rows = [row for day in status["backupGroups"].values() for row in day]
        assert len(rows) == status["totalBackups"] >= 3 and status["retentionDays"] == 30
        for row in rows:
            assert list(row)[:4] == ["key", "size", "lastModified", "type"], row
            assert row["type"] in ("database", "images") and row["level"] == 1 and row["set"] in row["key"]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in status["backupGroups"])
        assert database["file"] in [row["key"] for row in rows]


@case("/api/an-empty-store-has-an-empty-status")
def _():
    with Site() as stack:
        status = stack.get("status").json
        assert (status["totalBackups"], status["backupGroups"], status["running"], status["lastSuccess"]) == (0, {}, None, None)


@case("/api/a-backup-that-fails-says-why")
def _():
    with Site(DB_PASSWORD="wrong") as stack:
        reply = stack.call("POST", "database")
        assert reply.status == 500, reply
        assert reply.json["success"] is False and reply.json["message"] == "Database backup failed", reply
        assert "password" in reply.json["error"] and stack.get("jobs/" + reply.json["job"]).json["job"]["status"] == "failed"


# ---- waiting ----

@case("/api/respond-async-is-answered-at-once")
def _():
    with Site() as stack, Locked():
        reply = stack.call("POST", "database", headers={"Prefer": "wait=5, Respond-Async"})
        assert (reply.status, reply.headers["preference-applied"]) == (202, "respond-async"), reply
        assert reply.headers["location"] == API + "jobs/" + reply.json["job"]
        assert stack.get("status").json["running"]["id"] == reply.json["job"]
        other = refused(stack.call("POST", "trigger"), 409)
        assert other.json["job"] == reply.json["job"], other
        assert stack.call("POST", "jobs/" + reply.json["job"] + "/cancel").status == 202
        record = stack.job(reply.json["job"])
        assert record["status"] == "cancelled", record
        refused(stack.call("POST", "jobs/" + reply.json["job"] + "/cancel"), 409)


@case("/api/waiting-has-an-end")
def _():
    with Site(TRIGGER_WAIT_SECONDS=1) as stack:
        with Locked():
            reply = stack.call("POST", "database")
            assert reply.status == 202 and "preference-applied" not in reply.headers, reply
        assert stack.job(reply.json["job"])["status"] == "done"


def somebody_waits(stack):
    """Whether the first place of those who wait is taken (fcgi/waiters.h): that is a moment after the job is started."""
    first = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
    try:
        with open(os.path.join(stack.world.env["BACKUP_STATE_DIR"], "waiting"), "rb") as places:
            return struct.unpack("hhqqi4x", fcntl.fcntl(places, fcntl.F_OFD_GETLK, first))[0] != fcntl.F_UNLCK
    except FileNotFoundError:
        return False


@case("/api/half-of-the-pool-may-wait")
def _():
    with Site(workers=2) as stack:
        replies = []
        with Locked():
            waiting = threading.Thread(target=lambda: replies.append(stack.call("POST", "database")))
            waiting.start()
            wait_for(lambda: somebody_waits(stack))
            reply = stack.call("POST", "images")
            assert reply.status == 202, reply
            assert stack.job(reply.json["job"])["status"] == "done"
        waiting.join()
        assert replies[0].status == 200, replies
        assert stack.call("POST", "images").status == 200


@case("/api/a-client-that-leaves-frees-the-worker-and-the-backup-goes-on")
def _():
    with Site(workers=1) as stack:
        with Locked():
            connection = stack.connect()
            connection.request("POST", API + "database", headers={"Authorization": "Bearer " + token()})
            wait_for(lambda: os.listdir(os.path.join(stack.world.env["BACKUP_STATE_DIR"], "jobs"))
                     if os.path.isdir(os.path.join(stack.world.env["BACKUP_STATE_DIR"], "jobs")) else None)
            connection.close()
            job = stack.get("status").json["running"]["id"]
        assert stack.job(job)["status"] == "done"


# ---- what bad input gets ----

@case("/api/unknown-routes-and-methods")
def _():
    with Site() as stack:
        for route in ("", "nothing", "status/x", "sets/a/b", "sets/x/objects/", "jobs/x/y", "Status", "status;x=1", "status.json"):
            reply = stack.get(route)
            assert reply.status in (400, 404), (route, reply)
        reply = refused(stack.call("POST", "status"), 405)
        assert reply.headers["allow"] == "GET, HEAD", reply
        assert refused(stack.get("trigger"), 405).headers["allow"] == "POST"
        assert refused(stack.call("PATCH", "sets/2024-01-15_02-00-00"), 405).headers["allow"] == "GET, HEAD, DELETE"
        refused(stack.call("OPTIONS", "status"), 405)
        refused(stack.get("status?x=1&x=2"), 400)
        refused(stack.get("jobs?page=2"), 400, "page")
        for limit in ("0", "-1", "1001", "ten", "", "1e2"):
            refused(stack.get("jobs?limit=" + limit), 400, "limit")


@case("/api/no-path-is-another-one")
def _():
    tricks = ["../status", "x/../status", "%2e%2e/status", "x/%2e%2e/status", ".%2e/status", "./status", "%2e/status", "/status",
              "status/", "sets//x", "%2fstatus", "status%00", "sta%00tus", "status%0a", "status%", "status%2", "status%zz",
              "%c0%ae%c0%ae/status", "%e0%80%ae/status", "%f0%80%80%ae", "%ff", "status%c1%bf", "sets/../../../etc/passwd",
              "sets/2024-01-15_02-00-00/objects/..%2f..%2fetc%2fpasswd", "sets/%2e%2e/objects/x", "sets/-x", "sets/--help",
              "jobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "jobs/..", "internal%2frun", "%69nternal/run", "x/../internal/run",
              "status\\..\\x", "a/" * 100, "x" * 4000]
    with Site() as stack:
        for trick in tricks:
            headers = {"Authorization": "Bearer " + token()}
            reply = stack.raw("GET", API + trick, headers=headers)
            assert reply.status in (400, 404), (trick, reply)
            reply = stack.fastcgi("GET", trick, HTTP_AUTHORIZATION=headers["Authorization"])
            assert reply.status in (400, 401, 404), (trick, reply)
        for target in ("/etc/passwd", "*", "", "http://x/api/backup/status", "/api/backup", "/api/backup2/status"):
            reply = stack.fastcgi("GET", "", REQUEST_URI=target, HTTP_AUTHORIZATION="Bearer " + token())
            assert reply.status in (400, 404), (target, reply)
        assert stack.fastcgi("GET", "", REQUEST_URI=API + "x" * 9000, HTTP_AUTHORIZATION="Bearer " + token()).status == 414


@case("/api/bodies-are-bounded-and-checked")
def _():
    deep = b'{"level":' + b"[" * 5000 + b"]" * 5000 + b"}"
    with Site() as stack:
        verify = "sets/2024-01-15_02-00-00/verify"
        for body in (b"{", b"nul", b"null", b"[]", b'"x"', b"1", b"{} {}", deep, b'{"level":"2"}', b'{"level":2.5}', b'{"level":null}',
                     b'{"level":[2]}', b'{"a\xff":1}', b"\x00", b"{'level':2}", b'{"level":2,}'):
            refused(stack.call("POST", verify, body), 400)
        refused(stack.call("POST", verify, {"levels": 2}), 400, "levels")
        refused(stack.call("POST", "trigger", {"x": 1}), 400, "x")
        for level in (0, 5, -1, 1 << 40):
            refused(stack.call("POST", verify, {"level": level}), 422, "level")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", ""):
            refused(stack.call("POST", verify, b'{"level":2}', headers={"Content-Type": kind}), 415)
        assert stack.call("POST", verify, b'{"level":9}', headers={"Content-Type": "Application/JSON; charset=utf-8"}).status == 422
        large = b'{"x":"' + b"y" * 70000 + b'"}'
        assert stack.raw("POST", API + "trigger", large, {"Authorization": "Bearer " + token()}).json["code"] == "too_large"
        told = {"HTTP_AUTHORIZATION": "Bearer " + token(), "CONTENT_TYPE": "application/json"}
        for length in ("70000", "999999999999999999999", "-1", "x", "1"):
            reply = stack.fastcgi("POST", "trigger", b"{}", **told | {"CONTENT_LENGTH": length})
            assert reply.status == (413 if length == "70000" else 400), (length, reply)


@case("/api/a-restore-is-checked-before-it-is-a-job")
def _():
    with Site() as stack:
        target = "sets/2024-01-15_02-00-00/restore"
        for body, word in (({}, "what"), ({"what": "all"}, "what"), ({"what": "database"}, "confirm"),
                           ({"what": "database", "confirm": "x", "mode": "mirror"}, "mode"),
                           ({"what": "database", "confirm": "x", "tables": []}, "tables"),
                           ({"what": "database", "confirm": "x", "tables": [1]}, "tables"),
                           ({"what": "images", "mode": "all"}, "mode"), ({"what": "images", "confirm": "x"}, "confirm"),
                           ({"what": "images", "jobs": 0}, "jobs")):
            refused(stack.call("POST", target, body), 422, word)
        refused(stack.call("POST", target, {"what": "images", "to": "/etc"}), 400, "to")


# ---- sets, images, jobs ----

@case("/api/sets-are-listed-in-pages-and-shown")
def _():
    with Site() as stack:
        made = [stack.call("POST", "images").json["set"] for _ in range(3)]
        first = stack.get("sets?limit=2").json
        assert [row["set"] for row in first["sets"]] == made[:0:-1] and first["next"] == made[1], first
        rest = stack.get("sets?limit=2&after=" + first["next"]).json
        assert [row["set"] for row in rest["sets"]] == [made[0]] and "next" not in rest, rest
        refused(stack.get("sets?after=2001-01-01_00-00-00"), 404)
        shown = stack.get("sets/" + made[0]).json
        assert shown["manifest"]["id"] == made[0] and shown["kind"] == "images"
        refused(stack.get("sets/2001-01-01_00-00-00"), 404)
        refused(stack.get("sets/x%20y"), 404)


@case("/api/images-are-browsed-and-read-out-of-a-set")
def _():
    with Site() as stack:
        made = stack.call("POST", "images").json["set"]
        keys, after = [], ""
        while after is not None:
            page = stack.get(f"sets/{made}/objects?limit=1&after={after}").json
            keys += [image["key"] for image in page["objects"]]
            after = page.get("next") and page["next"].replace(" ", "%20").replace("ż", "%C5%BC")
        assert keys == sorted(IMAGES, key=str.encode), keys
        assert [image["key"] for image in stack.get(f"sets/{made}/objects?prefix=a/").json["objects"]] == ["a/b c.jpg", "a/ż.png"]
        for key, spelled in (("a/b c.jpg", "a/b%20c.jpg"), ("a/ż.png", "a%2F%C5%BC.png"), ("empty", "empty"), ("z.txt", "z.txt")):
            reply = stack.get(f"sets/{made}/objects/{spelled}")
            assert (reply.status, reply.body) == (200, IMAGES[key]), (key, reply)
            assert reply.headers["content-disposition"].startswith("attachment;") and reply.headers["content-length"] == str(len(IMAGES[key]))
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert stack.get(f"sets/{made}/objects/{spelled}", headers={"If-None-Match": reply.headers["etag"]}).status == 304
        head = stack.call("HEAD", f"sets/{made}/objects/z.txt")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "4000"), head
        for key in ("z.tx", "a", "z.txt2", "--help"):
            refused(stack.get(f"sets/{made}/objects/{key}"), 404)


@case("/api/a-damaged-image-never-arrives-whole")
def _():
    with Site() as stack:
        made = stack.call("POST", "images").json["set"]
        path = os.path.join(stack.world.env["BACKUP_DIR"], f"images_backup_{made}.tar.gz")
        with open(path, "rb") as file:
            packed = bytearray(file.read())
        for at in range(0, len(packed), 1000):
            packed[at] ^= 1
        with open(path, "wb") as file:
            file.write(packed)
        wrong = 0
        for key, spelled in (("a/b c.jpg", "a/b%20c.jpg"), ("a/ż.png", "a/%C5%BC.png"), ("z.txt", "z.txt")):
            try:
                reply = stack.get(f"sets/{made}/objects/{spelled}")
                wrong += reply.status == 500 and reply.json["code"] in ("failed", "corrupt")
                assert reply.status == 500 or reply.body == IMAGES[key], reply
            except Exception as error:  # the connection was cut: http.client tells it in several ways
                assert "IncompleteRead" in type(error).__name__ or "closed" in str(error), error
                wrong += 1
        assert wrong >= 1


@case("/api/verify-delete-and-prune")
def _():
    with Site() as stack:
        made = [stack.call("POST", "database").json["set"] for _ in range(2)]
        reply = stack.call("POST", f"sets/{made[1]}/verify", {"level": 2})
        assert reply.status == 202 and stack.job(reply.json["job"])["status"] == "done"
        wait_for(lambda: stack.get("sets").json["sets"][0]["level"] == 2)
        assert stack.call("POST", "prune?dryRun=1").status == 200
        refused(stack.call("POST", "prune?dryRun=yes"), 400)
        reply = stack.call("POST", "prune")
        assert reply.status == 202 and stack.job(reply.json["job"])["status"] == "done"
        assert stack.call("DELETE", "sets/" + made[0]).status == 200
        assert [row["set"] for row in stack.get("sets").json["sets"]] == [made[1]]
        refused(stack.call("DELETE", "sets/" + made[1]), 409)
        refused(stack.call("DELETE", "sets/" + made[0]), 404)
        log = stack.get("jobs/" + reply.json["job"] + "/log")
        assert log.status == 200 and log.json["next"] > 0, log
        assert stack.get(f"jobs/{reply.json['job']}/log?after={log.json['next']}").json["log"] == ""
        refused(stack.get("jobs/2001-01-01_00-00-00-abcdef"), 404)
        jobs = stack.get("jobs?limit=2").json
        assert len(jobs["jobs"]) == 2 and stack.get("jobs?limit=100&after=" + jobs["next"]).json["jobs"], jobs


@case("/api/a-set-is-held-released-and-accepted")
def _():
    with Site() as stack:
        made = [stack.call("POST", "images").json["set"] for _ in range(2)]
        assert stack.call("PUT", f"sets/{made[0]}/hold", {"reason": "--for the auditors"}).json["held"] is True
        assert stack.get("sets/" + made[0]).json["held"] is True
        refused(stack.call("DELETE", "sets/" + made[0]), 409)
        assert stack.call("DELETE", f"sets/{made[0]}/hold").json["held"] is False
        assert [row["held"] for row in stack.get("sets").json["sets"]] == [False, False]
        refused(stack.call("PUT", f"sets/{made[0]}/hold", {"reason": "x" * 501}), 422, "reason")
        refused(stack.call("PUT", "sets/2001-01-01_00-00-00/hold"), 404)
        reply = stack.call("POST", f"sets/{made[0]}/accept")
        assert reply.status in (200, 409, 422), reply


# ---- the rest ----

@case("/api/a-status-that-is-known-is-not-sent-again")
def _():
    with Site() as stack:
        first = stack.get("status")
        again = stack.get("status", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status, again.body) == (304, b""), again
        assert first.headers["cache-control"] == "private, no-cache"
        stack.call("POST", "images")
        assert stack.get("status", headers={"If-None-Match": first.headers["etag"]}).status == 200
        head = stack.call("HEAD", "status")
        assert (head.status, head.body) == (200, b"") and int(head.headers["content-length"]) > 100


@case("/api/a-status-is-packed-where-that-is-wanted")
def _():
    with Site() as stack:
        stack.call("POST", "images")
        plain = stack.get("status")
        packed = stack.raw("GET", API + "status", headers={"Authorization": "Bearer " + token(), "Accept-Encoding": "br, gzip"})
        assert packed.headers["content-encoding"] == "gzip" and packed.headers["vary"] == "Accept-Encoding", packed
        assert gzip.decompress(packed.body) == plain.body and "content-encoding" not in plain.headers
        assert packed.headers["etag"] != plain.headers["etag"]


@case("/api/a-request-has-an-id-in-reply-log-and-audit-trail")
def _():
    with Site() as stack:
        reply = stack.call("POST", "prune?dryRun=1", headers={"X-Request-Id": "mine-1.2_3"})
        assert reply.headers["x-request-id"] == "mine-1.2_3"
        for bad in ("a b", "x" * 65, "-x", "a\"b", "ż".encode().decode("latin-1")):
            made = stack.get("health", headers={"X-Request-Id": bad}).headers["x-request-id"]
            assert re.fullmatch(r"[0-9a-f]{32}", made), (bad, made)
        stack.raw("GET", API + "sets", headers={"X-Request-Id": "refused-1"})
        assert "mine-1.2_3 POST /api/backup/prune 200 tester" in stack.log()
        assert token().split(".")[2] not in stack.log() and SECRET not in stack.log()

        def audited():
            with sqlite3.connect(os.path.join(stack.world.env["BACKUP_STATE_DIR"], "state.db")) as state:
                return {row[0]: row[1:] for row in state.execute("SELECT request_id, who, method, path, status FROM audit")}
        assert audited()["mine-1.2_3"] == ("tester", "POST", API + "prune", 200), audited()
        assert audited()["refused-1"] == (None, "GET", API + "sets", 401), audited()
        stack.get("health", headers={"X-Request-Id": "looked-1"})
        wait_for(lambda: "looked-1" in audited())


@case("/api/the-audit-trail-is-read-on-a-shell")
def _():
    with Site() as stack:
        name = stack.call("POST", "database", {}).json["job"]
        refused(stack.get("status", bearer=token(role="user")), 403)
        assert stack.raw("GET", API + "status").status == 401
        assert stack.get("status").status == 200

        def audit(*words):
            result = stack.world.run("--json", "audit", *words)
            assert result.code == 0, result
            return result.json["calls"]
        wait_for(lambda: len(audit()) == 4)  # plain GETs are written a second later at most
        newest, stranger, user, trigger = audit()
        assert (newest["method"], newest["path"], newest["status"]) == ("GET", API + "status", 200), newest
        assert (stranger["status"], user["status"]) == (401, 403) and not stranger.get("who"), (stranger, user)
        assert audit("--changes") == [trigger] and audit("--refused") == [stranger, user]
        assert trigger["what"] == f"job {name}" or name in trigger["what"], trigger
        assert audit("--limit", "1") == [newest]
        text = stack.world.run("audit")
        assert "POST " + API + "database" in text.out and name in text.out and text.out.count("\n") == 5, text
        for words in (("--changes", "--refused"), ("--limit", "0"), ("--limit", "20001"), ("x",)):
            assert stack.world.run("audit", *words).code == 2, words


@case("/api/health-schedule-and-description")
def _():
    with Site(ENABLE_DAILY_BACKUP="true", TZ="Europe/Berlin") as stack:
        assert stack.get("health").json["status"] == "ok"
        schedule = stack.get("schedule").json
        assert schedule["timezone"] == "Europe/Berlin" and schedule["daily"]["enabled"] and schedule["daily"]["next"], schedule
        assert not schedule["weekly"]["enabled"] and schedule["weekly"]["next"] is None
        # Between two requests the night's hour may come.
        shown = stack.get("status").json["nextRuns"]["daily"]
        assert shown in (schedule["daily"]["next"], stack.get("schedule").json["daily"]["next"]), shown
        served = stack.get("openapi.json").json
        assert served == json.loads(json.dumps(description.document)), "docs/openapi.yaml is served as it is"


@case("/api/nginx-bounds-what-one-address-may-ask")
def _():
    with Site(HF_STACK_NO_LIMITS="") as stack:
        # One after the other they may take longer than what is allowed meanwhile.
        replies = stack.raw_at_once(150, "GET", API + "health")
        assert {reply.status for reply in replies} == {401, 429}, {reply.status for reply in replies}
        late = next(reply for reply in replies if reply.status == 429)
        assert late.json["success"] is False and late.headers["retry-after"] == "1", late


if __name__ == "__main__":
    run()
