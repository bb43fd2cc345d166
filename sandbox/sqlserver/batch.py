"""A batch of T-SQL cut into steps: transaction and session commands, procedure calls, variables, plain statements.

sqlglot reads single statements; what surrounds them (`SET ...`, `BEGIN TRANSACTION`, `EXEC`, `DECLARE`) is recognised
here. Of control flow only `IF condition statement` is simulated (no `BEGIN`, `ELSE`, `WHILE`, `TRY`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.lexer import words
from sandbox.sqlserver.table_variables import without_table_variable


@dataclass(frozen=True)
class Control:
    """A session or transaction command: `name` from the table below, with its captured words."""

    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """`EXEC procedure arguments`. An argument is (parameter name or "", T-SQL expression)."""

    procedure: str
    arguments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Assign:
    """`DECLARE @name type = value` and `SET @name = value`; `type` is empty for SET, `value` for a bare DECLARE."""

    name: str
    type: str
    value: str


@dataclass(frozen=True)
class Plain:
    """A statement for the translator."""

    text: str = field(compare=True)


@dataclass(frozen=True)
class Condition:
    """`IF condition statement`: one statement, without BEGIN and ELSE."""

    text: str
    body: tuple[Step, ...]


Step = Control | Call | Assign | Plain | Condition

_END = r"(?=\s|;|$)"
# Order matters: the first that matches at the start of the remaining text wins and is cut off.
_CONTROLS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern + _END, re.IGNORECASE))
    for name, pattern in (
        (
            "isolation",
            r"SET\s+TRANSACTION\s+ISOLATION\s+LEVEL\s+(SNAPSHOT|READ\s+COMMITTED|READ\s+UNCOMMITTED|REPEATABLE\s+READ|SERIALIZABLE)",
        ),
        ("implicit", r"SET\s+IMPLICIT_TRANSACTIONS\s+(ON|OFF)"),
        ("lock_timeout", r"SET\s+LOCK_TIMEOUT\s+(-?\d+)"),
        ("rowcount", r"SET\s+ROWCOUNT\s+(\d+)"),
        ("ignored", r"SET\s+(?!TRANSACTION\b|ROWCOUNT\b)[A-Z_]+(?:\s*,\s*[A-Z_]+)*\s+(?:ON|OFF|[\w'\"-]+)"),
        ("use", r"USE\s+\[?(\w+)\]?"),
        ("begin", r"BEGIN\s+TRAN(?:SACTION)?(?:\s+(?!SELECT|INSERT|UPDATE|DELETE|EXEC|MERGE|SET)\w+)?"),
        (
            "commit",
            r"(?:IF\s+@@TRANCOUNT\s*>\s*0\s+)?COMMIT(?:\s+(?:TRAN(?:SACTION)?|WORK))?(?:\s+(?!SELECT|BEGIN|EXEC|IF|SET)\w+)?",
        ),
        (
            "rollback",
            r"(?:IF\s+@@TRANCOUNT\s*>\s*0\s+)?ROLLBACK(?:\s+(?:TRAN(?:SACTION)?|WORK))?(?:\s+(?!SELECT|BEGIN|EXEC|IF|SET)(\w+))?",
        ),
        ("save", r"SAVE\s+TRAN(?:SACTION)?\s+(\w+)"),
        ("wait", r"WAITFOR\s+DELAY\s+N?'(\d+):(\d+)(?::([\d.]+))?'"),
        ("print", r"PRINT\s+N?'(?:[^']|'')*'"),
        ("allow_snapshot", r"ALTER\s+DATABASE\s+\S+\s+SET\s+ALLOW_SNAPSHOT_ISOLATION\s+(ON|OFF)"),
        ("ignored", r"ALTER\s+DATABASE\s+\S+\s+SET\s+READ_COMMITTED_SNAPSHOT\s+(?:ON|OFF)(?:\s+WITH\s+[\w\s]+)?"),
        ("kill", r"KILL\s+(\d+)"),
        ("ignored", r"CHECKPOINT"),
    )
)
_EXEC = re.compile(
    r"EXEC(?:UTE)?\s+(?:@\w+\s*=\s*)?((?:\[[^\]]+\]|[\w$]*)(?:\.(?:\[[^\]]+\]|[\w$]*))*)\s*(.*)$",
    re.IGNORECASE | re.DOTALL,
)
# The first statement of a batch may call a procedure without EXEC (FreeTDS does).
_BARE_CALL = re.compile(r"(?:\[?sys\]?\.)?\[?(?:sp|xp)_\w+\]?(?=\s|$|;)", re.IGNORECASE)
_DECLARE = re.compile(r"DECLARE\s+(.*)$", re.IGNORECASE | re.DOTALL)
_VARIABLE = re.compile(r"\s*@(\w+)\s+(?:AS\s+)?(\w+(?:\s*\([^)]*\))?)\s*(?:=\s*(.*))?$", re.IGNORECASE | re.DOTALL)
_SET = re.compile(r"SET\s+@(\w+)\s*=\s*(.*)$", re.IGNORECASE | re.DOTALL)
_PROGRAM = re.compile(r"(IF|WHILE|BEGIN|GOTO|RETURN|THROW|RAISERROR|OPEN|FETCH|CLOSE)\b", re.IGNORECASE)
# Words that begin a statement on a line of their own, even when the line before has no semicolon.
_STARTERS = {
    "EXEC",
    "EXECUTE",
    "DECLARE",
    "GRANT",
    "REVOKE",
    "COMMIT",
    "ROLLBACK",
    "CREATE",
    "DROP",
    "ALTER",
    "PRINT",
    "TRUNCATE",
}
_CHANGES = {"INSERT", "UPDATE", "DELETE", "SET"}
_NOT_STARTERS_BEFORE = {"COLUMN", "CONSTRAINT"}


def steps(text: str) -> list[Step]:
    """Return the steps of a batch in order. Raises 102 for broken quotes, 40000 for control flow."""
    found: list[Step] = []
    if _BARE_CALL.match(text.lstrip()):
        text = f"EXEC {text.lstrip()}"
    for segment in _segments(without_table_variable(text)):
        rest = segment
        while rest:
            for name, pattern in _CONTROLS:
                match = pattern.match(rest)
                if match:
                    found.append(Control(name, tuple(word or "" for word in match.groups())))
                    rest = rest[match.end() :].strip()
                    break
            else:
                found += _step(rest)
                break
    return found


def _step(text: str) -> list[Step]:
    if match := _EXEC.match(text):
        if match[1]:
            return [Call(match[1], tuple(_argument(part) for part in split_commas(match[2])))]
        return [Call("sp_executesql", tuple(_argument(part) for part in split_commas(match[2].strip()[1:-1])))]
    if match := _DECLARE.match(text):
        return [_declaration(part) for part in split_commas(match[1])]
    if match := _SET.match(text):
        return [Assign(match[1].lower(), "", match[2])]
    if text[:2].upper() == "IF" and (condition := _condition(text)):
        return [condition]
    if match := _PROGRAM.match(text):
        raise SqlError(40000, f"T-SQL programs are not simulated ({match[1].upper()}).")
    return [Plain(text)]


def _condition(text: str) -> Condition | None:
    """`IF condition statement`; None for what has no statement of one kind that may follow."""
    found = [word for word in words(text) if not word.depth]
    if any(word.upper in ("BEGIN", "ELSE") for word in found):
        return None
    start = next((word.start for word in found[1:] if word.upper in _STARTERS | _CHANGES), 0)
    return Condition(text[2:start].strip(), tuple(steps(text[start:]))) if start else None


def _declaration(text: str) -> Assign:
    match = _VARIABLE.match(text)
    if not match:
        raise SqlError(102, f"Incorrect syntax near '{text.strip()[:40]}'.", 15)
    return Assign(match[1].lower(), match[2], match[3] or "")


def _argument(text: str) -> tuple[str, str]:
    match = re.match(r"@(\w+)\s*=\s*(.*)$", text, re.DOTALL)
    name, value = (match[1].lower(), match[2]) if match else ("", text)
    value = re.sub(r"\s+OUT(?:PUT)?$", "", value.strip(), flags=re.IGNORECASE)
    if re.fullmatch(r"[A-Za-z_]\w*", value) and value.upper() not in ("NULL", "DEFAULT"):
        value = f"N'{value}'"  # a bare word is a string
    return name, value


def _segments(text: str) -> list[str]:
    """Cut at semicolons, and before statements that begin a line."""
    found = words(text)
    cuts: list[tuple[int, int]] = []
    first = True
    guarded = False  # behind IF, whose statement may begin a line and still belongs to it
    for index, word in enumerate(found):
        if word.depth:
            continue
        if first:
            first, guarded = False, word.upper == "IF"
        elif word.raw == ";":
            cuts.append((word.start, word.end))
            first = True
        elif word.upper in _STARTERS and guarded:
            guarded = False
        elif word.upper in _STARTERS and word.line > found[index - 1].line:
            following = found[index + 1].upper if index + 1 < len(found) else ""
            if following not in _NOT_STARTERS_BEFORE:
                cuts.append((word.start, word.start))
    parts, start = [], 0
    for end, after in cuts:
        parts.append(text[start:end])
        start = after
    parts.append(text[start:])
    return [_without_comments(part) for part in parts if _without_comments(part)]


def _without_comments(text: str) -> str:
    """Strip blanks and comments in front, which hide the first word."""
    return re.sub(r"^(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)+", "", text, flags=re.DOTALL).rstrip()


def split_commas(text: str) -> list[str]:
    """Split at the commas outside brackets and strings."""
    parts: list[str] = []
    start = 0
    for word in words(text):
        if word.raw == "," and not word.depth:
            parts.append(text[start : word.start].strip())
            start = word.end
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def number_placeholders(text: str, count: int) -> str:
    """Replace ODBC's `?` by @p1, @p2, ...; raises 8178 if there are not exactly `count`."""
    marks = [word for word in words(text) if word.raw == "?"]
    if len(marks) != count:
        raise SqlError(8178, f"The statement has {len(marks)} parameters, {count} were supplied.")
    for number, word in reversed(list(enumerate(marks, 1))):
        text = f"{text[: word.start]}@p{number}{text[word.end :]}"
    return text
