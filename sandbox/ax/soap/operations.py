"""The operations of the port's services: from a request's parameters to the content of the answer."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from lxml import etree
from lxml.etree import _Element as Element

from sandbox.ax.config import AxConfig, Switches
from sandbox.ax.contract import namespaces as ns
from sandbox.ax.contract.entities import Document
from sandbox.ax.contract.ledger_entities import EXCHANGE_RATES, GENERAL_JOURNAL
from sandbox.ax.model import account_update, accounts, exchange_rates, faults, invoices, journals
from sandbox.ax.model.account_scope import CUSTOMER, VENDOR, Role
from sandbox.ax.model.criteria import Criterion
from sandbox.ax.model.database import Transaction
from sandbox.ax.model.faults import AifError
from sandbox.ax.model.ledger import Books
from sandbox.ax.model.node import Node
from sandbox.ax.soap import document
from sandbox.ax.soap.envelope import Request
from sandbox.ax.soap.xml import nsmap

Clock = Callable[[], datetime]
Operation = Callable[[Transaction, Request], Element | None]

_QC = f"{{{ns.QUERY_CRITERIA}}}"
_JOURNALS = {
    "GeneralJournalService": journals.GENERAL,
    "PurchaseInvoiceService": journals.VENDOR_INVOICE,
    "CustPaymJournalService": journals.CUSTOMER_PAYMENT,
}


class Operations:
    """Runs operations inside the caller's transaction. Raises: AifError."""

    def __init__(self, config: AxConfig, switches: Switches, clock: Clock) -> None:
        self._config = config
        self._switches = switches
        self._clock = clock

    def table(self) -> dict[tuple[str, str], Operation]:
        """Return every operation by service and name."""
        found: dict[tuple[str, str], Operation] = {
            ("FreeTextInvoiceService", "create"): self._create_invoices,
            ("GeneralJournalService", "read"): self._read_journals,
            ("ExchangeRateService", "create"): self._create_rates,
            ("ExchangeRateService", "read"): self._read_rates,
        }
        for service, role in (("CustomerService", CUSTOMER), ("VendorService", VENDOR)):
            found |= {
                (service, "create"): partial(self._create_accounts, role),
                (service, "read"): partial(self._read_accounts, role),
                (service, "update"): partial(self._update_accounts, role),
                (service, "find"): partial(self._find_accounts, role),
                (service, "findKeys"): partial(self._find_account_keys, role),
            }
        return found | {(name, "create"): partial(self._create_journals, kind) for name, kind in _JOURNALS.items()}

    def _create_accounts(self, role: Role, transaction: Transaction, request: Request) -> Element:
        company = self._config.companies[transaction.company]
        keys = []
        for node in _new_ones(request):
            account = accounts.create(
                transaction,
                role,
                node,
                company_currency=company.currency,
                manual_numbers=self._switches.manual_account_numbers,
            )
            keys.append({"AccountNum": account})
        return document.entity_keys(keys)

    def _update_accounts(self, role: Role, transaction: Transaction, request: Request) -> None:
        keys = _keys(request, "AccountNum")
        inbound = _inbound(request)
        if len(keys) != len(inbound.tops):
            raise faults.missing_entity_keys()
        for account, node in zip(keys, inbound.tops, strict=True):
            account_update.update(transaction, role, account, node, clear_nil=inbound.clear_nil)

    def _read_accounts(self, role: Role, transaction: Transaction, request: Request) -> Element:
        nodes = []
        keys = _keys(request, "AccountNum")
        if not keys:
            raise faults.missing_entity_keys()
        for account in keys:
            stored = accounts.load(transaction, role, account)
            if stored is None:
                raise faults.not_identified()
            nodes.append(accounts.to_node(transaction, role, stored.account))
        return self._document(role.document, nodes)

    def _find_accounts(self, role: Role, transaction: Transaction, request: Request) -> Element:
        rows = accounts.find(transaction, role, _criteria(request), semantics=self._switches.find_semantics)
        return self._document(role.document, [accounts.to_node(transaction, role, row) for row in rows])

    def _find_account_keys(self, role: Role, transaction: Transaction, request: Request) -> Element:
        rows = accounts.find(transaction, role, _criteria(request), semantics=self._switches.find_semantics)
        return document.entity_keys({"AccountNum": row["ACCOUNTNUM"]} for row in rows)

    def _create_invoices(self, transaction: Transaction, request: Request) -> Element:
        rows = [invoices.create(transaction, node) for node in _new_ones(request)]
        return document.entity_keys(invoices.key(row, self._switches.invoice_key) for row in rows)

    def _create_journals(self, kind: journals.Kind, transaction: Transaction, request: Request) -> Element:
        books = Books.of(self._config, self._switches, transaction.company)
        validate = self._switches.journal_validation == "create"
        rows = [journals.create(transaction, kind, node, books, validate=validate) for node in _new_ones(request)]
        return document.entity_keys({"JournalNum": row["JOURNALNUM"]} for row in rows)

    def _read_journals(self, transaction: Transaction, request: Request) -> Element:
        keys = _keys(request, "JournalNum")
        if not keys:
            raise faults.missing_entity_keys()
        return self._document(GENERAL_JOURNAL, [journals.read(transaction, number) for number in keys])

    def _create_rates(self, transaction: Transaction, request: Request) -> Element:
        return document.entity_keys(exchange_rates.create(transaction, node) for node in _new_ones(request))

    def _read_rates(self, transaction: Transaction, request: Request) -> Element:
        keys = document.read_entity_keys(request.parameter(ns.ENTITY_KEY_LIST, "EntityKeyList"))
        if not keys:
            raise faults.missing_entity_keys()
        return self._document(EXCHANGE_RATES, [exchange_rates.read(transaction, key) for key in keys])

    def _document(self, described: Document, nodes: list[Node]) -> Element:
        """Return the document: empty when nothing was found, else with the instant that its data is valid for."""
        prefixes = nsmap(described.namespace, st=ns.SHARED_TYPES, i=ns.XSI)
        root = etree.Element(f"{{{described.namespace}}}{described.name}", nsmap=prefixes)
        if nodes and described.date_effective:
            valid = etree.SubElement(root, f"{{{described.namespace}}}ValidAsOfDateTime")
            valid.text = document.as_text(self._clock().replace(microsecond=0), "DateTime")
        for node in nodes:
            document.write(root, described, node, declared_type=described.top.type)
        return root


def _inbound(request: Request) -> document.Inbound:
    root = request.parameter(request.document.namespace, request.document.name)
    if root is None:
        raise AifError("The document is missing.", code="MissingDocument")
    inbound = document.read(root, request.document)
    if not inbound.tops:
        raise AifError(f"The document has no {request.document.top.name}.", code="EmptyDocument")
    return inbound


def _new_ones(request: Request) -> list[Node]:
    """Return the top entities of a create."""
    nodes = _inbound(request).tops
    for node in nodes:
        if node.action not in ("", "create"):
            raise AifError(f"The action '{node.action}' is not allowed on a create.", code="InvalidAction")
    return nodes


def _keys(request: Request, field: str) -> list[str]:
    """Return the values of the entity keys. Raises: AifError F1 when a key has another field."""
    keys = document.read_entity_keys(request.parameter(ns.ENTITY_KEY_LIST, "EntityKeyList"))
    if any(list(key) != [field] for key in keys):
        raise faults.not_identified()
    return [key[field] for key in keys]


def _criteria(request: Request) -> list[Criterion]:
    root = request.parameter(ns.QUERY_CRITERIA, "QueryCriteria")
    found = [] if root is None else root.findall(f"{_QC}CriteriaElement")
    return [
        Criterion(
            item.findtext(f"{_QC}DataSourceName") or "",
            item.findtext(f"{_QC}FieldName") or "",
            item.findtext(f"{_QC}Operator") or "",
            item.findtext(f"{_QC}Value1") or "",
            item.findtext(f"{_QC}Value2"),
        )
        for item in found
    ]
