"""The same search by a store's own protocol and through Roost, for gateway_bench.py: callers of both
sides are threads of one process, roost_gateway_bench."""

import json
import os
import pathlib
import re
import subprocess
import time
import urllib.request

import numpy as np

from tests.support.client import pack

DIMENSION = 128
TOP_K = 10
EF = 64
QUERIES = 500
FIELDS = ["version", "text"]
NAME = "passages"
COLLECTION = {"name": NAME,
              "fields": [{"name": "version", "type": "INT64"}, {"name": "text", "type": "VARCHAR"}],
              "vectors": [{"name": "embedding", "dimension": DIMENSION, "metric": "L2"}]}
MIN_OVERLAP = 0.9  # of the hits of both sides: else they are not the same search
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def vectors_of(seed, count):
    """Around a few hundred centres, as vectors of texts are."""
    centres = np.random.default_rng(0).normal(size=(300, DIMENSION))
    numbers = np.random.default_rng(seed)
    vectors = centres[numbers.integers(0, 300, count)] + 0.7 * numbers.normal(size=(count, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")


def record_of(i, vector):
    return {"id": f"passage-{i:07}", "version": i,
            "text": f"passage number {i} of a text that is about as long as the titles of articles are",
            "embedding": pack(vector)}


def load(client, store, name, vectors):
    """A new collection of that name on the store, filled through Roost."""
    client.post(f"/v1/collections?store={store}", {**COLLECTION, "name": name})
    for start in range(0, len(vectors), 1000):
        rows = [record_of(i, vectors[i]) for i in range(start, min(start + 1000, len(vectors)))]
        if client.upsert(name, rows)["written"] != len(rows):
            raise SystemExit(f"gateway_bench: {store} did not take every record")


def processes_of(pid):
    """`pid` and all that descend from it."""
    found, known = [], {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            known.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
    rest = [pid]
    while rest:
        found.append(rest.pop())
        rest += known.get(found[-1], [])
    return found


def cpu_seconds(pid):
    """Of the process and its descendants, those that ended included."""
    ticks = 0
    for one in processes_of(pid):
        try:
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(map(int, fields[11:15 if one == pid else 13]))
        except OSError:
            pass
    return ticks / TICKS_PER_SECOND


class Driver:
    """roost_gateway_bench with two arms, "native" and "roost"."""

    def __init__(self, binary, folder, queries):
        self.folder = folder
        path = folder / "queries.f32"
        path.write_bytes(queries.tobytes())
        self._process = subprocess.Popen([binary, path, str(DIMENSION)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)

    @property
    def pid(self):
        return self._process.pid

    def command(self, *words):
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            raise SystemExit("gateway_bench: the callers ended")
        return reply.rstrip("\n")

    def run(self, arm, callers, seconds, rate=0):
        """(latencies in microseconds, seconds it took, CPU seconds of the callers)."""
        path = self.folder / "latencies.f64"
        count, took, cpu = self.command("run", arm, callers, seconds, rate, path).split()
        latencies = np.fromfile(path, np.float64)
        if len(latencies) != int(count) or not len(latencies):
            raise SystemExit("gateway_bench: the callers lost latencies")
        return latencies, float(took), float(cpu)

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)


def get_json(url, body=None):
    """By HTTP from a store, whatever http_proxy says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data=None if body is None else body.encode(),
                                     headers={"content-type": "application/json"})
    with opener.open(request, timeout=300) as reply:
        return json.loads(reply.read())


def write_bodies(path, queries, body_of):
    path.write_text("".join(json.dumps(body_of(query)) + "\n" for query in queries))
    return path


def roost_arm(driver, port, queries):
    path = write_bodies(driver.folder / "roost.jsonl", queries, lambda query: {
        "vector": pack(query), "top_k": TOP_K, "fields": FIELDS, "ef": EF, "consistency": "eventual"})
    driver.command("http", "roost", port, f"/v1/collections/{NAME}/search", path)


def native_pgvector(driver, peer, queries):
    table = peer.psql(f"select table_name from roost_collections where name = '{NAME}'").strip()
    setup, sql = driver.folder / "setup.sql", driver.folder / "search.sql"
    setup.write_text(f"SET hnsw.ef_search = {EF}")
    sql.write_text(f'SELECT "_key", version, text, embedding <-> $1 FROM "{table}" '
                   f'WHERE NOT "_deleted" ORDER BY embedding <-> $1 LIMIT {TOP_K}')
    driver.command("pg", "native", peer.uri, setup, sql)


def native_milvus(driver, peer, queries):
    names = get_json(f"{peer.uri}/v1/vector/collections")["data"]
    name = next(one for one in names if one.startswith(f"roost_{NAME}_"))
    told = get_json(f"{peer.uri}/v1/vector/collections/describe?collectionName={name}")["data"]
    key = next(field["name"] for field in told["fields"] if field["name"].startswith("_key_"))
    driver.command("milvus", "native", peer.port, name, key, EF)


def native_weaviate(driver, peer, queries):
    classes = get_json(f"{peer.uri}/v1/schema")["classes"]
    found = next(one for one in classes if one["class"].lower().startswith(f"roost_{NAME}_"))
    vector, = found["vectorConfig"]
    driver.command("weaviate", "native", peer.fields["grpc"], found["class"], vector)


def native_opensearch(driver, peer, queries):
    name = next(one["index"] for one in get_json(f"{peer.uri}/_cat/indices/roost-*?format=json")
                if one["index"].startswith(f"roost-{NAME}-"))
    # One segment, as an index has that rests.
    get_json(f"{peer.uri}/{name}/_forcemerge?max_num_segments=1", "")
    get_json(f"{peer.uri}/{name}/_refresh", "")
    path = write_bodies(driver.folder / "native.jsonl", queries, lambda query: {
        "size": TOP_K, "_source": ["_key", *FIELDS], "track_total_hits": False,
        "query": {"knn": {"embedding": {"vector": query.tolist(), "k": TOP_K,
                                        "method_parameters": {"ef_search": EF}}}}})
    driver.command("http", "native", peer.port, f"/{name}/_search", path)


NATIVE = {"pgvector": native_pgvector, "milvus": native_milvus, "weaviate": native_weaviate,
          "opensearch": native_opensearch}


def keys_of(reply):
    """From what the driver shows."""
    if not reply.startswith("{"):
        return set(reply.split("\t"))
    document = json.loads(reply)
    hits = document["hits"]
    if isinstance(hits, dict):
        return {hit["_source"]["_key"] for hit in hits["hits"]}
    return {hit["id"] for hit in hits[0]}


def overlap(driver, count=50):
    """How many hits both sides share."""
    shares = []
    for query in range(count):
        native, roost = (keys_of(driver.command("show", arm, query)) for arm in ("native", "roost"))
        if len(native) != TOP_K or len(roost) != TOP_K:
            raise SystemExit(f"gateway_bench: {len(native)} and {len(roost)} hits instead of {TOP_K}")
        shares.append(len(native & roost) / TOP_K)
    return sum(shares) / len(shares)


def wait_until_ready(client, pids):
    """Until the index is built and nobody works any more."""
    for _ in range(600):
        if client.get(f"/v1/collections/{NAME}")["index_ready"]:
            break
        time.sleep(0.5)
    quiet = 0
    for _ in range(180):
        before = sum(map(cpu_seconds, pids))
        time.sleep(1)
        # Servers of others' languages never sleep quite.
        quiet = quiet + 1 if sum(map(cpu_seconds, pids)) - before <= 0.15 else 0
        if quiet == 4:
            return
    raise SystemExit("gateway_bench: the servers do not come to rest")


class Measurement:
    """Of one level: callers, closed loop or a rate; both sides take turns."""

    def __init__(self):
        self.latencies = {"native": [], "roost": []}
        self.seconds = {"native": 0.0, "roost": 0.0}
        self.cpu = {arm: {"store": 0.0, "roost": 0.0, "callers": 0.0} for arm in self.latencies}

    def take(self, arm, driver, pids, callers, seconds, rate):
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        latencies, took, cpu = driver.run(arm, callers, seconds, rate)
        for name, pid in pids.items():
            self.cpu[arm][name] += cpu_seconds(pid) - before[name]
        self.cpu[arm]["callers"] += cpu
        self.latencies[arm].append(latencies)
        self.seconds[arm] += took

    def figures(self, arm):
        all_of = np.concatenate(self.latencies[arm])
        used = {f"{name}_us": cpu / len(all_of) * 1e6 for name, cpu in self.cpu[arm].items()}
        return {"per_second": len(all_of) / self.seconds[arm], "count": len(all_of),
                "p50_ms": float(np.percentile(all_of, 50)) / 1000,
                "p99_ms": float(np.percentile(all_of, 99)) / 1000,
                "store_busy": self.cpu[arm]["store"] / self.seconds[arm], **used}


def measure(driver, pids, levels, rounds, seconds):
    """{callers: {"full" or "half": {arm: figures}}}: as fast as it goes, then at half of what the store
    alone gave with as many callers. `pids`: {"store", "roost"}."""
    results = {}
    for callers in levels:
        results[callers] = {}
        rate = 0.0
        for kind in ("full", "half"):
            measurement = Measurement()
            for number in range(rounds):
                for arm in ("native", "roost") if number % 2 == 0 else ("roost", "native"):
                    measurement.take(arm, driver, pids, callers, seconds, rate)
            found = {arm: measurement.figures(arm) for arm in ("native", "roost")}
            results[callers][kind] = found
            rate = found["native"]["per_second"] / 2
    return results


def warm_up(driver, seconds):
    for arm in ("native", "roost", "native", "roost"):
        driver.run(arm, 16, seconds / 4)


def version_of(client, store):
    """As Roost was told by it."""
    told = next(one for one in client.get("/v1/stores")["stores"] if one["name"] == store)
    return re.sub(r"\s+", " ", str(told.get("version", "")))
