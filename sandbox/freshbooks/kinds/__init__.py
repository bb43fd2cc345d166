"""The entity kinds that are served: the accounting ones by path, projects by endpoints of their own."""

from __future__ import annotations

from typing import Final

from sandbox.freshbooks.kind import Kind
from sandbox.freshbooks.kinds.bill_payments import BILL_PAYMENT
from sandbox.freshbooks.kinds.bill_vendors import BILL_VENDOR
from sandbox.freshbooks.kinds.bills import BILL
from sandbox.freshbooks.kinds.categories import CATEGORY
from sandbox.freshbooks.kinds.clients import CLIENT
from sandbox.freshbooks.kinds.credit_notes import CREDIT_NOTE
from sandbox.freshbooks.kinds.expenses import EXPENSE
from sandbox.freshbooks.kinds.invoices import INVOICE
from sandbox.freshbooks.kinds.items import ITEM
from sandbox.freshbooks.kinds.payments import PAYMENT
from sandbox.freshbooks.kinds.projects import PROJECT
from sandbox.freshbooks.kinds.taxes import TAX

_ACCOUNTING: Final = (
    CLIENT,
    INVOICE,
    PAYMENT,
    CREDIT_NOTE,
    EXPENSE,
    CATEGORY,
    BILL_VENDOR,
    BILL,
    BILL_PAYMENT,
    ITEM,
    TAX,
)
BY_PATH: Final[dict[str, Kind]] = {kind.path: kind for kind in _ACCOUNTING}
BY_SINGLE: Final[dict[str, Kind]] = {kind.single: kind for kind in (*_ACCOUNTING, PROJECT)}
