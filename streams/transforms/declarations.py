"""The shape of flow and mapping files. Unknown keys are refused; descriptions become the JSON Schemas beside the files.

A flow is a fixed row of steps (account to company → filter → look up or match → map, derive → convert → validate →
route); the file says what each step does. Settings that differ between environments stand in `settings` and `tables`,
which an operator's own file can override.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="Stable word for metrics: small letters, _.")]
ExpressionText = Annotated[str, Field(min_length=1, description="Expression, see docs/flows.md.")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")]
Account = Annotated[str, Field(min_length=1, max_length=20, description="Main account in AX; write it in quotes.")]
Table = dict[str, str]
Scalar = str | bool | int | Decimal


class Declared(BaseModel):
    """Base of all declarations."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- mappings ----------------------------------------------------------------------------------------------------


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
    owner: Literal["freshbooks", "ax"] | None = Field(None, description="Which side decides this field.")
    note: str | None = Field(None, description="For people.")

    @model_validator(mode="after")
    def _one_default(self) -> FieldRule:
        if self.default is not None and self.default_from is not None:
            raise ValueError("a field has one default: either default or default_from")
        return self


class MappingFile(Declared):
    """A mapping: target fields and where they come from."""

    mapping: Name
    version: int = Field(ge=1)
    target: Literal["ax.customer", "ax.invoice", "ax.invoice_line", "freshbooks.client"]
    note: str | None = None
    fields: dict[str, FieldRule] = Field(min_length=1)


class TableFile(Declared):
    """A table of its own file: rows from key to value. Keys are compared without case and surplus blanks."""

    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    note: str | None = None
    rows: Table


# --- steps -------------------------------------------------------------------------------------------------------


class FilterRule(Declared):
    """Records that end here: nothing to do."""

    when: ExpressionText
    ignore: Word


class CancelRule(Declared):
    """States of an invoice in which AX shall not hold it: what is there is reversed."""

    when: ExpressionText
    reason: Word


class MatchRule(Declared):
    """One way to find the AX customer of a client, tried in the order of the file."""

    by: Literal["our_account_number", "vat_number", "name"]
    value: ExpressionText


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


class ValidateRule(Declared):
    """What must hold for the record to go on; else it goes to the dead-letter queue with this code."""

    rule: ExpressionText
    code: Word
    message: str = Field(min_length=1, description="What is wrong and how to mend it; no data of the record.")


DecisionRows = Annotated[list[DecisionRow], Field(min_length=1)]


class FlowFile(Declared):
    """What all flows have."""

    flow: Name
    version: int = Field(ge=1)
    note: str | None = None
    trigger: str = Field(description="Topic whose records the flow decides.")
    route: str = Field(description="Topic of the commands it makes.")
    filter: list[FilterRule] = Field(default_factory=list)
    validate_: list[ValidateRule] = Field(default_factory=list, alias="validate")
    tables: dict[str, Table] = Field(default_factory=dict)
    on_error: dict[Word, Literal["dead_letter", "ignore"]] = Field(
        default_factory=dict, description="Failure code → what to do with the record; dead_letter when not named."
    )


class Settings(BaseModel):
    """Settings that a flow needs, with further ones of any name for its expressions (`settings.<name>`)."""

    model_config = ConfigDict(extra="allow", frozen=True)


class LinkedSettings(Settings):
    """Settings of a flow from FreshBooks to AX."""

    companies: dict[str, Annotated[str, Field(min_length=1, max_length=4)]] = Field(
        description="FreshBooks account id → AX company."
    )
    currencies: list[Currency] = Field(min_length=1, description="Currencies that AX knows.")


class ClientSettings(LinkedSettings):
    """Settings of the flow of clients."""

    create_unknown: bool = Field(description="Create a customer in AX when none matches; else the client waits.")


class InvoiceSettings(LinkedSettings):
    """Settings of the flow of invoices."""

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


class ClientsFlow(FlowFile):
    """FreshBooks clients become, or are linked to, AX customers."""

    target: Literal["ax.customer"]
    settings: ClientSettings
    match: list[MatchRule] = Field(min_length=1)
    derive: dict[str, DecisionRows] = Field(default_factory=dict)
    map: str = Field(description="Mapping of target ax.customer.")


class InvoicesFlow(FlowFile):
    """FreshBooks invoices become AX free-text invoices."""

    target: Literal["ax.invoice"]
    settings: InvoiceSettings
    cancel: list[CancelRule] = Field(default_factory=list)
    derive: dict[str, DecisionRows] = Field(default_factory=dict, description="Decision tables over the invoice.")
    derive_line: dict[str, DecisionRows] = Field(default_factory=dict, description="Decision tables over each line.")
    map: str = Field(description="Mapping of target ax.invoice.")
    map_line: str = Field(description="Mapping of target ax.invoice_line.")
    taxes: str = Field(description='Table from taxes ("VAT 19", "GST 5 + PST 7") to TaxItemGroup.')
    on_change: Literal["correct", "refuse"] = Field(
        description="An invoice that changed after it reached AX: reverse and post anew, or refuse."
    )


class CustomersFlow(FlowFile):
    """Changes of AX customers reach the FreshBooks clients linked to them."""

    target: Literal["freshbooks.client"]
    settings: Settings = Settings()
    map: str = Field(description="Mapping of target freshbooks.client.")


AnyFlow = Annotated[ClientsFlow | InvoicesFlow | CustomersFlow, Field(discriminator="target")]
FLOW: TypeAdapter[ClientsFlow | InvoicesFlow | CustomersFlow] = TypeAdapter(AnyFlow)
MAPPING: TypeAdapter[MappingFile] = TypeAdapter(MappingFile)
TABLE: TypeAdapter[TableFile] = TypeAdapter(TableFile)


def json_schemas() -> dict[str, dict[str, Any]]:
    """File name to JSON Schema of the three kinds of file."""
    return {
        f"{name}.schema.json": {"$schema": "https://json-schema.org/draft/2020-12/schema", **adapter.json_schema()}
        for name, adapter in (("flow", FLOW), ("mapping", MAPPING), ("table", TABLE))
    }
