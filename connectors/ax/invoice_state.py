"""What is missing in AX for one FreshBooks invoice, decided from what AX holds. Pure.

The document service can only create. So a change is a reversal (everything negated) of the newest revision and a new
revision, in one call; a cancellation is the reversal alone. Each document says in CustomerRef what it is:

    FB:{account_id}:{invoice_id}:{revision}:{document_hash}     revision n
    FB:{account_id}:{invoice_id}:{revision}R:{document_hash}    the reversal of revision n

The decision is level-triggered: it compares the wanted document with these references, never with what we remember to
have sent. Hence a command may be repeated at any time and by anyone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.failures import PoisonError
from schemas.records import FreeTextInvoice

# CustInvoiceTable.CustomerRef is nvarchar(60) (reference ax-aif, section 7, CustRef).
REFERENCE_LENGTH = 60
_REFERENCE = re.compile(r"FB:(?P<account>.+):(?P<invoice>\d+):(?P<revision>[1-9]\d*)(?P<reversal>R?):(?P<hash>[^:]+)")


def reference_prefix(account_id: str, invoice_id: int) -> str:
    """What the references of all documents of one invoice begin with."""
    return f"FB:{account_id}:{invoice_id}:"


@dataclass(frozen=True, slots=True)
class Reference:
    """A CustomerRef of ours."""

    account_id: str
    invoice_id: int
    revision: int
    document_hash: str
    reversal: bool = False

    def __str__(self) -> str:
        mark = "R" if self.reversal else ""
        return f"{reference_prefix(self.account_id, self.invoice_id)}{self.revision}{mark}:{self.document_hash}"

    @classmethod
    def parse(cls, text: str) -> Reference | None:
        """The reference in `text`, None when it is not one of ours."""
        match = _REFERENCE.fullmatch(text.strip())
        if match is None:
            return None
        return cls(
            account_id=match["account"],
            invoice_id=int(match["invoice"]),
            revision=int(match["revision"]),
            document_hash=match["hash"],
            reversal=bool(match["reversal"]),
        )

    def reversed(self) -> Reference:
        """Reference of the reversal of this revision."""
        return Reference(self.account_id, self.invoice_id, self.revision, self.document_hash, reversal=True)


@dataclass(frozen=True, slots=True)
class Nothing:
    """AX holds what is wanted: `held`, or no open document where None."""

    held: Reference | None
    revision: int


@dataclass(frozen=True, slots=True)
class Create:
    """No open document: create this one."""

    reference: Reference


@dataclass(frozen=True, slots=True)
class Correct:
    """Another document is open: reverse it and create this one, in one call."""

    reversal: Reference
    reversed_document: FreeTextInvoice
    reference: Reference


@dataclass(frozen=True, slots=True)
class Cancel:
    """A document is open and none is wanted: reverse it."""

    reversal: Reference
    reversed_document: FreeTextInvoice


@dataclass(frozen=True, slots=True)
class Unknown:
    """A document is open that must be reversed, and nobody knows what it says."""

    held: Reference

    def failure(self) -> PoisonError:
        """As a failure of the command."""
        return PoisonError(
            "reversal_unknown",
            f"correcting invoice {self.held.invoice_id}: AX holds {self.held}, and the cross-reference does not know "
            "that document; correct it in AX by hand, then link it",
        )


Decision = Nothing | Create | Correct | Cancel | Unknown


def decide(
    *,
    account_id: str,
    invoice_id: int,
    wanted_hash: str | None,
    found: Iterable[str],
    known: Mapping[str, FreeTextInvoice],
) -> Decision:
    """What to do so that exactly the wanted document is open.

    `wanted_hash` is the hash of the wanted document, None when the invoice is cancelled. `found` are the CustomerRef
    values in AX (in any order, foreign ones are passed over), `known` the documents we know by their hash.

    Raises: PoisonError `invoice_doubled` (one revision twice, or two open), `reference_too_long`.
    """
    documents = [
        reference
        for reference in map(Reference.parse, found)
        if reference is not None and (reference.account_id, reference.invoice_id) == (account_id, invoice_id)
    ]
    _refuse_doubles(documents)
    reversed_revisions = {document.revision for document in documents if document.reversal}
    revisions = [document for document in documents if not document.reversal]
    open_ones = [document for document in revisions if document.revision not in reversed_revisions]
    if len(open_ones) > 1:
        raise _doubled(open_ones[0], "are both open")
    newest = max((document.revision for document in documents), default=0)
    held = open_ones[0] if open_ones else None
    if held is None:
        if wanted_hash is None:
            return Nothing(None, newest)
        return Create(_fitting(Reference(account_id, invoice_id, newest + 1, wanted_hash)))
    if held.document_hash == wanted_hash:
        return Nothing(held, newest)
    reversal = _reverse(held, known)
    if wanted_hash is None or isinstance(reversal, Unknown):
        return reversal
    reference = _fitting(Reference(account_id, invoice_id, newest + 1, wanted_hash))
    return Correct(reversal.reversal, reversal.reversed_document, reference)


def _reverse(held: Reference, known: Mapping[str, FreeTextInvoice]) -> Cancel | Unknown:
    document = known.get(held.document_hash)
    if document is None:
        return Unknown(held)
    return Cancel(_fitting(held.reversed()), document)


def _refuse_doubles(documents: list[Reference]) -> None:
    counted = Counter((document.revision, document.reversal) for document in documents)
    for document in documents:
        if counted[document.revision, document.reversal] > 1:
            raise _doubled(document, "is there more than once")


def _doubled(document: Reference, what: str) -> PoisonError:
    return PoisonError(
        "invoice_doubled",
        f"looking up invoice {document.invoice_id}: documents with reference {document} {what} in AX; reverse the "
        "superfluous one there and clear its customer reference",
    )


def _fitting(reference: Reference) -> Reference:
    if len(str(reference)) > REFERENCE_LENGTH:
        raise PoisonError(
            "reference_too_long",
            f"naming invoice {reference.invoice_id}: reference {reference} is longer than {REFERENCE_LENGTH}",
            field="account_id",
        )
    return reference
