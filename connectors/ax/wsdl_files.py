"""The port's WSDL and XSD from files: `…?wsdl=wsdl1` is `wsdl1.wsdl`, whatever host the files name. No network ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lxml import etree

from schemas.failures import FatalError

FOLDER = Path(__file__).parent / "wsdl"
ROOT = "http://ax.invalid/xppservice.svc?wsdl"


def local_file(folder: Path, url: str) -> Path:
    """The file in `folder` that stands for `url`.

    Raises: FatalError when there is none: a WSDL that names a document outside its port is not the one we know.
    """
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    for kind in ("wsdl", "xsd"):
        if kind in query:
            path = folder / (f"{query[kind]}.{kind}" if query[kind] else "xppservice.wsdl")
            if path.parent == folder and path.is_file():
                return path
    raise FatalError("aif_contract_broken", f"reading the port's contract: {url} is not in {folder}; copy it there")


class LocalResolver(etree.Resolver):
    """Gives lxml the file for an imported schema."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def resolve(self, system_url: str, _public_id: str, context: Any) -> Any:  # type: ignore[override]
        """Called by lxml for each import."""
        content = local_file(self._folder, system_url).read_bytes()
        return self.resolve_string(content, context, base_url=system_url)
