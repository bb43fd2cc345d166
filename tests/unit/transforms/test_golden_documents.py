"""FreshBooks records and the AX documents that they become, written by hand (golden/*/*.yaml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from streams import flows as declared
from streams.transforms.decisions import Ready
from streams.transforms.flow import Flow
from streams.transforms.release import compile_flows

GOLDEN = Path(__file__).parent / "golden"


def cases(kind: str) -> list[Any]:
    return [pytest.param(yaml.safe_load(file.read_text()), id=file.stem) for file in sorted((GOLDEN / kind).iterdir())]


def with_overrides(flows: Any, name: str, overrides: dict[str, Any] | None) -> Flow:
    if overrides is None:
        return flows[name]
    folder = Path(declared.__file__).parent
    texts = {file.name: file.read_text() for file in folder.glob("*.yaml")}
    return compile_flows(texts, ("overrides.yaml", yaml.safe_dump({name: overrides})))[name]


@pytest.mark.parametrize("case", cases("invoices"))
def test_an_invoice_becomes_the_free_text_invoice(case: dict[str, Any], flows: Any, build: Any, plain: Any) -> None:
    flow = with_overrides(flows, "invoices-to-ax", case.get("overrides"))

    decision = flow.decide(build.invoice(**case["record"]), build.linked(), build.now)

    assert isinstance(decision, Ready)
    document = plain(decision.ax_commands[0].invoice)
    document["lines"] = [{k: v for k, v in line.items() if v not in (None, {})} for line in document["lines"]]
    assert document == case["document"]
    assert [[loss.field, loss.kind] for loss in decision.losses] == case.get("losses", [])


@pytest.mark.parametrize("case", cases("clients"))
def test_a_client_becomes_the_customer(case: dict[str, Any], flows: Any, build: Any, plain: Any) -> None:
    decision = flows["clients-to-ax"].decide(build.client(**case["record"]), build.lookups(), build.now)

    assert isinstance(decision, Ready)
    assert plain(decision.ax_commands[0].customer) == case["document"]
    assert [[loss.field, loss.kind] for loss in decision.losses] == case.get("losses", [])
