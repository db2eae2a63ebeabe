"""PostgreSQL as control store: a gateway that keeps its records there moves a collection, is killed, and
comes back; a second gateway is refused."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.client import ApiError  # noqa: E402
from tests.support.moves import Move  # noqa: E402
from tests.support.processes import Peer, Roost  # noqa: E402

BINARY = os.environ["ROOST_BINARY"]
PASSWORD = "k33p-it-quiet"
THINGS = {"name": "things", "fields": [{"name": "n", "type": "INT64"}],
          "vectors": [{"name": "v", "dimension": 4, "metric": "L2"}]}
QUICK = {"ramp_hold_ms": 50, "shadow_hold_ms": 50}


def things(names, n):
    return [{"id": name, "n": n, "v": [1, 2, 3, 4]} for name in names]


class ControlStore(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-e2e-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.folder.chmod(0o755)  # PostgreSQL may run as another user.
        cls.peer = Peer("pgvector", cls.folder / "pg", "--password", PASSWORD).start()
        cls.addClassCleanup(cls.peer.stop)
        place = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{cls.peer.port}"
        cls.control, cls.store = f"{place}/control", f"{place}/postgres"
        cls.sql("postgres", "CREATE DATABASE control ENCODING 'UTF8' TEMPLATE template0")

    @classmethod
    def sql(cls, database, text):
        done = subprocess.run(
            ["psql", "-X", "-h", "127.0.0.1", "-p", str(cls.peer.port), "-U", "postgres", "-d", database,
             "-Atc", text],
            env={**os.environ, "PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def gateway(self, name, **environment):
        roost = Roost(BINARY, self.folder / name, stores={"pg": self.store},
                      environment={"ROOST_METADATA_URI": self.control, **environment})
        self.addCleanup(roost.__exit__)
        return roost

    def test_a_move_outlives_kills_and_a_second_gateway_is_refused(self):
        roost = self.gateway("first")
        roost.start()
        client = roost.client()
        client.post("/v1/collections", THINGS)
        client.upsert("things", things([f"{n:04d}" for n in range(2_000)], 0))
        move = Move(client, "things", "pg", QUICK)
        move.until_state("REVERSED", timeout=120)
        client.upsert("things", things(["0001", "new"], 1))

        with self.assertRaisesRegex(RuntimeError, "one gateway at a time"):
            self.gateway("second").start(timeout=20)

        roost.kill()
        begin = time.monotonic()
        roost.start(timeout=9)  # Before the lease of the dead process ends: the folder is the same.
        self.assertLess(time.monotonic() - begin, 9)
        client = roost.client()
        self.assertEqual(client.get(f"/v1/migrations/{move.id}")["state"], "REVERSED")
        rows = {row["id"]: row["n"] for row in client.export("things")}
        self.assertEqual(len(rows), 2_001)
        self.assertEqual((rows["0001"], rows["new"], rows["0000"]), (1, 1, 0))
        self.assertEqual(self.sql("control", "SELECT state FROM migration"), "REVERSED")
        self.assertFalse((roost.folder / "roost.db").exists(), "nothing is kept in the folder beside it")

        self.assertEqual(roost.stop(), 0)
        with self.gateway("second") as second:  # A clean end leaves no lease.
            self.assertEqual(len(list(second.client().export("things"))), 2_001)
        for log in self.folder.glob("*.log"):
            self.assertNotIn(PASSWORD, log.read_text(errors="replace"))

    def test_without_contact_nothing_is_served_until_it_is_back(self):
        self.sql("postgres", "CREATE DATABASE lonely ENCODING 'UTF8' TEMPLATE template0")
        # The server is the class's: only the sessions of this gateway's database are cut off.
        roost = self.gateway("lonely", ROOST_METADATA_URI=self.control.replace("/control", "/lonely"),
                             ROOST_METADATA_LEASE_MS="1000", ROOST_METADATA_GIVE_UP_MS="100")
        roost.start()
        client = roost.client()
        client.post("/v1/collections", THINGS)
        client.upsert("things", things(["a"], 0))
        self.sql("postgres", "ALTER DATABASE lonely WITH ALLOW_CONNECTIONS false; "
                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lonely'")
        self.wait(lambda: self.refused(client), "requests are refused")
        with self.assertRaises(ApiError) as refusal:
            client.get("/readyz")
        self.assertEqual(refusal.exception.status, 503)
        self.sql("postgres", "ALTER DATABASE lonely WITH ALLOW_CONNECTIONS true")
        self.wait(lambda: not self.refused(client), "requests are served again")
        client.upsert("things", things(["b"], 0))
        self.assertEqual([row["id"] for row in client.export("things")], ["a", "b"])

    def refused(self, client):
        try:
            client.upsert("things", things(["a"], 0))
        except ApiError as error:
            self.assertEqual(error.status, 503)
            return "control store" in str(error)
        return False

    def wait(self, reached, what):
        end = time.monotonic() + 30
        while not reached():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
