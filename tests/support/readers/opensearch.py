"""What lies in a collection's index in OpenSearch, read by curl."""

import json
import struct
import subprocess

from tests.support.assorted import DIMENSION
from tests.support.readers import dense_vector, exact_json, gather, json_value, record_of

PAGE = 1_000


class OpenSearchReader:
    def __init__(self, uri):
        self._uri = uri

    def close(self):
        pass

    def holds(self, subject):
        return self._index(subject) is not None

    def _curl(self, path, body=None):
        data = [] if body is None else ["-H", "content-type: application/json", "--data-binary", "@-"]
        done = subprocess.run(["curl", "-sS", "--fail-with-body", *data, self._uri + path], check=False,
                              input=None if body is None else json.dumps(body).encode(), capture_output=True)
        if done.returncode:
            raise RuntimeError(f"curl {path}: {done.stderr.decode()} {done.stdout.decode()[:500]}")
        return exact_json(done.stdout)

    def _index(self, subject):
        for index, told in self._curl("/roost-*/_mapping").items():
            if told["mappings"].get("_meta", {}).get("roost", {}).get("collection") == subject.name:
                return index
        return None

    def read(self, subject):
        index = self._index(subject)
        self._curl(f"/{index}/_refresh", {})
        return gather(_decode(subject, hit["_source"]) for hit in self._hits(index)
                      if not hit["_source"].get("_dead"))

    def _hits(self, index):
        body = {"size": PAGE, "query": {"match_all": {}}, "sort": [{"_pk": "asc"}]}
        while True:
            hits = self._curl(f"/{index}/_search", body)["hits"]["hits"]
            yield from hits
            if len(hits) < PAGE:
                return
            body["search_after"] = hits[-1]["sort"]


def _decode(subject, source):
    exact = source.get("_x", {})
    dynamic = exact_json(exact["$"]) if "$" in exact else {}
    fields = {}
    for name, (kind, element) in subject.fields.items():
        value = exact.get(name, source.get(name))
        if value is not None:
            fields[name] = exact_json(value) if kind == "JSON" else json_value(kind, element, value)
    vectors = {}
    for name, (kind, _) in subject.vectors.items():
        if name in source:
            vectors[name] = dense_vector(kind, source[name])
        elif name in exact:
            vectors[name] = b""  # a sparse vector without entries
        elif name in source.get("_packed", {}):
            vectors[name] = _packed(kind, source["_packed"][name])
    return (source.get("_tenant", ""), source["_key"]), record_of(subject, fields, vectors, dynamic)


def _packed(kind, longs):
    """The place (or index) of a word in the upper half of each long, its bits in the lower."""
    words = sorted((number >> 32 & 0xFFFFFFFF, number & 0xFFFFFFFF) for number in longs)
    if kind == "SPARSE_VECTOR":
        return b"".join(struct.pack("<II", index, bits) for index, bits in words)
    return b"".join(struct.pack(">I", bits) for _, bits in words)[:DIMENSION // 8]
