"""tests/lib/faultproxy.py in front of the real server, for the length of a test."""
import http.client
import json
import os
import subprocess
import sys
import urllib.parse

from world import SRCDIR


class FaultProxy:
    def __init__(self, *faults):
        self.child = subprocess.Popen(
            [sys.executable, os.path.join(SRCDIR, "tests/lib/faultproxy.py"), "--to", os.environ["HF_TEST_S3_ENDPOINT"]],
            stdout=subprocess.PIPE, text=True)
        self.address = self.child.stdout.readline().strip()
        self.set(*faults)

    def ask(self, method, body=None):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.address).netloc, timeout=120)
        connection.request(method, "/", body=body)
        reply = connection.getresponse()
        text = reply.read().decode()
        assert reply.status == 200, text
        return text

    def set(self, *faults):
        self.ask("FAULTS", json.dumps(faults))

    def counts(self):
        return json.loads(self.ask("COUNTS"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()
        self.child.stdout.close()
