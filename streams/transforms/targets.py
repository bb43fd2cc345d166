"""What a mapping may fill: per target its fields with their type, longest length in AX and whether AX needs them.

Lengths: reference ax-aif, section 7 (shared types of AX 2012 R3). A name is 100 (DirPartyName), not CustName's 60 of
older versions. The description of a line is 60 until the site's WSDL says more (section 6.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "decimal", "integer", "date", "boolean"]


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field of a target. `length` counts UTF-16 units, None where AX sets no limit."""

    kind: Kind = "text"
    length: int | None = None
    required: bool = False


def _text(length: int, *, required: bool = False) -> TargetField:
    return TargetField("text", length, required)


CUSTOMER: Mapping[str, TargetField] = {
    "account_number": _text(20),
    "customer_group": _text(10, required=True),
    "currency_code": _text(3, required=True),
    "payment_terms": _text(10),
    "tax_group": _text(10),
    "vat_number": _text(20),
    "our_account_number": _text(20, required=True),
    "party_type": _text(12, required=True),
    "name": _text(100, required=True),
    "name_alias": _text(20),
    "language": _text(7),
    "first_name": _text(25),
    "last_name": _text(25),
    "email": _text(255),
    "phone": _text(255),
    "address.street": _text(250),
    "address.city": _text(60),
    "address.postal_code": _text(10),
    "address.state": _text(10),
    "address.country_region": _text(10),
}
INVOICE: Mapping[str, TargetField] = {
    "customer_account": _text(20, required=True),
    "invoice_date": TargetField("date", required=True),
    "document_date": TargetField("date", required=True),
    "due_date": TargetField("date"),
    "currency_code": _text(3, required=True),
    "invoice_number": _text(20, required=True),
    "customer_purchase_order": _text(20),
    "language": _text(7),
    "payment_terms": _text(10),
    "tax_group": _text(10),
}
# Amounts, taxes and dimensions of a line are computed by the flow, not mapped.
INVOICE_LINE: Mapping[str, TargetField] = {
    "description": _text(60, required=True),
    "main_account": _text(20, required=True),
    "tax_group": _text(10),
}
# FreshBooks' own field names; their lengths are not published.
FRESHBOOKS_CLIENT: Mapping[str, TargetField] = {
    name: TargetField()
    for name in (
        "organization",
        "fname",
        "lname",
        "email",
        "bus_phone",
        "vat_number",
        "language",
        "currency_code",
        "p_street",
        "p_street2",
        "p_city",
        "p_province",
        "p_code",
        "p_country",
    )
}

TARGETS: Mapping[str, Mapping[str, TargetField]] = {
    "ax.customer": CUSTOMER,
    "ax.invoice": INVOICE,
    "ax.invoice_line": INVOICE_LINE,
    "freshbooks.client": FRESHBOOKS_CLIENT,
}
