"""What of the Customer and Vendor documents the simulator keeps. A value it has no column for is refused, not lost.

Three kinds of fields: stored ones, read-only ones (AX's own: accepted, since clients send back what they read,
and never written), and the rest, which must be empty.
"""

from dataclasses import dataclass
from functools import cached_property

from sandbox.ax.contract import entities
from sandbox.ax.model import faults, parties, references
from sandbox.ax.model.node import Nil, Node
from sandbox.ax.model.tables import TABLES


@dataclass(frozen=True)
class Role:
    """What sets customers and vendors apart: document, table, group, labels, references, number sequence."""

    document: entities.Document
    table: str
    label: str
    record: str
    group_field: str
    group_label: str
    group_table: str
    references: dict[str, references.Reference]
    sequence: str

    @cached_property
    def fields(self) -> tuple[entities.Field, ...]:
        """Fields of the top entity."""
        return self.document.all_fields(self.document.top.type)

    @cached_property
    def columns(self) -> dict[str, str]:
        """Fields that are columns; Party and DefaultDimension are columns too, but hold RECIDs."""
        types = TABLES[self.table].types
        return {field.name: field.name.upper() for field in self.fields if field.name.upper() in types}

    @cached_property
    def known(self) -> frozenset[str]:
        """Fields of the top entity that are stored or AX's own."""
        return frozenset(self.columns) | {"_DocumentHash", "Name", "RecId", "RecVersion"}


CUSTOMER = Role(
    document=entities.CUSTOMER,
    table="CUSTTABLE",
    label="Customers",
    record="Customer account",
    group_field="CustGroup",
    group_label="Customer group",
    group_table="CUSTGROUP",
    references=references.CUSTOMER_FIELDS,
    sequence="customer",
)
VENDOR = Role(
    document=entities.VENDOR,
    table="VENDTABLE",
    label="Vendors",
    record="Vendor account",
    group_field="VendGroup",
    group_label="Vendor group",
    group_table="VENDGROUP",
    references=references.VENDOR_FIELDS,
    sequence="vendor",
)
REFERENCES = frozenset({"Party", "DefaultDimension"})

PARTY_FIELDS = ("Name", "NameAlias", "LanguageId", "KnownAs", "OrgNumber", "PhoneticName", "NumberOfEmployees")

ADDRESS_FIELDS = {name.upper(): name for name in (field.name for field in entities.POSTAL_ADDRESS.fields)}
"""Column of LOGISTICSPOSTALADDRESS to field."""

CONTACT_COLUMNS = {
    "Locator": "LOCATOR",
    "LocatorExtension": "LOCATOREXTENSION",
    "CountryRegionCode": "COUNTRYREGIONCODE",
    "LocationName": "DESCRIPTION",
}

_IDENTITY = frozenset({"RecId", "RecVersion", "ValidFrom", "ValidTo"})
_LINK = (
    frozenset({"IsLocationOwner", "IsPrimary", "IsPrivate", "Location", "Party", "PartyLocation", "Roles"}) | _IDENTITY
)
_KNOWN = {
    "CustTable": CUSTOMER.known,
    "VendTable": VENDOR.known,
    "DirParty": frozenset(PARTY_FIELDS)
    | {"RecId", "RecVersion", "PartyNumber", "InstanceRelationType"}
    | {field.name for field in entities.DIR_PARTY.fields if field.name.startswith("Primary")},
    "DirPartyPostalAddressView": frozenset(ADDRESS_FIELDS[column] for column in parties.ADDRESS_COLUMNS)
    | {"_RecId_LogisticsPostalAddress", "_recVersion_LogisticsPostalAddress", "PostalAddress", "Address"}
    | _LINK,
    "DirPartyContactInfoView": frozenset(CONTACT_COLUMNS) | {"Type", "ElectronicAddress"} | _LINK,
    "PersonName": frozenset({"FirstName", "MiddleName", "LastName"}) | _IDENTITY,
}
_NOT_ON_CREATE = frozenset({"Party", "Name"})
"""Fields that only a document read from AX has: a new account's name comes with its DirParty."""
_TOPS = ("CustTable", "VendTable")


def is_set(node: Node, name: str) -> bool:
    """Whether the entity brings a value: neither omitted, nil nor empty."""
    return node.values.get(name, "") not in ("", Nil.NIL)


def refuse_unknown(node: Node, *, creating: bool) -> None:
    """Raise AifError for each value of the entity, or of its children, that the simulator would lose."""
    known = _KNOWN.get(node.name)
    if known is None:  # OrganizationName: the name's own history
        raise faults.not_simulated(node.name)
    for name in node.values:
        refused = name not in known or (creating and node.name in _TOPS and name in _NOT_ON_CREATE)
        if refused and is_set(node, name) and node.values[name] != 0:
            raise faults.not_simulated(f"{node.name}.{name}")
    for child in node.children:
        refuse_unknown(child, creating=creating)
