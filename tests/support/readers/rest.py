"""What a collection's authority holds, as Roost exports it: the reader of the embedded store, which only
Roost itself can read."""

import base64
import contextlib
import struct

from tests.support.client import ApiError
from tests.support.readers import dense_vector, exact_json, gather, json_value, record_of


class RestReader:
    def __init__(self, roost):
        """`roost` is a Roost of tests/support/processes.py."""
        self._roost = roost

    def close(self):
        pass

    def holds(self, subject):
        with contextlib.closing(self._roost.client()) as client:
            try:
                client.get(f"/v1/collections/{subject.name}")
                return True
            except ApiError as error:
                if error.status == 404:
                    return False
                raise

    def read(self, subject):
        with contextlib.closing(self._roost.client()) as client:
            return gather(_decode(subject, row) for row in client.export(subject.name, loads=exact_json))


def _decode(subject, row):
    key = (row.pop("owner", ""), row.pop("id"))
    fields = {name: json_value(kind, element, row.pop(name, None))
              for name, (kind, element) in subject.fields.items()}
    vectors = {name: _vector(kind, row.pop(name, None)) for name, (kind, _) in subject.vectors.items()}
    return key, record_of(subject, fields, vectors, row)


def _vector(kind, value):
    if value is None:
        return None
    if kind == "BINARY_VECTOR":
        return base64.b64decode(value)
    if kind == "SPARSE_VECTOR":
        entries = zip(value["indices"], value["values"])
        return b"".join(struct.pack("<If", index, number) for index, number in entries)
    return dense_vector(kind, value)
