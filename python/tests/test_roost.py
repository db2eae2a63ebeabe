"""The client without a server: what it sends, what it refuses, when it tries again, how it tells errors."""

import array
import asyncio
import base64
import datetime
import math
import pathlib
import struct
import sys
import unittest

import httpx
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import roost  # noqa: E402
from mock_server import QUICK, Server, problem  # noqa: E402
from roost.vectors import encode_vector  # noqa: E402


class Vectors(unittest.TestCase):
    def test_every_form_of_a_vector_is_sent_as_the_same_bytes(self):
        wanted = base64.b64encode(struct.pack("<3f", 1, -0.5, 3e8)).decode()
        for vector in (
            [1, -0.5, 3e8],
            (1.0, -0.5, 3e8),
            array.array("f", [1, -0.5, 3e8]),
            array.array("d", [1, -0.5, 3e8]),
            np.array([1, -0.5, 3e8]),
            np.array([1, -0.5, 3e8], ">f4"),
            np.array([1, 9, -0.5, 9, 3e8, 9], "f4")[::2],
        ):
            self.assertEqual(encode_vector(vector), wanted, repr(vector))

    def test_what_is_no_vector_is_refused(self):
        for wrong in (
            [],
            [1, math.nan],
            [math.inf],
            [1e39],
            ["1"],
            [[1, 2]],
            "12",
            b"1234",
            5,
            None,
            np.zeros((2, 2)),
            np.array([np.nan]),
            [None],
        ):
            with self.assertRaises(roost.InvalidArgumentError, msg=repr(wrong)):
                encode_vector(wrong)

    def test_replies_become_the_floats_that_the_store_holds(self):
        np.testing.assert_array_equal(roost.as_numpy([0.1, 3]), np.array([0.1, 3], "f4"))


class Records(unittest.TestCase):
    def test_a_record_is_one_flat_mapping(self):
        when = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
        note = roost.Note("n1", [1, 2], {"title": "x", "tag_ids": ["t"], "gone": None}, last_modified=when)
        self.assertEqual(
            note.to_milvus_dict("acme"),
            {
                "uniqueid": "n1",
                "tenantName": "acme",
                "record_type": "Note",
                "vector": [1.0, 2.0],
                "title": "x",
                "tag_ids": ["t"],
                "last_modified": 1_714_564_800_000_000,
            },
        )
        again = roost.Record.from_milvus_dict(note.to_milvus_dict("acme"))
        self.assertIsInstance(again, roost.Note)
        self.assertEqual(again.to_milvus_dict("acme"), note.to_milvus_dict("acme"))

    def test_kinds_are_classes_and_users_add_their_own(self):
        class Person(roost.Record):
            pass

        self.assertEqual(
            [
                kind("x").type
                for kind in (
                    roost.GeneralRecord,
                    roost.Note,
                    roost.Tag,
                    roost.Misc,
                    roost.NoteBody,
                    roost.DailyNote,
                    Person,
                )
            ],
            ["GeneralRecord", "Note", "Tag", "Misc", "NoteBody", "DailyNote", "Person"],
        )
        server = Server({"record": {"unique_id": "p", "type": "Person", "properties": {}}})
        self.assertIsInstance(server.client().get_record_by_id("acme", "p"), Person)

    def test_bad_records_are_refused_before_anything_is_sent(self):
        server = Server({})
        client = server.client()
        for tenant, record in (
            ("", roost.Note("x")),
            (None, roost.Note("x")),
            ("acme", roost.Note("")),
            ("acme", roost.Note(5)),
            ("acme", {"unique_id": "x"}),
            ("acme", roost.Record("x")),
            ("acme", roost.Note("x", properties={"deleted": True})),
            ("acme", roost.Note("x", properties={"a": object()})),
            ("acme", roost.Note("x", properties={"a": math.nan})),
            ("acme", roost.Note("x", properties={"at": datetime.datetime(2024, 1, 1)})),
        ):
            with self.assertRaises(roost.InvalidArgumentError, msg=repr(record)):
                client.insert_record(tenant, record)
        for records in ([roost.Note("a"), roost.Tag("b")], roost.Note("a"), [roost.Note("a"), "b"]):
            with self.assertRaises(roost.InvalidArgumentError, msg=repr(records)):
                client.upsert_records("acme", records)
        for call in (
            lambda: client.delete_records_by_ids("acme", "abc"),
            lambda: client.get_records_by_ids("acme", ["a", ""]),
            lambda: client.query_by_vector("acme", [1], top_k=0),
            lambda: client.query_by_vector("acme", [1], top_k=True),
            lambda: client.sync_by_last_modified("acme", datetime.datetime(2024, 1, 1)),
            lambda: client.sync_by_last_modified("acme", offset=-1),
        ):
            self.assertRaises(roost.InvalidArgumentError, call)
        self.assertEqual(server.requests, [])


class Requests(unittest.TestCase):
    def test_tenant_and_collection_stand_in_the_path_quoted(self):
        server = Server({"records": []})
        server.client(collection="db.notes").get_most_recent_records("a/b ü?", 3)
        self.assertEqual(
            server.requests[0].url.raw_path, b"/v1/records/db.notes/a%2Fb%20%C3%BC%3F/get_most_recent_records"
        )

    def test_token_and_timeout_are_sent(self):
        server = Server({"record": None})
        server.client(token="secret", timeout=2).get_record_by_id("acme", "x")
        self.assertEqual(server.requests[0].headers["authorization"], "Bearer secret")
        self.assertTrue(0 < int(server.requests[0].headers["x-request-timeout-ms"]) <= 2000)
        self.assertNotIn("secret", repr(roost.Settings(token="secret")))

    def test_a_large_upsert_is_checked_whole_before_its_first_page_is_written(self):
        server = Server(
            {"written": 0, "errors": []},
            {"written": 0, "errors": []},
            {"written": 1, "errors": []},
            {"written": 0, "errors": [{"row": 0, "code": "UNKNOWN", "message": "no"}]},
        )
        large = [roost.Misc(str(n), properties={"text": "x" * (5 << 20)}) for n in range(2)]
        result = server.client().upsert_records("acme", large)
        self.assertEqual([server.body(n)["check_only"] for n in range(4)], [True, True, False, False])
        self.assertEqual([server.body(n)["records"][0]["unique_id"] for n in range(4)], ["0", "1", "0", "1"])
        self.assertEqual((result.written, result.errors[0].row), (1, 1))
        refusing = Server({"written": 0, "errors": []}, problem(400, "INVALID_ARGUMENT"))
        self.assertRaises(roost.InvalidArgumentError, refusing.client().upsert_records, "acme", large)
        self.assertEqual(len(refusing.requests), 2)
        self.assertEqual(server.client().upsert_records("acme", []).written, 0)

    def test_iterators_follow_cursors(self):
        page = {
            "has_more": True,
            "next_offset": 1,
            "next_cursor": "c",
            "next_sync_datetime": "2024-05-01T12:00:00Z",
            "records": [{"unique_id": "a", "type": "Note", "deleted": True}],
        }
        last = {**page, "has_more": False, "records": [{"unique_id": "b", "type": "Note", "properties": {}}]}
        server = Server(page, last)
        changes = server.client().iter_changes(
            "acme", datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), "desk"
        )
        self.assertEqual(
            [(record.unique_id, record.deleted) for record in changes], [("a", True), ("b", False)]
        )
        self.assertEqual(changes.next_sync_datetime, datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC))
        self.assertEqual([server.body(n)["cursor"] for n in (0, 1)], [None, "c"])
        self.assertEqual(
            [record.unique_id for record in Server(page, last).client().iter_records("acme")], ["b"]
        )


class Errors(unittest.TestCase):
    def test_each_code_has_its_exception(self):
        for status, code, kind in (
            (400, "INVALID_ARGUMENT", roost.InvalidArgumentError),
            (404, "NOT_FOUND", roost.NotFoundError),
            (409, "ALREADY_EXISTS", roost.AlreadyExistsError),
            (400, "OUT_OF_RANGE", roost.SyncExpiredError),
            (504, "DEADLINE_EXCEEDED", roost.DeadlineExceededError),
            (501, "UNIMPLEMENTED", roost.UnimplementedError),
            (500, "INTERNAL", roost.InternalError),
            (418, "TEAPOT", roost.RoostError),
        ):
            with self.assertRaises(roost.RoostError) as caught:
                Server(problem(status, code, "what, where, what to do")).client().get_record_by_id(
                    "acme", "x"
                )
            self.assertIs(type(caught.exception), kind)
            self.assertEqual(
                (caught.exception.code, caught.exception.status, caught.exception.request_id),
                (code, status, "r1"),
            )
            self.assertIn("get_record_by_id: what, where, what to do", str(caught.exception))

    def test_replies_of_others_are_told_too(self):
        for reply, kind in (
            (httpx.Response(502, text="<html>Bad gateway"), roost.UnavailableError),
            (httpx.Response(413, text="too large"), roost.ResourceExhaustedError),
            (httpx.Response(200, text="<html>hello"), roost.InternalError),
            (httpx.Response(200, json={"other": 1}), roost.InternalError),
            (httpx.Response(200, json=[1]), roost.InternalError),
            (httpx.Response(500, text="{", headers={"content-type": "application/json"}), roost.RoostError),
        ):
            self.assertRaises(kind, Server(reply).client().get_record_by_id, "acme", "x")


class Retries(unittest.TestCase):
    NOTE = roost.Note("n")

    def asked(self, call, *replies, **options):
        """How often the server was asked, and what came out."""
        server = Server(*replies)
        try:
            result = call(server.client(**options))
        except roost.RoostError as error:
            result = type(error)
        return len(server.requests), result

    def test_reads_and_repeatable_writes_are_sent_again(self):
        busy, lost = problem(503, "UNAVAILABLE"), httpx.ReadError("reset")
        for failure in (busy, lost, httpx.RemoteProtocolError("cut"), problem(429, "RESOURCE_EXHAUSTED")):
            self.assertEqual(
                self.asked(lambda c: c.get_record_by_id("acme", "x"), failure, {"record": None}), (2, None)
            )
            self.assertEqual(
                self.asked(lambda c: c.delete_record("acme", "x"), failure, {"deleted": 1}), (2, True)
            )

    def test_an_insert_is_sent_again_only_where_it_cannot_have_arrived(self):
        def insert(client):
            return client.insert_record("acme", self.NOTE)

        self.assertEqual(self.asked(insert, httpx.ConnectError("refused"), {"written": 1}), (2, None))
        self.assertEqual(self.asked(insert, httpx.ReadError("reset")), (1, roost.UnavailableError))
        self.assertEqual(self.asked(insert, problem(503, "UNAVAILABLE")), (1, roost.UnavailableError))

    def test_what_another_try_cannot_mend_is_not_tried_again(self):
        for failure, kind in (
            (problem(400, "INVALID_ARGUMENT"), roost.InvalidArgumentError),
            (problem(504, "DEADLINE_EXCEEDED"), roost.DeadlineExceededError),
            (httpx.ReadTimeout("slow"), roost.DeadlineExceededError),
        ):
            self.assertEqual(self.asked(lambda c: c.get_record_by_id("acme", "x"), failure), (1, kind))

    def test_tries_have_an_end(self):
        self.assertEqual(
            self.asked(lambda c: c.get_record_by_id("acme", "x"), problem(503, "UNAVAILABLE")),
            (3, roost.UnavailableError),
        )
        with self.assertRaises(roost.NotSentError) as caught:
            Server(httpx.ConnectError("refused")).client().get_record_by_id("acme", "x")
        self.assertEqual(caught.exception.attempts, 3)
        self.assertIn("is `roost serve` running", str(caught.exception))
        slow = roost.RetryPolicy(max_attempts=10, first_delay=5, max_delay=5)
        waiting = problem(503, "UNAVAILABLE")
        waiting.headers["retry-after"] = "5"
        self.assertEqual(
            self.asked(lambda c: c.get_record_by_id("acme", "x"), waiting, timeout=0.5, retry=slow),
            (1, roost.UnavailableError),
        )

    def test_limits_are_checked(self):
        for make in (
            lambda: roost.RetryPolicy(max_attempts=0),
            lambda: roost.RetryPolicy(max_attempts=11),
            lambda: roost.RetryPolicy(first_delay=3, max_delay=1),
            lambda: roost.Client(timeout=0),
            lambda: roost.Client(timeout=math.inf),
            lambda: roost.Client("ftp://x"),
            lambda: roost.Client("http://"),
            lambda: roost.Client("x:notaport"),
        ):
            self.assertRaises(roost.InvalidArgumentError, make)


class AsyncClient(unittest.TestCase):
    def test_it_does_what_the_blocking_one_does(self):
        def asynchronous(server):
            return roost.AsyncClient(
                "http://server:1",
                collection="notes",
                settings=roost.Settings(),
                retry=QUICK,
                transport=httpx.MockTransport(server),
            )

        async def all_of_it():
            server = Server(problem(503, "UNAVAILABLE"), {"deleted": 1})
            async with asynchronous(server) as client:
                self.assertTrue(await client.delete_record("acme", "x"))
            self.assertEqual(len(server.requests), 2)
            page = {
                "has_more": False,
                "next_offset": 1,
                "next_sync_datetime": "2024-05-01T12:00:00Z",
                "records": [{"unique_id": "a", "type": "Note", "properties": {}}],
            }
            async with asynchronous(Server(page)) as client:
                self.assertEqual([record.unique_id async for record in client.iter_records("acme")], ["a"])
            async with asynchronous(Server(problem(404, "NOT_FOUND"))) as client:
                with self.assertRaises(roost.NotFoundError):
                    await client.get_record_by_id("acme", "x")

        asyncio.run(all_of_it())

    def test_both_clients_have_the_same_operations(self):
        def names(kind):
            return {name for name in vars(kind) if not name.startswith("_")} - {"aclose"}

        self.assertEqual(names(roost.Client), names(roost.AsyncClient))


if __name__ == "__main__":
    unittest.main()
