"""Records, and what the operations give back."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .errors import InvalidArgumentError
from .vectors import Vector, encode_vector

# Fields of the flat mapping that are no properties.
RESERVED = frozenset(
    {
        "uniqueid",
        "tenantName",
        "vector",
        "record_type",
        "created_at",
        "last_modified",
        "other_modified",
        "last_update_device",
        "last_update_device_id",
        "long_job_id",
        "deleted",
        "pending_s3_paths",
    }
)


@dataclass
class Record:
    """A record of some kind. Subclasses name their kind; for others, and for kinds that are only known by
    name, `Record("x", type="Person")` does. What stands below `type` is set by the server."""

    unique_id: str
    vector: Vector | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    type: str = ""
    created_at: datetime.datetime | None = None
    last_modified: datetime.datetime | None = None
    last_update_device: str = ""
    last_update_device_id: str = ""
    long_job_id: str = ""
    deleted: bool = False

    _kinds: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Record._kinds[cls.__name__] = cls

    def __post_init__(self) -> None:
        if not self.type and self.__class__ is not Record:
            self.type = self.__class__.__name__

    def to_milvus_dict(self, tenant: str) -> dict[str, Any]:
        """The flat mapping that the target keeps: `uniqueid` (primary key), `tenantName` (partition key),
        `vector`, and the properties on the top level; None and what is not known are left out."""
        check_tenant(tenant)
        check_record(self)
        flat: dict[str, Any] = {"uniqueid": self.unique_id, "tenantName": tenant, "record_type": self.type}
        if self.vector is not None:
            flat["vector"] = [float(number) for number in self.vector]
        for name in ("created_at", "last_modified"):
            moment = getattr(self, name)
            if moment is not None:
                flat[name] = micros_of(moment)
        for name in ("last_update_device", "last_update_device_id", "long_job_id"):
            if getattr(self, name):
                flat[name] = getattr(self, name)
        flat.update((name, value) for name, value in self.properties.items() if value is not None)
        return flat

    @classmethod
    def from_milvus_dict(cls, flat: Mapping[str, Any]) -> "Record":
        """The record of a flat mapping."""
        return _make(
            {
                "unique_id": flat["uniqueid"],
                "type": flat.get("record_type", ""),
                "vector": flat.get("vector"),
                "properties": {
                    name: value for name, value in flat.items() if name not in RESERVED and value is not None
                },
                **{
                    name: flat[name]
                    for name in (
                        "created_at",
                        "last_modified",
                        "last_update_device",
                        "last_update_device_id",
                        "long_job_id",
                        "deleted",
                    )
                    if flat.get(name) is not None
                },
            }
        )


class GeneralRecord(Record):
    """A piece of knowledge that needs no kind of its own."""


class Note(Record):
    """A note; its text stands in its NoteBody records."""


class Tag(Record):
    """A word that groups records."""


class Misc(Record):
    """Anything else."""


class NoteBody(Record):
    """A part of a note's text; `note_id` names the note."""


class DailyNote(Record):
    """The note of one day; `day` names it."""


@dataclass(frozen=True)
class Hit:
    """`score` is higher for better. `record` is None where only the id was asked for."""

    unique_id: str
    distance: float
    score: float
    record: Record | None = None


@dataclass(frozen=True)
class RowError:
    """A record that was not written."""

    row: int
    code: str
    message: str


@dataclass(frozen=True)
class UpsertResult:
    written: int
    errors: tuple[RowError, ...] = ()


@dataclass(frozen=True)
class Link:
    """`from_id` holds `to_id` in its property."""

    from_id: str
    property: str
    to_id: str


@dataclass(frozen=True)
class FilterResult:
    """What a filter found. Iterates over `records`. `complete` is False when there are more connected records
    than the server gives at once."""

    records: tuple[Record, ...]
    connected: tuple[Record, ...] = ()
    links: tuple[Link, ...] = ()
    complete: bool = True

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def connected_to(self, unique_id: str) -> list[Record]:
        """The records that this one refers to or that refer to it."""
        ids = {link.to_id for link in self.links if link.from_id == unique_id}
        ids |= {link.from_id for link in self.links if link.to_id == unique_id}
        return [record for record in (*self.records, *self.connected) if record.unique_id in ids]


@dataclass(frozen=True)
class SyncPage:
    """Iterates over `records`; deleted ones have `deleted` set and nothing else. A page may hold fewer
    records than its limit and not be the last: go by `has_more`. `next_sync_datetime` is known on the first
    page and on those reached by its cursor."""

    records: tuple[Record, ...]
    has_more: bool
    next_offset: int
    next_cursor: str | None = None
    next_sync_datetime: datetime.datetime | None = None

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True)
class CollectionInfo:
    name: str
    store: str
    dimension: int
    metric: str
    kinds: dict[str, Any]


def check_tenant(tenant: str) -> str:
    if not isinstance(tenant, str) or not tenant:
        raise InvalidArgumentError(
            f"the tenant is {tenant!r}; it comes first and is a string that is not empty"
        )
    return tenant


def check_record(record: Record) -> None:
    if not isinstance(record, Record):
        raise InvalidArgumentError(
            f'{record!r} is no roost.Record; make one, as in roost.Note("id", vector=[…])'
        )
    if not isinstance(record.unique_id, str) or not record.unique_id:
        raise InvalidArgumentError(f"unique_id is {record.unique_id!r}; it is a string that is not empty")
    if not isinstance(record.properties, Mapping):
        raise InvalidArgumentError(f"record {record.unique_id!r}: properties is no dict")
    reserved = RESERVED.intersection(record.properties)
    if reserved:
        raise InvalidArgumentError(
            f"record {record.unique_id!r}: {sorted(reserved)[0]!r} is a field of Roost's own; "
            "choose another name for the property"
        )


def record_to_json(record: Record) -> dict[str, Any]:
    """As the server takes it."""
    check_record(record)
    body: dict[str, Any] = {"unique_id": record.unique_id, "properties": to_json(record.properties)}
    if record.vector is not None:
        body["vector"] = encode_vector(record.vector, f"the vector of record {record.unique_id!r}")
    return body


def to_json(value: Any) -> Any:
    """Times become RFC 3339 text; everything else stays."""
    if isinstance(value, datetime.datetime):
        return moment_to_json(value)
    if isinstance(value, Mapping):
        return {str(name): to_json(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [to_json(inner) for inner in value]
    return value


def moment_to_json(moment: datetime.datetime) -> str:
    if moment.tzinfo is None:
        raise InvalidArgumentError(
            f"{moment!r} has no time zone; write datetime.datetime(…, tzinfo=datetime.UTC)"
        )
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def micros_of(moment: datetime.datetime) -> int:
    if moment.tzinfo is None:
        raise InvalidArgumentError(
            f"{moment!r} has no time zone; write datetime.datetime(…, tzinfo=datetime.UTC)"
        )
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1)


def moment_from_json(value: Any) -> datetime.datetime:
    if isinstance(value, int):
        return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=value)
    return datetime.datetime.fromisoformat(str(value))


def _make(body: Mapping[str, Any]) -> Record:
    kind: Callable[..., Record] = Record._kinds.get(body.get("type", ""), Record)
    moments = {name: moment_from_json(body[name]) for name in ("created_at", "last_modified") if name in body}
    return kind(
        unique_id=body["unique_id"],
        vector=body.get("vector"),
        properties=dict(body.get("properties", {})),
        type=body.get("type", ""),
        last_update_device=body.get("last_update_device", ""),
        last_update_device_id=body.get("last_update_device_id", ""),
        long_job_id=body.get("long_job_id", ""),
        deleted=bool(body.get("deleted", False)),
        **moments,
    )


def record_from_json(body: Mapping[str, Any]) -> Record:
    """From a reply of the server."""
    return _make(body)
