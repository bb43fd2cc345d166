"""What AX's general ledger knows of one company, as far as flows ask: accounts, dimensions, periods, rates.

A flow decides without it where it is not captured (`Lookups.ledger` gives None): AX then checks when it posts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Literal

import msgspec

from schemas.failures import PoisonError
from streams.transforms.exchange_rates import NO_END, STORED_UNITS, Quotation, RateTable

Active = bool
PeriodStatus = Literal["open", "on_hold", "closed"]


class AccountStructure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dimensions the main accounts from `first` to `last` take: required or optional; others are refused."""

    name: str
    first: str
    last: str
    dimensions: dict[str, Literal["required", "optional"]] = {}


class Period(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fiscal period, both days included."""

    first: date
    last: date
    status: PeriodStatus = "open"


class LedgerRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of AX's exchange rates; `units` is 100 for a row of the table (see exchange_rates.py)."""

    rate_type: str = "Default"
    from_currency: str
    to_currency: str
    rate: Decimal
    units: int = STORED_UNITS
    valid_from: date
    valid_to: date = NO_END


class Ledger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The ledger of one company. `accounts` and the values of `dimensions` say whether each is active.

    A main account without a structure takes any dimension.
    """

    currency: str
    accounts: dict[str, Active] = {}
    dimensions: dict[str, dict[str, Active]] = {}
    structures: tuple[AccountStructure, ...] = ()
    periods: tuple[Period, ...] = ()
    rates: tuple[LedgerRate, ...] = ()

    @cached_property
    def rate_table(self) -> RateTable:
        """Its exchange rates; its accounting currency is the base of triangulation."""
        return RateTable((Quotation(**msgspec.structs.asdict(row)) for row in self.rates), self.currency)

    def structure_of(self, account: str) -> AccountStructure | None:
        """The structure of a main account. Ranges compare as texts, as AX's do."""
        return next((row for row in self.structures if row.first <= account <= row.last), None)

    def check_account(self, account: str, place: str) -> None:
        """Raises PoisonError `account_unknown` or `account_suspended`."""
        if account not in self.accounts:
            raise _refused(
                "account_unknown",
                place,
                f"main account {account!r} is not in AX's chart of accounts",
                "create it in AX, or name another in the flow",
            )
        if not self.accounts[account]:
            raise _refused(
                "account_suspended",
                place,
                f"main account {account!r} is suspended in AX",
                "activate it there, or name another in the flow",
            )

    def check_dimensions(self, account: str | None, given: Mapping[str, str], place: str) -> None:
        """Raises PoisonError naming the dimension: unknown, suspended, missing, or not taken by the account."""
        for name, value in given.items():
            self._check_value(name, value, f"{place}.{name}")
        structure = None if account is None else self.structure_of(account)
        if structure is None:
            return
        for name in given.keys() - structure.dimensions.keys():
            raise _refused(
                "dimension_not_allowed",
                f"{place}.{name}",
                f"main account {account!r} takes no {name} (structure {structure.name})",
                "remove it from the decision table for this account",
            )
        for name, wish in structure.dimensions.items():
            if wish == "required" and not given.get(name):
                raise _refused(
                    "dimension_missing",
                    f"{place}.{name}",
                    f"main account {account!r} needs a {name} (structure {structure.name})",
                    "add a row for this record to the decision table",
                )

    def _check_value(self, name: str, value: str, place: str) -> None:
        values = self.dimensions.get(name)
        if values is None:
            raise _refused(
                "dimension_unknown", place, f"AX has no dimension {name!r}", "correct its name in the decision table"
            )
        if value not in values:
            raise _refused(
                "dimension_value_unknown",
                place,
                f"{name} has no value {value!r} in AX",
                "create it there, or correct the decision table",
            )
        if not values[value]:
            raise _refused(
                "dimension_value_suspended",
                place,
                f"{name} {value!r} is suspended in AX",
                "activate it there, or choose another in the decision table",
            )

    def check_period(self, on: date, place: str) -> None:
        """Raises PoisonError `period_closed`, `period_on_hold` or `period_missing`."""
        period = next((row for row in self.periods if row.first <= on <= row.last), None)
        if period is None:
            raise _refused(
                "period_missing", place, f"AX has no fiscal period for {on.isoformat()}", "create its year there"
            )
        if period.status != "open":
            raise _refused(
                f"period_{period.status}",
                place,
                f"the fiscal period of {on.isoformat()} is {period.status.replace('_', ' ')}",
                "open it in AX, or change the date in FreshBooks",
            )


def _refused(code: str, place: str, problem: str, remedy: str) -> PoisonError:
    return PoisonError(code, f"checking {place}: {problem}; {remedy}, and redrive", field=place)
