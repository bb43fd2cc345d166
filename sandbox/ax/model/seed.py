"""Writes the master data of the configuration into an empty AX database."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from sandbox.ax.config import AxConfig, Company, Customer, Vendor
from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model import exchange_rates, parties
from sandbox.ax.model.database import AxDatabase, Transaction
from sandbox.ax.model.ledger import main_account

ROLES = ("Business", "Delivery", "Home", "Invoice", "Other", "Payment")
"""Address purposes that exist from the start (DIRPARTYLOCATION roles)."""


def seed(database: AxDatabase, config: AxConfig, now: datetime) -> None:
    """Fill the shared tables, then each company. The database must be empty."""
    first_company = next(iter(config.companies))
    with database.transaction(first_company, now) as transaction:
        _shared(transaction, config)
    for name, company in config.companies.items():
        with database.transaction(name, now) as transaction:
            _company(transaction, company)


def _shared(transaction: Transaction, config: AxConfig) -> None:
    for code in config.currencies:
        transaction.insert("CURRENCY", {"CURRENCYCODE": code, "CURRENCYCODEISO": code, "TXT": code})
    for country, iso_code in config.countries.items():
        transaction.insert("LOGISTICSADDRESSCOUNTRYREGION", {"COUNTRYREGIONID": country, "ISOCODE": iso_code})
    for number, role in enumerate(ROLES):
        transaction.insert("LOGISTICSLOCATIONROLE", {"NAME": role, "TYPE": number})
    for account, name in _chart(config).items():
        transaction.insert("MAINACCOUNT", {"MAINACCOUNTID": account, "NAME": name})
    _exchange_rates(transaction, config)
    for name, values in config.dimensions.items():
        attribute = transaction.insert("DIMENSIONATTRIBUTE", {"NAME": name})
        for value in values:
            tag = transaction.insert("DIMENSIONFINANCIALTAG", {"VALUE": value})
            transaction.insert("DIMENSIONATTRIBUTEVALUE", {"DIMENSIONATTRIBUTE": attribute, "ENTITYINSTANCE": tag})


def _chart(config: AxConfig) -> dict[str, str]:
    """Return the main accounts with their names: the configured ones, and those that posting takes by itself."""
    own = {
        account: name.replace("_", " ").capitalize()
        for company in config.companies.values()
        for name, account in msgspec.structs.asdict(company.posting).items()
    }
    banks = {bank.main_account: bank.name for company in config.companies.values() for bank in company.bank_accounts}
    return banks | own | {account.id: account.name for account in config.main_accounts}


def _exchange_rates(transaction: Transaction, config: AxConfig) -> None:
    kinds = {
        name: transaction.insert("EXCHANGERATETYPE", {"NAME": name})
        for name in dict.fromkeys(("Default", *(rate.type for rate in config.exchange_rates)))
    }
    pairs: dict[tuple[str, str, str], int] = {}
    for rate in config.exchange_rates:
        key = (rate.type, rate.from_currency, rate.to_currency)
        if not {rate.from_currency, rate.to_currency} <= set(config.currencies):
            continue
        if key not in pairs:
            row = {"FROMCURRENCYCODE": rate.from_currency, "TOCURRENCYCODE": rate.to_currency}
            pairs[key] = transaction.insert("EXCHANGERATECURRENCYPAIR", row | {"EXCHANGERATETYPE": kinds[rate.type]})
        last = datetime.fromisoformat(rate.valid_to) if rate.valid_to else None
        first = datetime.fromisoformat(rate.valid_from)
        exchange_rates.add(transaction, pairs[key], Decimal(rate.rate) * exchange_rates.HUNDRED, first, last)


def _ledger(transaction: Transaction, company: Company) -> None:
    """The company's ledger, its periods, journals, posting profiles and bank accounts."""
    rate_type = transaction.rows("EXCHANGERATETYPE", NAME="Default")[0]["RECID"]
    currencies = {"ACCOUNTINGCURRENCY": company.currency, "REPORTINGCURRENCY": company.currency}
    ledger = transaction.insert(
        "LEDGER", {"NAME": transaction.company, "DEFAULTEXCHANGERATETYPE": rate_type} | currencies
    )
    periods = company.periods
    for year in range(periods.first_year, periods.last_year + 1):
        for month in range(1, 13):
            name = f"{year}-{month:02d}"
            first = datetime.fromisoformat(f"{name}-01")
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
            dates = {"NAME": name, "STARTDATE": first, "ENDDATE": last}
            known = transaction.row("FISCALCALENDARPERIOD", NAME=name)
            period = known["RECID"] if known else transaction.insert("FISCALCALENDARPERIOD", dates)
            status = 2 if name in periods.closed else int(name in periods.on_hold)
            row = {"LEDGER": ledger, "FISCALCALENDARPERIOD": period, "STATUS": status}
            transaction.insert("LEDGERFISCALCALENDARPERIOD", row)
    for journal in company.journal_names:
        kind = ENUMS["LedgerJournalType"].index(journal.type)
        transaction.insert("LEDGERJOURNALNAME", {"JOURNALNAME": journal.id, "NAME": journal.name, "JOURNALTYPE": kind})
    for profile in company.posting_profiles:
        for table in ("CUSTLEDGER", "VENDLEDGER"):
            transaction.insert(table, {"POSTINGPROFILE": profile, "NAME": profile})
    for bank in company.bank_accounts:
        row = {"ACCOUNTID": bank.id, "NAME": bank.name, "CURRENCYCODE": bank.currency}
        account = main_account(transaction, bank.main_account)["RECID"]
        transaction.insert("BANKACCOUNTTABLE", row | {"LEDGERDIMENSION": account})


def _company(transaction: Transaction, company: Company) -> None:
    _ledger(transaction, company)
    for term in company.payment_terms:
        transaction.insert("PAYMTERM", {"PAYMTERMID": term.id, "DESCRIPTION": term.name, "NUMOFDAYS": term.days})
    for group in company.customer_groups:
        row = {
            "CUSTGROUP": group.id,
            "NAME": group.name,
            "PAYMTERMID": group.payment_term,
            "TAXGROUPID": group.tax_group,
        }
        transaction.insert("CUSTGROUP", row)
    for mode in company.payment_modes:
        transaction.insert("CUSTPAYMMODETABLE", {"PAYMMODE": mode, "NAME": mode})
    for mode in company.vendor_payment_modes:
        transaction.insert("VENDPAYMMODETABLE", {"PAYMMODE": mode, "NAME": mode})
    for vendor_group in company.vendor_groups:
        row = {"VENDGROUP": vendor_group.id, "NAME": vendor_group.name, "PAYMTERMID": vendor_group.payment_term}
        transaction.insert("VENDGROUP", row | {"TAXGROUPID": vendor_group.tax_group})
    for code in company.delivery_modes:
        transaction.insert("DLVMODE", {"CODE": code, "TXT": code})
    for code in company.delivery_terms:
        transaction.insert("DLVTERM", {"CODE": code, "TXT": code})
    _taxes(transaction, company)
    for reference, shape in company.number_sequences.items():
        insert = "INSERT INTO ax.number_sequence (company, reference, format, next, last) VALUES (%s, %s, %s, 1, %s)"
        last = company.last_numbers.get(reference, 0)
        transaction.execute(insert, [transaction.company, reference, shape, last])
    for customer in company.customers:
        _customer(transaction, customer)
    for vendor in company.vendors:
        _vendor(transaction, vendor)


def _taxes(transaction: Transaction, company: Company) -> None:
    rates = {code: rate for group in company.tax_item_groups for code, rate in group.rates.items()}
    for code, rate in rates.items():
        transaction.insert("TAXDATA", {"TAXCODE": code, "TAXVALUE": Decimal(rate)})
    for item_group in company.tax_item_groups:
        transaction.insert("TAXITEMGROUPHEADING", {"TAXITEMGROUP": item_group.id, "NAME": item_group.name})
        for code in item_group.rates:
            transaction.insert("TAXONITEM", {"TAXITEMGROUP": item_group.id, "TAXCODE": code})
    for group in company.tax_groups:
        transaction.insert("TAXGROUPHEADING", {"TAXGROUP": group.id, "TAXGROUPNAME": group.name})
        for code in rates if group.codes is None else group.codes:
            transaction.insert("TAXGROUPDATA", {"TAXGROUP": group.id, "TAXCODE": code})


def _customer(transaction: Transaction, customer: Customer) -> None:
    party = parties.create_organization(transaction, customer.name)
    if customer.country:
        address = {"STREET": customer.street, "CITY": customer.city, "ZIPCODE": customer.zip_code}
        parties.add_address(
            transaction, party, address | {"COUNTRYREGIONID": customer.country}, roles=("Business",), primary=True
        )
    for kind, locator in (("Email", customer.email), ("Phone", customer.phone)):
        if locator:
            parties.add_contact(transaction, party, kind, {"LOCATOR": locator}, primary=True)
    group = transaction.row("CUSTGROUP", CUSTGROUP=customer.group)
    if group is None:
        raise ValueError(f"customer {customer.account}: there is no customer group {customer.group!r}")
    transaction.insert(
        "CUSTTABLE",
        {
            "ACCOUNTNUM": customer.account,
            "CUSTGROUP": customer.group,
            "CURRENCY": customer.currency,
            "PAYMTERMID": customer.payment_term or group["PAYMTERMID"],
            "TAXGROUP": customer.tax_group or group["TAXGROUPID"],
            "VATNUM": customer.vat_number,
            "OURACCOUNTNUM": customer.our_account_number,
            "BLOCKED": ENUMS["CustBlocked"].index(customer.blocked),
            "CREDITMAX": Decimal(customer.credit_max),
            "PARTY": party,
            "CREATEDDATETIME": transaction.now,
            "MODIFIEDDATETIME": transaction.now,
        },
    )


def _vendor(transaction: Transaction, vendor: Vendor) -> None:
    group = transaction.row("VENDGROUP", VENDGROUP=vendor.group)
    if group is None:
        raise ValueError(f"vendor {vendor.account}: there is no vendor group {vendor.group!r}")
    transaction.insert(
        "VENDTABLE",
        {
            "ACCOUNTNUM": vendor.account,
            "VENDGROUP": vendor.group,
            "CURRENCY": vendor.currency,
            "PAYMTERMID": vendor.payment_term or group["PAYMTERMID"],
            "TAXGROUP": vendor.tax_group or group["TAXGROUPID"],
            "VATNUM": vendor.vat_number,
            "YOURACCOUNTNUM": vendor.your_account_number,
            "BLOCKED": ENUMS["CustBlocked"].index(vendor.blocked),
            "PARTY": parties.create_organization(transaction, vendor.name),
            "CREATEDDATETIME": transaction.now,
            "MODIFIEDDATETIME": transaction.now,
        },
    )
