"""A running AX system for tests of the AIF connector, and our settings for its two ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.ax.config import AxConfig, Company, Customer, Switches, TaxGroup, TaxItemGroup, Vendor
from sandbox.ax.system import running
from streams.runtime.settings import AifSettings, AxSqlSettings
from tests.kit.aif import Aif

USER, PASSWORD = "CONTOSO\\freshax", "Aif-Pass1"
CONFIG = AxConfig(
    users={USER: PASSWORD},
    capture_interval_seconds=5.0,
    companies={
        "usmf": Company(
            tax_groups=(TaxGroup(id="CA"), TaxGroup(id="OUT", codes=())),
            tax_item_groups=(TaxItemGroup(id="FULL", rates={"ST": "8.25"}), TaxItemGroup(id="EXEMPT")),
            customers=(
                Customer(account="US-001", name="Contoso Wholesale", group="10", currency="USD", country="USA"),
            ),
            vendors=(Vendor(account="V-001", name="Fabrikam", group="10", currency="USD"),),
        ),
        "demf": Company(currency="EUR"),
    },
    switches=Switches(auth="none", call_seconds=0.0),
)


class AxPort(Aif):
    """The simulator's control, and settings for the connector."""

    def __init__(self, ready: dict[str, Any]) -> None:
        super().__init__(ready["aif_url"], ready["control_url"])
        self._sql = ready["sql"]

    def aif_settings(self, **values: Any) -> AifSettings:
        return AifSettings(**({"url": self.url, "auth": "none", "timeout_seconds": 10} | values))

    def sql_settings(self, **values: Any) -> AxSqlSettings:
        where = {
            "server": self._sql["host"],
            **{name: self._sql[name] for name in ("port", "database", "user", "password")},
        }
        return AxSqlSettings(**({"driver": "FreeTDS", "server_certificate": self._sql["ca_file"]} | where | values))

    def fault(self, kind: str, **values: Any) -> None:
        assert self.control("POST", "/faults", {"kind": kind, **values}).status_code == 201

    def switch(self, **values: Any) -> None:
        response = self.control("PATCH", "/switches", values)
        assert response.status_code == 200, response.text

    def reset(self) -> None:
        """Switches as configured, no fault pending."""
        self.switch(auth="none", call_seconds=0.0, duplicates="error", detail="with_exceptions", strict_xsi_type=False)
        self.switch(posting="on_demand", journal_validation="post", vendor_invoice_numbers="accept")
        self.switch(failed_message_consumes_id=False, validate_document_xml=True, invoice_key="RecId")
        self.control("DELETE", "/faults")
        self.control("DELETE", "/sql/faults")

    def invoices(self, invoice_id: int) -> list[dict[str, Any]]:
        """Stored free-text invoices of one FreshBooks invoice, in the order of creation."""
        found = [item for item in self.state()["free_text_invoices"] if f":{invoice_id}:" in item["customer_ref"]]
        return sorted(found, key=lambda item: item["rec_id"])

    def journals(self, document: str) -> list[dict[str, Any]]:
        """Stored journals of one FreshBooks document (`EX7001`), in the order of creation."""
        return [item for item in self.state()["journals"] if f":{document}:" in item["name"]]

    def vendors_of(self, your_account_number: str) -> list[dict[str, Any]]:
        return [item for item in self.state()["vendors"] if item["your_account_number"] == your_account_number]

    def post(self) -> dict[str, Any]:
        """One run of AX's batch."""
        answer: dict[str, Any] = self.control("POST", "/post", {"company": "usmf"}).json()
        return answer

    def customers_of(self, our_account_number: str) -> list[dict[str, Any]]:
        return [item for item in self.state()["customers"] if item["our_account_number"] == our_account_number]


@contextmanager
def ax_port(folder: Path, config: AxConfig = CONFIG) -> Iterator[AxPort]:
    """Run an AX system in `folder`."""
    with running(config, folder) as system:
        port = AxPort(system.ready())
        try:
            yield port
        finally:
            port.http.close()
