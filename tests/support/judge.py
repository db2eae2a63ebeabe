"""The judge of crash tests: an account of every write, kept by the client, outside the server.

A write is entered before it is sent and settled when its outcome is known. A key may then be found
in the state of its last acknowledged write, or of any later write whose outcome nobody knows; any
other state is a violation. Every written value is unique, so a wrong one cannot look right.
"""

import threading
import zlib

import numpy as np

DIMENSION = 32
ABSENT = None


def vector_of(key, version):
    """The one vector of that write: reproducible, different for every key and version."""
    seed = zlib.crc32(f"{key}/{version}".encode()) ^ (version * 0x9E3779B1 & 0xFFFFFFFF)
    return np.random.default_rng(seed).standard_normal(DIMENSION).astype("<f4")


def record_of(key, version):
    return {"id": key, "version": version, "text": f"{key} in version {version}",
            "embedding": vector_of(key, version)}


class _Account:
    __slots__ = ("settled", "open")

    def __init__(self):
        self.settled = ABSENT   # version of the last acknowledged write; ABSENT: deleted or never written
        self.open = []          # versions (or ABSENT) of later writes of unknown outcome


class Judge:
    """Thread safe. Each key is written by one thread at a time."""

    def __init__(self):
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

    def live_keys(self):
        with self._lock:
            return [key for key, account in self._accounts.items() if account.settled is not ABSENT]

    def allowed(self, key):
        with self._lock:
            account = self._accounts.get(key)
            return {ABSENT} if account is None else {account.settled, *account.open}

    def check(self, found):
        """Violations in `found`, {key: record as read}: everything the server holds."""
        violations = []
        with self._lock:
            keys = set(self._accounts) | set(found)
        for key in sorted(keys):
            violation = self.check_one(key, found.get(key))
            if violation:
                violations.append(violation)
        return violations

    def check_one(self, key, record):
        """What is wrong with this record (None: absent), or None."""
        allowed = self.allowed(key)
        if record is None:
            return None if ABSENT in allowed else f"{key}: lost; expected version {sorted(allowed)}"
        version = record["version"]
        if version not in allowed:
            what = "resurrected" if allowed == {ABSENT} else "stale or never written"
            return f"{key}: {what}: version {version}, allowed {allowed}"
        if record["text"] != f"{key} in version {version}":
            return f"{key}: wrong text {record['text']!r} in version {version}"
        if np.asarray(record["embedding"], "<f4").tobytes() != vector_of(key, version).tobytes():
            return f"{key}: wrong vector in version {version}"
        return None


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
