"""The settings as a Markdown page, made from the classes that check them: the page cannot say anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streams.runtime.settings import PREFIX, Settings

_HEAD = """# Settings

Every setting is an environment variable; a secret can also be given as a file by adding `_FILE` to its name. The same
sections and fields may stand in a YAML file named by `FRESHAX_CONFIG`; the environment wins. Unknown names are refused.
`freshax config show` prints what is in force, secrets masked. This page is printed by `freshax config reference`.
"""
_COLUMNS = "| variable | default | meaning |\n| --- | --- | --- |\n"


def settings_reference() -> str:
    """The whole page."""
    parts = [_HEAD]
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if model is None:
            continue
        about = (model.__doc__ or "").strip()
        parts.append(f"\n## {section}\n\n{about}\n\n{_COLUMNS}")
        parts += [_row(section, name, info) for name, info in model.model_fields.items()]
    return "".join(parts)


def _row(section: str, name: str, info: FieldInfo) -> str:
    variable = f"`{PREFIX}{section.upper()}__{name.upper()}`"
    return f"| {variable} | {_shown(info.default)} | {info.description} |\n"


def _shown(default: Any) -> str:
    if isinstance(default, SecretStr):
        return "secret"
    if default is None or default == "":
        return "not set"
    if isinstance(default, tuple):
        return f"`{json.dumps(default)}`"
    return f"`{default.as_posix() if isinstance(default, Path) else default}`"
