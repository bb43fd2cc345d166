"""Procedures and management views that are answered by the server itself, not by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from psycopg.sql import Identifier

from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.results import Result
from sandbox.sqlserver.tds.types import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sqlserver.capture_job import CaptureJob
    from sandbox.sqlserver.catalog import Catalog
    from sandbox.sqlserver.engine import Engine


class ProcedureHost(Protocol):
    """What the procedures need of the server."""

    capture_job: CaptureJob
    catalog: Catalog

    def add_login(self, name: str, password: str) -> None:
        """Remember a login."""


async def run(host: ProcedureHost, name: str, arguments: Mapping[str, Any], engine: Engine) -> list[Result] | None:
    """Run procedure `name` (lower case, without schema); None when it is not one of these."""
    match name:
        case "sp_cdc_scan":
            await host.capture_job.scan_now()
            return [Result()]
        case "sp_cdc_start_job" | "sp_cdc_stop_job":
            await _steer_job(host, name, arguments, engine)
            return [Result()]
        case "sp_cdc_add_job" | "sp_cdc_drop_job":
            return [Result()]
        case "sp_rename":
            return [await _rename(host, arguments, engine)]
        case "sp_addrolemember":
            role, member = _argument(arguments, "rolename", 0), _argument(arguments, "membername", 1)
            return [result async for result in engine.execute(f"ALTER ROLE [{role}] ADD MEMBER [{member}]", {})]
        case "sp_datatype_info" | "sp_datatype_info_100":
            return [_type_information(int(_argument(arguments, "data_type", 0) or 0))]
        case "sp_describe_undeclared_parameters":
            # The driver then binds a NULL without asking for its type.
            raise SqlError(11526, "The metadata could not be determined because the statement was not analysed.")
        case "sp_reset_connection":
            await engine.rollback()
            return [Result()]
    return None


async def _steer_job(host: ProcedureHost, name: str, arguments: Mapping[str, Any], engine: Engine) -> None:
    """Start or stop a job, as db_owner alone may. Raises 22904, and 22022 for a job that is not running."""
    owner = [result async for result in engine.execute("SELECT IS_ROLEMEMBER(N'db_owner')", {})]
    if not owner[0].rows[0][0]:
        raise SqlError(22904, "Caller is not authorized to initiate the requested action. DBO privileges are required.")
    if str(_argument(arguments, "job_type", 0) or "capture").lower() != "capture":
        return  # cleanup runs when a test asks for it
    if name == "sp_cdc_start_job":
        await host.capture_job.start()
    elif host.capture_job.running:
        await host.capture_job.stop()
    else:
        raise SqlError(22022, "SQLServerAgent Error: Request to stop job refused because the job is not running.")


def _argument(arguments: Mapping[str, Any], name: str, place: int) -> Any:
    return arguments.get(name, arguments.get(str(place)))


async def _rename(host: ProcedureHost, arguments: Mapping[str, Any], engine: Engine) -> Result:
    """`sp_rename 'dbo.T.COLUMN', 'NEW', 'COLUMN'` or `sp_rename 'dbo.T', 'NEW'`."""
    parts = str(_argument(arguments, "objname", 0)).replace("[", "").replace("]", "").split(".")
    is_column = str(_argument(arguments, "objtype", 2) or "").upper() == "COLUMN"
    column = parts.pop() if is_column else ""
    schema, table = ("dbo", *parts)[-2:]
    relation = host.catalog.relation(schema, table)
    if relation is None or (is_column and column.lower() not in relation.columns):
        raise SqlError(15225, f"No item by the name of '{_argument(arguments, 'objname', 0)}' could be found.")
    new = Identifier(str(_argument(arguments, "newname", 1))).as_string()
    target = Identifier(relation.schema, relation.name).as_string()
    old = Identifier(relation.columns[column.lower()].name).as_string() if is_column else ""
    action = f"RENAME COLUMN {old} TO {new}" if is_column else f"RENAME TO {new}"
    await engine.define(f"ALTER TABLE {target} {action}", "EXEC sp_rename")
    return Result()


# ODBC type code -> name and precision: what drivers ask before they bind a parameter.
_ODBC_TYPES = {
    12: ("varchar", 8000),
    -9: ("nvarchar", 4000),
    -3: ("varbinary", 8000),
    93: ("datetime2", 27),
    -5: ("bigint", 19),
    -11: ("uniqueidentifier", 36),
}
_TYPE_COLUMNS = (
    "TYPE_NAME:nvarchar DATA_TYPE:smallint PRECISION:int LITERAL_PREFIX:nvarchar LITERAL_SUFFIX:nvarchar "
    "CREATE_PARAMS:nvarchar NULLABLE:smallint CASE_SENSITIVE:smallint SEARCHABLE:smallint UNSIGNED_ATTRIBUTE:smallint "
    "MONEY:smallint AUTO_INCREMENT:smallint LOCAL_TYPE_NAME:nvarchar MINIMUM_SCALE:smallint MAXIMUM_SCALE:smallint "
    "SQL_DATA_TYPE:smallint SQL_DATETIME_SUB:smallint NUM_PREC_RADIX:int INTERVAL_PRECISION:smallint USERTYPE:smallint"
)


def _type_information(code: int) -> Result:
    name, precision = _ODBC_TYPES.get(code, ("int", 10))
    pairs = [item.split(":") for item in _TYPE_COLUMNS.split()]
    columns = [Column(title, kind, 128 if kind == "nvarchar" else 0) for title, kind in pairs]
    row = (name, code, precision, None, None, None, 1, 0, 3, None, 0, None, name, None, None, code, None, None, None, 0)
    return Result("select", columns, [row], 1)
