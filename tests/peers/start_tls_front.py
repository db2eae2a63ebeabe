#!/usr/bin/env python3
"""Starts a TLS end in front of a server of the tests that has none of its own (OpenSearch, Weaviate).

    start_tls_front.py DATA_DIR --to PORT [--http2 | --postgres] [--expired] [--basic USER:PASSWORD]

The READY line names the certificate to trust as ca=FILE. With --expired the front's own ended
yesterday. With --http2 it speaks that, for gRPC, with --postgres it begins TLS as PostgreSQL does, else
it is for HTTP/1.1; with --basic it asks for credentials.
See peer.py for what all the scripts share.
"""

import socket
import sys
from pathlib import Path

from certificates import make_certificates
from peer import HOST, Command, Peer


class TlsFront(Peer):
    name = "the TLS front"

    def add_options(self, parser):
        parser.add_argument("--to", type=int, required=True, help="the port of the server behind")
        parser.add_argument("--http2", action="store_true", help="for gRPC")
        parser.add_argument("--postgres", action="store_true", help="begins in plain text, with a request")
        parser.add_argument("--expired", action="store_true", help="a certificate that ended yesterday")
        parser.add_argument("--basic", metavar="USER:PASSWORD", help="what HTTP/1.1 clients must give")

    def prepare(self):
        options = self.arguments
        made = make_certificates(self.folder / "tls", days=-1 if options.expired else 30)
        self._ca = made.ca
        words = [sys.executable, Path(__file__).with_name("tls_front.py"), made.certificate, made.key]
        protocol = "postgresql" if options.postgres else "h2" if options.http2 else "http/1.1"
        words += [self.port, options.to, protocol]
        return Command(words + ([options.basic] if options.basic else []))

    def answers(self):
        try:
            with socket.create_connection((HOST, self.port), 5):
                return True
        except OSError:
            return False

    def fields(self):
        return {"uri": f"https://{HOST}:{self.port}", "ca": self._ca}


if __name__ == "__main__":
    TlsFront().main(__doc__)
