"""A small REST client for tests: one connection, no retries, errors as exceptions."""

import base64
import http.client
import json

import numpy as np


class ApiError(Exception):
    """The server refused: its status, code and detail."""

    def __init__(self, status, problem):
        self.status = status
        self.code = problem.get("code", "")
        self.detail = problem.get("detail", "")
        super().__init__(f"{status} {self.code}: {self.detail}")


class Client:
    """Calls one server. Not thread safe: one a thread."""

    def __init__(self, port, host="127.0.0.1", timeout=60):
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def close(self):
        self._connection.close()

    def raw(self, method, path, body=None, headers=None):
        """(status, headers, bytes); a broken connection is an OSError or HTTPException."""
        data = None
        if body is not None:
            data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        if isinstance(data, str):
            data = data.encode()
        try:
            self._connection.request(method, path, data,
                                     {"content-type": "application/json", **(headers or {})})
            reply = self._connection.getresponse()
            return reply.status, reply.headers, reply.read()
        except Exception:
            self._connection.close()
            raise

    def call(self, method, path, body=None):
        status, _, text = self.raw(method, path, body)
        document = json.loads(text) if text else {}
        if status >= 300:
            raise ApiError(status, document)
        return document

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None):
        return self.call("POST", path, {} if body is None else body)

    def upsert(self, collection, records):
        return self.post(f"/v1/collections/{collection}/upsert", {"records": records})

    def insert(self, collection, records):
        return self.post(f"/v1/collections/{collection}/insert", {"records": records})

    def delete(self, collection, ids):
        return self.post(f"/v1/collections/{collection}/delete", {"ids": ids})

    def search(self, collection, **request):
        return self.post(f"/v1/collections/{collection}/search", request)["hits"]

    def count(self, collection):
        return self.post(f"/v1/collections/{collection}/count")["count"]

    def export(self, collection, loads=json.loads):
        """Every record, as the export route streams them."""
        self._connection.request("GET", f"/v1/collections/{collection}/export")
        reply = self._connection.getresponse()
        if reply.status >= 300:
            raise ApiError(reply.status, json.loads(reply.read()))
        for line in reply:
            yield loads(line)


def pack(vector):
    """A vector as the base64 text of its little-endian float32 elements."""
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()


def unpack(numbers):
    """A vector that came as JSON numbers, as float32."""
    return np.asarray(numbers, np.float64).astype("<f4")
