"""How fast a move copies, beside the target's own bulk load by its own client, for gateway_bench.py.

Both write the same records. What the native clients send is prepared beforehand where a client allows
it; PostgreSQL's is a file for COPY, OpenSearch's are the bodies. No index for searches is built during
either: Milvus and OpenSearch take their time for it afterwards, PostgreSQL's comes when a table is full."""

import http.client
import json
import struct
import subprocess
import time

import numpy as np

from tests.bench.gateway_search import DIMENSION, get_json, load, record_of

BULK = "bulk"
BATCH = 2000


def rows_of(vectors):
    return [{**record_of(i, vectors[i]), "embedding": vectors[i]} for i in range(len(vectors))]


class NativePgVector:
    """psql, COPY in binary form into a table with the same columns and a primary key."""

    def __init__(self, peer, folder, vectors):
        self._peer = peer
        self._path = folder / "copy.bin"
        with open(self._path, "wb") as out:
            out.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))
            for row in rows_of(vectors):
                vector = struct.pack(">hh", DIMENSION, 0) + row["embedding"].astype(">f4").tobytes()
                out.write(struct.pack(">h", 4))
                for value in (row["id"].encode(), struct.pack(">q", row["version"]),
                              row["text"].encode(), vector):
                    out.write(struct.pack(">i", len(value)) + value)
            out.write(struct.pack(">h", -1))
        peer.psql("create extension if not exists vector")
        peer.psql(f'create table {BULK} (id text collate "C" primary key, version bigint, text text, '
                  f"embedding vector({DIMENSION}))")

    def run(self):
        self._peer.psql(f"truncate {BULK}")
        with open(self._path, "rb") as file:
            begin = time.monotonic()
            subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c",
                            f"COPY {BULK} FROM STDIN BINARY", self._peer.uri], stdin=file, check=True)
            return time.monotonic() - begin

    def count(self):
        return int(self._peer.psql(f"select count(*) from {BULK}"))

    def close(self):
        self._peer.psql(f"drop table {BULK}")


class NativeMilvus:
    """pymilvus, rows in batches, into a loaded collection with an index."""

    def __init__(self, peer, _folder, vectors):
        from pymilvus import DataType, MilvusClient
        self._client = MilvusClient(uri=peer.uri)
        self._types = DataType
        self._rows = rows_of(vectors)

    def run(self):
        client, types = self._client, self._types
        if client.has_collection(BULK):
            client.drop_collection(BULK)
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", types.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("version", types.INT64)
        schema.add_field("text", types.VARCHAR, max_length=1000)
        schema.add_field("embedding", types.FLOAT_VECTOR, dim=DIMENSION)
        index = client.prepare_index_params()
        index.add_index("embedding", index_type="HNSW", metric_type="L2",
                        params={"M": 16, "efConstruction": 200})
        client.create_collection(BULK, schema=schema, index_params=index)
        begin = time.monotonic()
        for start in range(0, len(self._rows), BATCH):
            client.upsert(BULK, self._rows[start:start + BATCH])
        return time.monotonic() - begin

    def count(self):
        return self._client.query(BULK, filter="", output_fields=["count(*)"],
                                  consistency_level="Strong")[0]["count(*)"]

    def close(self):
        self._client.drop_collection(BULK)
        self._client.close()


class NativeWeaviate:
    """weaviate-client's own batches over gRPC, two at a time."""

    def __init__(self, peer, _folder, vectors):
        import weaviate
        self._client = weaviate.connect_to_local("127.0.0.1", peer.port, int(peer.fields["grpc"]))
        self._rows = [(weaviate.util.generate_uuid5(row["id"]),
                       {"key": row["id"], "version": row["version"], "text": row["text"]},
                       row["embedding"]) for row in rows_of(vectors)]

    def run(self):
        from weaviate.classes.config import Configure, DataType, Property, Tokenization
        collections = self._client.collections
        collections.delete(BULK)
        collection = collections.create(
            BULK, vectorizer_config=Configure.Vectorizer.none(),
            properties=[Property(name="key", data_type=DataType.TEXT, tokenization=Tokenization.FIELD),
                        Property(name="version", data_type=DataType.INT),
                        Property(name="text", data_type=DataType.TEXT, tokenization=Tokenization.FIELD)])
        begin = time.monotonic()
        with collection.batch.fixed_size(batch_size=500, concurrent_requests=2) as batch:
            for uuid, properties, vector in self._rows:
                batch.add_object(properties=properties, uuid=uuid, vector=vector)
        took = time.monotonic() - begin
        if collection.batch.failed_objects:
            raise SystemExit(f"gateway_bench: Weaviate refused {collection.batch.failed_objects[:2]}")
        return took

    def count(self):
        return self._client.collections.get(BULK).aggregate.over_all(total_count=True).total_count

    def close(self):
        self._client.collections.delete(BULK)
        self._client.close()


class NativeOpenSearch:
    """_bulk over one connection."""

    def __init__(self, peer, _folder, vectors):
        self._peer = peer
        rows = rows_of(vectors)
        self._bodies = []
        for start in range(0, len(rows), BATCH):
            lines = []
            for row in rows[start:start + BATCH]:
                lines.append(json.dumps({"index": {"_id": row["id"]}}))
                lines.append(json.dumps({**row, "embedding": row["embedding"].tolist()}))
            self._bodies.append(("\n".join(lines) + "\n").encode())

    def _call(self, method, path, body=b""):
        connection = http.client.HTTPConnection("127.0.0.1", self._peer.port, timeout=120)
        connection.request(method, path, body, {"content-type": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.read()

    def run(self):
        self._call("DELETE", f"/{BULK}")
        mapping = {"settings": {"index.knn": True, "number_of_shards": 1, "number_of_replicas": 0},
                   "mappings": {"properties": {
                       "id": {"type": "keyword"}, "version": {"type": "long"},
                       "text": {"type": "keyword"},
                       "embedding": {"type": "knn_vector", "dimension": DIMENSION, "method": {
                           "name": "hnsw", "engine": "lucene", "space_type": "l2"}}}}}
        status, text = self._call("PUT", f"/{BULK}", json.dumps(mapping).encode())
        if status != 200:
            raise SystemExit(f"gateway_bench: OpenSearch does not make an index: {text}")
        connection = http.client.HTTPConnection("127.0.0.1", self._peer.port, timeout=120)
        begin = time.monotonic()
        for body in self._bodies:
            connection.request("POST", f"/{BULK}/_bulk", body, {"content-type": "application/x-ndjson"})
            if json.loads(connection.getresponse().read())["errors"]:
                raise SystemExit("gateway_bench: OpenSearch refused rows")
        return time.monotonic() - begin

    def count(self):
        get_json(f"{self._peer.uri}/{BULK}/_refresh", "")
        return get_json(f"{self._peer.uri}/{BULK}/_count")["count"]

    def close(self):
        self._call("DELETE", f"/{BULK}")


NATIVE = {"pgvector": NativePgVector, "milvus": NativeMilvus, "weaviate": NativeWeaviate,
          "opensearch": NativeOpenSearch}


def move_seconds(client, name, target, count):
    """From the first look at COPY until all records are over; the move is given up afterwards."""
    move = client.post("/v1/migrations", {"collection": name, "target": target})["id"]
    begin, told = None, {}
    end = time.monotonic() + 900
    while time.monotonic() < end:
        told = client.get(f"/v1/migrations/{move}")
        if begin is None and told["state"] not in ("PLANNED", "CAPTURE"):
            begin = time.monotonic()
        if told["counts"]["copied"] >= count or told["final"]:
            break
        time.sleep(0.01)
    took = time.monotonic() - (begin or end)
    if told["counts"]["copied"] < count:
        raise SystemExit(f"gateway_bench: the move to {target} stands still: {json.dumps(told)}")
    client.post(f"/v1/migrations/{move}/abort")
    while not client.get(f"/v1/migrations/{move}")["final"]:
        time.sleep(0.05)
    return took


def measure(roost, peers, folder, pairs, count, rounds, say):
    """{"source → target": {"native_per_second", "roost_per_second", "ratio"}}, sides taking turns."""
    vectors = np.asarray(np.random.default_rng(3).normal(size=(count, DIMENSION)), "<f4")
    results = {}
    for target in dict.fromkeys(target for _, target in pairs):
        native = NATIVE[target](peers[target], folder, vectors)
        natives, moves = [], {}
        for number in range(rounds):
            natives.append(native.run())
            if native.count() != count:
                raise SystemExit(f"gateway_bench: {target} holds {native.count()} of {count} records")
            for source in (source for source, one in pairs if one == target):
                name = f"from_{source}_to_{target}_{number}"
                client = roost.client(timeout=300)  # one that rested for long would have been closed
                load(client, source, name, vectors)
                moves.setdefault(source, []).append(move_seconds(client, name, target, count))
                client.call("DELETE", f"/v1/collections/{name}")
                client.close()
        native.close()
        for source, took in moves.items():
            best = count / float(np.median(natives))
            results[f"{source} → {target}"] = {
                "native_per_second": best, "roost_per_second": count / float(np.median(took)),
                "ratio": float(np.median(natives)) / float(np.median(took))}
            say(f"backfill {source} → {target}: {results[f'{source} → {target}']}")
    return results
