"""A table that an application made by plain SQL and a class that one made by plain REST, adopted and moved
while they are written: what the application sees and what Roost gives are the same, record by record."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.client import ApiError, pack, unpack  # noqa: E402
from tests.support.moves import Move  # noqa: E402
from tests.support.processes import Peer, Postgres, Roost  # noqa: E402

BINARY = os.environ["ROOST_BINARY"]
DIMENSION, ROWS = 8, 600
POLICY = {"chunk_rows": 100, "ramp_hold_ms": 200, "shadow_hold_ms": 200, "ramp_percents": [50, 100],
          "shadow_percent": 20, "fence_retry_ms": 300}
TABLE = f"""
CREATE SCHEMA shop;
CREATE TABLE shop.items (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text NOT NULL, price numeric(10,2), stock bigint,
  tags text[], meta jsonb, made timestamptz NOT NULL DEFAULT now(), embedding vector({DIMENSION}) NOT NULL);
CREATE INDEX ON shop.items USING hnsw (embedding vector_cosine_ops);
INSERT INTO shop.items (title, price, stock, tags, meta, embedding)
  SELECT 'Stück ' || i, CASE WHEN i % 5 > 0 THEN i / 100.0 END, 9007199254740993 + i,
         CASE WHEN i % 3 > 0 THEN ARRAY['a', 'b ' || i] END,
         CASE WHEN i % 4 > 0 THEN jsonb_build_object('n', i / 8.0, 'deep', jsonb_build_array(i, null)) END,
         (SELECT array_agg(sin(i * 7 + d) + 0.01)::vector FROM generate_series(1, {DIMENSION}) d)
  FROM generate_series(1, {ROWS}) i;
CREATE TABLE shop.without_key (n int, v vector(3));
"""
READ = """SELECT json_build_object('id', id, 'title', title, 'price', price, 'stock', stock, 'tags', tags,
  'meta', meta, 'made', (extract(epoch FROM made) * 1000000)::bigint, 'embedding', embedding::text)
  FROM shop.items"""


def plain(record):
    """Without nulls; the vector by its bits, times as microseconds."""
    record = {name: value for name, value in record.items() if value is not None}
    vector = record.pop("embedding", None) or record.pop("vector")
    record["vector"] = unpack(json.loads(vector) if isinstance(vector, str) else vector).tobytes()
    if isinstance(record["made"], str):
        record["made"] = microseconds(record["made"])
    return record


def microseconds(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) - time.timezone
    return seconds * 1_000_000 + int(fraction.ljust(6, "0") or 0)


class Writer(threading.Thread):
    """Changes, adds and deletes records through Roost until told to stop."""

    def __init__(self, roost, keys, make):
        super().__init__(daemon=True)
        self.client, self.keys, self._make = roost.client(), sorted(keys), make
        self.errors, self.changes = [], 0
        self._ended, self._go, self._rests = threading.Event(), threading.Event(), threading.Event()
        self._go.set()

    def run(self):
        chance = random.Random(5)
        while not self._ended.is_set():
            self._rests.set()
            self._go.wait()
            self._rests.clear()
            try:
                self._change(chance)
                self.changes += 1
            except (ApiError, OSError) as error:
                self.errors.append(str(error))
            time.sleep(0.004)

    def _change(self, chance):
        key = chance.choice(self.keys)
        if chance.random() < 0.2:
            self.client.delete("items", [key])
            return
        vector = pack([chance.uniform(-1, 1) for _ in range(DIMENSION)])
        result = self.client.upsert("items", [self._make(key, self.changes, vector)])
        if result["errors"]:
            raise OSError(result["errors"][0])

    def rest(self):
        self._go.clear()
        self._rests.wait(30)
        time.sleep(0.2)  # the one that was under way

    def go(self):
        self._go.set()

    def stop(self):
        self._ended.set()
        self._go.set()
        self.join(30)
        self.client.close()


class Adopted:
    """What is done with either; `theirs()` is what the application sees, without Roost."""

    def cli(self, *arguments, status=0):
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "ROOST_URL": f"http://127.0.0.1:{self.roost.port}"})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def same(self, where):
        ours = {record["id"]: record for record in map(plain, self.client.export("items"))}
        theirs = {record["id"]: record for record in map(plain, self.theirs())}
        self.assertEqual(ours.keys(), theirs.keys(), where)
        for key, record in theirs.items():
            self.assertEqual(ours[key], record, f"{where}: {key}")
        self.assertGreater(len(theirs), ROWS // 2, where)

    def move_while_written(self, make):
        writer = Writer(self.roost, [record["id"] for record in self.theirs()], make)
        writer.start()
        try:
            self._there_and_back(writer)
        finally:
            writer.stop()
        self.assertEqual(writer.errors, [])
        self.assertGreater(writer.changes, 50)

    def _there_and_back(self, writer):
        move = Move(self.client, "items", "embedded", POLICY)
        move.until_state("REVERSED", timeout=120)
        self._level(move, writer, "after the move")
        move.tell("rollback")
        move.until_state("RAMP", timeout=60)
        self._level(move, writer, "after the rollback")
        move.tell("abort")
        move.until(lambda status: status["final"], 60, "ABORTED")
        writer.rest()
        self.same("after all")

    def _level(self, move, writer, where):
        """Both stores, one read by the application and one through Roost; after a rollback both are one."""
        goal = writer.changes + 30
        move.until(lambda _: writer.changes >= goal, 60, "further changes")
        writer.rest()
        move.until_level(60)
        self.same(where)
        writer.go()

    @classmethod
    def begin(cls, name, peer):
        cls.addClassCleanup(peer.stop)
        cls.roost = Roost(BINARY, cls.folder / "roost", {name: peer.address()}).start()
        cls.addClassCleanup(cls.roost.__exit__)
        cls.client = cls.roost.client()
        cls.addClassCleanup(cls.client.close)

    @classmethod
    def make_folder(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-adopt-"))
        cls.folder.chmod(0o755)  # PostgreSQL may run as another user
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)


class AdoptTable(Adopted, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.make_folder()
        cls.postgres = Postgres(cls.folder / "postgres").start()
        cls.begin("pg", cls.postgres)
        cls.postgres.psql("CREATE EXTENSION IF NOT EXISTS vector;" + TABLE)

    def theirs(self):
        return list(map(json.loads, self.postgres.psql(READ).splitlines()))

    @staticmethod
    def make(key, change, vector):
        return {"id": key, "title": f"new {change}", "stock": -change, "price": 1.25,
                "made": 1_700_000_000_123_456 + change, "meta": {"of": "roost"}, "tags": ["x", "ü"],
                "embedding": vector}

    def test_adopted_and_moved_while_it_is_written(self):
        self._adopt()
        columns = self._columns()
        self.move_while_written(self.make)
        self.assertEqual(self._columns(), columns)

    def _columns(self):
        return self.postgres.psql("SELECT string_agg(column_name || data_type, ',' ORDER BY ordinal_position)"
                                  " FROM information_schema.columns WHERE table_schema = 'shop'")

    def _adopt(self):
        listed = self.cli("adopt", "pg")
        self.assertIn("shop.items", listed)
        self.assertIn("no primary key", listed)
        self.assertIn("no primary key", self.cli("adopt", "pg", "shop.without_key", status=5))
        self.assertIn("there is no table", self.cli("adopt", "pg", "shop.nothing", status=3))
        self.assertIn("cannot adopt", self.cli("adopt", "embedded", "x", status=2))
        dry = self.cli("adopt", "pg", "shop.items", "--dry-run")
        self.assertIn("600 rows were looked at", dry)
        self.assertIn("FLOAT_VECTOR(8), COSINE", dry)
        self.assertEqual(self.client.get("/v1/collections")["collections"], [])
        self.cli("adopt", "pg", "shop.items", "--as", "items")
        self.assertEqual(self.client.get("/v1/collections")["collections"], ["items"])
        self.assertEqual(self.client.get("/v1/stores/pg/foreign")["foreign"][0]["adopted_as"], "items")
        self.same("as the application made it")
        # The application goes on past the gateway, and reads see it.
        self.postgres.psql("UPDATE shop.items SET stock = 1 WHERE title = 'Stück 7'; "
                           "DELETE FROM shop.items WHERE title = 'Stück 8'")
        self.same("after a change by SQL")


class AdoptClass(Adopted, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.make_folder()
        cls.weaviate = Peer("weaviate", cls.folder / "weaviate").start()
        cls.begin("weaviate", cls.weaviate)
        types = {"title": "text", "stock": "int", "price": "number", "sold": "boolean", "made": "date",
                 "tags": "text[]"}
        cls.rest("/v1/schema", {"class": "Item", "vectorizer": "none", "properties": [
            {"name": name, "dataType": [kind]} for name, kind in types.items()]})
        for start in range(0, ROWS, 200):
            cls.rest("/v1/batch/objects", {"objects": [cls.object(n) for n in range(start, start + 200)]})

    @classmethod
    def rest(cls, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{cls.weaviate.port}{path}",
                                         None if body is None else json.dumps(body).encode(),
                                         {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read())

    @staticmethod
    def object(number):
        values = {"title": f"Stück {number}", "stock": number - 300, "price": number / 7,
                  "sold": number % 2 == 0, "made": f"2024-02-29T12:{number % 60:02}:56.789012Z",
                  "tags": ["a", f"b {number}"]}
        kept = {name: value for place, (name, value) in enumerate(values.items())
                if name == "made" or (number + place) % 5}
        return {"class": "Item", "id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), "properties": kept,
                "vector": [(number * 7 + place) % 13 - 5.9 for place in range(DIMENSION)]}

    def theirs(self):
        objects = self.rest(f"/v1/objects?class=Item&limit={ROWS}&include=vector")["objects"]
        return [{"id": one["id"], **one["properties"], "vector": one["vector"]} for one in objects]

    @staticmethod
    def make(key, change, vector):
        return {"id": key, "title": f"new {change}", "stock": -change, "price": 0.1, "sold": True,
                "made": 1_700_000_000_123_456 + change, "tags": ["x", "ü"], "vector": vector}

    def test_adopted_and_moved_while_it_is_written(self):
        self.assertIn("Item", self.cli("adopt", "weaviate"))
        self.cli("adopt", "weaviate", "Item", "--as", "items")
        self.same("as the application made it")
        before = self.rest("/v1/schema/Item")
        self.move_while_written(self.make)
        self.assertEqual(self.rest("/v1/schema/Item"), before)


if __name__ == "__main__":
    unittest.main()
