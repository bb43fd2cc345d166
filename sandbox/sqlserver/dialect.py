"""T-SQL's types, functions and table definitions in PostgreSQL's words: the rewrites of single syntax nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.lexer import words

if TYPE_CHECKING:
    from collections.abc import Callable

_T = exp.DataType.Type
_PLAIN = {
    _T.BIT: "boolean",
    _T.TINYINT: "smallint",
    _T.UTINYINT: "smallint",
    _T.SMALLINT: "smallint",
    _T.INT: "int",
    _T.BIGINT: "bigint",
    _T.DATETIME: "sys.datetime",
    _T.SMALLDATETIME: "sys.datetime",
    _T.UUID: "uuid",
    _T.DATE: "date",
    _T.MONEY: "numeric(19, 4)",
    _T.SMALLMONEY: "numeric(10, 4)",
    _T.FLOAT: "double precision",
    _T.DOUBLE: "double precision",
    _T.TEXT: "text",
    _T.XML: "text",
    _T.IMAGE: "bytea",
    _T.ROWVERSION: 'sys."binary"(8)',
}
# Types that the parser knows by name only. hierarchyid stands for those of the CLR: it is declared, and holds text.
_NAMED = {"standin_ntext": "text", "hierarchyid": "text", "sysname": "varchar(128)"}
# float(1) to float(24) is another type.
_REAL_DIGITS = 24
# PostgreSQL keeps microseconds: the seventh digit of datetime2(7) is lost.
_MICROSECONDS = 6


def type_name(node: exp.DataType) -> str:
    """Return PostgreSQL's spelling of a T-SQL type; raises 40000 for types that are not simulated."""
    kind = node.this
    sizes = [str(parameter.name).upper() for parameter in node.expressions]
    if kind == _T.FLOAT and sizes and int(sizes[0]) <= _REAL_DIGITS:
        return "real"
    if kind in _PLAIN:
        return _PLAIN[kind]
    if declared_name(node) in _NAMED:
        return _NAMED[declared_name(node)]
    if kind in (_T.NVARCHAR, _T.VARCHAR, _T.NCHAR, _T.CHAR, _T.NAME):
        if sizes == ["MAX"]:
            return "text"
        return f"varchar({sizes[0] if sizes else (128 if kind == _T.NAME else 30)})"
    if kind in (_T.VARBINARY, _T.BINARY):
        if sizes == ["MAX"]:
            return "bytea"
        name = "sys.varbinary" if kind == _T.VARBINARY else 'sys."binary"'
        return f"{name}({sizes[0] if sizes else 30})"
    if kind == _T.DECIMAL:
        return f"numeric({', '.join(sizes)})" if sizes else "numeric(18, 0)"
    if kind in (_T.DATETIME2, _T.TIMESTAMP, _T.TIMESTAMPTZ, _T.TIME):
        digits = min(int(sizes[0]), _MICROSECONDS) if sizes else _MICROSECONDS
        base = {_T.TIME: "time", _T.TIMESTAMPTZ: "timestamptz"}.get(kind, "timestamp")
        return f"{base}({digits})"
    raise SqlError(40000, f"The type {node.sql(dialect='tsql')} is not simulated.")


_DECLARED = {
    _T.UTINYINT: "tinyint",
    _T.UUID: "uniqueidentifier",
    _T.DECIMAL: "numeric",
    _T.ROWVERSION: "timestamp",
    _T.TIMESTAMPTZ: "datetimeoffset",
    _T.VARIANT: "sql_variant",
    _T.DOUBLE: "float",
}
_SIZES = {"numeric": "18,0", "datetime2": "7", "time": "7", "datetimeoffset": "7"}
_RENAMED = {"standin_ntext": "ntext", "sysname": "nvarchar(128)"}
_SIZED = ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary")


def declared_name(node: exp.DataType) -> str:
    """SQL Server's name of a type as it was written."""
    if node.this == _T.USERDEFINED:
        return str(node.args.get("kind", "")).lower()
    return _DECLARED.get(node.this, str(node.this.value).lower())


def declared(node: exp.DataType) -> str:
    """A type as sys.columns tells it: `nvarchar(20)`, `datetime2(7)`, with the sizes that were left out."""
    name = declared_name(node)
    sizes = ",".join(str(parameter.name).lower() for parameter in node.expressions)
    if name == "float":
        return "real" if sizes and int(sizes) <= _REAL_DIGITS else "float"
    if name in _RENAMED:
        return _RENAMED[name]
    if name == "numeric" and sizes and "," not in sizes:
        sizes += ",0"
    sizes = sizes or _SIZES.get(name, "1" if name in _SIZED else "")
    return f"{name}({sizes})" if sizes else name


def readable(text: str) -> str:
    """Return `text` without what sqlglot misreads.

    SUSER_SNAME() would become CURRENT_USER; CLUSTERED and NONCLUSTERED mean nothing here and are not parsed everywhere.
    """
    text = re.sub(r"\bSUSER_S?NAME\s*\(\s*\)", "LOGIN_NAME()", text, flags=re.IGNORECASE)
    head = text.lstrip()[:6].upper()
    if head == "DELETE":
        return _output_last(text)
    if head not in ("CREATE", "ALTER "):
        return text
    for word in reversed(words(text)):
        if word.upper in _MISREAD:
            text = text[: word.start] + _MISREAD[word.upper] + text[word.end :]
    return text


# What sqlglot does not parse everywhere, or takes for another type.
_MISREAD = {"CLUSTERED": "", "NONCLUSTERED": "", "REAL": "FLOAT(24)", "NTEXT": "standin_ntext"}


def _output_last(text: str) -> str:
    """Move the OUTPUT clause of a DELETE to its end, where sqlglot looks for it."""
    start = -1
    for word in words(text):
        if word.depth == 0 and word.upper == "OUTPUT":
            start = word.start
        elif word.depth == 0 and word.upper == "WHERE" and start >= 0:
            return f"{text[:start]}{text[word.start :].rstrip(' ;')} {text[start : word.start]}"
    return text


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=exp.to_identifier(name, quoted=True), expressions=list(arguments))


def _typed(node: exp.DataType) -> exp.DataType:
    return exp.DataType(this=_T.USERDEFINED, kind=type_name(node), declared=declared(node))


def _data_type(node: exp.Expression) -> exp.Expression:
    if not isinstance(node, exp.DataType) or (node.this == _T.USERDEFINED and declared_name(node) not in _NAMED):
        return node
    return _typed(node)


def _kind(node: exp.DataType) -> str:
    """PostgreSQL's name of a type that has been rewritten."""
    return str(node.args.get("kind", ""))


def _convert(node: exp.Expression) -> exp.Expression:
    target, value, style = node.this, node.expression, node.args.get("style")
    kind = _kind(target)
    if node.args.get("safe"):
        value = _call("try_cast", exp.cast(value, "text"), exp.Literal.string(kind))
    elif style is not None and kind.startswith(("varchar", "text")):
        value = _call("convert_text", value, style)
    elif style is not None and kind.startswith(("sys.", "bytea")) and kind != "sys.datetime":
        value = _call("convert_binary", value, style)
    return exp.Cast(this=value, to=target)


def _try_cast(node: exp.Expression) -> exp.Expression:
    target = node.args["to"]
    return exp.Cast(this=_call("try_cast", exp.cast(node.this, "text"), exp.Literal.string(_kind(target))), to=target)


def _instant(node: exp.Expression) -> exp.Expression:
    """Undo the wrapper that sqlglot puts around the operands of date functions."""
    return node.this if isinstance(node, (exp.TimeStrToTime, exp.TsOrDsToDate)) else node


def _date_difference(node: exp.Expression) -> exp.Expression:
    unit = exp.Literal.string(node.text("unit"))
    call = _call("date_difference", unit, _instant(node.expression), _instant(node.this))
    return call if node.args.get("big_int") else exp.Cast(this=call, to=exp.DataType.build("int"))


def _date_add(node: exp.Expression) -> exp.Expression:
    return _call("date_add", exp.Literal.string(node.text("unit")), node.expression, _instant(node.this))


def _extract(node: exp.Expression) -> exp.Expression:
    unit = node.name.lower()
    # sqlglot reads DATEPART(tzoffset, ...) as a Snowflake-like field name.
    return _call(
        "date_part_number", exp.Literal.string("tzoffset" if unit == "timezone_minute" else unit), node.expression
    )


def _whole_year(part: str) -> Callable[[exp.Expression], exp.Expression]:
    return lambda node: _call("date_part_number", exp.Literal.string(part), _instant(node.this))


def _count(node: exp.Expression) -> exp.Expression:
    """COUNT is int, COUNT_BIG is bigint."""
    if node.args.get("big_int") or isinstance(node.parent, (exp.Cast, exp.Window)):
        return node
    return exp.Cast(this=node.copy(), to=exp.DataType.build("int"))


def _like(node: exp.Expression) -> exp.Expression:
    """PostgreSQL has no LIKE on a case-insensitive collation: compare bytes, without regard to case."""
    binary = exp.Collate(this=exp.Paren(this=node.this), expression=exp.to_identifier("C", quoted=True))
    return exp.ILike(this=binary, expression=node.expression)


def _replace(node: exp.Expression) -> exp.Expression:
    node.set("this", exp.Collate(this=exp.Paren(this=node.this), expression=exp.to_identifier("C", quoted=True)))
    return node


def _length(node: exp.Expression) -> exp.Expression:
    inner = node.this
    if isinstance(inner, exp.Cast) and _kind(inner.to) == "text":
        inner = inner.this  # sqlglot's own, which would count the blanks at the end
    return _call("len", inner)


def _position(node: exp.Expression) -> exp.Expression:
    start = node.args.get("position")
    return _call("char_index", node.args["substr"], node.this, *([start] if start else []))


def _is_text(node: exp.Expression) -> bool:
    if isinstance(node, exp.Paren):
        return _is_text(node.this)
    if isinstance(node, (exp.Add, exp.DPipe)):
        return _is_text(node.this) or _is_text(node.expression)
    if isinstance(node, exp.Cast):
        return _kind(node.to).startswith(("varchar", "text"))
    return isinstance(node, exp.National) or (isinstance(node, exp.Literal) and node.is_string)


def _add(node: exp.Expression) -> exp.Expression:
    if _is_text(node):
        return exp.DPipe(this=node.this, expression=node.expression)
    return node


def _hex(node: exp.Expression) -> exp.Expression:
    digits = node.name
    return exp.Var(this=f"'\\x{digits.zfill(len(digits) + len(digits) % 2)}'::bytea")


def _collate(node: exp.Expression) -> exp.Expression:
    """A `_BIN` collation compares bytes, everything else here is the one case-insensitive collation."""
    binary = "_BIN" in node.expression.name.upper()
    target = exp.to_identifier("C", quoted=True) if binary else exp.Var(this="sys.ci_as")
    return exp.Collate(this=node.this, expression=target)


def _coalesce(node: exp.Expression) -> exp.Expression:
    return exp.Coalesce(this=node.this, expressions=node.expressions)


REWRITES: dict[type[exp.Expression], Callable[[exp.Expression], exp.Expression]] = {
    exp.National: lambda node: exp.Literal.string(node.name),
    exp.HexString: _hex,
    exp.DataType: _data_type,
    exp.Convert: _convert,
    exp.TryCast: _try_cast,
    exp.CurrentTimestamp: lambda _: _call("getdate"),
    exp.CurrentTimestampLTZ: lambda _: _call("sysdatetimeoffset"),
    exp.CurrentUser: lambda _: _call("user_name"),
    exp.ObjectId: lambda node: _call("object_id", node.this, *([e] if (e := node.args.get("expression")) else [])),
    exp.Uuid: lambda _: _call("newid"),
    exp.DateAdd: _date_add,
    exp.DateDiff: _date_difference,
    exp.Extract: _extract,
    exp.Year: _whole_year("year"),
    exp.Month: _whole_year("month"),
    exp.Day: _whole_year("day"),
    exp.Count: _count,
    exp.Like: _like,
    exp.Replace: _replace,
    exp.Length: _length,
    exp.StrPosition: _position,
    exp.Add: _add,
    exp.Collate: _collate,
    exp.Coalesce: _coalesce,
}


def _utf16_check(table: str, column: exp.ColumnDef) -> exp.Expression | None:
    """nvarchar(n) counts UTF-16 units, varchar(n) characters: the difference is a check of its own (2628)."""
    kind = _kind(column.kind) if column.kind else ""
    if not kind.startswith("varchar("):
        return None
    size, name = kind[8:-1], column.name
    quoted = f'"{name}"'
    rule = f"octet_length({quoted}) <= {size} OR sys.utf16_length({quoted}) <= {size}"
    return exp.Var(this=f'CONSTRAINT "{_constraint(table, name)}" CHECK ({rule})')


def _constraint(table: str, column: str) -> str:
    return f"utf16_{table}_{column}"[:63]


def _column_definition(table: str, column: exp.ColumnDef) -> list[exp.Expression]:
    """Complete one column: collation for text, no clustering, the UTF-16 check beside it."""
    constraints = []
    for constraint in column.args.get("constraints") or []:
        kind = constraint.args.get("kind")
        if isinstance(kind, exp.NotNullColumnConstraint) and kind.args.get("allow_null"):
            continue
        if not isinstance(kind, exp.CollateColumnConstraint):
            constraints.append(constraint)
        if isinstance(kind, exp.ComputedColumnConstraint):
            raise SqlError(40000, "Computed columns are not simulated.")
    if column.kind and _kind(column.kind).startswith(("varchar", "text")):
        collation = exp.CollateColumnConstraint(this=exp.Var(this="sys.ci_as"))
        constraints.insert(0, exp.ColumnConstraint(kind=collation))
    column.set("constraints", constraints)
    check = _utf16_check(table, column)
    return [column, check] if check else [column]


def definition(tree: exp.Expression) -> str:
    """Return the SQL of a CREATE or ALTER whose names and types are rewritten already."""
    for key in tree.find_all(exp.PrimaryKey, exp.UniqueColumnConstraint):
        for ordered in list(key.find_all(exp.Ordered)):
            ordered.replace(ordered.this)
    if isinstance(tree, exp.Alter):
        return _alter(tree)
    tree.set("kind", tree.args["kind"].replace("NONCLUSTERED ", "").replace("CLUSTERED ", ""))
    schema = tree.this
    if tree.args["kind"] == "TABLE" and isinstance(schema, exp.Schema):
        table = schema.this.name
        expanded: list[exp.Expression] = []
        for item in schema.expressions:
            expanded += _column_definition(table, item) if isinstance(item, exp.ColumnDef) else [item]
        schema.set("expressions", expanded)
    return tree.sql(dialect="postgres", normalize_functions=False)


def declarations(tree: exp.Expression) -> list[str]:
    """What to run behind a CREATE or ALTER TABLE: SQL Server's types are kept as comments of their columns."""
    columns = [(column.name, column.kind) for column in tree.find_all(exp.ColumnDef)]
    columns += [(action.name, action.args.get("dtype")) for action in tree.find_all(exp.AlterColumn)]
    told = [(name, str(kind.args["declared"])) for name, kind in columns if kind and kind.args.get("declared")]
    if not told or not isinstance(tree, (exp.Create, exp.Alter)):
        return []
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    table = target.sql(dialect="postgres")
    commands = [f"COMMENT ON COLUMN {table}.\"{name}\" IS '{kind}'" for name, kind in told]
    commands += [
        f'CREATE TRIGGER "rowversion_{name}" BEFORE INSERT OR UPDATE ON {table} '
        f"FOR EACH ROW EXECUTE FUNCTION sys.next_rowversion('{name}')"
        for name, kind in told
        if kind == "timestamp"
    ]
    return [*commands, f"SELECT sys.follow_declared('{table}'::regclass)"]


def _alter(tree: exp.Alter) -> str:
    """ALTER TABLE with each action spelled out: PostgreSQL wants a type change and a NULL change apart."""
    table = tree.this.name
    actions: list[str] = []
    for action in tree.args["actions"]:
        if isinstance(action, exp.ColumnDef):
            column, *checks = _column_definition(table, action)
            actions.append("ADD COLUMN " + column.sql(dialect="postgres"))
            actions += ["ADD " + check.sql(dialect="postgres") for check in checks]
        elif isinstance(action, exp.AlterColumn) and action.args.get("dtype"):
            actions += _alter_column(table, action)
        else:
            actions.append(action.sql(dialect="postgres"))
    return f"ALTER TABLE {tree.this.sql(dialect='postgres')} {', '.join(actions)}"


def _alter_column(table: str, action: exp.AlterColumn) -> list[str]:
    name, kind = action.name, str(action.args["dtype"].args["kind"])
    collation = " COLLATE sys.ci_as" if kind.startswith(("varchar", "text")) else ""
    null = "SET" if action.args.get("allow_null") is False else "DROP"
    actions = [
        f'DROP CONSTRAINT IF EXISTS "{_constraint(table, name)}"',
        f'ALTER COLUMN "{name}" TYPE {kind}{collation} USING "{name}"::{kind}',
        f'ALTER COLUMN "{name}" {null} NOT NULL',
    ]
    check = _utf16_check(table, exp.ColumnDef(this=exp.to_identifier(name), kind=action.args["dtype"]))
    return [*actions, "ADD " + check.sql(dialect="postgres")] if check else actions
