"""The judge of crash tests: an account of every write, kept by the client, outside the server.

A write is entered before it is sent and settled when its outcome is known. A key may then be found
in the state of its last acknowledged write, or of any later write whose outcome nobody knows; any
other state is a violation. Every written value is unique, so a wrong one cannot look right.
"""

import threading
import zlib

import numpy as np

from tests.support.client import pack

DIMENSION = 32
ABSENT = None


def vector_of(key, version):
    """The one vector of that write: reproducible, different for every key and version."""
    seed = zlib.crc32(f"{key}/{version}".encode()) ^ (version * 0x9E3779B1 & 0xFFFFFFFF)
    return np.random.default_rng(seed).standard_normal(DIMENSION).astype("<f4")


def record_of(key, version):
    return {"id": key, "version": version, "text": f"{key} in version {version}",
            "embedding": vector_of(key, version)}


class Things:
    """What a judge and a load (tests/support/load.py) need to know of a collection: its records by key
    and version. These have a text and a vector."""

    name = "things"
    collection = {"name": name,
                  "fields": [{"name": "version", "type": "INT64"}, {"name": "text", "type": "TEXT"}],
                  "vectors": [{"name": "embedding", "dimension": DIMENSION, "metric": "L2"}]}

    def __init__(self, keys_a_writer=400):
        self.keys_a_writer = keys_a_writer

    def keys(self, writer, chooser, count):
        """Up to `count` keys of that writer for one write; no key has two writers."""
        keys = [f"w{writer}-{chooser.randrange(self.keys_a_writer):04d}" for _ in range(count)]
        return list(dict.fromkeys(keys))

    def upsert(self, client, versions):
        rows = [record_of(key, version) for key, version in versions.items()]
        return client.upsert(self.name, [{**row, "embedding": pack(row["embedding"])} for row in rows])

    def delete(self, client, keys):
        return client.delete(self.name, keys)

    def version(self, client, key):
        """Of the record of that key; ABSENT where there is none."""
        record = client.post(f"/v1/collections/{self.name}/get", {"ids": [key]})["records"][0]
        return record["version"] if record else ABSENT

    def search(self, client, key):
        client.search(self.name, vector=pack(vector_of(key, 1)), top_k=5)

    def difference(self, key, record):
        """What is wrong with a record of that key in its own version; None: nothing."""
        version = record["version"]
        if record["text"] != f"{key} in version {version}":
            return f"text {record['text']!r}"
        if np.asarray(record["embedding"], "<f4").tobytes() != vector_of(key, version).tobytes():
            return "vector"
        return None


class _Account:
    __slots__ = ("settled", "open")

    def __init__(self):
        self.settled = ABSENT   # version of the last acknowledged write; ABSENT: deleted or never written
        self.open = []          # versions (or ABSENT) of later writes of unknown outcome


class Judge:
    """Thread safe. Each key is written by one thread at a time."""

    def __init__(self, subject=None):
        self.subject = subject or Things()
        self._lock = threading.Lock()
        self._accounts = {}
        self._next = 0
        self.acknowledged = 0
        self.unknown = 0

    def intend(self, keys, delete=False):
        """Enters a write of `keys`; returns its versions by key (None for a delete)."""
        with self._lock:
            versions = {}
            for key in keys:
                account = self._accounts.setdefault(key, _Account())
                if not delete:
                    self._next += 1
                versions[key] = ABSENT if delete else self._next
                account.open.append(versions[key])
            return versions

    def acknowledge(self, versions):
        with self._lock:
            for key, version in versions.items():
                account = self._accounts[key]
                account.settled = version
                account.open.clear()
                self.acknowledged += 1

    def refuse(self, versions):
        """The write failed for certain: it may never be seen."""
        with self._lock:
            for key, version in versions.items():
                self._accounts[key].open.remove(version)

    def give_up(self, versions):
        """Nobody knows; it stays possible."""
        with self._lock:
            self.unknown += len(versions)

    def settled(self):
        """{key: version of its last acknowledged write, or ABSENT}; for when nothing is on its way."""
        with self._lock:
            return {key: account.settled for key, account in self._accounts.items()}

    def allowed(self, key):
        with self._lock:
            account = self._accounts.get(key)
            return {ABSENT} if account is None else {account.settled, *account.open}

    def departures(self, found):
        """How `found`, {key: record as read} of everything there is, departs from the account: what is
        wrong, said one by one, under "lost", "resurrected" and "wrong"."""
        departures = {"lost": [], "resurrected": [], "wrong": []}
        with self._lock:
            keys = set(self._accounts) | set(found)
        for key in sorted(keys):
            departure = self._departure(key, found.get(key))
            if departure:
                departures[departure[0]].append(f"{key}: {departure[1]}")
        return departures

    def check(self, found):
        """The same as one list."""
        return [text for texts in self.departures(found).values() for text in texts]

    def _departure(self, key, record):
        allowed = self.allowed(key)
        if record is None:
            return None if ABSENT in allowed else ("lost", f"lost; expected version {sorted(allowed)}")
        version = record["version"]
        if version not in allowed:
            if allowed == {ABSENT}:
                return "resurrected", f"resurrected: version {version}"
            return "wrong", f"stale or never written: version {version}, allowed {allowed}"
        difference = self.subject.difference(key, record)
        return difference and ("wrong", f"wrong {difference} in version {version}")


def self_test(judge, found):
    """Plants one fault of each kind into a reading that is right, and returns the kinds that the
    judge did not notice: [] when it is fit to judge."""
    assert judge.check(found) == [], "the reading is not right to begin with"
    keys = [key for key in found if judge.allowed(key) == {found[key]["version"]}]
    deleted = next((k for k in judge._accounts if judge.allowed(k) == {ABSENT}), None)
    first, second = keys[0], keys[1]
    flipped = found[first]["embedding"].copy()
    flipped.view(np.uint32)[DIMENSION // 2] ^= 1
    faults = {
        "lost write": {key: record for key, record in found.items() if key != first},
        "flipped bit": {**found, first: {**found[first], "embedding": flipped}},
        "swapped vectors": {**found,
                            first: {**found[first], "embedding": found[second]["embedding"]},
                            second: {**found[second], "embedding": found[first]["embedding"]}},
        "older version": {**found, first: record_of(first, found[first]["version"] - 1)},
    }
    if deleted is None:
        return ["no deleted key to plant"]
    faults["resurrected delete"] = {**found, deleted: record_of(deleted, 1)}
    return [kind for kind, reading in faults.items() if not judge.check(reading)]
