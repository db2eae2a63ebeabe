#!/usr/bin/env python3
"""Prints the table of docs/stores.md: what each store can do, by store and version, out of a run.

    tools/stores_table.py [--build build/debug] [--write]

Runs the conformance suite against every store (tests/peers starts the real servers), so it takes some
minutes. A line of the table is a claim of the stores' capabilities and names the checks of the suite
that try it. What a store claims and a check does not show makes the run fail. `--write` puts the table
into docs/stores.md; the suite itself compares it with every later run. The tests must be built
(`./dev build debug`) and the servers be there (`./dev peers weaviate-1.35.2` for the second Weaviate).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "stores.md"
BEGIN, END = "<!-- made by tools/stores_table.py -->", "<!-- end of what it made -->"
BEARER = "DocsSayWhatTheStoreClaims"  # the test that leaves the claims in its report
TIMEOUT_SECONDS = 1800


@dataclass
class Run:
    """One test binary, or a part of its tests."""

    store: str
    shard: int = 0
    shards: int = 1
    environment: dict = field(default_factory=dict)

    @property
    def name(self):
        more = " ".join(self.environment.values())
        part = f" {self.shard + 1}/{self.shards}" if self.shards > 1 else ""
        return f"{self.store}{' ' + more if more else ''}{part}"


@dataclass
class Store:
    """What the runs against one store gave."""

    title: str = ""
    wanted: int = 0
    claims: list = field(default_factory=list)
    passed: dict = field(default_factory=dict)  # check -> whether


def runs(weaviates):
    """By column of the table."""
    columns = [[Run("embedded")], [Run("pgvector")], [Run("milvus", shard, 3) for shard in range(3)]]
    columns += [[Run("weaviate", environment={"ROOST_WEAVIATE_VERSION": one})] for one in weaviates]
    return columns + [[Run("opensearch")]]


def execute(run, build, folder):
    """The report of a run."""
    binary = build / "src" / "adapters" / run.store / f"{run.store}_conformance_test"
    if not binary.exists():
        raise SystemExit(f"{binary} is not there: ./dev build {build.name}")
    report = folder / (run.name.replace(" ", "-").replace("/", "-of-") + ".json")
    if report.exists():
        return json.loads(report.read_text())
    environment = os.environ | run.environment
    environment |= {"GTEST_TOTAL_SHARDS": str(run.shards), "GTEST_SHARD_INDEX": str(run.shard)}
    print(f"==> {run.name}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [binary, f"--gtest_output=json:{report}", "--gtest_brief=1"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS,
    )
    if not report.exists():
        raise SystemExit(f"{run.name}: no report\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return json.loads(report.read_text())


def collect(reports):
    store = Store()
    for report in reports:
        for suite in report["testsuites"]:
            for case in suite["testsuite"]:
                name = case["name"]
                if name == BEARER:
                    # GoogleTest's report has a character for each byte.
                    told = json.loads(case["claims"].encode("latin-1").decode())
                    store.title, store.wanted = told["title"], told["checks"]
                    store.claims = told["claims"]
                elif suite["name"].endswith("Conformance") and case["status"] == "RUN":
                    passed = case["result"] == "COMPLETED" and not case.get("failures")
                    store.passed[name] = store.passed.get(name, True) and passed
    return store


def problems_of(store):
    """What was claimed and not shown."""
    if not store.claims:
        return ["a store told no claims"]
    problems = [f"{store.title}: {check} failed" for check, ok in store.passed.items() if not ok]
    if len(store.passed) != store.wanted:
        problems.append(f"{store.title}: {len(store.passed)} checks ran, not {store.wanted}")
    for claim in store.claims:
        for check in claim["shown_by"].split():
            if check not in store.passed:
                problems.append(f"{store.title}: \"{claim['name']}\": {check} did not run")
    return problems


def table_of(stores):
    def line(cells):
        return "| " + " | ".join(cells) + " |"

    lines = [line(["", *(store.title for store in stores), "shown by"])]
    lines.append(line(["---"] * (len(stores) + 2)))
    counts = [f"{sum(store.passed.values())} of {store.wanted}" for store in stores]
    lines.append(line(["checks passed", *counts, "the whole suite"]))
    for number, claim in enumerate(stores[0].claims):
        values = [store.claims[number]["value"] for store in stores]
        lines.append(line([claim["name"], *values, claim["shown_by"]]))
    return "\n".join(lines) + "\n"


def write(table):
    page = PAGE.read_text()
    if BEGIN not in page or END not in page:
        raise SystemExit(f"{PAGE} has no place for the table: {BEGIN} and {END}")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table}{END}{after}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "debug")
    parser.add_argument("--write", action="store_true", help="into docs/stores.md")
    parser.add_argument("--jobs", type=int, default=3, help="servers at a time")
    parser.add_argument("--weaviate", action="append", metavar="VERSION", help="1.27.0 and 1.35.2")
    parser.add_argument("--reports", type=Path, metavar="FOLDER",
                        help="keep the reports there; those that are there are not made again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the results of every check too")
    options = parser.parse_args()
    columns = runs(options.weaviate or ["1.27.0", "1.35.2"])
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(options.jobs) as pool:
        folder = options.reports or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        waiting = [
            [pool.submit(execute, run, options.build.resolve(), folder) for run in column]
            for column in columns
        ]
        stores = [collect([future.result() for future in column]) for column in waiting]
    if options.json:
        options.json.write_text(json.dumps({store.title: store.passed for store in stores}, indent=1))
    problems = [problem for store in stores for problem in problems_of(store)]
    for problem in problems:
        print(f"stores_table.py: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    print(table_of(stores), end="")
    if options.write:
        write(table_of(stores))


if __name__ == "__main__":
    main()
