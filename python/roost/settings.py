"""Settings by environment: the names of applications that spoke to a store before are honoured."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import InvalidArgumentError

DEFAULT_ENDPOINT = "http://127.0.0.1:19530"
BACKENDS = ("embedded", "pgvector", "opensearch", "milvus", "weaviate", "dual_write")


@dataclass(frozen=True)
class Settings:
    """Where Roost is and what its collections are like. `backend` says on which store `create_collection`
    puts them: empty, the server's default; dual_write, where a move to opensearch begins: pgvector."""

    endpoint: str = DEFAULT_ENDPOINT
    token: str = field(default="", repr=False)
    backend: str = ""
    collection: str = "records"
    dimension: int = 768
    opensearch_hosts: tuple[str, ...] = ()
    opensearch_username: str = ""
    opensearch_password: str = field(default="", repr=False)
    opensearch_verify_certs: bool = True

    @property
    def store_kind(self) -> str:
        return "pgvector" if self.backend == "dual_write" else self.backend

    def opensearch_address(self) -> str:
        """What `roost serve --store NAME=ADDRESS` calls that OpenSearch; empty where no host is named. Holds
        the password."""
        if not self.opensearch_hosts:
            return ""
        user = ""
        if self.opensearch_username:
            user = (
                urllib.parse.quote(self.opensearch_username, safe="")
                + ":"
                + urllib.parse.quote(self.opensearch_password, safe="")
                + "@"
            )
        secure = any(host.startswith("https://") for host in self.opensearch_hosts)
        hosts = ",".join(_host_and_port(host) for host in self.opensearch_hosts)
        options = ["tls=true"] if secure else []
        options += ["verify=false"] if secure and not self.opensearch_verify_certs else []
        return f"opensearch://{user}{hosts}" + ("?" + "&".join(options) if options else "")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """ROOST_ENDPOINT or MILVUS_CLUSTER_ENDPOINT; ROOST_TOKEN or MILVUS_CLUSTER_TOKEN; ROOST_COLLECTION or
        ML_OPENSEARCH_INDEX ('-' becomes '_'); ML_VECTOR_BACKEND; ML_VECTOR_DIMENSION; ML_OPENSEARCH_HOSTS,
        _USERNAME, _PASSWORD, _VERIFY_CERTS. An empty value is none."""
        given = {
            name: value.strip()
            for name, value in (os.environ if environment is None else environment).items()
        }

        def first(*names: str) -> str:
            return next((given[name] for name in names if given.get(name)), "")

        backend = first("ML_VECTOR_BACKEND")
        if backend and backend not in BACKENDS:
            raise InvalidArgumentError(
                f"ML_VECTOR_BACKEND is {backend!r}; it must be one of {', '.join(BACKENDS)}"
            )
        return cls(
            endpoint=check_endpoint(first("ROOST_ENDPOINT", "MILVUS_CLUSTER_ENDPOINT") or DEFAULT_ENDPOINT),
            token=first("ROOST_TOKEN", "MILVUS_CLUSTER_TOKEN"),
            backend=backend,
            collection=(first("ROOST_COLLECTION", "ML_OPENSEARCH_INDEX") or "records").replace("-", "_"),
            dimension=_dimension(first("ML_VECTOR_DIMENSION")),
            opensearch_hosts=tuple(
                host.strip() for host in first("ML_OPENSEARCH_HOSTS").split(",") if host.strip()
            ),
            opensearch_username=first("ML_OPENSEARCH_USERNAME"),
            opensearch_password=first("ML_OPENSEARCH_PASSWORD"),
            opensearch_verify_certs=_flag("ML_OPENSEARCH_VERIFY_CERTS", first("ML_OPENSEARCH_VERIFY_CERTS")),
        )


def check_endpoint(endpoint: str) -> str:
    """`host:port` gets http:// before it."""
    if "://" not in endpoint:
        endpoint = "http://" + endpoint
    parts = urllib.parse.urlsplit(endpoint)
    try:
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidArgumentError(f"the endpoint is {endpoint!r}; write it as http://127.0.0.1:19530")
    return endpoint.rstrip("/")


def _host_and_port(host: str) -> str:
    place = re.sub(r"^https?://", "", host).rstrip("/")
    return place + ":443" if host.startswith("https://") and ":" not in place else place


def _dimension(text: str) -> int:
    if not text:
        return 768
    if not text.isdigit() or not 1 <= int(text) <= 32_768:
        raise InvalidArgumentError(
            f"ML_VECTOR_DIMENSION is {text!r}; it must be a whole number from 1 to 32768"
        )
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text.lower() in ("", "true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise InvalidArgumentError(f"{name} is {text!r}; it must be true or false")
