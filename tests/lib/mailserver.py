#!/usr/bin/env python3
"""A mail server that does as it is told: aiosmtpd, on a port of its own choice on loopback.

Prints its port, then a line of JSON for each mail: {"from", "to", "tls", "user", "data"}, the last in base64.  Ends with its
standard input.  A recipient whose name begins with "unknown" is refused; "--greeting" is what a client hears first.
"""
import argparse
import asyncio
import base64
import json
import logging
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        if address.startswith("unknown"):
            return "550 5.1.1 nobody of that name lives here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, session, envelope):
        user = session.auth_data.login.decode() if session.auth_data else None
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                          "user": user, "data": base64.b64encode(envelope.original_content).decode()}), flush=True)
        return "250 OK"


def authenticator(login):
    def check(_server, _session, _envelope, _mechanism, data):
        given = (data.login + b":" + data.password).decode()
        return AuthResult(success=given == login, auth_data=data, handled=given == login)
    return check


def protocol(options, context):
    def make():
        # A session over TLS from the start counts as one, which aiosmtpd cannot see by itself.
        return SMTP(Handler(), hostname="mail.test", tls_context=context if options.tls == "starttls" else None,
                    require_starttls=options.tls == "starttls", authenticator=authenticator(options.login),
                    auth_required=bool(options.login), auth_require_tls=options.tls == "starttls")
    return make


class Refusing(asyncio.Protocol):
    greeting = b""

    def connection_made(self, transport):
        transport.write(self.greeting)


async def serve(options):
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    loop = asyncio.get_running_loop()
    if options.greeting is not None:
        Refusing.greeting = options.greeting.encode() + b"\r\n" if options.greeting else b""
        server = await loop.create_server(Refusing, "127.0.0.1", 0)
    else:
        server = await loop.create_server(protocol(options, context), "127.0.0.1", 0,
                                          ssl=context if options.tls == "smtps" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main():
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", choices=["starttls", "smtps", "none"], default="none")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--login", default="")
    parser.add_argument("--greeting")
    asyncio.run(serve(parser.parse_args()))


main()
