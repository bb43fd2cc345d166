"""`freshax schemas`: compares this release's schemas with the registry, and registers what is new.

Compatibility is BACKWARD_TRANSITIVE per subject: a consumer of this release reads every version ever written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.common.schema_registry_client import ConfigCompatibilityLevel
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import HTTPError

from schemas import avro
from schemas.failures import FatalError, RetryableError
from schemas.topics import Topic

COMPATIBILITY = ConfigCompatibilityLevel.BACKWARD_TRANSITIVE


class SchemaState(StrEnum):
    """How a subject stands to this release."""

    REGISTERED = "registered"
    NEW_SUBJECT = "new subject"
    NEW_VERSION = "new version"
    INCOMPATIBLE = "incompatible"


@dataclass(frozen=True, slots=True)
class SubjectPlan:
    """One line of the plan."""

    subject: str
    state: SchemaState
    detail: str


class SchemaAdmin:
    """Reads and writes the registry."""

    def __init__(self, registry: SchemaRegistryClient) -> None:
        self._registry = registry

    def plan(self, topics: Sequence[Topic]) -> list[SubjectPlan]:
        """How each subject stands. Raises RetryableError (registry_unavailable)."""
        return [self._plan_one(topic) for topic in topics if topic.schema is not None]

    def apply(self, topics: Sequence[Topic]) -> list[SubjectPlan]:
        """Register what is new. Raises FatalError when a schema is incompatible; nothing is registered then."""
        plans = self.plan(topics)
        refused = [f"{p.subject}: {p.detail}" for p in plans if p.state is SchemaState.INCOMPATIBLE]
        if refused:
            raise FatalError("schema_incompatible", "applying schemas: " + "; ".join(refused))
        by_subject = {topic.subject: topic for topic in topics}
        for planned in plans:
            topic = by_subject[planned.subject]
            if planned.state is SchemaState.REGISTERED or topic.schema is None:
                continue
            self._register(planned.subject, Schema(avro.text(topic.schema), "AVRO"))
        return plans

    def _plan_one(self, topic: Topic) -> SubjectPlan:
        subject = topic.subject or ""
        schema = Schema(avro.text(topic.schema or ""), "AVRO")
        try:
            found = self._registry.lookup_schema(subject, schema)
            return SubjectPlan(subject, SchemaState.REGISTERED, f"version {found.version}, id {found.schema_id}")
        except SchemaRegistryError as error:
            if error.http_status_code != 404:
                raise _unavailable(subject, error) from error
        except (HTTPError, OSError) as error:
            raise _unavailable(subject, error) from error
        try:
            latest = self._registry.get_latest_version(subject)
        except SchemaRegistryError as error:
            if error.http_status_code != 404:
                raise _unavailable(subject, error) from error
            return SubjectPlan(subject, SchemaState.NEW_SUBJECT, topic.doc)
        if self._registry.test_compatibility(subject, schema):
            return SubjectPlan(subject, SchemaState.NEW_VERSION, f"after version {latest.version}")
        detail = f"does not read every earlier version (newest is {latest.version}); add fields with defaults only"
        return SubjectPlan(subject, SchemaState.INCOMPATIBLE, detail)

    def _register(self, subject: str, schema: Schema) -> None:
        try:
            self._registry.register_schema(subject, schema)
            self._registry.set_config(subject, ServerConfig(compatibility=COMPATIBILITY))
        except SchemaRegistryError as error:
            if error.http_status_code == 409:
                raise FatalError("schema_incompatible", f"registering {subject}: {error.error_message}") from error
            raise _unavailable(subject, error) from error
        except (HTTPError, OSError) as error:
            raise _unavailable(subject, error) from error


def _unavailable(subject: str, error: Exception) -> RetryableError:
    return RetryableError("registry_unavailable", f"reading {subject}: {error}")
