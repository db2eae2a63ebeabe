#!/usr/bin/env python3
"""zvec through its Python package, for embedded_bench.py; commands and replies as in search_driver.h.

Usage: zvec_driver.py DATA_FOLDER STORE_FOLDER THREADS
A STORE_FOLDER that is there already is opened and timed: the first line of output tells.
"""

import json
import pathlib
import resource
import sys
import threading
import time

import numpy as np
import zvec

TOP_K = 10
BATCH = 500
TYPES = {"VARCHAR": zvec.DataType.STRING, "TEXT": zvec.DataType.STRING, "INT64": zvec.DataType.INT64,
         "ARRAY": zvec.DataType.ARRAY_STRING}


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Bench:
    def __init__(self, data, store, threads):
        self._data, self._store, self._threads = pathlib.Path(data), pathlib.Path(store), threads
        self._schema = json.loads((self._data / "schema.json").read_text())
        self._field = self._schema["vectors"][0]["name"]
        dimension = self._schema["vectors"][0]["dimension"]
        self.queries = np.fromfile(self._data / "queries.f32", np.float32).reshape(-1, dimension)
        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=threads, optimize_threads=threads)
        self._collection = None

    def open(self):
        start = time.perf_counter()
        there = self._store.exists()
        if there:
            self._collection = zvec.open(str(self._store))
        opened = time.perf_counter() - start
        if there:
            self.search(0, 64)
        return {"open_s": opened, "index_ready_s": opened,
                "first_search_s": time.perf_counter() - start}

    def _zvec_schema(self):
        vector = self._schema["vectors"][0]
        fields = []
        for field in self._schema["fields"]:
            # Roost finds words in TEXT fields; the index for that is part of what both store.
            index = zvec.FtsIndexParam() if field["type"] == "TEXT" else None
            fields.append(zvec.FieldSchema(field["name"], TYPES[field["type"]], True, index))
        hnsw = zvec.HnswIndexParam(metric_type=zvec.MetricType.COSINE, m=16, ef_construction=200)
        return zvec.CollectionSchema(
            name=self._schema["name"], fields=fields,
            vectors=[zvec.VectorSchema(vector["name"], zvec.DataType.VECTOR_FP32,
                                       vector["dimension"], hnsw)])

    def _batches(self):
        base = np.fromfile(self._data / "base.f32", np.float32).reshape(-1, self.queries.shape[1])
        docs = []
        with open(self._data / "records.jsonl", encoding="utf-8") as lines:
            for row, line in enumerate(lines):
                fields = json.loads(line)
                del fields["id"]
                docs.append(zvec.Doc(id=str(row), fields=fields, vectors={self._field: base[row]}))
        return [docs[at:at + BATCH] for at in range(0, len(docs), BATCH)]

    def ingest(self):
        batches = self._batches()
        self._collection = zvec.create_and_open(str(self._store), self._zvec_schema())
        cpu, start = cpu_seconds(), time.perf_counter()
        for batch in batches:
            if not all(status.ok() for status in self._collection.insert(batch)):
                sys.exit("zvec_driver: an insert failed")
        self._collection.flush()
        acknowledged = time.perf_counter() - start
        self._collection.optimize(zvec.OptimizeOption(concurrency=self._threads))
        self._collection.flush()
        size = sum(path.stat().st_size for path in self._store.rglob("*") if path.is_file())
        return {"seconds": time.perf_counter() - start, "acknowledged_s": acknowledged,
                "cpu_seconds": cpu_seconds() - cpu, "bytes_on_disk": size}

    def search(self, query, ef):
        found = self._collection.query(
            zvec.Query(self._field, vector=self.queries[query], param=zvec.HnswQueryParam(ef=ef)),
            topk=TOP_K, output_fields=[])
        return [int(doc.id) for doc in found]


def search_all(bench, ef, threads, rounds, file):
    count = len(bench.queries)
    rows = np.full((count, TOP_K), -1, np.int32)
    latencies = np.zeros(count * rounds)
    numbers = iter(range(count * rounds))

    def run():
        for i in numbers:  # next() of a range iterator is one step under the interpreter's lock
            start = time.perf_counter()
            found = bench.search(i % count, ef)
            latencies[i] = time.perf_counter() - start
            rows[i % count, :len(found)] = found

    cpu, start = cpu_seconds(), time.perf_counter()
    helpers = [threading.Thread(target=run) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    run()
    for helper in helpers:
        helper.join()
    seconds, used = time.perf_counter() - start, cpu_seconds() - cpu
    rows.tofile(file)
    return {"cpu_us": used / len(latencies) * 1e6, "qps": len(latencies) / seconds,
            "p50_us": float(np.quantile(latencies, 0.5)) * 1e6,
            "p99_us": float(np.quantile(latencies, 0.99)) * 1e6}


def main():
    bench = Bench(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    print(json.dumps(bench.open()), flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        if command == "ingest":
            reply = bench.ingest()
        else:
            ef, threads, rounds, file = words
            reply = search_all(bench, int(ef), int(threads), int(rounds), file)
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
