"""Messages of the ledger's documents, written by hand: journals, vendors, exchange rates."""

from typing import Any

from tests.kit.aif import SHARED, XSI, Aif, Answer, party

DOCUMENTS = "http://schemas.microsoft.com/dynamics/2008/01/documents"
VENDOR = f"{DOCUMENTS}/Vendor"
RATES = f"{DOCUMENTS}/ExchangeRates"
ROOTS = {
    "GeneralJournalService": "LedgerGeneralJournal",
    "PurchaseInvoiceService": "PurchaseInvoice",
    "CustPaymJournalService": "CustPaymJournal",
}


def vend_table(fields: str = "<VendGroup>10</VendGroup>", name: str = "Fabrikam", attributes: str = "") -> str:
    return f'<VendTable class="entity" {attributes}>{fields}{party(name)}</VendTable>'


def vendor(*entities: str, root: str = "") -> str:
    return f'<Vendor xmlns="{VENDOR}" xmlns:i="{XSI}">{root}{"".join(entities)}</Vendor>'


def account(element: str, number: str, **dimensions: str) -> str:
    pairs = "".join(
        f"<s:Value><s:Name>{name}</s:Name><s:Value>{value}</s:Value></s:Value>" for name, value in dimensions.items()
    )
    values = f"<s:Values>{pairs}</s:Values>" if pairs else ""
    inside = f"<s:DisplayValue>{number}</s:DisplayValue><s:Account>{number}</s:Account>{values}"
    return f'<{element} xmlns:s="{SHARED}">{inside}</{element}>'


def trans(number: str, **parts: Any) -> str:
    """A line; keywords are fields of LedgerJournalTrans, `debit` and `credit` for short, `dimensions` of the account.

    `offset` is the number of the offset account.
    """
    fields: dict[str, str] = {"CurrencyCode": "USD", "TransDate": "2026-06-29"}
    dimensions = parts.pop("dimensions", {})
    names = {"debit": "AmountCurDebit", "credit": "AmountCurCredit"}
    offset = parts.pop("offset", None)
    fields |= {names.get(name, name): str(value) for name, value in parts.items()}
    elements = {name: f"<{name}>{value}</{name}>" for name, value in fields.items()}
    elements["LedgerDimension"] = account("LedgerDimension", number, **dimensions)
    if offset:
        elements["OffsetLedgerDimension"] = account("OffsetLedgerDimension", offset)
    ordered = sorted(elements, key=str.lower)
    return f'<LedgerJournalTrans class="entity">{"".join(elements[name] for name in ordered)}</LedgerJournalTrans>'


def journal(name: str, *lines: str, fields: str = "") -> str:
    return (
        f'<LedgerJournalTable class="entity"><JournalName>{name}</JournalName>{fields}{"".join(lines)}'
        "</LedgerJournalTable>"
    )


def create(aif: Aif, service: str, *journals: str, header: str | None = None) -> Answer:
    root = ROOTS[service]
    return aif.call(
        service, "create", f'<{root} xmlns="{DOCUMENTS}/{root}">{"".join(journals)}</{root}>', header=header
    )


def general(aif: Aif, *lines: str, name: str = "GenJrn", fields: str = "") -> Answer:
    return create(aif, "GeneralJournalService", journal(name, *lines, fields=fields))


def currency_pair(source: str, target: str, *rates: tuple[str, str], factor: str = "One", kind: str = "Default") -> str:
    inside = "".join(
        f'<ExchangeRate class="entity"><ExchangeRate>{rate}</ExchangeRate><ValidFrom>{first}</ValidFrom></ExchangeRate>'
        for first, rate in rates
    )
    return (
        f'<ExchangeRates xmlns="{RATES}"><CurrencyPair class="entity">'
        f"<ExchangeRateDisplayFactor>{factor}</ExchangeRateDisplayFactor><ExchangeRateType>{kind}</ExchangeRateType>"
        f"<FromCurrencyCode>{source}</FromCurrencyCode><ToCurrencyCode>{target}</ToCurrencyCode>{inside}"
        "</CurrencyPair></ExchangeRates>"
    )
