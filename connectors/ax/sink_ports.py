"""What the AX sink needs of AX, as protocols: AifClient and DocumentLookup, or fakes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from connectors.ax.aif_client import FoundAccount
from connectors.ax.lookup import FoundDocument
from schemas.records import CustomerDocument, FreeTextInvoice, LedgerJournal, VendorDocument


class Services(Protocol):
    """AX's document services."""

    async def find_customers(self, company: str, our_account_number: str) -> list[FoundAccount]:
        """Customers by OurAccountNum."""

    async def create_customer(self, company: str, document: CustomerDocument, message_id: UUID) -> str | None:
        """Create a customer, return its account number."""

    async def find_vendors(self, company: str, your_account_number: str) -> list[FoundAccount]:
        """Vendors by YourAccountNum."""

    async def create_vendor(self, company: str, document: VendorDocument, message_id: UUID) -> str | None:
        """Create a vendor, return its account number."""

    async def create_invoices(self, company: str, invoices: Mapping[str, FreeTextInvoice], message_id: UUID) -> None:
        """Create free-text invoices in one transaction."""

    async def create_journals(
        self, service: str, company: str, journals: Mapping[str, LedgerJournal], message_id: UUID
    ) -> None:
        """Create journals in one transaction."""

    async def close(self) -> None:
        """Let go of connections."""


class Documents(Protocol):
    """The look-up of what AX holds."""

    async def invoices(self, company: str, prefix: str) -> list[FoundDocument]:
        """Free-text invoices by the beginning of their reference."""

    async def journals(self, company: str, prefix: str) -> list[FoundDocument]:
        """Journals by the beginning of their reference."""

    async def vendor_invoice_posted(self, company: str, account: str, invoice_number: str) -> bool:
        """Whether AX has posted a vendor's invoice."""

    async def close(self) -> None:
        """Let go of connections."""
