"""The blocking client."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import httpx

from ._call import (
    Call,
    RetryPolicy,
    check_timeout,
    headers_for,
    parse_reply,
    retry_after_of,
    timeout_error,
    transport_error,
)
from ._operations import Operations, Origin, Similarity, choose_store, join_upserts
from .errors import RoostError
from .records import CollectionInfo, FilterResult, Hit, Record, SyncPage, UpsertResult
from .settings import Settings, check_endpoint
from .vectors import Vector

T = TypeVar("T")


class Client:
    """One collection of a Roost server. Thread safe; connections are kept and shared, at most
    `max_connections` at once. Close it, or use it in a `with`. What is not given comes from the environment
    (roost.Settings).

    Every operation takes the tenant first, may raise any roost.RoostError, and is given up after `timeout`
    seconds, all tries together. Mistakes in arguments are found before anything is sent."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        collection: str | None = None,
        token: str | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
        max_connections: int = 100,
        max_keepalive_connections: int = 10,
        verify: bool | str = True,
        settings: Settings | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.settings = settings or Settings.from_environment()
        self.endpoint = check_endpoint(endpoint or self.settings.endpoint)
        self.collection = collection or self.settings.collection
        self.timeout = check_timeout(timeout)
        self.retry = retry or RetryPolicy()
        self._operations = Operations(self.collection)
        secret = self.settings.token if token is None else token
        self._http = httpx.Client(
            base_url=self.endpoint,
            verify=verify,
            transport=transport,
            trust_env=False,
            headers={"authorization": f"Bearer {secret}"} if secret else {},
            limits=httpx.Limits(
                max_connections=max_connections, max_keepalive_connections=max_keepalive_connections
            ),
        )

    def close(self) -> None:
        """Ends the connections. The client is of no use then."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: Call[T]) -> T:
        end = time.monotonic() + self.timeout
        attempt = 0
        while True:
            attempt += 1
            left = end - time.monotonic()
            if left <= 0:
                raise timeout_error(call, self.endpoint, attempt)
            retry_after = None
            try:
                response = self._http.request(
                    call.method, call.path, content=call.body, headers=headers_for(left), timeout=left
                )
                retry_after = retry_after_of(response)
                return parse_reply(call, response, attempt)
            except httpx.TransportError as error:
                failure: RoostError = transport_error(error, call, self.endpoint, attempt)
            except RoostError as error:
                failure = error
            wait = self.retry.wait(attempt, failure, call.repeatable, retry_after)
            if wait is None or time.monotonic() + wait >= end:
                raise failure
            time.sleep(wait)

    # The collection.

    def create_collection(
        self,
        *,
        dimension: int | None = None,
        metric: str = "COSINE",
        kinds: Mapping[str, Any] | None = None,
        store: str | None = None,
    ) -> CollectionInfo:
        """Makes the collection, or gives the one that is there other kinds. AlreadyExistsError where it has
        another dimension or metric. `kinds` is a schema file's document; left out, GeneralRecord, Note, Tag,
        Misc, NoteBody and DailyNote. Dimension and store come from ML_VECTOR_DIMENSION and
        ML_VECTOR_BACKEND."""
        if store is None:
            store = self.settings.store_kind
            store = choose_store(store, self._run(self._operations.stores())) if store else ""
        return self._run(
            self._operations.create_collection(
                self.settings.dimension if dimension is None else dimension, metric, kinds, store
            )
        )

    def describe_collection(self) -> CollectionInfo:
        """Its store, dimension, metric and kinds."""
        return self._run(self._operations.describe_collection())

    # Writes.

    def insert_record(
        self,
        tenant: str,
        record: Record,
        *,
        last_update_device: str | None = None,
        last_update_device_id: str | None = None,
        long_job_id: str | None = None,
    ) -> None:
        """Writes a new record. AlreadyExistsError where there is one. Not repeated once it may have
        arrived."""
        origin = Origin(last_update_device, last_update_device_id, long_job_id)
        self._run(self._operations.insert_record(tenant, record, origin))

    def upsert_records(
        self,
        tenant: str,
        records: Sequence[Record],
        type: str | None = None,
        long_job_id: str | None = None,
        last_update_device: str | None = None,
        last_update_device_id: str | None = None,
    ) -> UpsertResult:
        """Writes records of one kind, replacing whole ones; all are checked before the first is written.
        Large lists go in several requests; the timeout is each one's."""
        origin = Origin(last_update_device, last_update_device_id, long_job_id)
        done = [
            (step, self._run(step.call))
            for step in self._operations.upsert_records(tenant, records, type, origin)
        ]
        return join_upserts(done)

    def update_record_vector(
        self,
        tenant: str,
        unique_id: str,
        new_vector: Vector,
        metadata_updates: Mapping[str, Any] | None = None,
        *,
        last_update_device: str | None = None,
        last_update_device_id: str | None = None,
    ) -> Record:
        """Replaces the vector and some properties; gives the record without asking again. NotFoundError."""
        origin = Origin(last_update_device, last_update_device_id)
        return self._run(
            self._operations.update_record_vector(tenant, unique_id, new_vector, metadata_updates, origin)
        )

    def update_record_metadata(
        self,
        tenant: str,
        unique_id: str,
        metadata_updates: Mapping[str, Any],
        *,
        last_update_device: str | None = None,
        last_update_device_id: str | None = None,
    ) -> Record:
        """Replaces some properties; None removes one. NotFoundError."""
        origin = Origin(last_update_device, last_update_device_id)
        return self._run(self._operations.update_record_metadata(tenant, unique_id, metadata_updates, origin))

    def delete_record(
        self,
        tenant: str,
        unique_id: str,
        record_type: str | None = None,
        s3_path: str | None = None,
        *,
        last_update_device: str | None = None,
        last_update_device_id: str | None = None,
    ) -> bool:
        """True where there was one. Its s3_path, and the one given, go to the delete hook.
        FailedPreconditionError, and no change, where it is of another kind than `record_type`."""
        origin = Origin(last_update_device, last_update_device_id)
        return self._run(self._operations.delete_record(tenant, unique_id, record_type, s3_path, origin)) > 0

    def delete_records_by_ids(
        self,
        tenant: str,
        id_list: Iterable[str],
        record_type: str | None = None,
        s3_paths: Sequence[str | None] | None = None,
        *,
        last_update_device: str | None = None,
        last_update_device_id: str | None = None,
    ) -> int:
        """How many there were. `s3_paths`: none, or one an id. At most 10,000 ids."""
        origin = Origin(last_update_device, last_update_device_id)
        return self._run(
            self._operations.delete_records_by_ids(tenant, id_list, record_type, s3_paths, origin)
        )

    def delete_all_records(
        self, tenant: str, *, last_update_device: str | None = None, last_update_device_id: str | None = None
    ) -> int:
        """Deletes every record of the tenant; how many there were. After a DeadlineExceededError the same
        call goes on."""
        origin = Origin(last_update_device, last_update_device_id)
        return self._run(self._operations.delete_all_records(tenant, origin))

    # Queries.

    def query_by_vector(
        self,
        tenant: str,
        query_vector: Vector,
        top_k: int = 10,
        similarity_setting: Similarity | None = None,
        include_vector: bool = False,
        *,
        filter_expr: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """The nearest records, best first. `similarity_setting` is the least score, or a dict of min_score,
        max_distance, metric (refused unless it is the collection's), ef, exact."""
        return self._run(
            self._operations.query_by_vector(
                tenant, query_vector, top_k, similarity_setting, include_vector, filter_expr, params
            )
        )

    def query_by_keyword(
        self,
        tenant: str,
        keyword: str,
        top_k: int = 10,
        include_metadata: bool = True,
        *,
        filter_expr: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """The records that match the words best, over all TEXT properties. Without metadata: ids and
        scores."""
        return self._run(
            self._operations.query_by_keyword(tenant, keyword, top_k, include_metadata, filter_expr, params)
        )

    def query_by_filter(
        self,
        tenant: str,
        filter_expr: str,
        top_k: int = 10,
        get_connected_results: bool = False,
        *,
        include_vector: bool = False,
        params: Mapping[str, Any] | None = None,
    ) -> FilterResult:
        """The first `top_k` records that match, by unique id, and, where asked, what they refer to and what
        refers to them."""
        return self._run(
            self._operations.query_by_filter(
                tenant, filter_expr, top_k, get_connected_results, include_vector, params
            )
        )

    def get_most_recent_records(
        self, tenant: str, limit: int = 10, *, include_vector: bool = False
    ) -> list[Record]:
        """Those that changed last, newest first."""
        return self._run(self._operations.get_most_recent_records(tenant, limit, include_vector))

    def get_records_by_ids(
        self, tenant: str, id_list: Iterable[str], *, include_vector: bool = False
    ) -> list[Record | None]:
        """In the order asked; None where there is none."""
        return self._run(self._operations.get_records_by_ids(tenant, id_list, include_vector))

    def get_record_by_id(self, tenant: str, unique_id: str, *, include_vector: bool = False) -> Record | None:
        """None where there is none."""
        return self._run(self._operations.get_record_by_id(tenant, unique_id, include_vector))

    # Sync.

    def sync_by_last_modified(
        self,
        tenant: str,
        last_sync_datetime: datetime.datetime | None = None,
        curr_device_id: str | None = None,
        limit: int = 100,
        offset: int = 0,
        *,
        cursor: str | None = None,
        include_vector: bool = True,
    ) -> SyncPage:
        """What other devices than `curr_device_id` changed or deleted since that moment, a page by unique id.
        None: from the beginning, everything. Pass the first page's `next_sync_datetime` to the next sync.
        SyncExpiredError where deletions since then are forgotten."""
        return self._run(
            self._operations.sync_by_last_modified(
                tenant, last_sync_datetime, curr_device_id, limit, offset, cursor, include_vector
            )
        )

    def iter_changes(
        self,
        tenant: str,
        last_sync_datetime: datetime.datetime | None = None,
        curr_device_id: str | None = None,
        *,
        page_size: int = 500,
        include_vector: bool = True,
    ) -> "Changes":
        """All pages of a sync, one record after the other."""
        return Changes(self, tenant, last_sync_datetime, curr_device_id, page_size, include_vector)

    def iter_records(
        self, tenant: str, *, page_size: int = 500, include_vector: bool = False
    ) -> Iterator[Record]:
        """Every record of the tenant by unique id. One that is there all the while comes exactly once."""
        return (
            record
            for record in self.iter_changes(tenant, page_size=page_size, include_vector=include_vector)
            if not record.deleted
        )

    def purge_deleted(self, before: datetime.datetime) -> int:
        """Forgets deletions of all tenants before that moment; how many. Devices that synced last before it
        have to begin anew."""
        return self._run(self._operations.purge_deleted(before))


class Changes:
    """The records of one sync. `next_sync_datetime` is known once the first has come, and is to be used once
    the last has."""

    def __init__(
        self,
        client: Client,
        tenant: str,
        since: datetime.datetime | None,
        device: str | None,
        page_size: int,
        include_vector: bool,
    ) -> None:
        self.next_sync_datetime: datetime.datetime | None = None
        self._client, self._tenant, self._since, self._device = client, tenant, since, device
        self._page_size, self._include_vector = page_size, include_vector

    def __iter__(self) -> Iterator[Record]:
        cursor: str | None = None
        while True:
            page = self._client.sync_by_last_modified(
                self._tenant,
                self._since,
                self._device,
                self._page_size,
                cursor=cursor,
                include_vector=self._include_vector,
            )
            self.next_sync_datetime = page.next_sync_datetime
            yield from page.records
            if not page.has_more:
                return
            cursor = page.next_cursor
