"""Readers of what lies in a store, one a kind, that share no code with Roost: they go by the store's own
client and by the layout that src/adapters/*/README.md describes.

Each has read(subject), which gives {(tenant, key): record} of everything there (tests/support/assorted.py
says what a record is), holds(subject), whether the store has the collection at all, and close(). All may be
called from several threads, of one reader; pymilvus ends all connections to a server when one is closed."""

import json

import numpy as np

from tests.support.assorted_values import float_vector_bytes, to_float32


def exact_json(text):
    """json.loads that keeps the sign of -0."""
    return json.loads(text, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))


def gather(records):
    """{key: record} of (key, record); a key that comes twice is an error."""
    found = {}
    for key, record in records:
        if key in found:
            raise AssertionError(f"{key} is there twice")
        found[key] = record
    return found


def record_of(subject, fields, vectors, dynamic):
    """What lacks is None; what the collection does not declare must not be there."""
    unknown = (set(fields) - set(subject.fields)) | (set(vectors) - set(subject.vectors))
    if unknown:
        raise AssertionError(f"there are fields that nobody declared: {unknown}")
    return {"version": fields.get("version"),
            "fields": {name: fields.get(name) for name in subject.fields},
            "vectors": {name: vectors.get(name) for name in subject.vectors},
            "dynamic": dynamic}


def json_value(kind, element, value):
    """A value that came as JSON."""
    if value is None or kind == "JSON":
        return value
    if kind == "ARRAY":
        return [json_value(element, None, one) for one in value]
    if kind == "DOUBLE":
        return float(value)
    return to_float32(value) if kind == "FLOAT" else value


def dense_vector(kind, numbers):
    """A vector whose elements came as numbers."""
    floats = np.asarray(numbers, "f8").astype("<f4")
    vector = float_vector_bytes(kind, floats)
    width = {"FLOAT16_VECTOR": "<f2", "INT8_VECTOR": "i1"}.get(kind)
    if width and not np.array_equal(np.frombuffer(vector, width).astype("<f4"), floats):
        raise AssertionError(f"{floats} is no {kind}")
    if kind == "BFLOAT16_VECTOR" and (floats.view("<u4") & 0xFFFF).any():
        raise AssertionError(f"{floats} is no {kind}")
    return vector
