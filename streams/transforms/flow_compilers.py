"""Builds each kind of flow from its checked declaration: which names its expressions see, which steps it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from schemas.records import Client, Customer, Invoice, InvoiceLine, Record
from streams.transforms.clients_to_ax import ClientsToAx
from streams.transforms.compiling import Problems
from streams.transforms.customers_to_freshbooks import CustomersToFreshBooks
from streams.transforms.decision_tables import DIMENSIONS, compile_derivation
from streams.transforms.declarations import ClientsFlow, CustomersFlow, InvoicesFlow, LinkedSettings, MappingFile
from streams.transforms.declared_yaml import DeclarationError
from streams.transforms.expressions import LookupTable, Scope
from streams.transforms.expressions.errors import suggestion
from streams.transforms.flow import Outcomes, compile_filter, compile_validation
from streams.transforms.invoices_to_ax import InvoicesToAx
from streams.transforms.mappings import MappingProgram, compile_mapping
from streams.transforms.pricing import Pricing
from streams.transforms.taxes import TaxTable


class Identity(TypedDict):
    """The fields that every flow has."""

    name: str
    version: int
    trigger: str
    revision: str
    ignored_codes: frozenset[str]


@dataclass(slots=True)
class Workshop:
    """What building a flow needs: its tables, settings and mappings, and where problems go."""

    problems: Problems
    tables: Mapping[str, LookupTable]
    settings: Mapping[str, Any]
    mappings: Mapping[str, MappingFile]
    others: list[Problems] = field(default_factory=list)

    def scope(self, derived: Iterable[str] = (), **roots: type[Record]) -> Scope:
        """Names for expressions that see `roots` and the answers of the decision tables `derived`."""
        fields: dict[str, frozenset[str] | None] = {
            name: frozenset(kind.__struct_fields__) for name, kind in roots.items()
        }
        answers = frozenset(derived) - {DIMENSIONS}
        if answers:
            fields["derived"] = answers
        return Scope(fields, {"settings": self.settings}, self.tables)

    def mapping(self, key: str, name: str, target: str, scope: Scope) -> MappingProgram:
        """Compile the mapping that the flow names under `key`."""
        declared = self.mappings.get(name)
        if declared is None:
            self.problems.add(key, f"unknown mapping {name}", suggestion(name, self.mappings))
            return MappingProgram(name, ())
        if declared.target != target:
            self.problems.add(key, f"mapping {name} fills {declared.target}", f"name one that fills {target}")
            return MappingProgram(name, ())
        problems = Problems(f"{name}.mapping.yaml")
        self.others.append(problems)
        return compile_mapping(declared, scope, problems)

    def refuse(self) -> None:
        """Raise DeclarationError with all problems of the flow and its mappings."""
        lines = []
        for problems in (self.problems, *self.others):
            try:
                problems.refuse()
            except DeclarationError as reason:
                lines.append(reason.message)
        if lines:
            raise DeclarationError("\n".join(lines))


def clients_to_ax(declared: ClientsFlow, identity: Identity, workshop: Workshop) -> ClientsToAx:
    """The flow of clients."""
    plain = workshop.scope(client=Client)
    problems = workshop.problems
    return ClientsToAx(
        **identity,
        companies=_companies(declared.settings),
        currencies=frozenset(declared.settings.currencies),
        create_unknown=declared.settings.create_unknown,
        filter=compile_filter(declared.filter, plain, problems),
        match=tuple(
            (rule.by, problems.expression(f"match.{index}.value", rule.value, plain))
            for index, rule in enumerate(declared.match)
        ),
        derivation=compile_derivation("derive", declared.derive, plain, problems),
        mapping=workshop.mapping("map", declared.map, declared.target, workshop.scope(declared.derive, client=Client)),
        validation=compile_validation(declared.validate_, plain, problems),
    )


def invoices_to_ax(declared: InvoicesFlow, identity: Identity, workshop: Workshop) -> InvoicesToAx:
    """The flow of invoices."""
    alone = workshop.scope(invoice=Invoice)
    joined = workshop.scope(invoice=Invoice, customer=Customer)
    of_line = workshop.scope(declared.derive, invoice=Invoice, customer=Customer, line=InvoiceLine)
    all_derived = {**declared.derive, **declared.derive_line}
    settings, problems = declared.settings, workshop.problems
    return InvoicesToAx(
        **identity,
        companies=_companies(settings),
        currencies=frozenset(settings.currencies),
        cancel=Outcomes(
            tuple(
                (problems.expression(f"cancel.{index}.when", rule.when, alone), rule.reason)
                for index, rule in enumerate(declared.cancel)
            )
        ),
        filter=compile_filter(declared.filter, alone, problems),
        validation=compile_validation(declared.validate_, joined, problems),
        derivation=compile_derivation("derive", declared.derive, joined, problems),
        line_derivation=compile_derivation("derive_line", declared.derive_line, of_line, problems),
        mapping=workshop.mapping(
            "map", declared.map, declared.target, workshop.scope(declared.derive, invoice=Invoice, customer=Customer)
        ),
        line_mapping=workshop.mapping(
            "map_line",
            declared.map_line,
            "ax.invoice_line",
            workshop.scope(all_derived, invoice=Invoice, customer=Customer, line=InvoiceLine),
        ),
        pricing=Pricing(
            taxes=TaxTable(_tax_groups(declared, workshop), settings.untaxed_item_group),
            keep_quantity=settings.keep_quantity,
            zero_lines=settings.zero_lines,
            tolerance_units_per_line=settings.tax_tolerance_units_per_line,
        ),
        discount_account=settings.discount_account,
        discount_description=settings.discount_description,
        on_change=declared.on_change,
    )


def customers_to_freshbooks(declared: CustomersFlow, identity: Identity, workshop: Workshop) -> CustomersToFreshBooks:
    """The flow of AX customers."""
    scope = workshop.scope(customer=Customer)
    return CustomersToFreshBooks(
        **identity,
        filter=compile_filter(declared.filter, scope, workshop.problems),
        mapping=workshop.mapping("map", declared.map, declared.target, scope),
        validation=compile_validation(declared.validate_, scope, workshop.problems),
    )


def _companies(settings: LinkedSettings) -> dict[str, str]:
    # AX compares company names without case; keys of master data hold them in small letters.
    return {account: company.lower() for account, company in settings.companies.items()}


def _tax_groups(declared: InvoicesFlow, workshop: Workshop) -> LookupTable:
    table = workshop.tables.get(declared.taxes)
    if table is None:
        workshop.problems.add("taxes", f"unknown table {declared.taxes}", suggestion(declared.taxes, workshop.tables))
        return LookupTable(declared.taxes, {})
    for key, group in declared.tables[declared.taxes].items():
        if len(group) > _TAX_ITEM_GROUP_LENGTH:
            workshop.problems.add(f"tables.{declared.taxes}.{key}", "a tax item group over 10 characters", "shorten it")
    return table


_TAX_ITEM_GROUP_LENGTH = 10
