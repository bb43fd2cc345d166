"""FreshBooks client → AX customer: link one that AX knows, or create it.

AX owns customers. A client that is linked already is left alone; one that is not is looked for by the keys that the
flow declares, in their order. The first key that finds anything decides: one candidate is linked, several are a
question for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.failures import PoisonError
from schemas.keys import ax_key, command_id, freshbooks_key
from schemas.records import (
    AxCommand,
    AxOperation,
    Client,
    CrossReference,
    Customer,
    CustomerDocument,
    FreshBooksCommand,
    FreshBooksOperation,
    PartyType,
    PostalAddress,
    SourceRef,
)
from streams.transforms.decision_tables import DIMENSIONS, Derivation
from streams.transforms.decisions import Decision, Ignored, Lookups, Loss, Match, ParkedFor, Ready
from streams.transforms.documents import document_hash
from streams.transforms.expressions import Expression
from streams.transforms.flow import Flow, Outcomes, Validation, check_currency, company_of, typed
from streams.transforms.mappings import MappingProgram
from streams.transforms.matching import normalise

_ADDRESS = "address."
# Enough for a person to see the case; the message is no report.
_NAMED_CANDIDATES = 5


@dataclass(frozen=True, kw_only=True)
class ClientsToAx(Flow):
    """The compiled flow of clients."""

    companies: Mapping[str, str]
    currencies: frozenset[str]
    create_unknown: bool
    filter: Outcomes
    match: tuple[tuple[str, Expression], ...]
    derivation: Derivation
    mapping: MappingProgram
    validation: Validation

    def _decide(self, record: Mapping[str, Any], lookups: Lookups, now: datetime) -> Decision:
        client = typed(Client, record)
        env = {"client": record}
        if lookups.xref(client.account_id, "client", client.client_id) is not None:
            return Ignored("linked", "AX owns the customer")
        reason = self.filter.reason(env)
        if reason is not None:
            return Ignored(reason)
        company = company_of(client.account_id, self.companies)
        match = self._find(company, env, lookups)
        if match.candidates:
            return _linked(client, company, _chosen(client, company, match, lookups), match.matched_by, now)
        if not self.create_unknown:
            key = freshbooks_key(client.account_id, "client", client.client_id)
            return ParkedFor(f"xref {key}", "no AX customer matches, and this flow creates none: link it by hand")
        return self._created(client, company, env, now)

    def _find(self, company: str, env: Mapping[str, Any], lookups: Lookups) -> Match:
        for field_name, value in self.match:
            wanted = normalise(field_name, value.as_text(env))
            if not wanted:
                continue
            found = [row for row in lookups.customers_by(company, field_name, wanted) if not row.deleted]
            if found:
                return Match(found, field_name)
        return Match()

    def _created(self, client: Client, company: str, env: dict[str, Any], now: datetime) -> Ready:
        check_currency(client.currency_code, self.currencies)
        self.validation.check(env)
        losses: list[Loss] = []
        derived = self.derivation.derive(env)
        values = self.mapping.apply({**env, "derived": derived}, losses)
        document = _document(values, derived.get(DIMENSIONS) or {})
        digest = document_hash(document)
        key = freshbooks_key(client.account_id, "client", client.client_id)
        command = AxCommand(
            command_id=command_id("ax", key, digest, AxOperation.UPSERT_CUSTOMER),
            operation=AxOperation.UPSERT_CUSTOMER,
            company=company,
            source=SourceRef(
                account_id=client.account_id,
                kind="client",
                entity_id=client.client_id,
                version=client.version,
                content_hash=client.content_hash,
                changed_at=client.updated_at,
            ),
            document_hash=digest,
            customer=document,
            mapping_revision=self.revision,
            master_versions={},
            issued_at=now,
        )
        return Ready(ax_commands=(command,), losses=losses)


def _document(values: Mapping[str, Any], dimensions: Mapping[str, str]) -> CustomerDocument:
    fields = {name: value for name, value in values.items() if not name.startswith(_ADDRESS)}
    address = {name[len(_ADDRESS) :]: value for name, value in values.items() if name.startswith(_ADDRESS)}
    try:
        fields["party_type"] = PartyType(fields["party_type"])
    except ValueError as reason:
        raise PoisonError(
            "field_type",
            "mapping party_type: organization or person is needed; correct the mapping",
            field="party_type",
        ) from reason
    place = PostalAddress(**address) if any(address.values()) else None
    return CustomerDocument(**fields, address=place, dimensions=dict(dimensions))


def _chosen(client: Client, company: str, match: Match, lookups: Lookups) -> Customer:
    """The one candidate. Raises PoisonError when there are several, or when it belongs to another client."""
    if len(match.candidates) > 1:
        raise PoisonError(
            "ambiguous_customer",
            f"matching by {match.matched_by}: {_names(match.candidates)} all fit; link one of them by hand",
            field=match.matched_by,
        )
    customer = match.candidates[0]
    other = lookups.xref_by_ax(company, "customer", customer.account_number)
    if other is not None and (other.account_id, other.freshbooks_id) != (client.account_id, client.client_id):
        raise PoisonError(
            "customer_already_linked",
            f"matching by {match.matched_by}: {customer.account_number} belongs to client "
            f"{freshbooks_key(other.account_id, other.kind, other.freshbooks_id)}; merge the clients, or link by hand",
            field=match.matched_by,
        )
    return customer


def _names(candidates: Sequence[Customer]) -> str:
    numbers = sorted(row.account_number for row in candidates)
    rest = len(numbers) - _NAMED_CANDIDATES
    named = ", ".join(numbers[:_NAMED_CANDIDATES])
    return f"{named} and {rest} more" if rest > 0 else named


def _linked(client: Client, company: str, customer: Customer, matched_by: str, now: datetime) -> Ready:
    link = CrossReference(
        account_id=client.account_id,
        kind="client",
        freshbooks_id=client.client_id,
        company=company,
        entity="customer",
        ax_id=customer.account_number,
        linked_by=matched_by,
        revision=0,
        linked_at=now,
    )
    reference = f"{company}/{customer.account_number}"
    key = freshbooks_key(client.account_id, "client", client.client_id)
    write = FreshBooksCommand(
        command_id=command_id("freshbooks", key, reference, FreshBooksOperation.WRITE_REFERENCE),
        operation=FreshBooksOperation.WRITE_REFERENCE,
        account_id=client.account_id,
        kind="client",
        entity_id=client.client_id,
        reference=reference,
        fields={},
        reason=f"matched {ax_key(company, 'customer', customer.account_number)} by {matched_by}",
        changed_at=client.updated_at,
        issued_at=now,
    )
    return Ready(links=(link,), freshbooks_commands=(write,))
