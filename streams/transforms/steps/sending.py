"""Steps that send: post (the command to the other end) and write_back (its reference, afterwards)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.failures import PoisonError
from schemas.keys import command_id, freshbooks_key
from schemas.records import FreshBooksCommand, FreshBooksOperation, Record
from streams.transforms.decisions import Decision, Ignored
from streams.transforms.documents import document_hash
from streams.transforms.run import Run, StepRun
from streams.transforms.sources import changed_at
from streams.transforms.step_declarations import Post, WriteBack
from streams.transforms.steps.reversal import ax_command
from streams.transforms.steps.workshop import Workshop
from streams.transforms.targets import DOCUMENTS

LINK = "link"


def compile_post(declared: Post, place: str, workshop: Workshop) -> StepRun:
    """The command for the document that `map` made."""
    if not workshop.target:
        workshop.problems.add(place, "there is no document to post", "put a step map before it")
    if workshop.target in DOCUMENTS:
        return _to_ax(declared.on_change)
    if workshop.target and LINK not in workshop.roots:
        workshop.problems.add(place, "it is not known which FreshBooks record to write", "look up `as: link, in: xref`")
    return _to_freshbooks


def _to_ax(on_change: str) -> StepRun:
    def run(state: Run) -> Decision | None:
        document, content = DOCUMENTS[state.target], state.document
        if not isinstance(content, Record):
            raise AssertionError("compiled only behind a map that makes a record")
        digest = document_hash(content)
        link = state.own_link()
        held = None if link is None or link.cancelled else link
        if held is not None:
            if held.document_hash == digest and state.settled():
                return Ignored("unchanged")
            if held.document_hash != digest and on_change == "ignore":
                return Ignored("changed_after_sync", f"{held.company}/{held.ax_id} stays as it is")
            if held.document_hash != digest and on_change == "refuse":
                raise PoisonError(
                    "changed_after_sync",
                    f"comparing with {held.company}/{held.ax_id}: the {state.source.kind} changed after it reached "
                    "AX, and this flow corrects nothing; correct both by hand",
                )
        command = ax_command(state, document, document.upsert, digest, content, link)
        state.ax_commands.append(command)
        state.note = {"operation": command.operation.value, "company": command.company, "document_hash": digest}
        return None

    return run


def _to_freshbooks(state: Run) -> Decision | None:
    fields: Any = state.document
    if not fields:
        return Ignored("nothing_to_write")
    link = state.env.get(LINK)
    command = _creation(state, fields) if link is None else _update(state, fields, link)
    state.freshbooks_commands.append(command)
    state.note = {"operation": command.operation.value, "key": command.key, "fields": sorted(fields)}
    return None


def _update(state: Run, fields: dict[str, str], link: dict[str, Any]) -> FreshBooksCommand:
    """The client that is linked gets what the owner says."""
    operation = FreshBooksOperation.UPDATE_CLIENT
    key = freshbooks_key(link["account_id"], link["kind"], link["freshbooks_id"])
    at = changed_at(state.subject)
    return FreshBooksCommand(
        command_id=command_id("freshbooks", key, document_hash(fields), operation),
        operation=operation,
        account_id=link["account_id"],
        kind=link["kind"],
        entity_id=link["freshbooks_id"],
        fields=fields,
        reason=f"AX {state.source.kind} {_ax_id(state)} changed",
        changed_at=at,
        owner_changed_at=at,
        issued_at=state.now,
    )


def _creation(state: Run, fields: dict[str, str]) -> FreshBooksCommand:
    """A client for what has none. The sink looks for our reference before it creates, so a repeat makes no second."""
    company = state.subject.company.lower()
    account = _account_of(company, state.companies)
    operation, reference = FreshBooksOperation.UPSERT_CLIENT, f"{company}/{_ax_id(state)}"
    key = freshbooks_key(account, "client", reference)
    at = changed_at(state.subject)
    return FreshBooksCommand(
        command_id=command_id("freshbooks", key, document_hash(fields), operation),
        operation=operation,
        account_id=account,
        kind="client",
        reference=reference,
        fields=fields,
        reason=f"AX {state.source.kind} {_ax_id(state)} has no client",
        changed_at=at,
        owner_changed_at=at,
        issued_at=state.now,
    )


def _ax_id(state: Run) -> str:
    return str(getattr(state.subject, state.source.id_field))


def _account_of(company: str, companies: Mapping[str, str]) -> str:
    """The one FreshBooks account of a company. Raises PoisonError `account_not_clear`."""
    accounts = [account for account, of_company in companies.items() if of_company == company]
    if len(accounts) != 1:
        found = ", ".join(accounts) or "none"
        raise PoisonError(
            "account_not_clear",
            f"finding the FreshBooks account of company {company}: {found}; name one in settings.companies of the flow",
            field="company",
        )
    return accounts[0]


def compile_write_back(declared: WriteBack, _place: str, _workshop: Workshop) -> StepRun:
    """Says what the confirmations agent does; there is nothing to do for the record itself."""

    def run(state: Run) -> None:
        state.note = "the AX reference is written back" if declared.reference else "nothing is written back"

    return run
