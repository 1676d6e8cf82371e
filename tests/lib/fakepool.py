"""A pool that does as it is told, for tests of the timer: FastCGI by hand (responder role), one thread, marks as the real
one keeps them.
"""
import json
import os
import socket
import struct
import threading


def record(kind, content=b""):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def read_exactly(connection, length):
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_pairs(data):
    pairs, at = {}, 0

    def length():
        nonlocal at
        if data[at] < 128:
            at += 1
            return data[at - 1]
        at += 4
        return struct.unpack(">I", data[at - 4:at])[0] & 0x7fffffff

    while at < len(data):
        name_len, value_len = length(), length()
        pairs[data[at:at + name_len].decode()] = data[at + name_len:at + name_len + value_len].decode()
        at += name_len + value_len
    return pairs


class FakePool:
    """answer: None is the real one's behaviour; else (status, body) for each POST, or "silence"."""

    def __init__(self, path, token=None):
        self.path, self.token = path, token
        self.marks = {"daily": None, "weekly": None}
        self.started = []   # (schedule, slot) of what was really started
        self.requests = []  # "GET /path" in order
        self.answered = 0   # of these, such as have their whole reply
        self.answer = None
        self.listener = None
        self.held = []

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for connection in self.held:
            connection.close()
        self.held = []

    def serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                if self.serve_one(connection):
                    connection.close()
            except (EOFError, OSError):
                connection.close()

    def serve_one(self, connection):
        params, body = b"", b""
        while True:
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", read_exactly(connection, 8))
            content = read_exactly(connection, length)
            read_exactly(connection, padding)
            if kind == 4:
                params += content
            if kind == 5:
                body += content
                if not content:
                    break
        reply = self.handle(read_pairs(params), body)
        if reply is None:
            self.held.append(connection)
            return False
        status, document = reply
        text = f"Status: {status} X\r\nContent-Type: application/json\r\n\r\n{json.dumps(document)}".encode()
        connection.sendall(record(6, text) + record(6) + record(3, bytes(8)))
        self.answered += 1
        return True

    def handle(self, params, body):
        self.requests.append(f"{params['REQUEST_METHOD']} {params['REQUEST_URI']}")
        if self.token and params.get("HTTP_AUTHORIZATION") != f"Bearer {self.token}":
            return 401, {"success": False, "error": "no", "code": "unauthorized"}
        if params["REQUEST_METHOD"] == "GET":
            return 200, {"success": True, **{name: {"lastSlot": mark} for name, mark in self.marks.items()}}
        order = json.loads(body)
        if self.answer and self.answer != "silence":
            return self.answer
        name, slot = order["schedule"], order["slot"]
        is_past = self.marks[name] is not None and slot <= self.marks[name]
        if not is_past:
            self.marks[name] = slot
            self.started.append((name, slot))
        if self.answer == "silence":
            return None
        return (200, {"success": True, "already": True}) if is_past else (202, {"success": True, "job": "J1"})
