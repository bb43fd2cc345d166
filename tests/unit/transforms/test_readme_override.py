"""The README's promise: another account for a category is one line of the operator's file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from streams.transforms.examples import decided, example_of
from streams.transforms.release import compile_flows

ROOT = Path(__file__).parents[3]
EXAMPLES = Path(__file__).parent / "golden" / "expenses-to-ax"


def test_the_line_of_the_readme_moves_a_category_to_another_account(declared_files: dict[str, str]) -> None:
    (line,) = re.findall(r"```yaml\n(all: .*)\n```", (ROOT / "README.md").read_text())
    base = json.loads((EXAMPLES / "base.json").read_text())
    travel: dict[str, Any] = {"record": {"category_id": 4401}}

    def account(overrides: tuple[str, str] | None) -> str:
        flow = compile_flows(declared_files, overrides)["expenses-to-ax"]
        _, outcome = decided(flow, example_of(flow, travel, base))
        return str(outcome["ax_commands"][0]["document"]["lines"][0]["account"])

    assert (account(None), account(("own.yaml", line))) == ("606300", "606400")
