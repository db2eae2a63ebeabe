"""The reader of each kind of store."""

from tests.support.readers.milvus import MilvusReader
from tests.support.readers.opensearch import OpenSearchReader
from tests.support.readers.postgres import PostgresReader
from tests.support.readers.weaviate import WeaviateReader


def native_reader(peer, folder):
    """`peer` is one of tests/support/processes.py; PostgreSQL's reader writes files into `folder`."""
    if peer.kind == "pgvector":
        return PostgresReader(peer, folder)
    if peer.kind == "milvus":
        return MilvusReader(peer.uri)
    if peer.kind == "weaviate":
        return WeaviateReader(peer.fields["host"], peer.port, int(peer.fields["grpc"]))
    return OpenSearchReader(peer.uri)
