"""What a search through REST costs beside the same search in process, for edge_bench.py."""

import contextlib
import json
import pathlib
import random
import shutil
import subprocess
import time

import numpy as np

from tests.support.client import Client, pack
from tests.support.processes import Roost

COLLECTION = {
    "name": "packages",
    "fields": [
        {"name": "section", "type": "VARCHAR"},
        {"name": "version", "type": "VARCHAR"},
        {"name": "installed_kib", "type": "INT64"},
        {"name": "tags", "type": "ARRAY", "element_type": "VARCHAR"},
        {"name": "description", "type": "TEXT"},
    ],
    "vectors": [{"name": "embedding", "dimension": 256, "metric": "COSINE"}],
}
NAME = COLLECTION["name"]
FIELDS = ["section", "description"]
TOP_K = 10
QUERIES = 200
WORDS = ("package library tool for the data system with and of image sound network server "
         "client file format reading writing fast small simple game window kernel module").split()

# Plays the prepared bodies in turn.
WRK_SCRIPT = """
local requests = {{}}
local at = 0
function init(args)
  for body in io.lines("{bodies}") do
    requests[#requests + 1] =
      wrk.format("POST", nil, {{["Content-Type"] = "application/json"}}, body)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""


def unit_vectors(random_numbers, count):
    """Around a few hundred centres, as vectors of texts are."""
    dimension = COLLECTION["vectors"][0]["dimension"]
    centres = random_numbers.normal(size=(300, dimension))
    vectors = centres[random_numbers.integers(0, 300, count)]
    vectors = vectors + 0.7 * random_numbers.normal(size=vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")


def make_record(words, i, vector):
    return {
        "id": f"package-{i:06}", "section": words.choice(WORDS), "version": f"1.{i % 97}-{i % 7}",
        "installed_kib": words.randrange(10, 100_000), "tags": words.sample(WORDS, 4),
        "description": " ".join(words.choices(WORDS, k=40)), "embedding": pack(vector),
    }


def load_collection(port, count):
    words = random.Random(1)
    vectors = unit_vectors(np.random.default_rng(1), count)
    client = Client(port)
    client.post("/v1/collections", COLLECTION)
    for start in range(0, count, 500):
        rows = [make_record(words, i, vectors[i]) for i in range(start, min(start + 500, count))]
        if client.upsert(NAME, rows)["written"] != len(rows):
            raise SystemExit("edge_bench: the server did not take every record")
    client.close()


def wait_until_idle(cpu_seconds, pid):
    """Until the server has merged its segments and built its indexes.

    It begins the last merge after two seconds without a write: only several seconds without any
    use of the CPU say that it is through.
    """
    quiet_seconds = 0
    for _ in range(300):
        before = cpu_seconds(pid)
        time.sleep(1)
        quiet_seconds = quiet_seconds + 1 if cpu_seconds(pid) - before <= 0.02 else 0
        if quiet_seconds == 5:
            return
    raise SystemExit("edge_bench: the server does not come to rest")


def write_queries(folder):
    queries = unit_vectors(np.random.default_rng(2), QUERIES)
    pathlib.Path(folder, "queries.f32").write_bytes(queries.tobytes())
    for name, encode in (("base64", pack), ("numbers", lambda vector: vector.tolist())):
        bodies = [json.dumps({"vector": encode(vector), "top_k": TOP_K, "fields": FIELDS})
                  for vector in queries]
        pathlib.Path(folder, name).write_text("\n".join(bodies) + "\n")
        script = WRK_SCRIPT.format(bodies=pathlib.Path(folder, name))
        pathlib.Path(folder, name + ".lua").write_text(script)
    return queries


class Engine:
    """The same searches in process, on a copy of the server's folder."""

    def __init__(self, binary, store, queries):
        self._process = subprocess.Popen(
            [binary, store, NAME, queries, str(TOP_K), *FIELDS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first_keys = self._process.stdout.readline().split()

    def cpu_us(self, rounds, pause_us=0):
        self._process.stdin.write(f"{rounds} {pause_us}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=30)


@contextlib.contextmanager
def prepared(roost_binary, engine_binary, folder, records, cpu_seconds):
    """A server at rest and the engine over a copy of its data: (roost, engine)."""
    data = pathlib.Path(folder, "data")
    roost = Roost(roost_binary, data, options=["--server.io_threads", "1"]).start()
    engine = None
    try:
        load_collection(roost.port, records)
        wait_until_idle(cpu_seconds, roost.process.pid)
        # Closing seals what is in memory: from here on both sides search the same segments.
        roost.stop()
        roost.start()
        wait_until_idle(cpu_seconds, roost.process.pid)
        queries = write_queries(folder)
        shutil.copytree(data / "store", pathlib.Path(folder, "copy"))
        engine = Engine(engine_binary, pathlib.Path(folder, "copy"),
                        pathlib.Path(folder, "queries.f32"))
        client = Client(roost.port)
        hits = client.search(NAME, vector=pack(queries[0]), top_k=TOP_K, fields=FIELDS)[0]
        client.close()
        if [hit["id"] for hit in hits] != engine.first_keys or len(hits) != TOP_K:
            raise SystemExit("edge_bench: REST and the engine found different records")
        yield roost, engine
    finally:
        if engine is not None:
            engine.close()
        roost.stop()
