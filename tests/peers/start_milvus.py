#!/usr/bin/env python3
"""Starts one real Milvus (standalone, with its etcd, queue and files in DATA_DIR) for tests and
development.

    start_milvus.py DATA_DIR [--auth] [--tls] [--set NAME=VALUE ...]

`./dev test` installs the server. The first port is gRPC and REST, the second health and metrics; the
READY line names it as metrics=PORT. With --auth the user is root, the password Milvus. With --tls
clients must speak TLS, and only gRPC is served; the READY line names the certificate to trust as
ca=FILE. See peer.py for what
all the scripts share.
"""

import json
import os
import re
import shutil
import socket
import ssl
from pathlib import Path

from certificates import make_certificates
from peer import CACHE, HOST, Command, Peer, fail, http_get, settings_of

VERSION = "2.3.5"
# The ports: the proxy's, METRICS_PORT, these, etcd's two.
ROLES = ("rootCoord", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode")
PORTS = ("proxy.internalPort", *(f"{role}.port" for role in ROLES))
ETCD_CLIENT, ETCD_PEER = 2 + len(PORTS), 3 + len(PORTS)


def configured(template, wanted):
    """The server's milvus.yaml `template` with the values of `wanted`, by path ("proxy.port"). As much
    of YAML as that file uses: names indented by two spaces. What it does not name yet is added to the
    deepest section that it has."""
    lines, path, missing = [], [], dict(wanted)
    section_ends = {}  # path -> (index after its own line, its depth)
    for line in template.splitlines():
        entry = re.match(r"( *)([A-Za-z0-9_]+):", line)
        if entry:
            depth = len(entry[1]) // 2
            path = [*path[:depth], entry[2]]
            name = ".".join(path)
            if name in missing:
                line = f"{entry[0]} {json.dumps(str(missing.pop(name)))}"
            line = re.sub(r"\{\{[^:}]*:?\s*(.*?)\s*\}\}", r"\1", line)  # the default of the package
            section_ends[name] = (len(lines) + 1, depth + 1)
        lines.append(line)
    added = []
    for name, value in missing.items():
        known, rest = name.split("."), []
        while known and ".".join(known) not in section_ends:
            rest.insert(0, known.pop())
        at, depth = section_ends.get(".".join(known), (len(lines), 0))
        text = [f"{'  ' * (depth + n)}{part}:" for n, part in enumerate(rest)]
        text[-1] += " " + json.dumps(str(value))
        added.append((at, text))
    for at, text in sorted(added, reverse=True):
        lines[at:at] = text
    return "\n".join(lines) + "\n"


class Milvus(Peer):
    name = "Milvus"
    port_count = 4 + len(PORTS)
    _tls_ca = None

    def add_options(self, parser):
        parser.add_argument("--auth", action="store_true", help="root / Milvus are asked for")
        parser.add_argument("--tls", action="store_true", help="with a certificate for localhost")
        parser.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="as common.retentionDuration=0"
        )

    def prepare(self):
        self._release = CACHE / f"milvus-{VERSION}"
        if not self._release.exists():
            fail(f"there is no Milvus {VERSION}; install it with: ./dev peers milvus-{VERSION}")
        configs = self.folder / "configs"
        for name in ("configs", "logs", "data", "run"):
            (self.folder / name).mkdir(exist_ok=True)
        template = (self._release / "config.yaml.template").read_text()
        (configs / "milvus.yaml").write_text(configured(template, self._settings()))
        (configs / "etcd.yaml").write_text(json.dumps(self._etcd_settings()))  # JSON is YAML.
        shutil.copy(self._release / "glog.conf", configs)
        environment = dict(
            os.environ,
            DEPLOY_MODE="STANDALONE",
            METRICS_PORT=str(self.port + 1),
            MILVUS_RUN_DIR=str(self.folder / "run"),
            LD_LIBRARY_PATH=str(self._release / "bin"),
        )
        return Command([self._release / "bin" / "milvus", "run", "standalone"], environment, self.folder)

    def _settings(self):
        data = self.folder / "data"
        settings = {
            "etcd.endpoints": f"localhost:{self.port + ETCD_CLIENT}",
            # The embedded etcd listens on 2379 and 2380 unless it gets a configuration of its own.
            "etcd.config.path": self.folder / "configs" / "etcd.yaml",
            "etcd.data.dir": data / "etcd.data",
            "etcd.log.path": self.folder / "logs" / "etcd.log",
            "localStorage.path": data,
            "rocksmq.path": data / "rocksmq",
            "log.file.rootPath": self.folder / "logs",
            "log.level": "warn",
            "proxy.port": self.port,
            # A single node has nobody to hand its segments to, yet waits for that when told to stop.
            "common.gracefulStopTimeout": 1,
            # Ended like that it leaves its session behind, and the next start waits until that ends.
            "common.session.ttl": 10,
            # A collection is loaded in two seconds instead of three.
            "queryCoord.checkChannelInterval": 100,
            "queryCoord.distPullInterval": 100,
        }
        for number, name in enumerate(PORTS):
            settings[name] = self.port + 2 + number
        for role in ("proxy", *ROLES):
            settings[f"{role}.ip"] = HOST  # else they talk by way of the machine's own address
        if self.arguments.auth:
            settings["common.security.authorizationEnabled"] = "true"
        if self.arguments.tls:
            certificates = make_certificates(self.folder / "tls")
            self._tls_ca = certificates.ca
            settings |= {
                "common.security.tlsMode": 1,
                "tls.serverPemPath": certificates.certificate,
                "tls.serverKeyPath": certificates.key,
                "tls.caPemPath": certificates.ca,
            }
        return settings | settings_of(self.arguments.set)

    def _etcd_settings(self):
        client, peer = (f"http://{HOST}:{self.port + n}" for n in (ETCD_CLIENT, ETCD_PEER))
        return {
            "name": "default",
            "data-dir": str(self.folder / "data" / "etcd.data"),
            "logger": "zap",
            "log-level": "warn",
            "log-outputs": [str(self.folder / "logs" / "etcd.log")],
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": True,
        }

    def answers(self):
        status, body = http_get(f"http://{HOST}:{self.port + 1}/healthz")
        if status != 200 or b"OK" not in body:
            return False
        if self.arguments.tls:  # which gRPC only is served with
            return self._shakes_hands()
        headers = {"Authorization": "Bearer root:Milvus"} if self.arguments.auth else {}
        status, body = http_get(f"http://{HOST}:{self.port}/v1/vector/collections", headers)
        return status == 200 and b'"code":' in body

    def _shakes_hands(self):
        context = ssl.create_default_context(cafile=self._tls_ca)
        context.set_alpn_protocols(["h2"])
        try:
            with socket.create_connection((HOST, self.port), 5) as plain:
                with context.wrap_socket(plain, server_hostname=HOST):
                    return True
        except OSError:
            return False

    def ended(self):
        Path(f"/tmp/milvus/server_id_{self.process.pid}").unlink(missing_ok=True)

    def fields(self):
        scheme = "https" if self.arguments.tls else "http"
        told = {"uri": f"{scheme}://{HOST}:{self.port}", "metrics": self.port + 1, "version": VERSION}
        if self._tls_ca:
            told["ca"] = self._tls_ca
        return told


if __name__ == "__main__":
    Milvus().main(__doc__)
