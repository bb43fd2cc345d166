"""Customers and vendors in AX: found by our natural key, or created once. AX owns them, so nothing is updated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from connectors.ax.aif_client import CUSTOMER_SERVICE, VENDOR_SERVICE, FoundAccount
from connectors.ax.creation import Creation, Run
from connectors.ax.message_ids import MessageKey
from connectors.ax.sink_ports import Services
from schemas.failures import PoisonError
from schemas.records import AxCommand, AxOperation, AxOutcome


@dataclass(frozen=True, slots=True)
class Account:
    """The customer or vendor that a command wants: its natural key, and how it is found and created."""

    entity: str
    key_field: str
    service: str
    key: str
    find: Callable[[str, str], Awaitable[list[FoundAccount]]]
    create: Callable[[str, UUID], Awaitable[str | None]]


def account_of(command: AxCommand, services: Services) -> Account | None:
    """The account that `command` is about, None when it is about a document.

    Raises: PoisonError when the command does not hold it.
    """
    if command.operation is AxOperation.UPSERT_CUSTOMER:
        customer = command.customer
        if customer is None:
            raise _incomplete(command, "customer")
        return Account(
            "customer",
            "our_account_number",
            CUSTOMER_SERVICE,
            customer.our_account_number,
            services.find_customers,
            lambda company, message_id: services.create_customer(company, customer, message_id),
        )
    if command.operation is AxOperation.UPSERT_VENDOR:
        vendor = command.vendor
        if vendor is None:
            raise _incomplete(command, "vendor")
        return Account(
            "vendor",
            "your_account_number",
            VENDOR_SERVICE,
            vendor.your_account_number,
            services.find_vendors,
            lambda company, message_id: services.create_vendor(company, vendor, message_id),
        )
    return None


async def found_or_created(account: Account, company: str, creation: Creation, run: Run) -> str:
    """One attempt. Returns the account number. Raises: RetryableError, PoisonError, FatalError."""
    number = await _find(account, company)
    if number is None:
        key = MessageKey(company, account.service, account.key)
        number = await creation.send(
            run, key, AxOutcome.CREATED, lambda message_id: account.create(company, message_id)
        )
        if number is None or creation.was_unclear(key):
            number = await _find(account, company)
    if number is None:
        raise creation.not_there_yet(run, f"{account.entity} {account.key}")
    creation.settled(run)
    return number


async def _find(account: Account, company: str) -> str | None:
    found = await account.find(company, account.key)
    if len(found) > 1:
        accounts = ", ".join(row.account_number for row in found)
        raise PoisonError(
            f"{account.entity}_doubled",
            f"looking up {account.entity} {account.key} in {company}: {accounts} all carry it; keep it on one",
            field=account.key_field,
        )
    return found[0].account_number if found else None


def _incomplete(command: AxCommand, field: str) -> PoisonError:
    return PoisonError("command_incomplete", f"applying {command.operation}: the command holds no {field}", field=field)
