#!/usr/bin/env python3
"""A proxy between an S3 client and its server that misbehaves on demand.

usage: faultproxy.py --to http://127.0.0.1:PORT [--fault JSON]...

Prints its own address ("http://127.0.0.1:PORT"), then serves until TERM, or until whoever started it is gone.  Bytes
and headers pass unchanged, the Host header among them, so that signatures stay valid.  One thread a connection; the server is asked anew for each request.

A fault is a JSON object; the first whose conditions hold is done to a request:
  kind      what is done: see KINDS below
  method    only to requests of this method                      (default: any)
  match     only where the path and query contain this text      (default: any)
  skip      let so many requests that match pass first           (default: 0)
  times     do it so often, then never again                     (default: for ever)
  every     do it to one in so many that match                   (default: 1)
  bytes     of a body, where it is cut                           (default: half)
  seconds   how long a stall is, how far a clock is off          (default: 3600)
  region    that the wrong-region replies name                   (default: eu-west-1)

While it runs it is told, at its own address, by requests of methods that S3 does not have:
  FAULTS /  with a JSON list: replaces the faults, lets go of what is held, and begins to count anew;
  COUNTS /  answers {"PUT": 3, ...}: requests by method, "faults": how many were done, "connections": how many were made,
  this one among them, "targets": a list of "METHOD path?query", "bytes": what the bodies of the server's replies had,
  and "held": how many are held, or were and have not got their reply from the server yet.
"""
import argparse
import email.utils
import http.client
import http.server
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse


def error_xml(code, more=""):
    return f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message>{more}</Error>'


# Replies that are made up: status, code, and what is added to the XML.
KINDS = {
    "slowdown": (503, "SlowDown"),
    "error500": (500, "InternalError"),
    "toomany": (429, "TooManyRequests"),
    "denied": (403, "AccessDenied"),
    "archived": (403, "InvalidObjectState"),
    "unknown-key": (403, "InvalidAccessKeyId"),
    "expired": (400, "ExpiredToken"),
    "no-bucket": (404, "NoSuchBucket"),
    "quota": (403, "QuotaExceeded"),
    "skewed": (403, "RequestTimeTooSkewed"),  # with "seconds" on its Date header
    "unsupported": (501, "NotImplemented"),
    "wrong-region": (400, "AuthorizationHeaderMalformed"),
    "redirect": (301, "PermanentRedirect"),
    "error-in-200": (200, "InternalError"),  # as CompleteMultipartUpload does it
    # Done to what passes:
    "reset-request": None,  # the connection is reset after some of the request's body
    "lose-reply": None,  # the server does it, the client is not told
    "cut-reply": None,  # the reply's body ends early, the Content-Length is right, the connection is closed
    "short-reply": None,  # the reply's body ends early, and the Content-Length agrees with what came
    "stall-reply": None,  # some of the body, then nothing for so long
    "stall": None,  # nothing at all for so long, then the reply
    "hold": None,  # nothing at all until the faults are replaced, then it is passed on
    "pass-over": None,  # as a server that does not heed conditions: what was refused for one (412) is answered 200
    "shift-date": None,  # the Date header of every reply
}


class Control:
    """The faults, and what was counted."""

    def __init__(self, faults):
        self.lock = threading.Lock()
        self.held, self.released = 0, threading.Event()
        self.set(faults)

    def set(self, faults):
        for fault in faults:
            if fault["kind"] not in KINDS:
                raise ValueError(f"unknown fault: {fault['kind']}")
        with self.lock:
            self.released.set()
            self.released = threading.Event()
            self.faults = [dict(fault, seen=0, done=0, released=self.released) for fault in faults]
            self.counts, self.targets, self.done, self.connections, self.bytes = {}, [], 0, 0, 0

    def choose(self, method, target):
        with self.lock:
            self.counts[method] = self.counts.get(method, 0) + 1
            self.targets.append(f"{method} {target}")
            for fault in self.faults:
                if fault.get("method", method) != method or fault.get("match", "") not in target:
                    continue
                fault["seen"] += 1
                if fault["seen"] <= fault.get("skip", 0) or fault["done"] >= fault.get("times", 1 << 60):
                    continue
                if (fault["seen"] - fault.get("skip", 0)) % fault.get("every", 1) != 0:
                    continue
                fault["done"] += 1
                self.done += 1
                return fault
        return None

    def report(self):
        with self.lock:
            return dict(self.counts, faults=self.done, connections=self.connections, targets=self.targets,
                        bytes=self.bytes, held=self.held)

    def count_bytes(self, count):
        with self.lock:
            self.bytes += count

    def count_held(self, change):
        with self.lock:
            self.held += change

    def count_connection(self):
        with self.lock:
            self.connections += 1


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    control = None
    upstream = None

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.control.count_connection()

    def send_whole(self, status, body, headers=()):
        """A reply of our own."""
        data = body.encode()
        self.send_response_only(status)
        for name, value in [("Content-Length", str(len(data))), ("Connection", "close"), *headers]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        self.close_connection = True

    def reset(self):
        """So that the client sees a connection that broke, not an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()
        self.close_connection = True

    def do_FAULTS(self):
        try:
            self.control.set(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_whole(200, "")
        except (ValueError, KeyError, TypeError) as error:
            self.send_whole(400, str(error))

    def do_COUNTS(self):
        self.send_whole(200, json.dumps(self.control.report()))

    def make_up(self, fault):
        status, code = KINDS[fault["kind"]]
        region = fault.get("region", "eu-west-1")
        more, headers = "", []
        if fault["kind"] in ("wrong-region", "redirect"):
            more = f"<Region>{region}</Region>"
            headers.append(("x-amz-bucket-region", region))
        if fault["kind"] == "skewed":
            headers.append(("Date", email.utils.formatdate(time.time() + fault.get("seconds", 3600), usegmt=True)))
        self.send_whole(status, error_xml(code, more), headers)

    def forward(self, body):
        host, port = self.upstream
        connection = http.client.HTTPConnection(host, port, timeout=120)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        self.control.count_bytes(len(data))
        return reply, data

    def hold(self, fault, body):
        self.control.count_held(1)
        try:
            fault["released"].wait()
            return self.forward(body)
        finally:
            self.control.count_held(-1)

    def relay(self, reply, data, fault):
        kind = fault["kind"] if fault else None
        cut = min(fault.get("bytes", len(data) // 2), len(data)) if fault else len(data)
        length = cut if kind == "short-reply" else len(data)
        head = self.command == "HEAD"
        if kind == "pass-over" and reply.status == 412:
            self.send_whole(200, "", [("ETag", '"0123"')])
            return
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.getheaders():
            lower = name.lower()
            if lower == "date" and kind == "shift-date":
                value = email.utils.formatdate(time.time() + fault.get("seconds", 3600), usegmt=True)
            if lower not in ("content-length", "transfer-encoding", "connection") or (head and lower == "content-length"):
                self.send_header(name, value)
        if not head and reply.status != 204:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if head:
            return
        if kind in ("cut-reply", "short-reply", "stall-reply"):
            self.wfile.write(data[:cut])
            self.wfile.flush()
            if kind == "stall-reply":
                time.sleep(fault.get("seconds", 3600))
            if kind == "stall-reply":
                self.reset()
            self.close_connection = True
        else:
            self.wfile.write(data)

    def pass_on(self):
        length = int(self.headers.get("Content-Length", 0))
        fault = self.control.choose(self.command, self.path)
        kind = fault["kind"] if fault else None
        if kind == "reset-request":
            self.rfile.read(min(fault.get("bytes", length // 2), length))
            self.reset()
            return
        body = self.rfile.read(length)
        if len(body) < length:  # the client went away; the server would wait for the rest
            self.close_connection = True
            return
        if kind and KINDS[kind]:
            self.make_up(fault)
            return
        if kind == "stall":
            time.sleep(fault.get("seconds", 3600))
        reply, data = self.hold(fault, body) if kind == "hold" else self.forward(body)
        if kind == "lose-reply":
            self.reset()
            return
        self.relay(reply, data, fault)

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # the client went away, or the server did: the client sees it

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

    def finish(self):
        try:
            super().finish()
        except (OSError, ValueError):
            pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


def follow_parent(parent):
    """A test that crashed leaves no proxy behind."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, metavar="URL")
    parser.add_argument("--fault", action="append", default=[], metavar="JSON")
    arguments = parser.parse_args()
    url = urllib.parse.urlsplit(arguments.to)
    Proxy.upstream = (url.hostname, url.port or 80)
    Proxy.control = Control([json.loads(fault) for fault in arguments.fault])
    server = Server(("127.0.0.1", 0), Proxy)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    threading.Thread(target=follow_parent, args=(os.getppid(),), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
