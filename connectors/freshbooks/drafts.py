"""Pure: what a command wants of an entity, as FreshBooks' fields, and which of them differ from what it holds.

    write_reference   our marker in a text of the entity
    update_client     fields of a client that exists
    upsert_*          all that the command says, and our marker
    delete_*          nothing here: a PUT of vis_state stands alone (the sink sends it)

Values are compared as FreshBooks means them ("50" is "50.00", null is "", a marker stays where it is), so that a repeat
writes nothing. Lines are one value: FreshBooks replaces them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.freshbooks import marker
from connectors.freshbooks.kinds import BILL_VENDOR, CLIENT, INVOICE, PAYMENT
from schemas.failures import PoisonError
from schemas.records import FreshBooksCommand, FreshBooksOperation, InvoiceDraft, InvoiceDraftLine, PaymentDraft

Json = Mapping[str, Any]
_ADDRESS = ("street", "street2", "city", "province", "code", "country")
# What may be set by `fields`. FreshBooks drops keys it does not know, so a misspelt one would look written.
CLIENT_FIELDS = frozenset(
    {"organization", "fname", "lname", "email", "bus_phone", "home_phone", "mob_phone", "fax", "language"}
    | {"currency_code", "vat_name", "vat_number"}
    | {f"{side}_{part}" for side in ("p", "s") for part in _ADDRESS}
)
VENDOR_FIELDS = frozenset(
    {"vendor_name", "primary_contact_first_name", "primary_contact_last_name", "primary_contact_email"}
    | {"phone", "website", "street", "street2", "city", "province", "postal_code", "country"}
    | {"currency_code", "language", "account_number"}
)
_BY_FIELDS = {
    FreshBooksOperation.UPDATE_CLIENT: (CLIENT.noun, CLIENT_FIELDS),
    FreshBooksOperation.UPSERT_CLIENT: (CLIENT.noun, CLIENT_FIELDS),
    FreshBooksOperation.UPSERT_VENDOR: (BILL_VENDOR.noun, VENDOR_FIELDS),
}
_KIND_OF = {
    FreshBooksOperation.UPSERT_INVOICE: INVOICE.noun,
    FreshBooksOperation.DELETE_INVOICE: INVOICE.noun,
    FreshBooksOperation.UPSERT_PAYMENT: PAYMENT.noun,
    FreshBooksOperation.DELETE_PAYMENT: PAYMENT.noun,
    **{operation: kind for operation, (kind, _) in _BY_FIELDS.items()},
}
_MARKED_OPERATIONS = frozenset(FreshBooksOperation) - {FreshBooksOperation.UPDATE_CLIENT}


def check(command: FreshBooksCommand) -> None:
    """Raises: PoisonError for a command that makes no sense, before anything is asked of FreshBooks."""
    operation = command.operation.value
    kind = _KIND_OF.get(command.operation, command.kind)
    if command.kind != kind:
        raise PoisonError(
            "unknown_kind", f"writing to FreshBooks: {operation} is for kind {kind!r}, not {command.kind!r}"
        )
    if command.operation in _BY_FIELDS:
        unknown = sorted(command.fields.keys() - _BY_FIELDS[command.operation][1])
        if unknown:
            raise PoisonError(
                "unknown_field", f"writing to FreshBooks: {', '.join(unknown)} cannot be written", field=unknown[0]
            )
    draft = {FreshBooksOperation.UPSERT_INVOICE: "invoice", FreshBooksOperation.UPSERT_PAYMENT: "payment"}
    wanted = draft.get(command.operation)
    if wanted is not None and getattr(command, wanted) is None:
        raise PoisonError("draft_missing", f"writing to FreshBooks: {operation} needs its {wanted}", field=wanted)
    _check_identity(command)


def _check_identity(command: FreshBooksCommand) -> None:
    """An entity must be named by its id or by our reference; a reference must fit into a marker."""
    if command.operation in _MARKED_OPERATIONS and (command.reference is not None or command.entity_id is None):
        try:
            marker.marker(command.reference or "")
        except ValueError as error:
            raise PoisonError(
                "reference_invalid",
                "writing a reference to FreshBooks: it is empty, too long or holds a bracket",
                field="reference",
            ) from error
    elif command.entity_id is None:
        raise PoisonError("entity_unnamed", "writing to FreshBooks: the command names no entity", field="entity_id")
    if command.operation is FreshBooksOperation.WRITE_REFERENCE and command.entity_id is None:
        raise PoisonError("entity_unnamed", "writing to FreshBooks: the command names no entity", field="entity_id")


def creation(command: FreshBooksCommand) -> dict[str, Any]:
    """The body of a POST: all that is wanted, marked from the first moment on, so that a repeat can find it."""
    wanted = {name: value for name, value in _wanted(command, {}).items() if value not in (None, "")}
    if command.payment is not None:
        # FreshBooks would write to the client otherwise; the key is known from the official SDK.
        wanted["send_client_notification"] = False
    return wanted


def changes(command: FreshBooksCommand, present: Json) -> dict[str, Any]:
    """FreshBooks' field → value for every field that must change; empty when all is as it should be.

    Raises: PoisonError (invoice_fixed) when a payment would have to move to another invoice.
    """
    if command.payment is not None and present.get("invoiceid") != command.payment.invoice_id:
        raise PoisonError(
            "invoice_fixed",
            "writing a payment to FreshBooks: it pays another invoice, which cannot be changed; delete it",
            field="invoice_id",
        )
    return {name: value for name, value in _wanted(command, present).items() if not _same(name, value, present)}


def must_be_sent(command: FreshBooksCommand, present: Json) -> bool:
    """True for an invoice that shall be more than a draft and is one."""
    return command.invoice is not None and command.invoice.mark_as_sent and present.get("v3_status") == "draft"


def _wanted(command: FreshBooksCommand, present: Json) -> dict[str, Any]:
    """Every field that the command speaks about, as FreshBooks would take it."""
    fields: dict[str, Any]
    if command.invoice is not None:
        fields = _invoice(command.invoice, present)
    elif command.payment is not None:
        fields = _payment(command.payment, present)
    else:
        fields = dict(command.fields)
        if command.kind == CLIENT.noun and _is_person(present):
            # AX has one name for a person too; as an organization it would turn the client into a company.
            fields.pop("organization", None)
    if command.reference is not None and command.operation in _MARKED_OPERATIONS and marker.fields_of(command.kind):
        texts = {name: _text(fields.get(name, present.get(name))) for name in marker.fields_of(command.kind)}
        name, text = marker.place(command.kind, dict(texts), command.reference)
        fields[name] = text
    return fields


def _invoice(draft: InvoiceDraft, present: Json) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "customerid": draft.client_id,
        "create_date": draft.create_date.isoformat(),
        "due_offset_days": draft.due_offset_days,
        "currency_code": draft.currency_code,
        "discount_value": plain(draft.discount_percent),
        "lines": [_line(line, draft.currency_code) for line in draft.lines],
    }
    # Left alone when the draft has none: language and number are FreshBooks' to give, texts a person's to write.
    if draft.notes is not None:
        fields["notes"] = _with_marker_of(present.get("notes"), draft.notes)
    optional = {"language": draft.language, "invoice_number": draft.invoice_number, "terms": draft.terms}
    return fields | {name: value for name, value in optional.items() if value is not None}


def _line(line: InvoiceDraftLine, currency: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": line.name or "",
        "description": line.description or "",
        "qty": plain(line.quantity),
        "unit_cost": {"amount": plain(line.unit_cost), "code": currency},
        "compounded_tax": line.compounded_tax,
    }
    taxes = ((1, line.tax_name1, line.tax_percent1), (2, line.tax_name2, line.tax_percent2))
    for number, name, percent in taxes:
        if name and percent is not None:
            fields |= {f"taxName{number}": name, f"taxAmount{number}": plain(percent)}
    return fields


def _payment(draft: PaymentDraft, present: Json) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "amount": {"amount": plain(draft.amount), "code": draft.currency_code},
        "date": draft.payment_date.isoformat(),
        "type": draft.payment_type,
    }
    if draft.note is not None:
        fields["note"] = _with_marker_of(present.get("note"), draft.note)
    return fields if present else {"invoiceid": draft.invoice_id, **fields}


def _with_marker_of(present: object, text: str) -> str:
    """`text` with the marker that `present` has, so that writing it does not lose the marker."""
    reference = marker.find(_text(present))
    return _text(text) if reference is None else marker.put(_text(text), reference)


def plain(number: Decimal) -> str:
    """A number in plain notation with two decimals at least, finer ones only where they say something."""
    text = format(number.normalize(), "f")
    return text if len(text.partition(".")[2]) >= 2 else format(number.quantize(Decimal("0.01")), "f")


def _same(name: str, wanted: object, present: Json) -> bool:
    """True when what FreshBooks holds means what is wanted."""
    held = present.get(name)
    if name == "lines":
        if not isinstance(wanted, list) or not isinstance(held, list) or len(held) != len(wanted):
            return False
        return all(_same_line(one, other) for one, other in zip(wanted, held, strict=True))
    if isinstance(wanted, Mapping):
        return isinstance(held, Mapping) and all(_equal(value, held.get(key)) for key, value in wanted.items())
    return _equal(wanted, held)


_LINE_TAXES = ("taxName1", "taxAmount1", "taxName2", "taxAmount2")


def _same_line(wanted: Json, held: object) -> bool:
    if not isinstance(held, Mapping) or not all(_same(name, value, held) for name, value in wanted.items()):
        return False
    # A tax that is not wanted must not be there: a rate of 0 is none.
    return all(name in wanted or _text(held.get(name)) in ("", "0") for name in _LINE_TAXES)


def _equal(wanted: object, held: object) -> bool:
    if isinstance(wanted, bool):
        return bool(held) is wanted
    if _text(wanted) == _text(held):
        return True
    left, right = _number(wanted), _number(held)
    return left is not None and left == right


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _is_person(client: Json) -> bool:
    return not _text(client.get("organization")) and bool(_text(client.get("fname")) or _text(client.get("lname")))


def _text(value: object) -> str:
    """A text as it is compared: null and "" are one, blanks at the ends and the kind of line break do not count."""
    return "" if value is None else str(value).replace("\r\n", "\n").strip()
