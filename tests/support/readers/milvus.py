"""What lies in a collection in Milvus, read by pymilvus."""

import json

import numpy as np
from pymilvus import MilvusClient

from tests.support.readers import dense_vector, gather, json_value, record_of

MOST_ROWS = 16_384  # of one query
NULL_VECTORS = 10_000
OWN = ("_key_", "_tenant", "_id", "_nulls", "_dynamic")


class MilvusReader:
    def __init__(self, uri):
        self._client = MilvusClient(uri=uri)

    def close(self):
        self._client.close()

    def holds(self, subject):
        return self._find(subject) is not None

    def _find(self, subject):
        """The description of the collection; None where there is none."""
        for name in self._client.list_collections():
            if name.startswith("roost_"):
                told = self._client.describe_collection(name)
                if json.loads(told["description"].split(" ", 2)[2])["name"] == subject.name:
                    return told
        return None

    def read(self, subject):
        told = self._find(subject)
        names = [field["name"] for field in told["fields"]]
        # Behind Roost's own they are in the schema's order.
        ours = [name for name in names if not (name in OWN or name.startswith("_key_"))]
        columns = dict(zip([*subject.fields, *subject.vectors], ours))
        if len(ours) != len(columns):
            raise AssertionError(f"{told['collection_name']} has the fields {names}")
        # One query for all: pages would have to trust in an order that Milvus does not promise.
        rows = self._client.query(told["collection_name"], filter="", output_fields=names, limit=MOST_ROWS,
                                  consistency_level="Strong")
        count = self._client.query(told["collection_name"], filter="", output_fields=["count(*)"],
                                   consistency_level="Strong")[0]["count(*)"]
        if len(rows) != count or count >= MOST_ROWS:
            raise AssertionError(f"{told['collection_name']}: {len(rows)} of {count} rows came")
        key = next(name for name in names if name.startswith("_key_"))
        return gather(_decode(subject, columns, row["_id"] if "_id" in row else row[key], row)
                      for row in rows)


def _decode(subject, columns, key, row):
    nulls = set(row["_nulls"])
    fields = {name: _value(kind, element, row[columns[name]])
              for place, (name, (kind, element)) in enumerate(subject.fields.items()) if place not in nulls}
    vectors = {name: _vector(kind, row[columns[name]])
               for place, (name, (kind, _)) in enumerate(subject.vectors.items())
               if NULL_VECTORS + place not in nulls}
    dynamic = _parsed(row["_dynamic"]) if "_dynamic" in row else {}
    return (row.get("_tenant", ""), key), record_of(subject, fields, vectors, dynamic)


def _parsed(value):
    return json.loads(value) if isinstance(value, (bytes, str)) else value


def _value(kind, element, value):
    if kind == "JSON":
        return _parsed(value)["v"]
    if kind == "ARRAY":
        return [json_value(element, None, one) for one in value]
    return float(value) if kind in ("FLOAT", "DOUBLE") else value


def _vector(kind, value):
    if kind == "BINARY_VECTOR":
        return value[0] if isinstance(value, list) else value
    return dense_vector(kind, np.asarray(value, "f4"))
