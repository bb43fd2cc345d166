"""SOAP faults: those of WCF (no AIF detail), and AIF's own with `detail/AifFault`.

How much the AIF fault tells is a port option: generic, or with the infolog and the exception's type (ax-aif.md
section 9.1).
"""

from dataclasses import dataclass

from lxml import etree

from sandbox.ax.contract import namespaces as ns
from sandbox.ax.model.faults import AifError
from sandbox.ax.soap.xml import nsmap

GENERIC_TEXT = "Request Failed. See the Exception Log for details."
_WCF_NONE = "http://schemas.microsoft.com/ws/2005/05/addressing/none"
_WCF_DISPATCHER = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher"
_NIL = f"{{{ns.XSI}}}nil"


class ProtocolError(Exception):
    """WCF refuses the message before AIF sees it. `code` is the local name, `namespace` '' means SOAP's own codes."""

    def __init__(self, code: str, namespace: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.namespace = namespace
        self.text = text


def action_not_supported(action: str) -> ProtocolError:
    """F15: the SOAPAction names no operation of the port."""
    text = (
        f"System.ServiceModel.ActionNotSupportedException: the message with Action '{action}' cannot be processed at "
        "the receiver, due to a ContractFilter mismatch at the EndpointDispatcher."
    )
    return ProtocolError("ActionNotSupported", _WCF_NONE, text)


def must_understand(name: str, namespace: str) -> ProtocolError:
    """A header with mustUnderstand that the port does not know."""
    text = f"The header '{name}' from the namespace '{namespace}' was not understood by the recipient of this message."
    return ProtocolError("MustUnderstand", "", text)


def deserialization_failed(reason: str) -> ProtocolError:
    """Header or body do not have the shape of the operation's message."""
    text = f"The formatter threw an exception while trying to deserialize the message: {reason}"
    return ProtocolError("DeserializationFailed", _WCF_DISPATCHER, text)


def version_mismatch(namespace: str) -> ProtocolError:
    """The envelope is not SOAP 1.1."""
    return ProtocolError("VersionMismatch", "", f"Unrecognized message version: '{namespace}'.")


def internal_fault() -> ProtocolError:
    """An exception inside the port itself: WCF tells no detail."""
    text = "The server was unable to process the request due to an internal error."
    return ProtocolError("InternalServiceFault", _WCF_DISPATCHER, text)


@dataclass(frozen=True, slots=True)
class Origin:
    """What the fault list says about where the error is from."""

    document: str = ""
    service: str = ""
    operation: str = ""


def render_protocol(fault: ProtocolError) -> bytes:
    """Return the envelope of a WCF fault."""
    return _envelope(fault.code, fault.namespace, fault.text, None)


def render_aif(error: AifError, origin: Origin, *, detail: str) -> bytes:
    """Return the envelope of an AIF fault; `detail` is `generic` or `with_exceptions`."""
    generic = detail == "generic"
    text = GENERIC_TEXT if generic else "\n".join(error.messages)
    root = etree.Element(f"{{{ns.FAULT}}}AifFault", nsmap=nsmap(ns.FAULT, i=ns.XSI))
    _text(root, "CustomDetailXml", None)
    lists = etree.SubElement(root, f"{{{ns.FAULT}}}FaultMessageListArray")
    item = etree.SubElement(lists, f"{{{ns.FAULT}}}FaultMessageList")
    _text(item, "Document", None if generic else origin.document or None)
    _text(item, "DocumentOperation", None if generic else origin.operation or None)
    messages = etree.SubElement(item, f"{{{ns.FAULT}}}FaultMessageArray")
    for line in [GENERIC_TEXT] if generic else error.messages:
        message = etree.SubElement(messages, f"{{{ns.FAULT}}}FaultMessage")
        _text(message, "Code", "RequestFailed" if generic else error.code or "Error")
        _text(message, "Message", line)
    _text(item, "Field", None if generic else error.field or None)
    _text(item, "Service", None if generic else origin.service or None)
    _text(item, "ServiceOperation", None if generic else origin.operation or None)
    for name in ("ServiceOperationParameter", "XPath", "XmlLine", "XmlPosition"):
        _text(item, name, None)
    _infolog(root, [] if generic else list(error.messages))
    _text(root, "StackTrace", None)
    if error.xpp is not None and not generic:
        etree.SubElement(root, f"{{{ns.FAULT}}}XppExceptionType").text = str(int(error.xpp))
    return _envelope("Client", "", text, root)


def _infolog(root: etree._Element, lines: list[str]) -> None:
    array = etree.SubElement(root, f"{{{ns.FAULT}}}InfologMessageList")
    for line in lines:
        message = etree.SubElement(array, f"{{{ns.INFOLOG}}}InfologMessage")
        etree.SubElement(message, f"{{{ns.INFOLOG}}}InfologMessageType").text = "Error"
        etree.SubElement(message, f"{{{ns.INFOLOG}}}Message").text = _printable(line)


def _text(parent: etree._Element, name: str, value: str | None) -> None:
    element = etree.SubElement(parent, f"{{{ns.FAULT}}}{name}")
    if value is None:
        element.set(_NIL, "true")
    else:
        element.text = _printable(value)


def _envelope(code: str, namespace: str, text: str, detail: etree._Element | None) -> bytes:
    root = etree.Element(f"{{{ns.SOAP}}}Envelope", nsmap={"s": ns.SOAP})
    fault = etree.SubElement(etree.SubElement(root, f"{{{ns.SOAP}}}Body"), f"{{{ns.SOAP}}}Fault")
    prefixes = {"a": namespace} if namespace else {"s": ns.SOAP}
    fault_code = etree.SubElement(fault, "faultcode", nsmap=prefixes)
    fault_code.text = f"{'a' if namespace else 's'}:{code}"
    etree.SubElement(fault, "faultstring").text = _printable(text)
    if detail is not None:
        etree.SubElement(fault, "detail").append(detail)
    return etree.tostring(root, encoding="utf-8", xml_declaration=False)


def _printable(text: str) -> str:
    """Return `text` without what XML cannot carry: a fault may quote a caller's value."""
    return "".join(sign for sign in text if sign in "\t\n\r" or sign >= " ")
