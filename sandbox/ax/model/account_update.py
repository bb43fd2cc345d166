"""Update of the Customer and Vendor documents: concurrency checks, then a partial or a full change.

Partial (action="update" on the top entity): omitted and nil fields stay, `<X/>` clears; children carry an
action each. Full (no action, or replace): omitted fields are reset and omitted children deleted (ax-aif.md
section 8).
"""

from typing import Any

from sandbox.ax.contract import entities
from sandbox.ax.model import accounts, dimensions, faults, parties, references
from sandbox.ax.model.account_scope import CONTACT_COLUMNS, PARTY_FIELDS, Role, refuse_unknown
from sandbox.ax.model.accounts import Stored
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.node import Nil, Node
from sandbox.ax.model.tables import TABLES

_KEPT = frozenset({"AccountNum", "DefaultDimension", "Party"})


def update(transaction: Transaction, role: Role, account: str, node: Node, *, clear_nil: bool) -> None:
    """Change the customer or vendor `account` as the entity says.

    Raises: AifError F1 (no such account), F2 (hash), F18 (RecVersion), F9, F10.
    """
    stored = accounts.load(transaction, role, account, lock=True)
    if stored is None:
        raise faults.not_identified()
    if node.action in ("create", "delete"):
        raise faults.AifError(f"The action '{node.action}' is not allowed on an update of {node.name}.")
    refuse_unknown(node, creating=False)
    check_versions(node, stored)
    partial = node.action == "update"
    _update_account(transaction, role, node, stored.account, partial=partial, clear_nil=clear_nil)
    found = node.named("DirParty")
    if found:
        _update_party(transaction, found[0], stored, partial=partial)
    elif not partial:
        raise faults.must_be_filled("Name")


def check_versions(node: Node, stored: Stored) -> None:
    """Compare the document hash and each RecId/RecVersion that came; at least one of them must have come."""
    document_hash = node.get("_DocumentHash")
    if document_hash and document_hash != stored.document_hash:
        raise faults.stale_hash()
    checked = bool(document_hash)
    checked |= _check_version(node, stored.account, node.name)
    for party in node.named("DirParty"):
        checked |= _check_version(party, stored.party, "DirPartyTable")
        links = {row["RECID"]: row for row in stored.links}
        for child in party.children:
            if child.get("RecId", 0) in links:
                checked |= _check_version(child, links[child.get("RecId")], child.name)
            _check_postal_version(child, stored)
    if not checked:
        raise faults.AifError("The document hash or the RecVersion of the records must be specified.")


def _check_version(node: Node, row: Row, table: str) -> bool:
    recid, version = node.get("RecId", 0), node.get("RecVersion", 0)
    if recid and recid != row["RECID"]:
        raise faults.update_conflict(table, recid)
    if version and version != row["RECVERSION"]:
        raise faults.update_conflict(table, row["RECID"])
    return bool(recid and version)


def _check_postal_version(node: Node, stored: Stored) -> None:
    recid = node.get("_RecId_LogisticsPostalAddress", 0)
    version = node.get("_recVersion_LogisticsPostalAddress", 0)
    if not recid:
        return
    row = next((item for item in stored.addresses.values() if item["RECID"] == recid), None)
    if row is None or (version and version != row["RECVERSION"]):
        raise faults.update_conflict("LogisticsPostalAddress", recid)


def _update_account(
    transaction: Transaction, role: Role, node: Node, row: Row, *, partial: bool, clear_nil: bool
) -> None:
    columns = {
        column: value
        for name, column in role.columns.items()
        if name not in _KEPT
        and (value := _new_value(node, name, TABLES[role.table].types[column], partial)) is not None
    }
    if role.group_table in columns and not columns[role.group_table]:
        raise faults.must_be_filled(role.group_label)
    texts = {name: columns.get(name.upper(), "") for name in role.references}
    references.check_all(transaction, role.references, texts)
    dimension = node.values.get("DefaultDimension")
    if isinstance(dimension, dict):
        columns["DEFAULTDIMENSION"] = dimensions.value_set(transaction, dimension)
    elif (dimension is Nil.NIL and clear_nil) or not partial:
        columns["DEFAULTDIMENSION"] = 0
    if columns:
        transaction.update(role.table, row["RECID"], columns | {"MODIFIEDDATETIME": transaction.now})


def _new_value(node: Node, name: str, column_type: str, partial: bool) -> Any:
    """Return the column's new value, or None when it stays."""
    value = node.values.get(name)
    empty: Any = "" if (column_type[:1] == "n" and column_type != "num") or column_type == "max" else 0
    if value is None or value is Nil.NIL:
        return None if partial else empty
    return empty if value == "" else value


def _update_party(transaction: Transaction, party: Node, stored: Stored, *, partial: bool) -> None:
    """Change the party and its children; `partial` is that of the top entity."""
    if party.action in ("create", "delete"):
        raise faults.AifError(f"The action '{party.action}' is not allowed on a DirParty.")
    partial = partial or party.action == "update"
    columns: dict[str, Any] = {}
    for name in PARTY_FIELDS:
        value = _new_value(party, name, TABLES["DIRPARTYTABLE"].types[name.upper()], partial)
        if value is not None:
            columns[name.upper()] = value
    if "NAME" in columns and not columns["NAME"]:
        raise faults.must_be_filled("Name")
    recid = stored.party["RECID"]
    if columns:
        transaction.update("DIRPARTYTABLE", recid, columns | {"MODIFIEDDATETIME": transaction.now})
    kept = {_update_child(transaction, child, recid, stored, partial=partial) for child in party.children}
    if not partial:
        for link in stored.links:
            if link["RECID"] not in kept:
                parties.remove_location(transaction, link)


def _update_child(transaction: Transaction, child: Node, party: int, stored: Stored, *, partial: bool) -> int:
    """Apply one address or contact; return the RECID of the location link that stays, or 0."""
    if child.name == "PersonName":
        raise faults.not_simulated("update of DirParty.PersonName")
    recid = child.get("RecId", 0)
    action = child.action or ("update" if recid else "create")
    if action == "create":
        add = accounts.add_address if child.name == "DirPartyPostalAddressView" else None
        if add is not None:
            add(transaction, party, child, only=False)
        else:
            accounts.add_contact(transaction, party, child)
        return 0
    link = next((row for row in stored.links if row["RECID"] == recid), None)
    if link is None or not child.get("RecVersion", 0):
        # A hash alone does not identify a child: RecId and RecVersion are needed for each (ax-aif.md section 8).
        raise faults.AifError(f"RecId and RecVersion must be specified to {action} a record in {child.name}.")
    if action == "delete":
        parties.remove_location(transaction, link)
        return 0
    if child.type == entities.POSTAL_ADDRESS.type:
        _update_address(transaction, child, link, stored.addresses[recid], partial=partial)
    else:
        _update_contact(transaction, child, link, stored.contacts[recid], partial=partial)
    return int(recid)


def _update_address(transaction: Transaction, child: Node, link: Row, address: Row, *, partial: bool) -> None:
    columns = accounts.address_columns(child)
    if not partial:
        columns = dict.fromkeys(parties.ADDRESS_COLUMNS, "") | columns
    new_period = child.update_mode in ("CreateNewTimePeriod", "EffectiveBased")
    parties.change_address(transaction, address, columns, new_period=new_period)
    _update_link(transaction, child, link)


def _update_contact(transaction: Transaction, child: Node, link: Row, contact: Row, *, partial: bool) -> None:
    columns: dict[str, Any] = {}
    for name, column in (*CONTACT_COLUMNS.items(), ("Type", "TYPE")):
        value = _new_value(child, name, TABLES["LOGISTICSELECTRONICADDRESS"].types[column], partial)
        if value is not None:
            columns[column] = value
    if "LOCATOR" in columns and not columns["LOCATOR"]:
        raise faults.must_be_filled("Contact number/address")
    if columns:
        transaction.update("LOGISTICSELECTRONICADDRESS", contact["RECID"], columns)
    _update_link(transaction, child, link)


def _update_link(transaction: Transaction, child: Node, link: Row) -> None:
    if "IsPrimary" in child.values:
        transaction.update("DIRPARTYLOCATION", link["RECID"], {"ISPRIMARY": child.get("IsPrimary", 0)})
    if "Roles" in child.values:
        parties.set_roles(transaction, link["RECID"], accounts.roles(child))
