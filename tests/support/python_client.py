"""The Python client as users install it: the wheel, in a folder of its own."""

import functools
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build_wheel(folder):
    """The wheel's path. Made from a copy, so that nothing is left in the tree."""
    source = pathlib.Path(folder) / "source"
    shutil.copytree(
        ROOT / "python", source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    )
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--wheel-dir",
            str(folder),
            str(source),
        ],
        check=True,
    )
    (wheel,) = pathlib.Path(folder).glob("roost-*.whl")
    return wheel


@functools.cache
def install():
    """Puts the installed package on sys.path; returns its folder."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-wheel-"))
    target = folder / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-index",
            "--target",
            str(target),
            str(build_wheel(folder)),
        ],
        check=True,
    )
    sys.path.insert(0, str(target))
    return target


def examples(path):
    """The Python blocks of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / path).read_text(encoding="utf-8"), re.M | re.S)


class Hook(http.server.BaseHTTPRequestHandler):
    """Where the server hands the objects of deleted records to; it fails the first time."""

    events, calls, token = [], 0, None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Hook.calls += 1
        Hook.token = self.headers["authorization"]
        if Hook.calls > 1:
            Hook.events += json.loads(body)["events"]
        self.send_response(503 if Hook.calls == 1 else 204)
        self.end_headers()

    def log_message(self, *_):
        pass
