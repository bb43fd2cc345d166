"""Messages to the AX simulator's AIF port, written by hand: what a SOAP library would never let a test send."""

import uuid
from dataclasses import dataclass
from html import escape

import httpx
from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SERVICES = "http://schemas.microsoft.com/dynamics/2008/01/services"
CONTEXT = "http://schemas.microsoft.com/dynamics/2010/01/datacontracts"
CUSTOMER = "http://schemas.microsoft.com/dynamics/2008/01/documents/Customer"
INVOICE = "http://schemas.microsoft.com/dynamics/2008/01/documents/FreeTextInvoice"
SHARED = "http://schemas.microsoft.com/dynamics/2008/01/sharedtypes"
KEY = "http://schemas.microsoft.com/dynamics/2006/02/documents/EntityKey"
KEY_LIST = "http://schemas.microsoft.com/dynamics/2006/02/documents/EntityKeyList"
CRITERIA = "http://schemas.microsoft.com/dynamics/2006/02/documents/QueryCriteria"
FAULT = "http://schemas.microsoft.com/dynamics/2008/01/documents/Fault"
INFOLOG = "http://schemas.datacontract.org/2004/07/Microsoft.Dynamics.AX.Framework.Services"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of the port, with the parts that tests look at."""

    status: int
    body: bytes

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.body)

    def text(self, namespace: str, name: str) -> str | None:
        return self.root.findtext(f".//{{{namespace}}}{name}")

    @property
    def keys(self) -> list[str]:
        return [item.text or "" for item in self.root.iter(f"{{{KEY}}}Value")]

    @property
    def fault_code(self) -> str:
        return self.root.findtext(".//faultcode") or ""

    @property
    def fault_text(self) -> str:
        return self.root.findtext(".//faultstring") or ""

    @property
    def xpp(self) -> int | None:
        text = self.text(FAULT, "XppExceptionType")
        return int(text) if text else None

    @property
    def aif_code(self) -> str | None:
        return self.text(FAULT, "Code")

    @property
    def infolog(self) -> list[str]:
        return [item.text or "" for item in self.root.iter(f"{{{INFOLOG}}}Message")]


def envelope(content: str, *, header: str = "") -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{header}</s:Header><s:Body>{content}</s:Body></s:Envelope>'.encode()


def context(company: str = "usmf", message_id: str = "", extra: str = "") -> str:
    identity = f"<MessageId>{message_id}</MessageId>" if message_id else ""
    content = f"<Company>{company}</Company><Language>en-us</Language>{identity}{extra}"
    return f'<CallContext xmlns="{CONTEXT}">{content}</CallContext>'


def wrapper(service: str, operation: str, content: str) -> str:
    name = f"{service}{operation[0].upper()}{operation[1:]}Request"
    return f'<{name} xmlns="{SERVICES}">{content}</{name}>'


def party(name: str, *, kind: str = "DirOrganization", inside: str = "", attributes: str = "") -> str:
    typed = f'i:type="AxdEntity_DirParty_{kind}"' if kind else ""
    named = f"<Name>{escape(name)}</Name>" if name else ""
    return f'<DirParty class="entity" {typed} {attributes}>{named}{inside}</DirParty>'


def customer(*entities: str, root: str = "") -> str:
    return f'<Customer xmlns="{CUSTOMER}" xmlns:i="{XSI}">{root}{"".join(entities)}</Customer>'


def cust_table(fields: str = "<CustGroup>10</CustGroup>", party_xml: str | None = None, attributes: str = "") -> str:
    content = party("Contoso Retail") if party_xml is None else party_xml
    return f'<CustTable class="entity" {attributes}>{fields}{content}</CustTable>'


def line(
    quantity: str = "2", price: str = "10.00", *, before: str = "", after: str = "", account: str = "401100"
) -> str:
    ledger = f'<LedgerDimension><MainAccount xmlns="{SHARED}">{account}</MainAccount></LedgerDimension>'
    return (
        f'<CustInvoiceLine class="entity">{before}{ledger}<Quantity>{quantity}</Quantity>{after}'
        f"<UnitPrice>{price}</UnitPrice></CustInvoiceLine>"
    )


def invoice_table(
    account: str, *lines: str, currency: str = "USD", after_currency: str = "", after_account: str = ""
) -> str:
    return (
        f'<CustInvoiceTable class="entity"><CurrencyCode>{currency}</CurrencyCode>{after_currency}'
        f"<OrderAccount>{account}</OrderAccount>{after_account}{''.join(lines or (line(),))}</CustInvoiceTable>"
    )


def invoice(*entities: str) -> str:
    return f'<FreeTextInvoice xmlns="{INVOICE}">{"".join(entities)}</FreeTextInvoice>'


def keys(*values: str, field: str = "AccountNum") -> str:
    items = "".join(
        f'<EntityKey xmlns="{KEY}"><KeyData><KeyField><Field>{field}</Field><Value>{value}</Value></KeyField></KeyData>'
        "</EntityKey>"
        for value in values
    )
    return f'<EntityKeyList xmlns="{KEY_LIST}">{items}</EntityKeyList>'


def criteria(*elements: tuple[str, ...], source: str = "CustTable") -> str:
    items = ""
    for field, operator, value, *second in elements:
        upper = f"<Value2>{second[0]}</Value2>" if second else ""
        items += (
            f"<CriteriaElement><DataSourceName>{source}</DataSourceName><FieldName>{field}</FieldName>"
            f"<Operator>{operator}</Operator><Value1>{value}</Value1>{upper}</CriteriaElement>"
        )
    return f'<QueryCriteria xmlns="{CRITERIA}">{items}</QueryCriteria>'


class Aif:
    """A client of the port and its control API that sends exactly what it is told."""

    def __init__(self, aif_url: str, control_url: str) -> None:
        self.url = aif_url
        self.control_url = control_url
        self.http = httpx.Client(timeout=20, verify=False)  # plain HTTP: no certificates to load for each client

    def send(self, body: bytes, action: str, **headers: str) -> Answer:
        sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": action} | headers
        response = self.http.post(self.url, content=body, headers=sent)
        return Answer(response.status_code, response.content)

    def call(self, service: str, operation: str, content: str, *, header: str | None = None) -> Answer:
        body = envelope(wrapper(service, operation, content), header=context() if header is None else header)
        return self.send(body, f'"{SERVICES}/{service}/{operation}"')

    def customers(self, operation: str, content: str, *, header: str | None = None) -> Answer:
        return self.call("CustomerService", operation, content, header=header)

    def create_invoice(self, content: str, *, header: str | None = None) -> Answer:
        return self.call("FreeTextInvoiceService", "create", content, header=header)

    def new_customer(self, name: str = "Contoso Retail", fields: str = "<CustGroup>10</CustGroup>") -> str:
        answer = self.customers("create", customer(cust_table(fields, party(name))))
        assert answer.status == 200, answer.body
        return answer.keys[0]

    def control(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self.http.request(method, self.control_url + path, json=body)

    def state(self) -> dict:
        return self.control("GET", "/state").json()

    def stored_customer(self, account: str) -> dict:
        return next(item for item in self.state()["customers"] if item["account"] == account)

    def stored_invoice(self, recid: str) -> dict:
        return next(item for item in self.state()["free_text_invoices"] if item["rec_id"] == int(recid))


def message_id() -> str:
    return str(uuid.uuid4())
