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
    on_missing: Literal["park", "reject", "go_on"] | dict[Literal["ignore"], Word] = Field(
        "park", description="No row: wait for it, refuse the record, go on without (fields are null), or end it."
    )
    on_found: dict[Literal["ignore"], Word] | None = Field(None, description="A row is there: end the record.")


class MatchKey(Declared):
    """One way to find the AX row, tried in the order of the file; the first that finds anything decides."""

    by: Literal["our_account_number", "vat_number", "name", "email"]
    value: ExpressionText


class Match(Declared):
    """Finds the AX row that a FreshBooks record is, links the two and ends; without one the record goes on."""

    table: TableName = Field(alias="in")
    keys: list[MatchKey] = Field(min_length=1)


class ValidateRule(Declared):
    """What must hold for the record to go on, as an expression or a named check; else it becomes a dead letter."""

    rule: ExpressionText | None = None
    code: Word | None = None
    message: str | None = Field(
        None, min_length=1, description="What is wrong and how to mend it; no data of the record."
    )
    field: str | None = Field(None, description="The field to blame.")
    check: Literal["currency"] | None = Field(None, description="A check that the engine knows, of `value`.")
    value: ExpressionText | None = None

    @model_validator(mode="after")
    def _rule_or_check(self) -> ValidateRule:
        if self.check is None and None in (self.rule, self.code, self.message):
            raise ValueError("a rule has rule, code and message; a check has check and value")
        if self.check is not None and (self.value is None or self.rule is not None):
            raise ValueError("a check has check and value, and no rule")
        return self


class Price(Declared):
    """Lines, discount and taxes of an invoice or credit note as amounts that add up to its total (`priced`)."""

    taxes: str = Field(description='Table from taxes ("VAT 19", "GST 5 + PST 7") to TaxItemGroup.')


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
