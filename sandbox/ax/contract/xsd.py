"""The XSD parts of the port, `xsd0` … `xsd16`, as text.

`xsd0` holds the operations' wrappers, `xsd1` has no targetNamespace (it repeats the parameter types as global
elements, as live ports do), the rest is one namespace each. Schemas import each other by the absolute URL of
the part (ax-aif.md sections 2.1 and 2.2).
"""

from collections.abc import Callable, Iterable
from functools import partial

from sandbox.ax.contract import namespaces as ns
from sandbox.ax.contract import types
from sandbox.ax.contract.entities import Child, Document, Entity, Field
from sandbox.ax.contract.services import DOCUMENTS, SERVICES

XS = "http://www.w3.org/2001/XMLSchema"
OPTIONAL = 'minOccurs="0" nillable="true"'


def parts() -> dict[str, str]:
    """Return every XSD part: name (`xsd0`) to text, in the order of the list in `TARGETS`."""
    return {f"xsd{number}": render() for number, (_, render) in enumerate(TARGETS)}


def part_of(namespace: str | None) -> str:
    """Return the part's name (`xsd7`) that declares `namespace`."""
    return f"xsd{[target for target, _ in TARGETS].index(namespace)}"


def import_of(namespace: str | None) -> str:
    """Return the `xs:import` that points to the part of `namespace` (None: the one without targetNamespace)."""
    target = f' namespace="{namespace}"' if namespace else ""
    return f'<xs:import schemaLocation="{ns.PLACEHOLDER}?xsd={part_of(namespace)}"{target} />'


def _schema(namespace: str | None, prefixes: dict[str, str], body: Iterable[str]) -> str:
    own = f' xmlns:tns="{namespace}" targetNamespace="{namespace}"' if namespace else ""
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in prefixes.items())
    lines = [import_of(uri) for uri in prefixes.values()] + list(body)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<xs:schema xmlns:xs="{XS}"{declared}{own} elementFormDefault="qualified">\n'
        + "".join(f"  {line}\n" for line in lines)
        + "</xs:schema>\n"
    )


def _complex(name: str, elements: Iterable[str], attributes: Iterable[str] = ()) -> list[str]:
    return [
        f'<xs:complexType name="{name}">',
        "  <xs:sequence>",
        *(f"    {element}" for element in elements),
        "  </xs:sequence>",
        *(f"  {attribute}" for attribute in attributes),
        "</xs:complexType>",
    ]


def _nillable_strings(*names: str) -> list[str]:
    return [f'<xs:element {OPTIONAL} name="{name}" type="xs:string" />' for name in names]


def _strings(*names: str) -> list[str]:
    return [f'<xs:element name="{name}" type="xs:string" />' for name in names]


def _simple(name: str, base: str, facets: Iterable[str] = ()) -> list[str]:
    return [
        f'<xs:simpleType name="{name}">',
        f'  <xs:restriction base="{base}">',
        *(f"    {facet}" for facet in facets),
        "  </xs:restriction>",
        "</xs:simpleType>",
    ]


def _array(name: str, item: str, item_type: str) -> list[str]:
    element = f'<xs:element minOccurs="0" maxOccurs="unbounded" name="{item}" nillable="true" type="{item_type}" />'
    return _complex(name, [element])


def _services() -> str:
    prefixes = _prefixes()
    by_document = {document.name: prefix for prefix, document in DOCUMENTS.items()}
    keys, criteria = "ekl:EntityKeyList", "qc:QueryCriteria"
    body: list[str] = []
    for service, (document, operations) in SERVICES.items():
        root = f"{by_document[document.name]}:{document.name}"
        wrappers = {
            "create": ([root], [keys]),
            "read": ([keys], [root]),
            "update": ([keys, root], []),
            "find": ([criteria], [root]),
            "findKeys": ([criteria], [keys]),
        }
        for operation in operations:
            request, response = wrappers[operation]
            body += _wrapper(f"{service}{operation[0].upper()}{operation[1:]}Request", request)
            body += _wrapper(f"{service}{operation[0].upper()}{operation[1:]}Response", response)
    return _schema(ns.SERVICES, prefixes, body)


def _prefixes() -> dict[str, str]:
    documents = {prefix: document.namespace for prefix, document in DOCUMENTS.items()}
    return {"ekl": ns.ENTITY_KEY_LIST, "qc": ns.QUERY_CRITERIA} | documents


def _wrapper(name: str, refs: list[str]) -> list[str]:
    inner = _complex("", [f'<xs:element minOccurs="0" ref="{ref}" />' for ref in refs])
    inner[0] = "<xs:complexType>"
    return [f'<xs:element name="{name}">', *(f"  {line}" for line in inner), "</xs:element>"]


def _no_namespace() -> str:
    body = [
        '<xs:element name="EntityKeyList" type="ekl:EntityKeyList" />',
        '<xs:element name="QueryCriteria" type="qc:QueryCriteria" />',
    ]
    body += [
        f'<xs:element name="Axd{document.name}" type="{prefix}:Axd{document.name}" />'
        for prefix, document in DOCUMENTS.items()
    ]
    return _schema(None, _prefixes(), body)


def _entity_key_list() -> str:
    body = ['<xs:element name="EntityKeyList" type="tns:EntityKeyList" />']
    body += _complex("EntityKeyList", ['<xs:element minOccurs="0" maxOccurs="unbounded" ref="ek:EntityKey" />'])
    return _schema(ns.ENTITY_KEY_LIST, {"ek": ns.ENTITY_KEY}, body)


def _entity_key() -> str:
    body = ['<xs:element name="EntityKey" type="tns:EntityKey" />']
    body += _complex("EntityKey", ['<xs:element name="KeyData" type="tns:KeyData" />'])
    body += _complex("KeyData", ['<xs:element maxOccurs="unbounded" name="KeyField" type="tns:KeyField" />'])
    body += _complex("KeyField", _strings("Field", "Value"))
    return _schema(ns.ENTITY_KEY, {}, body)


def _query_criteria() -> str:
    body = ['<xs:element name="QueryCriteria" type="tns:QueryCriteria" />']
    criteria = _complex("QueryCriteria", ['<xs:element name="CriteriaElement" type="tns:CriteriaElement" />'])
    # The sequence repeats, not its element: this is what makes zeep's keyword form fail (ax-aif.md section 11).
    criteria[1] = '  <xs:sequence minOccurs="1" maxOccurs="unbounded">'
    body += criteria
    operator = '<xs:element name="Operator" type="tns:Operator" />'
    names = _strings("DataSourceName", "FieldName")
    value2 = '<xs:element minOccurs="0" name="Value2" type="xs:string" />'
    body += _complex("CriteriaElement", [*names, operator, *_strings("Value1"), value2])
    operators = ("Equal", "NotEqual", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Range")
    body += _simple("Operator", "xs:string", _enumeration(operators))
    return _schema(ns.QUERY_CRITERIA, {}, body)


def _enumeration(values: Iterable[str]) -> list[str]:
    return [f'<xs:enumeration value="{value}" />' for value in values]


def _document(document: Document) -> str:
    body = [f'<xs:element name="{document.name}" type="tns:Axd{document.name}" />']
    root = [
        f'<xs:element {OPTIONAL} name="ClearNilFieldsOnUpdate" type="st:AxdEnum_boolean" />',
        f'<xs:element {OPTIONAL} name="DocPurpose" type="st:AxdEnum_XMLDocPurpose" />',
        f'<xs:element {OPTIONAL} name="SenderId" type="st:AxdExtType_DataAreaId" />',
    ]
    if document.date_effective:
        root += [
            f'<xs:element {OPTIONAL} name="ValidAsOfDateTime" type="st:AxdType_DateTime" />',
            f'<xs:element {OPTIONAL} name="ValidFromDateTime" type="st:AxdType_DateTime" />',
            f'<xs:element {OPTIONAL} name="ValidTimeStateType" type="st:AxdEnum_ValidTimeStateType" />',
            f'<xs:element {OPTIONAL} name="ValidToDateTime" type="st:AxdType_DateTime" />',
        ]
    body += _complex(f"Axd{document.name}", [*root, _child(document.top)])
    for entity in document.entities:
        body += _entity(entity)
    return _schema(document.namespace, {"st": ns.SHARED_TYPES}, body)


def _child(child: Child) -> str:
    return f'<xs:element minOccurs="0" maxOccurs="unbounded" name="{child.name}" type="tns:{child.type}" />'


def _field(field: Field) -> str:
    type_name = f"st:AxdExtType_{field.type}" if field.own_length else types.xsd_type(field.type)
    occurs = "" if field.required else f"{OPTIONAL} "
    return f'<xs:element {occurs}name="{field.name}" type="{type_name}" />'


def _entity(entity: Entity) -> list[str]:
    elements = [_field(field) for field in entity.fields] + [_child(child) for child in entity.children]
    attributes = [
        '<xs:attribute fixed="entity" name="class" use="required" />',
        '<xs:attribute name="action" type="st:AxdEnum_AxdEntityAction" />',
    ]
    if entity.date_effective:
        attributes.append('<xs:attribute name="updateMode" type="st:AxdEnum_AxdUpdateMode" />')
    if entity.base is None:
        return _complex(entity.type, elements, attributes)
    lines = _complex(entity.type, elements)  # attributes come with the base type
    middle = [f"    {line}" for line in lines[1:-1]]
    extension = f'    <xs:extension base="tns:{entity.base}">'
    return [
        lines[0],
        "  <xs:complexContent>",
        extension,
        *middle,
        "    </xs:extension>",
        "  </xs:complexContent>",
        lines[-1],
    ]


def _shared_types() -> str:
    lengths = dict(types.STRINGS)
    for document, _ in SERVICES.values():
        for entity in document.entities:
            lengths |= {field.type: field.own_length for field in entity.fields if field.own_length}
    body: list[str] = []
    for name, values in sorted(types.ENUMS.items()):
        body += _simple(f"AxdEnum_{name}", "xs:string", _enumeration(values))
    for name, length in sorted(lengths.items()):
        body += _simple(f"AxdExtType_{name}", "xs:string", _length(length))
    for name, digits in sorted(types.DECIMALS.items()):
        facets = [] if digits is None else [f'<xs:fractionDigits value="{digits}" />']
        body += _simple(f"AxdExtType_{name}", "xs:decimal", facets)
    for name, base in sorted(types.PLAIN.items()):
        body += _simple(f"AxdExtType_{name}", base)
    body += _simple("AxdType_ExtCodeValue", "xs:string", _length(50))
    body += [
        '<xs:simpleType name="AxdUnion_AxdExtType_CurrencyCode_AxdType_ExtCodeValue">',
        '  <xs:union memberTypes="tns:AxdExtType_CurrencyCode tns:AxdType_ExtCodeValue" />',
        "</xs:simpleType>",
    ]
    body += _date_time()
    body += _complex("AxdType_DimensionAttributeValue", _strings("Name", "Value"))
    value = '<xs:element maxOccurs="unbounded" name="Value" type="tns:AxdType_DimensionAttributeValue" />'
    body += _complex("AxdType_DimensionAttributeValues", [value])
    dimensions = '<xs:element name="Values" type="tns:AxdType_DimensionAttributeValues" />'
    body += _complex("AxdType_DimensionAttributeValueSet", [dimensions])
    body += _complex("AxdType_DefaultAccount", _strings("MainAccount"))
    optional = f'<xs:element {OPTIONAL} name="Values" type="tns:AxdType_DimensionAttributeValues" />'
    body += _complex("AxdType_MultiTypeAccount", [*_strings("DisplayValue", "Account"), optional])
    body += _complex("AxdType_MultiTypeDefaultAccount", _strings("Account"))
    return _schema(ns.SHARED_TYPES, {}, body)


def _length(maximum: int) -> list[str]:
    return ['<xs:minLength value="0" />', f'<xs:maxLength value="{maximum}" />']


def _date_time() -> list[str]:
    return [
        '<xs:complexType name="AxdType_DateTime">',
        "  <xs:simpleContent>",
        '    <xs:extension base="xs:dateTime">',
        '      <xs:attribute name="localDateTime" type="xs:dateTime" />',
        '      <xs:attribute name="timezone" type="xs:string" />',
        "    </xs:extension>",
        "  </xs:simpleContent>",
        "</xs:complexType>",
    ]


def _call_context() -> str:
    bag = f'<xs:element {OPTIONAL} name="PropertyBag" type="arr:ArrayOfKeyValueOfstringstring" />'
    names = _nillable_strings("Company", "Language", "LogonAsUser", "MessageId", "PartitionKey")
    body = [
        *_complex("CallContext", [*names, bag]),
        '<xs:element name="CallContext" nillable="true" type="tns:CallContext" />',
    ]
    return _schema(ns.CONTEXT, {"arr": ns.ARRAYS}, body)


def _arrays() -> str:
    pair = [f'<xs:element name="{name}" nillable="true" type="xs:string" />' for name in ("Key", "Value")]
    item = ['<xs:element minOccurs="0" maxOccurs="unbounded" name="KeyValueOfstringstring">']
    inner = _complex("", pair)
    inner[0] = "<xs:complexType>"
    item += [f"  {line}" for line in inner] + ["</xs:element>"]
    body = _complex("ArrayOfKeyValueOfstringstring", item)
    body.append(
        '<xs:element name="ArrayOfKeyValueOfstringstring" nillable="true" type="tns:ArrayOfKeyValueOfstringstring" />'
    )
    return _schema(ns.ARRAYS, {}, body)


def _fault() -> str:
    body = ['<xs:element name="AifFault" nillable="true" type="tns:AifFault" />']
    lists = f'<xs:element {OPTIONAL} name="FaultMessageListArray" type="tns:ArrayOfFaultMessageList" />'
    infolog = f'<xs:element {OPTIONAL} name="InfologMessageList" type="inf:ArrayOfInfologMessage" />'
    xpp = '<xs:element minOccurs="0" name="XppExceptionType" type="xs:int" />'
    body += _complex(
        "AifFault",
        [*_nillable_strings("CustomDetailXml"), lists, infolog, *_nillable_strings("StackTrace"), xpp],
    )
    body += _array("ArrayOfFaultMessageList", "FaultMessageList", "tns:FaultMessageList")
    messages = f'<xs:element {OPTIONAL} name="FaultMessageArray" type="tns:ArrayOfFaultMessage" />'
    where = ("Field", "Service", "ServiceOperation", "ServiceOperationParameter", "XPath", "XmlLine", "XmlPosition")
    body += _complex(
        "FaultMessageList",
        [*_nillable_strings("Document", "DocumentOperation"), messages, *_nillable_strings(*where)],
    )
    body += _array("ArrayOfFaultMessage", "FaultMessage", "tns:FaultMessage")
    body += _complex("FaultMessage", _nillable_strings("Code", "Message"))
    return _schema(ns.FAULT, {"inf": ns.INFOLOG}, body)


def _infolog() -> str:
    body = _array("ArrayOfInfologMessage", "InfologMessage", "tns:InfologMessage")
    body.append('<xs:element name="ArrayOfInfologMessage" nillable="true" type="tns:ArrayOfInfologMessage" />')
    kind = '<xs:element minOccurs="0" name="InfologMessageType" type="tns:InfologMessageType" />'
    body += _complex("InfologMessage", [kind, *_nillable_strings("Message")])
    body += _simple("InfologMessageType", "xs:string", _enumeration(("Info", "Warning", "Error")))
    return _schema(ns.INFOLOG, {}, body)


TARGETS: tuple[tuple[str | None, Callable[[], str]], ...] = (
    (ns.SERVICES, _services),
    (None, _no_namespace),
    (ns.ENTITY_KEY_LIST, _entity_key_list),
    (ns.ENTITY_KEY, _entity_key),
    (ns.QUERY_CRITERIA, _query_criteria),
    (DOCUMENTS["cust"].namespace, lambda: _document(DOCUMENTS["cust"])),
    (DOCUMENTS["fti"].namespace, lambda: _document(DOCUMENTS["fti"])),
    (ns.SHARED_TYPES, _shared_types),
    (ns.CONTEXT, _call_context),
    (ns.ARRAYS, _arrays),
    (ns.FAULT, _fault),
    (ns.INFOLOG, _infolog),
    *(
        (document.namespace, partial(_document, document))
        for prefix, document in DOCUMENTS.items()
        if prefix not in ("cust", "fti")
    ),
)
"""Namespace and renderer of each part; the index is the part's number."""
