"""Avro values in Confluent framing: byte 0, four bytes of schema id, Avro body.

A running service only reads the registry: subjects are registered by `freshax schemas apply`, a deploy step, so that a
bad schema stops a deployment and not a running pipeline. Ids and schemas are fetched once and cached.
"""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import HTTPError

from schemas import avro
from schemas.failures import FatalError, PoisonError, RetryableError
from schemas.records import Record
from schemas.topics import Topic
from streams.runtime.settings import RegistrySettings

_MAGIC = 0
_HEADER = struct.Struct(">bI")


def framing(schema_id: int) -> bytes:
    """What stands before a value written with the schema `schema_id`."""
    return _HEADER.pack(_MAGIC, schema_id)


def registry_client(settings: RegistrySettings) -> SchemaRegistryClient:
    """Client of the schema registry."""
    config: dict[str, Any] = {"url": settings.url, "timeout": settings.timeout_seconds, "max.retries": 2}
    if settings.username and settings.password:
        config["basic.auth.user.info"] = f"{settings.username}:{settings.password.get_secret_value()}"
    return SchemaRegistryClient(config)


class AvroCodec:
    """Encodes and decodes the values of the declared topics. Safe to share between threads after `warm`."""

    def __init__(self, registry: SchemaRegistryClient) -> None:
        self._registry = registry
        self._writers: dict[str, tuple[bytes, Any]] = {}
        self._schemas_by_id: dict[int, Any] = {}

    def close(self) -> None:
        """Close the connections to the registry."""
        self._registry.close()

    def warm(self, *topics: Topic) -> None:
        """Fetch the ids of `topics` now.

        Raises: FatalError (schema_not_registered) with the remedy, RetryableError when the registry is away.
        """
        for topic in topics:
            if topic.schema is not None:
                self._writer(topic)

    def encode(self, topic: Topic, record: Record) -> bytes:
        """Framed bytes of `record` as a value of `topic`."""
        header, schema = self._writer(topic)
        buffer = io.BytesIO()
        buffer.write(header)
        fastavro.schemaless_writer(buffer, schema, record.to_avro())
        return buffer.getvalue()

    def encode_dict(self, topic: Topic, value: dict[str, Any]) -> bytes:
        """Framed bytes of a plain dict in the shape of the topic's schema."""
        header, schema = self._writer(topic)
        buffer = io.BytesIO()
        buffer.write(header)
        fastavro.schemaless_writer(buffer, schema, value)
        return buffer.getvalue()

    def decode(self, topic: Topic, data: bytes | None) -> dict[str, Any]:
        """The value as a dict in the shape of this release's schema; of a topic without one, as it was written.

        Raises: PoisonError (undecodable) for bytes that are not a framed value of a known schema; RetryableError when
        the registry is away.
        """
        return self._decode(topic, data, as_declared=topic.schema is not None)

    def decode_as_written(self, topic: Topic, data: bytes | None) -> dict[str, Any]:
        """The value in the shape of the schema that it was written with. Raises as `decode` does."""
        return self._decode(topic, data, as_declared=False)

    def _decode(self, topic: Topic, data: bytes | None, *, as_declared: bool) -> dict[str, Any]:
        if data is None or len(data) < _HEADER.size or data[0] != _MAGIC:
            raise PoisonError("undecodable", f"decoding a value of {topic.name}: not Avro in Confluent framing")
        (_, schema_id) = _HEADER.unpack_from(data)
        writer = self._schema_of(schema_id, topic)
        reader = self._writer(topic)[1] if as_declared else None
        try:
            value = fastavro.schemaless_reader(io.BytesIO(memoryview(data)[_HEADER.size :]), writer, reader)
        except (
            ValueError,
            TypeError,
            EOFError,
            IndexError,
            KeyError,
            AttributeError,
            OverflowError,
            fastavro.read.SchemaResolutionError,
        ) as error:
            raise PoisonError(
                "undecodable", f"decoding a value of {topic.name} with schema id {schema_id}: {type(error).__name__}"
            ) from error
        if not isinstance(value, dict):
            raise PoisonError("undecodable", f"decoding a value of {topic.name}: schema id {schema_id} is no record")
        return value

    def _writer(self, topic: Topic) -> tuple[bytes, Any]:
        found = self._writers.get(topic.name)
        if found is None:
            found = self._writers[topic.name] = self._fetch_writer(topic)
        return found

    def _fetch_writer(self, topic: Topic) -> tuple[bytes, Any]:
        if topic.schema is None or topic.subject is None:
            raise FatalError("topic_without_schema", f"encoding for {topic.name}: the topic declares no schema")
        try:
            registered = self._registry.lookup_schema(topic.subject, Schema(avro.text(topic.schema), "AVRO"))
        except SchemaRegistryError as error:
            if error.http_status_code in (404, 422):
                raise FatalError(
                    "schema_not_registered",
                    f"looking up {topic.subject}: this release's schema is not registered; "
                    "run `freshax schemas apply` before starting services",
                ) from error
            raise RetryableError("registry_unavailable", f"looking up {topic.subject}: {error}") from error
        except (HTTPError, OSError) as error:
            raise RetryableError("registry_unavailable", f"looking up {topic.subject}: {error}") from error
        if registered.schema_id is None:
            raise FatalError("schema_not_registered", f"looking up {topic.subject}: the registry gave no id")
        return framing(registered.schema_id), fastavro.parse_schema(avro.load(topic.schema))

    def _schema_of(self, schema_id: int, topic: Topic) -> Any:
        found = self._schemas_by_id.get(schema_id)
        if found is not None:
            return found
        try:
            schema = self._registry.get_schema(schema_id)
        except SchemaRegistryError as error:
            if error.http_status_code == 404:
                raise PoisonError(
                    "undecodable", f"decoding a value of {topic.name}: the registry has no schema with id {schema_id}"
                ) from error
            raise RetryableError("registry_unavailable", f"fetching schema {schema_id}: {error}") from error
        except (HTTPError, OSError) as error:
            raise RetryableError("registry_unavailable", f"fetching schema {schema_id}: {error}") from error
        parsed = fastavro.parse_schema(json.loads(schema.schema_str or "null"))
        self._schemas_by_id[schema_id] = parsed
        return parsed
