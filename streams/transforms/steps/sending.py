"""Steps that send: post (the command to the other end) and write_back (its reference, afterwards)."""

from __future__ import annotations

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
    link: Any = state.env[LINK]
    fields: Any = state.document
    if not fields:
        return Ignored("nothing_to_write")
    key = freshbooks_key(link["account_id"], link["kind"], link["freshbooks_id"])
    at = changed_at(state.subject)
    operation = FreshBooksOperation.UPDATE_CLIENT
    command = FreshBooksCommand(
        command_id=command_id("freshbooks", key, document_hash(fields), operation),
        operation=operation,
        account_id=link["account_id"],
        kind=link["kind"],
        entity_id=link["freshbooks_id"],
        fields=fields,
        reason=f"AX {state.source.kind} {getattr(state.subject, state.source.id_field)} changed",
        changed_at=at,
        owner_changed_at=at,
        issued_at=state.now,
    )
    state.freshbooks_commands.append(command)
    state.note = {"operation": operation.value, "fields": sorted(fields)}
    return None


def compile_write_back(declared: WriteBack, _place: str, _workshop: Workshop) -> StepRun:
    """Says what the confirmations agent does; there is nothing to do for the record itself."""

    def run(state: Run) -> None:
        state.note = "the AX reference is written back" if declared.reference else "nothing is written back"

    return run
