"""The control API below `/_control`: switches, faults, scenario acts, the end state. No part of the simulated AX."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.ax.app import AifApplication
from sandbox.ax.capture import CaptureControl
from sandbox.ax.chaos import Fault
from sandbox.ax.config import Blocked, Strict, Switches
from sandbox.ax.model import acts, state
from sandbox.ax.model.batch import Batch
from sandbox.ax.model.database import AxDatabase, Transaction
from sandbox.ax.model.faults import AifError
from sandbox.ax.soap.operations import Clock

PREFIX = "/_control"


class PostRequest(Strict, frozen=True):
    """Body of POST /post: which documents to post; no RecIds means all of the company (or of all companies)."""

    company: str = ""
    rec_ids: tuple[int, ...] | None = None


class RenameRequest(Strict, frozen=True):
    """Body of POST /customers/{company}/{account}/rename."""

    name: str


class AccountRequest(Strict, frozen=True):
    """Body of PATCH /customers/{company}/{account} and /vendors/…: what is not given stays."""

    blocked: Blocked | None = None
    credit_max: str | None = None


class PeriodRequest(Strict, frozen=True):
    """Body of POST /periods: `month` as `2026-01`."""

    company: str
    month: str
    status: Literal["Open", "OnHold", "Closed"]


class RestartRequest(Strict, frozen=True):
    """Body of POST /restart: how long every answer is 503."""

    for_seconds: float


class CaptureRequest(Strict, frozen=True):
    """Body of POST /capture: start or stop the capture job, change its polling interval, scan at once."""

    running: bool | None = None
    interval_seconds: float | None = None
    scan: bool = False


class Control:
    """The endpoints. Wrong bodies get 422 with the reason."""

    def __init__(
        self,
        application: AifApplication,
        database: AxDatabase,
        batch: Batch,
        clock: Clock,
        capture: CaptureControl | None,
    ) -> None:
        self._application = application
        self._database = database
        self._batch = batch
        self._clock = clock
        self._capture = capture

    def routes(self) -> list[Route]:
        """Return the routes of the control API."""
        table: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
            ("/state", "GET", self.state),
            ("/switches", "GET", self.switches),
            ("/switches", "PATCH", self.change_switches),
            ("/faults", "GET", self.list_faults),
            ("/faults", "POST", self.add_fault),
            ("/faults", "DELETE", self.clear_faults),
            ("/restart", "POST", self.restart),
            ("/calls", "GET", self.calls),
            ("/post", "POST", self.post),
            ("/invoices", "POST", self.make_invoice),
            ("/payments", "POST", self.make_payment),
            ("/rates", "POST", self.set_rate),
            ("/periods", "POST", self.period),
            ("/{kind}/{company}/{account}", "PATCH", self.change_account),
            ("/{kind}/{company}/{account}/rename", "POST", self.rename),
            ("/capture", "GET", self.capture_state),
            ("/capture", "POST", self.capture),
            ("/sql/faults", "GET", self.sql_faults),
            ("/sql/faults", "POST", self.add_sql_fault),
            ("/sql/faults", "DELETE", self.clear_sql_faults),
        )
        return [Route(PREFIX + path, _checked(handler), methods=[method]) for path, method, handler in table]

    async def state(self, _request: Request) -> Response:
        """GET /state: everything stored."""
        return JSONResponse(await anyio.to_thread.run_sync(state.snapshot, self._database, self._clock()))

    async def switches(self, _request: Request) -> Response:
        """GET /switches."""
        return JSONResponse(msgspec.to_builtins(self._application.switches))

    async def change_switches(self, request: Request) -> Response:
        """PATCH /switches: change some; unknown names and values are refused."""
        merged = msgspec.to_builtins(self._application.switches) | msgspec.json.decode(await request.body())
        changed = msgspec.convert(merged, Switches)
        for name in Switches.__struct_fields__:
            setattr(self._application.switches, name, getattr(changed, name))
        return JSONResponse(msgspec.to_builtins(self._application.switches))

    async def list_faults(self, _request: Request) -> Response:
        """GET /faults: those that still fire."""
        return JSONResponse(msgspec.to_builtins(self._application.faults.pending()))

    async def add_fault(self, request: Request) -> Response:
        """POST /faults."""
        fault = self._application.faults.add(msgspec.json.decode(await request.body(), type=Fault))
        return JSONResponse(msgspec.to_builtins(fault), 201)

    async def clear_faults(self, _request: Request) -> Response:
        """DELETE /faults."""
        self._application.faults.clear()
        return Response(status_code=204)

    async def restart(self, request: Request) -> Response:
        """POST /restart: as when any port of the AOS is activated, all ports answer 5xx for a while."""
        wanted = msgspec.json.decode(await request.body(), type=RestartRequest)
        self._application.restart_until = time.monotonic() + wanted.for_seconds
        return Response(status_code=204)

    async def calls(self, _request: Request) -> Response:
        """GET /calls: counters by operation and outcome."""
        return JSONResponse(self._application.counters.calls)

    async def post(self, request: Request) -> Response:
        """POST /post: AX's batch posts free-text invoices and journals."""
        wanted = msgspec.json.decode(await request.body() or b"{}", type=PostRequest)
        companies = (wanted.company,) if wanted.company else ()
        return JSONResponse(await anyio.to_thread.run_sync(self._batch.run, companies, wanted.rec_ids))

    async def make_invoice(self, request: Request) -> Response:
        """POST /invoices: a free-text invoice made and posted in AX by hand."""
        act = msgspec.json.decode(await request.body(), type=acts.InvoiceAct)
        return await self._made(act.company, lambda transaction: acts.create_invoice(transaction, act))

    async def make_payment(self, request: Request) -> Response:
        """POST /payments: a customer's payment entered and posted in AX by hand."""
        act = msgspec.json.decode(await request.body(), type=acts.PaymentAct)
        books = self._batch.books(act.company)
        return await self._made(act.company, lambda transaction: acts.create_payment(transaction, act, books))

    async def _made(self, company: str, make: Callable[[Transaction], int]) -> Response:
        """Make a document and post it: both as a person would, at once. 409 with the reason when AX refuses it."""

        def run() -> dict[str, Any]:
            with self._database.transaction(company, self._clock()) as transaction:
                made = make(transaction)
            return {"rec_id": made, **self._batch.run((company,), (made,))}

        return await _unless_refused(run)

    async def set_rate(self, request: Request) -> Response:
        """POST /rates: an exchange rate entered by hand."""
        act = msgspec.json.decode(await request.body(), type=acts.RateAct)

        def run() -> dict[str, Any]:
            with self._database.transaction("", self._clock()) as transaction:
                acts.set_rate(transaction, act)
            return {}

        return await _unless_refused(run)

    async def period(self, request: Request) -> Response:
        """POST /periods: opens, holds or closes a fiscal period."""
        wanted = msgspec.json.decode(await request.body(), type=PeriodRequest)

        def run() -> bool:
            with self._database.transaction(wanted.company, self._clock()) as transaction:
                return acts.set_period(transaction, wanted.month, wanted.status)

        return Response(status_code=204 if await anyio.to_thread.run_sync(run) else 404)

    async def change_account(self, request: Request) -> Response:
        """PATCH /customers/… and /vendors/…: puts an account on hold, sets its credit limit."""
        wanted = msgspec.json.decode(await request.body(), type=AccountRequest)
        kind, company, account = (request.path_params[name] for name in ("kind", "company", "account"))

        def run() -> bool:
            with self._database.transaction(company, self._clock()) as transaction:
                return acts.change_account(transaction, kind, account, wanted.blocked, wanted.credit_max)

        return Response(status_code=204 if await anyio.to_thread.run_sync(run) else 404)

    async def rename(self, request: Request) -> Response:
        """POST /customers/{company}/{account}/rename, and /vendors/…: the name lives on DIRPARTYTABLE alone."""
        name = msgspec.json.decode(await request.body(), type=RenameRequest).name
        kind, company, account = (request.path_params[part] for part in ("kind", "company", "account"))

        def run() -> bool:
            with self._database.transaction(company, self._clock()) as transaction:
                return acts.rename(transaction, kind, account, name)

        return Response(status_code=204 if await anyio.to_thread.run_sync(run) else 404)

    async def capture_state(self, _request: Request) -> Response:
        """GET /capture."""
        return JSONResponse(self._sql().state())

    async def capture(self, request: Request) -> Response:
        """POST /capture."""
        wanted = msgspec.json.decode(await request.body(), type=CaptureRequest)
        await self._sql().change(wanted.running, wanted.interval_seconds, scan=wanted.scan)
        return JSONResponse(self._sql().state())

    async def sql_faults(self, _request: Request) -> Response:
        """GET /sql/faults: faults of the SQL Server stand-in that still fire."""
        return JSONResponse(self._sql().faults())

    async def add_sql_fault(self, request: Request) -> Response:
        """POST /sql/faults: passed to the SQL Server stand-in."""
        self._sql().add_fault(msgspec.json.decode(await request.body()))
        return JSONResponse(self._sql().faults(), 201)

    async def clear_sql_faults(self, _request: Request) -> Response:
        """DELETE /sql/faults."""
        self._sql().clear_faults()
        return Response(status_code=204)

    def _sql(self) -> CaptureControl:
        if self._capture is None:
            raise ValueError("this simulator runs without the SQL Server stand-in")
        return self._capture


async def _unless_refused(run: Callable[[], dict[str, Any]]) -> Response:
    try:
        return JSONResponse(await anyio.to_thread.run_sync(run), 201)
    except AifError as error:
        return JSONResponse({"error": str(error)}, 409)


def _checked(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 422)

    return endpoint
