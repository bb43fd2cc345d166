"""The kinds of step a flow is made of, with their settings, and the flow file itself.

A step is a mapping with one key, its kind. Steps run in the order of the file; each can end the record (ignored,
parked, refused) or hand it on with what it has found: a name for expressions (`as`), the document, commands.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, model_validator

from streams.transforms.declarations import (
    MAPPING,
    TABLE,
    DecisionRows,
    Declared,
    ExpressionText,
    Name,
    Settings,
    Table,
    TableName,
    Word,
    json_schema,
)


class FilterRule(Declared):
    """Records that end here: nothing to do."""

    when: ExpressionText
    ignore: Word
    reverse: bool = Field(False, description="AX shall not hold the document either: what is there is reversed.")


class LookUp(Declared):
    """Joins the record with a row of master data, a cross-reference or another FreshBooks record."""

    name: Word = Field(alias="as", description="Name of the row in later expressions.")
    table: TableName = Field(alias="in")
    key: ExpressionText = Field(description="Id of the row wanted; null or 0 finds nothing.")
    through: Word | None = Field(
        None, description="`key` is the id of this FreshBooks kind, its cross-reference names the AX row."
    )
    when: ExpressionText | None = Field(None, description="Only records for which this holds; others go on without.")
    optional: bool = Field(False, description="A record without the id (null or 0) goes on; its fields are null.")
    for_each: str | None = Field(
        None, description="List of the record: one row for each element (`line` in `key`), known to its lines in `map`."
    )
    on_missing: Literal["park", "reject", "go_on"] | dict[Literal["ignore"], Word] = Field(
        "park", description="No row: wait for it, refuse the record, go on without (fields are null), or end it."
    )
    on_found: dict[Literal["ignore"], Word] | None = Field(None, description="A row is there: end the record.")


class MatchKey(Declared):
    """One way to find the AX row, tried in the order of the file; the first that finds anything decides."""

    by: Literal["our_account_number", "vat_number", "name", "email"]
    value: ExpressionText


class Similar(Declared):
    """The last way to find the AX row: names that are alike. Scores are 0 to 100 (same words, in any order: 100)."""

    value: ExpressionText = Field(description="The name to compare.")
    match_from: Annotated[int, Field(ge=50, le=100)] = Field(
        95, description="A row from this score on is taken, when it is alone up to `ask_from`."
    )
    ask_from: Annotated[int, Field(ge=50, le=100)] = Field(
        85, description="Rows from this score on, but not one alone to be taken, are a question for a person."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Similar:
        if self.ask_from > self.match_from:
            raise ValueError("ask_from is at most match_from")
        return self


class Match(Declared):
    """Finds the AX row that a FreshBooks record is, links the two and ends; without one the record goes on."""

    table: TableName = Field(alias="in")
    keys: list[MatchKey] = Field(min_length=1)
    similar: Similar | None = Field(None, description="When no key finds anything: rows with a name alike.")


class ValidateRule(Declared):
    """What must hold for the record to go on, as an expression or a named check; else it becomes a dead letter."""

    rule: ExpressionText | None = None
    code: Word | None = None
    message: str | None = Field(
        None, min_length=1, description="What is wrong and how to mend it; no data of the record."
    )
    field: str | None = Field(None, description="The field to blame.")
    check: Literal["currency", "balanced", "accounts", "dimensions", "period"] | None = Field(
        None,
        description="A check that the engine knows: `currency` of `value` is one of the settings; of the document, "
        "`balanced`, and against AX's ledger where it is captured: `accounts`, `dimensions`, `period`.",
    )
    value: ExpressionText | None = None

    @model_validator(mode="after")
    def _rule_or_check(self) -> ValidateRule:
        if self.check is None and None in (self.rule, self.code, self.message):
            raise ValueError("a rule has rule, code and message; a check has check and value")
        if self.check is not None and self.rule is not None:
            raise ValueError("a check has no rule: begin a new list item for it")
        if self.check == "currency" and self.value is None:
            raise ValueError("the check of a currency has a value")
        return self


class Price(Declared):
    """Lines, discount and taxes of an invoice or credit note as amounts that add up to its total (`priced`)."""

    taxes: str = Field(description='Table from taxes ("VAT 19", "GST 5 + PST 7") to TaxItemGroup.')
    negative: bool = Field(False, description="With all amounts negated, for a credit note.")


class Convert(Declared):
    """Amounts in another currency, at the rate that AX would take; rate, date and rule travel with the command."""

    name: Word = Field(alias="as", description="Name of the converted amounts and of the rate in later expressions.")
    source: ExpressionText = Field(alias="from", description="Currency of the amounts.")
    target: ExpressionText = Field("null", alias="to", description="Currency wanted; AX's accounting currency if null.")
    on: ExpressionText = Field(description="Date of the rate.")
    rate_type: ExpressionText = Field('"Default"', description="Exchange rate type in AX.")
    amounts: dict[Word, ExpressionText] = Field(
        default_factory=dict, description="Amounts that belong together: they are rounded so that they add up."
    )
    for_each: str | None = Field(None, description="List of the record with an amount per element.")
    amount: ExpressionText | None = Field(None, description="Amount of an element (`line`), then `<as>_line.amount`.")
    on_missing: Literal["park", "reject", "go_on"] = Field("park", description="AX has no rate.")


class Lines(Declared):
    """Lines of the document, made by one mapping."""

    mapping: str
    for_each: str | None = Field(
        None, description="List of the record whose elements are `line`, or `priced`; without it one line is made."
    )
    when: ExpressionText | None = Field(None, description="Only lines for which this holds.")
    derive: dict[str, DecisionRows] = Field(
        default_factory=dict, description="Decision tables over each line; `dimensions` are the line's."
    )


class Map(Declared):
    """Makes the document: header by one mapping, lines by others."""

    mapping: str
    lines: list[Lines] = Field(default_factory=list)


class Branch(Declared):
    """One branch of a route; without condition it takes what is left."""

    branch: Word
    when: ExpressionText | None = None
    steps: list[Step] = Field(min_length=1)


class Post(Declared):
    """Sends the document as a command to the other end."""

    on_change: Literal["correct", "refuse", "ignore"] = Field(
        "correct",
        description="A document that changed after it reached the other end: correct it (an AX document is reversed "
        "and posted anew), refuse the record, or leave it.",
    )


class WriteBack(Declared):
    """What happens to the AX reference once AX has confirmed the document."""

    reference: bool = Field(description="Write it on the FreshBooks record, where its kind has a place for it.")


class Step(Declared):
    """One step: exactly one of these keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    filter: Annotated[list[FilterRule], Field(min_length=1)] | None = None
    look_up: LookUp | None = None
    match: Match | None = None
    validate_: Annotated[list[ValidateRule], Field(min_length=1)] | None = Field(None, alias="validate")
    derive: Annotated[dict[str, DecisionRows], Field(min_length=1)] | None = Field(
        None, description="Decision tables: name → rows, then `derived.<name>`; `dimensions` are the header's."
    )
    price: Price | None = None
    convert: Convert | None = None
    map: str | Map | None = Field(None, description="Name of a mapping, or header and lines.")
    route: Annotated[list[Branch], Field(min_length=1)] | None = None
    post: Post | None = None
    write_back: WriteBack | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Step:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"a step has one kind, one of {', '.join(KINDS)}; begin a new list item for each")
        return self

    @property
    def kind(self) -> str:
        """Its kind as the file writes it."""
        return next(iter(self.model_fields_set)).rstrip("_")

    @property
    def settings(self) -> Any:
        """What stands under its kind."""
        return getattr(self, next(iter(self.model_fields_set)))


KINDS = tuple(name.rstrip("_") for name in Step.model_fields)


class FlowFile(Declared):
    """A flow: the records of one topic, step by step."""

    flow: Name
    version: int = Field(ge=1)
    note: str | None = None
    trigger: str = Field(description="Topic whose records the flow decides.")
    settings: Settings = Field(default_factory=Settings)
    steps: list[Step] = Field(min_length=1)
    tables: dict[str, Table] = Field(default_factory=dict)
    on_error: dict[Word, Literal["dead_letter", "ignore"]] = Field(
        default_factory=dict, description="Failure code → what to do with the record; dead_letter when not named."
    )


FLOW: TypeAdapter[FlowFile] = TypeAdapter(FlowFile)


def json_schemas() -> dict[str, dict[str, Any]]:
    """File name to JSON Schema of the three kinds of file."""
    return {
        f"{name}.schema.json": json_schema(adapter)
        for name, adapter in (("flow", FLOW), ("mapping", MAPPING), ("table", TABLE))
    }
