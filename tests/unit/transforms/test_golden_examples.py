"""Records, the master data around them and what a flow makes of them, written by hand (golden/<flow>/*.json)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.flow_commands import compare

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = sorted(GOLDEN.glob("*/*.in.json"))


@pytest.mark.parametrize("given", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.name.removesuffix('.in.json')}")
def test_a_record_gives_the_outcome_written_beside_it(flows: Any, given: Path) -> None:
    assert compare(flows[given.parent.name], given) == []


def test_every_example_has_its_outcome_and_every_outcome_its_example() -> None:
    outcomes = {path.with_name(path.name.replace(".out.", ".in.")) for path in GOLDEN.glob("*/*.out.json")}

    assert outcomes == set(EXAMPLES)
    assert len(EXAMPLES) >= 150
