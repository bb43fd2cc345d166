"""Loading flows: everything is checked before the first record, each problem named by file, key and remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas import topics
from schemas.failures import FatalError
from streams import flows as declared
from streams.flows import load_flows
from streams.transforms.declared_yaml import DeclarationError, read_yaml
from streams.transforms.flow import Flows
from streams.transforms.release import compile_flows
from streams.transforms.step_declarations import json_schemas

FOLDER = Path(declared.__file__).parent


def refusal(files: dict[str, str], overrides: str | None = None) -> str:
    with pytest.raises(DeclarationError) as caught:
        compile_flows(files, None if overrides is None else ("own.yaml", overrides))
    return caught.value.message


def changed(files: dict[str, str], file: str, old: str, new: str) -> dict[str, str]:
    assert old in files[file]
    return {**files, file: files[file].replace(old, new)}


def test_the_flows_of_the_release_load_and_are_found_by_topic(flows: Flows) -> None:
    assert sorted(flows) == [
        "bill-payments-to-ax",
        "bills-to-ax",
        "clients-to-ax",
        "credit-notes-to-ax",
        "customers-to-freshbooks",
        "expenses-to-ax",
        "invoices-to-ax",
        "payments-to-ax",
        "vendors-to-ax",
    ]
    assert len(flows) == 9
    assert [flow.name for flow in flows.for_topic(topics.CLIENTS.name)] == ["clients-to-ax"]
    assert [flow.name for flow in flows.for_topic(topics.INVOICES.name)] == ["invoices-to-ax"]
    assert [flow.name for flow in flows.for_topic(topics.AX_CUSTOMERS.name)] == ["customers-to-freshbooks"]
    assert flows.for_topic("other") == ()


def test_a_revision_names_flow_version_and_all_that_decides(flows: Flows, declared_files: dict[str, str]) -> None:
    def revision(files: dict[str, str], overrides: str | None = None) -> str:
        return compile_flows(files, overrides and ("own.yaml", overrides))["invoices-to-ax"].revision

    first = flows["invoices-to-ax"].revision
    line = changed(declared_files, "invoice-line.mapping.yaml", "length: 60", "length: 59")
    comment = changed(declared_files, "invoices-to-ax.yaml", "# States in", "# The states in")
    others = changed(declared_files, "client.mapping.yaml", "version: 1", "version: 2")

    assert re.fullmatch(r"invoices-to-ax@2:[0-9a-f]{8}", first)
    assert revision(declared_files) == revision(comment) == revision(others) == first
    assert revision(line) != first
    assert revision(declared_files, "invoices-to-ax: {settings: {revenue_account: '1'}}") != first


def test_the_files_can_stand_in_a_folder_of_the_operator(tmp_path: Path, declared_files: dict[str, str]) -> None:
    for name, text in declared_files.items():
        (tmp_path / name).write_text(text)
    own = tmp_path / "own.overrides"
    own.write_text("all: {settings: {currencies: [CHF]}}")

    assert load_flows(tmp_path, own)["invoices-to-ax"].currencies == frozenset({"CHF"})


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"no \*\.yaml in"):
        load_flows(tmp_path)
    with pytest.raises(FatalError, match="reading the flows"):
        load_flows(tmp_path / "missing")
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    with pytest.raises(FatalError, match="UTF-8"):
        load_flows(tmp_path)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "clients-to-ax.yaml",
            "client.vis_state == 1",
            "client.vis_stat == 1",
            "steps.1.filter.0.when: position 1: unknown",
        ),
        (
            "clients-to-ax.yaml",
            "value: client.vat_number",
            "value: vat",
            "steps.4.match.keys.1.value: position 1: unknown name vat",
        ),
        ("clients-to-ax.yaml", "by: name", "by: fax", "match.keys.2.by: Input should be"),
        (
            "clients-to-ax.yaml",
            "create_unknown: true",
            "creat_unknown: true",
            "settings.create_unknown: Field required",
        ),
        (
            "clients-to-ax.yaml",
            "code: missing_name",
            "code: Missing Name",
            "steps.5.validate.1.code: String should match",
        ),
        (
            "clients-to-ax.yaml",
            "value: person",
            "value: {a: b}",
            "derive.party_type.0.value: a text expected",
        ),
        (
            "clients-to-ax.yaml",
            "- value: {}",
            "- value: x",
            "derive.dimensions.0.value: dimension: value pairs",
        ),
        (
            "clients-to-ax.yaml",
            "- value: {}",
            f"- value: {{A: {'9' * 31}x}}",
            "derive.dimensions.0.value.A: a dimension value over 30 characters; shorten it",
        ),
        (
            "clients-to-ax.yaml",
            "        - value: organization",
            "        - value: organization\n        - value: team",
            "derive.party_type.1: a row without condition hides the rows below it; move it to the end",
        ),
        (
            "clients-to-ax.yaml",
            "- value: organization",
            "- {}",
            "derive.party_type.1: Value error, a row has one answer: either value or from",
        ),
        (
            "clients-to-ax.yaml",
            "from: settings.customer_group_person",
            "from: settings.group",
            "derive.customer_group.0.from: position 1: unknown setting settings.group; did you mean tax_group?",
        ),
        ("clients-to-ax.yaml", "map: customer", "map: custmer", "map: unknown mapping custmer; did you mean customer?"),
        (
            "clients-to-ax.yaml",
            "trigger: freshbooks.clients",
            "trigger: freshbooks.client",
            "trigger: no flow can read freshbooks.client; did you mean freshbooks.clients?",
        ),
        ("clients-to-ax.yaml", "- map: customer", "- mapp: customer", "steps.7.mapp: Extra inputs are not permitted"),
        (
            "clients-to-ax.yaml",
            "- post: {}",
            "- {post: {}, map: customer}",
            "steps.8: Value error, a step has one kind",
        ),
        ("clients-to-ax.yaml", "  - map: customer\n", "", "steps.7.post: there is no document to post; put a step map"),
        ("clients-to-ax.yaml", "as: company", "as: link", "steps.3.look_up: the name link is taken; choose another"),
        (
            "clients-to-ax.yaml",
            "in: companies",
            "in: company",
            "look_up.in: Value error, unknown table company: did you",
        ),
        ("clients-to-ax.yaml", "in: customers", "in: xref", "match.in: xref is no table of AX; write customers"),
        (
            "clients-to-ax.yaml",
            "- check: currency\n",
            "- code: x\n",
            "validate.0: Value error, a rule has rule, code and",
        ),
        (
            "customers-to-freshbooks.yaml",
            "as: link",
            "as: row",
            "steps.2.route.0.when: position 1: unknown name link",
        ),
        (
            "invoices-to-ax.yaml",
            "for_each: priced",
            "for_each: notes",
            "for_each: the record has no list notes; name one",
        ),
        (
            "invoices-to-ax.yaml",
            "mapping: invoice-line",
            "mapping: invoice",
            "mapping invoice fills ax.invoice; name one",
        ),
        ("clients-to-ax.yaml", "flow: clients-to-ax", "flow: clients", "flow: clients does not fit the file's name"),
        ("clients-to-ax.yaml", "on_error: {}", "on_error: {a: b}", "on_error.a: Input should be 'dead_letter' or"),
        ("clients-to-ax.yaml", "on_error: {}", "on_eror: {}", "on_eror: Extra inputs are not permitted; remove it"),
        ("clients-to-ax.yaml", "  states: {}", "  states: {A: b, a: c}", "tables.states: table states: key 'a' stands"),
        ("clients-to-ax.yaml", "  states: {}", "  countries: {}", "tables.countries: countries.table.yaml declares it"),
        ("clients-to-ax.yaml", "tables:", "tables: []\nx:", "tables: Input should be a valid dictionary"),
        ("clients-to-ax.yaml", "\ntables:", "\ntables: {}\ntables:", "key tables stands twice"),
        ("clients-to-ax.yaml", "\ntables:", "\n1: other\ntables:", "key 1 is no text: quote it"),
        ("invoices-to-ax.yaml", 'revenue_account: "401100"', "x: 1", "main_account.from: position 83: unknown setting"),
        ("invoices-to-ax.yaml", 'discount_account: "401190"', "discount_account: 401190", "write the value in quotes"),
        (
            "invoices-to-ax.yaml",
            "taxes: tax_item_groups",
            "taxes: tax_items",
            "taxes: unknown table tax_items; did you",
        ),
        ("invoices-to-ax.yaml", "VAT 7: VAT7", "VAT 7: VAT7_REDUCED", "VAT 7: a tax item group over 10 characters"),
        (
            "invoices-to-ax.yaml",
            'invoice.status == "disputed"',
            "customer.blocked == 1",
            "steps.0.filter.1.when: position 1",
        ),
        ("invoices-to-ax.yaml", "currencies: [", "currencies: [euro, ", "settings.currencies.0: String should match"),
        (
            "customer.mapping.yaml",
            "length: 100",
            "length: 101",
            "customer.mapping.yaml: fields.name: length 101 is more",
        ),
        ("customer.mapping.yaml", "mapping: customer", "mapping: cust", "mapping: cust does not fit the file's name"),
        ("customer.mapping.yaml", "fields:", "felds:", "customer.mapping.yaml: fields: Field required; add it"),
        ("countries.table.yaml", "table: countries", "table: country", "table: country does not fit the file's name"),
        ("countries.table.yaml", "Germany: DEU", "Germany: 49", "rows.Germany: Input should be a valid string; write"),
        ("countries.table.yaml", "rows:", "rows", "countries.table.yaml: no readable YAML"),
    ],
)
def test_a_file_that_does_not_hold_is_refused_by_file_key_and_remedy(
    declared_files: dict[str, str], file: str, old: str, new: str, message: str
) -> None:
    text = refusal(changed(declared_files, file, old, new))

    assert message in text
    assert file.removesuffix(".yaml") in text or "mapping.yaml" in text
    assert all(";" in line for line in text.splitlines())


def test_all_problems_are_told_at_once(declared_files: dict[str, str]) -> None:
    files = changed(declared_files, "clients-to-ax.yaml", "client.vis_state == 1", "client.x == 1")
    files = changed(files, "customer.mapping.yaml", "from: client.city", "from: client.town")
    files = changed(files, "invoices-to-ax.yaml", "invoice.vis_state == 1", "invoice.y == 1")

    text = refusal(files)

    assert "clients-to-ax.yaml: steps.1.filter.0.when" in text
    assert "customer.mapping.yaml: fields.address.city.from" in text
    assert "invoices-to-ax.yaml: steps.0.filter.0.when" in text


@pytest.mark.parametrize("text", ["- a list", "text", "3"])
def test_a_file_is_a_mapping_of_keys(text: str) -> None:
    with pytest.raises(DeclarationError, match="a mapping of keys is expected at the top"):
        read_yaml("f.yaml", text)


def test_yaml_is_read_without_its_surprises() -> None:
    text = "a: no\nb: 2026-06-29\nc: 0x10\nd: 1.50\ne: -7\nf: true\ng: ~\nNO: NOR\nh: 1e5\ni: 007"

    assert read_yaml("f.yaml", text) == {
        "a": "no",
        "b": "2026-06-29",
        "c": "0x10",
        "d": pytest.approx(1.5),
        "e": -7,
        "f": True,
        "g": None,
        "NO": "NOR",
        "h": "1e5",
        "i": "007",
    }
    assert read_yaml("f.yaml", "") == {}
    with pytest.raises(DeclarationError, match="no readable YAML"):
        read_yaml("f.yaml", "a: !!python/object/apply:os.system [ls]")


@given(text=st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    refused = ""
    try:
        assert isinstance(read_yaml("f.yaml", text), dict)
    except DeclarationError as reason:
        refused = reason.message
    assert not refused or refused.startswith("f.yaml: ")


def test_an_operator_overrides_settings_and_tables(declared_files: dict[str, str], build: Any) -> None:
    own = """
      all:
        settings: {companies: {ZyQ04o: null, AbC123: DE01}, currencies: [EUR]}
        tables: {countries: {Freedonia: FRD}}
      invoices-to-ax:
        settings: {untaxed_item_group: NONE, revenue_account: "400000"}
        tables: {tax_item_groups: {VAT 20: VAT20, VAT 19: null}}
      clients-to-ax:
        settings: {payment_terms: Net10}
    """
    flows = compile_flows(declared_files, ("own.yaml", own))
    lookups = build.lookups([build.customer(company="de01")], [build.link(account_id="AbC123", company="de01")])
    record = build.invoice(account_id="AbC123", amount="220", lines=[{}, {"tax_name1": "VAT", "tax_percent1": "20"}])

    client = flows["clients-to-ax"].decide(
        build.client(account_id="AbC123", country="freedonia"), build.lookups(), build.now
    )
    invoice = flows["invoices-to-ax"].decide(record, lookups, build.now)

    (command,) = client.ax_commands
    assert command.company == "de01"
    assert (command.customer.payment_terms, command.customer.address.country_region) == ("Net10", "FRD")
    lines = invoice.ax_commands[0].invoice.lines
    assert [(line.main_account, line.tax_item_group) for line in lines] == [("400000", "NONE"), ("400000", "VAT20")]
    assert flows["clients-to-ax"].companies == {"AbC123": "de01"}


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("cleints-to-ax: {}", "own.yaml: cleints-to-ax: unknown flow; did you mean clients-to-ax?"),
        ("all: {filter: {}}", "own.yaml: all.filter: only settings and tables can be overridden; remove it"),
        (
            "all: {settings: {currncies: [EUR]}}",
            "own.yaml: all.settings.currncies: unknown key; did you mean currencies?",
        ),
        (
            "clients-to-ax: {settings: {revenue_account: '1'}}",
            "own.yaml: clients-to-ax.settings.revenue_account: unknown key; known are: companies",
        ),
        (
            "clients-to-ax: {tables: {state: {}}}",
            "own.yaml: clients-to-ax.tables.state: unknown key; did you mean states?",
        ),
        (
            "clients-to-ax: {settings: {companies: usmf}}",
            "own.yaml: clients-to-ax.settings.companies: keys are expected",
        ),
        ("clients-to-ax: 3", "own.yaml: clients-to-ax: keys are expected here"),
        ("all: {settings: 3}", "own.yaml: all.settings: keys are expected here"),
        ("clients-to-ax: {settings: {create_unknown: perhaps}}", "clients-to-ax.yaml: settings.create_unknown: Input"),
        ("clients-to-ax: {settings: {currencies: null}}", "clients-to-ax.yaml: settings.currencies: Input should be"),
    ],
)
def test_an_override_that_does_not_hold_is_refused(declared_files: dict[str, str], own: str, message: str) -> None:
    assert message in refusal(declared_files, own)


def test_an_override_of_a_flow_without_settings_is_refused(declared_files: dict[str, str]) -> None:
    texts = {name: text for name, text in declared_files.items() if name != "customers-to-freshbooks.yaml"}
    steps = "steps: [{look_up: {as: link, in: xref, key: customer.account_number}}, {map: client}, {post: {}}]"
    texts["plain.yaml"] = f"flow: plain\nversion: 1\ntrigger: ax.customers\n{steps}\n"

    text = refusal(texts, "plain: {settings: {a: b}}")

    assert "plain.settings.a: unknown key; none is declared here" in text


def test_the_schemas_beside_the_files_are_those_of_the_code_and_accept_the_files() -> None:
    for name, schema in json_schemas().items():
        # Regenerate with: python -m json.tool on streams.transforms.step_declarations.json_schemas()
        assert json.loads((FOLDER / name).read_text()) == schema, name
        Draft202012Validator.check_schema(schema)
    for file in FOLDER.glob("*.yaml"):
        kind = file.name.split(".")[1] if file.name.count(".") == 2 else "flow"
        Draft202012Validator(json_schemas()[f"{kind}.schema.json"]).validate(yaml.safe_load(file.read_text()))
