"""`freshax schemas`: compares this release's schemas with the registry, and registers what is new.

Compatibility is BACKWARD_TRANSITIVE per subject: a consumer of this release reads every version ever written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.common.schema_registry_client import ConfigCompatibilityLevel
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import HTTPError

from schemas import avro
from schemas.failures import FatalError, RetryableError
from schemas.topics import Topic

T = TypeVar("T")
COMPATIBILITY = ConfigCompatibilityLevel.BACKWARD_TRANSITIVE


class SchemaState(StrEnum):
    """How a subject stands to this release."""

    REGISTERED = "registered"
    NEW_SUBJECT = "new subject"
    NOT_DERIVED = "not derived"
    NEW_VERSION = "new version"
    INCOMPATIBLE = "incompatible"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SubjectPlan:
    """One line of the plan."""

    subject: str
    state: SchemaState
    detail: str


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a subject as the registry has it."""

    version: int
    schema_id: int
    schema: dict[str, Any]


class Subjects:
    """The registered versions of subjects whose schemas are derived. Raises RetryableError (registry_unavailable)."""

    def __init__(self, registry: SchemaRegistryClient) -> None:
        self._registry = registry

    def newest(self, subject: str) -> RegisteredVersion | None:
        """The newest version, None when the subject is not there."""
        found = _found(subject, lambda: self._registry.get_latest_version(subject))
        return None if found is None else _version(found)

    def earlier(self, subject: str) -> list[RegisteredVersion]:
        """All versions, newest first."""
        numbers = _found(subject, lambda: self._registry.get_versions(subject)) or []
        found = [_found(subject, lambda n=n: self._registry.get_version(subject, n)) for n in sorted(numbers)]  # type: ignore[misc]
        return [_version(item) for item in reversed(found) if item is not None]

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """Register a version and return its id; the id that it has when it is there already.

        Raises: FatalError (schema_incompatible) when the registry refuses it.
        """
        text = Schema(json.dumps(schema, separators=(",", ":"), ensure_ascii=False), "AVRO")
        return _register(self._registry, subject, text)


def require_applicable(plans: Sequence[SubjectPlan]) -> None:
    """Raise FatalError (schema_incompatible) when a plan cannot be carried out as a whole."""
    wrong = (SchemaState.INCOMPATIBLE, SchemaState.REFUSED)
    refused = [f"{plan.subject}: {plan.detail}" for plan in plans if plan.state in wrong]
    if refused:
        raise FatalError("schema_incompatible", "applying schemas: " + "; ".join(refused))


class SchemaAdmin:
    """Reads and writes the registry."""

    def __init__(self, registry: SchemaRegistryClient) -> None:
        self._registry = registry

    def plan(self, topics: Sequence[Topic]) -> list[SubjectPlan]:
        """How each subject stands. Raises RetryableError (registry_unavailable)."""
        return [self._plan_one(topic) for topic in topics if topic.subject is not None]

    def apply(self, topics: Sequence[Topic]) -> list[SubjectPlan]:
        """Register what is new. Raises FatalError when a schema is incompatible; nothing is registered then."""
        plans = self.plan(topics)
        require_applicable(plans)
        by_subject = {topic.subject: topic for topic in topics}
        for planned in plans:
            topic = by_subject[planned.subject]
            if planned.state is SchemaState.REGISTERED or topic.schema is None:
                continue
            _register(self._registry, planned.subject, Schema(avro.text(topic.schema), "AVRO"))
        return plans

    def _plan_one(self, topic: Topic) -> SubjectPlan:
        subject = topic.subject or ""
        if topic.schema is None:
            return self._plan_derived(subject)
        schema = Schema(avro.text(topic.schema), "AVRO")
        found = _found(subject, lambda: self._registry.lookup_schema(subject, schema))
        if found is not None:
            return SubjectPlan(subject, SchemaState.REGISTERED, f"version {found.version}, id {found.schema_id}")
        latest = _found(subject, lambda: self._registry.get_latest_version(subject))
        if latest is None:
            return SubjectPlan(subject, SchemaState.NEW_SUBJECT, topic.doc)
        if _found(subject, lambda: self._registry.test_compatibility(subject, schema)):
            return SubjectPlan(subject, SchemaState.NEW_VERSION, f"after version {latest.version}")
        detail = f"does not read every earlier version (newest is {latest.version}); add fields with defaults only"
        return SubjectPlan(subject, SchemaState.INCOMPATIBLE, detail)

    def _plan_derived(self, subject: str) -> SubjectPlan:
        latest = _found(subject, lambda: self._registry.get_latest_version(subject))
        if latest is None:
            return SubjectPlan(
                subject, SchemaState.NOT_DERIVED, "made from AX's catalog: --from-catalog, or the capture"
            )
        return SubjectPlan(subject, SchemaState.REGISTERED, f"version {latest.version}, id {latest.schema_id}")


def _found(subject: str, ask: Callable[[], T]) -> T | None:
    """What the registry answers, None when there is no such thing."""
    try:
        return ask()
    except SchemaRegistryError as error:
        if error.http_status_code == 404:
            return None
        raise _unavailable(subject, error) from error
    except (HTTPError, OSError) as error:
        raise _unavailable(subject, error) from error


def _register(registry: SchemaRegistryClient, subject: str, schema: Schema) -> int:
    try:
        schema_id = registry.register_schema(subject, schema)
        registry.set_config(subject, ServerConfig(compatibility=COMPATIBILITY))
    except SchemaRegistryError as error:
        if error.http_status_code == 409:
            raise FatalError("schema_incompatible", f"registering {subject}: {error.error_message}") from error
        raise _unavailable(subject, error) from error
    except (HTTPError, OSError) as error:
        raise _unavailable(subject, error) from error
    return schema_id


def _version(found: RegisteredSchema) -> RegisteredVersion:
    text = found.schema.schema_str if found.schema else None
    if found.version is None or found.schema_id is None or text is None:
        raise RetryableError(
            "registry_unavailable", f"reading {found.subject}: the answer has no version, id or schema"
        )
    return RegisteredVersion(found.version, found.schema_id, json.loads(text))


def _unavailable(subject: str, error: Exception) -> RetryableError:
    return RetryableError("registry_unavailable", f"reading {subject}: {error}")
