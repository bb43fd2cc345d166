"""Validation of a message's payload against the port's XSD, reported in the words of .NET's validator.

AX reports the *next expected* element, so a missing mandatory field looks like an unexpected later one
(ax-aif.md sections 5 and 9.1, F4). lxml finds the same errors; this module gives them that form. Only the first
error counts: .NET stops there.
"""

import re
import threading
from collections.abc import Callable
from typing import Any

from lxml import etree

from sandbox.ax.contract.schema import load_schema
from sandbox.ax.contract.services import SERVICES
from sandbox.ax.model.faults import SchemaError
from sandbox.ax.soap.xml import elements, name_of

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (?P<names>.*?) \)")
_QUALIFIED = re.compile(r"\{(?P<namespace>[^}]*)\}(?P<name>[^\s,]+)")
_TYPE = re.compile(r"type '(?:\{[^}]*\})?(?P<type>[^']+)'|\[facet '(?P<facet>\w+)'\]")
_FACETS = {
    "maxLength": "The actual length is greater than the MaxLength value.",
    "enumeration": "The Enumeration constraint failed.",
    "fractionDigits": "The FractionDigits constraint failed.",
    "pattern": "The Pattern constraint failed.",
    "maxInclusive": "The MaxInclusive constraint failed.",
    "minInclusive": "The MinInclusive constraint failed.",
}


class Validator:
    """Checks payloads. One lock for validation and reading its error log: the log belongs to the schema object."""

    def __init__(self) -> None:
        self._schema = load_schema()
        self._lock = threading.Lock()

    def check(self, payload: etree._Element) -> None:
        """Raise SchemaError (F4) when `payload` does not fit its declaration."""
        copy = etree.fromstring(etree.tostring(payload))  # lines and paths then count from the payload
        with self._lock:
            if self._schema.validate(copy):
                return
            errors: Any = self._schema.error_log
            error = errors[0]
        raise SchemaError(_report(error, copy), field=_subject(error, copy)[1])


def check_type_is_unprefixed(payload: etree._Element) -> None:
    """Raise SchemaError when an xsi:type has a prefix: the switch `strict_xsi_type` (one client met such a port)."""
    for element in payload.iter():
        declared = element.get(_XSI_TYPE) if isinstance(element.tag, str) else None
        if declared and ":" in declared:
            namespace, name = name_of(element)
            raise SchemaError(
                f"This is an invalid xsi:type '{declared}' for the element '{name}' in namespace '{namespace}'.", name
            )


def _subject(error: etree._LogEntry, root: etree._Element) -> tuple[str, str]:
    """Return namespace and name of the element that the error is about."""
    return name_of(_element(error, root))


def _element(error: etree._LogEntry, root: etree._Element) -> etree._Element:
    """Return the element at the error's path, which is written with the message's own prefixes."""
    prefixes: Any = {prefix: uri for item in root.iter("*") for prefix, uri in item.nsmap.items() if prefix}
    found: Any = root.getroottree().xpath(error.path or "/*", namespaces=prefixes)
    return found[0] if found else root


def _report(error: etree._LogEntry, root: etree._Element) -> str:
    element = _element(error, root)
    for pattern, render in _RENDERERS:
        if re.search(pattern, error.message):
            return render(error.message, element)
    return str(error.message)


def _expected(message: str, parent: etree._Element, before: etree._Element | None) -> str:
    """Return the sentence about what may come next in `parent`; `before` cannot; None stands for the end."""
    names = next_elements(parent, before)
    if not names:  # not an entity: lxml's own list, which it cuts at ten names
        match = _EXPECTED.search(message)
        found = _QUALIFIED.finditer(match["names"]) if match else iter(())
        names = [(item["namespace"], item["name"]) for item in found]
    if not names:
        return ""
    listed = ", ".join(f"'{name}' in namespace '{namespace}'" for namespace, name in names)
    return f" List of possible elements expected: {listed}."


def next_elements(parent: etree._Element, before: etree._Element | None) -> list[tuple[str, str]]:
    """Return namespace and name of what may follow inside an entity: up to the next mandatory field, in wire order.

    [] when `parent` is not an entity of the port's documents.
    """
    namespace, name = name_of(parent)
    for document, _ in SERVICES.values():
        if document.namespace != namespace:
            continue
        declared = {child.name: child.type for entity in document.entities for child in entity.children}
        declared[document.top.name] = document.top.type
        stated = parent.get(_XSI_TYPE, "").rpartition(":")[2] or declared.get(name, "")
        try:
            fields, children = document.all_fields(stated), document.all_children(stated)
        except KeyError:
            return []
        order = [(field.name, field.required) for field in fields] + [(child.name, False) for child in children]
        return [(namespace, item) for item in _following(order, parent, before)]
    return []


def _following(order: list[tuple[str, bool]], parent: etree._Element, before: etree._Element | None) -> list[str]:
    present = [name_of(item)[1] for item in elements(parent)]
    if before is not None:
        present = present[: elements(parent).index(before)]
    names = [name for name, _ in order]
    start = names.index(present[-1]) + 1 if present and present[-1] in names else 0
    following: list[str] = []
    for name, required in order[start:]:
        following.append(name)
        if required:
            break
    return following


def _unexpected(message: str, element: etree._Element) -> str:
    namespace, name = name_of(element)
    parent = element.getparent()
    if parent is None:
        return f"The '{namespace}:{name}' element is not declared."
    parent_namespace, parent_name = name_of(parent)
    return (
        f"The element '{parent_name}' in namespace '{parent_namespace}' has invalid child element '{name}' in "
        f"namespace '{namespace}'.{_expected(message, parent, element)}"
    )


def _incomplete(message: str, element: etree._Element) -> str:
    namespace, name = name_of(element)
    return f"The element '{name}' in namespace '{namespace}' has incomplete content.{_expected(message, element, None)}"


def _invalid_value(message: str, element: etree._Element) -> str:
    namespace, name = name_of(element)
    facet = re.search(r"\[facet '(\w+)'\]", message)
    reason = _FACETS.get(facet[1], message) if facet else "The string is not a valid value of its type."
    return f"The '{namespace}:{name}' element is invalid - The value '{element.text or ''}' is invalid - {reason}"


def _attribute(message: str, element: etree._Element) -> str:
    attribute = re.search(r"attribute '(?:\{[^}]*\})?([^']+)'", message)
    name = attribute[1] if attribute else "?"
    if "required but missing" in message:
        return f"The required attribute '{name}' is missing."
    if "not allowed" in message:
        return f"The '{name}' attribute is not declared."
    return f"The '{name}' attribute is invalid - The value '{element.get(name)}' is invalid."


def _xsi_type(message: str, element: etree._Element) -> str:  # noqa: ARG001 - the renderers' signature
    namespace, name = name_of(element)
    return (
        f"This is an invalid xsi:type '{element.get(_XSI_TYPE)}' for the element '{name}' in namespace '{namespace}'."
    )


_RENDERERS: tuple[tuple[str, Callable[[str, etree._Element], str]], ...] = (
    (r"attribute '[^']*type' of .*|xsi:type|The QName value", _xsi_type),
    (r"attribute '", _attribute),
    (r"This element is not expected|No matching global declaration", _unexpected),
    (r"Missing child element", _incomplete),
    (r"not a valid value|\[facet '|Character content", _invalid_value),
)
