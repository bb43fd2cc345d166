"""AX shall hold nothing: reverse what it holds, with the document that the cross-reference remembers."""

from __future__ import annotations

from typing import Any

from schemas.keys import command_id
from schemas.records import AxCommand, AxOperation, CrossReference, Record
from streams.transforms.decisions import Decision, Ignored, Ready
from streams.transforms.run import Run
from streams.transforms.targets import DOCUMENTS, AxDocument

_BY_ENTITY = {document.entity: document for document in DOCUMENTS.values()}


def reverse(run: Run, reason: str) -> Decision:
    """Ask AX to hold no document for this record; ignored when it is known that there is none.

    A create may still be on its way when nothing is held yet. The cancellation follows it in the same partition, and
    by then the sink knows the document.
    """
    link = run.own_link()
    held = None if link is None or link.cancelled else link
    if held is None and run.settled():
        return Ignored(reason)
    if held is not None:
        run.company = held.company
    document = _BY_ENTITY[held.entity] if held is not None else DOCUMENTS[run.target]
    if document.cancel is None:
        return Ignored(reason)
    remembered = None if held is None else getattr(held, document.field, None)
    digest = (held.document_hash if held is not None else None) or ""
    return Ready(ax_commands=(ax_command(run, document, document.cancel, digest, remembered, link),))


def ax_command(
    run: Run,
    document: AxDocument,
    operation: AxOperation,
    digest: str,
    content: Record | None,
    link: CrossReference | None,
) -> AxCommand:
    """The command for one document. `digest` is the content's hash, `link` what is known to be held or cancelled."""
    # A document that returns to an earlier content is a new command: the revision it follows tells them apart.
    version = digest if link is None else f"{digest}:{link.revision}"
    place: dict[str, Any] = {document.field: content}
    return AxCommand(
        command_id=command_id("ax", run.key, version, operation),
        operation=operation,
        company=run.in_company(),
        source=run.source.reference(run.subject),
        document_hash=digest,
        mapping_revision=run.revision,
        master_versions={} if operation is document.cancel else dict(run.used),
        issued_at=run.now,
        **place,
    )
