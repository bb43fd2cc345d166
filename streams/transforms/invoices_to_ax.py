"""FreshBooks invoice → AX free-text invoice: the document that AX shall hold, or that it shall hold none.

Order of the steps: states in which AX holds nothing (`cancel`), filter, look up the client's customer, validate, map,
derive, convert (pricing.py), compare with what AX holds. What is missing parks the invoice; a changed one is sent
again, since the sink reverses the old document in the same call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from schemas.failures import PoisonError
from schemas.keys import ax_key, command_id, freshbooks_key
from schemas.records import (
    AxCommand,
    AxOperation,
    CrossReference,
    Customer,
    FreeTextInvoice,
    FreeTextInvoiceLine,
    Invoice,
    SourceRef,
)
from streams.transforms.decision_tables import DIMENSIONS, Derivation
from streams.transforms.decisions import Decision, Ignored, Lookups, Loss, ParkedFor, Ready
from streams.transforms.documents import document_hash
from streams.transforms.flow import Flow, Outcomes, Validation, check_currency, company_of, typed
from streams.transforms.mappings import MappingProgram
from streams.transforms.pricing import PricedLine, Pricing, price


@dataclass(frozen=True, slots=True)
class _Case:
    """One invoice on its way, with its cross-reference."""

    record: Mapping[str, Any]
    invoice: Invoice
    link: CrossReference | None
    settled: bool
    now: datetime

    @property
    def held(self) -> CrossReference | None:
        """The cross-reference of a document that AX holds and has not reversed."""
        return None if self.link is None or self.link.cancelled else self.link


@dataclass(frozen=True, kw_only=True)
class InvoicesToAx(Flow):
    """The compiled flow of invoices."""

    companies: Mapping[str, str]
    currencies: frozenset[str]
    cancel: Outcomes
    filter: Outcomes
    validation: Validation
    derivation: Derivation
    line_derivation: Derivation
    mapping: MappingProgram
    line_mapping: MappingProgram
    pricing: Pricing
    discount_account: str
    discount_description: str
    on_change: Literal["correct", "refuse"]

    def _decide(self, record: Mapping[str, Any], lookups: Lookups, now: datetime) -> Decision:
        invoice = typed(Invoice, record)
        place = (invoice.account_id, "invoice", invoice.invoice_id)
        case = _Case(record, invoice, lookups.xref(*place), lookups.settled(*place), now)
        env: dict[str, Any] = {"invoice": record}
        reason = self.cancel.reason(env)
        if reason is not None:
            return self._without_document(case, reason)
        reason = self.filter.reason(env)
        if reason is not None:
            return Ignored(reason)
        if not invoice.lines:
            raise PoisonError("no_lines", "reading the invoice: it has no lines; add one in FreshBooks", field="lines")
        company = company_of(invoice.account_id, self.companies)
        check_currency(invoice.currency_code, self.currencies)
        customer = _customer(invoice, company, lookups)
        if isinstance(customer, ParkedFor):
            return customer
        env["customer"] = msgspec.structs.asdict(customer)
        self.validation.check(env)
        losses: list[Loss] = []
        priced = price(invoice, self.pricing, losses)
        if not priced:
            return self._without_document(case, "nothing_to_post")
        document = self._document(case, priced, env, losses)
        return self._with_document(case, company, document, customer, losses)

    def _document(
        self, case: _Case, priced: Sequence[PricedLine], env: dict[str, Any], losses: list[Loss]
    ) -> FreeTextInvoice:
        env["derived"] = self.derivation.derive(env)
        values = self.mapping.apply(env, losses)
        return FreeTextInvoice(
            **values,
            dimensions=dict(env["derived"].get(DIMENSIONS) or {}),
            lines=tuple(self._line(line, case.record, env, losses) for line in priced),
            total=case.invoice.amount,
        )

    def _line(
        self, line: PricedLine, record: Mapping[str, Any], env: Mapping[str, Any], losses: list[Loss]
    ) -> FreeTextInvoiceLine:
        # A discount line has no line of FreshBooks behind it: expressions see its text as the line's name.
        is_discount = line.index is None
        source = {"name": self.discount_description} if line.index is None else record["lines"][line.index]
        line_env = {**env, "line": source}
        own = self.line_derivation.derive(line_env)
        line_env["derived"] = {**env["derived"], **own}
        place = "discount." if is_discount else f"lines.{line.index}."
        mapped = self.line_mapping.apply(line_env, losses, place)
        if is_discount:
            mapped["main_account"] = self.discount_account
        return FreeTextInvoiceLine(
            **mapped,
            quantity=line.quantity,
            unit_price=line.unit_price,
            amount=line.amount,
            tax_item_group=line.tax_item_group,
            tax_amount=line.tax_amount,
            dimensions=dict(own.get(DIMENSIONS) or {}),
        )

    def _with_document(
        self, case: _Case, company: str, document: FreeTextInvoice, customer: Customer, losses: list[Loss]
    ) -> Decision:
        digest, held = document_hash(document), case.held
        if held is not None:
            if held.document_hash == digest and case.settled:
                return Ignored("unchanged")
            if held.document_hash != digest and self.on_change == "refuse":
                raise PoisonError(
                    "changed_after_sync",
                    f"comparing with {held.company}/{held.ax_id}: the invoice changed after it reached AX, and this "
                    "flow corrects nothing; correct both by hand",
                )
        used = {ax_key(company, "customer", customer.account_number): customer.version}
        command = self._command(case, AxOperation.UPSERT_INVOICE, company, digest, document, used)
        return Ready(ax_commands=(command,), losses=losses)

    def _without_document(self, case: _Case, reason: str) -> Decision:
        """AX shall hold nothing: reverse what it holds, with the document that the cross-reference remembers.

        A create may still be on its way when nothing is held yet. The cancellation follows it in the same partition,
        and by then the sink knows the document.
        """
        held = case.held
        if held is None and case.settled:
            return Ignored(reason)
        company = held.company if held is not None else company_of(case.invoice.account_id, self.companies)
        digest = (held.document_hash if held is not None else None) or ""
        document = held.invoice if held is not None else None
        command = self._command(case, AxOperation.CANCEL_INVOICE, company, digest, document, {})
        return Ready(ax_commands=(command,))

    def _command(
        self,
        case: _Case,
        operation: AxOperation,
        company: str,
        digest: str,
        document: FreeTextInvoice | None,
        master_versions: dict[str, str],
    ) -> AxCommand:
        invoice = case.invoice
        key = freshbooks_key(invoice.account_id, "invoice", invoice.invoice_id)
        # An invoice that returns to an earlier content is a new command: the revision it follows tells them apart.
        content = digest if case.link is None else f"{digest}:{case.link.revision}"
        return AxCommand(
            command_id=command_id("ax", key, content, operation),
            operation=operation,
            company=company,
            source=SourceRef(
                account_id=invoice.account_id,
                kind="invoice",
                entity_id=invoice.invoice_id,
                version=invoice.version,
                content_hash=invoice.content_hash,
                changed_at=invoice.updated_at,
            ),
            document_hash=digest,
            invoice=document,
            mapping_revision=self.revision,
            master_versions=master_versions,
            issued_at=case.now,
        )


def _customer(invoice: Invoice, company: str, lookups: Lookups) -> Customer | ParkedFor:
    """The AX customer that is billed, or what the invoice waits for. Raises PoisonError `company_mismatch`."""
    client = lookups.xref(invoice.account_id, "client", invoice.client_id)
    if client is None:
        key = freshbooks_key(invoice.account_id, "client", invoice.client_id)
        return ParkedFor(f"xref {key}", "the client has no AX customer yet", fetch=("client", invoice.client_id))
    if client.company.lower() != company:
        raise PoisonError(
            "company_mismatch",
            f"looking up the customer: the client is linked in company {client.company}, its account belongs to "
            f"{company}; correct settings.companies or the cross-reference",
            field="client_id",
        )
    customer = lookups.customer(company, client.ax_id)
    if customer is None or customer.deleted:
        return ParkedFor(
            f"master {ax_key(company, 'customer', client.ax_id)}", "the customer has not arrived from AX yet"
        )
    return customer
