"""The AIF client: document services of one AX port over SOAP, called from asyncio.

zeep is synchronous, so calls run in a thread pool of our own whose size is the number of calls AX may get at once. The
client is built once, from files: a start needs no AX. All failures leave as RetryableError, PoisonError or FatalError
(aif_failures.py).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import requests
import zeep
import zeep.exceptions

from connectors.ax import aif_documents, aif_journals
from connectors.ax.aif_envelope import Egress, PayloadSchema
from connectors.ax.aif_failures import UNCLEAR, UnclearOutcomeError, requests_failure, zeep_failure
from connectors.ax.aif_transport import AifTransport
from connectors.ax.wsdl_files import FOLDER, ROOT
from schemas.failures import Failure, FatalError
from schemas.records import CustomerDocument, FreeTextInvoice, LedgerJournal, VendorDocument
from streams.runtime import metrics
from streams.runtime.settings import AifSettings

CUSTOMER_SERVICE = "CustomerService"
INVOICE_SERVICE = "FreeTextInvoiceService"
# VendorService and CustPaymJournalService are named by the rule of the others: not verified (reference ax-aif, 2.2).
VENDOR_SERVICE = "VendorService"
GENERAL_JOURNAL_SERVICE = "GeneralJournalService"
PURCHASE_INVOICE_SERVICE = "PurchaseInvoiceService"
CUSTOMER_PAYMENT_SERVICE = "CustPaymJournalService"
# The journal services and the root element of their documents.
JOURNAL_DOCUMENTS = {
    GENERAL_JOURNAL_SERVICE: "LedgerGeneralJournal",
    PURCHASE_INVOICE_SERVICE: "PurchaseInvoice",
    CUSTOMER_PAYMENT_SERVICE: "CustPaymJournal",
}
# The WSDL's first port is the router's, without operations: each service is bound by its own name (section 11).
_BINDING = "{{http://tempuri.org/}}BasicHttpBinding_{}"
_SYSTEM = "ax"
# A port without these is not ours; the others are looked for when they are needed.
_REQUIRED = (CUSTOMER_SERVICE, INVOICE_SERVICE)


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """A customer or vendor that AX has. `key` is what it was looked up by: OurAccountNum, YourAccountNum."""

    account_number: str
    key: str


class AifClient:
    """Calls of the document services. Safe for many tasks of one event loop."""

    def __init__(self, settings: AifSettings) -> None:
        """Read the contract from `settings.wsdl_folder` and bind its services to `settings.url`. No network.

        Raises: FatalError when the address or the contract is no good.
        """
        self._settings = settings
        wsdl_folder = settings.wsdl_folder or FOLDER
        self._transport = AifTransport(settings, wsdl_folder)
        egress = Egress(PayloadSchema(wsdl_folder), unprefixed_xsi_type=settings.unprefixed_xsi_type)
        try:
            self._client = zeep.Client(  # type: ignore[no-untyped-call]
                ROOT,
                transport=self._transport,
                plugins=[egress],
                settings=zeep.Settings(strict=True, forbid_dtd=True, forbid_entities=True, force_https=False),
            )
            bindings = {
                name: _BINDING.format(settings.services.get(name, name))
                for name in (CUSTOMER_SERVICE, INVOICE_SERVICE, VENDOR_SERVICE, *JOURNAL_DOCUMENTS)
            }
            self._services = {
                name: self._client.create_service(binding, settings.url)  # type: ignore[no-untyped-call]
                for name, binding in bindings.items()
                if name in _REQUIRED or binding in self._client.wsdl.bindings
            }
        except zeep.exceptions.Error as error:
            raise zeep_failure(error, f"reading the port's contract in {wsdl_folder}") from error
        # Only now: the contract's own imports have http addresses, which the transport maps to files.
        self._client.settings.forbid_external = True
        self._pool = ThreadPoolExecutor(settings.max_concurrent_calls, thread_name_prefix="aif")
        self._types = threading.Lock()

    async def find_customers(self, company: str, our_account_number: str) -> list[FoundAccount]:
        """Customers whose OurAccountNum is exactly that; AX compares whatever the case, we do not."""
        return await self._find(CUSTOMER_SERVICE, "CustTable", "OurAccountNum", company, our_account_number)

    async def find_vendors(self, company: str, your_account_number: str) -> list[FoundAccount]:
        """Vendors whose YourAccountNum is exactly that."""
        return await self._find(VENDOR_SERVICE, "VendTable", "YourAccountNum", company, your_account_number)

    async def create_customer(self, company: str, document: CustomerDocument, message_id: UUID) -> str | None:
        """Create a customer. Returns its account number, None when AX's key does not say it."""
        payload = aif_documents.customer_payload(document, self._typed)
        keys = await self._call(CUSTOMER_SERVICE, "create", company, message_id, Customer=payload)
        return _first_key(keys).get("AccountNum")

    async def create_vendor(self, company: str, document: VendorDocument, message_id: UUID) -> str | None:
        """Create a vendor. Returns its account number, None when AX's key does not say it."""
        payload = aif_documents.vendor_payload(document, self._typed)
        keys = await self._call(VENDOR_SERVICE, "create", company, message_id, Vendor=payload)
        return _first_key(keys).get("AccountNum")

    async def create_invoices(self, company: str, invoices: Mapping[str, FreeTextInvoice], message_id: UUID) -> None:
        """Create free-text invoices, by their CustomerRef, in one AX transaction.

        Nothing is returned: whether AX's key is RecId or an InvoiceId that does not exist yet is not known
        (reference ax-aif, section 6.5), so the caller looks the documents up by their reference.
        """
        payload = aif_documents.invoice_payload(invoices)
        await self._call(INVOICE_SERVICE, "create", company, message_id, FreeTextInvoice=payload)

    async def create_journals(
        self, service: str, company: str, journals: Mapping[str, LedgerJournal], message_id: UUID
    ) -> None:
        """Create journals, by their name, in one AX transaction. The caller looks them up by it, as invoices."""
        purchase = service == PURCHASE_INVOICE_SERVICE
        payload = aif_journals.journal_payload(journals, company, purchase=purchase)
        await self._call(service, "create", company, message_id, **{JOURNAL_DOCUMENTS[service]: payload})

    async def close(self) -> None:
        """End the pool after the calls under way, close the connections."""
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
        self._transport.close()

    async def _find(self, service: str, table: str, field: str, company: str, value: str) -> list[FoundAccount]:
        criteria = aif_documents.criterion(table, field, value)
        document = await self._call(service, "find", company, None, QueryCriteria=criteria)
        rows = getattr(document, table, None) or []
        found = [FoundAccount(row.AccountNum or "", getattr(row, field) or "") for row in rows]
        return [row for row in found if row.key == value and row.account_number]

    async def _call(self, service: str, operation: str, company: str, message_id: UUID | None, **payload: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, lambda: self._send(service, operation, self._context(company, message_id), payload)
        )

    def _send(self, service: str, operation: str, context: dict[str, str], payload: dict[str, Any]) -> Any:
        """One call, in a worker thread. Raises a Failure, whatever happens on the way."""
        label = f"{service}.{operation}"
        started = time.perf_counter()
        outcome = "ok"
        metrics.SINK_IN_FLIGHT.labels(_SYSTEM).inc()
        try:
            call = getattr(self._service(service), operation)
            return _translated(call, f"calling {label} in {context['Company']}", context, payload)
        except Failure as failure:
            outcome = failure.code
            raise
        finally:
            metrics.SINK_IN_FLIGHT.labels(_SYSTEM).dec()
            metrics.SINK_SECONDS.labels(_SYSTEM, label).observe(time.perf_counter() - started)
            metrics.SINK_REQUESTS.labels(_SYSTEM, label, outcome).inc()

    def _service(self, name: str) -> Any:
        if name not in self._services:
            raise FatalError(
                "ax_service_missing",
                f"calling {name}: the port's contract does not offer it; add it to the port and take its files "
                "(FRESHAX_AIF__WSDL_FOLDER), name it in FRESHAX_AIF__SERVICES, or switch the flow off",
            )
        return self._services[name]

    def _context(self, company: str, message_id: UUID | None) -> dict[str, str]:
        """CallContext. The language is pinned: some faults can be told apart by their text only."""
        context = {"Company": company, "Language": self._settings.language}
        if message_id is not None:
            context["MessageId"] = f"{{{message_id}}}"
        if self._settings.partition_key:
            context["PartitionKey"] = self._settings.partition_key
        return context

    def _typed(self, name: str, fields: aif_documents.Entity) -> object:
        with self._types:
            party: object = self._client.get_type(name)(**fields)  # type: ignore[no-untyped-call]
            return party


def _translated(call: Any, action: str, context: dict[str, str], payload: dict[str, Any]) -> Any:
    try:
        return call(**payload, _soapheaders={"context": context})
    except zeep.exceptions.Error as error:
        raise zeep_failure(error, action) from error
    except requests.RequestException as error:
        raise requests_failure(error, action) from error
    except OSError as error:
        # A socket that breaks below requests, while the body is read.
        raise UnclearOutcomeError(UNCLEAR, f"{action}: {type(error).__name__}; it is looked up") from error


def _first_key(keys: Any) -> dict[str, str]:
    """Fields of the first EntityKey; empty when AX sent none."""
    for key in keys or ():
        return {field.Field: field.Value for field in key.KeyData.KeyField if field.Value}
    return {}
