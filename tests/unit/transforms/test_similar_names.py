"""The last way to find a customer: names that are alike. One alone is linked, several are a question for a person."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures import AmbiguousError
from streams.transforms.decisions import Ready
from streams.transforms.flow import Flow
from streams.transforms.matching import alike, comparable_name
from streams.transforms.release import compile_flows

SIMILAR = "      similar: {value: client.organization, match_from: 95, ask_from: 85}\n"


@pytest.fixture(scope="session")
def flow(declared_files: dict[str, str]) -> Flow:
    text = declared_files["clients-to-ax.yaml"].replace("  - match:\n", f"  - match:\n{SIMILAR}", 1)
    return compile_flows({**declared_files, "clients-to-ax.yaml": text})["clients-to-ax"]


def named(build: Any, *names: str) -> Any:
    return build.lookups([build.customer(account_number=f"C-{place}", name=name) for place, name in enumerate(names)])


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("Käfer, Blumen - GmbH", ["Blumen Kafer GmbH"]),
        ("blumen KÄFER gmbh.", ["Blumen Kafer GmbH", "Something Else Ltd"]),
        ("Kaefer Blumen, GmbH", ["Blumen Kaefer GmbH", "Blumen GmbH"]),
    ],
)
def test_a_name_that_is_alike_alone_is_linked(flow: Flow, build: Any, asked: str, known: list[str]) -> None:
    decision = flow.decide(build.client(organization=asked), named(build, *known), build.now)

    assert isinstance(decision, Ready)
    assert [(link.ax_id, link.linked_by) for link in decision.links] == [("C-0", "similar_name")]


@pytest.mark.parametrize(
    "names",
    [
        # Two above the threshold; one above with another near; one alone that is only near.
        ("Müller Maschinenbau AG", "Muller Maschinenbau AG."),
        ("Müller Maschinenbau AG", "Möller Maschinenbau AG"),
        ("Müller Maschinen AG",),
    ],
)
def test_several_or_near_ones_are_a_question_with_candidates(flow: Flow, build: Any, names: tuple[str, ...]) -> None:
    with pytest.raises(AmbiguousError) as caught:
        flow.decide(build.client(organization="Maschinenbau Müller, AG"), named(build, *names), build.now)

    reason = caught.value
    assert (reason.code, reason.failure_class) == ("ambiguous_customer", "ambiguous")
    assert len(reason.candidates) == len(names)
    assert all(candidate.startswith("C-") for candidate in reason.candidates)
    assert "link one of them by hand" in reason.message


def test_nothing_alike_is_created(flow: Flow, build: Any) -> None:
    decision = flow.decide(build.client(organization="Zeta Ltd"), named(build, "Blumen GmbH"), build.now)

    assert decision.ax_commands
    assert not decision.links


def test_a_deleted_customer_or_one_of_another_company_is_not_alike(flow: Flow, build: Any) -> None:
    lookups = build.lookups(
        [build.customer(name="Zeta Ltd.", deleted=True), build.customer(name="Zeta Ltd.", company="demf")]
    )

    assert flow.decide(build.client(organization="Zeta, Ltd"), lookups, build.now).ax_commands


def test_an_exact_key_decides_before_names(flow: Flow, build: Any) -> None:
    lookups = build.lookups(
        [
            build.customer(account_number="C-7", vat_number="DE1", name="Quite Another AG"),
            build.customer(account_number="C-8", name="Zeta Ltd."),
        ]
    )

    decision = flow.decide(build.client(organization="Zeta, Ltd", vat_number="DE1"), lookups, build.now)

    assert [(link.ax_id, link.linked_by) for link in decision.links] == [("C-7", "vat_number")]


def test_the_thresholds_are_in_order(declared_files: dict[str, str]) -> None:
    text = declared_files["clients-to-ax.yaml"].replace("  - match:\n", f"  - match:\n{SIMILAR}".replace("85", "96"), 1)

    with pytest.raises(Exception, match="ask_from is at most match_from"):
        compile_flows({**declared_files, "clients-to-ax.yaml": text})


@given(name=st.text(max_size=40))
def test_any_name_is_like_itself_and_comparing_is_stable(name: str, build: Any) -> None:
    row = build.customer(name=name)

    assert comparable_name(comparable_name(name)) == comparable_name(name)
    found = alike(name, [row], 85)
    assert found == ([(100.0, row)] if comparable_name(name) else [])
