"""The one use of a table variable that a driver makes: mssql-jdbc fills one from a procedure and selects from it.

`DECLARE @t TABLE(...); INSERT INTO @t EXEC p a, b; SELECT ... FROM @t` reads the same as a select from the function
that stands for the procedure here. Its metadata query (`DatabaseMetaData.getColumns`, which Debezium asks of every
table) has this form; its words are those of mssql-jdbc 12.4. Other table variables are not simulated. Pure.
"""

from __future__ import annotations

import re

_FILLED_ONCE = re.compile(
    r"\s*DECLARE\s+(?P<name>@\w+)\s+TABLE\s*\(.*?\)\s*;"
    r"\s*INSERT\s+INTO\s+(?P=name)\s+EXEC\s+(?P<procedure>\w+)\s+(?P<arguments>[^;]*);"
    r"\s*(?P<select>SELECT\s[^;]*\sFROM\s+)(?P=name)(?P<rest>\b[^;]*);?\s*",
    re.IGNORECASE | re.DOTALL,
)
# '' is 0 to a number in T-SQL, and an error to PostgreSQL; it stands behind WHEN 0, so it never decides.
_DEAD_BRANCH = re.compile(
    r"(CASE\s+\w+\s+WHEN\s+0\s+THEN\s+'\w*'\s+WHEN\s+1\s+THEN\s+'\w*')\s+WHEN\s+''\s+THEN\s+''", re.I
)


def without_table_variable(batch: str) -> str:
    """Return `batch`; if it is of that form, the select alone, from the function."""
    match = _FILLED_ONCE.fullmatch(batch)
    if match is None:
        return batch
    select = _DEAD_BRANCH.sub(r"\1", match["select"])
    return f"{select}sys.{match['procedure']}({match['arguments'].strip()}) AS filled{match['rest']}"
