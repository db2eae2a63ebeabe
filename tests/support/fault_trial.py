"""One store behind a proxy that fails, with callers of it and searches of the other stores: gathers the
evidence for tests/support/fault_judges.py."""

import json
import pathlib
import subprocess
import sys
import time

import numpy as np

from tests.support import fault_judges
from tests.support.client import ApiError, pack, unpack
from tests.support.fault_judges import Evidence, Pool, Round
from tests.support.fault_load import CALLERS, FaultLoad, search_body
from tests.support.hiccups import Hiccups
from tests.support.judge import DIMENSION, Judge, Things, record_of
from tests.support.metrics import Metrics
from tests.support.probe import Probe
from tests.support.processes import Roost
from tests.support.proxy import Fault, HEALTHY, Proxy
from tests.support.readers.native import native_reader

FAULTS = {
    "slow": Fault(delay_s=0.02),
    "delay": Fault(delay_s=3.0),  # beyond every deadline; the bytes still arrive
    "stall": Fault(stall=True),
    "reset": Fault(reset=True),
    "cut": Fault(cut=True),
}
POOL = 8  # sessions to PostgreSQL: fewer than callers
ROOST_OPTIONS = ("--pgvector.pool", str(POOL), "--calls.breaker_open_ms", "500", "--log.level", "error")
PROBES_A_SECOND = 50
PROBED_RECORDS = 2000
SETTLE_S = 1.0
WARM_UPS = 8
WARM_S = 0.5  # of the slowest call: well within LONG_S; a strong read of Milvus takes 0.2 s
PLANTS = ("phantom-write", "kept-connections", "late-replies", "no-healing", "slow-neighbour")


def connections_held(ports):
    """TCP connections to these local ports that somebody has open, or has not closed after the other side
    did."""
    wanted = {f"0100007F:{port:04X}" for port in ports}
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2] in wanted and row[3] in ("01", "08") for row in rows)  # ESTABLISHED, CLOSE_WAIT


def until(condition, seconds, pause=0.05):
    """What `condition` gives once it is true, or last."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(pause)
    return value


# What Roost may keep open to a store that so many callers use.
CONNECTION_LIMITS = {"pgvector": POOL, "milvus": 1, "weaviate": 1 + CALLERS, "opensearch": CALLERS}


def connections_told(kind, metrics):
    """How many connections to that store the server says it has."""
    return round(metrics.sum("roost_pgvector_connections") if kind == "pgvector" else
                 metrics.sum("roost_grpc_connections", store=kind) +
                 metrics.sum("roost_http_client_connections", store=kind))


class Plan:
    """What all trials of one run share. `stores` are the running servers by kind, `plant` is one of PLANTS
    or None."""

    def __init__(self, roost, folder, stores, quick=False, seed=1, plant=None):
        self.binary = roost
        self.folder = pathlib.Path(folder)
        self.stores = stores
        self.seed = seed
        self.plant = plant
        self.calm_s, self.fault_s = (3.0, 10.0) if quick else (10.0, 10.0)
        self.least_rounds, self.most_rounds = (1, 1) if quick else (2, 6)

    def roost(self, proxied=None):
        """The server; `proxied` has ports instead of those of some stores."""
        addresses = {kind: store.address((proxied or {}).get(kind))
                     for kind, store in self.stores.items()}
        return Roost(self.binary, self.folder / "data", addresses, ROOST_OPTIONS)

    def fill(self):
        """A collection to search and one for the account of writes, on every store."""
        with self.roost() as roost:
            client = roost.client()
            for kind in ("embedded", *self.stores):
                name = f"probe_{kind}"
                client.post(f"/v1/collections?store={kind}", {**Things.collection, "name": name})
                for start in range(0, PROBED_RECORDS, 500):
                    rows = [record_of(f"p{i:06}", i + 1) for i in range(start, start + 500)]
                    rows = [{**row, "embedding": pack(row["embedding"])} for row in rows]
                    reply = client.upsert(name, rows)
                    if reply["errors"]:
                        raise RuntimeError(f"{kind} did not take every record: {reply['errors'][:2]}")
                client.post(f"/v1/collections?store={kind}",
                            {**Things.collection, "name": Ledger(kind).name})
            roost.stop()


class Ledger(Things):
    """The collection whose writes are accounted for, as readers know it (tests/support/readers)."""

    fields = {"version": ("INT64", None), "text": ("TEXT", None)}
    vectors = {"embedding": ("FLOAT_VECTOR", DIMENSION)}
    integer_keys = False
    tenants = ("",)

    def __init__(self, kind):
        super().__init__()
        self.name = f"ledger_{kind}"

    def by_roost(self, client):
        return {record["id"]: {**record, "embedding": unpack(record["embedding"])}
                for record in client.export(self.name)}

    def by_store(self, reader):
        return {key: {**record["fields"], "embedding": np.frombuffer(record["vectors"]["embedding"], "<f4")}
                for (_, key), record in reader.read(self).items()}


class Trial:
    """One Roost with one store behind proxies; run() for one fault after the other."""

    def __init__(self, plan, store):
        self.plan = plan
        self.store = store
        self.proxies = [Proxy(port) for port in store.ports]
        self.roost = plan.roost({store.kind: [proxy.port for proxy in self.proxies]}).start()
        self.client = self.roost.client()
        self.hiccups = Hiccups()
        self.reader = native_reader(store, plan.folder)
        self.found = {}
        self.ledger = Ledger(store.kind)
        self.judge = Judge(self.ledger)
        self.load = FaultLoad(self.roost.port, self.ledger.name, self.judge, seed=plan.seed)
        self.load.told_s = 2.0 if plan.plant == "late-replies" else None
        body = json.dumps(search_body()).encode()
        others = ["embedded", *(kind for kind in plan.stores if kind != store.kind)]
        self.probes = {kind: Probe(self.roost.port, f"/v1/collections/probe_{kind}/search", body,
                                   PROBES_A_SECOND) for kind in others}
        self.samples = {kind: np.empty((0, 3)) for kind in others}

    def close(self):
        for probe in self.probes.values():
            probe.stop()
        self.load.stop()
        self.reader.close()
        self.hiccups.stop()
        for proxy in self.proxies:
            proxy.keep = False
            proxy.close()
        if self.roost.stop() != 0:
            raise RuntimeError(f"roost did not end well:\n{self.roost.tail()}")

    def warm_up(self):
        """The first calls of everybody are in no window. Seconds of the slowest call of the last one, once
        that is well within the deadlines, or after all tries."""
        slowest = 0.0
        self.load.go()
        for _ in range(WARM_UPS):
            time.sleep(self.plan.calm_s)
            slowest = max(reply.end - reply.begin for reply in self.load.take())
            if slowest < WARM_S:
                break
        self.load.rest()
        self.load.take()
        self._take_samples()
        return slowest

    def run(self, fault):
        self._take_samples()
        self.samples = {kind: np.empty((0, 3)) for kind in self.probes}
        kind = self.store.kind
        evidence = Evidence(kind, fault, hiccup=self.hiccups.longest,
                            pool=Pool(CONNECTION_LIMITS[kind], before=self._open()))
        for proxy in self.proxies:
            proxy.keep = self.plan.plant == "kept-connections"
        self.load.go()
        while len(evidence.rounds) < self.plan.most_rounds:
            evidence.rounds.append(self._round(FAULTS[fault]))
            self._take_samples()
            evidence.samples = self.samples
            # Where noise is above the goal more windows are measured; all of them count.
            if len(evidence.rounds) >= self.plan.least_rounds and \
                    not fault_judges.judge_neighbours(evidence):
                break
        self._finish(evidence)
        return evidence

    def _take_samples(self):
        for kind, probe in self.probes.items():
            self.samples[kind] = np.concatenate([self.samples[kind], probe.take()])

    def _breaker(self):
        return Metrics(self.client).sum("roost_store_breaker_state", store=self.store.kind)

    def _open(self):
        return sum(proxy.open for proxy in self.proxies)

    def _set(self, fault):
        for proxy in self.proxies:
            proxy.set(fault)

    def _round(self, fault):
        round_ = Round()
        round_.calm = self._watch(self.plan.calm_s)[0]
        self._set(fault)
        eaters = self._eaters() if self.plan.plant == "slow-neighbour" else []
        round_.fault, round_.opened = self._watch(self.plan.fault_s)
        for eater in eaters:
            eater.kill()
            eater.wait()
        if self.plan.plant != "no-healing":
            self._set(HEALTHY)
        if until(lambda: self._breaker() == 0, fault_judges.CLOSE_S):
            round_.closed = time.monotonic()
        time.sleep(SETTLE_S)
        return round_

    def _watch(self, seconds):
        """((begin, end), when the breaker was first seen open, or None). Looking costs the machine
        something: calm windows and those with a fault are watched alike."""
        begin, opened = time.monotonic(), None
        while time.monotonic() < begin + seconds:
            if self._breaker() > 0 and opened is None:
                opened = time.monotonic()
            time.sleep(0.1)
        return (begin, time.monotonic()), opened

    @staticmethod
    def _eaters():
        """Processes that take processor time from everybody."""
        return [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(6)]

    def _finish(self, evidence):
        """After a last calm window nothing of the fault may be left."""
        begin = time.monotonic()
        time.sleep(self.plan.calm_s)
        evidence.after = (begin, time.monotonic())
        self.load.rest()
        evidence.replies = self.load.take()
        pool, kind = evidence.pool, self.store.kind

        def at_base():
            metrics = Metrics(self.client)
            pool.after, pool.told = self._open(), connections_told(kind, metrics)
            pool.held = connections_held(proxy.port for proxy in self.proxies)
            pool.in_flight = metrics.sum("roost_store_in_flight", store=kind)
            return not fault_judges.judge_pool(evidence)

        until(at_base, 10)
        if self.plan.plant == "phantom-write":
            self.judge.acknowledge(self.judge.intend(["phantom"]))
        self.found = self.ledger.by_store(self.reader)
        evidence.departures = self.judge.check(self.found) + self.load.wrong_reads
        self.load.wrong_reads = []
        until(lambda: self._breaker() == 0, fault_judges.CLOSE_S)  # else it is judge_breaker's matter
        try:
            through = self.ledger.by_roost(self.client)
            evidence.departures += [f"through Roost: {text}" for text in self.judge.check(through)]
        except ApiError as error:
            evidence.departures.append(f"the collection cannot be read after the fault: {error}")


def first_contact(plan):
    """A server that starts while all stores stall: violations of the deadline of the calls that would
    connect, and of what follows once they answer."""
    wrong = []
    proxies = {kind: [Proxy(port) for port in store.ports] for kind, store in plan.stores.items()}
    everyone = [proxy for some in proxies.values() for proxy in some]
    for proxy in everyone:
        proxy.set(Fault(stall=True))
    with plan.roost({kind: [proxy.port for proxy in some] for kind, some in proxies.items()}) as roost:
        client = roost.client()
        for kind in plan.stores:
            begin = time.monotonic()
            status, _, text = client.raw("POST", f"/v1/collections/probe_{kind}/count", {},
                                         {"X-Request-Timeout-Ms": "600"})
            took, code = time.monotonic() - begin, json.loads(text).get("code")
            if took > 0.6 + fault_judges.LATE_S or code not in fault_judges.CODES["stall"]:
                wrong.append(f"{kind}: the first call with a deadline of 600 ms was answered after "
                             f"{took * 1000:.0f} ms with {status} {code}")
        for proxy in everyone:
            proxy.heal()
        for kind in plan.stores:
            def counts(name=f"/v1/collections/probe_{kind}/count"):
                return client.raw("POST", name, {})[0] == 200
            if not until(counts, fault_judges.CLOSE_S, pause=0.2):
                wrong.append(f"{kind}: it answers again, and Roost does not connect")
        roost.stop()
    for proxy in everyone:
        proxy.close()
    return wrong
