"""A whole site: a database, a folder of images, and the web stack in front of them."""
import os
import random
import threading

from stack import Stack
from world import World, fresh_database, psql, wait_for

DATABASE = f"holdfast_site_{os.getpid()}"
IMAGES = {"a/b c.jpg": random.Random(7).randbytes(300000), "a/ż.png": b"png", "empty": b"", "z.txt": b"last" * 1000}
CODES = {400: "usage", 401: "unauthorized", 403: "denied", 404: "not_found", 405: "method_not_allowed", 409: "conflict",
         413: "too_large", 415: "unsupported_media_type", 422: "usage"}


class Site(World):
    """A database, a folder of images, and the whole stack in front of them."""

    def __init__(self, **settings):
        self.settings = {"workers": 2, **settings}
        fresh_database(DATABASE, "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 1000)")
        super().__init__(DATABASE)
        self.env["IMAGES_DIR"] = os.path.join(self.folder, "images")
        for key, data in IMAGES.items():
            path = os.path.join(self.env["IMAGES_DIR"], key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)

    def __enter__(self):
        self.stack = Stack(self, **self.settings)
        self.stack.__enter__()
        return self.stack

    def __exit__(self, *_):
        try:
            self.stack.__exit__()
        finally:
            self.close()


class Locked:
    """While it holds, a dump of the database waits: pg_dump wants a lock that somebody else has."""

    def __enter__(self):
        def hold():
            try:
                psql(DATABASE, "BEGIN; LOCK TABLE t; SELECT pg_sleep(600)")
            except AssertionError:
                pass  # its connection was ended, below
        self.thread = threading.Thread(target=hold)
        self.thread.start()
        # It sleeps when it has the lock; locks by themselves may be those of a vacuum.
        self.pid = wait_for(lambda: psql("postgres", "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                                         f" AND datname = '{DATABASE}'"))
        return self

    def __exit__(self, *_):
        try:
            psql("postgres", f"SELECT pg_terminate_backend({self.pid.split()[0]})")
        finally:
            self.thread.join()


def refused(reply, status, *words):
    assert reply.status == status, reply
    assert reply.json["success"] is False and isinstance(reply.json["error"], str), reply
    assert reply.json["code"] == CODES[status], reply
    for word in words:
        assert word in reply.json["error"], reply
    return reply
