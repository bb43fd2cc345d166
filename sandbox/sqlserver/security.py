"""Logins, users, roles and grants: the T-SQL that sets up a reader with least rights, as PostgreSQL roles.

A login and its user are one PostgreSQL role of the same name; `sa` is the superuser. Passwords are kept by the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sandbox.sqlserver.errors import SqlError

_NAME = r"\[?([\w$-]+)\]?"
_STATE_RIGHTS = {
    "VIEW DATABASE STATE": "view_database_state",
    "VIEW SERVER STATE": "view_server_state",
    "VIEW DATABASE PERFORMANCE STATE": "view_database_performance_state",
}
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE", "REFERENCES")


@dataclass
class Change:
    """PostgreSQL commands to run, and a login with its password to remember."""

    commands: list[str] = field(default_factory=list)
    login: tuple[str, str] | None = None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def statement(text: str, *, in_msdb: bool = False) -> Change | None:
    """Return what `text` changes; None when it is not about rights. `in_msdb`: schema dbo is that of msdb."""
    flat = text.strip().rstrip(";")
    head = flat.split(None, 2)[:2]
    if not head or head[0].upper() not in ("CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "DENY"):
        return None
    for pattern, make in _FORMS:
        match = re.fullmatch(pattern, flat, re.IGNORECASE | re.DOTALL)
        if match and make is _rights:
            return _rights(match, "msdb" if in_msdb else "dbo")
        if match:
            return make(match)
    if head[0].upper() in ("GRANT", "REVOKE", "DENY"):
        raise SqlError(40000, f"This form of {head[0].upper()} is not simulated.")
    return None


def _create_login(match: re.Match[str]) -> Change:
    password = match[2].replace("''", "'")
    return Change([_role_unless_there(match[1], login=True)], (match[1], password))


def _role_unless_there(name: str, *, login: bool) -> str:
    return f"SELECT sys.create_role({_literal(name)}, {login})"


def _member(match: re.Match[str]) -> Change:
    role, action, member = match[1].lower(), match[2].upper(), match[3]
    known = role if role.startswith("db_") else match[1]
    verb, word = ("GRANT", "TO") if action == "ADD" else ("REVOKE", "FROM")
    return Change([f"{verb} {_quoted(known)} {word} {_quoted(member)}"])


def _rights(match: re.Match[str], dbo: str = "dbo") -> Change:
    verb = match["verb"].upper()
    rights, target, grantee = match["rights"].strip(), match["target"], match["grantee"]
    word = "TO" if verb == "GRANT" else "FROM"
    state = re.sub(r"\s+", " ", rights.upper())
    if target is None:
        if state == "CONNECT":
            return Change()
        if state not in _STATE_RIGHTS:
            raise SqlError(40000, f"{verb} {rights} is not simulated.")
        return Change([f"{verb} {_STATE_RIGHTS[state]} {word} {_quoted(grantee)}"])
    _check_rights(rights)
    schema = re.fullmatch(r"SCHEMA\s*::\s*\[?(\w+)\]?", target, re.IGNORECASE)
    if schema:
        function = "grant_on_schema" if verb == "GRANT" else "revoke_on_schema"
        name = schema[1].lower()
        return Change([f"SELECT sys.{function}('{name}', '{rights.lower()}', '{grantee}')"])
    table = re.fullmatch(r"(?:OBJECT\s*::\s*)?(?:\[?(\w+)\]?\.)?\[?([\w$]+)\]?\s*(\([^)]*\))?", target, re.IGNORECASE)
    if not table:
        raise SqlError(102, f"Incorrect syntax near '{target}'.", 15)
    return Change([_grant_on_table(verb, rights, table, grantee, dbo)])


def _grant_on_table(verb: str, rights: str, table: re.Match[str], grantee: str, dbo: str) -> str:
    columns = re.findall(r"\w+", table[3] or "")
    schema = (table[1] or "dbo").lower()
    names = [verb, rights, dbo if schema == "dbo" else schema, table[2], ", ".join(map(_quoted, columns)), grantee]
    return f"SELECT sys.grant_on_table({', '.join(map(_literal, names))})"


def _check_rights(rights: str) -> None:
    for right in rights.split(","):
        if right.strip().upper() not in _RIGHTS:
            raise SqlError(40000, f"The right {right.strip()} is not simulated.")


_FORMS = (
    (rf"CREATE\s+LOGIN\s+{_NAME}\s+WITH\s+PASSWORD\s*=\s*N?'((?:[^']|'')*)'.*", _create_login),
    (
        rf"CREATE\s+USER\s+{_NAME}(?:\s+(?:FOR|FROM)\s+LOGIN\s+{_NAME}|\s+WITHOUT\s+LOGIN)?",
        lambda match: Change([_role_unless_there(match[1], login=True)]),
    ),
    (
        rf"CREATE\s+ROLE\s+{_NAME}(?:\s+AUTHORIZATION\s+{_NAME})?",
        lambda match: Change([f"CREATE ROLE {_quoted(match[1])}"]),
    ),
    (
        rf"DROP\s+(?:USER|ROLE)\s+{_NAME}",
        lambda match: Change([f"DROP OWNED BY {_quoted(match[1])}", f"DROP ROLE {_quoted(match[1])}"]),
    ),
    (rf"ALTER\s+ROLE\s+{_NAME}\s+(ADD|DROP)\s+MEMBER\s+{_NAME}", _member),
    (
        r"(?P<verb>GRANT|REVOKE)\s+(?P<rights>[\w\s,]+?)(?:\s+ON\s+(?P<target>.+?))?\s+(?:TO|FROM)\s+\[?(?P<grantee>[\w$-]+)\]?",
        _rights,
    ),
)
