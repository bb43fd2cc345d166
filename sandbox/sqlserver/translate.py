"""One T-SQL statement into one PostgreSQL statement, by rewriting sqlglot's syntax tree.

What differs between the two engines and matters to a CDC reader or writer is rewritten here: names (case, database
prefix), parameters, types, NULL order, dates, `CONVERT`, `LIKE`, counts, `OUTPUT`, `MERGE`, `UPDATE ... FROM`.
Statements that have no counterpart are refused as error 40000 and never run in part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from sandbox.sqlserver import dialect
from sandbox.sqlserver.errors import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.sqlserver.catalog import Catalog, Relation

# Our own number for "SQL Server can do this, the stand-in cannot"; not one of Microsoft's.
NOT_SIMULATED = 40000

# Schemas that a statement may name with any database in front: the stand-in has one database.
_KNOWN_SCHEMAS = ("dbo", "cdc", "sys", "msdb", "information_schema")


@dataclass
class Statement:
    """A translated statement.

    `parameters` are the names (lower case, without @) bound to $1, $2, ... `verb` is the T-SQL keyword that decides
    the form of the answer. `relations` are the tables it names, `ddl` says that names may have changed.
    `after` is run behind it.
    """

    sql: str
    parameters: list[str]
    verb: str
    relations: list[tuple[str, str]] = field(default_factory=list)
    ddl: bool = False
    after: list[str] = field(default_factory=list)

    @property
    def may_be_long(self) -> bool:
        """A query over the tables of the database; the system's own views and functions give little."""
        return self.verb == "select" and any(schema not in ("sys", "msdb") for schema, _ in self.relations)


def parse(text: str) -> list[exp.Expression]:
    """Return the syntax trees of `text`; raises 102 for what is not T-SQL."""
    try:
        trees = sqlglot.parse(dialect.readable(text), read="tsql")
    except sqlglot.errors.SqlglotError as error:
        detail = error.errors[0] if isinstance(error, sqlglot.errors.ParseError) and error.errors else {}
        near = detail.get("highlight") or text[:40]
        raise SqlError(102, f"Incorrect syntax near '{near}'.", 15) from error
    found = [tree for tree in trees if isinstance(tree, exp.Expression)]
    for tree in found:
        if isinstance(tree, exp.Command) or type(tree) in (exp.Alias, exp.Column, exp.Identifier):
            raise SqlError(102, f"Incorrect syntax near '{text[:40]}'.", 15)
    return found


def translate(tree: exp.Expression, catalog: Catalog) -> Statement:
    """Return `tree` (which is used up) as a PostgreSQL statement."""
    return _Translation(tree, catalog).run()


def unknown_names(tree: exp.Expression, catalog: Catalog) -> list[tuple[str, str]]:
    """Return the tables and functions that the catalog does not know, so that it can be read again first."""
    local = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    names: list[tuple[str, str]] = []
    for table in tree.find_all(exp.Table):
        if not table.db and table.name.lower() in local:
            continue
        name = table.this.name if isinstance(table.this, (exp.Anonymous, exp.Identifier)) else ""
        names.append((_schema(table), name))
    return [name for name in names if name[1] and not catalog.knows([name])]


def _schema(table: exp.Table) -> str:
    if table.catalog.lower() == "msdb":
        return "msdb"
    return table.db or "dbo"


class _Translation:
    def __init__(self, tree: exp.Expression, catalog: Catalog) -> None:
        self.tree = tree
        self.catalog = catalog
        self.parameters: list[str] = []
        self.relations: list[tuple[str, str]] = []
        self.by_alias: dict[str, Relation] = {}
        self.local: dict[str, str] = {}  # names declared in the statement, lower case -> spelling
        self.is_ddl = isinstance(tree, (exp.Create, exp.Alter, exp.Drop, exp.TruncateTable))

    def run(self) -> Statement:
        tree = self.tree
        verb = type(tree).__name__.lower()
        if isinstance(tree, exp.Update):
            _update_from_alias(tree)
        self._declared_names()
        self._tables()
        self.tree = _rewritten(tree, self._dotted_functions)
        self._columns()
        tree = self.tree = _rewritten(self.tree, self._expression)
        self._statement_form()
        after: list[str] = []
        if isinstance(tree, (exp.Create, exp.Alter)):
            after = dialect.declarations(tree)
            sql = dialect.definition(tree)
        else:
            sql = tree.sql(dialect="postgres", normalize_functions=False, unsupported_level=sqlglot.ErrorLevel.IGNORE)
        return Statement(sql, self.parameters, verb, self.relations, self.is_ddl, after)

    def _declared_names(self) -> None:
        for node in self.tree.find_all(exp.Alias, exp.TableAlias, exp.CTE):
            declared = [node.args.get("alias")] if not isinstance(node, exp.TableAlias) else [node.this, *node.columns]
            for identifier in declared:
                if isinstance(identifier, exp.Identifier):
                    self.local.setdefault(identifier.name.lower(), identifier.name)

    def _tables(self) -> None:
        ctes = {cte.alias.lower(): cte.alias for cte in self.tree.find_all(exp.CTE)}
        for table in list(self.tree.find_all(exp.Table)):
            inner = table.this
            if isinstance(inner, exp.Identifier) and not table.db and inner.name.lower() in ctes:
                inner.replace(exp.to_identifier(ctes[inner.name.lower()], quoted=True))
                continue
            schema = _schema(table).lower()
            table.set("catalog", None)
            table.set("hints", None)
            if isinstance(inner, exp.Anonymous):
                self._table_function(table, inner, schema)
            elif isinstance(inner, exp.Identifier):
                self._relation(table, inner, schema)

    def _relation(self, table: exp.Table, inner: exp.Identifier, schema: str) -> None:
        relation = self.catalog.relation(schema, inner.name)
        name = relation.name if relation else inner.name
        spelled = relation.schema if relation else schema
        self.relations.append((schema, inner.name.lower()))
        if relation:
            self.by_alias[(table.alias or inner.name).lower()] = relation
        table.set("db", exp.to_identifier(spelled, quoted=True))
        table.set("this", exp.to_identifier(name, quoted=True))

    def _table_function(self, table: exp.Table, inner: exp.Anonymous, schema: str) -> None:
        written = inner.name
        name = self.catalog.function(schema, written)
        self.relations.append((schema, written.lower()))
        for prefix in ("fn_cdc_get_all_changes_", "fn_cdc_get_net_changes_"):
            row = self.catalog.relation("sys", written[len(prefix) :] + "_row")
            if written.lower().startswith(prefix) and row:
                self.by_alias[(table.alias or written).lower()] = row
        if name is None:
            raise SqlError(208, f"Invalid object name '{schema}.{written}'.")
        inner.set("this", exp.to_identifier(name, quoted=True))
        table.set("db", exp.to_identifier(schema, quoted=True))

    def _dotted_functions(self, node: exp.Expression) -> exp.Expression:
        """`sys.f()`, `AX.sys.f()`, `sys.f` as a scalar: drop the database, spell the function."""
        if not isinstance(node, exp.Dot) or not isinstance(node.expression, exp.Anonymous):
            return node
        call = node.expression
        schema = node.this.expression.name if isinstance(node.this, exp.Dot) else node.this.name
        name = self.catalog.function(schema, call.name)
        if name is None:
            text = f'Cannot find either column "{schema}" or the user-defined function or aggregate '
            raise SqlError(4121, f'{text}"{schema}.{call.name}", or the name is ambiguous.')
        call.set("this", exp.to_identifier(name, quoted=True))
        return exp.Dot(this=exp.to_identifier(schema.lower(), quoted=True), expression=call)

    def _columns(self) -> None:
        if self.is_ddl:
            for identifier in self.tree.find_all(exp.Identifier):
                identifier.set("quoted", True)
            return
        for column in list(self.tree.find_all(exp.Column)):
            self._column(column)
        for identifier in self.tree.find_all(exp.Identifier):
            parent = identifier.parent
            if isinstance(parent, (exp.Insert, exp.Schema)):
                identifier.set("this", self._spelled(identifier.name, None))
            identifier.set("quoted", True)

    def _column(self, column: exp.Column) -> None:
        qualifier = column.table.lower()
        if qualifier in ("inserted", "deleted") and column.find_ancestor(exp.Returning):
            column.set("table", None)
            qualifier = ""
        if not isinstance(column.this, exp.Identifier):
            return
        written = column.name
        relation = self.by_alias.get(qualifier)
        column.this.set("this", self._spelled(written, relation))
        for part in ("db", "catalog"):
            column.set(part, None)
        if qualifier:
            spelled = self.local.get(qualifier) or (relation.name if relation else column.table)
            column.set("table", exp.to_identifier(spelled, quoted=True))
        if column.name != written and isinstance(column.parent, exp.Select) and column.arg_key == "expressions":
            column.replace(exp.alias_(column.copy(), written, quoted=True))

    def _spelled(self, written: str, relation: Relation | None) -> str:
        key = written.lower()
        if relation:
            return relation.columns[key].name if key in relation.columns else written
        for candidate in self.by_alias.values():
            if key in candidate.columns:
                return candidate.columns[key].name
        return self.local.get(key, written)

    def _is_not_null(self, node: exp.Expression) -> bool:
        if not isinstance(node, exp.Column):
            return False
        sources: Iterable[Relation] = self.by_alias.values()
        if node.table:
            sources = [r for a, r in self.by_alias.items() if a == node.table.lower()]
        found = [r.columns[node.name.lower()] for r in sources if node.name.lower() in r.columns]
        return bool(found) and all(column.not_null for column in found)

    def _expression(self, node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Parameter):
            return node if isinstance(node.parent, exp.Parameter) else self._parameter(node)
        if isinstance(node, exp.Ordered):
            # PostgreSQL sorts NULLs last. Saying otherwise forbids the index, so say it only where NULL can occur.
            if self.is_ddl or self._is_not_null(node.this):
                node.set("nulls_first", bool(node.args.get("desc")))
            return node
        if isinstance(node, exp.Anonymous) and isinstance(node.this, str):
            name = self.catalog.function("sys", node.this)
            if name:
                node.set("this", exp.to_identifier(name, quoted=True))
            return node
        rewrite = dialect.REWRITES.get(type(node))
        return rewrite(node) if rewrite else node

    def _parameter(self, node: exp.Parameter) -> exp.Expression:
        system = isinstance(node.this, exp.Parameter)
        name = (f"@@{node.this.name}" if system else node.name).lower()
        if name not in self.parameters:
            self.parameters.append(name)
        return exp.Var(this=f"${self.parameters.index(name) + 1}")

    def _statement_form(self) -> None:
        tree = self.tree
        if isinstance(tree, exp.Merge):
            for when in tree.find_all(exp.When):
                if when.args.get("source"):
                    raise SqlError(NOT_SIMULATED, "MERGE ... WHEN NOT MATCHED BY SOURCE is not simulated.")
            if tree.args.get("returning"):
                raise SqlError(NOT_SIMULATED, "MERGE ... OUTPUT is not simulated.")
        if isinstance(tree, exp.Update):
            for assignment in tree.expressions:
                if isinstance(assignment.this, exp.Column):
                    assignment.this.set("table", None)
        if isinstance(tree, exp.Select) and tree.args.get("into"):
            raise SqlError(NOT_SIMULATED, "SELECT ... INTO is not simulated.")


def _rewritten(tree: exp.Expression, rewrite: Callable[[exp.Expression], exp.Expression]) -> exp.Expression:
    """Apply `rewrite` to every node, operands before the expressions that hold them; returns the new root.

    sqlglot's own `transform` would not look below a node that it has replaced.
    """
    for node in reversed([node for node in tree.dfs() if isinstance(node, exp.Expression)]):
        new = rewrite(node)
        if new is node:
            continue
        if node is tree:
            return new
        # A rewrite may have put `node` itself below `new`; its old place is then free to take `new`.
        node.replace(new)
    return tree


def _update_from_alias(tree: exp.Update) -> None:
    """`UPDATE t SET ... FROM dbo.T AS t JOIN dbo.S AS s ON ...` names its target in FROM; PostgreSQL must not."""
    source = tree.args.get("from_")
    if not source or not isinstance(source.this, exp.Table):
        return
    first: exp.Table = source.this
    target = tree.this.name.lower()
    if target not in (first.alias.lower(), first.name.lower()):
        return
    joins = first.args.pop("joins", None) or []
    tree.set("this", first.copy())
    conditions = [join.args["on"] for join in joins if join.args.get("on")]
    tables = [join.this for join in joins]
    if any(join.side for join in joins):
        raise SqlError(NOT_SIMULATED, "UPDATE ... FROM with an outer join is not simulated.")
    if not tables:
        tree.set("from_", None)
        return
    rest = tables[0]
    rest.set("joins", [exp.Join(this=table, kind="CROSS") for table in tables[1:]])
    tree.set("from_", exp.From(this=rest))
    for condition in conditions:
        tree.where(condition, copy=False)
