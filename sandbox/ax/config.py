"""The configuration of one simulated AX system: users, switches, and the master data that is in it from the start.

Decoded from JSON by msgspec (unknown keys are refused, so that a misspelt one is seen). Every default makes a
small working system: company `usmf`, as in AX's demo data.
"""

from pathlib import Path
from typing import Literal

import msgspec


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all configuration records."""


class CustomerGroup(Strict, frozen=True):
    """A customer group with the defaults that its customers take."""

    id: str
    name: str = ""
    payment_term: str = ""
    tax_group: str = ""


class PaymentTerm(Strict, frozen=True):
    """A payment term: due `days` after the invoice date (method Net)."""

    id: str
    days: int
    name: str = ""


class TaxGroup(Strict, frozen=True):
    """A sales tax group; `codes` None means all tax codes of the company."""

    id: str
    name: str = ""
    codes: tuple[str, ...] | None = None


class TaxItemGroup(Strict, frozen=True):
    """An item sales tax group: tax code to rate in percent, as decimal text."""

    id: str
    name: str = ""
    rates: dict[str, str] = {}


class MainAccount(Strict, frozen=True):
    """A main account of the chart of accounts."""

    id: str
    name: str = ""


Blocked = Literal["No", "Invoice", "All", "Payment", "Requisition", "Never"]


class Customer(Strict, frozen=True):
    """A customer that exists from the start (an organization). `credit_max` 0 means no limit."""

    account: str
    name: str
    group: str
    currency: str
    vat_number: str = ""
    our_account_number: str = ""
    payment_term: str = ""
    tax_group: str = ""
    email: str = ""
    phone: str = ""
    street: str = ""
    city: str = ""
    zip_code: str = ""
    country: str = ""
    blocked: Blocked = "No"
    credit_max: str = "0"


class Vendor(Strict, frozen=True):
    """A vendor that exists from the start (an organization)."""

    account: str
    name: str
    group: str
    currency: str
    vat_number: str = ""
    your_account_number: str = ""
    payment_term: str = ""
    tax_group: str = ""
    blocked: Blocked = "No"


class VendorGroup(CustomerGroup, frozen=True):
    """A vendor group with the defaults that its vendors take."""


class BankAccount(Strict, frozen=True):
    """A bank account and the main account that it is posted on."""

    id: str
    main_account: str
    currency: str
    name: str = ""


class JournalName(Strict, frozen=True):
    """A journal name; its type says which service may use it."""

    id: str
    type: Literal["Daily", "CustPayment", "VendInvoiceRegister", "Payment"]
    name: str = ""


class AccountStructure(Strict, frozen=True):
    """Which dimensions the main accounts from `first` to `last` take: `required` or `optional`; others are refused."""

    name: str
    first: str
    last: str
    dimensions: dict[str, Literal["required", "optional"]] = {}


class PostingAccounts(Strict, frozen=True):
    """Main accounts that posting takes by itself; they are in the chart of accounts whatever `main_accounts` says."""

    receivables: str = "130100"
    payables: str = "200100"
    sales_tax: str = "202100"
    exchange_gain: str = "801100"
    exchange_loss: str = "801200"
    penny_difference: str = "618900"


class FiscalPeriods(Strict, frozen=True):
    """Monthly periods of whole years; each is open unless `closed` or `on_hold` names its month (`2026-01`)."""

    first_year: int = 2025
    last_year: int = 2027
    closed: tuple[str, ...] = ()
    on_hold: tuple[str, ...] = ()


class ExchangeRate(Strict, frozen=True):
    """What one unit of `from_currency` is worth, as decimal text, from a date on (ISO, inclusive)."""

    from_currency: str
    to_currency: str
    rate: str
    valid_from: str = "2020-01-01"
    valid_to: str = ""
    type: str = "Default"


class Company(Strict, frozen=True):
    """A legal entity. `number_sequences` maps a reference to a Python format with one number.

    `last_numbers` ends a sequence; one that is not named there never ends.
    """

    currency: str = "USD"
    customer_groups: tuple[CustomerGroup, ...] = (
        CustomerGroup(id="10", name="Wholesales customers", payment_term="Net30", tax_group="CA"),
        CustomerGroup(id="80", name="Other customers", payment_term="Net30"),
    )
    payment_terms: tuple[PaymentTerm, ...] = (PaymentTerm(id="Net30", days=30), PaymentTerm(id="Net10", days=10))
    payment_modes: tuple[str, ...] = ("CHECK", "ELECTRONIC")
    delivery_modes: tuple[str, ...] = ("10",)
    delivery_terms: tuple[str, ...] = ("FOB",)
    tax_groups: tuple[TaxGroup, ...] = (TaxGroup(id="CA", name="California"), TaxGroup(id="NONE", codes=()))
    tax_item_groups: tuple[TaxItemGroup, ...] = (
        TaxItemGroup(id="FULL", name="Full tax", rates={"CA_ST": "8.25"}),
        TaxItemGroup(id="EXEMPT", name="No tax"),
    )
    customers: tuple[Customer, ...] = ()
    vendor_groups: tuple[VendorGroup, ...] = (VendorGroup(id="10", name="Trade vendors", payment_term="Net30"),)
    vendor_payment_modes: tuple[str, ...] = ("CHECK", "ELECTRONIC")
    vendors: tuple[Vendor, ...] = ()
    bank_accounts: tuple[BankAccount, ...] = (BankAccount(id="USMF OPER", main_account="110110", currency="USD"),)
    journal_names: tuple[JournalName, ...] = (
        JournalName(id="GenJrn", type="Daily"),
        JournalName(id="CustPay", type="CustPayment"),
        JournalName(id="VendInv", type="VendInvoiceRegister"),
        JournalName(id="VendPay", type="Payment"),
    )
    posting_profiles: tuple[str, ...] = ("GEN",)
    posting: PostingAccounts = PostingAccounts()
    periods: FiscalPeriods = FiscalPeriods()
    number_sequences: dict[str, str] = msgspec.field(
        default_factory=lambda: {
            "customer": "C-{:06d}",
            "vendor": "V-{:06d}",
            "free_text_invoice": "FTI-{:08d}",
            "free_text_invoice_voucher": "FTV-{:08d}",
            "journal": "{:08d}",
            "journal_voucher": "GNV-{:08d}",
        }
    )
    last_numbers: dict[str, int] = {}


class Reader(Strict, frozen=True):
    """The SQL login of the change data capture reader (least rights)."""

    user: str = "freshax_reader"
    password: str = "Reader-Pass1"  # noqa: S105 - a simulator's login


class Switches(msgspec.Struct, frozen=False, forbid_unknown_fields=True, kw_only=True):
    """Behaviour that differs between AX sites, or is unverified; may be changed while the simulator runs.

    `auth` how a caller proves who it is; `detail` what faults tell; `duplicates` the answer to a repeated MessageId.
    `posting` when AX's batch posts journals and free-text invoices: when told to (`POST /post`), in the call that
    creates them, or `posting_seconds` after; `journal_validation` whether a journal's balance and period are checked
    by the service too, or by posting alone.
    """

    auth: Literal["negotiate", "basic", "none"] = "negotiate"
    validate_document_xml: bool = True
    strict_xsi_type: bool = False
    detail: Literal["generic", "with_exceptions"] = "with_exceptions"
    duplicates: Literal["error", "cached_response", "off"] = "error"
    failed_message_consumes_id: bool = False
    find_semantics: Literal["or", "and"] = "or"
    invoice_key: Literal["RecId", "InvoiceId"] = "RecId"
    manual_account_numbers: bool = True
    posting: Literal["on_demand", "immediately", "timed"] = "on_demand"
    posting_seconds: float = 5.0
    journal_validation: Literal["create", "post"] = "post"
    vendor_invoice_numbers: Literal["accept", "reject"] = "accept"
    check_credit_limit: bool = True
    max_request_bytes: int = 65_536
    call_seconds: float = 0.15


class AxConfig(Strict, frozen=True):
    r"""Everything that `--config` may say.

    `users` maps DOMAIN\user to its password; the first is the caller when `auth` is `none`.
    """

    seed: int = 2012
    users: dict[str, str] = msgspec.field(default_factory=lambda: {"CONTOSO\\freshax": "Aif-Pass1"})
    trusted_intermediaries: tuple[str, ...] = ()
    reader: Reader = Reader()
    cdc_tables: tuple[str, ...] = ("CUSTTABLE", "DIRPARTYTABLE")
    capture_interval_seconds: float = 5.0
    currencies: tuple[str, ...] = ("USD", "EUR", "GBP", "CAD", "JPY")
    countries: dict[str, str] = msgspec.field(
        default_factory=lambda: {"USA": "US", "CAN": "CA", "GBR": "GB", "DEU": "DE", "FRA": "FR", "SWE": "SE"}
    )
    main_accounts: tuple[MainAccount, ...] = (
        MainAccount(id="401100", name="Product sales"),
        MainAccount(id="401200", name="Service revenue"),
        MainAccount(id="606300", name="Travel expense"),
        MainAccount(id="618100", name="Office expense"),
        MainAccount(id="110110", name="Bank account"),
    )
    account_structures: tuple[AccountStructure, ...] = ()
    exchange_rates: tuple[ExchangeRate, ...] = (
        ExchangeRate(from_currency="EUR", to_currency="USD", rate="1.10"),
        ExchangeRate(from_currency="GBP", to_currency="USD", rate="1.25"),
        ExchangeRate(from_currency="CAD", to_currency="USD", rate="0.75"),
        ExchangeRate(from_currency="JPY", to_currency="USD", rate="0.0070"),
    )
    dimensions: dict[str, tuple[str, ...]] = msgspec.field(
        default_factory=lambda: {"BusinessUnit": ("001", "002"), "Department": ("022", "023")}
    )
    companies: dict[str, Company] = msgspec.field(default_factory=lambda: {"usmf": Company()})
    max_concurrent_calls: int = 16
    switches: Switches = msgspec.field(default_factory=Switches)


def load(path: Path | None) -> AxConfig:
    """Read a configuration file; None gives the default system.

    Raises: msgspec.ValidationError naming the key that does not fit.
    """
    return AxConfig() if path is None else msgspec.json.decode(path.read_bytes(), type=AxConfig)
