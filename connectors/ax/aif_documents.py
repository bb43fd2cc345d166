"""Our records as AIF documents: plain dicts in the names of the XSD, which zeep puts into wire order.

Rules (reference ax-aif, sections 5 and 11): every entity carries class="entity"; a field without a value is left out
(an empty element would clear it); enums and No/Yes travel by name; a party is an object of its subtype, since xsi:type
says what it is. Characters that XML 1.0 cannot carry are dropped here, at the edge: AX would refuse the whole document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from schemas.records import CustomerDocument, FreeTextInvoice, FreeTextInvoiceLine, PartyType, VendorDocument

CUSTOMER_NAMESPACE = "http://schemas.microsoft.com/dynamics/2008/01/documents/Customer"
VENDOR_NAMESPACE = "http://schemas.microsoft.com/dynamics/2008/01/documents/Vendor"
# Types of a party, in the namespace of the document that it is part of.
ORGANIZATION_TYPE = "AxdEntity_DirParty_DirOrganization"
PERSON_TYPE = "AxdEntity_DirParty_DirPerson"
# The roles seen live are Business and Invoice (reference ax-aif, section 6.1); a new customer's only address is both.
ADDRESS_ROLE = "Business"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Entity = dict[str, Any]
# Makes an object of the XSD type that is named, from its fields.
TypedEntity = Callable[[str, Entity], object]


def customer_payload(document: CustomerDocument, typed: TypedEntity) -> Entity:
    """AxdCustomer with one CustTable. AccountNum is left out when AX numbers the customer itself."""
    customer = entity(
        AccountNum=document.account_number,
        Currency=document.currency_code,
        CustGroup=document.customer_group,
        OurAccountNum=document.our_account_number,
        PaymTermId=document.payment_terms,
        TaxGroup=document.tax_group,
        VATNum=document.vat_number,
        DefaultDimension=dimension_set(document.dimensions),
    )
    return {"CustTable": [{**customer, "DirParty": [_party(document, CUSTOMER_NAMESPACE, typed)]}]}


def vendor_payload(document: VendorDocument, typed: TypedEntity) -> Entity:
    """AxdVendor with one VendTable. AccountNum is left out when AX numbers the vendor itself."""
    vendor = entity(
        AccountNum=document.account_number,
        Currency=document.currency_code,
        DefaultDimension=dimension_set(document.dimensions),
        PaymMode=document.payment_mode,
        PaymTermId=document.payment_terms,
        TaxGroup=document.tax_group,
        VATNum=document.vat_number,
        VendGroup=document.vendor_group,
        YourAccountNum=document.your_account_number,
    )
    return {"VendTable": [{**vendor, "DirParty": [_party(document, VENDOR_NAMESPACE, typed)]}]}


def invoice_payload(invoices: Mapping[str, FreeTextInvoice]) -> Entity:
    """AxdFreeTextInvoice with one CustInvoiceTable per invoice, in order; the keys become CustomerRef."""
    return {"CustInvoiceTable": [_invoice(reference, invoice) for reference, invoice in invoices.items()]}


def reversal_of(invoice: FreeTextInvoice) -> FreeTextInvoice:
    """The same invoice with quantities, amounts and taxes negated; unit prices stay, dates and texts too."""
    lines = tuple(
        msgspec.structs.replace(
            line, quantity=_negated(line.quantity), amount=_negated(line.amount), tax_amount=_negated(line.tax_amount)
        )
        for line in invoice.lines
    )
    return msgspec.structs.replace(invoice, lines=lines, total=_negated(invoice.total))


def criterion(data_source: str, field: str, value: str) -> Entity:
    """QueryCriteria with exactly one criterion: whether AX joins several by OR or AND is not known (section 3)."""
    element = {"DataSourceName": data_source, "FieldName": field, "Operator": "Equal", "Value1": xml_text(value)}
    return {"_value_1": [{"CriteriaElement": element}]}


def xml_text(text: str) -> str:
    """`text` without the characters that XML 1.0 has no way to write (controls, lone surrogates)."""
    return _NOT_XML.sub("", text)


def _party(document: CustomerDocument | VendorDocument, namespace: str, typed: TypedEntity) -> object:
    children: Entity = {}
    if address := _address(document):
        children["DirPartyPostalAddressView"] = [address]
    if contacts := _contacts(document):
        children["DirPartyContactInfoView"] = contacts
    party = {
        **entity(LanguageId=document.language, Name=document.name, NameAlias=document.name_alias),
        **children,
    }
    if document.party_type == PartyType.ORGANIZATION:
        return typed(f"{{{namespace}}}{ORGANIZATION_TYPE}", party)
    name = entity(FirstName=document.first_name, LastName=document.last_name)
    person = {**party, "PersonName": [name]} if len(name) > 1 else party
    return typed(f"{{{namespace}}}{PERSON_TYPE}", person)


def _address(document: CustomerDocument | VendorDocument) -> Entity | None:
    address = document.address
    if address is None:
        return None
    return entity(
        City=address.city,
        CountryRegionId=address.country_region,
        IsPrimary="Yes",
        Roles=ADDRESS_ROLE,
        State=address.state,
        Street=address.street,
        ZipCode=address.postal_code,
    )


def _contacts(document: CustomerDocument | VendorDocument) -> list[Entity]:
    by_type = (("Email", document.email), ("Phone", document.phone))
    return [entity(IsPrimary="Yes", Locator=locator, Type=kind) for kind, locator in by_type if locator]


def _invoice(reference: str, invoice: FreeTextInvoice) -> Entity:
    header = entity(
        CurrencyCode=invoice.currency_code,
        CustomerRef=reference,
        DefaultDimension=dimension_set(invoice.dimensions),
        DocumentDate=invoice.document_date,
        DueDate=invoice.due_date,
        InvoiceDate=invoice.invoice_date,
        LanguageId=invoice.language,
        OrderAccount=invoice.customer_account,
        Payment=invoice.payment_terms,
        PurchOrderFormNum=invoice.customer_purchase_order,
        TaxGroup=invoice.tax_group,
    )
    return {**header, "CustInvoiceLine": [_line(line) for line in invoice.lines]}


def _line(line: FreeTextInvoiceLine) -> Entity:
    return entity(
        AmountCur=line.amount,
        DefaultDimension=dimension_set(line.dimensions),
        Description=line.description,
        LedgerDimension={"MainAccount": xml_text(line.main_account)},
        Quantity=line.quantity,
        TaxAmount=line.tax_amount,
        TaxGroup=line.tax_group,
        TaxItemGroup=line.tax_item_group,
        UnitPrice=line.unit_price,
    )


def dimension_set(values: Mapping[str, str]) -> Entity | None:
    """The values as AxdType_DimensionAttributeValueSet; None for none: the element is left out then."""
    if not values:
        return None
    pairs = [{"Name": xml_text(name), "Value": xml_text(value)} for name, value in values.items()]
    return {"Values": {"Value": pairs}}


def entity(**fields: str | Decimal | date | Entity | None) -> Entity:
    """The fields that have a value, and the attribute that makes an element an entity."""
    present = {name: _plain(value) for name, value in fields.items() if value is not None and value != ""}
    return {"class": "entity", **present}


def _plain(value: str | Decimal | date | Entity) -> str | date | Entity:
    if isinstance(value, str):
        return xml_text(value)
    return plain_decimal(value) if isinstance(value, Decimal) else value


def plain_decimal(value: Decimal) -> str:
    """Without exponent, trailing zeros and a negative zero: fraction digits count against the XSD's facet."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _negated(value: Decimal) -> Decimal:
    return -value if value else value
