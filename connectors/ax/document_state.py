"""What is missing in AX for one FreshBooks document, decided from what AX holds. Pure.

The document services can only create. So a change is a reversal (everything negated) of the newest revision and a new
revision, in one call; a cancellation is the reversal alone. Each document says what it is, a free-text invoice in
CustomerRef, a journal in its Name:

    FB:{account_id}:{document}:{revision}:{document_hash}     revision n
    FB:{account_id}:{document}:{revision}R:{document_hash}    the reversal of revision n

`document` is the FreshBooks id behind a code of its kind (`9001` an invoice, `CN17` a credit note, `EX7001` an
expense): kinds count by themselves.

The decision is level-triggered: it compares the wanted document with these references, never with what we remember to
have sent. Hence a command may be repeated at any time and by anyone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.failures import PoisonError
from schemas.records import FreeTextInvoice, LedgerJournal

# CustInvoiceTable.CustomerRef and LedgerJournalTable.Name are nvarchar(60) (reference ax-aif, section 7).
REFERENCE_LENGTH = 60
# Never change one: AX keeps them. An invoice has none, as before there were others.
KIND_CODES = {
    "invoice": "",
    "credit_note": "CN",
    "payment": "PM",
    "expense": "EX",
    "bill": "BL",
    "bill_payment": "BP",
}
_REFERENCE = re.compile(
    r"FB:(?P<account>.+):(?P<document>[A-Z]*\d+):(?P<revision>[1-9]\d*)(?P<reversal>R?):(?P<hash>[^:]+)"
)

Document = FreeTextInvoice | LedgerJournal


def document_of(kind: str, entity_id: int) -> str:
    """The middle part of the references of a FreshBooks document. Raises: PoisonError for a kind without documents."""
    code = KIND_CODES.get(kind)
    if code is None:
        raise PoisonError("kind_unsupported", f"naming {kind} {entity_id}: AX has no document for that kind")
    return f"{code}{entity_id}"


def reference_prefix(account_id: str, document: str) -> str:
    """What the references of all revisions of one document begin with."""
    return f"FB:{account_id}:{document}:"


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference of ours."""

    account_id: str
    document: str
    revision: int
    document_hash: str
    reversal: bool = False

    def __str__(self) -> str:
        mark = "R" if self.reversal else ""
        return f"{reference_prefix(self.account_id, self.document)}{self.revision}{mark}:{self.document_hash}"

    @classmethod
    def parse(cls, text: str) -> Reference | None:
        """The reference in `text`, None when it is not one of ours."""
        match = _REFERENCE.fullmatch(text.strip())
        if match is None:
            return None
        return cls(
            account_id=match["account"],
            document=match["document"],
            revision=int(match["revision"]),
            document_hash=match["hash"],
            reversal=bool(match["reversal"]),
        )

    def reversed(self) -> Reference:
        """Reference of the reversal of this revision."""
        return Reference(self.account_id, self.document, self.revision, self.document_hash, reversal=True)


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
    reversed_document: Document
    reference: Reference


@dataclass(frozen=True, slots=True)
class Cancel:
    """A document is open and none is wanted: reverse it."""

    reversal: Reference
    reversed_document: Document


@dataclass(frozen=True, slots=True)
class Unknown:
    """A document is open that must be reversed, and nobody knows what it says."""

    held: Reference

    def failure(self) -> PoisonError:
        """As a failure of the command."""
        return PoisonError(
            "reversal_unknown",
            f"correcting {self.held.document}: AX holds {self.held}, and the cross-reference does not know that "
            "document; correct it in AX by hand, then link it",
        )


Decision = Nothing | Create | Correct | Cancel | Unknown


def decide(
    *,
    account_id: str,
    document: str,
    wanted_hash: str | None,
    found: Iterable[str],
    known: Mapping[str, Document],
) -> Decision:
    """What to do so that exactly the wanted document is open.

    `wanted_hash` is the hash of the wanted document, None when it is cancelled. `found` are the references in AX (in
    any order, foreign ones are passed over), `known` the documents we know by their hash.

    Raises: PoisonError `document_doubled` (one revision twice, or two open), `reference_too_long`.
    """
    documents = _of_document(account_id, document, found)
    held = _open_one(documents)
    newest = max((known_one.revision for known_one in documents), default=0)
    if held is None:
        if wanted_hash is None:
            return Nothing(None, newest)
        return Create(_fitting(Reference(account_id, document, newest + 1, wanted_hash)))
    if held.document_hash == wanted_hash:
        return Nothing(held, newest)
    reversal = _reverse(held, known)
    if wanted_hash is None or isinstance(reversal, Unknown):
        return reversal
    reference = _fitting(Reference(account_id, document, newest + 1, wanted_hash))
    return Correct(reversal.reversal, reversal.reversed_document, reference)


def open_document(account_id: str, document: str, found: Iterable[str]) -> Reference | None:
    """The revision that is not reversed, None when there is none. Raises: PoisonError `document_doubled`."""
    return _open_one(_of_document(account_id, document, found))


def _of_document(account_id: str, document: str, found: Iterable[str]) -> list[Reference]:
    references = (Reference.parse(text) for text in found)
    return [
        reference
        for reference in references
        if reference is not None and (reference.account_id, reference.document) == (account_id, document)
    ]


def _open_one(documents: list[Reference]) -> Reference | None:
    _refuse_doubles(documents)
    reversed_revisions = {document.revision for document in documents if document.reversal}
    open_ones = [
        document for document in documents if not document.reversal and document.revision not in reversed_revisions
    ]
    if len(open_ones) > 1:
        raise _doubled(open_ones[0], "are both open")
    return open_ones[0] if open_ones else None


def _reverse(held: Reference, known: Mapping[str, Document]) -> Cancel | Unknown:
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
        "document_doubled",
        f"looking up {document.document}: documents with reference {document} {what} in AX; reverse the superfluous "
        "one there and clear its reference (customer reference of an invoice, name of a journal)",
    )


def _fitting(reference: Reference) -> Reference:
    if len(str(reference)) > REFERENCE_LENGTH:
        raise PoisonError(
            "reference_too_long",
            f"naming {reference.document}: reference {reference} is longer than {REFERENCE_LENGTH}",
            field="account_id",
        )
    return reference
