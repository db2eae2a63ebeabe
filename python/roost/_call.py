"""One request as a value, and when it may be repeated: what both clients share."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

from .errors import (
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    RoostError,
    UnavailableError,
    error_of,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """`parse` turns the reply's document into the result. `repeatable`: doing it twice leaves what doing it
    once does, so it may be sent again when nobody knows whether it arrived."""

    operation: str
    method: str
    path: str
    body: bytes | None
    parse: Callable[[Any], T]
    repeatable: bool


@dataclass(frozen=True)
class RetryPolicy:
    """At most `max_attempts` tries of one call; between two a random wait up to `first_delay` seconds,
    doubled each time, never over `max_delay`. A server's Retry-After is kept, up to `max_delay`. Never beyond
    the call's timeout.

    What certainly did not arrive is sent again; what the server refused for the moment (503, 429) or whose
    reply was lost only where the call is repeatable: reads, upserts, updates and deletes, not
    insert_record."""

    max_attempts: int = 3
    first_delay: float = 0.1
    max_delay: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_attempts <= 10:
            raise InvalidArgumentError(f"max_attempts is {self.max_attempts}; it must be from 1 to 10")
        if not 0 <= self.first_delay <= self.max_delay:
            raise InvalidArgumentError("first_delay must be from 0 to max_delay")

    def wait(
        self, attempt: int, error: RoostError, repeatable: bool, retry_after: float | None
    ) -> float | None:
        """Seconds until the next try; None: give up."""
        if attempt >= self.max_attempts:
            return None
        not_sent = isinstance(error, NotSentError)
        refused = isinstance(error, UnavailableError) or error.status == 429
        if not (not_sent or (refused and repeatable)):
            return None
        delay = random.random() * min(self.max_delay, self.first_delay * 2.0 ** (attempt - 1))
        return max(delay, min(retry_after or 0.0, self.max_delay))


class NotSentError(UnavailableError):
    """The server was not reached; nothing was done."""


def encode(body: Any, operation: str) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"an argument cannot be written as JSON: {error}", operation=operation
        ) from None


def check_timeout(timeout: float) -> float:
    if not isinstance(timeout, (int, float)) or not math.isfinite(timeout) or timeout <= 0:
        raise InvalidArgumentError(f"the timeout is {timeout!r}; it is a number of seconds above 0")
    return float(timeout)


def headers_for(left: float) -> dict[str, str]:
    return {"content-type": "application/json", "x-request-timeout-ms": str(max(1, int(left * 1000)))}


def parse_reply(call: Call[T], response: httpx.Response, attempt: int) -> T:
    """The result, or the exception that the reply stands for."""
    if response.status_code >= 300:
        raise error_of(
            response.status_code,
            _problem(response),
            operation=call.operation,
            attempts=attempt,
            text=response.text,
        )
    try:
        return call.parse(response.json())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InternalError(
            f"the reply is not what this client understands ({error!r}); is the server a Roost of "
            "another version?",
            status=response.status_code,
            operation=call.operation,
            attempts=attempt,
        ) from error


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    if "json" not in response.headers.get("content-type", ""):
        return None
    try:
        problem = response.json()
    except ValueError:
        return None
    return problem if isinstance(problem, dict) else None


def retry_after_of(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None


def transport_error(error: httpx.TransportError, call: Call[T], endpoint: str, attempt: int) -> RoostError:
    """The exception for a call without a reply."""
    if isinstance(error, httpx.PoolTimeout):
        return NotSentError(
            "every connection of the pool was busy until the timeout; raise max_connections or ask "
            "less at once",
            operation=call.operation,
            attempts=attempt,
        )
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return NotSentError(
            f"cannot reach {endpoint}: {error or type(error).__name__}; is `roost serve` running there?",
            operation=call.operation,
            attempts=attempt,
        )
    if isinstance(error, httpx.TimeoutException):
        return DeadlineExceededError(
            f"{endpoint} gave no answer in time; raise the timeout or ask for less",
            operation=call.operation,
            attempts=attempt,
        )
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return InvalidArgumentError(
            f"the request cannot be sent to {endpoint}: {error}", operation=call.operation
        )
    return UnavailableError(
        f"the connection to {endpoint} broke: {error or type(error).__name__}; whether the request "
        "was done is not known",
        operation=call.operation,
        attempts=attempt,
    )


def timeout_error(call: Call[T], endpoint: str, attempt: int) -> RoostError:
    return DeadlineExceededError(
        f"{endpoint} could not answer within the timeout", operation=call.operation, attempts=attempt
    )
