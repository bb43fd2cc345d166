"""Reconciliation of a day: what FreshBooks and AX really hold at the end, document by document. Pure.

Nothing here believes the pipeline: a document counts as synced when AX holds it with the same customer, currency and
total, once, and its AX reference stands on the FreshBooks record. What the pipeline set aside (DLQ, parked) only
explains a document that is missing in AX; it never excuses one that is there twice or with another amount.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

# The natural key that the pipeline gives a free-text invoice (README, topics and keys).
_REFERENCE = re.compile(r"^FB:(?P<account>[^:]+):(?P<id>\d+):(?P<revision>\d+)(?P<reversal>R?):(?P<hash>[0-9a-f]+)$")
_MARKER = re.compile(r"\[AX:(?P<company>[^/\]]+)/(?P<ax_id>[^\]]+)\]")
ZERO = Decimal(0)
# AX cuts a party's name here.
_AX_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class FreshBooksClient:
    """A client as FreshBooks holds it."""

    client_id: int
    organization: str
    first_name: str
    last_name: str
    email: str
    vat: str
    note: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class FreshBooksInvoice:
    """An invoice as FreshBooks holds it."""

    invoice_id: int
    client_id: int
    number: str
    currency: str
    total: Decimal
    draft: bool
    deleted: bool
    po_number: str
    notes: str


@dataclass(frozen=True, slots=True)
class AxCustomer:
    """A customer as AX holds it."""

    company: str
    account: str
    name: str
    vat: str
    our_account_number: str


@dataclass(frozen=True, slots=True)
class AxInvoice:
    """A free-text invoice as AX holds it; `total` with tax."""

    company: str
    rec_id: int
    account: str
    currency: str
    customer_ref: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class SetAside:
    """What the pipeline says of a document that it could not carry over."""

    outcome: str  # dead_lettered or parked
    reason: str


@dataclass(frozen=True, slots=True)
class Document:
    """What became of one document."""

    kind: str
    freshbooks_id: int
    name: str
    ax_id: str | None
    outcome: str  # synced, parked, dead_lettered, ignored, lost, duplicated, mismatched
    reason: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """Totals of one customer in one currency, over the documents that are not set aside."""

    company: str
    customer: str
    currency: str
    freshbooks: Decimal
    ax: Decimal


@dataclass(frozen=True, slots=True)
class Ledger:
    """Result of a reconciliation."""

    documents: Sequence[Document]
    totals: Sequence[Total]
    strangers: Sequence[str] = field(default=())  # AX invoices of ours that no FreshBooks invoice explains

    def count(self, outcome: str) -> int:
        """Number of documents with an outcome."""
        return sum(document.outcome == outcome for document in self.documents)

    @property
    def agrees(self) -> bool:
        """True when nothing is lost, doubled or different, nothing waits, and every total is equal."""
        wrong = sum(self.count(outcome) for outcome in ("lost", "duplicated", "mismatched", "parked"))
        return wrong == 0 and not self.strangers and all(total.freshbooks == total.ax for total in self.totals)


def reconcile(
    *,
    clients: Sequence[FreshBooksClient],
    invoices: Sequence[FreshBooksInvoice],
    customers: Sequence[AxCustomer],
    ax_invoices: Sequence[AxInvoice],
    set_aside: Mapping[tuple[str, int], SetAside],
    company: str,
) -> Ledger:
    """Compare both ends. `set_aside` is keyed by (kind, FreshBooks id)."""
    accounts = {customer.account: customer for customer in customers}
    documents = [_client(client, accounts, customers, set_aside) for client in clients]
    account_of = {client.client_id: _marked_id(client.note) for client in clients}
    by_invoice: dict[int, list[AxInvoice]] = defaultdict(list)
    for ax_invoice in ax_invoices:
        if (match := _REFERENCE.match(ax_invoice.customer_ref)) is not None:
            by_invoice[int(match["id"])].append(ax_invoice)
    totals: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for invoice in invoices:
        found = by_invoice.pop(invoice.invoice_id, [])
        document = _invoice(invoice, found, account_of.get(invoice.client_id), set_aside)
        documents.append(document)
        place = (account_of.get(invoice.client_id) or f"client {invoice.client_id}", invoice.currency)
        if not invoice.draft and not invoice.deleted and document.outcome not in ("dead_lettered", "parked"):
            totals[place][0] += invoice.total
        for ax_invoice in found:
            totals[ax_invoice.account, ax_invoice.currency][1] += ax_invoice.total
    strangers = [f"{i.customer_ref} (RecId {i.rec_id})" for rest in by_invoice.values() for i in rest]
    rows = [Total(company, customer, currency, *sums) for (customer, currency), sums in sorted(totals.items())]
    return Ledger(documents, rows, strangers)


def _client(
    client: FreshBooksClient,
    accounts: Mapping[str, AxCustomer],
    customers: Sequence[AxCustomer],
    set_aside: Mapping[tuple[str, int], SetAside],
) -> Document:
    def result(outcome: str, reason: str = "", ax_id: str | None = None) -> Document:
        return Document("client", client.client_id, _name(client), ax_id, outcome, reason)

    aside = set_aside.get(("client", client.client_id))
    if client.deleted:
        return result("ignored", "deleted")
    account = _marked_id(client.note)
    customer = accounts.get(account or "")
    if customer is None:
        if aside is not None:
            return result(aside.outcome, aside.reason)
        return result("lost", "no AX customer stands on it" if account is None else f"AX has no customer {account}")
    ours = customer.our_account_number
    twins = [c.account for c in customers if c is not customer and ours and c.our_account_number == ours]
    if twins:
        return result("duplicated", f"AX has it as {customer.account} and {', '.join(twins)}", customer.account)
    if not _same_party(client, customer):
        return result("mismatched", f"AX customer {customer.account} is called {customer.name!r}", customer.account)
    return result("synced", "", customer.account)


def _name(client: FreshBooksClient) -> str:
    return client.organization or f"{client.first_name} {client.last_name}".strip() or client.email


def _same_party(client: FreshBooksClient, customer: AxCustomer) -> bool:
    """The AX name is the client's, whole or cut to AX's length (then with a hash at its end)."""
    wanted = _folded(_name(client))
    have = _folded(customer.name)
    return have == wanted or (len(customer.name) == _AX_NAME_LENGTH and wanted.startswith(have[:80]))


def _invoice(
    invoice: FreshBooksInvoice,
    found: Sequence[AxInvoice],
    account: str | None,
    set_aside: Mapping[tuple[str, int], SetAside],
) -> Document:
    def result(outcome: str, reason: str = "", ax_id: str | None = None) -> Document:
        return Document("invoice", invoice.invoice_id, invoice.number, ax_id, outcome, reason)

    repeated = [ref for ref, count in Counter(one.customer_ref for one in found).items() if count > 1]
    live = _live(found)
    if repeated or len(live) > 1:
        return result("duplicated", f"AX has {', '.join(repeated) or 'several live revisions'} more than once")
    net = sum((one.total for one in found), ZERO)
    if invoice.draft or invoice.deleted:
        reason = "draft" if invoice.draft else "deleted"
        return result("ignored", reason) if net == ZERO else result("mismatched", f"{reason}, but AX has {net}")
    if not live:
        aside = set_aside.get(("invoice", invoice.invoice_id))
        return result(aside.outcome, aside.reason) if aside else result("lost", "AX does not have it")
    (only,) = live
    difference = _difference(invoice, only, net, account)
    return result("mismatched" if difference else "synced", difference, str(only.rec_id))


def _live(found: Sequence[AxInvoice]) -> list[AxInvoice]:
    """Revisions that no reversal has taken back."""
    revisions: dict[int, AxInvoice] = {}
    reversed_revisions: set[int] = set()
    for one in found:
        match = _REFERENCE.match(one.customer_ref)
        if match is None:
            continue
        if match["reversal"]:
            reversed_revisions.add(int(match["revision"]))
        else:
            revisions[int(match["revision"])] = one
    return [one for number, one in revisions.items() if number not in reversed_revisions]


def _difference(invoice: FreshBooksInvoice, ax: AxInvoice, net: Decimal, account: str | None) -> str:
    """The first thing that is different, empty when nothing is."""
    if ax.currency != invoice.currency:
        return f"currency: FreshBooks {invoice.currency}, AX {ax.currency}"
    if net != invoice.total:
        return f"total: FreshBooks {invoice.total}, AX {net}"
    if account is not None and ax.account != account:
        return f"customer: FreshBooks {account}, AX {ax.account}"
    marked = _marked_id(invoice.po_number) or _marked_id(invoice.notes)
    if marked != str(ax.rec_id):
        return f"reference on the FreshBooks invoice: {marked or 'none'}, AX {ax.rec_id}"
    return ""


def _marked_id(text: str) -> str | None:
    match = _MARKER.search(text or "")
    return match["ax_id"] if match else None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
