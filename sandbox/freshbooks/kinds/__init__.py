"""The entity kinds that the accounting endpoints serve."""

from __future__ import annotations

from typing import Final

from sandbox.freshbooks.kind import Kind
from sandbox.freshbooks.kinds.clients import CLIENT
from sandbox.freshbooks.kinds.invoices import INVOICE
from sandbox.freshbooks.kinds.payments import PAYMENT

BY_PATH: Final[dict[str, Kind]] = {kind.path: kind for kind in (CLIENT, INVOICE, PAYMENT)}
BY_SINGLE: Final[dict[str, Kind]] = {kind.single: kind for kind in BY_PATH.values()}
