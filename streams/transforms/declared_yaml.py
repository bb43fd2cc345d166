"""Reads declarations: YAML without its surprises, merged with the operator's own values.

`no` and `2026-06-29` stay texts (a country table must hold Norway), numbers with a point are Decimal, a key that
stands twice is an error, and there is no way to name a Python type.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from decimal import Decimal
from typing import Any

import yaml

from schemas.failures import FatalError
from streams.transforms.expressions.errors import suggestion


class DeclarationError(FatalError):
    """A flow, mapping or settings file that does not hold. Its message names file, key and remedy, a line each."""

    def __init__(self, message: str) -> None:
        super().__init__("declaration_invalid", message)


class _Loader(yaml.CSafeLoader):
    """Safe loader with a smaller set of implicit types."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^-?[0-9]+\.[0-9]+$"), list("-0123456789"))


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(loader.construct_scalar(node))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for place, key in enumerate(keys):
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is no text: quote it", node.start_mark)
        if key in keys[:place]:
            raise yaml.constructor.ConstructorError(None, None, f"key {key} stands twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(file: str, text: str) -> dict[str, Any]:
    """The mapping that `text` declares. Raises DeclarationError naming `file`, line and problem."""
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 - a subclass of CSafeLoader
    except yaml.YAMLError as reason:
        raise DeclarationError(f"{file}: no readable YAML: {_one_line(reason)}; correct the line") from reason
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DeclarationError(f"{file}: a mapping of keys is expected at the top, write `key: value` lines")
    return value


def _one_line(reason: yaml.YAMLError) -> str:
    return " ".join(str(reason).split())


def merge(base: Mapping[str, Any], over: Mapping[str, Any], *, file: str, at: str, open_keys: bool) -> dict[str, Any]:
    """`base` with the values of `over` in their places, mappings merged, everything else replaced.

    A null removes a key of an open mapping. With `open_keys` false a key that `base` does not have is an error, which
    names `file` and the key below `at`.
    """
    merged = dict(base)
    for key, value in over.items():
        place = f"{at}.{key}"
        if key not in base and not open_keys:
            raise DeclarationError(f"{file}: {place}: unknown key; {suggestion(key, base)}")
        present = base.get(key)
        if isinstance(present, Mapping):
            if not isinstance(value, Mapping):
                raise DeclarationError(f"{file}: {place}: keys are expected here; write them below it, indented")
            # Mappings below the first level are tables (account → company): their rows are free.
            merged[key] = merge(present, value, file=file, at=place, open_keys=True)
        elif value is None and open_keys:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged
