"""A compiled flow: a row of steps, and what the agents see of it: name, trigger, revision, `decide`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from schemas.failures import PoisonError
from schemas.records import Record
from streams.transforms.coverage import Decision as DecisionTableOfFlow
from streams.transforms.decisions import Decision, Ignored, Lookups, ParkedFor, Ready
from streams.transforms.run import Run, Step, StepOutput
from streams.transforms.sources import Source

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A compiled flow. `revision` is name@version:hash8 over everything that decides (files and overrides)."""

    name: str
    version: int
    trigger: str
    revision: str
    source: Source
    target: str
    companies: Mapping[str, str]
    currencies: frozenset[str]
    steps: tuple[Step, ...]
    ignored_codes: frozenset[str]
    # FreshBooks' look-up data that the steps join with (`sources.FRESHBOOKS_TABLES`).
    tables: frozenset[str] = frozenset()
    decision_tables: tuple[DecisionTableOfFlow, ...] = ()
    writes_back: bool = True

    def decide(self, record: Mapping[str, Any], lookups: Lookups, now: datetime) -> Decision:
        """What to do about one record of the trigger topic, as the Avro reader gives it. `now` is aware UTC.

        Pure: the same record, master data and `now` give the same decision.
        Raises PoisonError for a record that can never pass as it is, and nothing else.
        """
        try:
            run = self._begin(record, lookups, now)
            for step in self.steps:
                decision = step.run(run)
                if decision is not None:
                    return decision
            return run.outcome()
        except PoisonError as reason:
            return self._handled(reason)

    def explain(
        self, record: Mapping[str, Any], lookups: Lookups, now: datetime
    ) -> tuple[list[StepOutput], Decision | PoisonError]:
        """The decision about a record, or why it is refused, with what each step did. Raises nothing."""
        shown: list[StepOutput] = []
        step = self.steps[0]
        try:
            run = self._begin(record, lookups, now)
            for step in self.steps:
                run.note = None
                decision = step.run(run)
                shown.append(StepOutput(step.place, step.kind, step.title, _word(decision), run.note))
                if decision is not None:
                    return shown, decision
            return shown, run.outcome()
        except PoisonError as reason:
            shown.append(StepOutput(step.place, step.kind, step.title, "refused", reason.message))
            try:
                return shown, self._handled(reason)
            except PoisonError:
                return shown, reason

    def _begin(self, record: Mapping[str, Any], lookups: Lookups, now: datetime) -> Run:
        return Run(
            source=self.source,
            record=record,
            subject=typed(self.source.record, record),
            lookups=lookups,
            now=now,
            revision=self.revision,
            companies=self.companies,
            env={self.source.root: record},
            target=self.target,
        )

    def _handled(self, reason: PoisonError) -> Decision:
        if reason.code in self.ignored_codes:
            return Ignored(reason.code, reason.message)
        raise reason


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


def _word(decision: Decision | None) -> str:
    if isinstance(decision, Ready):
        return "ready"
    if isinstance(decision, ParkedFor):
        return "parked"
    return "go_on" if decision is None else "ignored"
