"""The shape of mapping and table files. Unknown keys are refused; descriptions become the JSON Schemas beside them.

A flow is a list of steps in the order in which they run (`step_declarations`); the file says what each does. Settings
that differ between environments stand in `settings` and `tables`, which an operator's own file can override.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema, model_validator

from streams.transforms.expressions.errors import suggestion
from streams.transforms.sources import LOOK_UPS
from streams.transforms.targets import TARGETS

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="Stable word for metrics: small letters, _.")]
ExpressionText = Annotated[str, Field(min_length=1, description="Expression, see docs/flows.md.")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")]
Account = Annotated[str, Field(min_length=1, max_length=20, description="Main account in AX; write it in quotes.")]
Company = Annotated[str, Field(min_length=1, max_length=4, description="AX company (DataAreaId).")]
Table = dict[str, str]
Scalar = str | bool | int | Decimal


def _one_of(what: str, names: Iterable[str]) -> Any:
    """Texts of a closed set that other modules declare: a message with a suggestion, an enumeration for editors."""
    known = sorted(names)

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"unknown {what} {name}: {suggestion(name, known)}")
        return name

    return Annotated[str, AfterValidator(check), WithJsonSchema({"type": "string", "enum": known})]


if TYPE_CHECKING:
    TargetName = str
    TableName = str
else:
    TargetName = _one_of("target", TARGETS)
    TableName = _one_of("table", LOOK_UPS)


class Declared(BaseModel):
    """Base of all declarations."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldRule(Declared):
    """How one target field gets its value."""

    source: ExpressionText = Field(alias="from")
    type: Literal["text", "decimal", "integer", "date", "boolean"] = Field("text", description="Type of the target.")
    scale: int | None = Field(None, ge=0, le=12, description="Decimals of a decimal; more are rounded and counted.")
    rounding: Literal["half_even", "half_up"] = Field("half_even", description="Rounding of a decimal.")
    required: bool = Field(False, description="Refuse the record when there is no value.")
    default: Scalar | None = Field(None, description="Value when the source gives none or an empty text.")
    default_from: ExpressionText | None = Field(None, description="The same as an expression.")
    table: str | None = Field(None, description="Table that translates the value.")
    on_unknown: Literal["reject", "omit", "keep"] = Field(
        "omit", description="When the table lacks the value: refuse the record, drop the value (counted), keep it."
    )
    length: int | None = Field(None, ge=1, le=10_000, description="Longest text; without it the target's own limit.")
    on_overflow: Literal["reject", "truncate", "truncate_hash"] = Field(
        "reject", description="A longer text: refuse the record, cut (counted), cut with a hash suffix (counted)."
    )
    strip_control: bool = Field(True, description="Remove control characters (counted), line breaks become blanks.")
    characters: Literal["any", "bmp", "windows-1252", "ascii"] = Field(
        "any",
        description="Characters that the target holds; others are replaced by their nearest (ß → ss, é → e, else ?), "
        "and counted. bmp: without emoji and rare scripts.",
    )
    on_empty: Literal["omit", "keep"] = Field(
        "omit", description="An empty text at the source: no value, as if it were missing; or an empty value."
    )
    owner: Literal["freshbooks", "ax"] | None = Field(None, description="Which side decides this field.")
    note: str | None = Field(None, description="For people: the reason, the source of a fact.")

    @model_validator(mode="after")
    def _one_default(self) -> FieldRule:
        if self.default is not None and self.default_from is not None:
            raise ValueError("a field has one default: either default or default_from")
        return self


class MappingFile(Declared):
    """A mapping: target fields and where they come from."""

    mapping: Name
    version: int = Field(ge=1)
    target: TargetName
    note: str | None = None
    fields: dict[str, FieldRule] = Field(min_length=1)


class TableFile(Declared):
    """A table of its own file: rows from key to value. Keys are compared without case and surplus blanks."""

    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    note: str | None = None
    rows: Table


class DecisionRow(Declared):
    """One row of a decision table: the first whose condition holds gives the answer; no condition holds always."""

    when: ExpressionText | None = None
    value: str | dict[str, str] | None = Field(None, description="The answer: a text, or dimension → value.")
    source: ExpressionText | None = Field(None, alias="from", description="The answer as an expression.")

    @model_validator(mode="after")
    def _one_answer(self) -> DecisionRow:
        if (self.value is None) == (self.source is None):
            raise ValueError("a row has one answer: either value or from")
        return self


DecisionRows = (
    Annotated[list[DecisionRow], Field(min_length=1)]
    | Annotated[str, Field(min_length=1, description="One expression; the answer may be of any kind.")]
)
MAPPING: TypeAdapter[MappingFile] = TypeAdapter(MappingFile)
TABLE: TypeAdapter[TableFile] = TypeAdapter(TableFile)


class Settings(BaseModel):
    """Settings of a flow, with further ones of any name for its expressions (`settings.<name>`)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    companies: dict[str, Company] = Field(default_factory=dict, description="FreshBooks account id → AX company.")
    currencies: list[Currency] = Field(default_factory=list, description="Currencies that AX knows.")


class MatchSettings(BaseModel):
    """Settings that a flow with the step `match` must have."""

    create_unknown: bool = Field(description="Create a row in AX when none matches; else the record waits.")


class PriceSettings(BaseModel):
    """Settings that a flow with the step `price` must have."""

    discount_account: Account
    discount_description: str = Field(min_length=1, max_length=60)
    zero_lines: Literal["keep", "drop"] = Field(description="Lines whose amount is 0.")
    keep_quantity: Literal["rounded", "exact"] = Field(
        description="Keep quantity and price when their product gives the amount: after rounding to the currency, or "
        "to the last digit. Else quantity 1 at the amount."
    )
    tax_tolerance_units_per_line: int = Field(
        ge=0, le=100, description="Minor units per line by which computed and stated tax may differ."
    )
    untaxed_item_group: Annotated[str, Field(min_length=1, max_length=10)] | None = Field(
        description="TaxItemGroup of a line without tax; null for none."
    )


def json_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """JSON Schema of one kind of file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **adapter.json_schema()}
