"""Starts Roost and its peers for tests, on free ports, and ends them for certain."""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from tests.support.client import ApiError, Client

ROOT = pathlib.Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _die_with_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Roost:
    """One server process. `restart` after `kill` uses the same folder and port."""

    def __init__(self, binary, folder, stores=None, options=(), environment=None, port=None):
        self.binary = str(binary)
        self.folder = pathlib.Path(folder)
        self.port = port or free_port()
        self.stores = dict(stores or {})
        self.options = list(options)
        self.environment = {**os.environ, **(environment or {})}
        self.log = self.folder.parent / (self.folder.name + ".log")
        self.process = None

    def start(self, timeout=60):
        command = [self.binary, "serve", "--data", str(self.folder), "--port", str(self.port),
                   *self.options]
        for name, address in self.stores.items():
            command += ["--store", f"{name}={address}"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=self.environment, preexec_fn=_die_with_parent)
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=60):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"roost ended with {self.process.returncode}:\n{self.tail()}")
            client = Client(self.port, timeout=5)
            try:
                client.get("/readyz")
                return
            except (OSError, ApiError):
                time.sleep(0.01)
            finally:
                client.close()
        raise RuntimeError(f"roost was not ready in {timeout} s:\n{self.tail()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=30):
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise RuntimeError(f"roost did not stop in {timeout} s:\n{self.tail()}") from None
        return self.process.returncode

    def client(self, timeout=60):
        return Client(self.port, timeout=timeout)

    def tail(self, lines=20):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Peer:
    """A real store, run by tests/peers/start_KIND.py with its options: pgvector, milvus, weaviate or
    opensearch. The script finds free ports, the same ones for the same folder. The server ends with the
    thread that called start()."""

    def __init__(self, kind, folder, *options, port=None):
        self.kind = kind
        self.folder = pathlib.Path(folder)
        self.options = [*map(str, options), *(["--port", str(port)] if port else [])]
        self.fields = {}  # of the READY line: uri, port, server (its process), …
        self.process = None

    @property
    def uri(self):
        return self.fields["uri"]

    @property
    def port(self):
        return int(self.fields["port"])

    @property
    def ports(self):
        """All that clients connect to."""
        return [self.port, int(self.fields["grpc"])] if self.kind == "weaviate" else [self.port]

    def address(self, ports=None):
        """What Roost calls it; `ports` instead of its own: those of proxies in front of it."""
        first, *more = ports or self.ports
        scheme, place = (("postgresql", "postgres@127.0.0.1") if self.kind == "pgvector" else
                         (self.kind, "127.0.0.1"))
        path = {"pgvector": "/postgres", "weaviate": f"?grpc_port={more[0] if more else 0}"}
        return f"{scheme}://{place}:{first}{path.get(self.kind, '')}"

    def begin(self):
        """start() without waiting, so that several start together: call await_ready() next."""
        command = [sys.executable, str(ROOT / f"tests/peers/start_{self.kind}.py"), str(self.folder),
                   "--parent", str(os.getpid()), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL)
        return self

    def await_ready(self):
        line = self.process.stdout.readline()
        if not line.startswith("READY"):
            raise RuntimeError(f"{self.kind} did not start (exit {self.process.wait(60)}): {line}")
        self.fields = dict(field.split("=", 1) for field in line.split()[1:])
        return self

    def start(self):
        return self.begin().await_ready()

    def kill(self):
        """Ends the server at once, as a crash does. The data stay."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(60)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
            self.process.stdout.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Postgres(Peer):
    """Its memory is set as its users are told to: what is searched fits in."""

    def __init__(self, folder, port=None, durable=False, settings=()):
        """`settings` are more of postgresql.conf's, as "name=value"."""
        options = ["--set", "shared_buffers=512MB"]
        for setting in settings:
            options += ["--set", setting]
        if durable:
            options += ["--set", "fsync=on", "--set", "full_page_writes=on"]
        super().__init__("pgvector", folder, *options, port=port)

    def psql(self, sql):
        """The result's text, unaligned, fields parted by tabs."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                               "-c", sql, self.uri], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError("psql: " + done.stderr.strip())
        return done.stdout

    def copy_out(self, query, path):
        """Writes the query's rows to a file in COPY's text format."""
        with open(path, "wb") as out:
            subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c",
                            f"COPY ({query}) TO STDOUT", self.uri], stdout=out, check=True)

    def cut_connections(self):
        """Ends every session of Roost's; returns how many there were."""
        return int(self.psql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                             "where application_name like 'roost%'").strip())
