#!/usr/bin/env python3
"""Each store behind a TCP proxy that is slow, delays, stalls, resets and cuts replies in the middle,
while the other stores are searched beside it: deadlines hold, the breaker opens and closes, connections
do not leak, the other stores stay as quick, and no write is acknowledged that is not there."""

import argparse
import collections
import contextlib
import json
import math
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support import fault_judges  # noqa: E402
from tests.support.fault_trial import FAULTS, PLANTS, WARM_S, Plan, Trial, first_contact  # noqa: E402
from tests.support.judge import self_test  # noqa: E402
from tests.support.processes import Peer, Postgres  # noqa: E402

KINDS = ("pgvector", "milvus", "weaviate", "opensearch")


def say(text):
    print(text, flush=True)


def start_stores(kinds, folder, stack):
    """All at once, each ended with the stack."""
    peers = {kind: Postgres(folder / kind) if kind == "pgvector" else
             Peer(kind, folder / kind, *(["--optimise"] if kind == "opensearch" else []))
             for kind in kinds}
    for peer in peers.values():
        stack.callback(peer.begin().stop)
    return {kind: peer.await_ready() for kind, peer in peers.items()}


def milliseconds(seconds):
    return None if seconds is None else round(seconds * 1000)


def figures_of(evidence, judge):
    """What one trial measured."""
    lateness = [fault_judges.lateness(evidence, reply) for reply in evidence.replies]
    codes = collections.Counter(reply.code for reply in evidence.replies)
    rounds = evidence.rounds
    worst = max(fault_judges.neighbour_ratios(evidence).items(), key=lambda item: item[1])
    return {
        "replies": len(evidence.replies), "codes": dict(codes),
        "latest_ms": milliseconds(max(lateness)),
        "rounds": len(rounds),
        "opened_after_ms": [milliseconds(r.opened and r.opened - r.fault[0]) for r in rounds],
        "closed_after_ms": [milliseconds(r.closed and r.closed - r.fault[1]) for r in rounds],
        "connections_before": evidence.pool.before, "connections_after": evidence.pool.after,
        "neighbours": {kind: {
            "calm_p99_ms": fault_judges.p99_ms(samples, [r.calm for r in rounds]),
            "fault_p99_ms": fault_judges.p99_ms(samples, [r.fault for r in rounds]),
            "samples": len(samples)} for kind, samples in evidence.samples.items()},
        "worst_neighbour": worst[0], "worst_ratio": round(worst[1], 3),
        "noise_ratio": {kind: round(ratio, 3)
                        for kind, ratio in fault_judges.noise_ratios(evidence).items()},
        "acknowledged": judge.acknowledged, "in_doubt": judge.unknown,
    }


HEAD = ("store", "fault", "replies", "failed", "latest ms", "opened ms", "closed ms", "connections",
        "worst p99 ratio", "noise", "acknowledged", "violations")


def row_of(kind, fault, figures, violations):
    def longest(times):
        told = [time for time in times if time is not None]
        return str(max(told)) if told else "-"

    noise = figures["noise_ratio"][figures["worst_neighbour"]]
    return (kind, fault, str(figures["replies"]), str(figures["replies"] - figures["codes"].get("OK", 0)),
            str(figures["latest_ms"]), longest(figures["opened_after_ms"]),
            longest(figures["closed_after_ms"]) if fault not in fault_judges.HARMLESS else "-",
            f"{figures['connections_before']} → {figures['connections_after']}",
            f"{figures['worst_ratio']:.2f} ({figures['worst_neighbour']})", f"{noise:.2f}",
            str(figures["acknowledged"]), str(violations))


def print_table(rows):
    table = [HEAD, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEAD))]
    for row in table:
        say("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(row, widths))))


def try_store(plan, store, options):
    """[(fault, figures, violations by judge)], and what the judge of the ledger did not notice."""
    results = []
    # Windows of a quick run are too short for a p99: it is shown and not judged.
    without = ("neighbours",) if options.quick and options.plant != "slow-neighbour" else ()
    trial = Trial(plan, store)
    try:
        slowest = trial.warm_up()
        if slowest > WARM_S:
            say(f"{store.kind}: a call takes up to {slowest * 1000:.0f} ms before there is any fault; this "
                "machine is too busy to judge")
        for fault in options.faults:
            evidence = trial.run(fault)
            violations = fault_judges.judge_all(evidence, without)
            results.append((fault, figures_of(evidence, trial.judge), violations))
            for name, texts in violations.items():
                for text in texts[:5]:
                    say(f"VIOLATION {store.kind}, {fault}, {name}: {text}")
            say(f"{store.kind}, {fault}: {len(evidence.rounds)} rounds, {len(evidence.replies)} replies, "
                f"{sum(map(len, violations.values()))} violations")
        unnoticed = [] if any(r[2]["ledger"] for r in results) else self_test(trial.judge, trial.found)
    finally:
        trial.close()
    return results, unnoticed


def without_nan(value):
    if isinstance(value, dict):
        return {name: without_nan(part) for name, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def run(options):
    figures, rows, violations, unnoticed = {}, [], {}, fault_judges.self_test()
    with tempfile.TemporaryDirectory(prefix="roost-store-faults-") as name, \
            contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        stores = start_stores(options.stores, folder, stack)
        plan = Plan(options.roost, folder, stores, options.quick, options.seed, options.plant)
        plan.fill()
        violations["first contact"] = first_contact(plan)
        for text in violations["first contact"]:
            say(f"VIOLATION first contact: {text}")
        for kind in options.stores:
            results, missed = try_store(plan, plan.stores[kind], options)
            unnoticed += missed
            for fault, measured, found in results:
                figures[f"{kind}/{fault}"] = measured
                texts = [f"{judge}: {text}" for judge, some in found.items() for text in some]
                violations[f"{kind}/{fault}"] = texts
                rows.append(row_of(kind, fault, measured, len(texts)))
    return figures, rows, violations, unnoticed


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roost", default="build/release/bin/roost")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--quick", action="store_true",
                        help="one short round each; the other stores' p99 is shown and not judged")
    parser.add_argument("--stores", nargs="+", choices=KINDS, default=KINDS, metavar="STORE",
                        help="only these, beside the embedded one")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", choices=PLANTS,
                        help="a fault of the trial itself: shows that it is noticed (the run must fail)")
    return parser.parse_args()


def main():
    options = parse_arguments()
    figures, rows, violations, unnoticed = run(options)
    print_table(rows)
    count = sum(map(len, violations.values()))
    passed = count == 0 and not unnoticed and bool(rows)
    say(f"planted faults unnoticed: {unnoticed}")
    say("store-faults: passed" if passed else f"store-faults: FAILED, {count} violations")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(without_nan({
            "name": "store-faults", "pass": passed, "figures": figures, "violations": violations,
            "goals": {"violations": 0, "planted_faults_unnoticed": [],
                      "late_ms": fault_judges.LATE_S * 1000, "close_s": fault_judges.CLOSE_S,
                      "neighbour_p99_ratio": fault_judges.NEIGHBOUR_RATIO},
            "planted_faults_unnoticed": unnoticed}), indent=2) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
