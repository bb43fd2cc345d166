"""The last look at a request before it leaves: close to what a .NET client sends, and valid by the port's schema.

zeep checks neither lengths nor enums nor patterns, and AX cuts a text that is too long without a word when its port
does not validate. So every request is validated here against the port's own XSD: what does not fit is a PoisonError
that names element and rule, and nothing was sent.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

from lxml import etree
from zeep.plugins import Plugin

from connectors.ax.aif_documents import CUSTOMER_NAMESPACE, VENDOR_NAMESPACE
from connectors.ax.wsdl_files import LocalResolver
from schemas.failures import PoisonError

_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_WSA = "http://www.w3.org/2005/08/addressing"
_XS = "http://www.w3.org/2001/XMLSchema"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XSI_TYPE = f"{{{_XSI}}}type"
# Documents with a party, whose type an attribute names.
_WITH_PARTIES = (f"{{{CUSTOMER_NAMESPACE}}}Customer", f"{{{VENDOR_NAMESPACE}}}Vendor")
_ELEMENT = re.compile(r"Element '(?:\{[^}]*\})?([^']*)'")
# The only words of a validation message that are not the value itself: how long it is and may be.
_MEASURE = re.compile(
    r"has a length of '(\d+)'; this (?:exceeds|underruns) the allowed (?:maximum|minimum) length of '(\d+)'"
)


class PayloadSchema:
    """The XSD of all messages of the port. Safe for several threads."""

    def __init__(self, folder: Path) -> None:
        parser = etree.XMLParser(no_network=True, resolve_entities=False)
        parser.resolvers.add(LocalResolver(folder))
        self._schema = etree.XMLSchema(etree.fromstring(_driver(folder), parser))
        self._lock = threading.Lock()

    def check(self, message: etree._Element) -> None:
        """Raise PoisonError `invalid_document` for the first rule that `message` (a body's child) breaks.

        The failure names element and rule, never the value.
        """
        # Validated as the bytes that leave: prefixes in attribute values (xsi:type) resolve as AX will resolve them.
        copy = etree.fromstring(etree.tostring(message), etree.XMLParser(no_network=True, resolve_entities=False))
        with self._lock:
            if self._schema.validate(copy):
                return
            error = self._schema.error_log[0]  # type: ignore[index]
        name = _ELEMENT.search(error.message)
        rule = error.type_name.removeprefix("SCHEMAV_").removeprefix("CVC_").removesuffix("_VALID").lower()
        measure = _MEASURE.search(error.message)
        length = f" (length {measure[1]}, limit {measure[2]})" if measure else ""
        element = name[1] if name else str(etree.QName(message).localname)
        raise PoisonError(
            "invalid_document",
            f"checking the request against the port's schema: {element} breaks {rule}{length}; correct the mapping or "
            "the record",
            field=element,
        )


def _driver(folder: Path) -> bytes:
    """A schema that imports all namespaces of the port."""
    imports = []
    for path in sorted(folder.glob("*.xsd")):
        namespace = etree.parse(path).getroot().get("targetNamespace")
        named = f' namespace="{namespace}"' if namespace else ""
        imports.append(f'<xs:import schemaLocation="?xsd={path.stem}"{named}/>')
    text = f'<xs:schema xmlns:xs="{_XS}" targetNamespace="urn:freshax:driver">{"".join(imports)}</xs:schema>'
    return text.encode()


class Egress(Plugin):
    """Removes WS-Addressing headers, rewrites documents with a party when the port wants it, validates."""

    def __init__(self, schema: PayloadSchema, *, unprefixed_xsi_type: bool) -> None:
        self._schema = schema
        self._unprefixed_xsi_type = unprefixed_xsi_type

    def egress(
        self, envelope: etree._Element, http_headers: dict[str, str], _operation: Any, _options: Any
    ) -> tuple[etree._Element, dict[str, str]]:
        """Called by zeep with the finished envelope. Raises PoisonError: nothing is sent then."""
        remove_addressing(envelope)
        body = envelope.find(f"{_SOAP}Body")
        if body is not None:
            if self._unprefixed_xsi_type:
                for document in list(body.iter(*_WITH_PARTIES)):
                    declare_by_default(document)
            for message in body:
                self._schema.check(message)
        return envelope, http_headers


def remove_addressing(envelope: etree._Element) -> None:
    """Drop wsa headers: zeep adds them since the port types carry wsaw:Action, basicHttpBinding has none."""
    header = envelope.find(f"{_SOAP}Header")
    if header is not None:
        for element in list(header):
            if etree.QName(element).namespace == _WSA:
                header.remove(element)
        etree.cleanup_namespaces(header)


def declare_by_default(document: etree._Element) -> None:
    """Give `document` its namespace as default xmlns and xsi:type without prefix: one client's AX asked for it."""
    parent = document.getparent()
    if parent is None:
        return
    nsmap: dict[str | None, str] = {None: str(etree.QName(document).namespace), "xsi": _XSI}
    renamed = etree.Element(document.tag, nsmap=nsmap)  # type: ignore[arg-type]
    _copy_into(renamed, document)
    parent.replace(document, renamed)


def _copy_into(target: etree._Element, source: etree._Element) -> None:
    target.text = source.text
    for name, value in source.attrib.items():
        target.set(name, str(value).rpartition(":")[2] if name == _XSI_TYPE else value)
    for child in source:
        _copy_into(etree.SubElement(target, child.tag), child)
