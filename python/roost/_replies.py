"""Replies of the server as what the operations give back."""

from __future__ import annotations

from typing import Any

from .records import (
    CollectionInfo,
    FilterResult,
    Hit,
    Link,
    Record,
    RowError,
    SyncPage,
    UpsertResult,
    moment_from_json,
    record_from_json,
)


def hits(reply: Any) -> list[Hit]:
    return [
        Hit(
            hit["unique_id"],
            float(hit["distance"]),
            float(hit["score"]),
            record_from_json(hit["record"]) if "record" in hit else None,
        )
        for hit in reply["hits"]
    ]


def records(reply: Any) -> list[Record]:
    return [record_from_json(record) for record in reply["records"]]


def optional_records(reply: Any) -> list[Record | None]:
    return [None if record is None else record_from_json(record) for record in reply["records"]]


def optional_record(reply: Any) -> Record | None:
    return None if reply["record"] is None else record_from_json(reply["record"])


def one_record(reply: Any) -> Record:
    return record_from_json(reply["record"])


def deleted(reply: Any) -> int:
    return int(reply["deleted"])


def nothing(reply: Any) -> None:
    return None


def upserted(reply: Any) -> UpsertResult:
    return UpsertResult(
        int(reply["written"]),
        tuple(RowError(int(error["row"]), error["code"], error["message"]) for error in reply["errors"]),
    )


def filtered(reply: Any) -> FilterResult:
    return FilterResult(
        tuple(records(reply)),
        tuple(record_from_json(record) for record in reply["connected"]),
        tuple(Link(link["from"], link["property"], link["to"]) for link in reply["links"]),
        bool(reply["complete"]),
    )


def synced(reply: Any) -> SyncPage:
    since = reply.get("next_sync_datetime")
    return SyncPage(
        tuple(records(reply)),
        bool(reply["has_more"]),
        int(reply["next_offset"]),
        reply.get("next_cursor"),
        None if since is None else moment_from_json(since),
    )


def info(reply: Any) -> CollectionInfo:
    return CollectionInfo(
        reply["name"], reply["store"], int(reply["dimension"]), reply["metric"], reply["kinds"]
    )


def stores(reply: Any) -> list[tuple[str, str]]:
    return [(store["name"], store["kind"]) for store in reply["stores"]]
