"""Roost before all five stores, each a real server but the embedded one."""

import contextlib
import time

from tests.support.processes import Peer, Postgres, Roost

STORES = ("embedded", "pgvector", "milvus", "weaviate", "opensearch")


class FiveStores:
    """Started by the constructor, on the main thread; close() ends all."""

    def __init__(self, binary, folder, milvus_options=(), options=()):
        """`options` are Roost's, `milvus_options` those of tests/peers/start_milvus.py."""
        self.folder = folder
        self.peers = {"pgvector": Postgres(folder / "pgvector"),
                      "milvus": Peer("milvus", folder / "milvus", *milvus_options),
                      "weaviate": Peer("weaviate", folder / "weaviate"),
                      "opensearch": Peer("opensearch", folder / "opensearch")}
        self.roost = None
        try:
            for peer in self.peers.values():
                peer.begin()
            for peer in self.peers.values():
                peer.await_ready()
            addresses = {name: peer.address() for name, peer in self.peers.items()}
            self.roost = Roost(binary, folder / "roost", addresses, options).start()
            self.told = self._await_health(60)  # as in GET /v1/stores, by name
        except BaseException:
            self.close()
            raise

    def _await_health(self, timeout):
        end = time.monotonic() + timeout
        while True:
            with contextlib.closing(self.roost.client()) as client:
                told = client.get("/v1/stores")["stores"]
            ill = [f"{store['name']}: {store['error']}" for store in told if not store["healthy"]]
            if not ill:
                return {store["name"]: store for store in told}
            if time.monotonic() > end:
                raise RuntimeError(f"not all stores are there: {ill}")

    def close(self):
        try:
            if self.roost is not None:
                self.roost.stop()
        finally:
            for peer in self.peers.values():
                peer.stop()
