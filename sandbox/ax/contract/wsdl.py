"""The WSDL parts: the routing service (`?wsdl`), the router's contract (`wsdl0`), the real one (`wsdl1`).

The root is RoutingService in http://tempuri.org/ (with a slash), and its first port has no operations: a
client that takes the default port finds nothing (ax-aif.md sections 1 and 2.2).
"""

from collections.abc import Iterator

from sandbox.ax.contract import namespaces as ns
from sandbox.ax.contract import xsd
from sandbox.ax.contract.services import SERVICES

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
HTTP = "http://schemas.xmlsoap.org/soap/http"
POLICY = "http://schemas.xmlsoap.org/ws/2004/09/policy"
SECURITY_UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
HTTP_POLICY = "http://schemas.microsoft.com/ws/06/2004/policy/http"
ACTION = "http://www.w3.org/2006/05/addressing/wsdl"


def parts() -> dict[str, str]:
    """Return the three WSDL parts: `wsdl`, `wsdl0`, `wsdl1`, to text."""
    return {"wsdl": routing_service(), "wsdl0": router_contract(), "wsdl1": contract()}


def message_name(service: str, operation: str, suffix: str) -> str:
    """Return e.g. CustomerServiceFindKeysRequest for CustomerService, findKeys, Request."""
    return f"{service}{operation[0].upper()}{operation[1:]}{suffix}"


def routing_service() -> str:
    """The root definitions: policies, imports, bindings, and the service with the empty router port first."""
    bindings = ["serviceEndpoint", *(f"BasicHttpBinding_{service}" for service in SERVICES)]
    lines = [
        f'<wsdl:definitions xmlns:wsdl="{WSDL}" xmlns:soap="{SOAP}" xmlns:wsp="{POLICY}"',
        f'    xmlns:wsu="{SECURITY_UTILITY}"',
        f'    xmlns:tns="http://tempuri.org/" xmlns:i0="{ns.ROUTER}" xmlns:i1="{ns.SERVICES}"',
        '    name="RoutingService" targetNamespace="http://tempuri.org/">',
        *(line for binding in bindings for line in _policy(binding)),
        f'  <wsdl:import namespace="{ns.ROUTER}" location="{ns.PLACEHOLDER}?wsdl=wsdl0" />',
        f'  <wsdl:import namespace="{ns.SERVICES}" location="{ns.PLACEHOLDER}?wsdl=wsdl1" />',
        "  <wsdl:types />",
        '  <wsdl:binding name="serviceEndpoint" type="i0:IRequestReplyRouter">',
        '    <wsp:PolicyReference URI="#serviceEndpoint_policy" />',
        f'    <soap:binding transport="{HTTP}" />',
        "  </wsdl:binding>",
        *(line for service in SERVICES for line in _binding(service)),
        '  <wsdl:service name="RoutingService">',
        *(line for binding in bindings for line in _port(binding)),
        "  </wsdl:service>",
        "</wsdl:definitions>",
    ]
    return DECLARATION + "\n".join(lines) + "\n"


def _policy(binding: str) -> Iterator[str]:
    yield f'  <wsp:Policy wsu:Id="{binding}_policy">'
    yield "    <wsp:ExactlyOne><wsp:All>"
    yield f'      <http:NegotiateAuthentication xmlns:http="{HTTP_POLICY}" />'
    yield "    </wsp:All></wsp:ExactlyOne>"
    yield "  </wsp:Policy>"


def _port(binding: str) -> Iterator[str]:
    yield f'    <wsdl:port name="{binding}" binding="tns:{binding}">'
    yield f'      <soap:address location="{ns.PLACEHOLDER}" />'
    yield "    </wsdl:port>"


def _binding(service: str) -> Iterator[str]:
    yield f'  <wsdl:binding name="BasicHttpBinding_{service}" type="i1:{service}">'
    yield f'    <wsp:PolicyReference URI="#BasicHttpBinding_{service}_policy" />'
    yield f'    <soap:binding transport="{HTTP}" />'
    for operation in SERVICES[service][1]:
        request = message_name(service, operation, "Request")
        response = message_name(service, operation, "Response")
        yield f'    <wsdl:operation name="{operation}">'
        yield f'      <soap:operation soapAction="{ns.SERVICES}/{service}/{operation}" style="document" />'
        yield f'      <wsdl:input name="{request}">'
        yield f'        <soap:header message="i1:{request}_Headers" part="context" use="literal" />'
        yield '        <soap:body use="literal" />'
        yield "      </wsdl:input>"
        yield f'      <wsdl:output name="{response}">'
        yield '        <soap:body use="literal" />'
        yield "      </wsdl:output>"
        yield '      <wsdl:fault name="AifFaultFault">'
        yield '        <soap:fault use="literal" name="AifFaultFault" namespace="" />'
        yield "      </wsdl:fault>"
        yield "    </wsdl:operation>"
    yield "  </wsdl:binding>"


def router_contract() -> str:
    """The router's contract: one portType without operations."""
    return (
        f'{DECLARATION}<wsdl:definitions xmlns:wsdl="{WSDL}" targetNamespace="{ns.ROUTER}">\n'
        "  <wsdl:types />\n"
        '  <wsdl:portType name="IRequestReplyRouter" />\n'
        "</wsdl:definitions>\n"
    )


def contract() -> str:
    """The contract: imports of all XSD parts, messages and portTypes of the services on the port."""
    imports = "".join(f"      {xsd.import_of(namespace)}\n" for namespace, _ in xsd.TARGETS)
    messages = "".join(
        line for service in SERVICES for operation in SERVICES[service][1] for line in _messages(service, operation)
    )
    port_types = "".join(line for service in SERVICES for line in _port_type(service))
    return (
        f'{DECLARATION}<wsdl:definitions xmlns:wsdl="{WSDL}" xmlns:xs="{xsd.XS}" xmlns:tns="{ns.SERVICES}"'
        f' xmlns:ctx="{ns.CONTEXT}" xmlns:flt="{ns.FAULT}" xmlns:wsaw="{ACTION}" targetNamespace="{ns.SERVICES}">\n'
        f'  <wsdl:types>\n    <xs:schema targetNamespace="{ns.SERVICES}/Imports">\n'
        f"{imports}    </xs:schema>\n  </wsdl:types>\n"
        f"{messages}{port_types}</wsdl:definitions>\n"
    )


def _messages(service: str, operation: str) -> Iterator[str]:
    request = message_name(service, operation, "Request")
    response = message_name(service, operation, "Response")
    for name, part, element in (
        (request, "parameters", f"tns:{request}"),
        (f"{request}_Headers", "context", "ctx:CallContext"),
        (response, "parameters", f"tns:{response}"),
        (f"{service}_{operation}_AifFaultFault_FaultMessage", "detail", "flt:AifFault"),
    ):
        yield f'  <wsdl:message name="{name}">\n'
        yield f'    <wsdl:part name="{part}" element="{element}" />\n  </wsdl:message>\n'


def _port_type(service: str) -> Iterator[str]:
    yield f'  <wsdl:portType name="{service}">\n'
    for operation in SERVICES[service][1]:
        action = f"{ns.SERVICES}/{service}/{operation}"
        request = message_name(service, operation, "Request")
        response = message_name(service, operation, "Response")
        fault = f"tns:{service}_{operation}_AifFaultFault_FaultMessage"
        yield f'    <wsdl:operation name="{operation}">\n'
        yield f'      <wsdl:input wsaw:Action="{action}" name="{request}" message="tns:{request}" />\n'
        yield f'      <wsdl:output wsaw:Action="{action}Response" name="{response}" message="tns:{response}" />\n'
        yield f'      <wsdl:fault wsaw:Action="{action}AifFaultFault" name="AifFaultFault" message="{fault}" />\n'
        yield "    </wsdl:operation>\n"
    yield "  </wsdl:portType>\n"
