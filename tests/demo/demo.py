#!/usr/bin/env python3
"""Roost in a few minutes: real records, search by meaning, a live move to PostgreSQL and back."""

import argparse
import json
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.demo import packages  # noqa: E402
from tests.demo.traffic import Reader, Writer  # noqa: E402
from tests.support.client import pack  # noqa: E402
from tests.support.compare import compare, digest, read_postgres, read_rest  # noqa: E402
from tests.support.processes import Postgres, Roost, free_port  # noqa: E402

COLUMNS = {"section": "text", "priority": "text", "version": "text", "installed_kib": "int",
           "maintainer": "text", "tags": "json", "description": "text", "revision": "int"}
NAME = packages.COLLECTION["name"]
GOALS = {"records_compared": 60_000, "lost": 0, "resurrected": 0, "client_errors": 0,
         "write_pause_ms_max": 1_000}


class Screen:
    """What the person at the terminal sees."""

    def __init__(self):
        self._tty = sys.stdout.isatty()
        self._line = 0
        self._told = time.monotonic()

    def title(self, text):
        self.clear()
        print(f"\n\033[1m{text}\033[0m" if self._tty else f"\n== {text}", flush=True)

    def say(self, text):
        self.clear()
        print("  " + text, flush=True)

    def progress(self, text):
        if self._tty:
            print("\r  " + text.ljust(self._line), end="", flush=True)
            self._line = len(text)
        elif time.monotonic() - self._told > 10:  # a log: now and then
            self._told = time.monotonic()
            print("  " + text, flush=True)

    def clear(self):
        if self._tty and self._line:
            print("\r" + " " * (self._line + 2) + "\r", end="", flush=True)
            self._line = 0


def load_records(client, records, vectors, screen):
    client.post("/v1/collections", packages.COLLECTION)
    begin = time.monotonic()
    batch = 500
    for start in range(0, len(records), batch):
        rows = [{**record, "embedding": pack(vector)}
                for record, vector in zip(records[start:start + batch], vectors[start:start + batch])]
        result = client.upsert(NAME, rows)
        if result["written"] != len(rows):
            raise SystemExit(f"only {result['written']} of {len(rows)} rows were taken: {result['errors'][:1]}")
        done = start + len(rows)
        rate = done / (time.monotonic() - begin)
        screen.progress(f"{done:,} of {len(records):,} records, {rate:,.0f}/s, "
                        f"{(len(records) - done) / rate:.0f} s left")
    seconds = time.monotonic() - begin
    screen.say(f"{len(records):,} records with {packages.DIMENSION}-dimensional vectors loaded in "
               f"{seconds:.1f} s ({len(records) / seconds:,.0f}/s), each batch on disk when acknowledged")


def show_hits(screen, hits, milliseconds):
    for place, hit in enumerate(hits, 1):
        record = hit["record"]
        summary = record["description"].split("\n")[0]
        screen.say(f"{place}. {hit['id']:<28.28} {hit['score']:7.3f}  [{record['section']}] {summary:.58}")
    screen.say(f"   {milliseconds:.1f} ms")


def show_searches(client, embed, screen):
    fields = ["section", "description"]

    def ask(question, path, request):
        screen.title(question)
        begin = time.monotonic()
        hits = client.post(f"/v1/collections/{NAME}/{path}",
                           {**request, "top_k": 5, "fields": fields})["hits"][0]
        show_hits(screen, hits, (time.monotonic() - begin) * 1000)
        if not hits:
            raise SystemExit("the search found nothing")

    def by_meaning(text):
        return {"vector": pack(embed([text])[0])}

    ask("By meaning: \"make my photos look better\"", "search", by_meaning("make my photos look better"))
    ask("By meaning: \"watch the night sky and planets\"", "search",
        by_meaning("watch the night sky and planets"))
    ask("By keyword: \"spreadsheet\"", "search", {"text": "spreadsheet"})
    ask("By both, fused: \"edit sound files\"", "hybrid-search",
        {"searches": [by_meaning("edit sound files"), {"text": "edit sound files"}]})
    ask("By meaning with a filter: \"a game with trains\", section == \"games\" and installed_kib < 5000",
        "search", {**by_meaning("a game with trains"),
                   "filter": 'section == "games" and installed_kib < 5000'})


def describe(move):
    counts = move["counts"]
    parts = [f"{move['state']:<9}"]
    if counts["chunks"]:
        parts.append(f"copied {counts['copied']:,}/{counts['source_records']:,}")
    if move["state"] == "COPY" and counts["copy_rows_per_second"]:
        parts.append(f"{counts['copy_rows_per_second']:,.0f}/s")
    if move.get("seconds_left") is not None:
        parts.append(f"{move['seconds_left']:.0f} s left")
    if counts["verified"]:
        parts.append(f"verified {counts['verified']:,}")
    if move["read_percent_target"]:
        parts.append(f"reads {move['read_percent_target']} %")
    parts.append(f"dirty {counts['dirty']}")
    return "  ".join(parts)


def follow(client, move_id, screen, reached, timeout, at_state, states):
    """Shows the move until `reached` says so. `at_state` maps a state to what to do in it, once;
    `states` gets the time of each change of state."""
    seen = None
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        move = client.get(f"/v1/migrations/{move_id}")
        if move["state"] != seen:
            seen = move["state"]
            states.append((time.monotonic(), seen))
            screen.say(describe(move))
        screen.progress(describe(move) + "  " + move["waiting_for"][:60])
        if at_state and seen in at_state and at_state[seen](move):
            del at_state[seen]
        if reached(move):
            screen.clear()
            return move
        time.sleep(0.05)
    raise SystemExit(f"the move did not come through in {timeout} s: {json.dumps(move)}")


class Trial:
    """The move there and back under traffic, and what is found."""

    def __init__(self, roost, postgres, writer, reader, screen, folder):
        self.roost, self.postgres = roost, postgres
        self.writer, self.reader, self.screen = writer, reader, screen
        self.folder = folder
        self.client = roost.client()
        self.found = {"compared": 0, "lost": 0, "resurrected": 0, "wrong": 0}
        self.move = None
        self.states = []  # (when it was first seen, state)

    def follow(self, reached, timeout, at_state=None):
        follow(self.client, self.move, self.screen, reached, timeout, at_state, self.states)

    def state_at(self, moment):
        seen = [state for when, state in self.states if when <= moment]
        return seen[-1] if seen else "PLANNED"

    def there(self):
        screen = self.screen
        screen.title("Moving the collection to PostgreSQL while it is written and read")
        created = self.client.post("/v1/migrations", {
            "collection": NAME, "target": "postgres", "automatic": True,
            "policy": {"ramp_hold_ms": 1000, "shadow_hold_ms": 1500, "shadow_percent": 10}})
        self.move = created["id"]

        def cut(move):
            if move["counts"]["copied"] < move["counts"]["source_records"] // 4:
                return False
            screen.say(f"cutting Roost's connections to PostgreSQL: {self.postgres.cut_connections()} ended")
            return True

        self.follow(lambda m: m["state"] == "REVERSED", 900, {"COPY": cut})
        screen.say("PostgreSQL answers now; the embedded store follows, so the way back loses nothing")

    def back(self):
        self.screen.title("Rolling back while it is written and read")
        begin = time.monotonic()
        self.client.post(f"/v1/migrations/{self.move}/rollback")
        self.follow(lambda m: m["state"] not in ("REVERSED", "ROLLING_BACK"), 120)
        self.screen.say(f"the embedded store answers again after {time.monotonic() - begin:.2f} s")

    def check(self, where):
        """Rests the writer, waits until both stores are level, and compares them with its account."""
        self.writer.pause()
        self.follow(lambda m: m["counts"]["dirty"] == 0 and m["counts"]["inflight"] == 0, 120)
        doubtful = self.writer.doubtful
        expected = {name: digest(record, vector, COLUMNS)
                    for name, (record, vector) in self.writer.state.items() if name not in doubtful}
        readings = {
            "Roost, by REST": read_rest(self.client, NAME, "id", "embedding", list(COLUMNS)),
            "PostgreSQL, by psql": read_postgres(self.postgres, NAME, "embedding", COLUMNS,
                                                 self.folder / "dump.tsv"),
        }
        for reader, found in readings.items():
            found = {name: value for name, value in found.items() if name not in doubtful}
            departures = compare(expected, found)
            counts = {kind: len(keys) for kind, keys in departures.items()}
            self.found["compared"] = max(self.found["compared"], len(found))
            for kind, count in counts.items():
                self.found[kind] += count
            self.screen.say(f"{where}: {reader}: {len(found):,} records compared with the writer's account: "
                            f"{counts['lost']} lost, {counts['resurrected']} resurrected, "
                            f"{counts['wrong']} wrong" +
                            "".join(f" {keys[:3]}" for keys in departures.values() if keys))
        self.writer.resume()


def run(options, folder, screen):
    screen.title("Data: the Debian packages this machine knows, with vectors of their descriptions")
    records, vectors = packages.load(ROOT / ".dev" / "data" / "packages", screen.say)
    if options.quick:
        records, vectors = records[::10], vectors[::10]
    screen.say(f"{len(records):,} records")
    embed = packages.Embedder()
    postgres_port = free_port()
    uri = f"postgresql://postgres@127.0.0.1:{postgres_port}/postgres"
    with Roost(options.roost, folder / "data", {"postgres": uri}) as roost:
        screen.title(f"Roost serves on port {roost.port} with the embedded store")
        client = roost.client()
        load_records(client, records, vectors, screen)
        show_searches(client, embed, screen)
        state = {record["id"]: (record, vector) for record, vector in zip(records, vectors)}
        writer = Writer(roost.port, NAME, state, embed, rate=300)
        reader = Reader(roost.port, NAME, vectors[:: max(1, len(vectors) // 500)])
        reader.start()
        writer.start()
        screen.title("A writer (300 changes a second) and a reader begin; this is the time before")
        before = time.monotonic()
        time.sleep(5 if options.quick else 15)
        screen.title("Starting a real PostgreSQL with pgvector")
        with Postgres(folder / "postgres", postgres_port) as postgres:
            screen.say(postgres.psql("select version()").strip()[:70])
            return move_there_and_back(roost, postgres, writer, reader, before, screen, folder)


def move_there_and_back(roost, postgres, writer, reader, before, screen, folder):
    trial = Trial(roost, postgres, writer, reader, screen, folder)
    writer.reset_longest()
    begin = time.monotonic()
    trial.there()
    trial.check("after the move")
    time.sleep(3)
    trial.back()
    trial.check("after the rollback")
    end = time.monotonic()
    longest, longest_in = writer.longest_ms, trial.state_at(writer.longest_at)
    trial.client.post(f"/v1/migrations/{trial.move}/abort")
    trial.follow(lambda m: m["final"], 60)
    time.sleep(5)
    writer.stop()
    reader.stop()
    errors = writer.errors + reader.errors()
    moments = {"before": (before, begin), "during": (begin, end), "after": (end, time.monotonic())}
    figures = {
        "records_compared": trial.found["compared"],
        "lost": trial.found["lost"],
        "resurrected": trial.found["resurrected"],
        "wrong": trial.found["wrong"],
        "client_errors": len(errors),
        "write_pause_ms_max": round(longest, 1),
        "write_pause_longest_in": longest_in,
        "changes_written": writer.operations,
        "searches": len(reader.samples),
        "move_and_rollback_seconds": round(end - begin, 1),
    }
    for moment, (start, stop) in moments.items():
        for name, value in zip(("p50", "p95", "p99"), reader.percentiles(start, stop)):
            figures[f"read_{name}_ms_{moment}"] = round(value, 2)
    return figures, errors


def summarise(figures, errors, screen):
    screen.title("Summary")
    screen.say(f"records compared       {figures['records_compared']:,}, each twice after the move and "
               "twice after the rollback")
    screen.say(f"lost, resurrected      {figures['lost']}, {figures['resurrected']} "
               f"(wrong: {figures['wrong']})")
    screen.say(f"client errors          {figures['client_errors']} in {figures['changes_written']:,} "
               f"changes and {figures['searches']:,} searches")
    screen.say(f"longest write pause    {figures['write_pause_ms_max']:.0f} ms, in "
               f"{figures['write_pause_longest_in']}")
    screen.say("search latency, ms        p50      p95      p99")
    for moment in ("before", "during", "after"):
        values = [figures[f"read_{name}_ms_{moment}"] for name in ("p50", "p95", "p99")]
        screen.say(f"  {moment:<18}" + "".join(f"{value:9.2f}" for value in values))
    for error in errors[:5]:
        screen.say("error: " + error[:150])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roost", default="build/release/bin/roost", help="the program")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="a tenth of the records")
    options = parser.parse_args()
    screen = Screen()
    goals = dict(GOALS, records_compared=GOALS["records_compared"] // (10 if options.quick else 1))
    with tempfile.TemporaryDirectory(prefix="roost-demo-") as folder:
        pathlib.Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        figures, errors = run(options, pathlib.Path(folder), screen)
    summarise(figures, errors, screen)
    passed = (figures["records_compared"] >= goals["records_compared"] and
              all(figures[name] <= goals[name] for name in goals if name != "records_compared") and
              figures["wrong"] == 0)
    if options.json:
        document = {"name": "demo", "pass": passed, "figures": figures, "goals": goals}
        pathlib.Path(options.json).write_text(json.dumps(document, indent=2) + "\n")
    screen.title("The demo passed." if passed else "The demo FAILED its goals.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
