"""One client: login, then batches, procedure calls, transaction requests, attentions, until it goes away.

While a statement runs, the next message is already awaited: an attention (the driver's query timeout) must reach the
engine, and a vanished client must not leave a statement behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.sqlserver.batch import split_commas
from sandbox.sqlserver.errors import ConnectionKilledError, SqlError
from sandbox.sqlserver.tds import parameters, tokens
from sandbox.sqlserver.tds.login import Login, negotiate, receive_login, welcome
from sandbox.sqlserver.tds.packets import Channel, PacketType, PeerGoneError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from ssl import SSLContext

    from sandbox.sqlserver.engine import Engine
    from sandbox.sqlserver.results import Result

_BEGIN, _COMMIT, _ROLLBACK, _SAVE = 5, 7, 8, 9


class SessionHost(Protocol):
    """What a session needs of the server."""

    tls: SSLContext
    require_encryption: bool

    async def open_session(self, login: Login) -> Engine:
        """Check the login and connect; raises SqlError 18456 or 4060."""

    def session_closed(self, engine: Engine) -> None:
        """Forget the session."""

    def rows_before_kill(self, text: str, login: str) -> int | None:
        """A fault: drop the connection after this many rows."""


class Session:
    """One connection, from the first byte to the last."""

    def __init__(self, host: SessionHost, channel: Channel) -> None:
        self._host = host
        self._channel = channel
        self._prepared: dict[int, tuple[str, str]] = {}
        self._handles = itertools.count(1)
        self._packets = 0
        self._engine: Engine

    async def run(self) -> None:
        """Serve until the client goes. Raises PeerGoneError at the latest then."""
        await negotiate(self._channel, self._host.tls, require_encryption=self._host.require_encryption)
        login = await receive_login(self._channel)
        try:
            self._engine = await self._host.open_session(login)
        except SqlError as error:
            await self._refuse(login, error)
            return
        self._channel.spid = self._engine.spid
        self._engine.encrypted = self._channel.encrypted
        await self._channel.send(welcome(login, self._engine.database))
        self._channel.packet_bytes = login.packet_bytes
        try:
            await self._serve()
        except ConnectionKilledError:
            self._channel.abort()
        finally:
            self._host.session_closed(self._engine)
            await self._engine.close()

    async def _refuse(self, login: Login, error: SqlError) -> None:
        answer = tokens.error(error.number, error.message, error.severity, error.state)
        if error.number == 4060:
            answer += tokens.error(18456, f"Login failed for user '{login.user}'.", 14)
        await self._channel.send(answer + tokens.done(status=tokens.ERROR))

    async def _serve(self) -> None:
        following = asyncio.create_task(self._channel.receive())
        try:
            while True:
                kind, content = await following
                following = asyncio.create_task(self._channel.receive())
                work = asyncio.create_task(self._answer(kind, content))
                try:
                    following = await self._supervise(work, following)
                finally:
                    if not work.done():
                        work.cancel()
                        await asyncio.gather(work, return_exceptions=True)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _supervise(
        self, work: asyncio.Task[None], following: asyncio.Task[tuple[int, bytes]]
    ) -> asyncio.Task[tuple[int, bytes]]:
        """Wait for the answer, watching for an attention; returns the task that waits for the next message."""
        await asyncio.wait({work, following}, return_when=asyncio.FIRST_COMPLETED)
        if work.done() or not following.done():
            await work
            return following
        if following.exception():
            await self._engine.cancel()
            await asyncio.gather(work, return_exceptions=True)
            return following
        if following.result()[0] == PacketType.ATTENTION:
            await self._engine.cancel()
            await work
            await self._finish(tokens.done(status=tokens.ATTENTION))
            return asyncio.create_task(self._channel.receive())
        await work
        return following

    async def _answer(self, kind: int, content: bytes) -> None:
        """Answer one message. The last part is sent here, errors become tokens."""
        self._packets = 0
        token = tokens.DONE_PROC if kind == PacketType.RPC else tokens.DONE
        try:
            match kind:
                case PacketType.BATCH:
                    text = _after_headers(content).decode("utf-16-le", "surrogatepass")
                    last = await self._batch(text, {}, tokens.DONE)
                case PacketType.RPC:
                    last = await self._calls(_after_headers(content))
                case PacketType.TRANSACTION:
                    last = await self._transaction(_after_headers(content))
                case PacketType.ATTENTION:
                    last = tokens.done(status=tokens.ATTENTION)
                case _:
                    raise SqlError(4002, f"The packet type {kind} is not simulated.")
        except SqlError as error:
            ended = b""
            if error.ends_transaction:
                ended = tokens.transaction_ended(committed=False)
            failure = tokens.error(error.number, error.message, error.severity, error.state)
            last = failure + ended + tokens.done(token, tokens.ERROR)
        await self._finish(last)

    async def _part(self, content: bytes) -> None:
        self._packets = await self._channel.send_part(content, PacketType.RESULT, number=self._packets, last=False)

    async def _finish(self, content: bytes) -> None:
        await self._channel.send_part(content, PacketType.RESULT, number=self._packets, last=True)

    async def _batch(self, text: str, values: Mapping[str, Any], token: int) -> bytes:
        """Run a batch, send all but its end; returns the last tokens (without an end token inside a procedure)."""
        kill_after = self._host.rows_before_kill(text, self._engine.login)
        inside = token == tokens.DONE_IN_PROC
        waiting = b""
        before = self._engine.in_transaction
        try:
            async for result in self._engine.execute(text, values, streamed=True):
                if waiting:
                    await self._part(_with_more(waiting))
                waiting = b""
                waiting = await self._result(result, token, kill_after)
        except SqlError:
            if waiting:  # the statements before the failed one have been done, and are told
                await self._part(_with_more(waiting))
            raise
        waiting = waiting or (b"" if inside else tokens.done(token))
        after = self._engine.in_transaction
        if before != after:
            change = tokens.transaction_began() if after else tokens.transaction_ended(committed=True)
            waiting = change + waiting
        return _with_more(waiting) if inside else waiting

    async def _result(self, result: Result, token: int, kill_after: int | None) -> bytes:
        """Send metadata and rows; returns the DONE that follows them."""
        if result.columns is not None:
            await self._part(tokens.column_metadata(result.columns))
            encoders = [column.encoder() for column in result.columns]
            async with contextlib.aclosing(_blocks(result)) as blocks:
                async for rows in blocks:
                    part: list[bytes] = []
                    for row in rows:
                        if kill_after is not None:
                            kill_after -= 1
                            if kill_after < 0:
                                await self._part(b"".join(part))
                                raise ConnectionKilledError
                        part.append(b"\xd1")
                        part += [encode(value) for encode, value in zip(encoders, row, strict=True)]
                    await self._part(b"".join(part))
        return tokens.done(token, 0, "select" if result.columns is not None else result.verb, result.count)

    async def _calls(self, content: bytes) -> bytes:
        last = b""
        for request in parameters.requests(content):
            if last:
                await self._part(_with_more(last))
            last = await self._call(request)
        return last

    async def _call(self, request: parameters.Request) -> bytes:
        name = request.procedure.lower().replace("[", "").replace("]", "").split(".")[-1]
        given = request.parameters
        end = tokens.return_status() + tokens.done(tokens.DONE_PROC)
        match name:
            case "sp_executesql":
                declared = given[1].value if len(given) > 1 else ""
                return await self._batch(given[0].value, _bind(declared, given[2:]), tokens.DONE_IN_PROC) + end
            case "sp_prepexec" | "sp_prepare":
                handle = next(self._handles)
                self._prepared[handle] = (given[2].value, given[1].value or "")
                body = b""
                if name == "sp_prepexec":
                    body = await self._batch(given[2].value, _bind(given[1].value, given[3:]), tokens.DONE_IN_PROC)
                return (
                    body
                    + tokens.return_status()
                    + tokens.return_integer(given[0].name, handle)
                    + tokens.done(tokens.DONE_PROC)
                )
            case "sp_execute":
                if given[0].value not in self._prepared:
                    raise SqlError(8179, f"Could not find prepared statement with handle {given[0].value}.")
                text, declared = self._prepared[given[0].value]
                return await self._batch(text, _bind(declared, given[1:]), tokens.DONE_IN_PROC) + end
            case "sp_unprepare":
                self._prepared.pop(given[0].value, None)
                return end
        marks = ", ".join(f"@{p.name} = @p{n}" if p.name else f"@p{n}" for n, p in enumerate(given))
        values = {f"p{n}": p.value for n, p in enumerate(given)}
        return await self._batch(f"EXEC {request.procedure} {marks}", values, tokens.DONE_IN_PROC) + end

    async def _transaction(self, content: bytes) -> bytes:
        """Transaction manager request: what drivers send for autocommit off, commit and rollback."""
        kind = struct.unpack_from("<H", content)[0]
        if kind == _BEGIN:
            await self._engine.begin()
            return tokens.transaction_began() + tokens.done()
        if kind not in (_COMMIT, _ROLLBACK):
            raise SqlError(40000, f"The transaction request {kind} is not simulated.")
        name_bytes = content[2]
        begin_again = bool(content[3 + name_bytes] & 1)
        await (self._engine.commit() if kind == _COMMIT else self._engine.rollback())
        answer = tokens.transaction_ended(committed=kind == _COMMIT)
        if begin_again:
            await self._engine.begin()
            answer += tokens.transaction_began()
        return answer + tokens.done()


async def _blocks(result: Result) -> AsyncGenerator[list[tuple[Any, ...]]]:
    """The rows of a result, some hundreds at a time."""
    if result.rows:
        yield result.rows
    if result.following is not None:
        async with contextlib.aclosing(result.following) as following:
            async for rows in following:
                yield rows


def _after_headers(content: bytes) -> bytes:
    """Cut off ALL_HEADERS, whose first four bytes are its length."""
    return content[struct.unpack_from("<I", content)[0] :]


def _with_more(answer: bytes) -> bytes:
    """Set the MORE bit in the DONE token (13 bytes) at the end of `answer`."""
    if len(answer) < 13:
        return answer
    head, last = answer[:-13], bytearray(answer[-13:])
    last[1] |= tokens.MORE
    return head + bytes(last)


def _bind(declared: str | None, given: list[parameters.Parameter]) -> dict[str, Any]:
    """Match values with the names of `@P1 int,@P2 nvarchar(10)`."""
    names = [part.split()[0].lstrip("@").lower() for part in split_commas(declared)] if declared else []
    return {parameter.name or names[index]: parameter.value for index, parameter in enumerate(given)}


async def serve_connection(host: SessionHost, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one accepted connection; the callback of `asyncio.start_server`."""
    channel = Channel(reader, writer)
    try:
        await Session(host, channel).run()
    except (PeerGoneError, ConnectionError, OSError):
        pass  # clients come and go; ssl.SSLError (a client that distrusts our certificate) is an OSError too
    finally:
        writer.close()
