#!/usr/bin/env python3
"""What Roost costs in front of a store: the same search by the store's own protocol and through Roost,
and a move beside the store's own bulk load.

Run it as `./dev bench gateway [--json FILE] [--markdown FILE] [--quick] [--all-pairs]`.

Searches: 1, 16 and 128 callers, all threads of one process (gateway_bench_driver.cc) for both sides, which
take turns in short slices. The native side asks the very collection that Roost made, as the store's own
clients would: libpq and a prepared statement, Milvus' and Weaviate's messages over one gRPC connection,
JSON over HTTP for OpenSearch. (The gRPC client is the one of src/net: Debian's costs three times the
processor time and would flatter Roost.) Replies are read to their last byte and not decoded. First as fast
as it goes, then at half of the store's own rate.

With two processors or more the store has one to itself and Roost and the callers share another, so that
the store is the bottleneck and not who gets the processor: "busy" tells how much of it the store used.

Backfill: a move's COPY beside a bulk load by pymilvus, weaviate-client, psql and HTTP of as many records.
"""

import argparse
import contextlib
import json
import os
import pathlib
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.bench import gateway_backfill, gateway_search  # noqa: E402
from tests.support.processes import Peer, Postgres, Roost  # noqa: E402

KINDS = ("pgvector", "milvus", "weaviate", "opensearch")
LEVELS = (1, 16, 128)
MAX_ADDED_P50_MS = 0.5
MAX_ADDED_P99_MS = 2.0
MIN_THROUGHPUT = 0.9
BUSY = 0.85  # of its processor: then the store is the bottleneck
MIN_BACKFILL = 0.9


def say(text):
    print(text, flush=True)


@contextlib.contextmanager
def on_processor(number):
    """What starts meanwhile stays there; nothing with a single processor."""
    every = sorted(os.sched_getaffinity(0))
    if len(every) > 1:
        os.sched_setaffinity(0, {every[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(every))


def start_peer(kind, folder):
    if kind == "pgvector":
        return Postgres(folder / kind, settings=[f"max_connections={max(LEVELS) + 50}"])
    return Peer(kind, folder / kind, *(["--optimise"] if kind == "opensearch" else []))


def measure_searches(options, kind, folder):
    """Of one store: {callers: {"full", "half": {arm: figures}}}, its version and what both sides share."""
    records = 12_000 if options.quick else 20_000
    rounds, seconds = (1, 1.5) if options.quick else (4, 3.0)
    with contextlib.ExitStack() as stack:
        with on_processor(0):
            peer = stack.enter_context(start_peer(kind, folder))
        with on_processor(-1):
            roost = stack.enter_context(Roost(options.roost, folder / "roost", {kind: peer.address()},
                                              ("--log.level", "error")))
            queries = gateway_search.vectors_of(2, gateway_search.QUERIES)
            driver = gateway_search.Driver(options.driver, folder, queries)
        stack.callback(driver.close)
        client = roost.client(timeout=300)
        gateway_search.load(client, kind, gateway_search.NAME, gateway_search.vectors_of(1, records))
        pids = {"store": int(peer.fields["server"]), "roost": roost.process.pid}
        gateway_search.wait_until_ready(client, pids.values())
        gateway_search.NATIVE[kind](driver, peer, queries)
        gateway_search.roost_arm(driver, roost.port, queries)
        gateway_search.warm_up(driver, 4 if options.quick else 20)
        overlap = gateway_search.overlap(driver)
        if overlap < gateway_search.MIN_OVERLAP:
            raise SystemExit(f"gateway_bench: both sides of {kind} share {overlap:.0%} of the hits only")
        version = gateway_search.version_of(client, kind)
        client.close()
        levels = gateway_search.measure(driver, pids, LEVELS, rounds, seconds)
        roost.stop()
    return {"levels": levels, "overlap": overlap, "version": version}


def measure_backfill(options, folder):
    count = 4_000 if options.quick else 30_000
    sources = ("embedded", *options.stores) if options.all_pairs else ("embedded",)
    pairs = [(source, target) for source in sources for target in options.stores if source != target]
    with contextlib.ExitStack() as stack:
        peers = {kind: stack.enter_context(start_peer(kind, folder)) for kind in options.stores}
        addresses = {kind: peer.address() for kind, peer in peers.items()}
        roost = stack.enter_context(Roost(options.roost, folder / "roost", addresses,
                                          ("--log.level", "error")))
        results = gateway_backfill.measure(roost, peers, folder, pairs, count,
                                           1 if options.quick else 3, say)
        roost.stop()
    return results


def goals_of(searches, backfill):
    """{name: {"value", "min" or "max", "pass"}}. `pass` None: the store was not the bottleneck."""
    goals = {}
    for kind, found in searches.items():
        for callers, level in found["levels"].items():
            native, roost = level["half"]["native"], level["half"]["roost"]
            for name, limit in (("p50", MAX_ADDED_P50_MS), ("p99", MAX_ADDED_P99_MS)):
                added = roost[f"{name}_ms"] - native[f"{name}_ms"]
                goals[f"{kind} {callers} added {name} ms"] = {
                    "value": added, "max": limit, "pass": bool(added <= limit)}
            native, roost = level["full"]["native"], level["full"]["roost"]
            ratio = roost["per_second"] / native["per_second"]
            bottleneck = native["store_busy"] >= BUSY
            goals[f"{kind} {callers} throughput"] = {
                "value": ratio, "min": MIN_THROUGHPUT,
                "pass": bool(ratio >= MIN_THROUGHPUT) if bottleneck else None}
    for pair, found in backfill.items():
        goals[f"backfill {pair}"] = {"value": found["ratio"], "min": MIN_BACKFILL,
                                     "pass": bool(found["ratio"] >= MIN_BACKFILL)}
    return goals


def mark(goal):
    return {True: "", False: " ✗", None: " (not the bottleneck)"}[goal["pass"]]


SEARCH_HEAD = ("store", "callers", "searches/s native", "through Roost", "ratio", "store busy",
               "at half load: p50 ms native", "added", "p99 ms native", "added",
               "CPU µs a search: store native", "store", "Roost")


def search_rows(searches, goals):
    for kind, found in searches.items():
        for callers, level in found["levels"].items():
            full, half, name = level["full"], level["half"], f"{kind} {callers} "
            added = [goals[f"{name}added {which} ms"] for which in ("p50", "p99")]
            ratio = goals[f"{name}throughput"]
            yield (kind, str(callers), f"{full['native']['per_second']:,.0f}",
                   f"{full['roost']['per_second']:,.0f}", f"{ratio['value']:.2f}{mark(ratio)}",
                   f"{full['native']['store_busy']:.2f}",
                   f"{half['native']['p50_ms']:.2f}", f"{added[0]['value']:+.2f}{mark(added[0])}",
                   f"{half['native']['p99_ms']:.2f}", f"{added[1]['value']:+.2f}{mark(added[1])}",
                   f"{full['native']['store_us']:,.0f}", f"{full['roost']['store_us']:,.0f}",
                   f"{full['roost']['roost_us']:,.0f}")


BACKFILL_HEAD = ("move", "own bulk load, records/s", "move, records/s", "ratio")


def backfill_rows(backfill, goals):
    for pair, found in backfill.items():
        yield (pair, f"{found['native_per_second']:,.0f}", f"{found['roost_per_second']:,.0f}",
               f"{found['ratio']:.2f}{mark(goals[f'backfill {pair}'])}")


def markdown_table(head, rows):
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows))


def markdown(result, searches, backfill):
    """The section of docs/benchmarks.md about this benchmark."""
    versions = ", ".join(f"{kind} {found['version']}" for kind, found in searches.items())
    missed = [name for name, goal in result["goals"].items() if goal["pass"] is False]
    words = "All goals are met." if not missed else f"Missed (✗): {len(missed)} of {len(result['goals'])}."
    search = gateway_search
    return f"""## In front of a store

`./dev bench gateway`: {versions}. The same search (top {search.TOP_K}, {search.DIMENSION} dimensions,
HNSW, ef {search.EF}, two fields of each hit) by the store's own protocol and through Roost, callers of both
sides in one process, taking turns. The store has one processor to itself, Roost and the callers share
another. Goals: at half of the store's own rate at most {MAX_ADDED_P50_MS} ms more at the median and
{MAX_ADDED_P99_MS:.0f} ms at p99; at least {MIN_THROUGHPUT:.0%} of its throughput where the store is the bottleneck
(busy for {BUSY:.0%} of the time or more). {words}

{markdown_table(SEARCH_HEAD, search_rows(searches, result["goals"]))}

A move's COPY beside a bulk load of the same records by the store's own client (psql, pymilvus,
weaviate-client, `_bulk`); goal: at least {MIN_BACKFILL} of it.

{markdown_table(BACKFILL_HEAD, backfill_rows(backfill, result["goals"]))}
"""


def print_table(head, rows):
    table = [head, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for row in table:
        say("  ".join(cell.rjust(width) for cell, width in zip(row, widths)))
    say("")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--markdown", metavar="FILE", help="write the section for the docs there")
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke test")
    parser.add_argument("--all-pairs", action="store_true",
                        help="moves from every store to every other; by default from embedded")
    parser.add_argument("--stores", nargs="+", choices=KINDS, default=KINDS, metavar="STORE")
    parser.add_argument("--only", choices=("searches", "backfill"))
    parser.add_argument("--build", default=os.environ.get("ROOST_BUILD", "build/release"),
                        help="the Release build folder (default: %(default)s)")
    parser.add_argument("--roost", help="the program (default: bin/roost in the build folder)")
    options = parser.parse_args()
    build = REPOSITORY / options.build
    options.roost = pathlib.Path(options.roost or build / "bin/roost").absolute()
    options.driver = build / "tests/bench/roost_gateway_bench"
    for program in (options.roost, options.driver):
        if not program.exists():
            parser.error(f"{program} is missing; build it first")
    return options


def main():
    options = parse_arguments()
    searches, backfill = {}, {}
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for kind in options.stores if options.only != "backfill" else ():
            (folder / kind).mkdir(mode=0o755)
            searches[kind] = measure_searches(options, kind, folder / kind)
            say(f"{kind}: searched, {searches[kind]['overlap']:.1%} of the hits are the same")
        if options.only != "searches":
            (folder / "backfill").mkdir(mode=0o755)
            backfill = measure_backfill(options, folder / "backfill")
    goals = goals_of(searches, backfill)
    passed = all(goal["pass"] is not False for goal in goals.values())
    result = {"name": "gateway", "pass": passed, "goals": goals,
              "figures": {"searches": searches, "backfill": backfill}}
    if searches:
        print_table(SEARCH_HEAD, search_rows(searches, goals))
    if backfill:
        print_table(BACKFILL_HEAD, backfill_rows(backfill, goals))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    if options.markdown:
        pathlib.Path(options.markdown).write_text(markdown(result, searches, backfill))
    for name, goal in goals.items():
        if goal["pass"] is False:
            bound = f"at least {goal['min']}" if "min" in goal else f"at most {goal['max']}"
            say(f"missed: {name} is {goal['value']:.3f}, wanted {bound}")
    say("gateway: passed" if passed else "gateway: MISSED its goals")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
