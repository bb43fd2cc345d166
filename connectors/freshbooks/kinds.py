"""The kinds of FreshBooks entities that freshax carries, declared: where they live, what tells of them, how to poll.

Adding a kind means a line here, a parser (`entities.py` names it), its recorded fields, and a topic.
Source: reference of the API, paths, events and search filters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from schemas.failures import FatalError, PoisonError


class Watch(Enum):
    """What the list of a kind can be asked for, which decides how it is polled."""

    BY_DAY = "search[updated_min]"  # changes since an Eastern day; deleted ones by a second list
    SINCE = "updated_since"  # changes since an instant; deleted ones are gone for good
    WHOLE = "whole list"  # no filter of use: all of it, a few pages a round; deleted ones are those that are missing


class Family(Enum):
    """Groups of endpoints that differ in paths and envelopes."""

    ACCOUNTING = "accounting"
    PROJECTS = "projects"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `noun` is its word in webhooks and keys, `includes` what must be asked for to get all of it.

    `ids` are the names of its id, best first. `has_event` is False when FreshBooks sends no webhook for it.
    """

    noun: str
    path: str
    single: str
    plural: str
    ids: tuple[str, ...]
    watch: Watch
    includes: tuple[str, ...] = ()
    has_event: bool = True
    family: Family = Family.ACCOUNTING

    def collection(self, owner: str) -> str:
        """Path of the list; `owner` is the account, for projects the business."""
        if self.family is Family.PROJECTS:
            return f"/projects/business/{owner}/{self.path}"
        return f"/accounting/account/{owner}/{self.path}"

    def entity(self, owner: str, entity_id: int) -> str:
        """Path of one entity: of a project, its word is in the singular."""
        if self.family is Family.PROJECTS:
            return f"/projects/business/{owner}/{self.single}/{entity_id}"
        return f"{self.collection(owner)}/{entity_id}"

    @property
    def include_params(self) -> list[tuple[str, str]]:
        """Query parameters that ask for the includes."""
        return [("include[]", name) for name in self.includes]


CLIENT = Kind("client", "users/clients", "client", "clients", ("id", "userid"), Watch.BY_DAY)
# Without include[]=lines an invoice has no lines at all, which looks like an empty one.
INVOICE = Kind("invoice", "invoices/invoices", "invoice", "invoices", ("id", "invoiceid"), Watch.BY_DAY, ("lines",))
CREDIT_NOTE = Kind(
    "credit_note",
    "credit_notes/credit_notes",
    "credit_note",
    "credit_notes",
    ("id", "creditid"),
    Watch.WHOLE,
    ("lines",),
)
PAYMENT = Kind("payment", "payments/payments", "payment", "payments", ("id", "logid"), Watch.BY_DAY)
BILL_VENDOR = Kind(
    "bill_vendor", "bill_vendors/bill_vendors", "bill_vendor", "bill_vendors", ("vendorid",), Watch.WHOLE
)
EXPENSE = Kind(
    "expense", "expenses/expenses", "expense", "expenses", ("id", "expenseid"), Watch.BY_DAY, ("attachment",)
)
BILL = Kind("bill", "bills/bills", "bill", "bills", ("id",), Watch.WHOLE)
BILL_PAYMENT = Kind(
    "bill_payment",
    "bill_payments/bill_payments",
    "bill_payment",
    "bill_payments",
    ("id",),
    Watch.WHOLE,
    has_event=False,
)
ITEM = Kind("item", "items/items", "item", "items", ("id", "itemid"), Watch.BY_DAY)
CATEGORY = Kind("category", "expenses/categories", "category", "categories", ("id", "categoryid"), Watch.WHOLE)
TAX = Kind("tax", "taxes/taxes", "tax", "taxes", ("id", "taxid"), Watch.WHOLE)
PROJECT = Kind("project", "projects", "project", "projects", ("id",), Watch.SINCE, family=Family.PROJECTS)

# In the order in which a first load announces them: look-up data first, an invoice waits for its client.
KINDS: dict[str, Kind] = {
    kind.noun: kind
    for kind in (
        CATEGORY,
        TAX,
        ITEM,
        CLIENT,
        BILL_VENDOR,
        PROJECT,
        INVOICE,
        CREDIT_NOTE,
        PAYMENT,
        EXPENSE,
        BILL,
        BILL_PAYMENT,
    )
}

# Nouns that webhooks tell of.
EVENTS: tuple[str, ...] = tuple(kind.noun for kind in KINDS.values() if kind.has_event)


def kind_of(noun: str) -> Kind:
    """The kind of `noun`. Raises PoisonError (unknown_kind)."""
    kind = KINDS.get(noun)
    if kind is None:
        raise PoisonError(
            "unknown_kind", f"reading FreshBooks: no kind {noun!r}; known: {', '.join(KINDS)}", field="kind"
        )
    return kind


def chosen(setting: str) -> tuple[Kind, ...]:
    """The kinds that a setting names, comma-separated, in the order of a first load; all of them when it is empty.

    Raises: FatalError (setting_invalid) naming the word that is no kind.
    """
    wanted = {noun.strip() for noun in setting.split(",") if noun.strip()}
    unknown = sorted(wanted - KINDS.keys())
    if unknown:
        raise FatalError(
            "setting_invalid",
            f"reading settings: FRESHAX_FRESHBOOKS__KINDS: {unknown[0]!r} is no kind; kinds: {', '.join(KINDS)}",
        )
    return tuple(kind for kind in KINDS.values() if not wanted or kind.noun in wanted)
