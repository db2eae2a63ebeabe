"""What lies in a collection's class in Weaviate, read by Weaviate's own client."""

import datetime
import json
import warnings

import numpy as np

from tests.support.readers import dense_vector, exact_json, gather, json_value, record_of

with warnings.catch_warnings(record=True):  # of what the client itself uses
    import weaviate

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)


class WeaviateReader:
    def __init__(self, host, port, grpc_port):
        self._client = weaviate.connect_to_custom(
            http_host=host, http_port=port, http_secure=False, grpc_host=host, grpc_port=grpc_port,
            grpc_secure=False, skip_init_checks=True)

    def close(self):
        self._client.close()

    def holds(self, subject):
        return self._find(subject) is not None

    def _find(self, subject):
        for config in self._client.collections.list_all(simple=False).values():
            if config.name.startswith("Roost_"):
                told = json.loads(config.description)["roost"]
                if json.loads(told["schema"])["name"] == subject.name:
                    return config
        return None

    def read(self, subject):
        config = self._find(subject)
        properties = {(one.description if one.name.startswith("_f") else one.name): one.name
                      for one in config.properties}
        vectors = {name: name if name in config.vector_config else f"_v{place}"
                   for place, name in enumerate(subject.vectors)}
        collection = self._client.collections.get(config.name)
        parts = [collection]
        if subject.tenants != ("",):
            parts = [collection.with_tenant(tenant) for tenant in collection.tenants.get()]
        return gather(_decode(subject, properties, vectors, found) for part in parts
                      for found in part.iterator(include_vector=True, cache_size=500))


def _decode(subject, properties, vectors, found):
    told = found.properties
    exact = exact_json(told["_x"]) if told.get("_x") is not None else {}
    fields = {}
    for name, (kind, element) in subject.fields.items():
        if name in exact:
            fields[name] = json_value(kind, element, exact[name])
        elif kind != "JSON":
            fields[name] = _value(kind, element, told.get(properties[name]))
    read = {name: dense_vector(subject.vectors[name][0], np.asarray(found.vector[inside], "f4"))
            for name, inside in vectors.items() if found.vector.get(inside)}
    key = int(told["_pk"]) if subject.integer_keys else told["_pk"]
    return (told.get("_tenant") or "", key), record_of(subject, fields, read, exact.get("$meta", {}))


def _value(kind, element, value):
    if value is None:
        return None
    if kind == "ARRAY":
        return [_value(element, None, one) for one in value]
    if kind == "TIMESTAMP":
        return (value - _EPOCH) // _MICROSECOND
    if kind == "UUID":
        return str(value)
    return json_value(kind, None, value)
