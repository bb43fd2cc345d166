"""Typed access to the fields of one JSON object from FreshBooks; whatever does not fit is a PoisonError naming it.

FreshBooks spells "none" as null, as 0 (ids) and as "" (texts): all three come out as None. Numbers come as strings and,
from some endpoints, as JSON numbers: both are read, always into Decimal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.freshbooks.clocks import parse_eastern, parse_utc
from schemas.failures import PoisonError

# Precision and scale of schemas/avro: what does not fit cannot be written to Kafka.
MONEY, QUANTITY, PERCENT = (19, 4), (19, 6), (9, 4)
# Texts longer than this are no names, notes or terms; Kafka's default record limit is 1 MiB.
_MAX_TEXT = 100_000
# Plain decimal notation: what Decimal reads beyond it (NaN, exponents, underscores) is no amount.
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?")


def wrong(where: str, name: str, wanted: str) -> PoisonError:
    """The failure for a field that is not `wanted`. Names the field; its value is payload and stays out."""
    path = f"{where}.{name}" if name else where
    return PoisonError("freshbooks_shape", f"reading {path} from FreshBooks: not {wanted}", field=path)


class Fields:
    """The fields of one object. `where` is its name in messages: `invoice`, `invoice.lines[2]`."""

    def __init__(self, where: str, raw: object) -> None:
        if not isinstance(raw, Mapping):
            raise wrong(where, "", "an object")
        self._where = where
        self._raw: Mapping[str, Any] = raw

    def text(self, name: str) -> str | None:
        """The text, None for null, "" and a missing field. A number is taken as its text."""
        value = self._raw.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            raise wrong(self._where, name, "text")
        text = str(value)
        if len(text) > _MAX_TEXT:
            raise wrong(self._where, name, f"text of at most {_MAX_TEXT} characters")
        return text

    def required_text(self, name: str) -> str:
        """The text, which must be there."""
        text = self.text(name)
        if text is None:
            raise wrong(self._where, name, "there")
        return text

    def identifier(self, *names: str) -> int:
        """The first of `names` that is there, a whole number above 0."""
        for name in names:
            if self._raw.get(name) not in (None, ""):
                number = self.integer(name)
                if number > 0:
                    return number
        raise wrong(self._where, names[0], "an id")

    def optional_identifier(self, name: str) -> int | None:
        """The id, None where FreshBooks names none: null, 0, "" or a missing field."""
        value = self._raw.get(name)
        none = value in (None, "", "0") or (isinstance(value, int) and value == 0)
        return None if none else self.identifier(name)

    def integer(self, name: str, *, missing: int | None = None) -> int:
        """The whole number; `missing` when there is none, which is otherwise refused."""
        value = self._raw.get(name)
        if value in (None, "") and missing is not None:
            return missing
        if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 19:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
            raise wrong(self._where, name, "a whole number")
        return value

    def boolean(self, name: str, *, missing: bool) -> bool:
        """The truth value; 0 and 1 count."""
        value = self._raw.get(name)
        if value is None:
            return missing
        if isinstance(value, int) and value in (True, False):
            return bool(value)
        raise wrong(self._where, name, "true or false")

    def decimal(self, name: str, size: tuple[int, int]) -> Decimal:
        """The number with exactly the digits behind the point that `size` (precision, scale) allows."""
        return self._number(self._raw.get(name), name, size)

    def money(self, name: str, currency: str, size: tuple[int, int], *, missing_is_zero: bool = False) -> Decimal:
        """The amount of `{"amount", "code"}`, which must be in `currency`; a missing code is the entity's own."""
        value = self._raw.get(name)
        if value is None and missing_is_zero:
            return Decimal(0).quantize(Decimal(1).scaleb(-size[1]))
        if not isinstance(value, Mapping):
            raise wrong(self._where, name, "an amount with its currency")
        if value.get("code") not in (None, "", currency):
            raise wrong(self._where, name, f"in the currency of the document ({currency})")
        return self._number(value.get("amount"), name, size)

    def optional_decimal(self, name: str, size: tuple[int, int]) -> Decimal | None:
        """The number, None for null, "" and a missing field."""
        return None if self._raw.get(name) in (None, "") else self.decimal(name, size)

    def optional_money(self, name: str, currency: str, size: tuple[int, int]) -> Decimal | None:
        """The amount, which must be in `currency`; None for null and a missing field."""
        return None if self._raw.get(name) is None else self.money(name, currency, size)

    def currency_of(self, name: str) -> str:
        """The currency that the amount of `name` is in, for kinds that name it nowhere else."""
        value = self._raw.get(name)
        return Fields(f"{self._where}.{name}", value).currency("code")

    def currency(self, name: str) -> str:
        """A currency code of three capital letters."""
        value = self._raw.get(name)
        if (
            not isinstance(value, str)
            or len(value) != 3
            or not (value.isascii() and value.isalpha() and value.isupper())
        ):
            raise wrong(self._where, name, "a currency code")
        return value

    def vis_state(self) -> int:
        """0 active, 1 deleted, 2 archived."""
        state = self.integer("vis_state", missing=0)
        if state not in (0, 1, 2):
            raise wrong(self._where, "vis_state", "0, 1 or 2")
        return state

    def day(self, name: str) -> date:
        """A date."""
        day = self.optional_day(name)
        if day is None:
            raise wrong(self._where, name, "there")
        return day

    def optional_day(self, name: str) -> date | None:
        """A date or None."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise wrong(self._where, name, "a date") from error

    def eastern(self, name: str, *, not_after: datetime) -> datetime:
        """The UTC instant of an Eastern wall-clock time; see `parse_eastern` for `not_after`."""
        try:
            return parse_eastern(self.required_text(name), not_after=not_after)
        except (ValueError, OverflowError) as error:
            raise wrong(self._where, name, "a date and time") from error

    def utc(self, name: str) -> datetime:
        """The UTC instant of a time that is UTC, whether it says so or not."""
        try:
            return parse_utc(self.required_text(name))
        except (ValueError, OverflowError) as error:
            raise wrong(self._where, name, "a date and time") from error

    def part(self, name: str) -> Fields | None:
        """The object of a field, None for null and a missing field."""
        value = self._raw.get(name)
        return None if value is None else Fields(f"{self._where}.{name}", value)

    def objects(self, name: str, *, missing_is_none: bool = False) -> list[Fields]:
        """The objects of a list, which must be there: a list that is missing was not asked for."""
        value = self._raw.get(name)
        if value is None and missing_is_none:
            return []
        if not isinstance(value, list):
            raise wrong(self._where, name, "a list")
        return [Fields(f"{self._where}.{name}[{index}]", item) for index, item in enumerate(value)]

    def _number(self, value: object, name: str, size: tuple[int, int]) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            raise wrong(self._where, name, "a number")
        if isinstance(value, str) and _NUMBER.fullmatch(value) is None:
            raise wrong(self._where, name, "a number")
        precision, scale = size
        try:
            number = Decimal(value)
            exact = number.quantize(Decimal(1).scaleb(-scale))
        except InvalidOperation as error:
            raise wrong(self._where, name, f"a number of at most {precision} digits") from error
        if exact != number or len(exact.as_tuple().digits) > precision:
            raise wrong(self._where, name, f"a number of at most {precision} digits, {scale} of them decimals")
        return exact
