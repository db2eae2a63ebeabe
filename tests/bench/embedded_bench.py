#!/usr/bin/env python3
"""The embedded store next to hnswlib (a bare library) and zvec (an embedded database).

Run it as `./dev bench embedded [--json FILE] [--quick] [--markdown FILE]`. All three index the demo's
records: one vector and the text of each package of the Debian index. 1,000 records are held out and
serve as queries; the right answers come from comparing each with every vector. Each system's ef is
raised until its recall@10 reaches 0.95; at that ef the systems take turns, so that a busy moment hits
all of them alike.

- Roost is called through its public interface (OpenEmbeddedStore): records with all fields, written in
  batches of 500, each acknowledged when it is on disk; then Compact makes one segment of all, whose
  graph covers every record, and that time counts. A search returns the records' keys.
- hnswlib 0.8.0 is its C++ header compiled here with -march=native: vectors and labels, no records,
  nothing on disk. Its CPU time a query is the yardstick.
- zvec 0.8.0 is used through its Python package (the call's overhead is part of its figures): the same
  records with a full-text index on the description, batches of 500, one flush, optimize.

All have M 16, efConstruction 200, float32 input, cosine, two threads to build and one or two to search.
CPU time is compared, not wall time, where that can be done: it depends less on what else runs.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BENCH = REPOSITORY / "tests/bench"
DEV = REPOSITORY / ".dev"
sys.path.insert(0, str(REPOSITORY / "tests/demo"))
import packages  # noqa: E402

HNSWLIB = "0.8.0"
HNSWLIB_SHA256 = "cb6d037eedebb34a7134e7dc78966441dfd04c9cf5ee93911be911ced951c44c"
TOP_K = 10
QUERIES = 1000
BUILD_THREADS = 2
EF_STEPS = (10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 200, 256, 384, 512)
MIN_RECALL = 0.95
MAX_CPU_RATIO = 2.0
MAX_REOPEN_S = 1.0
MIN_INGEST = 3000.0


def fail(message):
    sys.exit(f"embedded_bench: {message}")


def hnswlib_driver():
    """The driver's path; fetches hnswlib's sources and compiles it when it is not there or is old."""
    folder = DEV / "peers" / f"hnswlib-{HNSWLIB}"
    binary = folder / "driver"
    sources = [BENCH / "hnswlib_driver.cc", BENCH / "search_driver.h"]
    if binary.exists() and all(binary.stat().st_mtime > s.stat().st_mtime for s in sources):
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"hnswlib-{HNSWLIB}.tar.gz"
    if not archive.exists():
        wanted = folder / "requirements.txt"
        wanted.write_text(f"hnswlib=={HNSWLIB} --hash=sha256:{HNSWLIB_SHA256}\n")
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet",
                        "--disable-pip-version-check", "--no-deps", "--no-build-isolation",
                        "--no-binary", ":all:", "--require-hashes", "-r", wanted, "-d", folder],
                       check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    subprocess.run(["g++", "-std=c++20", "-O3", "-march=native", "-pthread", f"-I{BENCH}",
                    f"-I{folder / archive.name.removesuffix('.tar.gz')}", sources[0], "-o", binary],
                   check=True)
    return binary


class Driver:
    """A process that runs commands; see search_driver.h."""

    def __init__(self, *command, opens):
        self._process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        self.opened = self._reply() if opens else None

    def _reply(self):
        line = self._process.stdout.readline()
        if not line:
            fail(f"{pathlib.Path(self._process.args[0]).name} ended unexpectedly")
        return json.loads(line)

    def ask(self, *words):
        print(*words, file=self._process.stdin, flush=True)
        return self._reply()

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=300)


class Data:
    """Records, vectors and queries in `folder`, as the drivers read them, and the right answers."""

    def __init__(self, folder, limit):
        self.folder = folder
        records, vectors = packages.load(DEV / "data/packages",
                                         lambda text: print(text, file=sys.stderr))
        order = np.random.default_rng(1).permutation(len(vectors))
        held_out, stored = order[:QUERIES], np.sort(order[QUERIES:][:limit])
        self.base, self.queries = vectors[stored], vectors[held_out]
        self.base.tofile(folder / "base.f32")
        self.queries.tofile(folder / "queries.f32")
        with open(folder / "records.jsonl", "w", encoding="utf-8") as out:
            for row in stored:
                out.write(json.dumps(records[row], ensure_ascii=False) + "\n")
        collection = packages.COLLECTION
        schema = {"name": collection["name"], "key": {"name": "id"}, "fields": collection["fields"],
                  "vectors": collection["vectors"]}
        (folder / "schema.json").write_text(json.dumps(schema) + "\n")
        similarity = self.queries @ self.base.T
        self._tenth = np.partition(similarity, -TOP_K, axis=1)[:, -TOP_K]

    def recall(self, file):
        """A row counts when it is as near as the tenth nearest: of equal ones any will do."""
        rows = np.fromfile(file, np.int32).reshape(QUERIES, TOP_K)
        similarity = np.einsum("qd,qkd->qk", self.queries, self.base[np.maximum(rows, 0)])
        distinct = np.array([len(set(found)) == TOP_K for found in rows])
        right = (similarity >= self._tenth[:, None] - 1e-6) & (rows >= 0)
        return float((right.mean(axis=1) * distinct).mean())


def tune(name, driver, data):
    """The smallest ef that reaches the recall, and that recall."""
    file = data.folder / f"{name}.i32"
    for ef in EF_STEPS:
        driver.ask("search", ef, 1, 1, file)
        recall = data.recall(file)
        if recall >= MIN_RECALL:
            return ef, recall
    fail(f"{name} does not reach recall {MIN_RECALL}")


def measure(drivers, efs, folder, turns, rounds):
    """Medians by system, one thread and two."""
    runs = {name: [] for name in drivers}
    for _ in range(turns):
        for name, driver in drivers.items():
            one = driver.ask("search", efs[name], 1, rounds, folder / "unused.i32")
            two = driver.ask("search", efs[name], 2, rounds, folder / "unused.i32")
            runs[name].append({"cpu_us": one["cpu_us"], "qps": one["qps"], "p50_us": one["p50_us"],
                               "p99_us": one["p99_us"], "qps_2": two["qps"],
                               "p99_2_us": two["p99_us"]})
    return {name: {key: statistics.median(run[key] for run in values) for key in values[0]}
            for name, values in runs.items()}


def reopen(commands, drivers):
    """Closes the stores and opens each in a new process, three times: the median until the first
    search was answered with its index in place."""
    figures = {}
    for name, command in commands.items():
        drivers[name].close()
        times = []
        for _ in range(3):
            driver = Driver(*command, opens=True)
            times.append(driver.opened["first_search_s"])
            driver.close()
        figures[name] = statistics.median(times)
    return figures


def run(arguments, folder):
    data = Data(folder, 10_000 if arguments.quick else None)
    turns, rounds = (1, 1) if arguments.quick else (5, 3)
    binary = REPOSITORY / arguments.build / "tests/bench/roost_embedded_bench"
    if not binary.exists():
        fail(f"{binary} is missing; build target roost_embedded_bench first")
    stores = {"roost": [binary, folder, folder / "roost", BUILD_THREADS],
              "zvec": [sys.executable, BENCH / "zvec_driver.py", folder, folder / "zvec",
                       BUILD_THREADS]}
    bare = [hnswlib_driver(), folder, data.base.shape[1], BUILD_THREADS]
    drivers = {"roost": Driver(*stores["roost"], opens=True), "hnswlib": Driver(*bare, opens=False),
               "zvec": Driver(*stores["zvec"], opens=True)}
    rows = {}
    for name, driver in drivers.items():
        built = driver.ask("ingest")
        ef, recall = tune(name, driver, data)
        rows[name] = {"ef": ef, "recall": recall,
                      "ingest_per_s": len(data.base) / built["seconds"],
                      "ingest_cpu_us": built["cpu_seconds"] / len(data.base) * 1e6,
                      "disk_bytes_per_record": built.get("bytes_on_disk", 0) / len(data.base)}
    for name, row in measure(drivers, {n: r["ef"] for n, r in rows.items()}, folder, turns,
                             rounds).items():
        rows[name] |= row
    drivers["hnswlib"].close()
    for name, seconds in reopen(stores, drivers).items():
        rows[name]["reopen_s"] = seconds
    return rows, len(data.base)


def summarise(rows, records):
    figures = {"records": records}
    for name, row in rows.items():
        for key, value in row.items():
            figures[f"{name}_{key}"] = round(value, 4)
    figures["cpu_ratio_hnswlib"] = round(rows["roost"]["cpu_us"] / rows["hnswlib"]["cpu_us"], 3)
    figures["cpu_ratio_zvec"] = round(rows["roost"]["cpu_us"] / rows["zvec"]["cpu_us"], 3)
    goals = {"cpu_ratio_hnswlib": {"max": MAX_CPU_RATIO}, "roost_reopen_s": {"max": MAX_REOPEN_S},
             "roost_ingest_per_s": {"min": MIN_INGEST}, "roost_recall": {"min": MIN_RECALL}}
    for name, goal in goals.items():
        value = figures[name]
        goal["pass"] = goal.get("min", value) <= value <= goal.get("max", value)
    passed = all(goal["pass"] for goal in goals.values())
    return {"name": "embedded", "pass": passed, "figures": figures, "goals": goals}


COLUMNS = (("ef", "ef", "{:.0f}"), ("recall", "recall@10", "{:.4f}"),
           ("cpu_us", "CPU µs/query", "{:.1f}"), ("qps", "QPS, 1 thread", "{:,.0f}"),
           ("p99_us", "p99 µs", "{:.0f}"), ("qps_2", "QPS, 2 threads", "{:,.0f}"),
           ("p99_2_us", "p99 µs (2)", "{:.0f}"), ("ingest_per_s", "ingest records/s", "{:,.0f}"),
           ("ingest_cpu_us", "ingest CPU µs/record", "{:.0f}"), ("reopen_s", "reopen s", "{:.3f}"))


def cells(row):
    return [form.format(row[key]) if key in row else "-" for key, _, form in COLUMNS]


def print_table(rows):
    titles = [title for _, title, _ in COLUMNS]
    print(f"{'':<8}" + "".join(f"{title:>{len(title) + 2}}" for title in titles))
    for name, row in rows.items():
        print(f"{name:<8}" + "".join(f"{cell:>{len(title) + 2}}"
                                     for cell, title in zip(cells(row), titles)))


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{model.group(1) if model else platform.processor()}, {os.cpu_count()} cores"


def markdown(rows, result, quick):
    figures = result["figures"]
    lines = [
        "## Embedded store", "",
        f"`./dev bench embedded{' --quick' if quick else ''}` on {machine()}; {platform.system()}, "
        f"{figures['records']:,} records of {packages.DIMENSION} dimensions, {QUERIES:,} held-out "
        f"queries. hnswlib {HNSWLIB} (C++, -march=native), zvec "
        f"{importlib.metadata.version('zvec')} (its Python package).", "",
        "| | " + " | ".join(title for _, title, _ in COLUMNS) + " |",
        "| --- |" + " ---: |" * len(COLUMNS)]
    lines += [f"| {name} | " + " | ".join(cells(row)) + " |" for name, row in rows.items()]
    lines += ["", "| goal | wanted | measured | |", "| --- | --- | ---: | --- |"]
    for name, goal in result["goals"].items():
        bound = f"≤ {goal['max']}" if "max" in goal else f"≥ {goal['min']}"
        lines.append(f"| {name} | {bound} | {figures[name]} | {'pass' if goal['pass'] else 'FAIL'} |")
    lines += ["", "hnswlib keeps vectors and labels in memory only; Roost and zvec keep whole records "
              "on disk, with a keyword index of the descriptions. Ingest ends when the graph covers "
              "every record. How each is used stands at the top of tests/bench/embedded_bench.py.", ""]
    return "\n".join(lines)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--markdown", metavar="FILE", help="write a section for docs/benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="10,000 records, one short round")
    parser.add_argument("--build", default=os.environ.get("ROOST_BUILD", "build/release"),
                        help="the Release build folder (default: %(default)s)")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    scratch = DEV / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="embedded-", dir=scratch) as folder:
        rows, records = run(arguments, pathlib.Path(folder))
    result = summarise(rows, records)
    print_table(rows)
    for name, goal in result["goals"].items():
        if not goal["pass"]:
            print(f"goal missed: {name} is {result['figures'][name]}, wanted {goal}")
    print("pass" if result["pass"] else "FAIL")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(result, indent=2) + "\n")
    if arguments.markdown:
        pathlib.Path(arguments.markdown).write_text(markdown(rows, result, arguments.quick))
    sys.exit(0 if result["pass"] else 1)


if __name__ == "__main__":
    main()
