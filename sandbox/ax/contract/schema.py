"""The port's XSD as lxml schema, built from the generated parts without touching a network or a file."""

from lxml import etree

from sandbox.ax.contract import namespaces, xsd


class _Parts(etree.Resolver):
    """Resolves the parts' absolute addresses to their text."""

    def __init__(self, parts: dict[str, str]) -> None:
        super().__init__()
        self._parts = parts

    def resolve(self, system_url: str, public_id: str, context: object) -> object:  # type: ignore[override]  # noqa: ARG002 - lxml passes three
        name = system_url.rpartition("=")[2]
        return self.resolve_string(self._parts[name].encode(), context, base_url=system_url)


def load_schema() -> etree.XMLSchema:
    """Return one schema that knows every namespace of the port (payload wrappers, documents, call context, faults)."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(_Parts(xsd.parts()))
    imports = "".join(xsd.import_of(namespace) for namespace, _ in xsd.TARGETS)
    driver = f'<xs:schema xmlns:xs="{xsd.XS}" targetNamespace="{namespaces.SERVICES}/Imports">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(driver, parser))
