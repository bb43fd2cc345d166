"""One session's way from T-SQL to PostgreSQL and back: transactions, isolation, variables, errors.

SQL Server keeps a transaction open after most errors and undoes only the statement; PostgreSQL would abort it. So
inside a transaction every statement runs under a savepoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.pq import TransactionStatus

from sandbox.sqlserver import batch, results, security
from sandbox.sqlserver.errors import SqlError, from_postgres
from sandbox.sqlserver.results import Result
from sandbox.sqlserver.system_variables import system_variable
from sandbox.sqlserver.translate import Statement, parse, translate, unknown_names

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

    from sandbox.sqlserver.host import Host

_LEVELS = {
    "SNAPSHOT": "REPEATABLE READ",
    "READ COMMITTED": "READ COMMITTED",
    "READ UNCOMMITTED": "READ COMMITTED",
    "REPEATABLE READ": "REPEATABLE READ",
    "SERIALIZABLE": "SERIALIZABLE",
}
_TRANSLATIONS_KEPT = 500
# Rows per block of a long result.
_BLOCK_ROWS = 500
_STARTED_LATE = (
    "Transaction failed in database '{}' because the statement was run under snapshot isolation but the transaction "
    "did not start in snapshot isolation. You cannot change the isolation level of the transaction to snapshot after "
    "the transaction has started unless the transaction was originally started under snapshot isolation level."
)
_NOT_ALLOWED = (
    "Snapshot isolation transaction failed accessing database '{}' because snapshot isolation is not allowed in this "
    "database. Use ALTER DATABASE to allow snapshot isolation."
)


class Engine:
    """The state of one session. Not for use by two tasks at once, except `cancel`."""

    def __init__(self, host: Host, connection: psycopg.AsyncConnection[Any], login: str, spid: int) -> None:
        self._host = host
        self._connection = connection
        self._level = "READ COMMITTED"
        self._started_level = ""
        self._implicit = False
        self._rowcount = 0
        self._waiting: asyncio.Task[None] | None = None
        self._in_msdb = False
        self.login = login
        self.spid = spid
        self.encrypted = False

    @property
    def database(self) -> str:
        """The name of the one database."""
        return self._host.database

    @property
    def in_transaction(self) -> bool:
        """True between BEGIN and COMMIT or ROLLBACK."""
        return self._connection.info.transaction_status != TransactionStatus.IDLE

    async def begin(self) -> None:
        """Begin a transaction at the session's level; a nested BEGIN is only counted by SQL Server, here ignored."""
        if not self.in_transaction:
            self._started_level = self._level
            await self._connection.execute(f"BEGIN ISOLATION LEVEL {_LEVELS[self._level]}")

    async def commit(self) -> None:
        """Commit, if there is something to commit."""
        if self.in_transaction:
            try:
                await self._connection.execute("COMMIT")
            except psycopg.Error as error:
                raise from_postgres(error, self.spid) from error
            self._host.faults.after_commit(self.login)

    async def rollback(self) -> None:
        """Roll back, if there is a transaction."""
        if self.in_transaction:
            await self._connection.execute("ROLLBACK")

    async def cancel(self) -> None:
        """Stop the running statement (an attention arrived)."""
        if self._waiting:
            self._waiting.cancel()
        await self._connection.cancel_safe(timeout=5)

    async def close(self) -> None:
        """End the session; an open transaction is rolled back by PostgreSQL."""
        await self._connection.close()

    async def execute(
        self, text: str, parameters: Mapping[str, Any], *, streamed: bool = False
    ) -> AsyncIterator[Result]:
        """Run a batch; yields one result per statement. `parameters` are by lower-case name without @.

        With `streamed` a long result comes in blocks (`Result.following`), so that it need not fit into memory.
        Raises SqlError for the first statement that fails; the statements before it have been done.
        """
        try:
            await self._host.faults.before_statement(text, self.login)
        except SqlError as fault:
            if fault.ends_transaction:
                await self.rollback()
            raise
        async for result in self._steps(batch.steps(text), dict(parameters), streamed=streamed):
            yield result

    async def _steps(
        self, steps: Sequence[batch.Step], variables: dict[str, Any], *, streamed: bool
    ) -> AsyncIterator[Result]:
        for step in steps:
            match step:
                case batch.Control():
                    result = await self._control(step)
                    yield result
                case batch.Assign():
                    await self._assign(step, variables)
                    yield Result()
                case batch.Call():
                    for result in await self._call(step, variables):
                        yield result
                case batch.Condition():
                    found = await self._plain(f"SELECT CASE WHEN {step.text} THEN 1 ELSE 0 END", variables)
                    if found[0].rows[0][0]:
                        async for result in self._steps(step.body, variables, streamed=streamed):
                            yield result
                case batch.Plain():
                    async for result in self._answers(step.text, variables, streamed=streamed):
                        yield result

    async def _control(self, step: batch.Control) -> Result:
        words = step.words
        match step.name:
            case "isolation":
                self._level = re.sub(r"\s+", " ", words[0].upper())
            case "implicit":
                self._implicit = words[0].upper() == "ON"
            case "lock_timeout":
                milliseconds = int(words[0])
                # PostgreSQL's 0 waits for ever, SQL Server's 0 not at all.
                value = 0 if milliseconds < 0 else max(milliseconds, 1)
                await self._connection.execute(f"SET lock_timeout = {value}")
            case "begin":
                await self.begin()
            case "commit":
                await self.commit()
            case "rollback":
                await self._rollback_to(words[0])
            case "save":
                await self._connection.execute(
                    psycopg.sql.SQL("SAVEPOINT {}").format(psycopg.sql.Identifier(words[0].lower()))
                )
            case "wait":
                await self._wait(int(words[0]) * 3600 + int(words[1]) * 60 + float(words[2] or 0))
            case "allow_snapshot":
                await self._host.allow_snapshot(allowed=words[0].upper() == "ON")
            case "kill":
                await self._host.kill(int(words[0]))
            case "use":
                self._use(words[0].lower())
        return Result()

    def _use(self, name: str) -> None:
        """There is one database; of msdb only what is granted there differs."""
        if name not in (self._host.database.lower(), "master", "msdb"):
            raise SqlError(911, f"Database '{name}' does not exist. Make sure that the name is entered correctly.")
        self._in_msdb = name == "msdb"

    async def _rollback_to(self, savepoint: str) -> None:
        if savepoint:
            name = psycopg.sql.Identifier(savepoint.lower())
            await self._connection.execute(psycopg.sql.SQL("ROLLBACK TO SAVEPOINT {}").format(name))
        else:
            await self.rollback()

    async def _wait(self, seconds: float) -> None:
        self._waiting = asyncio.create_task(asyncio.sleep(seconds))
        try:
            await self._waiting
        except asyncio.CancelledError:
            raise SqlError(3617, "The statement was cancelled.") from None
        finally:
            self._waiting = None

    async def _assign(self, step: batch.Assign, variables: dict[str, Any]) -> None:
        if step.type == "" and step.name not in variables:
            raise SqlError(137, f'Must declare the scalar variable "@{step.name}".', 15)
        if not step.value:
            variables[step.name] = None
            return
        value = f"CAST(({step.value}) AS {step.type})" if step.type else f"({step.value})"
        found = await self._plain(f"SELECT {value}", variables)
        variables[step.name] = found[0].rows[0][0]

    async def _call(self, step: batch.Call, variables: dict[str, Any]) -> list[Result]:
        parts = [part.strip("[]") for part in step.procedure.split(".")]
        name = parts[-1].lower()
        if name == "sp_executesql":
            return await self._execute_sql(step, variables)
        arguments: dict[str, Any] = {}
        for index, (argument, expression) in enumerate(step.arguments):
            if expression.upper() == "DEFAULT":
                continue
            found = await self._plain(f"SELECT {expression}", variables)
            arguments[argument or str(index)] = found[0].rows[0][0]
        done = await self._host.procedure(name, arguments, self)
        if done is not None:
            return done
        return await self.call(parts[-2] if len(parts) > 1 and parts[-2] else "sys", parts[-1], arguments)

    async def call(self, schema: str, name: str, arguments: Mapping[str, Any]) -> list[Result]:
        """Run a procedure that is a PostgreSQL function. A key of digits is a position, else a parameter name."""
        spelled = self._host.catalog.function(schema, name) or self._host.catalog.function("sys", name)
        if spelled is None:
            raise SqlError(2812, f"Could not find stored procedure '{name}'.")
        schema = schema.lower() if self._host.catalog.function(schema, name) else "sys"
        marks = [f"${n}" if key.isdigit() else f'"{key}" => ${n}' for n, key in enumerate(arguments, 1)]
        call = f'"{schema}"."{spelled}"({", ".join(marks)})'
        statement = Statement(f"SELECT * FROM {call}", [], "exec")  # noqa: S608 - names of the catalog, values are bound
        try:
            result = await self._run(statement, list(arguments.values()), keep_sql=f"EXEC {name}")
        except SqlError as error:
            if error.number == 195:
                raise SqlError(
                    8145, f"Procedure or function '{name}' was called with wrong or missing parameters."
                ) from error
            raise
        if name.lower().startswith("sp_cdc_"):
            await self._host.catalog.load(self._connection)
        return [result]

    async def define(self, sql: str, tsql: str) -> None:
        """Run DDL in PostgreSQL's words; `tsql` is what stands in cdc.ddl_history."""
        await self._run(Statement(sql, [], "alter", ddl=True), [], keep_sql=tsql)

    async def _execute_sql(self, step: batch.Call, variables: dict[str, Any]) -> list[Result]:
        values: dict[str, Any] = {}
        for index, (argument, expression) in enumerate(step.arguments):
            found = await self._plain(f"SELECT {expression}", variables)
            values[argument or str(index)] = found[0].rows[0][0]
        text = str(values.pop("0", None) or values.pop("stmt", ""))
        values.pop("1", None)
        values.pop("params", None)
        return [result async for result in self.execute(text, values)]

    async def _plain(self, text: str, variables: Mapping[str, Any]) -> list[Result]:
        return [result async for result in self._answers(text, variables)]

    async def _answers(
        self, text: str, variables: Mapping[str, Any], *, streamed: bool = False
    ) -> AsyncIterator[Result]:
        special = security.statement(text, in_msdb=self._in_msdb)
        if special is not None:
            yield await self._security(special)
            return
        for statement in await self._translated(text):
            values = [self._value(name, variables) for name in statement.parameters]
            found = await self._stream(statement, values) if streamed and statement.may_be_long else None
            yield found or await self._run(statement, values, keep_sql=text)

    async def _security(self, statement: security.Change) -> Result:
        if statement.login:
            self._host.add_login(*statement.login)
        for sql in statement.commands:
            await self._run(Statement(sql, [], "grant"), [])
        return Result()

    async def _translated(self, text: str) -> Sequence[Statement]:
        catalog, cache = self._host.catalog, self._host.translations
        found = cache.get((catalog.version, text))
        if found is not None:
            return found
        trees = parse(text)
        if any(unknown_names(tree, catalog) for tree in trees):
            await catalog.load(self._connection)
        statements = [translate(tree, catalog) for tree in trees]
        if len(cache) >= _TRANSLATIONS_KEPT:
            cache.clear()
        cache[catalog.version, text] = statements
        return statements

    def _value(self, name: str, variables: Mapping[str, Any]) -> Any:
        if name.startswith("@@"):
            return system_variable(
                name[2:], in_transaction=self.in_transaction, spid=self.spid, rowcount=self._rowcount
            )
        if name not in variables:
            raise SqlError(137, f'Must declare the scalar variable "@{name}".', 15)
        return variables[name]

    async def _run(self, statement: Statement, values: list[Any], keep_sql: str = "") -> Result:
        for _, relation in statement.relations:
            if relation.startswith("dm_"):
                await self._host.refresh(relation)
        self._check_isolation(statement)
        if self._implicit and not self.in_transaction and statement.verb != "exec":
            await self.begin()
        try:
            return await self._guarded(statement, values, keep_sql)
        except psycopg.Error as error:
            raise await self._failure(error) from error

    async def _stream(self, statement: Statement, values: list[Any]) -> Result | None:
        """Run a query whose rows are fetched while they are sent; None without a row: nothing describes it then."""
        self._check_isolation(statement)
        if self._implicit and not self.in_transaction:
            await self.begin()
        guard = self.in_transaction
        if guard:
            await self._connection.execute("SAVEPOINT standin")
        cursor = self._connection.cursor(binary=True)
        # A generator, whatever psycopg's annotation says.
        source = cast("AsyncGenerator[Any]", cursor.stream(statement.sql, values, binary=True, size=_BLOCK_ROWS))
        blocks = self._blocks(source, guard=guard)
        first = await anext(blocks, None)
        if first is None:
            return None
        columns = results.describe(cursor, self._host.own_types, self._host.catalog.declared)
        result = Result(statement.verb, columns, first, len(first))
        if len(first) < _BLOCK_ROWS:
            await anext(blocks, None)
            self._rowcount = result.count
        else:
            result.following = self._counted(blocks, result)
        return result

    async def _blocks(
        self, source: AsyncGenerator[tuple[Any, ...]], *, guard: bool
    ) -> AsyncGenerator[list[tuple[Any, ...]]]:
        """The rows of `source` in blocks, none of them empty. Raises SqlError."""
        block: list[tuple[Any, ...]] = []
        try:
            async with contextlib.aclosing(source):
                async for row in source:
                    block.append(row)
                    if len(block) == _BLOCK_ROWS:
                        yield block
                        block = []
            if guard:
                await self._connection.execute("RELEASE SAVEPOINT standin")
        except psycopg.Error as error:
            raise await self._failure(error) from error
        if block:
            yield block

    async def _counted(
        self, blocks: AsyncGenerator[list[tuple[Any, ...]]], result: Result
    ) -> AsyncGenerator[list[tuple[Any, ...]]]:
        async with contextlib.aclosing(blocks):
            async for block in blocks:
                result.count += len(block)
                yield block
        self._rowcount = result.count

    def _check_isolation(self, statement: Statement) -> None:
        touches_data = any(schema not in ("sys", "msdb") for schema, _ in statement.relations)
        if self._level != "SNAPSHOT" or not touches_data:
            return
        if self.in_transaction and self._started_level != "SNAPSHOT":
            raise SqlError(3951, _STARTED_LATE.format(self._host.database))
        if not self._host.snapshot_allowed:
            raise SqlError(3952, _NOT_ALLOWED.format(self._host.database))

    async def _guarded(self, statement: Statement, values: list[Any], keep_sql: str) -> Result:
        connection = self._connection
        guard = self.in_transaction
        if guard:
            await connection.execute("SAVEPOINT standin")
        if statement.ddl:
            await connection.execute("SELECT set_config('sys.tsql', $1, false)", [keep_sql])
        cursor = connection.cursor(binary=True)
        await cursor.execute(statement.sql, values)
        for command in statement.after:
            await connection.execute(command)
        columns = results.describe(cursor, self._host.own_types, self._host.catalog.declared)
        counted = statement.verb in ("insert", "update", "delete", "merge")
        result = Result(statement.verb, columns, [], cursor.rowcount if counted else -1)
        if columns is not None:
            result.rows = await cursor.fetchall()
            result.count = len(result.rows)
        if guard:
            await connection.execute("RELEASE SAVEPOINT standin")
        if statement.ddl:
            await self._host.catalog.load(connection)
        self._rowcount = max(result.count, 0)
        return result

    async def _failure(self, error: psycopg.Error) -> SqlError:
        if self._connection.closed:
            return SqlError(596, "Cannot continue the execution because the session is in the kill state.", 21)
        translated = from_postgres(error, self.spid)
        if self.in_transaction:
            if translated.ends_transaction:
                await self._connection.execute("ROLLBACK")
            else:
                await self._connection.execute("ROLLBACK TO SAVEPOINT standin")
        return translated
