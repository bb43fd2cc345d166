"""The AIF client's vendor and journal calls against the strict simulator."""

import asyncio
import shutil
import uuid
from decimal import Decimal

import pytest

from connectors.ax.aif_client import (
    CUSTOMER_PAYMENT_SERVICE,
    GENERAL_JOURNAL_SERVICE,
    PURCHASE_INVOICE_SERVICE,
    AifClient,
    FoundAccount,
)
from connectors.ax.journals import (
    customer_payment_journal,
    reversal_of,
    vendor_invoice_journal,
    vendor_payment_journal,
)
from connectors.ax.wsdl_files import FOLDER
from schemas.failures import FatalError, PoisonError
from schemas.records import PartyType, PostalAddress
from tests.kit.ax_documents import (
    customer_payment,
    journal,
    journal_line,
    vendor,
    vendor_invoice,
    vendor_payment,
)

PURCHASE, PAYMENTS, GENERAL = PURCHASE_INVOICE_SERVICE, CUSTOMER_PAYMENT_SERVICE, GENERAL_JOURNAL_SERVICE


@pytest.fixture(scope="session")
def shared_client(ax_system):
    client = AifClient(ax_system.aif_settings())
    yield client
    asyncio.run(client.close())


@pytest.fixture
def call(ax, shared_client):
    """`call(method, *arguments)`: one call."""
    del ax
    return lambda method, *arguments: asyncio.run(getattr(shared_client, method)(*arguments))


@pytest.fixture
def create(call, invoice_id):
    """`create(service, *journals)`: under references of their own."""

    def run(service, *journals):
        named = {f"FB:A:EX{invoice_id}:{number}:aa": item for number, item in enumerate(journals, start=1)}
        call("create_journals", service, "usmf", named, uuid.uuid4())

    return run


class TestVendors:
    def test_a_created_organization_is_stored_and_found(self, ax, call, invoice_id):
        ours = f"FBZy-{invoice_id}"
        address = PostalAddress(street="1 Main St", city="Berlin", postal_code="10115", country_region="DEU")
        document = vendor(
            your_account_number=ours,
            name="Zoë & Söhne <GmbH> 💶",
            vat_number="DE123",
            payment_terms="Net10",
            payment_mode="CHECK",
            email="a@b.example",
            address=address,
            dimensions={"Department": "022"},
        )
        account = call("create_vendor", "USMF", document, uuid.uuid4())
        (stored,) = ax.vendors_of(ours)
        assert (stored["account"], stored["name"], stored["vat"]) == (account, "Zoë & Söhne <GmbH> 💶", "DE123")
        assert call("find_vendors", "usmf", ours) == [FoundAccount(account, ours)]
        assert call("find_vendors", "usmf", ours.lower()) == []

    def test_a_person(self, ax, call, invoice_id):
        person = vendor(
            your_account_number=f"FBZy-{invoice_id}", party_type=PartyType.PERSON, first_name="Ann", last_name="Ng"
        )
        assert call("create_vendor", "usmf", person, uuid.uuid4())
        assert ax.vendors_of(person.your_account_number)[0]["name"] == "Fabrikam Paper"

    def test_a_port_that_wants_types_without_prefix_gets_them(self, ax, invoice_id):
        ax.switch(strict_xsi_type=True)

        async def once():
            client = AifClient(ax.aif_settings(unprefixed_xsi_type=True))
            try:
                return await client.create_vendor(
                    "usmf", vendor(your_account_number=f"FBZy-{invoice_id}"), uuid.uuid4()
                )
            finally:
                await client.close()

        assert asyncio.run(once())

    @pytest.mark.parametrize(
        ("parts", "code"),
        [
            ({"vendor_group": "99"}, "unknown_reference"),
            ({"currency_code": "XXX"}, "unknown_reference"),
            ({"account_number": "V-001"}, "record_exists"),
            ({"your_account_number": "x" * 21}, "invalid_document"),
            ({"name": "x" * 101}, "invalid_document"),
        ],
    )
    def test_what_ax_refuses(self, call, invoice_id, parts, code):
        document = vendor(**({"your_account_number": f"FBZy-{invoice_id}"} | parts))
        with pytest.raises(Exception, match=code):
            call("create_vendor", "usmf", document, uuid.uuid4())


class TestJournals:
    @pytest.mark.parametrize(
        ("service", "document"),
        [
            (GENERAL, journal()),
            (GENERAL, journal("0", journal_line("10"), journal_line(credit="10", account="110110"))),
            (GENERAL, vendor_payment_journal(vendor_payment())),
            (PAYMENTS, customer_payment_journal(customer_payment(dimensions={"BusinessUnit": "001"}), None)),
            (PURCHASE, vendor_invoice_journal(vendor_invoice())),
        ],
        ids=["one line", "two lines", "vendor payment", "customer payment", "vendor invoice"],
    )
    def test_each_is_stored_and_can_be_posted_and_taken_back(self, ax, create, invoice_id, service, document):
        create(service, document, reversal_of(document))
        stored = ax.journals(f"EX{invoice_id}")
        assert [item["name"].split(":")[3] for item in stored] == ["1", "2"]
        ax.post()
        assert [(item["posted"], item["posting_error"]) for item in ax.journals(f"EX{invoice_id}")] == [(True, "")] * 2

    def test_amounts_dates_and_texts_arrive_as_they_are(self, ax, create, invoice_id):
        item = journal_line(
            "1234567.89",
            description="Ünïcode & <tags>",
            exchange_rate=Decimal("108.250000000001"),
            currency_code="EUR",
            document_number="EXP 7001",
            offset_account_type="bank",
            offset_account="USMF OPER",
        )
        create(GENERAL, journal("0", item))
        (line,) = ax.journals(f"EX{invoice_id}")[0]["lines"]
        assert (line["debit"], line["credit"], line["currency"]) == ("1234567.89", "0", "EUR")
        assert (line["text"], line["document_num"]) == ("Ünïcode & <tags>", "EXP 7001")
        assert (line["exchange_rate"], line["date"]) == ("108.250000000001", "2026-06-29")

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            (journal_line("1", account="999999"), "unknown_reference"),
            (journal_line("1", dimensions={"Department": "no"}), "unknown_reference"),
            (journal_line("1", tax_group="NO"), "unknown_reference"),
            (journal_line("1", account_type="customer", account="nobody"), "unknown_reference"),
            (journal_line("1", account_type="customer", account="US-001", marked_invoice="no"), "unknown_reference"),
            (journal_line("0"), "ax_refused"),
            (journal_line("1", description="x" * 61), "invalid_document"),
            (journal_line("1", payment_reference="x" * 21), "invalid_document"),
            (journal_line("1", exchange_rate=Decimal("1.0000000000001")), "invalid_document"),
        ],
    )
    def test_what_ax_refuses_or_the_schema_is_poison(self, ax, create, invoice_id, line, code):
        with pytest.raises(PoisonError) as caught:
            create(GENERAL, journal("0", line))
        assert caught.value.code == code
        assert ax.journals(f"EX{invoice_id}") == []

    def test_what_posting_would_refuse_is_poison_where_the_service_checks_it(self, ax, create):
        ax.switch(journal_validation="create")
        with pytest.raises(PoisonError, match="do not balance"):
            create(GENERAL, journal("0", journal_line("1")))

    def test_a_name_longer_than_the_column_is_not_sent(self, call):
        with pytest.raises(PoisonError, match="invalid_document"):
            call("create_journals", GENERAL, "usmf", {"F" * 61: journal()}, uuid.uuid4())


@pytest.fixture
def renamed(tmp_path):
    """The contract of a port on which the general journal's service has another name."""
    folder = tmp_path / "wsdl"
    shutil.copytree(FOLDER, folder)
    for name in ("xppservice.wsdl", "wsdl1.wsdl"):
        file = folder / name
        text = file.read_text("utf-8")
        binding, renamed = "BasicHttpBinding_GeneralJournalService", "BasicHttpBinding_JournalService"
        file.write_text(text.replace(binding, renamed), "utf-8")
    return folder


class TestNames:
    def create(self, ax, number, **settings):
        async def once():
            client = AifClient(ax.aif_settings(**settings))
            try:
                await client.create_journals(GENERAL, "usmf", {f"FB:A:EX{number}:1:aa": journal()}, uuid.uuid4())
            finally:
                await client.close()

        asyncio.run(once())

    def test_a_service_that_the_port_does_not_offer_is_fatal_when_it_is_needed(self, ax, renamed, invoice_id):
        with pytest.raises(FatalError) as caught:
            self.create(ax, invoice_id, wsdl_folder=renamed)
        assert caught.value.code == "ax_service_missing"

    def test_a_service_of_another_name_is_found_by_the_setting(self, ax, renamed, invoice_id):
        self.create(ax, invoice_id, wsdl_folder=renamed, services={"GeneralJournalService": "JournalService"})
        assert len(ax.journals(f"EX{invoice_id}")) == 1
