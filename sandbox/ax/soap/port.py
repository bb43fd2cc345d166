"""The port: runs one service operation as one database transaction and makes the answer.

Order: caller and context → duplicate message → schema → operation → commit. The message id is claimed inside
the transaction, so an operation that fails leaves no trace of it (unless the switch
`failed_message_consumes_id` says otherwise).
"""

from dataclasses import dataclass

from sandbox.ax.config import AxConfig, Switches
from sandbox.ax.model import faults, messages
from sandbox.ax.model.batch import Batch
from sandbox.ax.model.database import AxDatabase
from sandbox.ax.model.faults import AifError
from sandbox.ax.soap.envelope import CallContext, Request, response
from sandbox.ax.soap.operations import Clock, Operations
from sandbox.ax.soap.validation import Validator, check_type_is_unprefixed
from sandbox.ax.soap.xml import elements, name_of

WRITES = frozenset({"create", "update"})
"""Operations with EnableIdempotence (the default of shipped document services)."""

POSTED = frozenset(
    {"FreeTextInvoiceService", "GeneralJournalService", "PurchaseInvoiceService", "CustPaymJournalService"}
)
"""Services whose documents the batch job posts."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer's envelope, and whether the operation's transaction was committed by this call."""

    body: bytes
    committed: bool


class Port:
    """The operations of the port. `execute` may run in many threads at once."""

    def __init__(self, database: AxDatabase, config: AxConfig, switches: Switches, clock: Clock, batch: Batch) -> None:
        self._database = database
        self._config = config
        self._switches = switches
        self._clock = clock
        self._batch = batch
        self._validator = Validator()
        self._operations = Operations(config, switches, clock).table()

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
        if self._switches.posting == "immediately" and request.service in POSTED and request.operation == "create":
            self._batch.run((company,))
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
