"""Plays the acts of a scenario: as a person who works in FreshBooks and in AX, and as fate, who turns faults on.

FreshBooks is used through its own API with a person's token; AX through its simulator's control interface, since a
person there works in the client and not through services.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, cast

import httpx

from sandbox.demo import scenario as script
from sandbox.demo.scenario import Scenario, ScenarioError, taxes_of

Json = dict[str, Any]
_TIMEOUT_SECONDS = 20.0
_LOOK_SECONDS = 0.1
# Currencies without decimals: a price of 29.90 is asked as 30.
_WHOLE_CURRENCIES = frozenset({"JPY", "KRW", "CLP", "ISK", "VND"})
_FRESHBOOKS_FAULTS: dict[str, Json] = {
    "rate_limit": {"action": "respond", "status": 429, "retry_after_seconds": 1},
    "freshbooks_5xx": {"action": "respond", "status": 503, "html": True},
}
_DELIVERY_FAULTS = {"lose_webhook": "drop", "double_webhook": "duplicate"}
_AX_FAULTS = {"aif_deadlock": "deadlock", "aif_drop_after_commit": "drop_connection"}


@dataclass
class Touched:
    """When the script last touched a document, monotonic seconds, and what stood on it then."""

    kind: str
    name: str
    at: float
    marker_before: str | None = None


@dataclass
class Stagehand:
    """What the director knows of the documents it made; `touched` is keyed by (kind, FreshBooks id)."""

    clients: dict[str, int] = field(default_factory=dict)
    invoices: dict[str, int] = field(default_factory=dict)
    touched: dict[tuple[str, int], Touched] = field(default_factory=dict)
    renamed: dict[str, tuple[str, float]] = field(default_factory=dict)  # AX account → (new name, when)


class Director:
    """Plays one scenario."""

    def __init__(
        self,
        scenario: Scenario,
        freshbooks: Json,
        ax: Json,
        *,
        said: Callable[[str], None],
        marker_of: Callable[[str, int], str | None],
    ) -> None:
        self._scenario = scenario
        self._freshbooks = freshbooks
        self._ax = ax
        self._said = said
        self._marker_of = marker_of
        self._random = random.Random(scenario.seed)  # noqa: S311 - a script, not a secret
        self._generated = 0
        self.stage = Stagehand()
        headers = {"Authorization": f"Bearer {freshbooks['human_token']}"}
        base = f"{freshbooks['api_url']}/accounting/account/{freshbooks['account_id']}"
        self._api = httpx.Client(base_url=base, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._control = httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False)

    @property
    def steps(self) -> int:
        """Number of acts, a generated invoice counting as one each."""
        day = self._scenario.day
        return self._first_clients + sum(a.invoices if isinstance(a, script.SendInvoices) else 1 for a in day)

    @property
    def _first_clients(self) -> int:
        return sum(not client.later for client in self._scenario.clients)

    def play(self) -> None:
        """Play the whole day. Raises: ScenarioError when an end refuses an act."""
        for client in self._scenario.clients:
            if not client.later:
                self._create_client(client)
        for act in self._scenario.day:
            self._play(act)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._control.close()

    def _play(self, act: object) -> None:
        match act:
            case script.CreateClient(create_client=ref):
                self._create_client(self._scenario.client(ref))
            case script.SendInvoices():
                self._send_generated(act)
            case script.SendInvoice():
                self._create_invoice(act)
            case script.EditInvoice(edit=name, lines=lines):
                self._put_invoice(name, {"lines": self._lines(lines, self._currency_of(name))}, f"edits {name}")
            case script.MarkSent(send=name):
                self._put_invoice(name, {"action_mark_as_sent": True}, f"sends {name}")
            case script.DeleteInvoice(delete=name):
                self._put_invoice(name, {"vis_state": 1}, f"deletes {name}")
            case script.RenameCustomer():
                self._rename(act)
            case script.Fault():
                self._turn_on(act)
            case script.Pause(pause=seconds):
                time.sleep(seconds)

    def _create_client(self, client: script.Client) -> None:
        body = {
            "organization": client.organization,
            "fname": client.first_name,
            "lname": client.last_name,
            "email": client.email,
            "vat_number": client.vat or None,
            "currency_code": client.currency,
            "language": client.language,
            "p_street": client.street,
            "p_city": client.city,
            "p_code": client.postal_code,
            "p_country": client.country,
        }
        at = time.monotonic()
        made = self._call("POST", "/users/clients", {"client": body})["client"]
        self.stage.clients[client.ref] = made["id"]
        self._touch("client", made["id"], client.ref, at)
        self._step(f"FreshBooks: new client {client.organization or client.first_name}")

    def _send_generated(self, act: script.SendInvoices) -> None:
        refs = act.clients or [c.ref for c in self._scenario.clients if c.ref in self.stage.clients]
        if not self._scenario.catalog:
            raise ScenarioError("the act `invoices` needs a `catalog` in the scenario")
        for _ in range(act.invoices):
            self._generated += 1
            lines = self._random.sample(
                self._scenario.catalog, k=min(self._random.randint(1, 4), len(self._scenario.catalog))
            )
            discounted = act.discount_every and self._generated % act.discount_every == 0
            self._create_invoice(
                script.SendInvoice(
                    invoice=f"generated-{self._generated}",
                    client=self._random.choice(refs),
                    lines=lines,
                    discount=Decimal(10) if discounted else Decimal(0),
                )
            )

    def _create_invoice(self, act: script.SendInvoice) -> None:
        client = self._scenario.client(act.client)
        if act.client not in self.stage.clients:
            raise ScenarioError(f"invoice {act.invoice!r}: client {act.client!r} was not created yet")
        body = {
            "customerid": self.stage.clients[act.client],
            "create_date": date.today().isoformat(),  # noqa: DTZ011 - the day of the person who writes it
            "due_offset_days": act.days_to_pay,
            "currency_code": client.currency,
            "discount_value": str(act.discount),
            "po_number": act.po_number or None,
            "notes": act.notes,
            "lines": self._lines(act.lines, client.currency),
        }
        at = time.monotonic()
        made = self._call("POST", "/invoices/invoices", {"invoice": body})["invoice"]
        self.stage.invoices[act.invoice] = made["id"]
        if not act.draft:
            at = time.monotonic()
            self._call("PUT", f"/invoices/invoices/{made['id']}", {"invoice": {"action_mark_as_sent": True}})
        self._touch("invoice", made["id"], act.invoice, at)
        self._step(f"FreshBooks: {'drafts' if act.draft else 'sends'} invoice {made['invoice_number']} to {act.client}")

    def _put_invoice(self, name: str, fields: Json, what: str) -> None:
        invoice_id = self.stage.invoices[name]
        at = time.monotonic()
        self._touch("invoice", invoice_id, name, at)
        self._call("PUT", f"/invoices/invoices/{invoice_id}", {"invoice": fields})
        self._step(f"FreshBooks: {what}")

    def _rename(self, act: script.RenameCustomer) -> None:
        account = act.rename
        if account in self.stage.clients:
            account = self._customer_of(account)
        url = f"{self._ax['control_url']}/customers/{self._scenario.company}/{account}/rename"
        self.stage.renamed[account] = (act.to, time.monotonic())
        self._checked(self._control.post(url, json={"name": act.to}), "rename in AX")
        self._step(f"AX: renames {account} to {act.to}")

    def _customer_of(self, ref: str) -> str:
        """The AX customer of a client; waits until it has one, as a person would who looks for it in AX."""
        give_up = time.monotonic() + self._scenario.patience_seconds
        while (marker := self._marker_of("client", self.stage.clients[ref])) is None:
            if time.monotonic() > give_up:
                raise ScenarioError(f"rename: client {ref!r} got no AX customer in {self._scenario.patience_seconds} s")
            time.sleep(_LOOK_SECONDS)
        return marker

    def _turn_on(self, act: script.Fault) -> None:
        if act.fault in _FRESHBOOKS_FAULTS:
            limits: Json = {"for_seconds": act.seconds} if act.fault == "rate_limit" else {"count": act.count}
            rule = _FRESHBOOKS_FAULTS[act.fault] | limits | {"client_id": self._freshbooks["client_id"]}
            answer = self._control.post(f"{self._freshbooks['control_url']}/faults", json=rule)
        elif act.fault in _DELIVERY_FAULTS:
            # Both deliveries of a new invoice that is sent at once: create and update.
            rule = {"action": _DELIVERY_FAULTS[act.fault], "event": "invoice.*", "count": act.count * 2}
            answer = self._control.post(f"{self._freshbooks['control_url']}/delivery-rules", json=rule)
        else:
            rule = {"kind": _AX_FAULTS[act.fault], "service": "FreeTextInvoiceService", "count": act.count}
            answer = self._control.post(f"{self._ax['control_url']}/faults", json=rule)
        self._checked(answer, f"fault {act.fault}")
        self._step(f"Fault: {act.fault.replace('_', ' ')}")

    def _lines(self, lines: Sequence[script.Line], currency: str) -> list[Json]:
        return [self._line(line, currency) for line in lines]

    def _line(self, line: script.Line, currency: str) -> Json:
        price = line.price.quantize(Decimal(1)) if currency in _WHOLE_CURRENCIES and line.price >= 1 else line.price
        taxes = [self._scenario.taxes[name] for name in taxes_of(line)]
        body: Json = {
            "type": 0,
            "name": line.name,
            "description": line.description,
            "qty": str(line.quantity),
            "unit_cost": {"amount": str(price), "code": currency},
        }
        for number, tax in enumerate(taxes, start=1):
            body[f"taxName{number}"], body[f"taxAmount{number}"] = tax.name, str(tax.percent)
        return body

    def _currency_of(self, invoice: str) -> str:
        act = next(a for a in self._scenario.day if isinstance(a, script.SendInvoice) and a.invoice == invoice)
        return self._scenario.client(act.client).currency

    def _touch(self, kind: str, entity_id: int, name: str, at: float) -> None:
        self.stage.touched[kind, entity_id] = Touched(kind, name, at, self._marker_of(kind, entity_id))

    def _step(self, text: str) -> None:
        self._said(text)
        time.sleep(self._scenario.pace_seconds)

    def _call(self, method: str, path: str, body: Json) -> Json:
        answer = self._checked(self._api.request(method, path, json=body), f"{method} {path}")
        return cast("Json", answer.json()["response"]["result"])

    def _checked(self, answer: httpx.Response, what: str) -> httpx.Response:
        if answer.is_error:
            raise ScenarioError(f"{what}: the simulator refused it with {answer.status_code}: {answer.text[:300]}")
        return answer
