"""Checks that what a record names exists: 404/1012 with the key that names it (inferred but for invoices)."""

from __future__ import annotations

from sandbox.freshbooks.errors import unknown_resource
from sandbox.freshbooks.kind import Account, Record


def referred(account: Account, single: str, title: str, key: str, number: object) -> Record:
    """Return the record of kind `single` that `key` names, deleted or not. Raises Refused 404/1012."""
    found = account.records(single).get(number) if isinstance(number, int) else None
    if found is None:
        raise unknown_resource(title, key, single, number)
    return found
