"""The published files: where they lie, and how one is served.

`wsdl/xppservice.wsdl` is `?wsdl`, `wsdl/wsdl1.wsdl` is `?wsdl=wsdl1`, `wsdl/xsd5.xsd` is `?xsd=xsd5`.
"""

from pathlib import Path

from sandbox.ax.contract import namespaces, wsdl, xsd

FOLDER = Path(__file__).resolve().parent.parent / "wsdl"


def render() -> dict[str, str]:
    """Return every file's name and text as the tables give them."""
    named = {("xppservice.wsdl" if part == "wsdl" else f"{part}.wsdl"): text for part, text in wsdl.parts().items()}
    return named | {f"{part}.xsd": text for part, text in xsd.parts().items()}


def published(kind: str, part: str, address: str) -> bytes | None:
    """Return the file for `?<kind>=<part>`, or None when there is none.

    `kind` is `wsdl` or `xsd`, `part` is "" for the root WSDL.
    `address` is the server's own absolute URL; it takes the placeholder's place everywhere.
    """
    name = "xppservice.wsdl" if (kind, part) == ("wsdl", "") else f"{part}.{kind}"
    path = FOLDER / name
    if path.parent != FOLDER or not path.is_file():
        return None
    return path.read_text(encoding="utf-8").replace(namespaces.PLACEHOLDER, address).encode()
