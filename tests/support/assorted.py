"""A collection that uses everything given stores can carry, and its records: for tests that move data from
one store to another and compare what arrives, bit for bit.

A record as readers return it is {"version", "fields": {name: value or None}, "vectors": {name: bytes or
None}, "dynamic": {…}}. Values are bool, int (also TIMESTAMP, microseconds), float, str, lists of them and,
for JSON, what json.loads gives; vectors are little-endian elements, sparse ones pairs of uint32 and float32
by rising index."""

import base64
import json
import random
import struct

import numpy as np

from tests.support import assorted_values as values

SCALARS = ("BOOL", "INT8", "INT16", "INT32", "INT64", "FLOAT", "DOUBLE", "VARCHAR", "TEXT", "JSON",
           "TIMESTAMP", "UUID")
ELEMENTS = tuple(kind for kind in SCALARS if kind not in ("TEXT", "JSON"))
VECTORS = ("FLOAT_VECTOR", "FLOAT16_VECTOR", "BFLOAT16_VECTOR", "INT8_VECTOR", "BINARY_VECTOR",
           "SPARSE_VECTOR")
METRICS = {"BINARY_VECTOR": ("HAMMING", "JACCARD"), "SPARSE_VECTOR": ("IP",)}  # of other vectors: all
# Names that one store or another has a use for, or takes for equal.
NAMES = {"BOOL": "Flag", "INT8": "tiny", "INT16": "Small", "INT32": "medium", "INT64": "big",
         "FLOAT": "exists", "DOUBLE": "true", "VARCHAR": "in", "TEXT": "ctid", "JSON": "document",
         "TIMESTAMP": "timestamp", "UUID": "Token"}
DIMENSION = 24
TENANTS = ("acme", "a", "A", "under_score", "Ünïted & Söns \"Ltd\"", "t" * 80)


class Capability:
    """What every store of a group can carry."""

    def __init__(self, stores):
        """`stores` as in GET /v1/stores."""
        def common(member):
            return set.intersection(*(set(store[member]) for store in stores))
        self.types = common("types")
        self.metrics = [m for m in ("L2", "COSINE", "IP") if m in common("metrics")]
        self.tenants = all(store["tenants"] for store in stores)
        self.dynamic = all(store["dynamic_fields"] for store in stores)
        self.vectors = min(store["max_vectors_per_record"] for store in stores)
        self.zero_bytes = all(store["null_bytes_in_strings"] for store in stores)


class Assorted:
    """The subject of a judge and a load (tests/support/judge.py). Keys are (tenant, key)."""

    def __init__(self, name, can, variant, keys_a_writer=400):
        """`variant`: any number; another one gives other keys, tenants, vectors and metrics."""
        self.name = name
        self.keys_a_writer = keys_a_writer
        self.integer_keys = variant % 3 == 2
        self.tenants = TENANTS if can.tenants and variant % 4 == 1 else ("",)
        self.dynamic = can.dynamic
        self.zero_bytes = can.zero_bytes
        self.fields = {"version": ("INT64", None)}  # name: (type, type of elements)
        if "VARCHAR" in can.types:
            self.fields["FLAG"] = ("VARCHAR", None)
        for kind in SCALARS:
            if kind in can.types:
                self.fields[NAMES[kind]] = (kind, None)
        for kind in ELEMENTS:
            if "ARRAY" in can.types and kind in can.types:
                self.fields["list_" + kind.lower()] = ("ARRAY", kind)
        self.vectors = self._choose_vectors(can, variant)  # name: (type, metric)
        self._graph = len(self.vectors) == 1 or variant % 4 == 0
        self._made = {}  # key: its newest record, for it is asked for again and again

    @staticmethod
    def _choose_vectors(can, variant):
        kinds = [kind for kind in VECTORS if kind in can.types]
        if can.vectors == 1:
            kinds = [kinds[variant // 2 % len(kinds)]]
        elif "FLOAT_VECTOR" in kinds:
            kinds.insert(1, "FLOAT_VECTOR")
        chosen = {}
        for place, kind in enumerate(kinds[:can.vectors]):
            metrics = METRICS.get(kind, can.metrics)
            chosen[f"{'Vector' if place == 1 else 'vector'}_{place}"] = (
                kind, metrics[(variant + place) % len(metrics)])
        return chosen

    @property
    def collection(self):
        """As POST /v1/collections takes it."""
        fields = [{"name": name, "type": kind, **({"element_type": element} if element else {}),
                   **({"nullable": False} if name == "version" else {})}
                  for name, (kind, element) in self.fields.items()]
        vectors = [{"name": name, "type": kind, "metric": metric,
                    # OpenSearch makes a graph of every vector as soon as one has one, which takes its time.
                    "index": {"type": "HNSW" if place == 0 and self._graph else "FLAT"},
                    **({} if kind == "SPARSE_VECTOR" else {"dimension": DIMENSION})}
                   for place, (name, (kind, metric)) in enumerate(self.vectors.items())]
        return {"name": self.name, "key": {"name": "id", "type": "INT64" if self.integer_keys else "VARCHAR"},
                "fields": fields, "vectors": vectors, "dynamic": self.dynamic,
                **({"tenant_field": "owner"} if self.tenants != ("",) else {})}

    def key(self, writer, number):
        tenant = self.tenants[number % len(self.tenants)]
        return tenant, (values.integer_key if self.integer_keys else values.text_key)(writer, number)

    def keys(self, writer, chooser, count):
        """Up to `count` keys of that writer, of one tenant, for one write; no key has two writers."""
        step = len(self.tenants)
        first = chooser.randrange(step)
        numbers = [chooser.randrange(self.keys_a_writer // step) * step + first for _ in range(count)]
        return [self.key(writer, number) for number in dict.fromkeys(numbers)]

    def record(self, key, version):
        """The one record of that key and version. Not to be changed."""
        made = self._made.get(key)
        if made is None or made["version"] != version:
            made = self._made[key] = self._make(key, version)
        return made

    def _make(self, key, version):
        chooser = random.Random(f"{self.name}|{key}|{version}")
        pool = values.Pool(chooser, self.zero_bytes)
        fields = {name: None if chooser.random() < 0.12 else pool.value(kind, element)
                  for name, (kind, element) in self.fields.items()}
        fields["version"] = version
        vectors = {name: None if chooser.random() < 0.08 else pool.vector(kind, metric, DIMENSION)
                   for name, (kind, metric) in self.vectors.items()}
        dynamic = pool.members() if self.dynamic and chooser.random() < 0.7 else {}
        return {"version": version, "fields": fields, "vectors": vectors, "dynamic": dynamic}

    def row(self, key, record):
        """The record as REST takes it."""
        row = {"id": key[1], **record["dynamic"]}
        if key[0]:
            row["owner"] = key[0]
        row.update((name, value) for name, value in record["fields"].items() if value is not None)
        for name, vector in record["vectors"].items():
            if vector is not None:
                row[name] = packed_vector(self.vectors[name][0], vector)
        return row

    def upsert(self, client, versions):
        return client.upsert(self.name, [self.row(key, self.record(key, version))
                                         for key, version in versions.items()])

    def delete(self, client, keys):
        """Keys of one tenant."""
        return client.post(f"/v1/collections/{self.name}/delete", self._ids(keys))

    def version(self, client, key):
        records = client.post(f"/v1/collections/{self.name}/get",
                              {**self._ids([key]), "fields": ["version"]})["records"]
        return records[0]["version"] if records[0] else None

    def search(self, client, key):
        name, (kind, metric) = next(iter(self.vectors.items()))
        vector = values.Pool(random.Random(str(key)), False).vector(kind, metric, DIMENSION)
        tenant = {"tenant": key[0]} if key[0] else {}
        client.search(self.name, field=name, vector=packed_vector(kind, vector), top_k=5, fields=["version"],
                      **tenant)

    def _ids(self, keys):
        return {"ids": [key for _, key in keys], **({"tenant": keys[0][0]} if keys[0][0] else {})}

    def difference(self, key, record):
        """What is wrong with a record of that key in its own version, for a judge; None: nothing."""
        right = self.record(key, record["version"])
        for name, (kind, _) in self.fields.items():
            expected, found = right["fields"][name], record["fields"].get(name)
            if not same(kind, expected, found):
                return f"{kind} {name!r}: {show(found)} instead of {show(expected)}"
        for name, (kind, _) in self.vectors.items():
            expected, found = right["vectors"][name], record["vectors"].get(name)
            if expected != found:
                return f"{kind} {name!r}: {show(found)} instead of {show(expected)}"
        if canonical(right["dynamic"]) != canonical(record["dynamic"]):
            return f"dynamic fields: {show(record['dynamic'])} instead of {show(right['dynamic'])}"
        return None


def packed_vector(kind, vector):
    """A vector as REST takes it."""
    if kind != "SPARSE_VECTOR":
        return base64.b64encode(vector).decode()
    entries = np.frombuffer(vector, [("index", "<u4"), ("value", "<f4")])
    return {"indices": entries["index"].tolist(), "values": entries["value"].tolist()}


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def same(kind, a, b):
    """Whether two values of a field are the same: also in type, and doubles in every bit."""
    if a is None or b is None:
        return a is b
    if kind == "JSON":
        return canonical(a) == canonical(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same("", x, y) for x, y in zip(a, b))
    if type(a) is not type(b):
        return False
    return struct.pack("<d", a) == struct.pack("<d", b) if isinstance(a, float) else a == b


def show(value):
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
