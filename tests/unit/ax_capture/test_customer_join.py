"""The join of customers and parties: level-triggered, so the way to a state does not matter."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.customer_join import (
    JoinState,
    Outcome,
    Waiting,
    accounts_of_party,
    customer_of,
    deletion_of,
    row_id_of,
    same_content,
    take_customer,
    take_party,
)
from schemas.positions import Lsn, Position

P = 5637144576
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def at(number: int, operation: int = 2) -> Position:
    return Position(Lsn(number.to_bytes(10, "big")), 1, Lsn.ZERO, operation)


def customer(account: str, party: int, **changed) -> dict:
    row = dict.fromkeys(("CUSTGROUP", "CURRENCY", "PAYMTERMID", "TAXGROUP", "VATNUM", "OURACCOUNTNUM"), "")
    return row | {"DATAAREAID": "USMF", "ACCOUNTNUM": account, "PARTITION": P, "PARTY": party, "BLOCKED": 0} | changed


def party(name: str) -> dict:
    return {"NAME": name, "NAMEALIAS": name[:20], "LANGUAGEID": "de"}


def envelope(number: int, before: dict | None = None, after: dict | None = None) -> dict:
    return {"before": before, "after": after, "source": {"ts_ms": number * 1000}}


class Join:
    def __init__(self) -> None:
        self.state = JoinState()
        self.touched: set[str] = set()

    def customer(self, number: int, rec_id: int, after: dict | None, before: dict | None = None) -> Outcome:
        value = envelope(number, before, after)
        return take_customer(self.state, (P, rec_id), at(number), value, self.touched)

    def party(self, number: int, rec_id: int, name: str | None) -> Outcome:
        value = envelope(number, None, None if name is None else party(name))
        return take_party(self.state, (P, rec_id), at(number), value, self.touched)

    def __getitem__(self, account: str):
        return customer_of(self.state, f"usmf:customer:{account}")


def test_a_customer_is_joined_with_its_party_in_its_partition():
    join = Join()
    join.party(1, 7, "Contoso")
    join.customer(2, 1, customer("C-1", 7, VATNUM="DE1"))
    row = join["C-1"]
    assert (row.company, row.account_number, row.name, row.vat_number) == ("usmf", "C-1", "Contoso", "DE1")
    assert (row.rec_id, row.party_rec_id, row.language) == (1, 7, "de")
    assert (row.version, row.changed_at.timestamp()) == (str(at(2)), 2)
    elsewhere = Join()
    elsewhere.party(1, 7, "Contoso")
    elsewhere.customer(2, 1, customer("C-1", 7, PARTITION=P + 1))
    assert elsewhere["C-1"] is Waiting.FOR_PARTY


def test_a_rename_touches_the_account_and_dates_the_row():
    join = Join()
    join.party(1, 7, "Contoso")
    join.customer(2, 1, customer("C-1", 7))
    join.touched.clear()
    join.party(5, 7, "Contoso AG")
    assert join.touched == {"usmf:customer:C-1"}
    assert (join["C-1"].name, join["C-1"].version) == ("Contoso AG", str(at(5)))
    assert accounts_of_party(join.state, (P, 7)) == {"usmf:customer:C-1"}


def test_a_customer_without_its_party_waits_and_one_without_a_row_is_nothing():
    join = Join()
    join.customer(1, 1, customer("C-1", 7))
    assert join["C-1"] is Waiting.FOR_PARTY
    assert join["C-2"] is None
    join.party(2, 7, "Late")
    assert join["C-1"].name == "Late"


def test_an_account_that_is_renamed_leaves_its_old_key():
    join = Join()
    join.party(1, 7, "Contoso")
    join.customer(2, 1, customer("C-1", 7))
    join.touched.clear()
    join.customer(3, 1, customer("C-2", 7), before=customer("C-1", 7))
    assert join.touched == {"usmf:customer:C-1", "usmf:customer:C-2"}
    assert join["C-1"] is None
    assert join["C-2"].name == "Contoso"


def test_an_account_made_anew_counts_by_its_newest_row():
    join = Join()
    join.party(1, 7, "Old")
    join.party(1, 8, "New")
    join.customer(2, 1, customer("C-1", 7))
    join.customer(5, 2, customer("C-1", 8))
    assert join["C-1"].name == "New"
    join.customer(4, 1, None, before=customer("C-1", 7))
    assert (join["C-1"].name, join["C-1"].rec_id) == ("New", 2)


def test_a_deletion_is_told_in_the_last_known_shape():
    join = Join()
    join.party(1, 7, "Contoso")
    join.customer(2, 1, customer("C-1", 7))
    held = join["C-1"]
    join.customer(6, 1, None, before=customer("C-1", 7))
    assert join["C-1"] is None
    for known in (held, None):
        gone = deletion_of(join.state, "usmf:customer:C-1", known, NOW)
        assert (gone.deleted, gone.name, gone.version, gone.changed_at.timestamp()) == (True, "Contoso", str(at(6)), 6)


def test_a_delete_that_outlived_its_row_in_compaction_still_names_the_account():
    join = Join()
    join.customer(6, 1, None, before=customer("C-1", 7))
    assert join.touched == {"usmf:customer:C-1"}
    gone = deletion_of(join.state, "usmf:customer:C-1", None, NOW)
    assert (gone.deleted, gone.account_number, gone.name) == (True, "C-1", "")


def test_a_row_that_nothing_speaks_of_any_more_is_dated_now():
    join = Join()
    join.party(1, 7, "Ghost")
    join.customer(2, 1, customer("C-1", 7))
    gone = deletion_of(JoinState(), "usmf:customer:C-1", join["C-1"], NOW)
    assert (gone.deleted, gone.changed_at, gone.name) == (True, NOW, "Ghost")
    assert deletion_of(JoinState(), "usmf:customer:C-1", None, NOW) is None


def test_a_position_that_was_passed_is_dropped_and_a_tombstone_is_not():
    join = Join()
    join.party(1, 7, "Contoso")
    join.customer(5, 1, customer("C-1", 7))
    assert join.customer(4, 1, customer("C-0", 7)) is Outcome.REPEATED
    assert join.customer(5, 1, customer("C-0", 7)) is Outcome.REPEATED
    assert join["C-0"] is None
    assert take_customer(join.state, (P, 1), at(5), None, join.touched) is Outcome.TAKEN
    assert join["C-1"] is None


def test_only_content_counts_as_a_difference():
    join = Join()
    join.party(1, 7, "Contoso")
    join.customer(2, 1, customer("C-1", 7))
    before = join["C-1"]
    join.customer(3, 1, customer("C-1", 7, DLVMODE="air"))
    assert same_content(before, join["C-1"])
    join.customer(4, 1, customer("C-1", 7, BLOCKED=2))
    assert not same_content(before, join["C-1"])
    assert same_content(None, None)
    assert not same_content(None, before)


@pytest.mark.parametrize("key", [b"", b"1", b"a:b", "1:ü".encode()])
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(ValueError):
        row_id_of(key)


def test_a_key_gives_partition_and_recid():
    assert row_id_of(b"5637144576:12") == (5637144576, 12)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("customer"), st.integers(1, 3), st.sampled_from(["A", "B", "C"]), st.integers(7, 8)),
        st.tuples(st.just("gone"), st.integers(1, 3)),
        st.tuples(st.just("party"), st.integers(7, 8), st.sampled_from(["one", "two"])),
    ),
    max_size=25,
)


def histories(given_steps) -> tuple[list, list]:
    """The two feeds that these steps lead to, each in its own order."""
    alive: dict[int, dict] = {}
    customers, parties = [], []
    for number, step in enumerate(given_steps, 1):
        if step[0] == "party":
            parties.append((number, step[1], step[2]))
        elif step[0] == "customer":
            row = customer(step[2], step[3])
            customers.append((number, step[1], row, alive.get(step[1])))
            alive[step[1]] = row
        elif step[1] in alive:
            customers.append((number, step[1], None, alive.pop(step[1])))
    return customers, parties


def result(join: Join) -> dict:
    return {account: join[account] for account in "ABC"}


@given(steps, st.data())
def test_any_order_of_the_feeds_and_any_repetition_leads_to_the_same_customers(given_steps, data):
    customers, parties = histories(given_steps)
    straight = Join()
    for one in customers:
        straight.customer(*one)
    for one in parties:
        straight.party(*one)
    mixed = Join()
    waiting_customers, waiting_parties = list(customers), list(parties)
    while waiting_customers or waiting_parties:
        if waiting_customers and (not waiting_parties or data.draw(st.booleans())):
            one = waiting_customers.pop(0)
            mixed.customer(*one)
            if data.draw(st.booleans()):
                assert mixed.customer(*one) is Outcome.REPEATED
        else:
            mixed.party(*waiting_parties.pop(0))
    assert result(mixed) == result(straight)


@given(steps)
def test_what_is_touched_is_all_that_changes(given_steps):
    customers, parties = histories(given_steps)
    join = Join()
    for kind, one in sorted([("c", c) for c in customers] + [("p", p) for p in parties], key=lambda pair: pair[1][0]):
        before = result(join)
        join.touched.clear()
        join.customer(*one) if kind == "c" else join.party(*one)
        changed = {f"usmf:customer:{account}" for account, row in result(join).items() if row != before[account]}
        assert changed <= join.touched
