#!/usr/bin/env python3
"""Moves a collection between every two of the five stores and back while it is written, on real servers.
The collection uses every type that both can carry; what lies in either store is read by its own client and
compared, bit for bit, with an account of every write."""

import argparse
import concurrent.futures
import json
import pathlib
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support import planted  # noqa: E402
from tests.support.assorted import Assorted, Capability  # noqa: E402
from tests.support.five_stores import STORES, FiveStores  # noqa: E402
from tests.support.judge import Judge  # noqa: E402
from tests.support.load import MEAN_BATCH, Load  # noqa: E402
from tests.support.moves import Move  # noqa: E402
from tests.support.readers.native import native_reader  # noqa: E402
from tests.support.readers.rest import RestReader  # noqa: E402

RING = ("embedded", "weaviate", "opensearch", "milvus", "pgvector")
# In this order two at a time seldom meet at a store. The first five touch each as source and as target.
PAIRS = tuple((RING[at], RING[(at + step) % 5]) for step in (1, 2, 3, 4) for at in (0, 2, 4, 1, 3))
GOALS = {"pairs": None, "lost": 0, "resurrected": 0, "wrong": 0, "client_errors": 0, "failed": [],
         "planted_faults_unnoticed": []}
WRITERS = 2
POLICY = {"chunk_rows": 500, "ramp_hold_ms": 300, "shadow_hold_ms": 500, "ramp_percents": [10, 100],
          "shadow_percent": 20, "fence_retry_ms": 500}
KINDS = ("lost", "resurrected", "wrong")


def reader_of(world, store):
    """Reads what lies in that store of a FiveStores."""
    return RestReader(world.roost) if store == "embedded" else native_reader(world.peers[store], world.folder)


class PairTrial:
    """One collection from one store to another, and back."""

    def __init__(self, world, readers, source, target, options, say):
        self.source, self.target = source, target
        self.say = say
        number = PAIRS.index((source, target))
        self._commits = number % 2 == 0
        self._client = world.roost.client()
        self._readers = readers
        can = Capability([world.told[source], world.told[target]])
        self._subject = Assorted(f"pair_{source}_{target}", can, number,
                                 keys_a_writer=options.records * 5 // 4 // WRITERS)
        self._judge = Judge(self._subject)
        self._pause = WRITERS * MEAN_BATCH / options.rate
        self._load = Load(world.roost.port, self._judge, WRITERS, options.seed * 100 + number, self._pause)
        self._move = None
        self.figures = {"source": source, "target": target, "compared": 0, **dict.fromkeys(KINDS, 0)}

    def run(self):
        """The figures; whatever happens, nothing of it goes on."""
        begin = time.monotonic()
        try:
            self._there_and_back()
        except Exception as error:  # pylint: disable=broad-except
            self.figures["failed"] = f"{type(error).__name__}: {error}"
            self.say(f"{self._name}: FAILED: {traceback.format_exc()}")
        finally:
            self._load.stop()
        self._count(time.monotonic() - begin)
        return self.figures

    @property
    def _name(self):
        return f"{self.source} to {self.target}"

    def _there_and_back(self):
        self._client.post(f"/v1/collections?store={self.source}", self._subject.collection)
        self._load.fill([self._subject.key(writer, number) for writer in range(WRITERS)
                         for number in range(self._subject.keys_a_writer * 4 // 5)])
        self._client.close()  # The server ends connections that rest for long; the next call opens another.
        self._load.start()
        self._move = Move(self._client, self._subject.name, self.target, POLICY, self._slow_down)
        self._move.until_state("REVERSED")
        self._written(200)
        self._check("after the move", answers=self.target)
        self._move.tell("rollback")
        self._move.until_state("RAMP")
        self._written(200)
        self._check("after the rollback", answers=self.source)
        if self._commits:
            self._move.tell("advance", {"to": "REVERSED"})
            self._move.until_state("REVERSED")
            self._move.tell("commit")
            self._move.until_state("COMMITTED")
            self._written(50)
            self._load.rest()
            self._compare("after the commit", [self.target])
        else:
            self._move.tell("abort")
            self._move.until(lambda move: move["final"], 300, "ABORTED")
            self._written(50)
            self._load.rest()
            self._compare("after the abort", [self.source])
            if self.target != "embedded":
                self._move.until(lambda _: not self._readers[self.target].holds(self._subject), 300,
                                 f"dropped from {self.target}")
        self._load.stop()
        self._client.call("DELETE", f"/v1/collections/{self._subject.name}")

    def _slow_down(self, move):
        """Writers that a store cannot follow, on a machine that is busy otherwise, would keep the move from
        ever coming through: they wait the longer, the more is still to be brought over."""
        self._load.pause = min(5.0, self._pause * (1 + move["counts"]["dirty"] / 20))

    def _written(self, changes):
        """Waits until so many more changes were acknowledged."""
        goal = self._judge.acknowledged + changes
        self._move.until(lambda _: self._judge.acknowledged >= goal, 300, f"{changes} changes further")

    def _check(self, where, answers):
        """Rests the writers and compares both stores; the embedded one only when it is the one that
        answers, for nobody else can read it."""
        self._load.rest()
        self._move.until_level()
        self._compare(where, [store for store in (self.source, self.target)
                              if store in (answers, *STORES[1:])])
        self._client.close()
        self._load.go()

    def _compare(self, where, stores):
        for store in stores:
            found = self._readers[store].read(self._subject)
            departures = self._judge.departures(found)
            self.figures["compared"] += len(found)
            for kind in KINDS:
                self.figures[kind] += len(departures[kind])
                for text in departures[kind][:3]:
                    self.say(f"{self._name}: {where}, in {store}: {kind}: {text}")

    def _count(self, seconds):
        """What the load and the move tell."""
        load, move = self._load, self._move
        for text in load.violations[:3] + load.first_errors[:3]:
            self.say(f"{self._name}: {text}")
        self.figures["wrong"] += len(load.violations)
        self.figures |= {"client_errors": load.errors, "changes": self._judge.acknowledged,
                         "reads": load.reads, "write_pause_ms_max": round(load.longest_ms, 1),
                         "seconds": round(seconds, 1)}
        if move:
            copying = move.seconds_in("COPY")  # with the making of the target's collection
            self.figures |= {"write_pause_longest_in": " " + move.state_at(load.longest_at),
                             "copy_seconds": round(copying, 2),
                             "copy_rows_per_second": round(move.copied / copying) if copying else 0}
        found = ", ".join(f"{self.figures[kind]} {kind}" for kind in KINDS)
        self.say(f"{self._name}: {seconds:.0f} s, {self.figures['compared']:,} records compared, {found}, "
                 f"{load.errors} client errors")


def test_readers(world, readers, say):
    """Plants faults in each store; those that its reader and the judge overlook."""
    overlooked = []
    for number, store in enumerate(STORES):
        subject = Assorted(f"planted_{store}", Capability([world.told[store]]), number, keys_a_writer=400)
        missed, count = planted.self_test(world.roost.client(), store, subject, readers[store])
        overlooked += [f"{store}: {text[:200]}" for text in missed[:5]]
        say(f"{store}: {count} planted faults, {len(missed)} overlooked or found where there was none")
    return overlooked


def chosen_pairs(options):
    if options.pairs:
        chosen = [tuple(pair.split(":")) for pair in options.pairs.split(",")]
    else:
        chosen = PAIRS[:5] if options.quick else PAIRS
    if not set(chosen) <= set(PAIRS):
        raise SystemExit(f"pairs are SOURCE:TARGET of {', '.join(STORES)}")
    return chosen


COLUMNS = {  # of the table: heading, width and form
    "source": ("source", "<11"), "target": ("target", "<11"), "compared": ("compared", ">9,"),
    "lost": ("lost", ">5"), "resurrected": ("resurrected", ">12"), "wrong": ("wrong", ">6"),
    "client_errors": ("errors", ">7"), "changes": ("changes", ">8,"),
    "write_pause_ms_max": ("longest write", ">14,.0f"), "write_pause_longest_in": (" ms, in", "<13"),
    "copy_seconds": ("copy s", ">8"), "copy_rows_per_second": ("rows/s", ">8,"), "seconds": ("seconds", ">8,.0f")}


def table(results):
    head = "".join(f"{head:{form.rstrip(',.0f')}}" for head, form in COLUMNS.values())
    rows = ["".join(f"{one.get(name, 0):{form}}" for name, (_, form) in COLUMNS.items()) +
            ("  FAILED" if "failed" in one else "") for one in results]
    return "\n".join([head, *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roost", default="build/release/bin/roost")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="five pairs, few records")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, help="of each collection at the start (2,000; quick: 400)")
    parser.add_argument("--rate", type=float, default=60,
                        help="changes a second of each collection (60); fewer while stores fall behind")
    parser.add_argument("--pairs", metavar="A:B,C:D", help="only these")
    parser.add_argument("--jobs", type=int, default=2, help="pairs at a time (2)")
    options = parser.parse_args()
    options.records = options.records or (400 if options.quick else 2_000)
    chosen = chosen_pairs(options)
    lock = threading.Lock()
    started = time.monotonic()

    def say(text):
        with lock:
            print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="roost-pairs-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        world = FiveStores(options.roost, folder)
        try:
            readers = {store: reader_of(world, store) for store in STORES}
            overlooked = test_readers(world, readers, say)
            say(f"{len(chosen)} pairs with {options.records:,} records each, {options.jobs} at a time")
            with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
                results = list(pool.map(
                    lambda pair: PairTrial(world, readers, *pair, options, say).run(), chosen))
            for reader in readers.values():
                reader.close()
        finally:
            world.close()
    return report(options, results, overlooked, time.monotonic() - started)


def report(options, results, overlooked, seconds):
    print("\n" + table(results))
    figures = {"pairs": len(results), "seconds": round(seconds),
               **{kind: sum(one[kind] for one in results) for kind in KINDS},
               "client_errors": sum(one["client_errors"] for one in results),
               "compared": sum(one["compared"] for one in results),
               "changes": sum(one["changes"] for one in results),
               "write_pause_ms_max": max(one["write_pause_ms_max"] for one in results),
               "failed": [f"{one['source']} to {one['target']}: {one['failed']}" for one in results
                          if "failed" in one],
               "planted_faults_unnoticed": overlooked, "moves": results}
    goals = {**GOALS, "pairs": len(results)}
    missed = [f"{name} is {figures[name]}, the goal is {goal}" for name, goal in goals.items()
              if figures[name] != goal]
    print("\n".join(["", *missed, "pairs: FAILED" if missed else "pairs: passed"]))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"name": "pairs", "pass": not missed, "figures": figures, "goals": goals}, indent=2) + "\n",
            encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
