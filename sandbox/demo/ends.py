"""What the two simulators hold before the day begins, and what the flows are told about this environment."""

from __future__ import annotations

from typing import Any

from sandbox.demo.scenario import Scenario, Tax

AIF_USER = "CONTOSO\\freshax"
AIF_PASSWORD = "Sandbox-Pass1"  # noqa: S105 - an account of the simulator, which lives as long as the demo
_REVENUE_ACCOUNT, _DISCOUNT_ACCOUNT = "401100", "401190"
_DIMENSIONS = {"Department": ["022", "023"]}
# AX knows a country by its own code; these are the ones that the scenarios' clients live in.
_COUNTRIES = {
    "USA": "US", "CAN": "CA", "GBR": "GB", "DEU": "DE", "FRA": "FR", "SWE": "SE", "JPN": "JP", "ESP": "ES", "ITA": "IT",
    "NLD": "NL", "POL": "PL", "CHE": "CH", "AUT": "AT", "IRL": "IE",
}  # fmt: skip


def freshbooks_config(scenario: Scenario) -> dict[str, Any]:
    """Configuration of the FreshBooks simulator."""
    return {"seed": scenario.seed}


def ax_config(scenario: Scenario) -> dict[str, Any]:
    """Configuration of the AX simulator: one company with groups, taxes, accounts and the scenario's customers."""
    # AX compares codes without case, so a tax has one code, wherever it is charged.
    rates = {tax.ax_group: {name.upper(): str(tax.percent)} for name, tax in scenario.taxes.items() if tax.ax_group}
    for pair in scenario.tax_pairs:
        rates[pair.ax_group] = {name.upper(): str(scenario.taxes[name].percent) for name in pair.taxes}
    company = {
        "currency": "USD",
        "customer_groups": [{"id": "10", "name": "Companies"}, {"id": "80", "name": "Persons"}],
        "payment_terms": [{"id": "Net30", "days": 30}],
        "tax_groups": [{"id": "ALL", "name": "All taxes"}],
        "tax_item_groups": [{"id": group, "rates": codes} for group, codes in rates.items()],
        "customers": [
            {"account": c.account, "name": c.name, "group": c.group, "currency": c.currency, "vat_number": c.vat}
            for c in scenario.ax_customers
        ],
    }
    return {
        "seed": scenario.seed,
        "users": {AIF_USER: AIF_PASSWORD},
        "capture_interval_seconds": 0.1,
        "currencies": currencies(scenario),
        "countries": _COUNTRIES,
        "main_accounts": [{"id": _REVENUE_ACCOUNT, "name": "Sales"}, {"id": _DISCOUNT_ACCOUNT, "name": "Discounts"}],
        "dimensions": _DIMENSIONS,
        "companies": {scenario.company: company},
        "switches": {"call_seconds": scenario.ax_call_seconds},
    }


def flow_overrides(account_id: str, scenario: Scenario) -> dict[str, Any]:
    """The operator's file of this environment: account, currencies, taxes."""
    groups = {_printed(tax): tax.ax_group for tax in scenario.taxes.values() if tax.ax_group}
    for pair in scenario.tax_pairs:
        first, second = (scenario.taxes[name] for name in pair.taxes)
        groups[f"{_printed(first)} + {_printed(second)}"] = pair.ax_group
    return {
        "all": {"settings": {"companies": {account_id: scenario.company}, "currencies": currencies(scenario)}},
        "invoices-to-ax": {
            "settings": {"revenue_account": _REVENUE_ACCOUNT, "discount_account": _DISCOUNT_ACCOUNT},
            "tables": {"tax_item_groups": groups},
        },
    }


def currencies(scenario: Scenario) -> list[str]:
    """Currencies of the scenario, and AX's own."""
    return sorted({"USD", *(c.currency for c in scenario.clients), *(c.currency for c in scenario.ax_customers)})


def _printed(tax: Tax) -> str:
    """Key of a tax in the flow's table: name and percent without idle zeros."""
    percent = format(tax.percent.normalize(), "f")
    return f"{tax.name} {percent}"
