"""The package passes mypy --strict, and its types tell users what they get."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

PACKAGE = pathlib.Path(__file__).resolve().parents[1]

USER = """
import asyncio
import datetime
import roost

with roost.Client() as client:
    hits: list[roost.Hit] = client.query_by_vector("acme", [1.0, 2.0], top_k=3)
    found: roost.Record | None = client.get_record_by_id("acme", "x")
    since: datetime.datetime | None = client.sync_by_last_modified("acme").next_sync_datetime
    for record in client.iter_records("acme"):
        name: str = record.unique_id

async def main() -> None:
    async with roost.AsyncClient() as client:
        count: int = await client.delete_all_records("acme")

asyncio.run(main())
"""
WRONG = """
import roost

client = roost.Client()
client.insert_record(5, roost.Note("x"))
client.get_record_by_id("acme", "x").properties
"""


def mypy(*arguments):
    """(exit status, output); nothing is kept between runs."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "/dev/null", *arguments],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


class Types(unittest.TestCase):
    def test_the_package_and_its_users_pass_and_mistakes_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            user, wrong = pathlib.Path(folder) / "user.py", pathlib.Path(folder) / "wrong.py"
            user.write_text(USER)
            wrong.write_text(WRONG)
            status, output = mypy("roost", str(user))
            self.assertEqual(status, 0, output)
            status, output = mypy("roost", str(wrong))
        self.assertEqual(status, 1, output)
        self.assertIn('wrong.py:5: error: Argument 1 to "insert_record"', output)
        self.assertIn('wrong.py:6: error: Item "None"', output)


if __name__ == "__main__":
    unittest.main()
