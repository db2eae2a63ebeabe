#!/usr/bin/env python3
"""Ends TLS in front of a server; start_tls_front.py runs it.

    tls_front.py CERTIFICATE KEY PORT TARGET_PORT PROTOCOL [USER:PASSWORD]

PROTOCOL is what ALPN agrees on: http/1.1 or h2; or postgresql, whose clients first ask for TLS in plain
text. With USER:PASSWORD, for HTTP/1.1, a connection whose
first request lacks them as Basic credentials is answered with 401 and closed.
"""

import asyncio
import base64
import re
import ssl
import sys

HOST = "127.0.0.1"
DENIED = (
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"front\"\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 12\r\nConnection: close\r\n\r\nUnauthorized"
)


async def pump(reader, writer):
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def serve(reader, writer, target_port, wanted, asked_for):
    try:
        head = b""
        if asked_for is not None:  # PostgreSQL's SSLRequest, whatever it says
            await reader.readexactly(8)
            writer.write(b"S")
            await writer.start_tls(asked_for)
        if wanted is not None:
            head = await reader.readuntil(b"\r\n\r\n")
            given = re.search(rb"\r\nauthorization: *basic +(\S+)", head, re.IGNORECASE)
            if given is None or given[1] != wanted:
                writer.write(DENIED)
                await writer.drain()
                writer.close()
                return
        target_reader, target_writer = await asyncio.open_connection(HOST, target_port)
        target_writer.write(head)
        await asyncio.gather(pump(reader, target_writer), pump(target_reader, writer))
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.close()


async def main():
    certificate, key, port, target_port, protocol, *basic = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    postgres = protocol == "postgresql"
    context.set_alpn_protocols([protocol])
    wanted = base64.b64encode(basic[0].encode()) if basic else None
    server = await asyncio.start_server(
        lambda reader, writer: serve(
            reader, writer, int(target_port), wanted, context if postgres else None
        ),
        HOST,
        int(port),
        ssl=None if postgres else context,
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
