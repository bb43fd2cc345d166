"""Which MessageId a create carries after which end."""

import pytest

from connectors.ax.aif_failures import CONFLICT, DUPLICATE, EXISTS, UNCLEAR, UnclearOutcomeError
from connectors.ax.message_ids import MessageIds, MessageKey
from schemas.failures import PoisonError, RetryableError

KEY = MessageKey("usmf", "FreeTextInvoiceService", "FB:Zy:7:1:aa")
DEFINITE = [PoisonError("ax_refused", "no"), RetryableError(EXISTS, "there"), RetryableError(CONFLICT, "conflict")]
DUPLICATED = RetryableError(DUPLICATE, "seen")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ids(clock):
    return MessageIds("https://ax", under_way_seconds=70, clock=clock)


def unclear(*, lost=False, ended=False):
    failure = UnclearOutcomeError(UNCLEAR, "?")
    failure.lost, failure.ended = lost, ended
    return failure


def test_is_the_same_on_every_machine_and_after_every_restart(clock):
    first, second = (MessageIds("https://ax", under_way_seconds=70, clock=clock).current(KEY) for _ in range(2))
    assert first == second
    assert first.version == 5


def test_differs_by_environment_company_service_and_business_key(ids, clock):
    others = [
        MessageIds("https://test", under_way_seconds=70, clock=clock).current(KEY),
        ids.current(MessageKey("demf", KEY.service, KEY.business_key)),
        ids.current(MessageKey(KEY.company, "CustomerService", KEY.business_key)),
        ids.current(MessageKey(KEY.company, KEY.service, "FB:Zy:7:2:aa")),
    ]
    assert len({ids.current(KEY), *others}) == 5


def test_compares_companies_as_ax_does(ids):
    assert ids.current(MessageKey("USMF", KEY.service, KEY.business_key)) == ids.current(KEY)


@pytest.mark.parametrize("failure", DEFINITE, ids=lambda failure: failure.code)
def test_is_new_after_a_definite_failure(ids, failure):
    first = ids.current(KEY)
    ids.failed(KEY, failure)
    assert ids.current(KEY) != first


@pytest.mark.parametrize("failure", [unclear(lost=True), unclear(ended=True), unclear()], ids=["lost", "F8", "F6"])
def test_stays_after_an_unclear_outcome(ids, failure):
    first = ids.current(KEY)
    ids.failed(KEY, failure)
    assert ids.current(KEY) == first
    assert ids.was_unclear(KEY)


def test_stays_when_ax_was_not_reached(ids):
    first = ids.current(KEY)
    ids.failed(KEY, RetryableError("ax_unreachable", "down"))
    assert ids.current(KEY) == first


def test_stays_on_a_duplicate_while_the_lost_call_may_be_under_way(ids, clock):
    first = ids.current(KEY)
    ids.failed(KEY, unclear(lost=True))
    clock.now = 69
    ids.failed(KEY, DUPLICATED)
    assert ids.current(KEY) == first
    clock.now = 71
    ids.failed(KEY, DUPLICATED)
    assert ids.current(KEY) != first


def test_stays_on_a_duplicate_that_an_earlier_process_may_have_under_way(ids, clock):
    first = ids.current(KEY)
    ids.failed(KEY, DUPLICATED)
    clock.now = 69
    ids.failed(KEY, DUPLICATED)
    assert ids.current(KEY) == first
    clock.now = 71
    ids.failed(KEY, DUPLICATED)
    assert ids.current(KEY) != first


def test_waits_only_once_for_earlier_processes(ids, clock):
    ids.failed(KEY, DUPLICATED)
    clock.now = 71
    ids.failed(KEY, DUPLICATED)
    second = ids.current(KEY)
    ids.failed(KEY, DUPLICATED)
    assert ids.current(KEY) != second


def test_is_new_on_a_duplicate_after_ax_ended_the_call_itself(ids):
    first = ids.current(KEY)
    ids.failed(KEY, unclear(ended=True))
    ids.failed(KEY, DUPLICATED)
    assert ids.current(KEY) != first


def test_is_new_when_ax_goes_on_saying_nothing_after_the_wait(ids, clock):
    first = ids.current(KEY)
    ids.failed(KEY, unclear())
    assert ids.current(KEY) == first
    clock.now = 71
    ids.failed(KEY, unclear())
    assert ids.current(KEY) != first


def test_is_forgotten_when_the_document_is_there(ids):
    ids.failed(KEY, DEFINITE[0])
    ids.done(KEY)
    assert ids.current(KEY) == MessageIds("https://ax", under_way_seconds=70, clock=Clock()).current(KEY)
    assert not ids.was_unclear(KEY)
