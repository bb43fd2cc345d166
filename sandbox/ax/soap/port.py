"""The port: runs one service operation as one database transaction and makes the answer.

Order: caller and context → duplicate message → schema → operation → commit. The message id is claimed inside
the transaction, so an operation that fails leaves no trace of it (unless the switch
`failed_message_consumes_id` says otherwise).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from sandbox.ax.config import AxConfig, Switches
from sandbox.ax.contract import namespaces as ns
from sandbox.ax.contract.entities import CUSTOMER
from sandbox.ax.model import customer_update, customers, faults, invoices, messages
from sandbox.ax.model.criteria import Criterion
from sandbox.ax.model.database import AxDatabase, Transaction
from sandbox.ax.model.faults import AifError
from sandbox.ax.model.node import Node
from sandbox.ax.soap import document
from sandbox.ax.soap.envelope import CallContext, Request, response
from sandbox.ax.soap.validation import Validator, check_type_is_unprefixed
from sandbox.ax.soap.xml import elements, name_of, nsmap

Clock = Callable[[], datetime]

WRITES = frozenset({"create", "update"})
"""Operations with EnableIdempotence (the default of shipped document services)."""

_QC = f"{{{ns.QUERY_CRITERIA}}}"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer's envelope, and whether the operation's transaction was committed by this call."""

    body: bytes
    committed: bool


class Port:
    """The operations of the port. `execute` may run in many threads at once."""

    def __init__(self, database: AxDatabase, config: AxConfig, switches: Switches, clock: Clock) -> None:
        self._database = database
        self._config = config
        self._switches = switches
        self._clock = clock
        self._validator = Validator()
        self._operations: dict[tuple[str, str], Callable[[Transaction, Request], etree._Element | None]] = {
            ("CustomerService", "create"): self._create_customers,
            ("CustomerService", "read"): self._read_customers,
            ("CustomerService", "update"): self._update_customers,
            ("CustomerService", "find"): self._find_customers,
            ("CustomerService", "findKeys"): self._find_customer_keys,
            ("FreeTextInvoiceService", "create"): self._create_invoices,
        }

    def execute(self, request: Request, caller: str) -> Reply:
        """Run the operation. Raises: AifError, with everything rolled back."""
        company = self._company(request.context, caller)
        idempotent = request.operation in WRITES and request.context.message_id and self._switches.duplicates != "off"
        message_id = messages.normalised(request.context.message_id) if request.context.message_id else ""
        name = f"{request.service}.{request.operation}"
        try:
            with self._database.transaction(company, self._clock()) as transaction:
                seen = messages.claim(transaction, name, message_id) if idempotent else None
                if seen is not None:
                    return self._duplicate(seen)
                self._validate(request)
                content = self._operations[(request.service, request.operation)](transaction, request)
                body = response(request.service, request.operation, content)
                if idempotent:
                    messages.keep_response(transaction, name, message_id, body)
        except AifError as error:
            if idempotent and self._switches.failed_message_consumes_id and error.code != "DuplicateMessage":
                with self._database.transaction(company, self._clock()) as transaction:
                    messages.claim(transaction, name, message_id)
            raise
        return Reply(body, committed=True)

    def _duplicate(self, seen: messages.Seen) -> Reply:
        if self._switches.duplicates == "cached_response" and seen.response is not None:
            return Reply(seen.response, committed=False)
        raise faults.duplicate_message()

    def _company(self, context: CallContext, caller: str) -> str:
        """Return the company's own spelling. The context's Company compares without regard to case.

        LogonAsUser counts only for a trusted intermediary of the port; for anybody else AX ignores it.
        """
        if context.partition_key not in ("", "initial"):
            raise AifError(f"The partition '{context.partition_key}' does not exist.", code="InvalidPartition")
        if context.logon_as_user and caller.lower() in map(str.lower, self._config.trusted_intermediaries):
            known = {user.lower() for user in self._config.users}
            if context.logon_as_user.lower() not in known:
                raise AifError(f"The user '{context.logon_as_user}' is not a user of the system.", code="InvalidUser")
        wanted = context.company or next(iter(self._config.companies))
        for name in self._config.companies:
            if name.lower() == wanted.lower():
                return name
        raise AifError(f"The company '{wanted}' does not exist.", code="InvalidCompany")

    def _validate(self, request: Request) -> None:
        if self._switches.strict_xsi_type:
            check_type_is_unprefixed(request.payload)
        if self._switches.validate_document_xml:
            self._validator.check(request.payload)
            return
        # Keys and criteria are data contracts: WCF reads them by their schema whatever the port option says.
        for parameter in elements(request.payload):
            if name_of(parameter)[0] != request.document.namespace:
                self._validator.check(parameter)

    def _inbound(self, request: Request) -> document.Inbound:
        root = request.parameter(request.document.namespace, request.document.name)
        if root is None:
            raise AifError("The document is missing.", code="MissingDocument")
        inbound = document.read(root, request.document)
        if not inbound.tops:
            raise AifError(f"The document has no {request.document.top.name}.", code="EmptyDocument")
        return inbound

    def _create_customers(self, transaction: Transaction, request: Request) -> etree._Element:
        company = self._config.companies[transaction.company]
        keys = []
        for node in self._inbound(request).tops:
            if node.action not in ("", "create"):
                raise AifError(f"The action '{node.action}' is not allowed on a create.", code="InvalidAction")
            account = customers.create(
                transaction,
                node,
                company_currency=company.currency,
                manual_numbers=self._switches.manual_account_numbers,
            )
            keys.append({"AccountNum": account})
        return document.entity_keys(keys)

    def _create_invoices(self, transaction: Transaction, request: Request) -> etree._Element:
        keys = []
        for node in self._inbound(request).tops:
            if node.action not in ("", "create"):
                raise AifError(f"The action '{node.action}' is not allowed on a create.", code="InvalidAction")
            keys.append(invoices.key(invoices.create(transaction, node), self._switches.invoice_key))
        return document.entity_keys(keys)

    def _update_customers(self, transaction: Transaction, request: Request) -> None:
        keys = _accounts(request)
        inbound = self._inbound(request)
        if len(keys) != len(inbound.tops):
            raise faults.missing_entity_keys()
        for account, node in zip(keys, inbound.tops, strict=True):
            customer_update.update(transaction, account, node, clear_nil=inbound.clear_nil)

    def _read_customers(self, transaction: Transaction, request: Request) -> etree._Element:
        nodes = []
        keys = _accounts(request)
        if not keys:
            raise faults.missing_entity_keys()
        for account in keys:
            stored = customers.load(transaction, account)
            if stored is None:
                raise faults.not_identified()
            nodes.append(customers.to_node(transaction, stored.customer))
        return self._customer_document(nodes)

    def _find_customers(self, transaction: Transaction, request: Request) -> etree._Element:
        rows = customers.find(transaction, _criteria(request), semantics=self._switches.find_semantics)
        return self._customer_document([customers.to_node(transaction, row) for row in rows])

    def _find_customer_keys(self, transaction: Transaction, request: Request) -> etree._Element:
        rows = customers.find(transaction, _criteria(request), semantics=self._switches.find_semantics)
        return document.entity_keys({"AccountNum": row["ACCOUNTNUM"]} for row in rows)

    def _customer_document(self, nodes: list[Node]) -> etree._Element:
        """Return the document: empty when nothing was found, else with the instant that its data is valid for."""
        prefixes = nsmap(ns.CUSTOMER, st=ns.SHARED_TYPES, i=ns.XSI)
        root = etree.Element(f"{{{ns.CUSTOMER}}}Customer", nsmap=prefixes)
        if nodes:
            valid = etree.SubElement(root, f"{{{ns.CUSTOMER}}}ValidAsOfDateTime")
            valid.text = document.as_text(self._clock().replace(microsecond=0), "DateTime")
        for node in nodes:
            document.write(root, CUSTOMER, node, declared_type=CUSTOMER.top.type)
        return root


def _accounts(request: Request) -> list[str]:
    """Return the account numbers of the entity keys. Raises: AifError F1 when a key has another field."""
    keys = document.read_entity_keys(request.parameter(ns.ENTITY_KEY_LIST, "EntityKeyList"))
    if any(list(key) != ["AccountNum"] for key in keys):
        raise faults.not_identified()
    return [key["AccountNum"] for key in keys]


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
