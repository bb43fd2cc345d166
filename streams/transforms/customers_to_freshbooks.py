"""AX customer → FreshBooks client: what AX owns reaches the client that is linked to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.keys import command_id, freshbooks_key
from schemas.records import Customer, FreshBooksCommand, FreshBooksOperation
from streams.transforms.decisions import Decision, Ignored, Lookups, Loss, Ready
from streams.transforms.documents import document_hash
from streams.transforms.flow import Flow, Outcomes, Validation, typed
from streams.transforms.mappings import MappingProgram


@dataclass(frozen=True, kw_only=True)
class CustomersToFreshBooks(Flow):
    """The compiled flow of AX customers."""

    filter: Outcomes
    mapping: MappingProgram
    validation: Validation

    def _decide(self, record: Mapping[str, Any], lookups: Lookups, now: datetime) -> Decision:
        customer = typed(Customer, record)
        env = {"customer": record}
        reason = self.filter.reason(env)
        if reason is not None:
            return Ignored(reason)
        link = lookups.xref_by_ax(customer.company, "customer", customer.account_number)
        if link is None:
            return Ignored("not_linked", "no FreshBooks client belongs to it")
        self.validation.check(env)
        losses: list[Loss] = []
        # A field that AX leaves empty is not sent: emptiness there is no wish to clear it here.
        fields = {name: value for name, value in self.mapping.apply(env, losses).items() if value is not None}
        if not fields:
            return Ignored("nothing_to_write")
        key = freshbooks_key(link.account_id, link.kind, link.freshbooks_id)
        command = FreshBooksCommand(
            command_id=command_id("freshbooks", key, document_hash(fields), FreshBooksOperation.UPDATE_CLIENT),
            operation=FreshBooksOperation.UPDATE_CLIENT,
            account_id=link.account_id,
            kind=link.kind,
            entity_id=link.freshbooks_id,
            fields=fields,
            reason=f"AX customer {customer.account_number} changed",
            changed_at=customer.changed_at,
            owner_changed_at=customer.changed_at,
            issued_at=now,
        )
        return Ready(freshbooks_commands=(command,), losses=losses)
