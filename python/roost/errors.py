"""What can go wrong, as exceptions. Each has the server's code and a sentence that says what, where and what
to do."""

from __future__ import annotations

from typing import Any


class RoostError(Exception):
    """The base of all. `code` is one of gRPC's names; `status` is HTTP's, 0 where no reply came."""

    code = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int = 0,
        operation: str = "",
        request_id: str = "",
        attempts: int = 1,
    ) -> None:
        self.message = message
        self.code = code or type(self).code
        self.status = status
        self.operation = operation
        self.request_id = request_id
        self.attempts = attempts
        super().__init__(message)

    def __str__(self) -> str:
        where = f"{self.operation}: " if self.operation else ""
        tries = f" (after {self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{where}{self.message}{tries} [{self.code}]"


class InvalidArgumentError(RoostError, ValueError):
    """The request is wrong, whatever the state of the server. Nothing was changed."""

    code = "INVALID_ARGUMENT"


class FailedPreconditionError(RoostError):
    """The request does not fit what is there: a record of another kind, a collection of another shape."""

    code = "FAILED_PRECONDITION"


class SyncExpiredError(RoostError):
    """Deletions since that moment are forgotten: sync from the beginning and drop what is not told."""

    code = "OUT_OF_RANGE"


class NotFoundError(RoostError, LookupError):
    """There is no such collection or record."""

    code = "NOT_FOUND"


class AlreadyExistsError(RoostError):
    """There is one already."""

    code = "ALREADY_EXISTS"


class PermissionDeniedError(RoostError):
    """The caller may not do this."""

    code = "PERMISSION_DENIED"


class UnauthenticatedError(RoostError):
    """The token is missing or not valid."""

    code = "UNAUTHENTICATED"


class ResourceExhaustedError(RoostError):
    """Something is full or asked for too much; later or smaller it may succeed."""

    code = "RESOURCE_EXHAUSTED"


class UnavailableError(RoostError, ConnectionError):
    """The server, or the store behind it, was not reached. A write may have happened."""

    code = "UNAVAILABLE"


class DeadlineExceededError(RoostError, TimeoutError):
    """No answer within the timeout. A write may have happened."""

    code = "DEADLINE_EXCEEDED"


class CancelledError(RoostError):
    """The server gave the request up."""

    code = "CANCELLED"


class AbortedError(RoostError):
    """Another request was in the way; the same call may succeed."""

    code = "ABORTED"


class UnimplementedError(RoostError):
    """The server or the store cannot do this."""

    code = "UNIMPLEMENTED"


class InternalError(RoostError):
    """A mistake of the server's own."""

    code = "INTERNAL"


class DataLossError(RoostError):
    """Data are damaged."""

    code = "DATA_LOSS"


_CLASSES: dict[str, type[RoostError]] = {
    error.code: error
    for error in (
        InvalidArgumentError,
        FailedPreconditionError,
        SyncExpiredError,
        NotFoundError,
        AlreadyExistsError,
        PermissionDeniedError,
        UnauthenticatedError,
        ResourceExhaustedError,
        UnavailableError,
        DeadlineExceededError,
        CancelledError,
        AbortedError,
        UnimplementedError,
        InternalError,
        DataLossError,
    )
}
# For replies of what stands between client and server, which know no codes.
_BY_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_of(
    status: int, problem: dict[str, Any] | None, *, operation: str, attempts: int, text: str = ""
) -> RoostError:
    """The exception for a reply; `problem` is its problem+json, None where it has none."""
    if problem is None:
        code = _BY_STATUS.get(status, "UNKNOWN")
        message = f"the reply has status {status} and no explanation" + (f": {text[:200]}" if text else "")
        return _CLASSES.get(code, RoostError)(
            message, code=code, status=status, operation=operation, attempts=attempts
        )
    code = str(problem.get("code") or _BY_STATUS.get(status, "UNKNOWN"))
    return _CLASSES.get(code, RoostError)(
        str(problem.get("detail") or problem.get("title") or "no explanation"),
        code=code,
        status=status,
        operation=operation,
        request_id=str(problem.get("request_id", "")),
        attempts=attempts,
    )
