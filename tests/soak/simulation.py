#!/usr/bin/env python3
"""The protocol of a move on trial: every state of the model, then millions of seeded schedules of whole
moves with crashes, lost and late messages, and planted bugs that must all be seen."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

SCHEDULES = 2_000_000
GOALS = {"violations": 0, "not_replayed": 0, "pairs_not_met": [], "ledger_mutations_caught": 10,
         "cutover_mistakes_caught": 7,
         "rules_missed": [], "planted_bugs": 10, "planted_bugs_missed": [],
         "schedules_per_minute_of_two_processors": 200_000}


def run(binary, folder, *arguments):
    """Runs one command of roost_simulation; returns whether it passed, and its figures."""
    report = folder / f"{arguments[0]}.json"
    print(f"$ roost_simulation {' '.join(arguments)}", flush=True)
    status = subprocess.run([str(binary), *arguments, "--json", str(report)], check=False).returncode
    print(flush=True)
    if not report.exists():
        return False, {}
    return status == 0, json.loads(report.read_text(encoding="utf-8"))


def trial(options, folder):
    """Whether all three commands passed, and the figures of all."""
    schedules = SCHEDULES // 10 if options.quick else SCHEDULES
    model = ["model", "--no-traces"] + ([] if options.quick else ["--three-writers"])
    model_passed, states = run(options.binary, folder, *model)
    seeds_passed, seeds = run(options.binary, folder, "schedules", "--count", str(schedules),
                              "--seed", str(options.seed), "--jobs", str(options.jobs))
    bugs_passed, bugs = run(options.binary, folder, "bugs", "--jobs", str(options.jobs))
    figures = {
        **{name: value for name, value in states.items() if name != "seconds"},
        **{name: value for name, value in seeds.items() if name != "seconds"},
        **{name: value for name, value in bugs.items() if name != "seconds"},
        "seconds": sum(part.get("seconds", 0) for part in (states, seeds, bugs)),
    }
    figures["schedules_per_minute_of_two_processors"] = \
        2 * figures.get("schedules_per_processor_minute", 0)
    return model_passed and seeds_passed and bugs_passed, figures


def reached(figures):
    """Whether the figures reach the goals: counts and rates at least, errors and lists exactly."""
    for name, goal in GOALS.items():
        value = figures.get(name)
        if value is None or (value < goal if isinstance(goal, int) and goal > 0 else value != goal):
            print(f"goal missed: {name} is {value}, the goal is {goal}")
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, default="build/release/bin/roost_simulation")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--quick", action="store_true",
                        help="a tenth of the schedules, no model of three writers")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=2, help="threads (2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roost-simulation-") as name:
        passed, figures = trial(options, pathlib.Path(name))
    passed = reached(figures) and passed
    print(json.dumps(figures, indent=2))
    print("simulation: passed" if passed else "simulation: FAILED")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"name": "simulation", "pass": passed, "figures": figures, "goals": GOALS},
            indent=2) + "\n", encoding="utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
