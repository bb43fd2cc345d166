"""`freshax schemas plan|apply --from-catalog`: the schemas of the captured tables as AX's catalog asks for them.

What the capture does by itself when `capture.register_schemas` is on, as a step of a deployment.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.schema_registry import SchemaRegistryClient

from connectors.ax.catalog import CaptureInstance, captured_columns, instances_of, read_instances
from connectors.ax.source_tables import SourceTable, source_tables
from connectors.ax.sql import SqlConnection
from connectors.ax.table_schema import CapturedColumn, Evolved, Refused, Schema, evolve
from schemas import avro
from schemas.failures import FatalError
from streams.runtime.schema_admin import SchemaState, SubjectPlan, Subjects
from streams.runtime.settings import Settings


class CatalogSchemas:
    """The plan, made at once; `register` carries it out.

    Raises: FatalError when a table has no capture instance or the login is refused; RetryableError when SQL Server or
    the registry is away.
    """

    def __init__(self, settings: Settings, registry: SchemaRegistryClient) -> None:
        self._subjects = Subjects(registry)
        self._versions: list[tuple[str, Schema]] = []
        with SqlConnection(settings.ax_sql) as connection:
            instances = read_instances(connection)
            self.plans = [self._plan(connection, table, instances) for table in source_tables(settings.capture.tables)]

    def register(self) -> None:
        """Register the new versions, in order."""
        for subject, schema in self._versions:
            self._subjects.register(subject, schema)

    def _plan(self, connection: SqlConnection, table: SourceTable, instances: Sequence[CaptureInstance]) -> SubjectPlan:
        """A table's line. Older instances first: what only they have is published until they are read to their end."""
        subject = table.topic.subject or ""
        registered = self._subjects.newest(subject)
        columns = [captured_columns(connection, found) for found in instances_of(table, instances)]
        base = registered.schema if registered is not None else None
        shipped = avro.load(table.topic.schema) if table.topic.schema is not None else None
        try:
            versions = new_versions(base, shipped, table.name, columns)
        except ValueError as error:
            raise FatalError("cdc_shape", f"reading {subject}: it is {error}") from error
        if isinstance(versions, Refused):
            return SubjectPlan(subject, SchemaState.REFUSED, "; ".join(versions.reasons))
        self._versions += [(subject, version.schema) for version in versions]
        added = [name for version in versions for name in version.added]
        if registered is None:
            return SubjectPlan(subject, SchemaState.NEW_SUBJECT, f"{len(columns[-1])} columns of {table.full_name}")
        if versions:
            return SubjectPlan(subject, SchemaState.NEW_VERSION, f"after {registered.version}: {', '.join(added)}")
        return SubjectPlan(subject, SchemaState.REGISTERED, f"version {registered.version}, id {registered.schema_id}")


def new_versions(
    base: Schema | None, shipped: Schema | None, table: str, instances: Sequence[Sequence[CapturedColumn]]
) -> list[Evolved] | Refused:
    """The versions to register behind `base` so that each of `instances` (oldest first) can be published. Pure.

    `shipped` is the first one where nothing is registered. An older instance that lacks columns of the base is passed
    over: it is read with the version that was made for it.
    """
    versions: list[Evolved] = []
    if base is None and shipped is not None:
        versions.append(Evolved(shipped, ()))
        base = shipped
    for number, columns in enumerate(instances, 1):
        found = evolve(base, table, columns)
        if isinstance(found, Refused):
            if number == len(instances):
                return found
            continue
        if base is None or found.added:
            versions.append(found)
        base = found.schema
    return versions
