#!/usr/bin/env python3
"""SIGKILLs at random moments under mixed load: nothing acknowledged may be lost, nothing deleted may
come back. First on the embedded store alone, then while a collection moves to PostgreSQL and back."""

import argparse
import http.client
import json
import pathlib
import random
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.client import ApiError, unpack  # noqa: E402
from tests.support.judge import Judge, Things, self_test  # noqa: E402
from tests.support.load import Load  # noqa: E402
from tests.support.processes import Postgres, Roost, free_port  # noqa: E402

NAME = Things.name
# Small segments, so that sealing, merging and index files are hit too.
SMALL = ("--embedded.seal_rows", "1000")


def read_all(client):
    found = {}
    for record in client.export(NAME):
        if record["id"] in found:
            raise AssertionError(f"{record['id']} is there twice")
        found[record["id"]] = {**record, "embedding": unpack(record["embedding"])}
    return found


def read_postgres(postgres, path):
    table = postgres.psql(f"select table_name from roost_collections where name = '{NAME}'").strip()
    postgres.copy_out(f'select "_key", version, text, embedding::text from "{table}" '
                      'where not "_deleted"', path)
    found = {}
    for line in open(path, encoding="utf-8"):
        key, version, text, vector = line.rstrip("\n").split("\t")
        found[key] = {"version": int(version), "text": text,
                      "embedding": unpack([float(x) for x in vector[1:-1].split(",")])}
    return found


class Trial:
    """Counts over all kills, and the violations found."""

    def __init__(self, say):
        self.violations = []
        self.restart_ms = []
        self.say = say

    def judge(self, where, violations):
        for violation in violations[:5]:
            self.say(f"VIOLATION {where}: {violation}")
        self.violations += violations


def kill_and_restart(roost, chooser, trial, longest=0.6):
    time.sleep(chooser.random() * longest)
    roost.kill()
    begin = time.monotonic()
    roost.start()
    trial.restart_ms.append((time.monotonic() - begin) * 1000)


def kills_embedded(options, folder, kills, trial):
    judge = Judge()
    chooser = random.Random(options.seed)
    with Roost(options.roost, folder / "embedded", options=SMALL) as roost:
        roost.client().post("/v1/collections", Things.collection)
        load = Load(roost.port, judge, seed=options.seed)
        load.start()
        for number in range(1, kills + 1):
            kill_and_restart(roost, chooser, trial)
            if number % 2 == 0:
                load.rest()
                trial.judge(f"kill {number}", judge.check(read_all(roost.client())))
                load.go()
            if number % 20 == 0:
                trial.say(f"embedded store: {number} kills, {judge.acknowledged:,} acknowledged changes, "
                          f"{judge.unknown:,} in doubt, {len(trial.violations)} violations")
        load.rest()
        found = read_all(roost.client())
        trial.judge("at the end", judge.check(found) + load.violations)
        unnoticed = self_test(judge, found) if not trial.violations else []
        load.stop()
        roost.stop()
    return judge, load, unnoticed


class Mover:
    """Keeps the collection moving there and back, whatever is killed meanwhile."""

    def __init__(self, roost):
        self.roost = roost
        self.move = None
        self.cycles = 0
        self.states = set()

    def step(self, turn=True):
        """Looks once and does what is next; returns the move. Without `turn` it is neither rolled back
        nor aborted, but goes on."""
        client = self.roost.client(timeout=20)
        try:
            if self.move is None:
                self.move = self._create(client)
            move = client.get(f"/v1/migrations/{self.move}")
            self.states.add(move["state"])
            if move["final"]:
                self.move = None
            elif not turn or move["command"]:
                pass
            elif move["state"] == "REVERSED":
                client.post(f"/v1/migrations/{self.move}/rollback")
                self.cycles += 1
            elif move["state"] in ("RAMP", "SHADOW") and self.cycles and self._rolled_back(move):
                client.post(f"/v1/migrations/{self.move}/abort")
            return move
        except (OSError, http.client.HTTPException, ApiError):
            return {"state": "", "final": False}
        finally:
            client.close()

    def _rolled_back(self, move):
        return move["counts"]["last_fence_ms"] > 0 and move["read_percent_target"] == 0

    def _create(self, client):
        active = [m for m in client.get("/v1/migrations")["migrations"] if not m["final"]]
        if active:
            return active[0]["id"]
        return client.post("/v1/migrations", {
            "collection": NAME, "target": "postgres", "automatic": True,
            "allow_existing_target": True,
            "policy": {"chunk_rows": 100, "ramp_hold_ms": 50, "shadow_hold_ms": 50,
                       "ramp_percents": [10, 100], "fence_retry_ms": 200}})["id"]


def run_until_kill(mover, chooser):
    """Up to two seconds; now and then until the move changes its state, which after a restart takes as
    long as a write of the killed process may still land."""
    wait_for_change = chooser.random() < 0.25
    end = time.monotonic() + (20.0 if wait_for_change else chooser.random() * 2.0)
    first = None
    while time.monotonic() < end:
        state = mover.step()["state"]
        first = first or state
        if wait_for_change and state not in ("", first):
            return
        time.sleep(0.03)


def come_through(mover, timeout=180):
    """After the last kill a move must go there and back."""
    end = time.monotonic() + timeout
    before, move = mover.cycles, {"state": ""}
    while mover.cycles == before or move["state"] in ("", "REVERSED", "ROLLING_BACK"):
        if time.monotonic() > end:
            raise RuntimeError(f"the move does not come through: {json.dumps(move)}")
        move = mover.step(turn=mover.cycles == before)
        time.sleep(0.05)


def level(mover, timeout=90):
    """Waits until both stores hold the same; None when there is no such state to wait for."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        move = mover.step(turn=False)
        counts = move.get("counts")
        if not move.get("command") and move["state"] in ("MIRROR", "VERIFY", "SHADOW", "RAMP", "REVERSED") and \
                counts["dirty"] == 0 and counts["inflight"] == 0 and \
                counts["chunks_closed"] == counts["chunks"]:
            return move["state"]
        time.sleep(0.05)
    raise RuntimeError(f"the stores do not get level: {json.dumps(mover.step(turn=False))}")


def kills_moving(options, folder, kills, trial):
    judge = Judge()
    chooser = random.Random(options.seed + 1)
    port = free_port()
    uri = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    with Postgres(folder / "postgres", port) as postgres, \
            Roost(options.roost, folder / "moving", {"postgres": uri}, SMALL) as roost:
        roost.client().post("/v1/collections", Things.collection)
        load = Load(roost.port, judge, seed=options.seed + 1)
        load.start()
        mover = Mover(roost)
        for number in range(1, kills + 1):
            run_until_kill(mover, chooser)
            kill_and_restart(roost, chooser, trial, longest=0.1)
            if number % 4 == 0:
                load.rest()
                trial.judge(f"kill {number} while moving", judge.check(read_all(roost.client())))
                load.go()
            if number % 10 == 0:
                trial.say(f"moving: {number} kills, {mover.cycles} times there and back, "
                          f"{judge.acknowledged:,} acknowledged changes, "
                          f"{len(trial.violations)} violations")
        come_through(mover)
        load.rest()
        state = level(mover)
        trial.judge("at the end, by REST", judge.check(read_all(roost.client())) + load.violations)
        trial.judge(f"at the end ({state}), by psql",
                    judge.check(read_postgres(postgres, folder / "dump.tsv")))
        load.stop()
        roost.stop()
    return judge, mover


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roost", default="build/release/bin/roost")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="a tenth of the kills")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    embedded, moving = (20, 10) if options.quick else (200, 100)
    trial = Trial(lambda text: print(text, flush=True))
    with tempfile.TemporaryDirectory(prefix="roost-kills-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        judge, load, unnoticed = kills_embedded(options, folder, embedded, trial)
        moved, mover = kills_moving(options, folder, moving, trial)
    figures = {
        "kills_embedded": embedded, "kills_moving": moving,
        "violations": len(trial.violations),
        "acknowledged": judge.acknowledged + moved.acknowledged,
        "in_doubt": judge.unknown + moved.unknown,
        "checked_reads": load.reads,
        "moves_there_and_back": mover.cycles,
        "states_seen": sorted(mover.states - {""}),
        "restart_ms_max": round(max(trial.restart_ms)),
        "planted_faults_unnoticed": unnoticed,
    }
    goals = {"violations": 0, "planted_faults_unnoticed": [], "moves_there_and_back": 1}
    passed = (not trial.violations and not unnoticed and mover.cycles >= 1 and
              figures["acknowledged"] > 0)
    print(json.dumps(figures, indent=2))
    print("kills: passed" if passed else "kills: FAILED")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"name": "kills", "pass": passed, "figures": figures, "goals": goals}, indent=2) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
