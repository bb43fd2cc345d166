"""The Customer and Vendor documents over their tables and the global address book: create, read, find."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from sandbox.ax.contract import entities
from sandbox.ax.model import dimensions, faults, parties, references
from sandbox.ax.model.account_scope import (
    ADDRESS_FIELDS,
    CONTACT_COLUMNS,
    PARTY_FIELDS,
    REFERENCES,
    Role,
    is_set,
    refuse_unknown,
)
from sandbox.ax.model.criteria import Criterion, condition
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.document_hash import document_hash
from sandbox.ax.model.node import Nil, Node
from sandbox.ax.model.tables import TABLES

ORGANIZATION_TYPES = (entities.DIR_ORGANIZATION.type, entities.DIR_ORGANIZATION_BASE.type)


def create(transaction: Transaction, role: Role, node: Node, *, company_currency: str, manual_numbers: bool) -> str:
    """Store one customer or vendor and return its account number.

    Without AccountNum the number sequence gives one. Currency, terms and tax group that are omitted come from
    the company and the group.

    Raises: AifError F3 (account exists), F9 (unknown reference), F10 (mandatory field empty).
    """
    refuse_unknown(node, creating=True)
    account = _account_number(transaction, role, node, manual_numbers=manual_numbers)
    group = transaction.row(role.group_table, **{role.group_table: node.get(role.group_field)})
    if not node.get(role.group_field):
        raise faults.must_be_filled(role.group_label)
    columns = {
        column: node.get(name) for name, column in role.columns.items() if is_set(node, name) and name not in REFERENCES
    }
    columns |= {"ACCOUNTNUM": account, "CREATEDDATETIME": transaction.now, "MODIFIEDDATETIME": transaction.now}
    defaults = {
        "CURRENCY": company_currency,
        "PAYMTERMID": group["PAYMTERMID"] if group else "",
        "TAXGROUP": group["TAXGROUPID"] if group else "",
    }
    columns = {name: value for name, value in defaults.items() if value} | columns
    texts = {name: columns.get(name.upper(), "") for name in role.references}
    references.check_all(transaction, role.references, texts)
    columns["DEFAULTDIMENSION"] = dimensions.value_set(transaction, node.get("DefaultDimension", {}))
    columns["PARTY"] = create_party(transaction, node)
    exists = faults.already_exists(role.label, role.document.top.name, f"{role.record}: {account}")
    if transaction.row(role.table, ACCOUNTNUM=account) is not None:
        raise exists
    try:
        transaction.insert(role.table, columns)
    except psycopg.errors.UniqueViolation as error:  # another call committed the same account meanwhile
        raise exists from error
    return account


def _account_number(transaction: Transaction, role: Role, node: Node, *, manual_numbers: bool) -> str:
    account = node.values.get("AccountNum")
    if account is None or account is Nil.NIL:
        return transaction.number(role.sequence)
    # An empty element is not an omitted one: AX then asks for the mandatory field (ax-aif.md section 5).
    if not account:
        raise faults.must_be_filled(role.record)
    if not manual_numbers:
        raise faults.AifError("Number selection is not set to manual.", field="AccountNum")
    return str(account)


def create_party(transaction: Transaction, node: Node) -> int:
    """Create the party of a customer or vendor with its addresses and contacts, and return its RECID."""
    found = node.named("DirParty")
    if not found:
        raise faults.must_be_filled("Name")
    if len(found) > 1:
        raise faults.AifError(f"A {node.name} has one DirParty only.", field="DirParty")
    party = found[0]
    columns = party_columns(party)
    if party.type == entities.DIR_PERSON.type:
        recid = _create_person(transaction, party, columns)
    elif party.type in ORGANIZATION_TYPES:
        recid = parties.create_party(transaction, parties.ORGANIZATION, columns)
    else:  # DirPartyTable is abstract: without xsi:type there is nothing to create (text unverified)
        raise faults.AifError("Cannot create a record of the abstract table DirPartyTable.", field="DirParty")
    addresses = party.named("DirPartyPostalAddressView")
    for address in addresses:
        add_address(transaction, recid, address, only=len(addresses) == 1)
    for contact in party.named("DirPartyContactInfoView"):
        add_contact(transaction, recid, contact)
    return recid


def _create_person(transaction: Transaction, party: Node, columns: dict[str, Any]) -> int:
    names = party.named("PersonName")
    first_last = (
        " ".join(part for part in (names[0].get("FirstName"), names[0].get("LastName")) if part) if names else ""
    )
    recid = parties.create_party(transaction, parties.PERSON, {"NAME": first_last} | columns)
    for name in names:
        row = {"PERSON": recid, "FIRSTNAME": name.get("FirstName"), "MIDDLENAME": name.get("MiddleName")}
        row |= {"LASTNAME": name.get("LastName"), "VALIDFROM": transaction.now, "VALIDTO": parties.NO_END}
        transaction.insert("DIRPERSONNAME", row)
    return recid


def party_columns(party: Node) -> dict[str, Any]:
    """Return the columns of DIRPARTYTABLE that the entity fills."""
    return {name.upper(): party.get(name) for name in PARTY_FIELDS if is_set(party, name)}


def address_columns(address: Node) -> dict[str, Any]:
    """Return the columns of LOGISTICSPOSTALADDRESS that the entity brings, empty texts included."""
    return {
        column: address.get(ADDRESS_FIELDS[column])
        for column in parties.ADDRESS_COLUMNS
        if address.values.get(ADDRESS_FIELDS[column], Nil.NIL) is not Nil.NIL
    }


def roles(node: Node) -> list[str]:
    """Return the purposes of an address or contact; AX separates them by semicolons."""
    return [role.strip() for role in str(node.get("Roles")).split(";") if role.strip()]


def add_address(transaction: Transaction, party: int, address: Node, *, only: bool) -> None:
    """Add an address; the only one of a new party is primary unless it says otherwise."""
    primary = bool(address.get("IsPrimary", 0)) or (only and "IsPrimary" not in address.values)
    parties.add_address(transaction, party, address_columns(address), roles=roles(address), primary=primary)


def add_contact(transaction: Transaction, party: int, contact: Node) -> None:
    """Add a contact: e-mail address, phone number and the like."""
    columns = {column: contact.get(name) for name, column in CONTACT_COLUMNS.items()}
    kind = parties.CONTACT_TYPES[contact.get("Type", 0)]
    link = parties.add_contact(transaction, party, kind, columns, primary=bool(contact.get("IsPrimary", 0)))
    parties.set_roles(transaction, link, roles(contact))


@dataclass(frozen=True, slots=True)
class Stored:
    """A customer or vendor as the tables hold it: the rows whose RECID and RECVERSION make the document hash."""

    account: Row
    party: Row
    links: list[Row]
    addresses: dict[int, Row]
    contacts: dict[int, Row]

    @property
    def document_hash(self) -> str:
        """The hash over all records."""
        return document_hash([self.account, self.party, *self.links, *self.addresses.values(), *self.contacts.values()])


def load(transaction: Transaction, role: Role, account: str, *, lock: bool = False) -> Stored | None:
    """Return the customer or vendor with this account number, or None."""
    row = transaction.row(role.table, lock=lock, ACCOUNTNUM=account)
    return None if row is None else _stored(transaction, row, lock=lock)


def _stored(transaction: Transaction, account: Row, *, lock: bool = False) -> Stored:
    party = transaction.rows("DIRPARTYTABLE", lock=lock, RECID=account["PARTY"])[0]
    links = transaction.rows("DIRPARTYLOCATION", PARTY=party["RECID"])
    addresses: dict[int, Row] = {}
    contacts: dict[int, Row] = {}
    for link in links:
        address = parties.current_address(transaction, link["LOCATION"])
        if address is not None:
            addresses[link["RECID"]] = address
        contact = transaction.row("LOGISTICSELECTRONICADDRESS", LOCATION=link["LOCATION"])
        if contact is not None:
            contacts[link["RECID"]] = contact
    return Stored(account, party, links, addresses, contacts)


def find(transaction: Transaction, role: Role, criteria: Sequence[Criterion], *, semantics: str) -> list[Row]:
    """Return the rows of the company that meet the criteria, oldest first."""
    top = role.document.top.name
    test, parameters = condition(criteria, TABLES[role.table], top, role.fields, semantics=semantics)
    return transaction.select(role.table, [test], parameters)


def to_node(transaction: Transaction, role: Role, account: Row) -> Node:
    """Return the entity for a read or find response."""
    stored = _stored(transaction, account)
    node = Node(role.document.top.name, role.document.top.type)
    node.values = {name: account[column] for name, column in role.columns.items() if name not in REFERENCES}
    node.values |= {
        "_DocumentHash": stored.document_hash,
        "DefaultDimension": dimensions.values_of(transaction, account["DEFAULTDIMENSION"]),
        "Name": stored.party["NAME"],
        "Party": stored.party["PARTYNUMBER"],
        "RecId": account["RECID"],
        "RecVersion": account["RECVERSION"],
    }
    node.children = [_party_node(transaction, stored)]
    return node


def _party_node(transaction: Transaction, stored: Stored) -> Node:
    row = stored.party
    person = row["INSTANCERELATIONTYPE"] == parties.PERSON
    node = Node("DirParty", (entities.DIR_PERSON if person else entities.DIR_ORGANIZATION).type)
    node.values = {name: row[name.upper()] for name in PARTY_FIELDS}
    node.values |= {name: row[name.upper()] for name in ("InstanceRelationType", "PartyNumber", "PrimaryContactEmail")}
    node.values |= {
        name: row[name.upper()] for name in ("PrimaryContactPhone", "PrimaryContactURL", "PrimaryContactFax")
    }
    node.values |= {"RecId": row["RECID"], "RecVersion": row["RECVERSION"]}
    for link in stored.links:
        if link["RECID"] in stored.addresses:
            node.children.append(_address_node(transaction, link, stored.addresses[link["RECID"]]))
        if link["RECID"] in stored.contacts:
            node.children.append(_contact_node(transaction, link, stored.contacts[link["RECID"]]))
    if person:
        node.children += [_person_name_node(name) for name in transaction.rows("DIRPERSONNAME", PERSON=row["RECID"])]
    return node


def _address_node(transaction: Transaction, link: Row, address: Row) -> Node:
    node = Node("DirPartyPostalAddressView", entities.POSTAL_ADDRESS.type)
    node.values = {ADDRESS_FIELDS[column]: address[column] for column in (*parties.ADDRESS_COLUMNS, "ADDRESS")}
    node.values |= {
        "_RecId_LogisticsPostalAddress": address["RECID"],
        "_recVersion_LogisticsPostalAddress": address["RECVERSION"],
        "PostalAddress": address["RECID"],
        "ValidFrom": address["VALIDFROM"],
        "ValidTo": address["VALIDTO"],
    }
    return _with_link(transaction, node, link)


def _contact_node(transaction: Transaction, link: Row, contact: Row) -> Node:
    node = Node("DirPartyContactInfoView", entities.CONTACT_INFO.type)
    node.values = {name: contact[column] for name, column in CONTACT_COLUMNS.items()}
    node.values |= {"ElectronicAddress": contact["RECID"], "Type": contact["TYPE"]}
    return _with_link(transaction, node, link)


def _with_link(transaction: Transaction, node: Node, link: Row) -> Node:
    node.values |= {
        "IsLocationOwner": link["ISLOCATIONOWNER"],
        "IsPrimary": link["ISPRIMARY"],
        "IsPrivate": link["ISPRIVATE"],
        "Location": link["LOCATION"],
        "Party": link["PARTY"],
        "PartyLocation": link["RECID"],
        "RecId": link["RECID"],
        "RecVersion": link["RECVERSION"],
        "Roles": parties.roles_of(transaction, link["RECID"]),
    }
    return node


def _person_name_node(row: Row) -> Node:
    node = Node("PersonName", entities.PERSON_NAME.type)
    node.values = {"FirstName": row["FIRSTNAME"], "LastName": row["LASTNAME"], "MiddleName": row["MIDDLENAME"]}
    node.values |= {"RecId": row["RECID"], "RecVersion": row["RECVERSION"]}
    node.values |= {"ValidFrom": row["VALIDFROM"], "ValidTo": row["VALIDTO"]}
    return node
