#!/usr/bin/env python3
"""Starts one real Weaviate for tests and development.

    start_weaviate.py DATA_DIR [--version 1.27.0] [--api-key KEY] [--set NAME=VALUE ...]

`./dev test` builds the server. The first port is REST and GraphQL, the second gRPC; the READY line
names it as grpc=PORT. Without --api-key everyone is let in. See peer.py for what all the scripts
share.
"""

import json
import os

from peer import CACHE, HOST, Command, Peer, fail, http_get, settings_of

VERSION = os.environ.get("ROOST_WEAVIATE_VERSION", "1.27.0")


class Weaviate(Peer):
    name = "Weaviate"
    port_count = 7

    def add_options(self, parser):
        parser.add_argument("--version", default=VERSION, help=f"default {VERSION}")
        parser.add_argument("--api-key", help="anonymous access is off, this key is user admin's")
        parser.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="an environment variable"
        )

    def prepare(self):
        version = self.arguments.version
        server = CACHE / f"weaviate-{version}" / "weaviate-server"
        if not server.exists():
            fail(f"there is no Weaviate {version}; install it with: ./dev peers weaviate-{version}")
        settings = {
            "PERSISTENCE_DATA_PATH": self.folder / "data",
            "DEFAULT_VECTORIZER_MODULE": "none",
            "CLUSTER_HOSTNAME": "node1",  # Part of the data: another name would not find them again.
            "CLUSTER_ADVERTISE_ADDR": HOST,
            "GRPC_PORT": self.port + 1,
            "CLUSTER_GOSSIP_BIND_PORT": self.port + 2,
            "CLUSTER_DATA_BIND_PORT": self.port + 3,
            "RAFT_PORT": self.port + 4,
            "RAFT_INTERNAL_RPC_PORT": self.port + 5,
            "PROFILING_PORT": self.port + 6,
            "RAFT_BOOTSTRAP_EXPECT": 1,
            "DISABLE_TELEMETRY": "true",
            "LOG_LEVEL": "warning",
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
        }
        if self.arguments.api_key:
            settings |= {
                "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
                "AUTHENTICATION_APIKEY_ENABLED": "true",
                "AUTHENTICATION_APIKEY_ALLOWED_KEYS": self.arguments.api_key,
                "AUTHENTICATION_APIKEY_USERS": "admin",
                "AUTHORIZATION_ADMINLIST_ENABLED": "true",
                "AUTHORIZATION_ADMINLIST_USERS": "admin",
            }
        settings |= settings_of(self.arguments.set)
        environment = dict(os.environ, **{name: str(value) for name, value in settings.items()})
        words = [server, "--host", HOST, "--port", self.port, "--scheme", "http"]
        return Command(words, environment, self.folder)

    def answers(self):
        return http_get(f"{self._url}/v1/.well-known/ready")[0] == 200

    def fields(self):
        key = self.arguments.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        status, body = http_get(f"{self._url}/v1/meta", headers)
        if status != 200:
            fail(f"Weaviate answers /v1/meta with {status}: {body.decode(errors='replace')}")
        version = json.loads(body)["version"]
        return {"uri": self._url, "grpc": self.port + 1, "version": version}

    @property
    def _url(self):
        return f"http://{HOST}:{self.port}"


if __name__ == "__main__":
    Weaviate().main(__doc__)
