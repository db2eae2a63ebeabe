"""What a store that fails must not do to its callers and to the other stores: judges over the
evidence of one trial. Each returns violations as texts; [] is a pass."""

import collections
import dataclasses

import numpy as np

from tests.support.fault_load import SHORT_S, Reply

LATE_S = 0.25        # beyond the deadline: threads that wake, the way back, this client's own time
WAKES = 4            # of threads, between a deadline and its reply: each may be as late as a hiccup
# PostgreSQL's sessions are asked to cancel first (src/adapters/pgvector/README.md, cancel_grace).
GRACE_S = {"pgvector": 0.5}
AT_ONCE_S = 0.25     # a refusal without asking the store …
AT_ONCE_SHARE = 0.9  # … of so many; others had asked before, and were refused when they tried again
CLOSE_S = 45.0       # from healing until the breaker is closed: it doubles its pauses while calls fail
NEIGHBOUR_RATIO = 1.2
REFUSED = "left alone"  # how Roost says that the breaker is open

# What callers may be told while a store fails in this way, besides that it worked.
CODES = {
    "slow": set(),
    "delay": {"DEADLINE_EXCEEDED", "UNAVAILABLE"},
    "stall": {"DEADLINE_EXCEEDED", "UNAVAILABLE"},
    "reset": {"UNAVAILABLE"},
    "cut": {"UNAVAILABLE"},
}
HARMLESS = {"slow"}  # the store is there: the breaker must stay closed


@dataclasses.dataclass
class Round:
    """A calm window, then one with the fault. All times are time.monotonic()."""

    calm: tuple = (0.0, 0.0)
    fault: tuple = (0.0, 0.0)
    opened: float = None   # when the breaker was first seen open
    closed: float = None   # when it was closed again, after healing; None: it was not


@dataclasses.dataclass
class Pool:
    """Connections to the faulted store while nobody calls it."""

    limit: int          # what the configuration allows for the callers there were
    before: int = 0     # at the proxy
    after: int = 0
    held: int = 0       # by the server's process, after: also those that the other side has closed
    told: int = 0       # by /metrics, after
    in_flight: float = 0.0


@dataclasses.dataclass
class Evidence:
    store: str
    fault: str
    rounds: list = dataclasses.field(default_factory=list)
    after: tuple = (0.0, 0.0)  # a last calm window
    replies: list = dataclasses.field(default_factory=list)
    samples: dict = dataclasses.field(default_factory=dict)  # store: rows as of Probe.take()
    pool: Pool = None
    departures: list = dataclasses.field(default_factory=list)  # of the ledger; wrong reads too
    hiccup: object = lambda begin, end: 0.0  # the machine's longest meanwhile, in seconds


def told(texts):
    """Equal violations once, with their number."""
    return [f"{text} ({count} times)" if count > 1 else text
            for text, count in collections.Counter(texts).items()]


def lateness(evidence, reply):
    """Seconds beyond what is allowed without a margin."""
    due = reply.begin + reply.deadline + GRACE_S.get(evidence.store, 0.0)
    return reply.end - due - WAKES * evidence.hiccup(due, reply.end) if reply.end > due else reply.end - due


def judge_deadlines(evidence):
    late = [reply for reply in evidence.replies
            if lateness(evidence, reply) > LATE_S or reply.code == "BROKEN"]
    return [f"{reply.call} with a deadline of {reply.deadline * 1000:.0f} ms: "
            f"{reply.code} after {(reply.end - reply.begin) * 1000:.0f} ms"
            for reply in late]


def _calm(evidence, reply):
    windows = [evidence.after, *(round_.calm for round_ in evidence.rounds)]
    return any(begin <= reply.begin and reply.end <= end for begin, end in windows)


def judge_codes(evidence):
    wrong = []
    for reply in evidence.replies:
        hurried = reply.code == "DEADLINE_EXCEEDED" and reply.deadline == SHORT_S
        if reply.code in ("OK", "BROKEN") or hurried:
            continue  # a short deadline is the caller's risk; what broke is judge_deadlines' matter
        if _calm(evidence, reply):
            wrong.append(f"{reply.call} failed while the store was well: {reply.code}: {reply.detail}")
        elif reply.code not in CODES[evidence.fault]:
            wrong.append(f"{reply.call} during the fault: {reply.code}: {reply.detail}")
    refused = [reply.end - reply.begin for reply in evidence.replies if REFUSED in reply.detail]
    if refused and np.quantile(refused, AT_ONCE_SHARE) > AT_ONCE_S + WAKES * evidence.hiccup(0, 1e18):
        wrong.append(f"{AT_ONCE_SHARE:.0%} of {len(refused)} refusals took up to "
                     f"{np.quantile(refused, AT_ONCE_SHARE) * 1000:.0f} ms")
    return told(wrong)


def judge_breaker(evidence):
    wrong = []
    for round_ in evidence.rounds:
        if evidence.fault in HARMLESS:
            if round_.opened is not None:
                wrong.append("the breaker opened although the store was only slow")
            continue
        if round_.opened is None:
            wrong.append(f"the breaker did not open in {round_.fault[1] - round_.fault[0]:.0f} s")
        if round_.closed is None:
            wrong.append(f"the breaker was not closed {CLOSE_S:.0f} s after the fault")
    return told(wrong)


def p99_ms(samples, windows):
    """Of what was due in one of the windows; nan where nothing was."""
    chosen = [samples[(samples[:, 0] >= begin) & (samples[:, 0] < end)][:, 1]
              for begin, end in windows]
    taken = np.concatenate(chosen) if chosen else np.empty(0)
    return float(np.percentile(taken, 99) * 1000) if len(taken) else float("nan")


def neighbour_ratios(evidence):
    """{store: p99 in the fault's windows over p99 in the calm ones}."""
    return {store: p99_ms(samples, [r.fault for r in evidence.rounds]) /
            p99_ms(samples, [r.calm for r in evidence.rounds])
            for store, samples in evidence.samples.items()}


def noise_ratios(evidence):
    """{store: p99 of calm seconds of odd number over those of even number}: what the same ratio is
    where there is no difference."""
    ratios = {}
    for store, samples in evidence.samples.items():
        halves = [[(begin + second, begin + second + 1.0)
                   for begin, end in (r.calm for r in evidence.rounds)
                   for second in range(half, int(end - begin), 2)] for half in (0, 1)]
        ratios[store] = p99_ms(samples, halves[1]) / p99_ms(samples, halves[0])
    return ratios


def judge_neighbours(evidence):
    wrong = []
    for store, ratio in neighbour_ratios(evidence).items():
        if not ratio <= NEIGHBOUR_RATIO:
            wrong.append(f"{store}: p99 {ratio:.2f} times that of the calm windows")
        failed = int((evidence.samples[store][:, 2] != 200).sum())
        if failed:
            wrong.append(f"{store}: {failed} searches failed")
    return wrong


def judge_pool(evidence):
    pool = evidence.pool
    wrong = []
    most = max(pool.after, pool.held)
    if most > max(pool.limit, pool.before):
        wrong.append(f"{most} connections are open, {pool.before} were before the fault "
                     f"and {pool.limit} may be")
    if pool.told != pool.held:
        wrong.append(f"the server holds {pool.held} connections, /metrics tells of {pool.told}")
    if pool.in_flight:
        wrong.append(f"/metrics tells of {pool.in_flight:.0f} calls in flight while nobody calls")
    return wrong


def judge_ledger(evidence):
    return list(evidence.departures)


JUDGES = {"deadline": judge_deadlines, "codes": judge_codes, "breaker": judge_breaker,
          "neighbours": judge_neighbours, "pool": judge_pool, "ledger": judge_ledger}


def judge_all(evidence, without=()):
    return {name: judge(evidence) for name, judge in JUDGES.items() if name not in without}


def _planted():
    """(judge, evidence with one fault): what must be noticed."""
    good = Reply("get", 15.0, 15.1, 1.2, 200, "OK", "")
    calm, fault = (0.0, 10.0), (10.0, 20.0)

    def evidence(fault_name="stall", replies=(good,), opened=12.0, closed=22.0, slow=1.0, pool=None,
                 departures=()):
        steady = np.array([(t / 100, 0.01 * (slow if t >= 1000 else 1), 200) for t in range(2000)])
        return Evidence("milvus", fault_name, [Round(calm, fault, opened, closed)], (23.0, 33.0),
                        list(replies), {"other": steady}, pool or Pool(8, 4, 4, 4, 4), list(departures))

    yield None, evidence()
    yield "deadline", evidence(replies=[good._replace(end=15.0 + 1.2 + LATE_S + 0.01)])
    yield "deadline", evidence(replies=[good._replace(code="BROKEN", status=0)])
    yield "codes", evidence(replies=[good._replace(code="INTERNAL", status=500)])
    yield "codes", evidence(replies=[good._replace(begin=5.0, end=5.1, code="UNAVAILABLE", status=503)])
    yield "codes", evidence("reset", [good._replace(code="DEADLINE_EXCEEDED", status=504)])
    yield "codes", evidence(replies=[good._replace(end=16.0, code="UNAVAILABLE", detail=REFUSED)])
    late = evidence(replies=[good._replace(end=15.0 + 1.2 + LATE_S + 0.3)])
    late.hiccup = lambda begin, end: 0.1
    yield None, late
    yield "breaker", evidence(opened=None)
    yield "breaker", evidence(closed=None)
    yield "breaker", evidence("slow")
    yield "neighbours", evidence(slow=1.25)
    yield "pool", evidence(pool=Pool(8, 4, 9, 4, 4))
    yield "pool", evidence(pool=Pool(8, 4, 4, 9, 9))
    yield "pool", evidence(pool=Pool(8, 4, 4, 5, 4))
    yield "pool", evidence(pool=Pool(8, 4, 4, 4, 4, 1.0))
    yield "ledger", evidence(departures=["w0: lost"])


def self_test():
    """Plants one fault each into evidence that is right; returns what no judge noticed: [] when they
    are fit to judge."""
    unnoticed = []
    for number, (wanted, evidence) in enumerate(_planted()):
        noticed = {name for name, texts in judge_all(evidence).items() if texts}
        if noticed != ({wanted} if wanted else set()):
            unnoticed.append(f"{number}: {wanted}, noticed {sorted(noticed)}")
    return unnoticed
