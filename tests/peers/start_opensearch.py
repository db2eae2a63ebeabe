#!/usr/bin/env python3
"""Starts one real OpenSearch node with the k-NN plugin for tests and development.

    start_opensearch.py DATA_DIR [--heap 512m] [--optimise] [--set NAME=VALUE ...]

`./dev test` installs the server. The first port is HTTP, the second transport. The plugin comes
without its native library: name the engine "lucene" in every k-NN field, with "faiss" the first write
never answers. There is no security plugin: everyone is let in. See peer.py for what all the scripts
share.
"""

import os

from peer import CACHE, HOST, Command, Peer, fail, http_get, settings_of

VERSION = "2.19.1"
ARCHIVE = "classes.jsa"


def java_command(release, heap="512m", optimise=False):
    """Runs OpenSearchPeer. The archive of loaded classes and the quick compiler make a start need a
    quarter of the processor time; the optimising compiler pays only under lasting load."""
    command = ["java", f"-Xmx{heap}", "-Xms64m", "-XX:+UseSerialGC"]
    if not optimise:
        command.append("-XX:TieredStopAtLevel=1")
    archive = release / ARCHIVE
    if archive.exists():
        command += ["-Xshare:auto", f"-XX:SharedArchiveFile={archive}"]
    # The archive serves only the same jars in the same order.
    jars = ":".join(sorted(str(jar) for jar in release.glob("*.jar")))
    return [*command, "-Dlog4j2.disable.jmx=true", "-cp", jars, "OpenSearchPeer"]


class OpenSearch(Peer):
    name = "OpenSearch"
    port_count = 2

    def add_options(self, parser):
        parser.add_argument("--heap", default="512m", help="of the Java machine, default 512m")
        parser.add_argument(
            "--optimise", action="store_true", help="compile as a server does: for measurements"
        )
        parser.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="as in opensearch.yml"
        )

    def prepare(self):
        release = CACHE / f"opensearch-{VERSION}"
        if not release.exists():
            fail(f"there is no OpenSearch {VERSION}; install it with: ./dev peers opensearch-{VERSION}")
        for name in ("config", "data", "logs"):
            (self.folder / name).mkdir(exist_ok=True)
        settings = {
            "cluster.name": "tests",
            "node.name": "node1",
            "network.host": HOST,
            "http.port": self.port,
            "transport.port": self.port + 1,
            "discovery.type": "single-node",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "node.processors": os.cpu_count(),
        }
        settings |= settings_of(self.arguments.set)
        words = java_command(release, self.arguments.heap, self.arguments.optimise)
        words += [self.folder, *(f"{name}={value}" for name, value in settings.items())]
        return Command(words, folder=self.folder)

    def answers(self):
        status, _ = http_get(f"{self._url}/_cluster/health?wait_for_status=yellow&timeout=5s", timeout=10)
        return status == 200

    def fields(self):
        return {"uri": self._url, "transport": self.port + 1, "version": VERSION}

    @property
    def _url(self):
        return f"http://{HOST}:{self.port}"


if __name__ == "__main__":
    OpenSearch().main(__doc__)
