"""Shows that a reader and a judge notice what is wrong: faults are written into a real store behind the
judge's back, one a record, and each must be found, and nothing else."""

import struct

from tests.support.judge import ABSENT, Judge

_FIRST = {"BOOL": False, "FLOAT": 0.0, "DOUBLE": 0.0, "VARCHAR": "", "TEXT": "", "JSON": {},
          "UUID": "00000000-0000-0000-0000-000000000000"}  # all others: 0
_WIDTHS = {"FLOAT_VECTOR": 4, "FLOAT16_VECTOR": 2, "BFLOAT16_VECTOR": 2, "INT8_VECTOR": 1, "BINARY_VECTOR": 1,
           "SPARSE_VECTOR": 4}


def altered(kind, element, value):
    """The value that is nearest to this one: a bit, a space, a microsecond away. None becomes the type's
    emptiest value, and an array without elements None."""
    if kind == "ARRAY":
        if value is None:
            return []
        return [*value[:-1], altered(element, None, value[-1])] if value else None
    if value is None:
        return _FIRST.get(kind, 0)
    if kind == "BOOL":
        return not value
    if kind in ("FLOAT", "DOUBLE"):
        return -value if value == 0 else _flipped(value, "<f" if kind == "FLOAT" else "<d")
    if kind in ("VARCHAR", "TEXT"):
        return value + " "
    if kind == "JSON":
        return [value]
    if kind == "UUID":
        return value[:-1] + ("1" if value[-1] == "0" else "0")
    return value - 1 if value > 0 else value + 1


def _flipped(number, form):
    data = bytearray(struct.pack(form, number))
    data[0] ^= 1
    return struct.unpack(form, data)[0]


def altered_vector(kind, vector):
    """The last element's lowest bit flipped."""
    data = bytearray(vector)
    data[-_WIDTHS[kind]] ^= 1
    return bytes(data)


def _faults(subject, judge):
    """(what, key, record or None for a delete), of different keys."""
    settled = judge.settled()
    dead = [key for key, version in settled.items() if version is ABSENT]
    live = [key for key, version in settled.items() if version is not ABSENT]
    yield "resurrected delete", "resurrected", dead[0], subject.record(dead[0], 1)
    yield "lost record", "lost", live.pop(), None
    key = live.pop()
    yield "older version", "wrong", key, subject.record(key, settled[key] - 1)

    def take(wanted):
        key = next(key for key in live if wanted(subject.record(key, settled[key])))
        live.remove(key)
        return key, subject.record(key, settled[key])

    for name, (kind, element) in subject.fields.items():
        for null in (False, True) if name != "version" else ():
            key, record = take(lambda record: (record["fields"][name] is None) is null)
            value = altered(kind, element, record["fields"][name])
            yield (f"{kind} {name!r}, {'null' if null else 'a value'}", "wrong", key,
                   {**record, "fields": {**record["fields"], name: value}})
    for name, (kind, _) in subject.vectors.items():
        key, record = take(lambda record: record["vectors"][name])
        vector = altered_vector(kind, record["vectors"][name])
        yield f"{kind} {name!r}", "wrong", key, {**record, "vectors": {**record["vectors"], name: vector}}
        key, record = take(lambda record: record["vectors"][name])
        yield (f"{kind} {name!r} left out", "wrong", key,
               {**record, "vectors": {**record["vectors"], name: None}})
    if subject.dynamic:
        key, record = take(lambda record: record["dynamic"])
        yield "dynamic field", "wrong", key, {**record, "dynamic": {**record["dynamic"], "one more": 0}}
        key, record = take(lambda record: not record["dynamic"])
        yield "dynamic field where there was none", "wrong", key, {**record, "dynamic": {"one more": None}}


def self_test(client, store, subject, reader):
    """Fills a collection on that store, plants the faults, and returns those that were not noticed and what
    was noticed without being there, none when reader and judge are fit; and how many were planted. Drops
    the collection."""
    judge = Judge(subject)
    client.post(f"/v1/collections?store={store}", subject.collection)
    keys = [subject.key(0, number) for number in range(subject.keys_a_writer)]
    for rows in (keys, keys):  # twice, so that there are older versions
        for start in range(0, len(rows), 200):
            versions = judge.intend(rows[start:start + 200])
            subject.upsert(client, versions)
            judge.acknowledge(versions)
    gone = keys[:1]
    judge.acknowledge(judge.intend(gone, delete=True))
    subject.delete(client, gone)
    wrong = [f"before any fault: {text}" for text in judge.check(reader.read(subject))]
    planted = {}
    rows = []
    for what, kind, key, record in _faults(subject, judge):
        planted[key] = (what, kind)
        if record is None:
            subject.delete(client, [key])
        else:
            rows.append(subject.row(key, record))
    result = client.upsert(subject.name, rows)
    if result["errors"]:
        raise RuntimeError(f"faults were refused: {result['errors'][:2]}")
    found = judge.departures(reader.read(subject))
    for key, (what, kind) in planted.items():
        texts = [text for text in found[kind] if text.startswith(f"{key}: ")]
        if len(texts) != 1:
            wrong.append(f"not noticed: {what} ({key})")
    extra = sum(map(len, found.values())) - len(planted)
    if extra:
        wrong.append(f"{extra} departures were found that nobody planted")
    client.call("DELETE", f"/v1/collections/{subject.name}")
    return wrong, len(planted)
