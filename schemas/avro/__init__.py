"""Avro schemas: one folder per subject, `v<n>.avsc` per published version (never edited) with an example.

The newest version in a folder is the writer schema of this release.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def latest_version(name: str) -> int:
    """Number of the newest version of schema `name`. Raises KeyError for an unknown name."""
    folder = resources.files(__package__) / name
    if not folder.is_dir():
        raise KeyError(name)
    return max(int(f.name[1:-5]) for f in folder.iterdir() if f.name.endswith(".avsc"))


@cache
def text(name: str, version: int | None = None) -> str:
    """The schema as it is registered: canonical JSON text of `v<version>.avsc`, newest by default."""
    return json.dumps(load(name, version), separators=(",", ":"), ensure_ascii=False)


def load(name: str, version: int | None = None) -> dict[str, Any]:
    """The schema as a dict."""
    return _read(name, f"v{version or latest_version(name)}.avsc")


def example(name: str, version: int | None = None) -> dict[str, Any]:
    """The example of a version, in JSON's types (decimals and instants as text)."""
    return _read(name, f"v{version or latest_version(name)}.example.json")


def _read(name: str, file: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((resources.files(__package__) / name / file).read_text("utf-8"))
    return value
