"""The declared flows, mappings and tables, and the one function that reads them from disk."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from streams.transforms.declared_yaml import DeclarationError
from streams.transforms.flow import Flows
from streams.transforms.release import compile_flows


def load_flows(directory: Path | None = None, overrides: Path | None = None) -> Flows:
    """Read and compile all `*.yaml` of `directory` (None: the flows of this release), with the operator's `overrides`.

    Raises DeclarationError naming file, key and remedy of every problem, also when a file cannot be read.
    """
    files = flow_files(directory)
    try:
        own = None if overrides is None else (overrides.name, overrides.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as reason:
        raise _unreadable(reason) from reason
    return compile_flows(files, own)


def flow_files(directory: Path | None = None) -> dict[str, str]:
    """Name and text of all `*.yaml` of `directory` (None: those of this release). Raises DeclarationError."""
    folder = resources.files(__package__) if directory is None else directory
    try:
        files = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".yaml")}
    except (OSError, UnicodeDecodeError) as reason:
        raise _unreadable(reason) from reason
    if not files:
        raise DeclarationError(f"reading the flows: no *.yaml in {folder}; name the folder of the flow files")
    return files


def _unreadable(reason: Exception) -> DeclarationError:
    return DeclarationError(f"reading the flows: {reason}; name a folder of readable UTF-8 files")
