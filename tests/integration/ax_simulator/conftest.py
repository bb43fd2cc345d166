"""One AX system for all tests of this folder; every test gets it with its switches and faults as configured."""

from collections.abc import Iterator

import pytest

from sandbox.ax.config import AccountStructure, AxConfig, Company, Customer, Switches, TaxGroup, TaxItemGroup
from sandbox.ax.system import AxSystem, running
from tests.kit.aif import Aif

CONFIG = AxConfig(
    users={"CONTOSO\\freshax": "Aif-Pass1", "CONTOSO\\proxy": "Proxy-Pass1"},
    trusted_intermediaries=("CONTOSO\\proxy",),
    capture_interval_seconds=0.05,
    companies={
        "usmf": Company(
            tax_groups=(TaxGroup(id="CA"), TaxGroup(id="OUT", codes=())),
            tax_item_groups=(TaxItemGroup(id="FULL", rates={"ST": "8.25"}), TaxItemGroup(id="EXEMPT")),
            customers=(
                Customer(account="US-001", name="Contoso Wholesale", group="10", currency="USD", country="USA"),
            ),
        ),
        "demf": Company(currency="EUR", last_numbers={"vendor": 1}),
    },
    account_structures=(
        AccountStructure(
            name="Travel",
            first="606000",
            last="606999",
            dimensions={"Department": "required", "BusinessUnit": "optional"},
        ),
        AccountStructure(
            name="Rest", first="1", last="9", dimensions={"BusinessUnit": "optional", "Department": "optional"}
        ),
    ),
    cdc_tables=("CUSTTABLE", "DIRPARTYTABLE", "CUSTTRANS", "CUSTINVOICEJOUR", "EXCHANGERATE"),
    switches=Switches(auth="none", call_seconds=0.0),
)


@pytest.fixture(scope="session")
def ax_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AxSystem]:
    with running(CONFIG, tmp_path_factory.mktemp("ax")) as system:
        yield system


@pytest.fixture
def aif(ax_system: AxSystem) -> Iterator[Aif]:
    client = Aif(ax_system.server.aif_url, ax_system.server.control_url)
    before = client.control("GET", "/switches").json()
    yield client
    client.control("PATCH", "/switches", before)
    client.control("DELETE", "/faults")
    client.http.close()
