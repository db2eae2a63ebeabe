"""Reads a collection back without any of Roost's code (psql) or through REST, and compares it with
what the client knows it wrote."""

import hashlib
import json

import numpy as np

from tests.support.client import unpack


def digest(record, vector, fields):
    """Of a record's scalar fields, in the order of `fields`, and its vector's bits."""
    content = json.dumps([record.get(name) for name in fields], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(content.encode() + np.asarray(vector, "<f4").tobytes()).digest()


def read_rest(client, collection, key, vector, fields):
    """{key: digest} of everything that the server exports."""
    found = {}
    for record in client.export(collection):
        if record[key] in found:
            raise AssertionError(f"the export holds {record[key]!r} twice")
        found[record[key]] = digest(record, unpack(record[vector]), fields)
    return found


_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def copy_text(text):
    """A field of COPY's text format; None for null."""
    if text == "\\N":
        return None
    if "\\" not in text:
        return text
    out, at = [], 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            out.append(_ESCAPES.get(text[at + 1], text[at + 1]))
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def read_postgres(postgres, collection, vector, columns, path):
    """{key: digest} of the collection's table, read by psql. `columns` maps field names to "text",
    "int" or "json" (an array, as to_jsonb shows it), in the order of the digest."""
    table = postgres.psql("select table_name from roost_collections "
                          f"where name = '{collection}'").strip()
    selected = [f'to_jsonb("{name}")' if kind == "json" else f'"{name}"'
                for name, kind in columns.items()]
    postgres.copy_out(f'select "_key", "{vector}"::text, {", ".join(selected)} '
                      f'from "{table}" where not "_deleted"', path)
    found = {}
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            values = [copy_text(text) for text in line.rstrip("\n").split("\t")]
            record = {}
            for (name, kind), text in zip(columns.items(), values[2:]):
                record[name] = (None if text is None else int(text) if kind == "int" else
                                json.loads(text) if kind == "json" else text)
            bits = np.fromstring(values[1][1:-1], np.float64, sep=",").astype("<f4")
            if values[0] in found:
                raise AssertionError(f"the table holds {values[0]!r} twice")
            found[values[0]] = digest(record, bits, list(columns))
    return found


def compare(expected, found):
    """How `found` departs from what the client knows: {"lost", "resurrected", "wrong"} as lists."""
    return {
        "lost": sorted(set(expected) - set(found)),
        "resurrected": sorted(set(found) - set(expected)),
        "wrong": sorted(k for k in set(expected) & set(found) if expected[k] != found[k]),
    }
