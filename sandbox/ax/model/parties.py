"""The global address book: parties, their postal addresses and contact information.

A customer's name lives here (DIRPARTYTABLE), not on CUSTTABLE. Addresses hang on locations that a party shares by
DIRPARTYLOCATION, and are date-effective: an ended version keeps its row with VALIDTO in the past.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model import faults
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.table import FIRST_RECID

NO_END = datetime(2154, 12, 31, 23, 59, 59)  # noqa: DTZ001 - AX's 'never', stored as naive UTC
"""VALIDTO of what is valid now (ax-aif.md section 5)."""

ORGANIZATION = 2978
PERSON = 2975
"""Table ids of DirOrganization and DirPerson, stored in INSTANCERELATIONTYPE (unverified for R3)."""

CONTACT_TYPES = ENUMS["LogisticsElectronicAddressMethodType"]
PRIMARY_CONTACT = {
    "Email": "PRIMARYCONTACTEMAIL",
    "Phone": "PRIMARYCONTACTPHONE",
    "URL": "PRIMARYCONTACTURL",
    "Fax": "PRIMARYCONTACTFAX",
}


def create_organization(transaction: Transaction, name: str, **columns: Any) -> int:
    """Create a party of type organization and return its RECID."""
    return create_party(transaction, ORGANIZATION, {"NAME": name} | columns)


def create_party(transaction: Transaction, relation_type: int, columns: Mapping[str, Any]) -> int:
    """Create a party; NAMEALIAS defaults to the beginning of the name, PARTYNUMBER counts up.

    Raises: AifError F10 when NAME is empty.
    """
    if not columns.get("NAME"):
        raise faults.must_be_filled("Name")
    row = {"NAMEALIAS": _beginning(columns["NAME"], 20), "LANGUAGEID": "en-us"} | dict(columns)
    party = transaction.next_recid("DIRPARTYTABLE")
    row |= {"RECID": party, "PARTYNUMBER": f"{party - FIRST_RECID + 1:09d}"}
    row |= {"INSTANCERELATIONTYPE": relation_type, "MODIFIEDDATETIME": transaction.now}
    return transaction.insert("DIRPARTYTABLE", row)


def _beginning(text: str, units: int) -> str:
    """Return what fits into nvarchar(`units`): UTF-16 code units, a pair of surrogates never cut in two."""
    return text.encode("utf-16-le")[: units * 2].decode("utf-16-le", "ignore")


def add_address(
    transaction: Transaction, party: int, columns: Mapping[str, Any], *, roles: Iterable[str], primary: bool
) -> int:
    """Add a postal address on a location of its own and return the DIRPARTYLOCATION's RECID.

    Raises: AifError F9 for an unknown country or role.
    """
    check_country(transaction, columns.get("COUNTRYREGIONID", ""))
    location = transaction.insert("LOGISTICSLOCATION", {"ISPOSTALADDRESS": 1})
    row = dict(columns) | {"ADDRESS": formatted(columns), "LOCATION": location}
    transaction.insert("LOGISTICSPOSTALADDRESS", row | {"VALIDFROM": transaction.now, "VALIDTO": NO_END})
    link = transaction.insert(
        "DIRPARTYLOCATION",
        {"PARTY": party, "LOCATION": location, "ISPOSTALADDRESS": 1, "ISPRIMARY": int(primary), "ISLOCATIONOWNER": 1},
    )
    set_roles(transaction, link, roles)
    if primary:
        _only_primary(transaction, party, link, postal=1)
        transaction.update("DIRPARTYTABLE", party, {"PRIMARYADDRESSLOCATION": location})
    return link


def add_contact(transaction: Transaction, party: int, kind: str, columns: Mapping[str, Any], *, primary: bool) -> int:
    """Add an e-mail address, phone number or the like; return the DIRPARTYLOCATION's RECID."""
    if not columns.get("LOCATOR"):
        raise faults.must_be_filled("Contact number/address")
    location = transaction.insert("LOGISTICSLOCATION", {"ISPOSTALADDRESS": 0})
    row = dict(columns) | {"LOCATION": location, "TYPE": CONTACT_TYPES.index(kind), "ISPRIMARY": int(primary)}
    address = transaction.insert("LOGISTICSELECTRONICADDRESS", row)
    link = transaction.insert(
        "DIRPARTYLOCATION", {"PARTY": party, "LOCATION": location, "ISPRIMARY": int(primary), "ISLOCATIONOWNER": 1}
    )
    if primary and kind in PRIMARY_CONTACT:
        transaction.update("DIRPARTYTABLE", party, {PRIMARY_CONTACT[kind]: address})
    return link


def change_address(transaction: Transaction, address: Row, columns: Mapping[str, Any], *, new_period: bool) -> None:
    """Change a postal address: in place, or as a new version from now on (`new_period`)."""
    check_country(transaction, columns.get("COUNTRYREGIONID", address["COUNTRYREGIONID"]))
    merged = {name: address[name] for name in ADDRESS_COLUMNS} | dict(columns)
    merged["ADDRESS"] = formatted(merged)
    if not new_period:
        transaction.update("LOGISTICSPOSTALADDRESS", address["RECID"], merged)
        return
    ended = transaction.now - timedelta(seconds=1)
    transaction.update("LOGISTICSPOSTALADDRESS", address["RECID"], {"VALIDTO": ended})
    period = {"LOCATION": address["LOCATION"], "VALIDFROM": transaction.now, "VALIDTO": NO_END}
    transaction.insert("LOGISTICSPOSTALADDRESS", merged | period)


def remove_location(transaction: Transaction, link: Row) -> None:
    """Take a location with its address, contact and roles away from a party."""
    for table in ("LOGISTICSPOSTALADDRESS", "LOGISTICSELECTRONICADDRESS"):
        for row in transaction.rows(table, LOCATION=link["LOCATION"]):
            transaction.delete(table, row["RECID"])
    for role in transaction.rows("DIRPARTYLOCATIONROLE", PARTYLOCATION=link["RECID"]):
        transaction.delete("DIRPARTYLOCATIONROLE", role["RECID"])
    transaction.delete("DIRPARTYLOCATION", link["RECID"])
    transaction.delete("LOGISTICSLOCATION", link["LOCATION"])


def set_roles(transaction: Transaction, link: int, roles: Iterable[str]) -> None:
    """Make `roles` the purposes of a party's location. Raises: AifError F9 for an unknown one."""
    for old in transaction.rows("DIRPARTYLOCATIONROLE", PARTYLOCATION=link):
        transaction.delete("DIRPARTYLOCATIONROLE", old["RECID"])
    for name in roles:
        role = transaction.row("LOGISTICSLOCATIONROLE", NAME=name)
        if role is None:
            raise faults.not_found(name, "Purpose", "Address and contact information purpose")
        transaction.insert("DIRPARTYLOCATIONROLE", {"PARTYLOCATION": link, "LOCATIONROLE": role["RECID"]})


def roles_of(transaction: Transaction, link: int) -> str:
    """Return the purposes of a party's location as AX writes them: `Business;Invoice`."""
    names = {row["RECID"]: row["NAME"] for row in transaction.rows("LOGISTICSLOCATIONROLE")}
    return ";".join(names[row["LOCATIONROLE"]] for row in transaction.rows("DIRPARTYLOCATIONROLE", PARTYLOCATION=link))


def current_address(transaction: Transaction, location: int) -> Row | None:
    """Return the version of a location's postal address that is valid now."""
    versions = transaction.rows("LOGISTICSPOSTALADDRESS", LOCATION=location)
    valid = [row for row in versions if row["VALIDFROM"] <= transaction.now <= row["VALIDTO"]]
    return valid[-1] if valid else None


def check_country(transaction: Transaction, country: str) -> None:
    """Raise AifError F9 when `country` is set and AX has no such country/region."""
    if country and transaction.row("LOGISTICSADDRESSCOUNTRYREGION", COUNTRYREGIONID=country) is None:
        raise faults.not_found(country, "Country/region", "Country/region")


ADDRESS_COLUMNS = (
    "STREET",
    "STREETNUMBER",
    "BUILDINGCOMPLIMENT",
    "POSTBOX",
    "CITY",
    "DISTRICTNAME",
    "ZIPCODE",
    "STATE",
    "COUNTY",
    "COUNTRYREGIONID",
)


def formatted(columns: Mapping[str, Any]) -> str:
    """Return the address in one text, as AX composes it from the country's address format."""
    town = " ".join(columns[name] for name in ("CITY", "STATE", "ZIPCODE") if columns.get(name))
    lines = [columns.get("STREET", ""), town, columns.get("COUNTRYREGIONID", "")]
    return "\n".join(line for line in lines if line)[:250]


def _only_primary(transaction: Transaction, party: int, link: int, *, postal: int) -> None:
    for row in transaction.rows("DIRPARTYLOCATION", PARTY=party, ISPOSTALADDRESS=postal, ISPRIMARY=1):
        if row["RECID"] != link:
            transaction.update("DIRPARTYLOCATION", row["RECID"], {"ISPRIMARY": 0})
