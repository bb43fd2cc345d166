"""The one place where XML from outside is parsed: no DTD, no entities, no network."""

from typing import Any

from lxml import etree


class UnsafeXmlError(Exception):
    """The text is not XML, or carries a document type declaration: WCF answers both with HTTP 400."""


def parse(text: bytes) -> etree._Element:
    """Parse a message. Raises: UnsafeXmlError."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise UnsafeXmlError(str(error)) from error
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype:
        raise UnsafeXmlError("a document type declaration is not allowed")
    return root


def name_of(element: etree._Element) -> tuple[str, str]:
    """Return the namespace ('' for none) and the local name of an element."""
    qualified = etree.QName(element)
    return qualified.namespace or "", qualified.localname


def elements(parent: etree._Element) -> list[etree._Element]:
    """Return the child elements, without processing instructions."""
    return [child for child in parent if isinstance(child.tag, str)]


def nsmap(default: str, **prefixes: str) -> Any:
    """Return lxml's map of prefixes with a default namespace (its stubs do not know the key None)."""
    return {None: default, **prefixes}
