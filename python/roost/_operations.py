"""Every operation as a Call: its arguments are checked, its reply is read. No input or output here."""

from __future__ import annotations

import datetime
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import _replies
from ._call import Call, encode
from .errors import InvalidArgumentError
from .records import (
    CollectionInfo,
    FilterResult,
    Hit,
    Record,
    RowError,
    SyncPage,
    UpsertResult,
    check_tenant,
    moment_to_json,
    record_to_json,
    to_json,
)
from .vectors import Vector, encode_vector

MAX_ID_BYTES = 65_535
# One request's part of a large upsert.
PAGE_BYTES = 8 << 20

Similarity: TypeAlias = float | Mapping[str, Any]


@dataclass(frozen=True)
class Origin:
    """Who writes; a device's own changes are not told to it by sync_by_last_modified."""

    last_update_device: str | None = None
    last_update_device_id: str | None = None
    long_job_id: str | None = None

    def members(self) -> dict[str, str]:
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class UpsertStep:
    """One page of an upsert: the row it begins with, and the request."""

    first: int
    check_only: bool
    call: Call[UpsertResult]


def _id(unique_id: str) -> str:
    if not isinstance(unique_id, str) or not unique_id:
        raise InvalidArgumentError(f"a unique id is {unique_id!r}; it is a string that is not empty")
    if len(unique_id.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        raise InvalidArgumentError(f"a unique id has more than {MAX_ID_BYTES} bytes")
    return unique_id


def _ids(id_list: Iterable[str]) -> list[str]:
    if isinstance(id_list, str):
        raise InvalidArgumentError("id_list is one string; give a list of unique ids")
    return [_id(unique_id) for unique_id in id_list]


def _count(name: str, value: int, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidArgumentError(f"{name} is {value!r}; it is a whole number from {least}")
    return value


class Operations:
    """The operations on one collection."""

    def __init__(self, collection: str) -> None:
        if not isinstance(collection, str) or not collection:
            raise InvalidArgumentError(f"the collection is {collection!r}; it is a string that is not empty")
        self._root = "/v1/records/" + urllib.parse.quote(collection, safe="")

    def _call(
        self, tenant: str, operation: str, body: dict[str, Any], parse: Any, repeatable: bool = True
    ) -> Any:
        path = f"{self._root}/{urllib.parse.quote(check_tenant(tenant), safe='')}/{operation}"
        return Call(operation, "POST", path, encode(body, operation), parse, repeatable)

    def stores(self) -> Call[list[tuple[str, str]]]:
        return Call("list_stores", "GET", "/v1/stores", None, _replies.stores, True)

    def create_collection(
        self, dimension: int, metric: str, kinds: Mapping[str, Any] | None, store: str
    ) -> Call[CollectionInfo]:
        body: dict[str, Any] = {"dimension": _count("dimension", dimension), "metric": metric, "store": store}
        if kinds is not None:
            # A schema file is {"kinds": {…}}.
            body["kinds"] = kinds["kinds"] if set(kinds) == {"kinds"} else kinds
        return Call(
            "create_collection", "PUT", self._root, encode(body, "create_collection"), _replies.info, True
        )

    def describe_collection(self) -> Call[CollectionInfo]:
        return Call("describe_collection", "GET", self._root, None, _replies.info, True)

    def insert_record(self, tenant: str, record: Record, origin: Origin) -> Call[None]:
        body = {"type": kind_of([record], None), "record": record_to_json(record), **origin.members()}
        call: Call[None] = self._call(tenant, "insert_record", body, _replies.nothing, repeatable=False)
        return call

    def upsert_records(
        self, tenant: str, records: Sequence[Record], type: str | None, origin: Origin
    ) -> list[UpsertStep]:
        """In pages. With more than one, each comes twice: first to be checked only, so that a mistake in the
        last page is found before the first is written."""
        if isinstance(records, Record):
            raise InvalidArgumentError("records is one record; give a list, or use insert_record")
        if not records:
            return []
        kind = kind_of(records, type)
        pages: list[list[dict[str, Any]]] = [[]]
        size = 0
        for record in records:
            body = record_to_json(record)
            length = len(encode(body, "upsert_records"))
            if pages[-1] and size + length > PAGE_BYTES:
                pages.append([])
                size = 0
            pages[-1].append(body)
            size += length
        steps = [True, False] if len(pages) > 1 else [False]
        firsts = [sum(map(len, pages[:number])) for number in range(len(pages))]
        return [
            UpsertStep(
                first,
                check_only,
                self._call(
                    tenant,
                    "upsert_records",
                    {"type": kind, "records": page, "check_only": check_only, **origin.members()},
                    _replies.upserted,
                ),
            )
            for check_only in steps
            for first, page in zip(firsts, pages)
        ]

    def update_record_vector(
        self,
        tenant: str,
        unique_id: str,
        new_vector: Vector,
        metadata_updates: Mapping[str, Any] | None,
        origin: Origin,
    ) -> Call[Record]:
        body = {
            "unique_id": _id(unique_id),
            "new_vector": encode_vector(new_vector, "new_vector"),
            "metadata_updates": to_json(metadata_updates or {}),
            **origin.members(),
        }
        call: Call[Record] = self._call(tenant, "update_record_vector", body, _replies.one_record)
        return call

    def update_record_metadata(
        self, tenant: str, unique_id: str, metadata_updates: Mapping[str, Any], origin: Origin
    ) -> Call[Record]:
        body = {
            "unique_id": _id(unique_id),
            "metadata_updates": to_json(metadata_updates),
            **origin.members(),
        }
        call: Call[Record] = self._call(tenant, "update_record_metadata", body, _replies.one_record)
        return call

    def delete_record(
        self, tenant: str, unique_id: str, record_type: str | None, s3_path: str | None, origin: Origin
    ) -> Call[int]:
        body = {
            "unique_id": _id(unique_id),
            "record_type": record_type,
            "s3_path": s3_path,
            **origin.members(),
        }
        call: Call[int] = self._call(tenant, "delete_record", body, _replies.deleted)
        return call

    def delete_records_by_ids(
        self,
        tenant: str,
        id_list: Iterable[str],
        record_type: str | None,
        s3_paths: Sequence[str | None] | None,
        origin: Origin,
    ) -> Call[int]:
        body = {
            "id_list": _ids(id_list),
            "record_type": record_type,
            "s3_paths": None if s3_paths is None else list(s3_paths),
            **origin.members(),
        }
        call: Call[int] = self._call(tenant, "delete_records_by_ids", body, _replies.deleted)
        return call

    def delete_all_records(self, tenant: str, origin: Origin) -> Call[int]:
        call: Call[int] = self._call(tenant, "delete_all_records", {**origin.members()}, _replies.deleted)
        return call

    def query_by_vector(
        self,
        tenant: str,
        query_vector: Vector,
        top_k: int,
        similarity_setting: Similarity | None,
        include_vector: bool,
        filter_expr: str | None,
        params: Mapping[str, Any] | None,
    ) -> Call[list[Hit]]:
        setting = dict(similarity_setting) if isinstance(similarity_setting, Mapping) else similarity_setting
        body = {
            "query_vector": encode_vector(query_vector, "query_vector"),
            "top_k": _count("top_k", top_k),
            "similarity_setting": setting,
            "include_vector": bool(include_vector),
            **_filter(filter_expr, params),
        }
        call: Call[list[Hit]] = self._call(tenant, "query_by_vector", body, _replies.hits)
        return call

    def query_by_keyword(
        self,
        tenant: str,
        keyword: str,
        top_k: int,
        include_metadata: bool,
        filter_expr: str | None,
        params: Mapping[str, Any] | None,
    ) -> Call[list[Hit]]:
        body = {
            "keyword": keyword,
            "top_k": _count("top_k", top_k),
            "include_metadata": bool(include_metadata),
            **_filter(filter_expr, params),
        }
        call: Call[list[Hit]] = self._call(tenant, "query_by_keyword", body, _replies.hits)
        return call

    def query_by_filter(
        self,
        tenant: str,
        filter_expr: str,
        top_k: int,
        get_connected_results: bool,
        include_vector: bool,
        params: Mapping[str, Any] | None,
    ) -> Call[FilterResult]:
        body = {
            "top_k": _count("top_k", top_k),
            "get_connected_results": bool(get_connected_results),
            "include_vector": bool(include_vector),
            **_filter(filter_expr, params),
        }
        call: Call[FilterResult] = self._call(tenant, "query_by_filter", body, _replies.filtered)
        return call

    def get_most_recent_records(self, tenant: str, limit: int, include_vector: bool) -> Call[list[Record]]:
        body = {"limit": _count("limit", limit), "include_vector": bool(include_vector)}
        call: Call[list[Record]] = self._call(tenant, "get_most_recent_records", body, _replies.records)
        return call

    def get_records_by_ids(
        self, tenant: str, id_list: Iterable[str], include_vector: bool
    ) -> Call[list[Record | None]]:
        body = {"id_list": _ids(id_list), "include_vector": bool(include_vector)}
        call: Call[list[Record | None]] = self._call(
            tenant, "get_records_by_ids", body, _replies.optional_records
        )
        return call

    def get_record_by_id(self, tenant: str, unique_id: str, include_vector: bool) -> Call[Record | None]:
        body = {"unique_id": _id(unique_id), "include_vector": bool(include_vector)}
        call: Call[Record | None] = self._call(tenant, "get_record_by_id", body, _replies.optional_record)
        return call

    def sync_by_last_modified(
        self,
        tenant: str,
        last_sync_datetime: datetime.datetime | None,
        curr_device_id: str | None,
        limit: int,
        offset: int,
        cursor: str | None,
        include_vector: bool,
    ) -> Call[SyncPage]:
        since = None if last_sync_datetime is None else moment_to_json(last_sync_datetime)
        body = {
            "last_sync_datetime": since,
            "curr_device_id": curr_device_id,
            "limit": _count("limit", limit),
            "offset": _count("offset", offset, 0),
            "cursor": cursor,
            "include_vector": bool(include_vector),
        }
        call: Call[SyncPage] = self._call(tenant, "sync_by_last_modified", body, _replies.synced)
        return call

    def purge_deleted(self, before: datetime.datetime) -> Call[int]:
        return Call(
            "purge_deleted",
            "POST",
            self._root + "/purge_deleted",
            encode({"before": moment_to_json(before)}, "purge_deleted"),
            _replies.deleted,
            True,
        )


def _filter(filter_expr: str | None, params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"filter_expr": filter_expr or "", "params": to_json(params or {})}


def kind_of(records: Iterable[Record], type: str | None) -> str:
    """The one kind of these records; `type` names it where they do not."""
    kinds = {record.type for record in records if isinstance(record, Record) and record.type} | (
        {type} if type else set()
    )
    if len(kinds) > 1:
        raise InvalidArgumentError(
            f"records of one call are of one kind; these are {', '.join(sorted(map(str, kinds)))}"
        )
    if not kinds:
        raise InvalidArgumentError(
            'the records\' kind is not known: make them of a class such as roost.Note, or give type="Note"'
        )
    return kinds.pop()


def choose_store(backend: str, stores: list[tuple[str, str]]) -> str:
    """The store with that name, else the only one of that kind."""
    if any(name == backend for name, _ in stores):
        return backend
    fitting = [name for name, kind in stores if kind == backend]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(f"{name} ({kind})" for name, kind in stores)
    raise InvalidArgumentError(
        f"{'no' if not fitting else 'more than one'} store of the server is {backend!r}; it has "
        f"{there}. Name one with store=…, or change ML_VECTOR_BACKEND"
    )


def join_upserts(results: list[tuple[UpsertStep, UpsertResult]]) -> UpsertResult:
    return UpsertResult(
        sum(result.written for _, result in results),
        tuple(
            RowError(step.first + error.row, error.code, error.message)
            for step, result in results
            for error in result.errors
        ),
    )
