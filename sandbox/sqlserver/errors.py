"""SQL Server's error numbers, and the table that turns PostgreSQL's SQLSTATEs into them.

A reader classifies by number (deadlock 1205, range invalid 313, no rights 229 ...), so the number is what has to be
right; texts follow Microsoft's wording where a client shows them to people.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

# SQLSTATE used by the stand-in's own PL/pgSQL (`sys.raise_error`): the number travels in DETAIL.
NUMBERED_SQLSTATE = "TSQL1"

# SQLSTATE -> (number, severity). Severity matters to drivers: FreeTDS and Microsoft's map from it.
_BY_SQLSTATE: dict[str, tuple[int, int]] = {
    "22001": (2628, 16),  # string or binary data would be truncated
    "22003": (8115, 16),  # arithmetic overflow
    "22007": (241, 16),  # conversion failed, character string to date
    "22008": (242, 16),  # out-of-range datetime
    "22012": (8134, 16),  # divide by zero
    "22P02": (245, 16),  # conversion failed, character string to number
    "23502": (515, 16),  # NULL into NOT NULL
    "23503": (547, 16),  # foreign key
    "23505": (2627, 14),  # duplicate key
    "23514": (547, 16),  # check constraint
    "25006": (3906, 16),  # read-only database
    "3D000": (911, 16),
    "3F000": (2760, 16),
    "40001": (3960, 16),  # snapshot isolation update conflict
    "40P01": (1205, 13),  # deadlock victim
    "42501": (229, 14),
    "42601": (102, 15),
    "42701": (2705, 16),  # duplicate column
    "42702": (209, 16),  # ambiguous column
    "42703": (207, 16),
    "42704": (15151, 16),
    "42710": (2714, 16),
    "42803": (8120, 16),
    "42804": (206, 16),  # operand type clash
    "42846": (529, 16),
    "42883": (195, 15),  # not a recognised function
    "42P01": (208, 16),
    "42P07": (2714, 16),  # object exists already
    "53300": (17809, 20),
    "55P03": (1222, 16),  # lock timeout
    "57014": (3617, 16),  # attention
    "57P01": (596, 21),  # session killed
}

_SERVER_VIEWS = ("dm_server_services", "dm_exec_connections")
_DEADLOCK = (
    "Transaction (Process ID {spid}) was deadlocked on lock resources with another process and has been chosen as "
    "the deadlock victim. Rerun the transaction."
)


class SqlError(Exception):
    """An error token to be sent to the client.

    `number` and `severity` are SQL Server's. `ends_transaction` is true when the engine has rolled back
    (1205, 3960): the client must start the whole transaction again.
    """

    def __init__(self, number: int, message: str, severity: int = 16, state: int = 1) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.severity = severity
        self.state = state

    @property
    def ends_transaction(self) -> bool:
        """True when SQL Server has rolled the whole transaction back along with the statement."""
        return self.number in (1205, 3960)


class ConnectionKilledError(Exception):
    """The session has to vanish without a word (a fault was asked for)."""


def from_postgres(error: psycopg.Error, spid: int) -> SqlError:
    """Return the SQL Server error for `error`.

    Unknown SQLSTATEs become 50000, SQL Server's number for errors without one, with PostgreSQL's text.
    """
    diagnostics = error.diag
    state = error.sqlstate or ""
    text = diagnostics.message_primary or str(error)
    if state == NUMBERED_SQLSTATE and diagnostics.message_detail:
        number = int(diagnostics.message_detail)
        return SqlError(number, text, 14 if number in (229, 230, 18456) else 16)
    if state == "23514" and (diagnostics.constraint_name or "").startswith("utf16_"):
        return SqlError(2628, f"String or binary data would be truncated in table '{_table(error)}'.")
    if state == "23514" and (diagnostics.constraint_name or "").startswith("max_text_repl_size_"):
        return SqlError(7139, "Length of LOB data to be replicated exceeds configured maximum 65536.")
    if state == "42501" and (view := re.search(r"\bdm_\w+", text)):
        return _state_denied(view[0])
    number, severity = _BY_SQLSTATE.get(state, (50000, 16))
    return SqlError(number, _wording(number, text, error, spid), severity)


def _state_denied(view: str) -> SqlError:
    """A management view without its right: numbers of their own, one for the server's and one for the database's."""
    if view in _SERVER_VIEWS:
        return SqlError(300, "VIEW SERVER STATE permission was denied on object 'server', database 'master'.", 14)
    return SqlError(262, "VIEW DATABASE STATE permission denied in the database.", 14)


def _table(error: psycopg.Error) -> str:
    schema, table = error.diag.schema_name, error.diag.table_name
    return f"{schema}.{table}" if schema and table else str(table or "?")


def _wording(number: int, text: str, error: psycopg.Error, spid: int) -> str:
    """Microsoft's sentence for the errors a person reads; PostgreSQL's own text for the rest."""
    quoted = re.search(r'"([^"]*)"', text)
    name = quoted[1] if quoted else ""
    diagnostics = error.diag
    match number:
        case 208:
            return f"Invalid object name '{name}'."
        case 207:
            column = name or text.removeprefix("column ").removesuffix(" does not exist")
            return f"Invalid column name '{column.rsplit('.', 1)[-1]}'."
        case 1205:
            return _DEADLOCK.format(spid=spid)
        case 3960:
            return (
                "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to "
                "access this table directly or indirectly to update, delete, or insert the row that has been modified "
                "or deleted by another transaction. Retry the transaction."
            )
        case 2627:
            values = re.search(r"=\((.*)\) already exists", diagnostics.message_detail or "")
            return (
                f"Violation of PRIMARY KEY or UNIQUE KEY constraint '{diagnostics.constraint_name}'. "  # noqa: S608
                f"Cannot insert duplicate key in object '{_table(error)}'. "
                f"The duplicate key value is ({values[1] if values else ''})."
            )
        case 515:
            return (
                f"Cannot insert the value NULL into column '{diagnostics.column_name}', table '{_table(error)}'; "
                "column does not allow nulls."
            )
        case 229:
            return f"The SELECT permission was denied on the object '{text.rsplit(' ', 1)[-1]}'."
        case 1222:
            return "Lock request time out period exceeded."
        case _:
            return text
