"""What users get wrong and what machines do to them: a clear error each time, nothing lost."""

import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.client import ApiError, pack  # noqa: E402
from tests.support.processes import Roost, free_port  # noqa: E402

BINARY = os.environ["ROOST_BINARY"]
BOOKS = {"name": "books",
         "fields": [{"name": "title", "type": "TEXT"}, {"name": "year", "type": "INT64"}],
         "vectors": [{"name": "v", "dimension": 4, "metric": "L2"}]}


def book(number, vector=(1, 2, 3, 4)):
    return {"id": f"b{number:06d}", "title": f"book {number}", "year": number, "v": list(vector)}


class WithServer(unittest.TestCase):
    OPTIONS = ()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.roost = Roost(BINARY, self.folder / "data", options=self.OPTIONS)
        self.addCleanup(self.roost.__exit__)
        self.roost.start()
        self.client = self.roost.client()
        self.client.post("/v1/collections", BOOKS)
        self.client.upsert("books", [book(n) for n in range(10)])

    def refused(self, status, code, *words, call):
        with self.assertRaises(ApiError) as caught:
            call()
        self.assertEqual((caught.exception.status, caught.exception.code), (status, code),
                         caught.exception.detail)
        for word in words:
            self.assertIn(word, caught.exception.detail)

    def unharmed(self):
        self.assertEqual(self.client.count("books"), 10)


class BadRequests(WithServer):
    def test_wrong_dimension_names_row_and_field(self):
        self.refused(400, "INVALID_ARGUMENT", "row 1", "v", "5", "4", call=lambda: self.client.upsert(
            "books", [book(100), book(101, (1, 2, 3, 4, 5))]))
        self.unharmed()

    def test_nan_and_infinity_are_refused(self):
        for bad in (pack([1, float("nan"), 3, 4]), pack([1, 2, float("inf"), 4])):
            self.refused(400, "INVALID_ARGUMENT", "row 0", "v",
                         call=lambda bad=bad: self.client.upsert("books", [{"id": "x", "v": bad}]))
        status, _, _ = self.client.raw("POST", "/v1/collections/books/upsert",
                                       '{"records":[{"id":"x","v":[NaN,1,2,3]}]}')
        self.assertEqual(status, 400)
        self.unharmed()

    def test_unknown_field_is_named(self):
        self.refused(400, "INVALID_ARGUMENT", "colour", call=lambda: self.client.upsert(
            "books", [{**book(100), "colour": "red"}]))
        self.unharmed()

    def test_filter_errors_tell_the_position(self):
        for text, *words in (("year >", "1:7"), ("year > 'x'", "year", "INT64"),
                             ("year > 3 and (title == \"a\"", "1:"), ("pages > 3", "pages"),
                             ("(" * 100_000 + "year > 3", "1:")):
            self.refused(400, "INVALID_ARGUMENT", *words,
                         call=lambda text=text: self.client.post("/v1/collections/books/query",
                                                                 {"filter": text}))

    def test_deeply_nested_json_is_refused(self):
        for body in ("[" * 100_000, '{"records":' + "[" * 100_000,
                     '{"records":[{"id":"x","v":' + '{"a":' * 100_000):
            status, _, text = self.client.raw("POST", "/v1/collections/books/upsert", body)
            self.assertEqual(status, 400, text[:200])
        self.unharmed()

    def test_a_body_of_one_gigabyte_is_refused_before_it_is_read(self):
        before = self.memory()
        with socket.create_connection(("127.0.0.1", self.roost.port), timeout=10) as connection:
            connection.sendall(b"POST /v1/collections/books/upsert HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n")
            reply = connection.recv(65536).decode()
        self.assertTrue(reply.startswith("HTTP/1.1 413 "), reply[:100])
        self.assertLess(self.memory() - before, 16 << 20)
        self.unharmed()

    def test_unknown_paths_and_methods(self):
        self.assertEqual(self.client.raw("GET", "/v2/things")[0], 404)
        status, headers, _ = self.client.raw("PUT", "/v1/collections/books")
        self.assertEqual(status, 405)
        self.assertEqual(headers["allow"], "DELETE, GET")

    def test_problems_are_problem_json(self):
        status, headers, text = self.client.raw("GET", "/v1/collections/none")
        problem = json.loads(text)
        self.assertEqual(status, 404)
        self.assertTrue(headers["content-type"].startswith("application/problem+json"))
        self.assertEqual((problem["status"], problem["code"]), (404, "NOT_FOUND"))
        self.assertIn("none", problem["detail"])

    def memory(self):
        with open(f"/proc/{self.roost.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class TwoServers(WithServer):
    def test_the_second_on_the_same_folder_exits_and_says_why(self):
        second = subprocess.run([BINARY, "serve", "--data", str(self.roost.folder), "--port",
                                 str(free_port())], capture_output=True, text=True, timeout=30,
                                check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(str(self.roost.process.pid), second.stderr)
        self.client.upsert("books", [book(1)])
        self.unharmed()

    def test_a_port_that_is_taken_is_named(self):
        second = subprocess.run([BINARY, "serve", "--data", str(self.folder / "other"), "--port",
                                 str(self.roost.port)], capture_output=True, text=True, timeout=30,
                                check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(str(self.roost.port), second.stderr)


class DamagedFiles(WithServer):
    OPTIONS = ("--embedded.seal_rows", "1000")

    def test_a_flipped_byte_is_found_and_named_and_never_served(self):
        rows = [book(n, (n, n + 1, n + 2, n + 3)) for n in range(5_000)]
        for start in range(0, len(rows), 500):
            self.client.upsert("books", rows[start:start + 500])
        self.assertEqual(self.roost.stop(), 0)
        store = self.roost.folder / "store"
        victims = sorted((p for p in store.rglob("*") if p.is_file() and p.stat().st_size > 4096),
                         key=lambda p: -p.stat().st_size)
        self.assertTrue(victims, "no segment was written")
        pristine = self.folder / "pristine"
        shutil.copytree(self.roost.folder, pristine)
        expected = {row["id"]: row for row in rows}
        chooser = random.Random(3)
        noticed = 0
        for trial in range(6):
            shutil.rmtree(self.roost.folder)
            shutil.copytree(pristine, self.roost.folder)
            path = victims[trial % len(victims)]
            at = chooser.randrange(path.stat().st_size)
            with open(path, "r+b") as file:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 0x10]))
            noticed += self.refuses_or_serves_the_truth(expected)
        self.assertGreater(noticed, 0, "six flipped bits and not one was noticed")

    def refuses_or_serves_the_truth(self, expected):
        """1 when the damage was reported, 0 when what is served is right all the same (a derived
        file, or bytes that hold nothing)."""
        try:
            self.roost.start()
        except RuntimeError as error:
            self.assertRegex(str(error), "damaged|checksum|corrupt")
            return 1
        try:
            found = {record["id"]: record for record in self.roost.client().export("books")}
            self.assertEqual(found, expected)
            return 0
        except (ApiError, OSError, ValueError, AssertionError) as error:
            if isinstance(error, AssertionError):
                raise
            self.assertRegex(str(error) + self.roost.tail(), "damaged|checksum|corrupt")
            return 1
        finally:
            self.roost.kill()


class FullDisk(unittest.TestCase):
    """The data folder on a file system of 64 MiB of its own."""

    def test_writes_are_refused_reads_and_deletes_go_on_and_space_brings_writes_back(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-full-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        port = free_port()
        # In a chroot the root is no mount, and its propagation cannot be changed, nor need it be.
        command = ("{ mount --make-rprivate / 2>/dev/null || true; } && "
                   f"mount -t tmpfs -o size=64m none {folder} && cd {folder} && "
                   f"head -c 20000000 /dev/zero > ballast && "
                   f"exec {BINARY} serve --data {folder}/data --port {port} "
                   "--embedded.min_free_disk_bytes 0 --log.file /dev/null")
        namespace = ["unshare", "--mount", "--propagation", "unchanged"]
        if os.geteuid() != 0:
            namespace += ["--user", "--map-root-user"]
        process = subprocess.Popen([*namespace, "sh", "-c", command], stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stderr.close()))
        roost = Roost(BINARY, folder / "data", port=port)
        roost.process = process
        roost.wait_ready()
        client = roost.client()
        client.post("/v1/collections", {**BOOKS, "vectors": [{"name": "v", "dimension": 512}]})
        written, refused = self.fill(client)
        self.assertIsNotNone(refused, "60 MB went into 44 MB")
        self.assertIn(refused.status, (429, 503, 507))
        self.assertEqual(refused.code, "RESOURCE_EXHAUSTED")
        self.assertEqual(client.count("books"), written)
        self.assertEqual(client.search("books", vector=pack([1.0] * 512), top_k=3)[0][0]["distance"]
                         >= 0, True)
        os.unlink(f"/proc/{process.pid}/cwd/ballast")
        end = time.monotonic() + 30
        while True:
            try:
                client.upsert("books", self.rows(10**6, 10))
                break
            except ApiError as error:
                self.assertEqual(error.code, "RESOURCE_EXHAUSTED")
                self.assertLess(time.monotonic(), end, "writes did not come back")
                time.sleep(0.1)
        self.assertEqual(client.count("books"), written + 10)

    def rows(self, start, count):
        chooser = random.Random(start)
        return [{"id": f"r{n}", "v": pack([chooser.random() for _ in range(512)])}
                for n in range(start, start + count)]

    def fill(self, client):
        written = 0
        for start in range(0, 30_000, 500):
            try:
                written += client.upsert("books", self.rows(start, 500))["written"]
            except ApiError as error:
                return written, error
        return written, None


class Stopping(WithServer):
    def test_sigterm_ends_well_and_keeps_everything(self):
        self.assertEqual(self.roost.stop(), 0)
        self.roost.start()
        self.client = self.roost.client()
        self.unharmed()


if __name__ == "__main__":
    unittest.main(verbosity=1)
