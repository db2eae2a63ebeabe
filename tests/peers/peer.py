"""What the scripts start_*.py have in common. Each starts one real server for tests and development:

    start_X.py DATA_DIR [--port N] [--timeout SECONDS] [options of X]

DATA_DIR is made when absent and kept afterwards, so the same command starts the same data again, on
the same ports. When the server answers, the script prints one line, whose fields are NAME=VALUE:

    READY host=127.0.0.1 port=20016 uri=http://127.0.0.1:20016 server=4711 version=… seconds=2.8

SIGTERM or SIGINT stops the server and everything it started: what does not follow is killed. SIGQUIT
kills it at once, for data that nobody wants any more. The server also ends when the thread that
started the script ends, and when the script is killed. With --remove-orphan DATA_DIR goes too when
the starting process ended first. A server that cannot be started shows the end of its log.
"""

import argparse
import contextlib
import ctypes
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("ROOST_PEER_CACHE") or ROOT / ".dev" / "peers")


def fail(message):
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


@contextlib.contextmanager
def locked(path):
    """One process at a time; the kernel lets go of the lock when its holder ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def die_with(parent_pid, signal_number):
    """Asks the kernel to send us `signal_number` when the thread that started us ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent_pid:  # It ended before we asked.
        os.kill(os.getpid(), signal_number)


# --- Ports ---------------------------------------------------------------------------------------

# Below the ports that the kernel gives to outgoing connections and to those who ask for any port.
FIRST_PORT, LAST_PORT, RANGE = 20000, 32000, 16


def are_free(first, count):
    for port in range(first, first + count):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT is no hindrance
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


def take_ports(folder, count):
    """The first of `count` ports in a row that belong to the data folder `folder`, as long as it
    exists: so a server that was stopped comes back where its clients look for it, and no other
    script takes its place meanwhile."""
    assert count <= RANGE
    leases = Path(tempfile.gettempdir()) / f"roost-peer-ports-{os.geteuid()}"
    remembered = folder / "first_port"
    with locked(leases / "lock"):
        if remembered.exists():
            first = int(remembered.read_text())
            lease = leases / str(first)
            if lease.exists() and lease.read_text() == str(folder):
                return first
        ranges = list(range(FIRST_PORT, LAST_PORT - RANGE, RANGE))
        random.shuffle(ranges)
        for first in ranges:
            lease = leases / str(first)
            taken = lease.exists() and Path(lease.read_text() or "/nowhere/at/all").exists()
            if not taken and are_free(first, count):
                lease.write_text(str(folder))
                remembered.write_text(str(first))
                return first
    fail(f"no {count} free ports in a row; {leases} names the folders that hold them")


# --- Processes -----------------------------------------------------------------------------------


@dataclass
class Command:
    words: list
    environment: dict = field(default_factory=lambda: dict(os.environ))
    folder: str = "/"


class Peer:
    """One kind of server. A script derives from this, says what to run and when it answers, and
    calls main()."""

    name = "server"
    port_count = 1
    stop_signals = (signal.SIGTERM, signal.SIGKILL)
    stop_seconds = 15  # between two of them

    arguments = None
    folder = None  # DATA_DIR
    port = 0
    process = None

    def add_options(self, parser):
        """Adds what only this kind of server knows."""

    def prepare(self):
        """Makes ready in self.folder what the server needs; returns the Command."""
        raise NotImplementedError

    def answers(self):
        """Whether clients can work now."""
        raise NotImplementedError

    def fields(self):
        """What the READY line tells beside host and port."""
        raise NotImplementedError

    def ended(self):
        """Clears away what the server leaves outside of self.folder."""

    def enter(self, parent_pid):
        """In the server's process, between fork and exec."""
        die_with(parent_pid, signal.SIGKILL)

    # The life of the process.

    @property
    def log(self):
        return self.folder / "server.log"

    def start(self, command):
        parent_pid = os.getpid()

        def enter():
            os.setsid()  # A group of its own: all of it can be killed.
            self.enter(parent_pid)

        self._signals = []
        self._next_signal_at = None
        with open(self.log, "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                [str(word) for word in command.words],
                preexec_fn=enter,
                env=command.environment,
                cwd=command.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log_tail(self, lines=20):
        with open(self.log, "rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace").splitlines()
        panics = [line for line in text[:-lines] if line.startswith(("panic:", "fatal"))]  # of Go
        return "\n".join(panics + text[-lines:]) + f"\n(the end of {self.log})"

    def ask_to_end(self, number=signal.SIGTERM, *_):
        """Handles a signal; wait() sees to the rest. A second call cannot slow the first down."""
        if number == signal.SIGQUIT:
            self._signals = [signal.SIGKILL]
        elif self._next_signal_at is None:
            self._signals = list(self.stop_signals)
        else:
            return
        self._next_signal_at = time.monotonic()

    @property
    def asked_to_end(self):
        return self._next_signal_at is not None

    def wait(self):
        """Until it has ended by itself or because it was asked to; returns its exit status."""
        while True:
            if self._signals and time.monotonic() >= self._next_signal_at:
                number = self._signals.pop(0)
                self.process.send_signal(signal.SIGCONT)  # A frozen one would not hear the other.
                if number == signal.SIGKILL:
                    os.killpg(self.process.pid, number)
                else:
                    self.process.send_signal(number)
                self._next_signal_at = time.monotonic() + self.stop_seconds
            try:
                # Signals interrupt the wait only to run their handler, so it looks often.
                status = self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # whatever it left behind
            self.ended()
            return status

    def await_answer(self):
        began = time.monotonic()
        while not self.answers():
            if self.asked_to_end:
                self.wait()
                sys.exit(1)
            if self.process.poll() is not None:
                fail(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() - began > self.arguments.timeout:
                self.ask_to_end(signal.SIGQUIT)
                self.wait()
                fail(
                    f"{self.name} does not answer on port {self.port} after "
                    f"{self.arguments.timeout:.0f} s:\n{self.log_tail()}"
                )
            time.sleep(0.02)

    def run(self):
        """Until the server ends. Returns the status to exit with."""
        began = time.monotonic()
        self.folder = self.arguments.data_dir.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.arguments.port or take_ports(self.folder, self.port_count)
        if not are_free(self.port, self.port_count):
            fail(f"a port of {self.port} to {self.port + self.port_count - 1} is taken")
        self.start(self.prepare())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self.ask_to_end)
        self.await_answer()
        fields = {"host": HOST, "port": self.port, **self.fields(), "server": self.process.pid}
        fields["seconds"] = f"{time.monotonic() - began:.1f}"
        print("READY " + " ".join(f"{name}={value}" for name, value in fields.items()), flush=True)
        status = self.wait()
        if not self.asked_to_end:
            fail(f"{self.name} ended by itself with {status}:\n{self.log_tail()}")
        return 0

    def main(self, description):
        parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("data_dir", type=Path)
        parser.add_argument(
            "--port", type=int, default=0, help="the first one; by default the script finds free ones"
        )
        parser.add_argument("--timeout", type=float, default=120, help="seconds until it must answer")
        parser.add_argument("--parent", type=int, help="the process to end with, should it end first")
        parser.add_argument(
            "--remove-orphan", action="store_true", help="remove DATA_DIR when nobody else is left to"
        )
        self.add_options(parser)
        self.arguments = parser.parse_args()
        parent_pid = self.arguments.parent or os.getppid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda *_: sys.exit(1))  # while there is no server yet
        try:
            die_with(parent_pid, signal.SIGTERM)
            status = self.run()
        finally:
            if self.arguments.remove_orphan and os.getppid() != parent_pid:
                shutil.rmtree(self.arguments.data_dir, ignore_errors=True)
        sys.exit(status)


# --- What several of them need -------------------------------------------------------------------


def settings_of(pairs, option="--set"):
    """["name=value", …] as a dictionary."""
    settings = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            fail(f"{option} {pair}: write NAME=VALUE")
        settings[name] = value
    return settings


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever http_proxy says


def http_get(url, headers=None, timeout=5):
    """(status, body); status 0 when nobody answers."""
    try:
        with _direct.open(urllib.request.Request(url, headers=headers or {}), timeout=timeout) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, ValueError):
        return 0, b""
