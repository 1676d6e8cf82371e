#!/usr/bin/env python3
"""Who hears of what: by real mail servers, webhooks and heartbeats, good ones and bad ones."""
import base64
import hashlib
import hmac
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from receivers import HookServer, MailServer, closed_port, deliverers, end_deliverers, look_at_deliverers  # noqa: E402
from stack import Stack  # noqa: E402
from tap import case, run  # noqa: E402
from world import SRCDIR, Gate, World, fresh_database, wait_for  # noqa: E402

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class Told(World):
    """A world whose backups are of a folder of images, and who it tells; closing waits for who delivers."""

    def __init__(self, **settings):
        super().__init__("no_database_is_asked")
        self.images = os.path.join(self.folder, "images")
        self.env["IMAGES_DIR"] = self.images
        self.env["NOTIFY_EMAIL_FROM"] = "Holdfast <holdfast@example.org>"
        self.env.update(settings)

    def good(self, **env):
        os.makedirs(self.images, exist_ok=True)
        with open(os.path.join(self.images, f"{time.monotonic_ns()}.jpg"), "wb") as file:
            file.write(b"an image")
        time.sleep(max(0.0, 1.0 - time.time() % 1.0))  # an id is a second
        result = self.run("backup", "images", **env)
        assert result.code == 0, result
        return result

    def bad(self, **env):
        result = self.run("backup", "images", **dict({"IMAGES_DIR": "/nowhere/images"}, **env))
        assert result.code != 0, result
        return result

    def outbox(self):
        result = self.run("--json", "notify")
        assert result.code == 0, result
        return result.json["messages"]

    def tried(self):
        """Its one row of the outbox once it was tried: a run waits for that, but not for ever."""
        return wait_for(lambda: (row := self.outbox()[0])["tries"] >= 1 and row)

    def test(self, **env):
        result = self.run("--json", "notify", "--test", **env)
        return result, result.json

    def trouble(self, **env):
        """What --test says of the one channel, which must not have taken it."""
        result, told = self.test(**env)
        assert result.code in (1, 2) and not told["success"], result
        assert [row["delivered"] for row in told["channels"]] == [False], told
        return told["channels"][0]["error"]

    def close(self):
        end_deliverers(self.folder)
        super().close()


class Certificates:
    """A private CA and a certificate of it for localhost, and one for somebody else."""

    def __init__(self, folder):
        self.folder = folder
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                     "-subj", "/CN=CA of a test", "-keyout", "ca.key", "-out", "ca.pem")
        for name in ("localhost", "elsewhere.example.org"):
            with open(os.path.join(folder, name + ".ext"), "w", encoding="ascii") as file:
                file.write(f"subjectAltName=DNS:{name}\n")
            self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                         f"/CN={name}", "-keyout", name + ".key", "-out", name + ".csr")
            self.openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                         "-days", "2", "-extfile", name + ".ext", "-out", name + ".pem")
        self.ca = os.path.join(folder, "ca.pem")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def words(self, name="localhost"):
        return "--cert", os.path.join(self.folder, name + ".pem"), "--key", os.path.join(self.folder, name + ".key")


HOME = World("no_database_is_asked")
CERTIFICATES = Certificates(HOME.folder)


# ---- e-mail ----


@case("/notify/a-failure-comes-as-a-mail-over-starttls-with-a-login")
def _():
    with MailServer("--tls", "starttls", "--login", "me@example.org:hush hush", *CERTIFICATES.words()) as server, \
            Told(NOTIFY_EMAIL_TO="ops@example.org, boss@example.org", SMTP_URL=f"smtp://localhost:{server.port}",
                 SMTP_USER="me@example.org", SMTP_PASSWORD="hush hush", SMTP_TLS="required",
                 SMTP_CA_BUNDLE=CERTIFICATES.ca, NOTIFY_NAME="w\u00e9b1") as world:
        world.bad()
        mails = server.wait(2)
        assert sorted(mail.to[0] for mail in mails) == ["boss@example.org", "ops@example.org"], mails
        mail = mails[0]
        assert mail.tls and mail.user == "me@example.org" and mail.sender == "holdfast@example.org"
        message = mail.message
        assert message["Subject"] == "[Holdfast w\u00e9b1] Backup of the images failed", message["Subject"]
        assert message["To"] == mail.to[0] and message["From"] == "Holdfast <holdfast@example.org>"
        assert message["Auto-Submitted"] == "auto-generated" and message["Message-ID"].endswith("@example.org>")
        assert abs(message["Date"].datetime.timestamp() - time.time()) < 300
        assert message.get_content_type() == "multipart/alternative" and not message.defects, message.defects
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert "/nowhere/images" in mail.part("plain") and "/nowhere/images" in mail.part("html")
        assert all(len(line) <= 78 for line in mail.bytes.split(b"\r\n")) and mail.bytes.isascii()
        wait_for(lambda: {row["status"] for row in world.outbox()} == {"delivered"})


@case("/notify/a-mail-says-in-one-look-what-when-how-large-which-level-and-what-changed")
def _():
    with MailServer("--tls", "smtps", *CERTIFICATES.words()) as server, \
            Told(NOTIFY_EMAIL_TO="ops@example.org", SMTP_URL=f"smtps://localhost:{server.port}",
                 SMTP_CA_BUNDLE=CERTIFICATES.ca, NOTIFY_ON="all") as world:
        world.good()
        result = world.good(NOTIFY_ON="success")
        text = server.wait(2)[1].part("plain")
        assert text.startswith("Backup of the images succeeded\n"), text
        for label in ("When ", "Size ", "Level ", "Images ", "Since the last ", "Set ", "Store "):
            assert f"\n{label}" in text, (label, text)
        assert "1 of 4, stored" in text and "images: 1 new, 0 changed, 0 deleted" in text, text
        assert world.run("--json", "jobs", "latest").json["set"] in text, (text, result)


@case("/notify/one-recipient-that-is-refused-keeps-no-other-from-its-mail")
def _():
    with MailServer() as server, Told(NOTIFY_EMAIL_TO="unknown@example.org;ops@example.org",
                                      SMTP_URL=f"smtp://localhost:{server.port}") as world:
        result, told = world.test()
        assert result.code == 1, result
        assert [row["delivered"] for row in told["channels"]] == [False, True], told
        assert "550 5.1.1 nobody of that name" in told["channels"][0]["error"], told
        assert server.wait(1)[0].message["Subject"].endswith("This is a test")


BAD_SERVERS = [
    ("bad-certificate", ["--tls", "smtps", *CERTIFICATES.words()], "smtps://localhost", {}, "SMTP_CA_BUNDLE"),
    ("certificate-of-somebody-else", ["--tls", "smtps", *CERTIFICATES.words("elsewhere.example.org")],
     "smtps://localhost", {"SMTP_CA_BUNDLE": CERTIFICATES.ca}, "SMTP_CA_BUNDLE"),
    ("no-starttls", [], "smtp://localhost", {"SMTP_TLS": "required"}, "offers no STARTTLS"),
    ("wrong-password", ["--tls", "starttls", "--login", "me:right", *CERTIFICATES.words()], "smtp://localhost",
     {"SMTP_TLS": "required", "SMTP_CA_BUNDLE": CERTIFICATES.ca, "SMTP_USER": "me", "SMTP_PASSWORD": "planted-password"},
     "check SMTP_USER and SMTP_PASSWORD"),
    ("no-mail-today", ["--greeting", "554 go away"], "smtp://localhost", {}, "554 go away"),
]

for name, words, scheme, more, expected in BAD_SERVERS:
    def bad_server(words=words, scheme=scheme, more=more, expected=expected):
        with MailServer(*words) as server, Told(NOTIFY_EMAIL_TO="ops@example.org", SMTP_URL=f"{scheme}:{server.port}",
                                                **more) as world:
            said = world.trouble()
            assert expected in said and "planted-password" not in said, said
            assert not server.mails
    case("/notify/mail/" + name)(bad_server)


@case("/notify/mail/nobody-listens")
def _():
    with Told(NOTIFY_EMAIL_TO="ops@example.org", SMTP_URL=f"smtp://localhost:{closed_port()}") as world:
        assert "cannot be reached" in world.trouble()


@case("/notify/names-with-line-ends-add-no-header-and-no-command")
def _():
    evil = "/nowhere/x\r\nBcc: evil@example.org\r\n.\r\nMAIL FROM:<evil@example.org>"
    with MailServer() as server, Told(NOTIFY_EMAIL_TO="ops@example.org", SMTP_URL=f"smtp://localhost:{server.port}",
                                      NOTIFY_NAME="web\r\nBcc: evil@example.org") as world:
        world.bad(IMAGES_DIR=evil)
        mail = server.wait(1)[0]
        assert mail.to == ["ops@example.org"] and mail.message["Bcc"] is None and not mail.message.defects
        assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]
        assert "Bcc: evil@example.org" in mail.message["Subject"]
        wait_for(lambda: not deliverers(world.folder))
        assert len(server.mails) == 1


# ---- webhooks ----


def assert_signed(hook):
    """By the Standard Webhooks specification's own words, with Python's hmac."""
    content = f"{hook.headers['webhook-id']}.{hook.headers['webhook-timestamp']}.".encode() + hook.body
    key = base64.b64decode(SECRET[len("whsec_"):])
    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert hook.headers["webhook-signature"] == expected, hook.headers
    assert abs(int(hook.headers["webhook-timestamp"]) - time.time()) < 300


def judged(hook, body=None):
    """What the specification's own library says of it."""
    given = {"secret": SECRET, "headers": {name.lower(): value for name, value in hook.headers.items()},
             "body": (body or hook.body).decode()}
    done = subprocess.run(["node", os.path.join(SRCDIR, "tests/npm/webhooks.js")], input=json.dumps(given), text=True,
                          env=dict(os.environ, NODE_PATH=os.environ["HF_TEST_NODE_MODULES"]), capture_output=True,
                          check=True)
    return json.loads(done.stdout)


@case("/notify/a-webhook-is-signed-json-and-says-what-happened")
def _():
    with HookServer() as server, Told(WEBHOOK_URL=server.url + "/hook", WEBHOOK_SECRET=SECRET, NOTIFY_ON="all") as world:
        world.good()
        hook = server.wait(1)[0]
        assert hook.method == "POST" and hook.headers["Content-Type"] == "application/json"
        assert_signed(hook)
        told = hook.json
        assert judged(hook) == told, judged(hook)
        assert "error" in judged(hook, hook.body.replace(b"images", b"imagos"))
        assert told["type"] == "holdfast.success" and told["data"]["kind"] == "backup images", told
        job = world.run("--json", "jobs", "latest").json
        assert told["data"]["job"] == job["id"] and told["data"]["set"] == job["set"], (told, job)
        assert told["data"]["storedBytes"] == job["result"]["stored_bytes"] and told["data"]["level"] == 1


@case("/notify/each-webhook-gets-the-format-that-it-wants")
def _():
    with HookServer() as server, Told(WEBHOOK_URL=f"{server.url}/a {server.url}/b  {server.url}/c {server.url}/d",
                                      WEBHOOK_FORMAT="generic,slack,discord,teams") as world:
        result, _told = world.test()
        assert result.code == 0, result
        told = {hook.path: hook.json for hook in server.wait(4)}
        assert told["/a"]["type"] == "holdfast.test"
        assert told["/b"]["blocks"][0]["text"]["type"] == "mrkdwn" and "This is a test" in told["/b"]["text"]
        assert told["/c"]["allowed_mentions"] == {"parse": []} and told["/c"]["embeds"][0]["fields"]
        card = told["/d"]["attachments"][0]
        assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert card["content"]["type"] == "AdaptiveCard", card


@case("/notify/a-redirection-is-not-followed")
def _():
    with HookServer() as server, Told(WEBHOOK_URL=server.url + "/redirect/planted-path") as world:
        said = world.trouble()
        assert "not followed" in said and "planted-path" not in said, said
        assert [hook.path for hook in server.hooks] == ["/redirect/planted-path"]


@case("/notify/an-answer-without-end-is-cut")
def _():
    with HookServer() as server, Told(WEBHOOK_URL=server.url + "/endless") as world:
        result, told = world.test()
        assert result.code == 0 and told["channels"][0]["delivered"], told


@case("/notify/what-is-refused-is-tried-again-with-the-same-id-after-a-kill")
def _():
    with HookServer(500) as server, Told(WEBHOOK_URL=server.url + "/planted-path", WEBHOOK_SECRET=SECRET) as world:
        world.bad()
        row = world.tried()
        assert row["status"] == "waiting" and "answers 500" in row["error"], row
        assert "planted-path" not in json.dumps(row), row
        end_deliverers(world.folder, signal.SIGKILL)
        server.status = 204
        result = world.run("notify", "--deliver")
        assert result.code == 0 and world.outbox()[0]["status"] == "delivered", (result, world.outbox())
        assert len({hook.headers["webhook-id"] for hook in server.hooks}) == 1 and len(server.hooks) >= 2
        for hook in server.hooks:
            assert_signed(hook)


@case("/notify/what-is-a-day-old-is-given-up-and-the-doctor-says-so")
def _():
    with HookServer(500) as server, Told(WEBHOOK_URL=server.url) as world:
        world.bad()
        world.tried()
        end_deliverers(world.folder, signal.SIGKILL)
        with sqlite3.connect(os.path.join(world.env["BACKUP_STATE_DIR"], "state.db"), timeout=30) as db:
            db.execute("UPDATE messages SET at_s = at_s - 90000")
        asked = len(server.hooks)
        assert world.run("notify", "--deliver").code == 0
        row = world.outbox()[0]
        assert row["status"] == "given up" and "answers 500" in row["error"] and len(server.hooks) == asked, row
        checks = [row for row in world.run("--json", "doctor").json["checks"] if row["check"] == "notify"]
        assert checks[0]["mark"] == "warn" and "given up" in checks[0]["message"], checks


@case("/notify/the-newest-delivers-with-the-settings-of-now-and-it-alone")
def _():
    with MailServer() as server, Told(NOTIFY_EMAIL_TO="ops@example.org",
                                      SMTP_URL=f"smtp://localhost:{closed_port()}") as world:
        world.bad()
        wait_for(lambda: len(deliverers(world.folder)) == 1)
        assert world.outbox()[0]["status"] == "waiting", world.outbox()
        mended = [world.start("notify", "--deliver", SMTP_URL=f"smtp://localhost:{server.port}") for _ in range(3)]
        for child in mended:
            assert child.wait(60) == 0, child.communicate()
            child.communicate()
        assert world.outbox()[0]["status"] == "delivered", world.outbox()
        wait_for(lambda: not deliverers(world.folder))
        assert len(server.wait(1)) == 1


# ---- a change is one message ----


@case("/notify/a-trouble-is-one-message-and-its-end-another")
def _():
    with HookServer() as server, Told(WEBHOOK_URL=server.url) as world:
        world.good()
        world.bad()
        world.bad()
        world.bad()
        world.good()
        world.good()
        wait_for(lambda: not deliverers(world.folder))
        assert [hook.json["type"] for hook in server.hooks] == ["holdfast.failure", "holdfast.recovered"], \
            [hook.json for hook in server.hooks]
        assert "There was trouble from" in server.hooks[1].json["data"]["text"]


@case("/notify/a-set-that-was-taken-away-is-told-of-once-and-that-it-is-known")
def _():
    with HookServer() as server, Told(WEBHOOK_URL=server.url) as world:
        world.good()
        first = world.run("--json", "list").json["sets"][0]["set"]
        world.good()
        os.remove(os.path.join(world.env["BACKUP_DIR"], f"backup_{first}.json"))
        found = world.good()
        assert first in found.err, found
        world.good()
        assert world.run("delete", first).code == 0
        world.good()
        world.good()
        wait_for(lambda: not deliverers(world.folder), 60)
        told = [hook.json for hook in server.hooks]
        assert [message["type"] for message in told] == ["holdfast.chain_broken", "holdfast.recovered"], told
        assert told[0]["data"]["title"] == f'The chain of sets is broken: set "{first}" was taken away', told
        assert first in told[0]["data"]["text"] and "holdfast chain" in told[0]["data"]["text"], told
        assert told[0]["data"]["subject"] == "chain" and "There was trouble from" in told[1]["data"]["text"], told


@case("/notify/the-heartbeat-hears-of-each-backup")
def _():
    with HookServer() as server, Told(HEARTBEAT_URL=server.url + "/ping/planted-uuid?x=1") as world:
        world.good()
        world.bad()
        world.bad()
        wait_for(lambda: not deliverers(world.folder))
        beats = [hook.path.removeprefix("/ping/planted-uuid") for hook in server.hooks]
        # A begin that is overtaken by its end is not told any more.
        assert [beat for beat in beats if beat != "/start?x=1"] == ["?x=1", "/fail?x=1", "/fail?x=1"], beats
        assert "planted-uuid" not in world.run("notify").out


@case("/notify/a-killed-job-is-told-of-though-nobody-looks")
def _():
    database = fresh_database("notify_of_holdfast", Gate.TABLE)
    with HookServer() as server, HookServer() as heart, Told(WEBHOOK_URL=server.url, HEARTBEAT_URL=heart.url + "/ping",
                                                             DB_NAME=database) as world, Gate(database) as gate:
        child = world.start("backup", "database")
        wait_for(lambda: deliverers(world.folder) and
                 any(job["status"] == "running" for job in world.run("--json", "jobs").json["jobs"]))
        assert heart.wait(1)[0].path == "/ping/start"
        child.kill()
        child.communicate(timeout=120)
        told = server.wait(1)[0].json
        assert heart.wait(2)[1].path == "/ping/fail"
        gate.open()
        assert told["data"]["title"] == "Backup of the database was interrupted", told


@case("/notify/a-missed-run-is-told-of-when-the-timer-makes-up-for-it")
def _():
    with HookServer() as server, Told(WEBHOOK_URL=server.url) as world:
        os.makedirs(world.images)
        with Stack(world, INTERNAL_TOKEN="i" * 40, DB_NAME="") as stack:
            slot = int(time.time()) // 60 * 60 - 7200
            reply = stack.fastcgi("POST", "internal/run", json.dumps({"schedule": "daily", "slot": slot}).encode(),
                                  CONTENT_TYPE="application/json", HTTP_AUTHORIZATION="Bearer " + "i" * 40)
            assert reply.status == 202, reply
            told = server.wait(1)[0].json
            assert told["type"] == "holdfast.missed" and told["data"]["schedule"] == "daily", told
            assert stack.job(reply.json["job"])["status"] == "done"


# ---- nobody is in the way of a backup, and nothing is told that is secret ----


@case("/notify/wrong-settings-fail-no-backup")
def _():
    with Told(NOTIFY_EMAIL_TO="nobody", WEBHOOK_URL="nonsense", HEARTBEAT_URL="ftp://x", NOTIFY_ON="everything") as world:
        world.good()
        result = world.run("--json", "doctor")
        assert any(row["check"] == "notify" and row["mark"] == "fail" for row in result.json["checks"]), result
        result, told = world.test()
        assert result.code == 2 and len(told["channels"]) == 3, result


@case("/notify/nobody-to-tell-is-an-error-of-the-test-alone")
def _():
    with Told() as world:
        world.good()
        assert not deliverers(world.folder)
        result = world.run("notify", "--test")
        assert result.code == 2 and "NOTIFY_EMAIL_TO" in result.err, result


@case("/notify/planted-secrets-are-nowhere-to-be-read")
def _():
    planted = {"SMTP_PASSWORD": "planted-smtp-password", "SMTP_USER": "me", "WEBHOOK_SECRET": SECRET,
               "HEARTBEAT_URL": f"http://127.0.0.1:{closed_port()}/planted-heartbeat"}
    with MailServer("--tls", "starttls", "--login", "me:other", *CERTIFICATES.words()) as mail, HookServer(500) as hooks, \
            Told(NOTIFY_EMAIL_TO="ops@example.org", SMTP_URL=f"smtp://localhost:{mail.port}", SMTP_TLS="required",
                 SMTP_CA_BUNDLE=CERTIFICATES.ca, WEBHOOK_URL=hooks.url + "/planted-hook", **planted) as world:
        said = [world.bad()]
        hooks.wait(1)
        said += [words for _, words in look_at_deliverers(world.folder)]
        said += [world.run(*words) for words in (["notify"], ["--json", "notify"], ["notify", "--test"], ["config"],
                                                 ["doctor"], ["jobs", "latest", "--log"])]
        text = "".join(str(one.out + one.err) if hasattr(one, "out") else str(one) for one in said).encode()
        for base, _folders, names in os.walk(world.folder):
            for name in names:
                try:
                    with open(os.path.join(base, name), "rb") as file:
                        text += file.read()
                except FileNotFoundError:  # of a delivery that goes on
                    pass
        for secret in (b"planted-", SECRET.encode(), SECRET[len("whsec_"):].encode(),
                       base64.b64encode(b"\0me\0planted-smtp-password")):
            assert secret not in text, (secret, text[max(0, text.index(secret) - 300):][:600])


# ---- who does not answer ----


class Hanging:
    """Asked while the other cases run, since it takes as long as we wait for an answer."""

    def __init__(self):
        self.said, self.threads = {}, []
        self.servers = [MailServer("--greeting", ""), MailServer("--greeting", "SSH-2.0-OpenSSH_9.2"), HookServer()]
        mail, other, hooks = self.servers
        self.ask("mail", NOTIFY_EMAIL_TO="ops@example.org", SMTP_URL=f"smtp://localhost:{mail.port}")
        self.ask("no mail server", NOTIFY_EMAIL_TO="ops@example.org", SMTP_URL=f"smtp://localhost:{other.port}")
        self.ask("hook", WEBHOOK_URL=hooks.url + "/hang")

    def ask(self, what, **settings):
        def work():
            with Told(**settings) as world:
                self.said[what] = world.trouble()
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def close(self):
        for thread in self.threads:
            thread.join(120)
        for server in self.servers:
            server.__exit__()


HANGING = Hanging()


@case("/notify/who-hangs-is-given-up-in-time")
def _():
    HANGING.close()
    for what in ("mail", "hook"):
        assert "no answer in time" in HANGING.said.get(what, ""), HANGING.said
    assert "mail server localhost" in HANGING.said.get("no mail server", ""), HANGING.said


try:
    run()
finally:
    HANGING.close()
    HOME.close()
