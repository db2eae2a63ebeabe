"""Writers and a reader that work on a collection while things are done to it, and keep the judge's
account (tests/support/judge.py)."""

import http.client
import random
import threading
import time

from tests.support.client import ApiError, Client

FAILURES = (OSError, http.client.HTTPException, ApiError, ValueError)
KEPT_ERRORS = 100
BATCHES = (1, 1, 3, 10, 30)  # rows of a write
MEAN_BATCH = sum(BATCHES) / len(BATCHES)


class Load:
    """Writers with keys of their own, and a reader that checks what it sees. Goes on through errors, which
    it notes: a test that expects none looks at `errors`."""

    def __init__(self, port, judge, writers=4, seed=0, pause=0.0):
        """`pause`: seconds between two writes of one writer; may be changed at any time."""
        self.judge = judge
        self.pause = pause
        self.violations = []   # of the reader
        self.reads = 0
        self.errors = 0
        self.first_errors = []
        self.longest_ms = 0.0  # of one write
        self.longest_at = 0.0  # when it began, by time.monotonic()
        self._port = port
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._rest = threading.Event()
        self._resting = threading.Semaphore(0)
        self._go = threading.Event()
        self._go.set()
        self._writers = writers
        self._threads = [threading.Thread(target=self._write, args=(n, seed), daemon=True)
                         for n in range(writers)]
        self._threads.append(threading.Thread(target=self._read, args=(seed,), daemon=True))

    def fill(self, keys, batch=200):
        """Writes these keys, before anything else."""
        client = Client(self._port, timeout=60)
        for start in range(0, len(keys), batch):
            versions = self.judge.intend(keys[start:start + batch])
            result = self.judge.subject.upsert(client, versions)
            if result["errors"]:
                raise RuntimeError(f"rows were refused: {result['errors'][:2]}")
            self.judge.acknowledge(versions)
        client.close()

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopped.set()
        self._go.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(60)

    def rest(self):
        """Returns when no writer has a write on its way."""
        self._go.clear()
        self._rest.set()
        for _ in range(self._writers):
            if not self._resting.acquire(timeout=90):
                raise RuntimeError("a writer does not come to rest")

    def go(self):
        self._rest.clear()
        self._go.set()

    def _rest_if_told(self, client):
        if self._rest.is_set():
            self._resting.release()
            self._go.wait()
            client.close()  # The server ends connections that rest for long.

    def _note(self, error):
        with self._lock:
            self.errors += 1
            if len(self.first_errors) < KEPT_ERRORS:
                self.first_errors.append(str(error) or repr(error))

    def _write(self, number, seed):
        chooser = random.Random(seed * 1000 + number)
        client = Client(self._port, timeout=20)
        while not self._stopped.is_set():
            self._rest_if_told(client)
            keys = self.judge.subject.keys(number, chooser, chooser.choice(BATCHES))
            self._change(client, keys, delete=chooser.random() < 0.25)
            if self.pause:
                self._stopped.wait(self.pause)
        client.close()

    def _change(self, client, keys, delete):
        versions = self.judge.intend(keys, delete)
        begin = time.monotonic()
        try:
            result = (self.judge.subject.delete(client, keys) if delete else
                      self.judge.subject.upsert(client, versions))
            self._settle(versions, result["errors"])
        except FAILURES as error:
            # Definite refusals are told apart from unknown outcomes by their codes.
            refused = isinstance(error, ApiError) and (
                error.status in (400, 404, 409, 429) or error.code == "RESOURCE_EXHAUSTED")
            (self.judge.refuse if refused else self.judge.give_up)(versions)
            self._note(error)
            self._stopped.wait(0.02)
        finally:
            took = (time.monotonic() - begin) * 1000
            with self._lock:
                if took > self.longest_ms:
                    self.longest_ms, self.longest_at = took, begin

    def _settle(self, versions, errors):
        failed = {list(versions)[error["row"]] for error in errors}
        self.judge.acknowledge({k: v for k, v in versions.items() if k not in failed})
        self.judge.give_up({k: v for k, v in versions.items() if k in failed})
        for error in errors:
            self._note(error)

    def _read(self, seed):
        chooser = random.Random(seed * 1000 + 999)
        client = Client(self._port, timeout=20)
        subject = self.judge.subject
        while not self._stopped.is_set():
            key = subject.keys(chooser.randrange(self._writers), chooser, 1)[0]
            try:
                before = self.judge.allowed(key)
                version = subject.version(client, key)
                after = self.judge.allowed(key)
                # What was allowed before or after, or came in between, is right.
                if before == after and version not in after:
                    self.violations.append(f"{key}: read version {version}, allowed {after}")
                subject.search(client, key)
                self.reads += 1
                if self.pause:
                    self._stopped.wait(self.pause)
            except FAILURES as error:
                self._note(error)
                self._stopped.wait(0.02)
        client.close()
