"""Our reference on a FreshBooks record: `[AX:usmf/C-000001]`, put into a text that people also write in.

FreshBooks has no field for a foreign id, so the reference goes into a text of the record:

    invoice                  po_number when it is empty or ours, else notes (both are printed)
    credit_note              notes (printed)
    expense                  notes (seen by the client only if rebilled)
    client, bill_vendor      note (staff only)
    payment, bill_payment    note (perhaps on receipts)
    bill                     nowhere: it has no text of its own; only the cross-reference knows it

A person's text is kept as it is; content hashes are computed on the text without the marker, so that writing it is no
change. The cross-reference topic is the authority; the marker is for people, and for finding what was created before.
Source: reference of the API, where an external id can live; that a bill payment's and a credit note's text takes it is
inferred from payments and invoices.
"""

from __future__ import annotations

import re

# No bracket and no line break inside: a marker is one token on one line. The length bounds what a text may cost.
_MARKER = re.compile(r"\[AX:([^\[\]\r\n]{1,200})\]")
_OWN_LINE = re.compile(r"(?:^|\r?\n)[ \t]*\[AX:[^\[\]\r\n]{1,200}\][ \t]*(?=\r?\n|\Z)")


def marker(reference: str) -> str:
    """The marker of an AX reference. Raises ValueError when the reference cannot be in one."""
    text = f"[AX:{reference}]"
    if _MARKER.fullmatch(text) is None:
        raise ValueError(f"not a reference: {reference!r}")
    return text


def find(text: str | None) -> str | None:
    """The reference that `text` carries, None when it carries none."""
    match = _MARKER.search(text or "")
    return match.group(1) if match else None


def is_marker(text: str | None) -> bool:
    """True when `text` is a marker and nothing else."""
    return _MARKER.fullmatch((text or "").strip()) is not None


def strip(text: str | None) -> str | None:
    """The human part of `text`: no marker, no blanks round it; None when nothing is left.

    Repeated until none is left, since taking one out can join the halves of another.
    """
    rest = text or ""
    while _MARKER.search(rest):
        rest = _MARKER.sub("", _OWN_LINE.sub("", rest))
    return rest.strip() or None


def put(text: str | None, reference: str) -> str:
    """`text` with the marker of `reference`: in the place of the marker it has, else on a line at the end."""
    ours = marker(reference)
    text = text or ""
    if len(_MARKER.findall(text)) == 1:
        return _MARKER.sub(lambda _match: ours, text)
    human = text if find(text) is None else strip(text) or ""
    if not human.strip():
        return ours
    return human + ours if human.endswith("\n") else f"{human}\n{ours}"


_FIELDS = {
    "invoice": ("po_number", "notes"),
    "credit_note": ("notes",),
    "expense": ("notes",),
    "client": ("note",),
    "bill_vendor": ("note",),
    "payment": ("note",),
    "bill_payment": ("note",),
}


def fields_of(kind: str) -> tuple[str, ...]:
    """The fields of a kind that a marker can stand in; empty for a kind that has none."""
    return _FIELDS.get(kind, ())


def place(kind: str, fields: dict[str, str | None], reference: str) -> tuple[str, str]:
    """Which field of an entity gets which text, so that it carries `reference`.

    `fields` are the entity's present texts by FreshBooks' names. An invoice takes `po_number` when that is empty or
    ours; a customer's own order number there is not touched, and the marker goes into the notes. A marker that is
    already somewhere is replaced where it stands. Raises: ValueError for a kind that has no place.
    """
    if kind != "invoice":
        if kind not in _FIELDS:
            raise ValueError(f"no place for a marker on a {kind}")
        (name,) = _FIELDS[kind]
        return name, put(fields.get(name), reference)
    number, notes = fields.get("po_number"), fields.get("notes")
    if is_marker(number) or (find(notes) is None and not (number or "").strip()):
        return "po_number", marker(reference)
    return "notes", put(notes, reference)
