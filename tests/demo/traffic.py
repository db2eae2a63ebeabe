"""The demo's live traffic: a writer that keeps its own account of what it wrote, and a reader."""

import http.client
import multiprocessing
import queue
import random
import threading
import time

import numpy as np

from tests.support.client import ApiError, Client, pack


class Writer:
    """Inserts, updates and deletes at a steady rate until stopped; pauses when asked.

    `state` maps each id to (record, vector) as the server acknowledged it. An operation that ended
    in doubt is counted as an error, and its ids are in `doubtful`.
    """

    def __init__(self, port, collection, state, embedder, rate, seed=1):
        self.state = state
        self.doubtful = set()
        self.errors = []
        self.operations = 0
        self.longest_ms = 0.0
        self.longest_at = 0.0  # when that one began, by time.monotonic()
        self._port = port
        self._collection = collection
        self._embed = embedder
        self._pause_between = 20 / rate
        self._random = random.Random(seed)
        self._ids = list(state)
        self._number = 0
        self._stopped = threading.Event()
        self._go = threading.Event()
        self._idle = threading.Event()
        self._go.set()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self):
        self._thread.start()

    def _run(self):
        client = Client(self._port, timeout=60)
        due = time.monotonic()
        while not self._stopped.is_set():
            if not self._go.is_set():
                self._idle.set()
                self._go.wait(0.1)
                due = time.monotonic()
                continue
            self._idle.clear()
            # Ten updates, five inserts, five deletes: the size stays the same.
            self._update(client, 10)
            self._insert(client, 5)
            self._delete(client, 5)
            due += self._pause_between
            self._stopped.wait(max(0.0, due - time.monotonic()))
        client.close()

    def pause(self):
        self._idle.clear()
        self._go.clear()
        if not self._idle.wait(120):
            raise RuntimeError("the writer does not come to rest")

    def resume(self):
        self._go.set()

    def stop(self):
        self._stopped.set()
        self._go.set()
        self._thread.join(120)

    def reset_longest(self):
        self.longest_ms = 0.0

    def _update(self, client, count):
        chosen = []
        for _ in range(count):
            record, _ = self.state[self._ids[self._random.randrange(len(self._ids))]]
            record = {**record, "revision": record["revision"] + 1}
            chosen.append(record)
        self._write(client, {record["id"]: record for record in chosen}, "upsert")

    def _insert(self, client, count):
        fresh = {}
        for _ in range(count):
            self._number += 1
            name = f"live-{self._number:07d}"
            fresh[name] = {"id": name, "section": "live", "priority": "extra", "version": "1",
                           "installed_kib": self._number, "maintainer": "the writer of the demo",
                           "tags": ["live", f"n{self._number}"],
                           "description": f"Record number {self._number}, written while moving",
                           "revision": 0}
        if self._write(client, fresh, "insert"):
            self._ids.extend(fresh)

    def _delete(self, client, count):
        chosen = []
        for _ in range(count):
            at = self._random.randrange(len(self._ids))
            chosen.append(self._ids[at])
            self._ids[at] = self._ids[-1]
            self._ids.pop()
        if self._timed(lambda: client.delete(self._collection, chosen), chosen):
            for name in chosen:
                del self.state[name]

    def _write(self, client, records, verb):
        texts = [f"{r['id']} {r['description']} {r['revision']}" for r in records.values()]
        vectors = self._embed(texts)
        rows = [{**record, "embedding": pack(vector)}
                for record, vector in zip(records.values(), vectors)]
        call = client.upsert if verb == "upsert" else client.insert
        if not self._timed(lambda: call(self._collection, rows), records):
            return False
        for record, vector in zip(records.values(), vectors):
            self.state[record["id"]] = (record, vector)
        return True

    def _timed(self, call, ids):
        begin = time.monotonic()
        try:
            result = call()
            if result["errors"]:
                raise ApiError(200, {"code": "ROWS", "detail": str(result["errors"][:2])})
            return True
        except (OSError, http.client.HTTPException, ApiError) as error:
            self.errors.append(str(error))
            self.doubtful.update(ids)
            return False
        finally:
            self.operations += len(ids)
            took = (time.monotonic() - begin) * 1000
            if took > self.longest_ms:
                self.longest_ms, self.longest_at = took, begin


def _read(port, collection, queries, results, stop):
    client = Client(port, timeout=60)
    chooser = random.Random(2)
    while not stop.is_set():
        vector = queries[chooser.randrange(len(queries))]
        begin = time.monotonic()
        error = None
        try:
            hits = client.search(collection, vector=vector, top_k=10, fields=["section"])[0]
            if len(hits) != 10:
                error = f"{len(hits)} hits of 10"
        except (OSError, http.client.HTTPException, ApiError) as failure:
            error = str(failure)
        end = time.monotonic()
        results.put((begin, (end - begin) * 1000, error))
        stop.wait(0.005)
    client.close()


class Reader:
    """Searches all the time, in a process of its own so that the writer does not slow its clock."""

    def __init__(self, port, collection, vectors):
        context = multiprocessing.get_context("fork")
        self._stopped = context.Event()
        self._results = context.Queue()
        queries = [pack(vector) for vector in vectors]
        self._process = context.Process(
            target=_read, args=(port, collection, queries, self._results, self._stopped), daemon=True)
        self.samples = []

    def start(self):
        self._process.start()

    def stop(self):
        self._stopped.set()
        end = time.monotonic() + 60
        while self._process.is_alive() and time.monotonic() < end:
            self.collect()
            self._process.join(0.05)
        self.collect()

    def collect(self):
        while True:
            try:
                self.samples.append(self._results.get(timeout=0.02))
            except queue.Empty:
                return

    def errors(self):
        return [sample[2] for sample in self.samples if sample[2]]

    def percentiles(self, begin, end):
        """(p50, p95, p99) in ms of the searches that began between two moments."""
        times = [ms for at, ms, _ in self.samples if begin <= at < end]
        if not times:
            return (float("nan"),) * 3
        return tuple(float(x) for x in np.percentile(times, (50, 95, 99)))
