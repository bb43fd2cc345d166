"""Documents in and out: XML elements to typed values and back, by the declared tables of `contract`.

Inbound, `<X/>` is the empty text, an omitted element is not in `values`, and xsi:nil is `Nil.NIL`: a partial
update tells them apart. Outbound, empty, zero and null-date values are left out, unless the field is mandatory
(ax-aif.md section 5).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from lxml import etree

from sandbox.ax.contract import namespaces as ns
from sandbox.ax.contract.entities import Document, Field
from sandbox.ax.contract.types import DECIMALS, ENUMS, PLAIN, STRINGS
from sandbox.ax.model.faults import AifError
from sandbox.ax.model.node import Account, Nil, Node
from sandbox.ax.soap.xml import elements, name_of, nsmap

NULL_DATE = datetime(1900, 1, 1)  # noqa: DTZ001 - AX's null date, stored as naive UTC
_NIL = f"{{{ns.XSI}}}nil"
_TYPE = f"{{{ns.XSI}}}type"


@dataclass(slots=True)
class Inbound:
    """A received document: its top entities and the root's ClearNilFieldsOnUpdate."""

    tops: list[Node]
    clear_nil: bool


def read(root: etree._Element, document: Document) -> Inbound:
    """Turn a document's element into values. Text longer than its type is cut: that is what AX does without validation.

    Unknown elements are skipped; a validated document has none. Raises: AifError when a text does not read as
    its type.
    """
    clear_nil = root.findtext(f"{{{document.namespace}}}ClearNilFieldsOnUpdate") == "true"
    top = f"{{{document.namespace}}}{document.top.name}"
    return Inbound([_node(item, document.top.type, document) for item in root.iterchildren(top)], clear_nil)


def _node(element: etree._Element, declared_type: str, document: Document) -> Node:
    stated = element.get(_TYPE)
    type_name = stated.rpartition(":")[2] if stated else declared_type
    try:
        fields = {item.name: item for item in document.all_fields(type_name)}
        children = {item.name: item for item in document.all_children(type_name)}
    except KeyError as error:
        raise AifError(f"The type '{stated}' of element '{name_of(element)[1]}' is not known.") from error
    node = Node(name_of(element)[1], type_name, element.get("action", ""), element.get("updateMode", ""))
    for child in elements(element):
        name = name_of(child)[1]
        if name in fields:
            node.values[name] = _value(child, fields[name])
        elif name in children:
            node.children.append(_node(child, children[name].type, document))
    return node


def _value(element: etree._Element, declared: Field) -> Any:
    if element.get(_NIL) in ("true", "1"):
        return Nil.NIL
    if declared.type == "DimensionAttributeValueSet":
        pairs = [
            [part.text or "" for part in elements(value)] for values in elements(element) for value in elements(values)
        ]
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    if declared.type in ("DefaultAccount", "MultiTypeDefaultAccount"):
        return "".join(part.text or "" for part in elements(element))
    if declared.type == "MultiTypeAccount":
        return _account(element)
    text = element.text or ""
    length = declared.own_length or STRINGS.get(declared.type)
    if length:
        return text[:length]
    if declared.type == "string" or not text.strip():
        return text if declared.type == "string" else ""
    try:
        return _typed(text.strip(), declared.type)
    except (ValueError, InvalidOperation) as error:
        raise AifError(f"The value '{text}' of element '{declared.name}' is not valid.", field=declared.name) from error


def _account(element: etree._Element) -> Account:
    """Read a multi-type account. DisplayValue is mandatory in the schema and AX computes it itself: not used."""
    parts = {name_of(part)[1]: part for part in elements(element)}
    account = parts.get("Account")
    pairs = (
        [[item.text or "" for item in elements(value)] for value in elements(parts["Values"])]
        if ("Values" in parts)
        else []
    )
    return Account(
        (account.text or "") if account is not None else "", {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    )


def _typed(text: str, type_name: str) -> Any:
    if type_name in ENUMS:
        return ENUMS[type_name].index(text)
    if type_name in DECIMALS:
        return Decimal(text)
    if type_name == "DateTime":
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if PLAIN[type_name] == "xs:date":
        return datetime.fromisoformat(text[:10])
    return int(text)


def write(parent: etree._Element, document: Document, node: Node, *, declared_type: str) -> etree._Element:
    """Append an entity to `parent` in wire order; a type other than the declared one is stated by xsi:type."""
    element = etree.SubElement(parent, f"{{{document.namespace}}}{node.name}")
    element.set("class", "entity")
    if node.type != declared_type:
        prefix = next(name for name, uri in element.nsmap.items() if uri == document.namespace)
        element.set(_TYPE, f"{prefix}:{node.type}" if prefix else node.type)
    for declared in document.all_fields(node.type):
        value = node.values.get(declared.name)
        if value is not None and (declared.required or not _is_empty(value, declared)):
            _write_value(element, document, declared, value)
    for child in document.all_children(node.type):
        for item in node.named(child.name):
            write(element, document, item, declared_type=child.type)
    return element


def _is_empty(value: Any, declared: Field) -> bool:
    # An enum's first value is 0 too: AX leaves it out like any other zero.
    return not value or (declared.type in ("DateTime", "TransDate", "InvoiceDate") and value == NULL_DATE)


def _write_value(parent: etree._Element, document: Document, declared: Field, value: Any) -> None:
    element = etree.SubElement(parent, f"{{{document.namespace}}}{declared.name}")
    if declared.type == "DimensionAttributeValueSet":
        values = etree.SubElement(element, f"{{{ns.SHARED_TYPES}}}Values")
        for name, text in value.items():
            item = etree.SubElement(values, f"{{{ns.SHARED_TYPES}}}Value")
            etree.SubElement(item, f"{{{ns.SHARED_TYPES}}}Name").text = name
            etree.SubElement(item, f"{{{ns.SHARED_TYPES}}}Value").text = text
    elif declared.type == "DefaultAccount":
        etree.SubElement(element, f"{{{ns.SHARED_TYPES}}}MainAccount").text = value
    elif declared.type == "MultiTypeDefaultAccount":
        etree.SubElement(element, f"{{{ns.SHARED_TYPES}}}Account").text = value
    elif declared.type == "MultiTypeAccount":
        etree.SubElement(element, f"{{{ns.SHARED_TYPES}}}DisplayValue").text = value.display
        etree.SubElement(element, f"{{{ns.SHARED_TYPES}}}Account").text = value.account
    else:
        element.text = as_text(value, declared.type)


def as_text(value: Any, type_name: str) -> str:
    """Return a value as the document writes it: enums by name, decimals without exponent, instants in UTC."""
    if type_name in ENUMS:
        return str(ENUMS[type_name][value])
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d" if type_name in PLAIN else "%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


def entity_keys(keys: Iterable[Mapping[str, str]]) -> etree._Element:
    """Return an EntityKeyList with one EntityKey per mapping of key fields."""
    root = etree.Element(f"{{{ns.ENTITY_KEY_LIST}}}EntityKeyList", nsmap=nsmap(ns.ENTITY_KEY_LIST))
    for key in keys:
        entity = etree.SubElement(root, f"{{{ns.ENTITY_KEY}}}EntityKey", nsmap=nsmap(ns.ENTITY_KEY))
        data = etree.SubElement(entity, f"{{{ns.ENTITY_KEY}}}KeyData")
        for name, value in key.items():
            item = etree.SubElement(data, f"{{{ns.ENTITY_KEY}}}KeyField")
            etree.SubElement(item, f"{{{ns.ENTITY_KEY}}}Field").text = name
            etree.SubElement(item, f"{{{ns.ENTITY_KEY}}}Value").text = value
    return root


def read_entity_keys(root: etree._Element | None) -> list[dict[str, str]]:
    """Return the keys of an EntityKeyList, each as field name to value; [] when there is no list."""
    if root is None:
        return []
    namespace = f"{{{ns.ENTITY_KEY}}}"
    return [
        {
            item.findtext(f"{namespace}Field") or "": item.findtext(f"{namespace}Value") or ""
            for item in entity.iter(f"{namespace}KeyField")
        }
        for entity in root.iter(f"{namespace}EntityKey")
    ]
