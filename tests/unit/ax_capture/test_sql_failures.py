"""The engine's number decides what a SQL Server error means, whatever driver, class and text it comes with."""

import pyodbc
import pytest

from connectors.ax.sql_failures import (
    BY_NUMBER,
    BY_STATE,
    LINK_NUMBERS,
    LINK_STATES,
    UNKNOWN,
    engine_number,
    failure_of,
    verdict_of,
)
from schemas.failures import FatalError, PoisonError, RetryableError

# Reference on SQL Server CDC, section 14.
RETRYABLE = {
    1205, 1222, 3960, 40197, 40501, 40613, 49918, 49919, 49920, 10928, 10929, 4060, 64, 233, 4221, 10053, 10054, 10060,
    701, 802, 8645, 8651, 601, 617, 669, 921, 983, 1204,
}  # fmt: skip
# Numbers of FreeTDS itself, for a connection that broke.
FREETDS_OWN = {20004, 20006, 20017, 20047}
FATAL = {18456, 18452, 18486, 18487, 18488, 229, 230, 262, 297, 300, 916, 313, 208, 207, 22962, 3951, 3952}
POISON = {2627, 2601, 515, 547, 8115, 2628, 8152, 245, 8134}


def microsoft(number: int, state: str = "42000", kind=pyodbc.ProgrammingError) -> pyodbc.Error:
    text = f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]words ({number}) (SQLExecDirectW)"
    return kind(state, text)


def freetds(number: int, state: str = "42000", kind=pyodbc.ProgrammingError) -> pyodbc.Error:
    return kind(state, f"[{state}] [FreeTDS][SQL Server]words ({number}) (SQLExecDirectW)")


def test_the_table_holds_exactly_the_numbers_of_the_reference():
    kinds = {number: verdict.failure for number, verdict in BY_NUMBER.items()}
    expected = (
        dict.fromkeys(RETRYABLE | FREETDS_OWN, RetryableError)
        | dict.fromkeys(FATAL, FatalError)
        | dict.fromkeys(POISON, PoisonError)
    )
    assert kinds == expected


@pytest.mark.parametrize("number", sorted(BY_NUMBER))
def test_a_number_means_the_same_from_both_drivers_and_in_any_class(number):
    for error in (
        microsoft(number),
        microsoft(number, "40001", pyodbc.Error),
        microsoft(number, "23000", pyodbc.IntegrityError),
        freetds(number),
        freetds(number, "HY000", pyodbc.Error),
    ):
        driver = "freetds" if "FreeTDS" in error.args[1] else "microsoft"
        assert verdict_of(error, driver) is BY_NUMBER[number]


def test_words_in_the_text_decide_nothing():
    error = pyodbc.ProgrammingError("42000", "[42000] deadlock victim, login failed, timeout (50123) (SQLExecDirectW)")
    assert verdict_of(error, "microsoft") is UNKNOWN
    assert UNKNOWN.failure is FatalError


def test_a_number_inside_the_engines_text_is_not_taken_for_its_own():
    error = pyodbc.ProgrammingError("42000", "[42000] Invalid object name 'x (1205)'. (208) (SQLExecDirectW)")
    assert engine_number(error) == 208


def test_of_several_diagnostics_the_first_that_means_something_decides():
    text = "[42000] Cannot open database (4060) (SQLDriverConnect); [42000] Login failed (18456) (SQLDriverConnect)"
    assert engine_number(pyodbc.ProgrammingError("42000", text)) == 4060


@pytest.mark.parametrize(
    ("driver", "state", "connecting", "kind", "code"),
    [
        ("microsoft", "08S01", False, RetryableError, "sql_connection_lost"),
        ("microsoft", "HYT00", False, RetryableError, "sql_timeout"),
        ("microsoft", "HYT00", True, RetryableError, "sql_unreachable"),
        ("microsoft", "08001", True, FatalError, "sql_certificate_untrusted"),
        ("microsoft", "01000", True, FatalError, "sql_driver_missing"),
        ("freetds", "01000", False, RetryableError, "sql_connection_lost"),
        ("freetds", "01000", True, FatalError, "sql_driver_missing"),
        ("freetds", "08S01", True, RetryableError, "sql_unreachable"),
        ("freetds", "08001", True, RetryableError, "sql_no_handshake"),
        ("freetds", "HY099", False, FatalError, "sql_unknown_error"),
        ("freetds", "HY000", False, RetryableError, "sql_connection_unclear"),
        ("microsoft", "HY000", False, FatalError, "sql_unknown_error"),
    ],
)
def test_without_a_number_the_state_decides(driver, state, connecting, kind, code):
    error = pyodbc.Error(state, f"[{state}] words (0) (SQLDriverConnect)")
    failure = failure_of(error, "connecting", driver, connecting=connecting)
    assert (type(failure), failure.code) == (kind, code)


def test_an_unknown_number_is_not_excused_by_a_known_state():
    assert verdict_of(microsoft(50123, "08S01"), "microsoft") is UNKNOWN


def test_an_unknown_error_of_the_engine_is_not_taken_for_a_lost_connection():
    assert verdict_of(freetds(50123, "HY000", pyodbc.Error), "freetds") is UNKNOWN
    assert verdict_of(freetds(9002, "HY000", pyodbc.Error), "freetds") is UNKNOWN


@pytest.mark.parametrize("number", sorted(LINK_NUMBERS))
@pytest.mark.parametrize("state", LINK_STATES)
def test_a_number_of_the_network_counts_only_beside_a_state_of_the_network(number, state):
    """Measured: a reset connection is 08S01 (104) on Linux; 104 with 42000 is a mistake in a query."""
    broken = microsoft(number, state, pyodbc.OperationalError)
    assert verdict_of(broken, "microsoft").failure is RetryableError
    assert verdict_of(broken, "microsoft", connecting=True).failure is RetryableError
    assert verdict_of(microsoft(number), "microsoft") is UNKNOWN


def test_an_untrusted_certificate_is_still_not_retried():
    error = pyodbc.OperationalError(
        "08001", "[08001] SSL Provider: [certificate verify failed] (-1) (SQLDriverConnect)"
    )
    assert verdict_of(error, "microsoft", connecting=True).code == "sql_certificate_untrusted"


def test_a_message_has_action_number_and_remedy_and_no_data():
    error = microsoft(2627)
    error.args = (error.args[0], error.args[1].replace("words", "duplicate key (Secret GmbH)"))
    failure = failure_of(error, "reading CUSTTABLE", "microsoft")
    assert str(failure).startswith("sql_constraint: reading CUSTTABLE: SQL Server error 2627; ")
    assert "Secret" not in str(failure)


def test_every_state_and_number_has_a_remedy():
    verdicts = [*BY_NUMBER.values(), *(v for states in BY_STATE.values() for v in states.values()), UNKNOWN]
    assert all(verdict.remedy and verdict.code for verdict in verdicts)
