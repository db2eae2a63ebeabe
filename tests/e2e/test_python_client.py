"""The Python client, installed from its wheel, against `roost serve`: every operation on the embedded store
and on a real PostgreSQL with pgvector, by the blocking and by the asynchronous client."""

import array
import asyncio
import contextlib
import datetime
import http.server
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import unittest
import zipfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support import python_client  # noqa: E402
from tests.support.python_client import Hook  # noqa: E402
from tests.support.processes import Postgres, Roost  # noqa: E402

SITE = python_client.install()

import roost  # noqa: E402

BINARY = os.environ.get("ROOST_BINARY", "build/release/bin/roost")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
STORES = {"embedded": "embedded", "pgvector": "pg"}  # kind -> name


class World:
    """One server with both stores, started once."""

    roost = None

    @classmethod
    def start(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-python-"))
        cls.folder.chmod(0o755)  # PostgreSQL may run as another user
        cls.postgres = Postgres(cls.folder / "pg").start()
        cls.hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=cls.hook.serve_forever, daemon=True).start()
        cls.roost = Roost(
            BINARY,
            cls.folder / "data",
            stores={"pg": cls.postgres.address()},
            environment={
                "ROOST_RECORDS_DELETE_HOOK": f"http://127.0.0.1:{cls.hook.server_address[1]}/deleted",
                "ROOST_RECORDS_DELETE_HOOK_TOKEN": "hook-secret",
            },
        ).start()
        cls.endpoint = f"http://127.0.0.1:{cls.roost.port}"

    @classmethod
    def stop(cls):
        status = cls.roost.stop()
        cls.hook.shutdown()
        cls.postgres.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)
        shutil.rmtree(SITE.parent, ignore_errors=True)
        if status != 0:
            raise AssertionError(f"roost ended with {status}:\n{cls.roost.tail()}")


def setUpModule():
    World.start()


def tearDownModule():
    World.stop()


class EveryOperation:
    """On the store of the subclass."""

    kind = None

    @classmethod
    def setUpClass(cls):
        environment = {
            "MILVUS_CLUSTER_ENDPOINT": World.endpoint,
            "ML_VECTOR_BACKEND": cls.kind,
            "ML_VECTOR_DIMENSION": "4",
            "ML_OPENSEARCH_INDEX": f"ml-{cls.kind}",
        }
        cls.client = roost.Client(settings=roost.Settings.from_environment(environment))
        cls.addClassCleanup(cls.client.close)
        cls.info = cls.client.create_collection()

    def setUp(self):
        self.tenant = self.id().rsplit(".", 1)[-1]

    def fill(self):
        c, t = self.client, self.tenant
        c.upsert_records(t, [roost.Tag("red", properties={"name": "red things"}), roost.Tag("blue")])
        c.upsert_records(
            t,
            [
                roost.Note("n1", [1, 0, 0, 0], {"title": "a red fox", "tag_ids": ["red"], "rank": 1}),
                roost.Note(
                    "n2", np.array([0.6, 0.8, 0, 0]), {"title": "a blue whale", "tag_ids": ["red", "blue"]}
                ),
                roost.Note("n3", array.array("f", [0, 0, 1, 0]), {"title": "nothing"}),
            ],
            long_job_id="job1",
            last_update_device="Phone",
            last_update_device_id="phone",
        )
        c.insert_record(
            t,
            roost.NoteBody("b1", properties={"note_id": "n1", "content": "it ran", "position": 1}),
            last_update_device_id="phone",
        )

    def test_the_collection_lies_where_the_environment_says(self):
        self.assertEqual(
            (self.info.store, self.info.dimension, self.info.name), (STORES[self.kind], 4, f"ml_{self.kind}")
        )
        self.assertEqual(
            set(self.client.describe_collection().kinds),
            {"GeneralRecord", "Note", "Tag", "Misc", "NoteBody", "DailyNote"},
        )
        with self.assertRaises(roost.AlreadyExistsError):
            self.client.create_collection(dimension=5)

    def test_what_is_stored_is_the_flat_mapping(self):
        self.fill()
        note = self.client.get_record_by_id(self.tenant, "n2", include_vector=True)
        self.assertIsInstance(note, roost.Note)
        with contextlib.closing(World.roost.client()) as plain:
            stored = plain.post(
                f"/v1/collections/{self.info.name}/get",
                {"ids": ["n2"], "tenant": self.tenant, "vectors": True},
            )["records"][0]
        flat = note.to_milvus_dict(self.tenant)
        self.assertEqual(flat, {name: stored[name] for name in flat})
        self.assertEqual(set(stored) - set(flat), {"deleted"})
        self.assertEqual(flat["last_update_device"], "Phone")
        np.testing.assert_array_equal(roost.as_numpy(note.vector), np.array([0.6, 0.8, 0, 0], "f4"))

    def test_queries(self):
        self.fill()
        c, t = self.client, self.tenant
        hits = c.query_by_vector(t, [1, 0, 0, 0], top_k=2, include_vector=True)
        self.assertEqual([hit.unique_id for hit in hits], ["n1", "n2"])
        self.assertAlmostEqual(hits[1].score, 0.6, 6)
        self.assertEqual(hits[0].record.vector, [1, 0, 0, 0])
        self.assertEqual(
            [
                hit.unique_id
                for hit in c.query_by_vector(
                    t,
                    [1, 0, 0, 0],
                    similarity_setting={"min_score": 0.5, "metric": "COSINE", "exact": True},
                    filter_expr="uniqueid != {id}",
                    params={"id": "n1"},
                )
            ],
            ["n2"],
        )
        words = c.query_by_keyword(t, "red", top_k=5)
        self.assertEqual({hit.unique_id for hit in words}, {"n1", "red"})
        (bare,) = c.query_by_keyword(t, "whale", include_metadata=False)
        self.assertEqual((bare.unique_id, bare.record), ("n2", None))
        found = c.query_by_filter(t, "record_type == 'Note' and rank == 1", get_connected_results=True)
        self.assertEqual([record.unique_id for record in found], ["n1"])
        self.assertEqual([record.unique_id for record in found.connected], ["b1", "red"])
        self.assertEqual([record.unique_id for record in found.connected_to("n1")], ["b1", "red"])
        (tag,) = c.query_by_filter(t, "uniqueid == 'red'", 1, True).records
        self.assertEqual(tag.properties, {"name": "red things"})
        self.assertEqual(
            {
                record.unique_id
                for record in c.query_by_filter(t, "uniqueid == 'red'", get_connected_results=True).connected
            },
            {"n1", "n2"},
        )
        self.assertEqual(len(c.query_by_filter(t, "long_job_id == 'job1'", 2)), 2)
        self.assertEqual([record.unique_id for record in c.get_most_recent_records(t, 2)], ["b1", "n3"])
        self.assertEqual(
            [record and record.unique_id for record in c.get_records_by_ids(t, ["n3", "x", "n1"])],
            ["n3", None, "n1"],
        )
        self.assertEqual(
            [record.unique_id for record in c.iter_records(t, page_size=2)],
            ["b1", "blue", "n1", "n2", "n3", "red"],
        )

    def test_writes(self):
        self.fill()
        c, t = self.client, self.tenant
        with self.assertRaises(roost.AlreadyExistsError):
            c.insert_record(t, roost.Note("n1"))
        note = c.update_record_vector(t, "n1", (0, 1, 0, 0), {"title": None, "mood": {"x": [1]}})
        self.assertEqual(
            (note.properties, note.vector),
            ({"tag_ids": ["red"], "rank": 1, "mood": {"x": [1]}}, [0, 1, 0, 0]),
        )
        note = c.update_record_metadata(t, "n1", {"rank": None, "mood": "fine"})
        self.assertEqual(note.properties, {"tag_ids": ["red"], "mood": "fine"})
        self.assertEqual(c.get_record_by_id(t, "n1").properties, note.properties)
        with self.assertRaises(roost.NotFoundError):
            c.update_record_metadata(t, "none", {})
        with self.assertRaises(roost.FailedPreconditionError):
            c.delete_records_by_ids(t, ["n1", "red"], "Note")
        self.assertTrue(c.delete_record(t, "n1", "Note"))
        self.assertFalse(c.delete_record(t, "n1", "Note"))
        self.assertEqual(c.delete_records_by_ids(t, ["n1", "n2", "b1"]), 2)
        self.assertIsNone(c.get_record_by_id(t, "n2"))
        self.assertEqual(c.delete_all_records(t), 3)
        self.assertEqual(list(c.iter_records(t)), [])

    def test_bad_input_changes_nothing(self):
        c, t = self.client, self.tenant
        notes = [roost.Note(f"n{n}", [1, 0, 0, n]) for n in range(1200)]
        for wrong in (
            roost.Note("z", [1, 2]),
            roost.Note("z", properties={"title": 5}),
            roost.Note("z", properties={"tag_ids": ["a", None]}),
            roost.Note("z", [0, 0, 0, 0]),
        ):
            with self.assertRaises(roost.InvalidArgumentError) as caught:
                c.upsert_records(t, [*notes, wrong])
            self.assertRegex(str(caught.exception), r"(record|row) 1200")
        for refused in (
            lambda: c.upsert_records(t, notes[:1], type="Paper"),
            lambda: c.insert_record(t, roost.NoteBody("b")),
            lambda: c.query_by_filter(t, "title >"),
            lambda: c.query_by_vector(t, [1, 2]),
            lambda: c.query_by_vector(t, [1, 0, 0, 0], similarity_setting={"metric": "L2"}),
            lambda: c.query_by_keyword(t, "!"),
            lambda: c.delete_records_by_ids(t, ["n1"], s3_paths=["a", "b"]),
            lambda: c.get_most_recent_records(t, 100_000),
            lambda: c.sync_by_last_modified(t, cursor="garbage"),
        ):
            self.assertRaises(roost.InvalidArgumentError, refused)
        self.assertEqual(list(c.iter_changes(t)), [])

    def test_tenants_do_not_see_each_other(self):
        self.fill()
        c, other = self.client, self.tenant + "/ö"
        c.insert_record(other, roost.Note("n1", [1, 0, 0, 0], {"title": "theirs, red"}))
        self.assertEqual([hit.unique_id for hit in c.query_by_vector(other, [1, 0, 0, 0])], ["n1"])
        self.assertEqual(
            [hit.record.properties["title"] for hit in c.query_by_keyword(other, "red")], ["theirs, red"]
        )
        self.assertEqual(len(c.query_by_filter(other, f"tenantName == '{self.tenant}' or rank == 1")), 0)
        self.assertEqual(c.get_records_by_ids(other, ["n2", "red"]), [None, None])
        self.assertEqual(
            c.query_by_filter(other, "uniqueid == 'n1'", get_connected_results=True).connected, ()
        )
        self.assertEqual([record.unique_id for record in c.sync_by_last_modified(other)], ["n1"])
        self.assertEqual(c.delete_all_records(other), 1)
        self.assertEqual(c.get_record_by_id(self.tenant, "n1").properties["title"], "a red fox")

    def test_sync_tells_changes_and_deletions_of_other_devices(self):
        self.fill()
        c, t = self.client, self.tenant
        c.delete_record(t, "n3", last_update_device_id="phone")
        page = c.sync_by_last_modified(t, EPOCH, "desk", limit=4)
        self.assertEqual(
            [(record.unique_id, record.deleted) for record in page],
            [("b1", False), ("blue", False), ("n1", False), ("n2", False)],
        )
        self.assertTrue(page.has_more)
        rest = c.sync_by_last_modified(t, EPOCH, "desk", 4, page.next_offset)
        self.assertEqual(
            [(record.unique_id, record.deleted) for record in rest], [("n3", True), ("red", False)]
        )
        self.assertEqual((rest.has_more, rest.next_sync_datetime), (False, None))
        self.assertEqual(
            [record.unique_id for record in c.iter_changes(t, EPOCH, "phone", page_size=2)], ["blue", "red"]
        )
        with self.assertRaises(roost.InvalidArgumentError):
            c.purge_deleted(datetime.datetime.now(datetime.UTC))
        self.assertEqual(c.purge_deleted(EPOCH), 0)

    def test_a_device_that_follows_misses_nothing_while_others_write(self):
        tenant, known = self.tenant, {}

        def write(number):
            numbers = np.random.default_rng(number)
            with roost.Client(settings=self.client.settings) as client:
                for step in range(40):
                    name = f"r{numbers.integers(12)}"
                    if numbers.random() < 0.3:
                        client.delete_record(tenant, name, last_update_device_id=f"w{number}")
                    elif numbers.random() < 0.5:
                        client.upsert_records(
                            tenant,
                            [roost.Misc(name, properties={"v": f"{number} {step}"})],
                            last_update_device_id=f"w{number}",
                        )
                    else:
                        try:
                            client.update_record_metadata(
                                tenant, name, {"v": f"{number} {step}"}, last_update_device_id=f"w{number}"
                            )
                        except roost.NotFoundError:
                            pass

        def follow(since):
            changes = self.client.iter_changes(tenant, since, "follower", page_size=3)
            for record in changes:
                if record.deleted:
                    known.pop(record.unique_id, None)
                else:
                    known[record.unique_id] = record.properties
            return changes.next_sync_datetime

        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        since = EPOCH
        while any(writer.is_alive() for writer in writers):
            since = follow(since)
        follow(since)
        stored = {record.unique_id: record.properties for record in self.client.iter_records(tenant)}
        self.assertTrue(stored)
        self.assertEqual(known, stored)

    def test_objects_of_deleted_records_reach_the_hook(self):
        c, t = self.client, self.tenant
        c.upsert_records(t, [roost.Misc("a", properties={"s3_path": "s3://b/a"}), roost.Misc("b")])
        c.delete_record(t, "a", "Misc", s3_path="s3://b/thumb")
        c.delete_records_by_ids(t, ["b", "none"], s3_paths=["s3://b/b", None])
        end = time.monotonic() + 20
        while time.monotonic() < end:
            paths = {
                event["unique_id"]: sorted(event["s3_paths"])
                for event in list(Hook.events)
                if event["tenant"] == t and event["collection"] == self.info.name
            }
            if len(paths) == 2:
                break
            time.sleep(0.02)
        self.assertEqual(paths, {"a": ["s3://b/a", "s3://b/thumb"], "b": ["s3://b/b"]})
        self.assertEqual(Hook.token, "Bearer hook-secret")

    def test_the_asynchronous_client(self):
        async def all_of_it():
            async with roost.AsyncClient(settings=self.client.settings, max_connections=8) as c:
                t = self.tenant
                await asyncio.gather(
                    *(c.insert_record(t, roost.Misc(f"r{n:02}", [1, 0, 0, n])) for n in range(40))
                )
                self.assertEqual(
                    [record.unique_id async for record in c.iter_records(t, page_size=7)],
                    [f"r{n:02}" for n in range(40)],
                )
                self.assertEqual((await c.query_by_vector(t, [1, 0, 0, 39], 1))[0].unique_id, "r39")
                self.assertTrue(await c.delete_record(t, "r00"))
                changes = c.iter_changes(t, EPOCH, "x")
                self.assertEqual([record.unique_id async for record in changes if record.deleted], ["r00"])
                self.assertIsNotNone(changes.next_sync_datetime)
                with self.assertRaises(roost.NotFoundError):
                    await c.update_record_metadata(t, "r00", {"a": 1})
                self.assertEqual(await c.delete_all_records(t), 39)

        asyncio.run(all_of_it())


class OnEmbedded(EveryOperation, unittest.TestCase):
    kind = "embedded"


class OnPostgres(EveryOperation, unittest.TestCase):
    kind = "pgvector"


class Package(unittest.TestCase):
    def test_the_wheel_holds_the_package_and_its_types(self):
        with zipfile.ZipFile(next(SITE.parent.glob("*.whl"))) as wheel:
            names = set(wheel.namelist())
            (metadata,) = [wheel.read(name).decode() for name in names if name.endswith("METADATA")]
        self.assertTrue({"roost/__init__.py", "roost/py.typed", "roost/async_client.py"} <= names)
        self.assertEqual({name.split("/")[0] for name in names}, {"roost", "roost-0.1.0.dist-info"})
        self.assertIn("Requires-Dist: httpx", metadata)
        self.assertTrue(pathlib.Path(roost.__file__).is_relative_to(SITE), "the tests run what is installed")

    def test_the_examples_of_the_page_run(self):
        blocks = python_client.examples("docs/python.md")
        self.assertGreaterEqual(len(blocks), 8)
        names = {"ENDPOINT": World.endpoint, "__name__": "examples"}
        for number, block in enumerate(blocks):
            block = block.replace("http://127.0.0.1:19530", World.endpoint)
            with self.subTest(number=number):
                exec(compile(block, f"docs/python.md, example {number}", "exec"), names)


if __name__ == "__main__":
    unittest.main()
