#!/usr/bin/env python3
"""An identity provider's HTTPS server on loopback that serves one JSON Web Key Set, and can misbehave.

usage: jwks_server.py FOLDER      ends when its standard input does

Prints its port when it is ready.  FOLDER/ca.pem is then the certificate to trust; FOLDER/jwks.json is what it serves,
FOLDER/mode how (one of MODES; "ok" where there is none), and FOLDER/requests gets a line for each request.
"""
import http.server
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
folder = pathlib.Path(sys.argv[1])
MODES = ("ok", "status-500", "huge", "huge-without-length", "redirect", "hang")


def certificate():
    key, pem = folder / "key.pem", folder / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", pem],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return context


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(folder / "requests", "a", encoding="utf-8") as log:
            log.write(self.path + "\n")
        try:
            mode = (folder / "mode").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            mode = "ok"
        getattr(self, (mode if mode in MODES else "status-500").replace("-", "_"))()

    def send(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def ok(self):
        body = (folder / "jwks.json").read_bytes()
        self.send(200, body, Content_Type="application/json", Content_Length=str(len(body)))

    def status_500(self):
        self.send(500, b"", Content_Length="0")

    def huge(self):
        self.send(200, b"{", Content_Length=str(1 << 30))

    def huge_without_length(self):
        self.send(200, b'{"keys":[' + b" " * (1 << 20) + b"]}")

    def redirect(self):
        self.send(302, b"", Location="/elsewhere", Content_Length="0")

    def hang(self):
        time.sleep(60)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = certificate().wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
