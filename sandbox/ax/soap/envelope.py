"""Requests in: HTTP body to service, operation, context and payload, with WCF's and AIF's checks in their order.

1. SOAP 1.1 envelope; 2. SOAPAction names an operation of the port; 3. headers that must be understood are; 4.
the body's one child is the operation's request; 5. the call context has the schema's shape.
"""

from dataclasses import dataclass

from lxml import etree

from sandbox.ax.contract import namespaces as ns
from sandbox.ax.contract.entities import Document
from sandbox.ax.contract.services import SERVICES
from sandbox.ax.contract.wsdl import message_name
from sandbox.ax.soap import faults
from sandbox.ax.soap.xml import elements, name_of, nsmap, parse

_CONTEXT_FIELDS = ("Company", "Language", "LogonAsUser", "MessageId", "PartitionKey", "PropertyBag")
_UNDERSTOOD = "http://schemas.microsoft.com/ws/2005/05/addressing/none"
_TRUE = ("1", "true")


@dataclass(frozen=True, slots=True)
class CallContext:
    """The CallContext header; '' stands for an element that is omitted, nil or empty."""

    company: str = ""
    language: str = ""
    logon_as_user: str = ""
    message_id: str = ""
    partition_key: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A message that passed WCF: `payload` is the request wrapper, its children are the operation's parameters."""

    service: str
    operation: str
    document: Document
    context: CallContext
    payload: etree._Element

    def parameter(self, namespace: str, name: str) -> etree._Element | None:
        """Return a parameter of the operation, or None when it was omitted (all are optional in the schema)."""
        return self.payload.find(f"{{{namespace}}}{name}")


def operation_of(action: str) -> tuple[str, str]:
    """Return service and operation of a SOAPAction header. Raises: ProtocolError F15 when it is unquoted or unknown."""
    unquoted = action[1:-1] if len(action) > 1 and action[0] == action[-1] == '"' else ""
    namespace, _, rest = unquoted.rpartition("/services/")
    service, _, operation = rest.partition("/")
    if f"{namespace}/services" == ns.SERVICES and service in SERVICES and operation in SERVICES[service][1]:
        return service, operation
    raise faults.action_not_supported(action.strip('"'))


def read(body: bytes, action: str) -> Request:
    """Read a request. Raises: UnsafeXmlError (HTTP 400), ProtocolError."""
    root = parse(body)
    namespace, name = name_of(root)
    if name != "Envelope" or namespace != ns.SOAP:
        raise faults.version_mismatch(namespace)
    service, operation = operation_of(action)
    parts = {name_of(item): item for item in elements(root)}
    header = parts.get((ns.SOAP, "Header"))
    context = _context(header) if header is not None else CallContext()
    content = elements(parts[(ns.SOAP, "Body")]) if (ns.SOAP, "Body") in parts else []
    expected = message_name(service, operation, "Request")
    if len(content) != 1 or name_of(content[0]) != (ns.SERVICES, expected):
        found = name_of(content[0])[1] if content else "nothing"
        raise faults.deserialization_failed(
            f"invalid message body of operation '{operation}'. Expected element '{expected}' from namespace "
            f"'{ns.SERVICES}'. Found '{found}'."
        )
    return Request(service, operation, SERVICES[service][0], context, content[0])


def _context(header: etree._Element) -> CallContext:
    context = CallContext()
    for item in elements(header):
        namespace, name = name_of(item)
        if (namespace, name) == (ns.CONTEXT, "CallContext"):
            context = _read_context(item)
        elif item.get(f"{{{ns.SOAP}}}mustUnderstand") in _TRUE and namespace != _UNDERSTOOD:
            raise faults.must_understand(name, namespace)
    return context


def _read_context(element: etree._Element) -> CallContext:
    values: dict[str, str] = {}
    position = 0
    for item in elements(element):
        namespace, name = name_of(item)
        if namespace != ns.CONTEXT or name not in _CONTEXT_FIELDS[position:]:
            raise faults.deserialization_failed(
                f"element '{name}' of CallContext is not expected here; the order is {', '.join(_CONTEXT_FIELDS)}."
            )
        position = _CONTEXT_FIELDS.index(name) + 1
        values[name] = (item.text or "").strip()
    return CallContext(
        values.get("Company", ""),
        values.get("Language", ""),
        values.get("LogonAsUser", ""),
        values.get("MessageId", ""),
        values.get("PartitionKey", ""),
    )


def response(request_service: str, operation: str, content: etree._Element | None) -> bytes:
    """Return the envelope of a successful answer; `content` is the wrapper's child, None leaves it empty."""
    root = etree.Element(f"{{{ns.SOAP}}}Envelope", nsmap={"s": ns.SOAP})
    name = message_name(request_service, operation, "Response")
    wrapper = etree.SubElement(
        etree.SubElement(root, f"{{{ns.SOAP}}}Body"), f"{{{ns.SERVICES}}}{name}", nsmap=nsmap(ns.SERVICES)
    )
    if content is not None:
        wrapper.append(content)
    return etree.tostring(root, encoding="utf-8")
