"""What the agents see of a flow: its name, trigger and revision, and `decide`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from schemas.failures import PoisonError
from schemas.records import Record
from streams.transforms.compiling import Problems
from streams.transforms.decisions import Decision, Ignored, Lookups
from streams.transforms.declarations import FilterRule, ValidateRule
from streams.transforms.expressions import Expression, Scope

R = TypeVar("R", bound=Record)
Environment = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Flow(ABC):
    """A compiled flow. `revision` is name@version:hash8 over everything that decides (files and overrides)."""

    name: str
    version: int
    trigger: str
    revision: str
    ignored_codes: frozenset[str]

    def decide(self, record: Mapping[str, Any], lookups: Lookups, now: datetime) -> Decision:
        """What to do about one record of the trigger topic, as the Avro reader gives it. `now` is aware UTC.

        Pure: the same record, master data and `now` give the same decision.
        Raises PoisonError for a record that can never pass as it is, and nothing else.
        """
        try:
            return self._decide(record, lookups, now)
        except PoisonError as reason:
            if reason.code in self.ignored_codes:
                return Ignored(reason.code, reason.message)
            raise

    @abstractmethod
    def _decide(self, record: Mapping[str, Any], lookups: Lookups, now: datetime) -> Decision:
        """The flow's own steps."""


class Flows(Mapping[str, Flow]):
    """All flows of a release by name."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        self._by_name = {flow.name: flow for flow in flows}

    def __getitem__(self, name: str) -> Flow:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def for_topic(self, topic: str) -> tuple[Flow, ...]:
        """The flows that records of `topic` trigger, in the order of their names."""
        return tuple(flow for _, flow in sorted(self._by_name.items()) if flow.trigger == topic)


def typed(kind: type[R], record: Mapping[str, Any]) -> R:
    """`record` as its struct. Raises PoisonError `record_invalid` naming the field that does not fit."""
    try:
        return kind.from_avro(dict(record))
    except (msgspec.ValidationError, TypeError, ValueError) as reason:
        raise PoisonError(
            "record_invalid", f"reading a {kind.__name__}: {reason}; the producer must follow the schema"
        ) from reason


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Compiled rules of `filter` or `cancel`: the first that holds names the reason."""

    rules: tuple[tuple[Expression, str], ...]

    def reason(self, env: Environment) -> str | None:
        """Word of the first rule that holds."""
        for when, word in self.rules:
            if when.condition(env):
                return word
        return None


@dataclass(frozen=True, slots=True)
class Validation:
    """Compiled rules of `validate`."""

    rules: tuple[tuple[Expression, str, str], ...]

    def check(self, env: Environment) -> None:
        """Raises PoisonError with the code of the first rule that does not hold."""
        for rule, code, message in self.rules:
            if not rule.condition(env):
                raise PoisonError(code, message)


def compile_filter(declared: Sequence[FilterRule], scope: Scope, problems: Problems) -> Outcomes:
    """Compile the step `filter`."""
    return Outcomes(
        tuple(
            (problems.expression(f"filter.{index}.when", rule.when, scope), rule.ignore)
            for index, rule in enumerate(declared)
        )
    )


def compile_validation(declared: Sequence[ValidateRule], scope: Scope, problems: Problems) -> Validation:
    """Compile the step `validate`."""
    return Validation(
        tuple(
            (problems.expression(f"validate.{index}.rule", rule.rule, scope), rule.code, rule.message)
            for index, rule in enumerate(declared)
        )
    )


def company_of(account_id: str, companies: Mapping[str, str]) -> str:
    """AX company of a FreshBooks account. Raises PoisonError `unknown_account`."""
    company = companies.get(account_id)
    if company is None:
        raise PoisonError(
            "unknown_account",
            f"finding the AX company of account {account_id}: none is set; add it to settings.companies and redrive",
            field="account_id",
        )
    return company


def check_currency(currency: str, allowed: frozenset[str]) -> None:
    """Raises PoisonError `currency_not_allowed` for a currency that AX does not know."""
    if currency not in allowed:
        raise PoisonError(
            "currency_not_allowed",
            f"checking the currency: {currency[:8]!r} is not in settings.currencies; add it there once AX has it",
            field="currency_code",
        )
