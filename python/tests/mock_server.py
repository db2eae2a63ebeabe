"""A server that is none, for tests of the client."""

import json
import pathlib
import sys

import httpx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import roost  # noqa: E402

QUICK = roost.RetryPolicy(max_attempts=3, first_delay=0, max_delay=0)


def problem(status, code, detail="because"):
    return httpx.Response(
        status,
        json={"status": status, "code": code, "detail": detail, "request_id": "r1"},
        headers={"content-type": "application/problem+json"},
    )


class Server:
    """Answers with the given replies, one after the other, and keeps what was asked."""

    def __init__(self, *replies):
        self.replies, self.requests = list(replies), []

    def __call__(self, request):
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else httpx.Response(200, json=reply)

    def body(self, number=-1):
        return json.loads(self.requests[number].content)

    def client(self, **options):
        options = {"collection": "notes", "settings": roost.Settings(), "retry": QUICK, **options}
        return roost.Client("http://server:1", transport=httpx.MockTransport(self), **options)
