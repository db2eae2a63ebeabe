"""Callers with deadlines against a store that fails now and then: what each was told, and when."""

import collections
import http.client
import json
import random
import threading
import time

import numpy as np

from tests.support.client import Client, pack
from tests.support.judge import DIMENSION, record_of

# begin and end: time.monotonic(); deadline in seconds; status 0: the connection to Roost broke or
# nothing came at all. code: of gRPC, "OK" where it worked. detail: what the error says.
Reply = collections.namedtuple("Reply", "call begin end deadline status code detail")

LONG_S = 1.5    # long enough that the breaker counts it against the store (slow_call is 1 s)
SHORT_S = 0.25  # the caller's own choice: it says nothing about the store
HANG_S = 15.0   # a caller that waited for so long beyond its deadline gives up
WRITERS, READERS, HURRIED = 6, 10, 4
CALLERS = WRITERS + READERS + HURRIED
PACE_S = 2.0    # one call of each caller
AGAIN_S = 0.1   # after a failure
REFUSED_S = 0.5  # after a refusal that cost nothing


def search_body(seed=0):
    vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype("<f4")
    return {"vector": pack(vector), "top_k": 10, "fields": ["version"], "consistency": "eventual"}


class FaultLoad:
    """Writers that enter every write in the judge's account before they send it, readers, and
    readers in a hurry. A key is written by one caller, and never again after a write of unknown
    outcome: that one may still land, as documented."""

    def __init__(self, port, collection, judge, seed=0):
        self.judge = judge
        self.wrong_reads = []
        self.told_s = None  # planted fault of a trial: the deadline that Roost is told instead
        self._port = port
        self._collection = collection
        self._replies = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._go = threading.Event()
        self._busy = 0
        parts = [(self._write, WRITERS, LONG_S), (self._read, READERS, LONG_S),
                 (self._read, HURRIED, SHORT_S)]
        self._threads = [threading.Thread(target=self._run, args=(step, number, deadline, seed),
                                          daemon=True)
                         for step, count, deadline in parts for number in range(count)]
        for thread in self._threads:
            thread.start()

    def go(self):
        self._go.set()

    def rest(self, timeout=60):
        """Returns when no call is on its way."""
        self._go.clear()
        end = time.monotonic() + timeout
        while True:
            with self._lock:
                if self._busy == 0:
                    return
            if time.monotonic() > end:
                raise RuntimeError("a caller does not come to rest")
            time.sleep(0.01)

    def stop(self):
        self._stopped.set()
        self._go.set()
        for thread in self._threads:
            thread.join(60)

    def take(self):
        """The replies since the last time."""
        with self._lock:
            replies, self._replies = self._replies, []
            return replies

    def _run(self, step, number, deadline, seed):
        chooser = random.Random(f"{seed}/{step.__name__}/{number}/{deadline}")
        client = Client(self._port, timeout=deadline + HANG_S)
        keys = set()  # of a writer: those that it may write again
        self._stopped.wait(chooser.random() * PACE_S)
        while not self._stopped.is_set():
            self._go.wait()
            with self._lock:
                self._busy += 1
            due, reply = time.monotonic() + PACE_S * (0.9 + 0.2 * chooser.random()), None
            try:
                if not self._stopped.is_set() and self._go.is_set():
                    reply = step(client, chooser, deadline, keys, number)
            finally:
                with self._lock:
                    self._busy -= 1
            if reply is not None and reply.code != "OK":
                due = reply.end + (AGAIN_S if reply.end - reply.begin > AGAIN_S else REFUSED_S)
            self._stopped.wait(max(0.0, due - time.monotonic()))
        client.close()

    def call(self, client, call, body, deadline):
        """(Reply, document)."""
        document = {}
        begin = time.monotonic()
        try:
            status, _, text = client.raw(
                "POST", f"/v1/collections/{self._collection}/{call}", body,
                {"X-Request-Timeout-Ms": str(round((self.told_s or deadline) * 1000))})
            end = time.monotonic()
            document = json.loads(text) if text else {}
            code, detail = ("OK", "") if status < 300 else (document["code"], document["detail"])
        except (OSError, http.client.HTTPException, ValueError) as error:
            status, code, end = 0, "BROKEN", time.monotonic()
            detail = f"{type(error).__name__}: {error}"
        reply = Reply(call, begin, end, deadline, status, code, detail)
        with self._lock:
            self._replies.append(reply)
        return reply, document

    def _write(self, client, chooser, deadline, keys, number):
        chosen = set(chooser.sample(sorted(keys), min(len(keys), chooser.randrange(3))))
        delete = bool(chosen) and chooser.random() < 0.3
        if not delete:
            chosen |= {f"w{number}-{chooser.getrandbits(48):012x}" for _ in range(chooser.randrange(1, 4))}
        versions = self.judge.intend(sorted(chosen), delete)
        if delete:
            reply, document = self.call(client, "delete", {"ids": list(versions)}, deadline)
        else:
            rows = [record_of(key, version) for key, version in versions.items()]
            rows = [{**row, "embedding": pack(row["embedding"])} for row in rows]
            reply, document = self.call(client, "upsert", {"records": rows}, deadline)
        if reply.code == "OK":
            failed = {list(versions)[error["row"]] for error in document["errors"]}
            self.judge.acknowledge({k: v for k, v in versions.items() if k not in failed})
            self.judge.give_up({k: v for k, v in versions.items() if k in failed})
            keys |= chosen
            keys -= chosen if delete else failed
        elif 400 <= reply.status < 500:
            self.judge.refuse(versions)
        else:
            self.judge.give_up(versions)
            keys -= chosen
        return reply

    def _read(self, client, chooser, deadline, _keys, _number):
        if chooser.random() < 0.5:
            return self.call(client, "search", search_body(chooser.randrange(1000)), deadline)[0]
        written = list(self.judge.settled())
        if not written:
            return None
        key = chooser.choice(written)
        before = self.judge.allowed(key)
        body = {"ids": [key], "vectors": True,
                "consistency": "strong" if deadline == LONG_S else "eventual"}
        reply, document = self.call(client, "get", body, deadline)
        if reply.code != "OK" or body["consistency"] != "strong":
            return reply
        after = self.judge.allowed(key)
        record = document["records"][0]
        version = record["version"] if record else None
        if before == after and version not in after:
            self.wrong_reads.append(f"{key}: read version {version}, allowed {after}")
        return reply
