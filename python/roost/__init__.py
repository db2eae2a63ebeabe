"""Roost: one front door to vector stores. See docs/python.md."""

from ._call import NotSentError, RetryPolicy
from .async_client import AsyncChanges, AsyncClient
from .client import Changes, Client
from .errors import (
    AbortedError,
    AlreadyExistsError,
    CancelledError,
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    RoostError,
    SyncExpiredError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)
from .records import (
    CollectionInfo,
    DailyNote,
    FilterResult,
    GeneralRecord,
    Hit,
    Link,
    Misc,
    Note,
    NoteBody,
    Record,
    RowError,
    SyncPage,
    Tag,
    UpsertResult,
)
from .settings import Settings
from .vectors import as_numpy

__version__ = "0.1.0"

__all__ = [
    "AbortedError",
    "AlreadyExistsError",
    "AsyncChanges",
    "AsyncClient",
    "CancelledError",
    "Changes",
    "Client",
    "CollectionInfo",
    "DailyNote",
    "DataLossError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "FilterResult",
    "GeneralRecord",
    "Hit",
    "InternalError",
    "InvalidArgumentError",
    "Link",
    "Misc",
    "NotFoundError",
    "NotSentError",
    "Note",
    "NoteBody",
    "PermissionDeniedError",
    "Record",
    "ResourceExhaustedError",
    "RetryPolicy",
    "RoostError",
    "RowError",
    "Settings",
    "SyncExpiredError",
    "SyncPage",
    "Tag",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UpsertResult",
    "as_numpy",
]
