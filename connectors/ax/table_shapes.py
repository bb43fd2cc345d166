"""Which schema the rows of a capture instance are written with; a new one is registered where the catalog has more.

    the instance has                              is written with
    the columns of the newest version             that version
    more                                          a version evolved from it, registered first
    less, and a newer instance waits              the newest version that it fills: it was made before the columns came
    less, or a type that a field cannot carry     nothing: FatalError

Without that third line a restart in the middle of a switch could not read the old instance to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from connectors.ax.catalog import CaptureInstance, captured_columns, instances_of, read_instances
from connectors.ax.source_tables import SourceTable, TableShape, shape_of
from connectors.ax.sql import SqlConnection
from connectors.ax.table_schema import CapturedColumn, Evolved, Refused, Schema, evolve, fits
from schemas import avro
from schemas.failures import FatalError
from streams.runtime.schema_admin import RegisteredVersion, Subjects

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    captured: tuple[CapturedColumn, ...]
    shape: TableShape


class TableShapes:
    """Compares capture instances with registered schemas. `register`: register an evolved schema, else refuse it."""

    def __init__(self, subjects: Subjects, *, register: bool) -> None:
        self._subjects = subjects
        self._register = register
        self._known: dict[tuple[str, int], _Known] = {}

    def of(self, control: SqlConnection, table: SourceTable, instance: CaptureInstance) -> TableShape:
        """The shape in which `instance` of `table` is read and written. Cheap while its columns stay as they are.

        Raises: FatalError (cdc_shape) naming the columns that cannot be published, (schema_behind) when the registered
        schema lacks columns and we may not register, (cdc_instance_gone); RetryableError when the registry is away.
        """
        captured = captured_columns(control, instance)
        key = table.topic.name, instance.object_id
        known = self._known.get(key)
        if known is None or known.captured != captured:
            known = self._known[key] = _Known(captured, self._find(control, table, instance, captured))
        return known.shape

    def _find(
        self,
        control: SqlConnection,
        table: SourceTable,
        instance: CaptureInstance,
        captured: tuple[CapturedColumn, ...],
    ) -> TableShape:
        subject = table.topic.subject or ""
        newest = self._subjects.newest(subject) or self._begin(table)
        action = f"comparing {instance.name} with the schema of {table.topic.name}"
        found = evolved(table, newest, captured, action)
        if isinstance(found, Refused):
            earlier = self._earlier(control, table, instance, captured)
            if earlier is None:
                raise refusal(found, action)
            return shape_of(table, earlier.schema, earlier.schema_id, captured)
        if newest is not None and not found.added:
            return shape_of(table, newest.schema, newest.schema_id, captured)
        if not self._register:
            raise FatalError(
                "schema_behind",
                f"{action}: {_added(found)} not registered, and capture.register_schemas is off; "
                "run `freshax schemas apply --from-catalog`",
            )
        schema_id = self._subjects.register(subject, found.schema)
        _log.info("schema registered", subject=subject, schema_id=schema_id, added=list(found.added))
        return shape_of(table, found.schema, schema_id, captured)

    def _begin(self, table: SourceTable) -> RegisteredVersion | None:
        """Register the shipped schema of a table that has one: this release's readers look it up."""
        if table.topic.schema is None or not self._register:
            return None
        schema = avro.load(table.topic.schema)
        return RegisteredVersion(1, self._subjects.register(table.topic.subject or "", schema), schema)

    def _earlier(
        self,
        control: SqlConnection,
        table: SourceTable,
        instance: CaptureInstance,
        captured: tuple[CapturedColumn, ...],
    ) -> RegisteredVersion | None:
        """The newest version that an instance fills which a newer one replaces; None when it is itself the newest."""
        if instances_of(table, read_instances(control))[-1].object_id == instance.object_id:
            return None
        versions = self._subjects.earlier(table.topic.subject or "")
        return next((version for version in versions if fits(version.schema, captured)), None)


def evolved(
    table: SourceTable, newest: RegisteredVersion | None, captured: tuple[CapturedColumn, ...], action: str
) -> Evolved | Refused:
    """`evolve` from the newest version, else from the shipped schema, else from nothing.

    Raises: FatalError (cdc_shape) when the subject holds something that is no envelope of ours.
    """
    base: Schema | None = None
    if newest is not None:
        base = newest.schema
    elif table.topic.schema is not None:
        base = avro.load(table.topic.schema)
    try:
        return evolve(base, table.name, captured)
    except ValueError as error:
        raise FatalError("cdc_shape", f"{action}: {table.topic.subject} is {error}") from error


def refusal(refused: Refused, action: str) -> FatalError:
    """What stops a capture before anything wrong is published."""
    return FatalError(
        "cdc_shape",
        f"{action}: {'; '.join(refused.reasons)}. Put back what is missing in a second capture instance; or begin the "
        "feed anew: delete its topic and subject, then `freshax topics apply`, `freshax schemas apply --from-catalog`",
    )


def _added(found: Evolved) -> str:
    return f"columns {', '.join(found.added)} are" if found.added else "it is"
