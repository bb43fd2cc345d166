"""Scenario files: a scripted business day as YAML. The format is told in sandbox/scenarios/README.md.

A scenario says what AX holds before the day, which clients exist, and the acts of the day in order. Everything that
is random (which client, how many lines) is drawn from the scenario's seed, so that a day can be played again.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class ScenarioError(Exception):
    """A scenario file that cannot be played; the message names file, place and remedy."""


class Part(BaseModel):
    """Base of every part: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Line(Part):
    """One invoice line. `tax` names a tax of the scenario's `taxes`; two taxes as a list."""

    name: str = ""
    description: str = ""
    quantity: Decimal = Decimal(1)
    price: Decimal
    tax: str | list[str] | None = None


class Tax(Part):
    """A FreshBooks tax: printed name and percent. Without `ax_group` AX has none, and no invoice with it passes."""

    name: str
    percent: Decimal
    ax_group: str | None = Field(None, max_length=10, description="Item sales tax group in AX.")


class TaxPair(Part):
    """Two taxes on one line, and the item sales tax group that AX has for both."""

    taxes: tuple[str, str]
    ax_group: str = Field(max_length=10)


class AxCustomer(Part):
    """A customer that AX holds before the day begins."""

    account: str
    name: str
    group: str = "10"
    currency: str
    vat: str = ""


class Client(Part):
    """A FreshBooks client, created when the day begins or by the act `create_client`."""

    ref: str
    organization: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    vat: str = ""
    currency: str
    country: str = ""
    city: str = ""
    street: str = ""
    postal_code: str = ""
    language: str = "en"
    later: bool = Field(False, description="Created by an act, not when the day begins.")


class CreateClient(Part):
    """Create the client `create_client` (one with `later: true`)."""

    create_client: str


class SendInvoice(Part):
    """Create an invoice and mark it as sent; `draft: true` leaves it a draft."""

    invoice: str = Field(description="Name of the invoice within the scenario.")
    client: str
    lines: list[Line] = Field(min_length=1)
    discount: Decimal = Decimal(0)
    days_to_pay: int = 30
    po_number: str = ""
    notes: str = ""
    draft: bool = False


class SendInvoices(Part):
    """Create and send `invoices` generated invoices for random clients among `clients` (all of them by default)."""

    invoices: int = Field(ge=1, le=5000)
    clients: list[str] = Field(default_factory=list)
    discount_every: int = Field(5, ge=0, description="Every so many invoices have a discount of 10 %; 0 for none.")


class EditInvoice(Part):
    """Replace the lines of an invoice."""

    edit: str
    lines: list[Line] = Field(min_length=1)


class MarkSent(Part):
    """Mark a draft as sent."""

    send: str


class DeleteInvoice(Part):
    """Delete an invoice, as FreshBooks does it: softly."""

    delete: str


class RenameCustomer(Part):
    """Rename a customer in AX."""

    rename: str = Field(description="AX account, or a client's ref.")
    to: str


FaultName = Literal[
    "rate_limit", "aif_deadlock", "aif_drop_after_commit", "lose_webhook", "double_webhook", "freshbooks_5xx"
]


class Fault(Part):
    """Turn a fault on: see sandbox/scenarios/README.md for the names."""

    fault: Literal[
        "rate_limit", "aif_deadlock", "lose_webhook", "double_webhook", "aif_drop_after_commit", "freshbooks_5xx"
    ]
    seconds: float = Field(1.0, gt=0, le=30)
    count: int = Field(1, ge=1, le=1000)


class Pause(Part):
    """Do nothing for so long."""

    pause: float = Field(gt=0, le=60)


Act = (
    CreateClient | SendInvoices | SendInvoice | EditInvoice | MarkSent | DeleteInvoice | RenameCustomer | Fault | Pause
)
_ACTS: dict[str, type[Part]] = {
    "create_client": CreateClient,
    "invoices": SendInvoices,
    "invoice": SendInvoice,
    "edit": EditInvoice,
    "send": MarkSent,
    "delete": DeleteInvoice,
    "rename": RenameCustomer,
    "fault": Fault,
    "pause": Pause,
}


class Scenario(Part):
    """A whole scenario."""

    scenario: str
    about: str = ""
    seed: int = 1
    company: str = "usmf"
    pace_seconds: float = Field(0.15, ge=0, le=10, description="Pause between two acts.")
    patience_seconds: float = Field(60, gt=0, le=3600, description="Longest wait for the last document.")
    ax_call_seconds: float = Field(0.15, ge=0, le=10, description="Duration of an AIF call.")
    taxes: dict[Annotated[str, Field(max_length=10)], Tax] = Field(default_factory=dict, description="By AX tax code.")
    tax_pairs: list[TaxPair] = Field(default_factory=list)
    catalog: list[Line] = Field(default_factory=list, description="Lines that generated invoices are made of.")
    ax_customers: list[AxCustomer] = Field(default_factory=list)
    clients: list[Client] = Field(default_factory=list)
    day: list[Annotated[Any, "Act"]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_known(self) -> Scenario:
        problems = list(_unknown_names(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def client(self, ref: str) -> Client:
        """The client of a ref."""
        return next(client for client in self.clients if client.ref == ref)


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario. Raises ScenarioError naming what is wrong and where."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ScenarioError(f"reading {path}: {error}") from error
    if not isinstance(content, dict):
        raise ScenarioError(f"reading {path}: a scenario is a mapping that begins with `scenario: <name>`")
    try:
        content["day"] = [_act(number, act) for number, act in enumerate(content.get("day") or (), start=1)]
        return Scenario.model_validate(content)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc'])) or 'scenario'}: {e['msg']}" for e in error.errors())
        raise ScenarioError(f"reading {path}: " + "; ".join(lines)) from error


def _act(number: int, content: Any) -> Part:
    kinds = [name for name in _ACTS if isinstance(content, dict) and name in content]
    if len(kinds) != 1:
        raise ScenarioError(f"act {number} of the day: one of {', '.join(_ACTS)} is expected, got {content!r}")
    return _ACTS[kinds[0]].model_validate(content)


def _unknown_names(scenario: Scenario) -> list[str]:
    refs = {client.ref for client in scenario.clients}
    accounts = {customer.account for customer in scenario.ax_customers}
    invoices: set[str] = set()
    problems = []
    for act in scenario.day:
        strangers = [ref for ref in _client_refs(act) if ref not in refs]
        problems += [f"client {ref!r} is not among the scenario's clients" for ref in strangers]
        if isinstance(act, SendInvoice):
            invoices.add(act.invoice)
        named = getattr(act, "edit", None) or getattr(act, "send", None) or getattr(act, "delete", None)
        if named is not None and named not in invoices:
            problems.append(f"invoice {named!r} is used before an act creates it")
        if isinstance(act, RenameCustomer) and act.rename not in refs | accounts:
            problems.append(f"{act.rename!r} is neither an AX account nor a client")
        for line in getattr(act, "lines", ()):
            problems += [
                f"tax {tax!r} is not among the scenario's taxes" for tax in taxes_of(line) if tax not in scenario.taxes
            ]
    return problems


def _client_refs(act: Any) -> list[str]:
    if isinstance(act, CreateClient):
        return [act.create_client]
    if isinstance(act, SendInvoice):
        return [act.client]
    return act.clients if isinstance(act, SendInvoices) else []


def taxes_of(line: Line) -> list[str]:
    """Names of a line's taxes, at most two as FreshBooks has it."""
    if line.tax is None:
        return []
    return [line.tax] if isinstance(line.tax, str) else line.tax[:2]
