"""The command line as people and scripts use it: every command against a running server."""

import contextlib
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.client import unpack  # noqa: E402
from tests.support.processes import Roost, free_port  # noqa: E402

BINARY = os.environ["ROOST_BINARY"]
DIMENSION = 8
OK, FAILED, USAGE, NOT_FOUND, UNREACHABLE, REFUSED, BUSY, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130


def books(count):
    chooser = np.random.default_rng(7)
    topics = ("whale", "wine", "dark sea", "garden")
    return [{"id": number, "title": f"{topics[number % 4]} number {number}", "year": 1900 + number % 100,
             "price": float(chooser.random()), "tags": ["a", "ü"][:number % 3],
             "embedding": [float(x) for x in chooser.standard_normal(DIMENSION).astype("<f4")]}
            for number in range(count)]


def bits(records):
    """Records by key, vectors by their bits: equal means equal in every bit."""
    return {record["id"]: {**{name: value for name, value in record.items() if value is not None},
                           "embedding": unpack(record["embedding"]).tobytes()} for record in records}


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        # The second store is an address where nobody answers: plans and doctor must say so.
        cls.roost = Roost(BINARY, cls.folder / "data",
                          stores={"pg": f"postgresql://u:secret@127.0.0.1:{free_port()}/v"})
        cls.addClassCleanup(cls.roost.__exit__)
        cls.roost.start()
        cls.environment = {**os.environ, "ROOST_URL": f"http://127.0.0.1:{cls.roost.port}"}
        cls.environment.pop("ROOST_PARQUET_MODULE", None)
        cls.records = books(3_000)
        cls.lines = cls.folder / "books.jsonl"
        cls.lines.write_text("".join(json.dumps(record) + "\n" for record in cls.records))
        cls.run_cli("load", cls.lines, "-c", "books", "--create", "--type", "title=TEXT")

    @classmethod
    def run_cli(cls, *arguments, status=OK, environment=None, stdin=None):
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, input=stdin,
                              env={**cls.environment, **(environment or {})}, cwd=cls.folder,
                              timeout=60, check=False, text=True)
        if done.returncode != status:
            raise AssertionError(f"roost {' '.join(map(str, arguments))}: exit {done.returncode}, "
                                 f"not {status}\n{done.stdout}{done.stderr}")
        return done

    def read_json(self, *arguments, status=OK):
        return json.loads(self.run_cli(*arguments, "--json", status=status).stdout)

    def fails(self, status, *words, arguments, **more):
        """It fails so, and says these words, as text and as JSON."""
        text = self.run_cli(*arguments, status=status, **more).stderr
        self.assertIn("roost: ", text)
        problem = json.loads(self.run_cli(*arguments, "--json", status=status,
                                          **more).stderr.splitlines()[-1])["error"]
        self.assertEqual(problem["exit"], status)
        for word in words:
            self.assertIn(word, text)
            self.assertIn(word, problem["message"])

    def exported(self, collection):
        lines = self.run_cli("export", "-c", collection).stdout.splitlines()
        return bits(json.loads(line) for line in lines)

    def drop(self, collection):
        self.run_cli("collection", "drop", collection, "--yes")


class Reading(Cli):
    def test_create_tells_the_schema_it_found(self):
        schema = self.read_json("collections", "describe", "books")
        self.assertEqual(schema["key"], {"name": "id", "type": "INT64"})
        self.assertEqual({field["name"]: field["type"] for field in schema["fields"]},
                         {"title": "TEXT", "year": "INT64", "price": "DOUBLE", "tags": "ARRAY"})
        self.assertEqual(schema["vectors"][0]["dimension"], DIMENSION)
        self.assertIn("books", self.run_cli("collections", "list").stdout.splitlines())
        self.assertRegex(self.run_cli("collections", "describe", "books").stdout,
                         r"title +TEXT\n")

    def test_search_by_vector_finds_the_record_itself_first(self):
        record = self.records[17]
        query = self.folder / "query.npy"
        np.save(query, np.asarray(record["embedding"], "<f4"))
        hits = self.read_json("search", "-c", "books", "--vector", query, "--top-k", 3)["hits"][0]
        self.assertEqual((len(hits), hits[0]["id"]), (3, 17))
        same = self.read_json("search", "-c", "books", "--vector-json", json.dumps(record["embedding"]),
                              "--filter", "id != 17", "-k", 1, "--exact")["hits"][0]
        self.assertEqual(same[0]["id"], hits[1]["id"])
        piped = self.run_cli("search", "-c", "books", "--vector", "-", "--json", "-k", 3,
                             stdin=json.dumps(record["embedding"]))
        self.assertEqual(json.loads(piped.stdout)["hits"][0], hits)
        shown = self.run_cli("search", "-c", "books", "--vector", query).stdout.splitlines()
        self.assertEqual(len(shown), 11)
        self.assertRegex(shown[1], r"^ *1 +1 .* 17 ")

    def test_search_by_words_and_both(self):
        hits = self.read_json("search", "garden", "-c", "books", "--fields", "title")["hits"][0]
        self.assertEqual({"garden" in hit["record"]["title"] for hit in hits}, {True})
        vector = json.dumps(self.records[3]["embedding"])
        both = self.read_json("search", "garden", "--vector-json", vector, "-c", "books", "-k", 5)
        self.assertEqual(both["hits"][0][0]["id"], 3)
        self.assertEqual(self.run_cli("search", "nowhere", "-c", "books").stdout, "nothing found\n")
        self.fails(USAGE, "--vector", arguments=("search", "-c", "books"))

    def test_get_and_query(self):
        got = self.read_json("get", 5, 6, "-c", "books", "--vectors")["records"]
        self.assertEqual(bits(got), bits(self.records[5:7]))
        missing = self.run_cli("get", 5, 99999, "-c", "books", status=NOT_FOUND)
        self.assertIn("there is no record 99999", missing.stderr)
        self.fails(USAGE, "\"x\" is none", arguments=("get", "x", "-c", "books"))
        found = self.read_json("query", "-c", "books", "--filter", "year == 1905 and id < 200")
        self.assertEqual([record["id"] for record in found["records"]], [5, 105])
        self.assertEqual(self.run_cli("query", "-c", "books", "--count").stdout, "3000\n")
        self.assertEqual(self.read_json("query", "-c", "books", "--filter", "id < 7", "--count"),
                         {"count": 7})

    def test_delete_by_key_and_filter(self):
        self.run_cli("load", self.lines, "-c", "shrinking", "--create")
        self.addCleanup(self.drop, "shrinking")
        self.assertEqual(self.run_cli("delete", 1, 2, "-c", "shrinking").stdout, "2 deleted\n")
        self.fails(USAGE, "--yes", arguments=("delete", "-c", "shrinking", "--filter", "id < 10"),
                   stdin="")
        deleted = self.read_json("delete", "-c", "shrinking", "--filter", "id < 10", "--yes")
        self.assertEqual(deleted["deleted"], 8)
        self.assertEqual(self.run_cli("query", "-c", "shrinking", "--count").stdout, "2990\n")


class Transfer(Cli):
    def round_trip(self, *files):
        """Loads exported files into a new collection; it must be the same in every bit."""
        self.run_cli("load", *files, "-c", "copy", "--create", "--key", "id")
        self.addCleanup(self.drop, "copy")
        self.assertEqual(self.exported("copy"), bits(self.records))

    def test_json_lines_round_trip(self):
        self.run_cli("export", "-c", "books", "-o", "out.jsonl")
        with open(self.folder / "out.jsonl", "rb") as plain, \
                gzip.open(self.folder / "out.jsonl.gz", "wb") as packed:
            packed.write(plain.read())
        self.round_trip("out.jsonl.gz")

    def test_parquet_round_trip_and_other_programs_read_it(self):
        self.run_cli("export", "-c", "books", "-o", "out.parquet")
        table = pq.read_table(self.folder / "out.parquet")
        self.assertEqual(table.num_rows, len(self.records))
        self.assertEqual(table.schema.field("embedding").type, pa.list_(pa.float32()))
        self.round_trip("out.parquet")
        schema = self.read_json("collection", "describe", "copy")
        self.assertEqual(schema["fields"], self.read_json("collection", "describe", "books")["fields"])

    def test_parquet_of_other_programs_is_loaded(self):
        pq.write_table(pa.table({
            "id": pa.array(["a", "b"]), "when": pa.array([1, 2], pa.timestamp("ms")),
            "v": pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2))}), self.folder / "other.parquet")
        self.run_cli("load", "other.parquet", "-c", "other", "--create", "--metric", "L2")
        self.addCleanup(self.drop, "other")
        self.assertEqual(self.read_json("get", "b", "-c", "other", "--vectors")["records"],
                         [{"id": "b", "when": 2000, "v": [3, 4]}])

    def test_npy_round_trip(self):
        self.run_cli("export", "-c", "books", "-o", "out.npy", "--rows", "rest.jsonl")
        matrix = np.load(self.folder / "out.npy")
        self.assertEqual((matrix.shape, matrix.dtype), ((len(self.records), DIMENSION), np.float32))
        self.run_cli("load", "rest.jsonl", "--vectors", "out.npy", "-c", "copy", "--create",
                     "--type", "title=TEXT")
        self.addCleanup(self.drop, "copy")
        self.assertEqual(self.exported("copy"), bits(self.records))

    def test_a_matrix_alone_has_row_numbers_as_keys(self):
        matrix = np.random.default_rng(1).standard_normal((50, 4)).astype("<f2")
        np.save(self.folder / "half.npy", matrix)
        self.run_cli("load", "half.npy", "-c", "half", "--create", "--vector-field", "v",
                     "--metric", "L2")
        self.addCleanup(self.drop, "half")
        record = self.read_json("get", 49, "-c", "half", "--vectors")["records"][0]
        self.assertEqual(np.asarray(record["v"], "<f2").tobytes(), matrix[49].tobytes())

    def test_bad_rows_are_named_and_the_others_written(self):
        rows = [json.dumps(record) for record in books(40)]
        rows[3] = '{"id": 3, "embedding": [1, 2'
        rows[10] = json.dumps({**books(11)[10], "embedding": [1, 2]})
        rows[20] = json.dumps({**books(21)[20], "colour": "red"})
        (self.folder / "bad.jsonl").write_text("\n".join(rows))
        self.run_cli("collection", "create", "picky", "--schema", "-",
                     stdin=self.run_cli("collection", "describe", "books", "--json").stdout)
        self.addCleanup(self.drop, "picky")
        done = self.run_cli("load", "bad.jsonl", "-c", "picky", status=FAILED)
        self.assertRegex(done.stderr, r"(?m)^bad\.jsonl:4: not valid JSON")
        self.assertRegex(done.stderr, r"(?m)^bad\.jsonl:11: .*embedding.*2")
        self.assertRegex(done.stderr, r"(?m)^bad\.jsonl:21: .*colour")
        report = self.read_json("load", "bad.jsonl", "-c", "picky", status=FAILED)
        self.assertEqual((report["rows"], report["written"], report["refused"]), (40, 37, 3))
        self.assertEqual(len(report["errors"]), 3)
        self.fails(REFUSED, "more than 1 rows",
                   arguments=("load", "bad.jsonl", "-c", "picky", "--max-errors", 1))
        twice = self.read_json("load", "bad.jsonl", "-c", "picky", "--insert", status=FAILED)
        self.assertEqual((twice["written"], twice["refused"]), (0, 40))

    def test_files_that_cannot_be_loaded(self):
        np.save(self.folder / "columns.npy", np.asfortranarray(np.zeros((3, 4), "<f4")))
        (self.folder / "cut.npy").write_bytes((self.folder / "columns.npy").read_bytes()[:100])
        (self.folder / "no.parquet").write_text("id,title\n1,x\n")
        load = ("load", "-c", "books")
        self.fails(NOT_FOUND, "none.jsonl", arguments=(*load, "none.jsonl"))
        self.fails(USAGE, "ascontiguousarray", "columns.npy", arguments=(*load, "columns.npy"))
        self.fails(USAGE, "cut.npy", "header", arguments=(*load, "cut.npy"))
        self.fails(USAGE, "no.parquet", "Parquet", arguments=(*load, "no.parquet"))
        self.fails(NOT_FOUND, "nowhere", arguments=("load", self.lines, "-c", "nowhere"))
        self.fails(REFUSED, "books", arguments=("load", self.lines, "-c", "books", "--create"))
        self.fails(USAGE, "--key (there are: id, title",
                   arguments=("load", self.lines, "-c", "new", "--create", "--key", "isbn"))

    def test_without_the_parquet_module_everything_else_works(self):
        environment = {"ROOST_PARQUET_MODULE": "/nowhere/libroost_parquet.so"}
        self.fails(USAGE, "/nowhere/libroost_parquet.so", "pyarrow", environment=environment,
                   arguments=("export", "-c", "books", "-o", "never.parquet"))
        self.assertFalse((self.folder / "never.parquet").exists())
        self.run_cli("export", "-c", "books", "-o", "plain.jsonl", environment=environment)

    def test_an_interrupted_load_stops_says_what_is_written_and_may_be_repeated(self):
        self.run_cli("collection", "create", "half_way", "--schema", "-",
                     stdin=self.run_cli("collection", "describe", "books", "--json").stdout)
        self.addCleanup(self.drop, "half_way")
        process = subprocess.Popen([BINARY, "load", "-", "-c", "half_way", "--batch", "10", "--json"],
                                   env=self.environment, stdin=subprocess.PIPE, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        stop = threading.Event()

        def feed():
            try:
                while not stop.is_set():
                    process.stdin.write(json.dumps(self.records[0]) + "\n" * 2)
            except OSError:
                pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        end = time.monotonic() + 30
        while self.run_cli("query", "-c", "half_way", "--count").stdout == "0\n":
            self.assertLess(time.monotonic(), end, "nothing was written")
        process.send_signal(signal.SIGINT)
        process.wait(30)
        stop.set()
        feeder.join()
        out, errors = process.stdout.read(), process.stderr.read()
        process.stdout.close()
        process.stderr.close()
        with contextlib.suppress(OSError):  # What it did not read any more.
            process.stdin.close()
        self.assertEqual(process.returncode, INTERRUPTED, errors)
        self.assertGreater(json.loads(out)["written"], 0)
        self.assertIn("interrupted", errors)
        self.run_cli("load", self.lines, "-c", "half_way")
        self.assertEqual(self.exported("half_way"), bits(self.records))

    def test_long_work_shows_rate_and_time_left_on_a_terminal(self):
        shown = subprocess.run(["script", "-qec", f"{BINARY} load {self.lines} -c books --batch 1 "
                                "--parallel 1", "/dev/null"], env=self.environment,
                               capture_output=True, text=True, timeout=60, check=True).stdout
        self.assertRegex(shown, r"books\.jsonl: [\d.]+ k? ?rows, \d+ %, [\d.]+( k)?/s, .* left")
        self.assertIn("3000 written, 0 refused", shown)


class BusyServer(BaseHTTPRequestHandler):
    """Answers 503 to everything."""

    def do_GET(self):  # noqa: N802
        body = b'{"code": "UNAVAILABLE", "detail": "the server is full"}'
        self.send_response(503)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Trouble(Cli):
    def test_nobody_answers(self):
        url = f"http://127.0.0.1:{free_port()}"
        for command in (("collections", "list"), ("load", self.lines, "-c", "x"),
                        ("export", "-c", "x"), ("move", "watch", "m"), ("search", "x", "-c", "x")):
            started = time.monotonic()
            self.fails(UNREACHABLE, "roost serve", "--url", arguments=(*command, "--url", url))
            self.assertLess(time.monotonic() - started, 20)

    def test_a_busy_server(self):
        server = ThreadingHTTPServer(("127.0.0.1", 0), BusyServer)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.fails(BUSY, "the server is full", arguments=(
            "collections", "list", "--url", f"http://127.0.0.1:{server.server_port}"))

    def test_wrong_command_lines(self):
        for arguments in ((), ("serch",), ("search", "--colection", "x"), ("move", "create", "-c", "x"),
                          ("load", "x", "-c", "y", "--format", "csv"), ("load", "x", "-c", "y",
                                                                         "--batch", "0")):
            self.fails(USAGE, "--help", arguments=arguments)

    def test_mistakes_in_filters_tell_the_place(self):
        self.fails(USAGE, "1:7", arguments=("query", "-c", "books", "--filter", "year >"))
        self.fails(NOT_FOUND, "nowhere", arguments=("query", "-c", "nowhere"))

    def test_output_that_cannot_be_written(self):
        self.fails(BUSY, "/dev/full", arguments=("export", "-c", "books", "-o", "/dev/full/x"))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, "export", "-c", "books"], stdout=full, check=False,
                                  stderr=subprocess.PIPE, env=self.environment, text=True)
        self.assertNotEqual(done.returncode, OK)
        self.assertIn("No space left", done.stderr)


class Moves(Cli):
    def test_a_plan_to_a_store_that_is_away(self):
        plan = self.read_json("move", "create", "-c", "books", "--target", "nostore", "--dry-run",
                              status=REFUSED)
        self.assertIn("nostore", plan["refusals"][0])
        away = self.run_cli("move", "create", "-c", "books", "--target", "pg", "--dry-run",
                            status=REFUSED)
        self.assertIn("refused: store \"pg\"", away.stdout)
        self.assertNotIn("secret", away.stderr + away.stdout)
        self.assertEqual(self.read_json("move", "list"), {"migrations": []})

    def test_a_plan_to_the_same_store_is_refused(self):
        done = self.run_cli("move", "create", "-c", "books", "--target", "embedded", "--dry-run",
                            status=REFUSED)
        self.assertIn("embedded", done.stdout + done.stderr)

    def test_moves_that_are_not_there(self):
        for verb in ("status", "watch", "advance", "rollback", "commit", "abort", "dead-letters",
                     "redrive"):
            self.fails(NOT_FOUND, "m-none", arguments=("move", verb, "m-none"))
        self.fails(USAGE, "--policy", arguments=("move", "create", "-c", "books", "--target", "pg",
                                                 "--policy", "shadow_percent=much"))


class Machine(Cli):
    def test_databases_and_stores(self):
        self.assertEqual(self.read_json("databases", "create", "shop"), {"name": "shop"})
        self.assertIn("shop", self.run_cli("databases", "list").stdout.splitlines())
        self.assertEqual(self.read_json("databases", "drop", "shop"), {})
        stores = {store["name"]: store for store in self.read_json("stores")["stores"]}
        self.assertEqual((stores["embedded"]["healthy"], stores["pg"]["healthy"]), (True, False))
        self.assertRegex(self.run_cli("stores").stdout, r"(?m)^embedded +embedded .* yes")

    def test_config_check_tells_values_and_where_they_come_from(self):
        (self.folder / "good.yaml").write_text(
            "server: {port: 9000}\nstores: {pg: 'postgresql://bob:secret@db/x'}\n")
        values = {value["key"]: value for value in self.read_json(
            "config", "check", "--config", "good.yaml", "--log.level", "debug")}
        self.assertEqual(values["server.port"]["value"], "9000")
        self.assertIn("good.yaml", values["server.port"]["origin"])
        self.assertEqual(values["log.level"]["origin"], "flag")
        self.assertEqual(values["stores.pg"]["value"], "postgresql://bob:***@db/x")
        self.assertNotIn("secret", self.run_cli("config", "check", "--config", "good.yaml").stdout)

    def test_config_check_names_what_is_wrong(self):
        (self.folder / "bad.yaml").write_text("server:\n  prot: 9000\n")
        (self.folder / "worse.yaml").write_text("server: [1, 2\n")
        check = ("config", "check", "--config")
        self.fails(USAGE, "server.prot", "bad.yaml", arguments=(*check, "bad.yaml"))
        self.fails(USAGE, "worse.yaml", arguments=(*check, "worse.yaml"))
        self.fails(NOT_FOUND, "none.yaml", arguments=(*check, "none.yaml"))
        self.fails(USAGE, "server.port", "65536", "65535",
                   arguments=("config", "check", "--port", "65536"))
        self.fails(USAGE, "mysql://x", arguments=("config", "check", "--store", "a=mysql://x"))

    def test_the_table_of_keys_in_the_docs_is_current(self):
        table = self.run_cli("config", "keys", "--markdown").stdout
        self.assertIn(table, (ROOT / "docs/configuration.md").read_text())
        self.assertEqual(len(self.read_json("config", "keys")), table.count("\n") - 2)

    def test_doctor(self):
        local = self.read_json("doctor", "--local", "--data", self.folder / "fresh")
        verdicts = {finding["check"]: finding["verdict"] for finding in local["findings"]}
        self.assertEqual(verdicts["configuration"], "ok")
        self.assertIn("sync", verdicts)
        self.assertFalse((self.folder / "fresh").exists(), "doctor makes nothing")
        # The server answers, its second store does not.
        whole = self.run_cli("doctor", "--data", self.roost.folder, status=FAILED).stdout
        self.assertRegex(whole, r"(?m)^ok +server: http")
        self.assertRegex(whole, r"(?m)^ok +store embedded: ")
        self.assertRegex(whole, r"(?m)^problem +store pg: ")
        self.assertIn(f"in use by process {self.roost.process.pid}", whole)
        self.assertNotIn("secret", whole)

    def test_completion_and_the_manual_page(self):
        for shell in ("bash", "zsh", "fish"):
            script = self.run_cli("completion", shell).stdout
            for word in ("load", "rollback", "--vector-json", "dead-letters"):
                self.assertIn(word if shell != "fish" else word.lstrip("-"), script)
        syntax = subprocess.run(["bash", "-n"], input=self.run_cli("completion", "bash").stdout,
                                text=True, capture_output=True, check=False)
        self.assertEqual((syntax.returncode, syntax.stderr), (0, ""))
        page = self.run_cli("man").stdout
        for part in (".TH ROOST 1", ".SH EXIT STATUS", "roost move create"):
            self.assertIn(part, page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", ""))

    def test_help_and_docs_name_every_command(self):
        documented = (ROOT / "docs/cli.md").read_text()
        page = self.run_cli("man").stdout
        for command in re.findall(r"(?m)^\.SS \\fB(roost [a-z\\ -]+)\\fR", page):
            name = command.replace("\\-", "-")
            self.assertIn("Example", self.run_cli(*name.split()[1:], "--help").stdout, name)
            self.assertIn(name, documented)

    def test_version(self):
        self.assertRegex(self.run_cli("--version").stdout, r"^roost \d+\.\d+\.\d+\n$")
        self.assertIn("version", self.read_json("version"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
