"""The server's life: what SIGTERM does to requests in flight and to what was acknowledged."""

import http.client
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.client import ApiError  # noqa: E402
from tests.support.processes import Roost  # noqa: E402

BINARY = os.environ["ROOST_BINARY"]
RECORDS = 30_000
THINGS = {"name": "things", "fields": [{"name": "text", "type": "VARCHAR"}],
          "vectors": [{"name": "v", "dimension": 4, "metric": "L2"}]}


def thing(name):
    return {"id": name, "text": "x" * 200, "v": [1, 2, 3, 4]}


class Sigterm(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.roost = Roost(BINARY, self.folder / "data")
        self.addCleanup(self.roost.__exit__)
        self.roost.start()
        self.client = self.roost.client()
        self.client.post("/v1/collections", THINGS)

    def test_a_reply_on_its_way_is_finished_and_nobody_new_is_let_in(self):
        for start in range(0, RECORDS, 1_000):
            self.client.upsert("things", [thing(f"{n:06d}") for n in range(start, start + 1_000)])
        rows = self.client.export("things")
        found = [next(rows)["id"]]
        self.roost.process.terminate()
        with self.assertRaises(OSError):
            for _ in range(10_000):  # the listener closes within that
                late = self.roost.client(timeout=5)
                late.get("/healthz")
                late.close()
        self.assertIsNone(self.roost.process.poll(), "a reply is still on its way")
        found += [row["id"] for row in rows]
        self.assertEqual(found, [f"{n:06d}" for n in range(RECORDS)])
        self.assertEqual(self.roost.process.wait(20), 0)

    def test_what_was_acknowledged_before_the_end_is_there_after_it(self):
        acknowledged, unexpected = set(), []

        def write(number):
            client = self.roost.client(timeout=20)
            for at in range(1_000_000):
                name = f"{number}-{at}"
                try:
                    client.upsert("things", [thing(name)])
                    acknowledged.add(name)
                except (OSError, http.client.HTTPException):
                    return
                except ApiError as error:
                    if error.status != 503:
                        unexpected.append(str(error))
                    return

        writers = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(4)]
        for writer in writers:
            writer.start()
        while len(acknowledged) < 500:
            self.assertTrue(any(writer.is_alive() for writer in writers))
        self.assertEqual(self.roost.stop(), 0)
        for writer in writers:
            writer.join(30)
        self.assertEqual(unexpected, [])
        self.roost.start()
        found = {row["id"] for row in self.roost.client().export("things")}
        self.assertEqual(acknowledged - found, set())
        self.assertLessEqual(len(found - acknowledged), len(writers), "one in doubt each at most")


if __name__ == "__main__":
    unittest.main()
