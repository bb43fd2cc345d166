"""Writes the master data of the configuration into an empty AX database."""

from datetime import datetime
from decimal import Decimal

from sandbox.ax.config import AxConfig, Company, Customer
from sandbox.ax.model import parties
from sandbox.ax.model.database import AxDatabase, Transaction

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
    for account in config.main_accounts:
        transaction.insert("MAINACCOUNT", {"MAINACCOUNTID": account.id, "NAME": account.name})
    for name, values in config.dimensions.items():
        attribute = transaction.insert("DIMENSIONATTRIBUTE", {"NAME": name})
        for value in values:
            tag = transaction.insert("DIMENSIONFINANCIALTAG", {"VALUE": value})
            transaction.insert("DIMENSIONATTRIBUTEVALUE", {"DIMENSIONATTRIBUTE": attribute, "ENTITYINSTANCE": tag})


def _company(transaction: Transaction, company: Company) -> None:
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
    for code in company.delivery_modes:
        transaction.insert("DLVMODE", {"CODE": code, "TXT": code})
    for code in company.delivery_terms:
        transaction.insert("DLVTERM", {"CODE": code, "TXT": code})
    _taxes(transaction, company)
    for reference, shape in company.number_sequences.items():
        insert = "INSERT INTO ax.number_sequence (company, reference, format, next) VALUES (%s, %s, %s, 1)"
        transaction.execute(insert, [transaction.company, reference, shape])
    for customer in company.customers:
        _customer(transaction, customer)


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
            "PARTY": party,
            "CREATEDDATETIME": transaction.now,
            "MODIFIEDDATETIME": transaction.now,
        },
    )
