"""Repeated MessageIds: the three answers a site may give, and what a failure does to an id."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kit.aif import Aif, context, criteria, cust_table, customer, message_id, party


@pytest.fixture
def identity():
    return message_id()


def create(aif, identity, name="Once", fields="<CustGroup>10</CustGroup>"):
    content = customer(cust_table(fields, party(name)))
    return aif.customers("create", content, header=context(message_id=identity))


def named(aif, name):
    return [item for item in aif.state()["customers"] if item["name"] == name]


def test_a_repeated_id_is_an_error_by_default(aif, identity):
    assert create(aif, identity, identity).status == 200
    answer = create(aif, identity, identity)
    assert answer.status == 500
    assert answer.aif_code == "DuplicateMessage"
    assert answer.fault_text == "Duplicate message. Message has already been processed."
    assert len(named(aif, identity)) == 1


def test_braces_and_case_make_no_other_id(aif, identity):
    assert create(aif, identity).status == 200
    assert create(aif, f"{{{identity.upper()}}}").aif_code == "DuplicateMessage"


def test_the_first_answer_can_be_replayed(aif, identity):
    aif.control("PATCH", "/switches", {"duplicates": "cached_response"})
    first = create(aif, identity, identity)
    second = create(aif, identity, identity)
    assert (second.status, second.keys) == (200, first.keys)
    assert len(named(aif, identity)) == 1


def test_detection_can_be_off(aif, identity):
    aif.control("PATCH", "/switches", {"duplicates": "off"})
    assert create(aif, identity).status == create(aif, identity).status == 200


def test_without_an_id_nothing_is_a_duplicate(aif, identity):
    assert create(aif, "", identity).status == create(aif, "", identity).status == 200
    assert len(named(aif, identity)) == 2


def test_reading_is_not_idempotent_in_that_sense(aif, identity):
    content = criteria(("AccountNum", "Equal", "US-001"))
    header = context(message_id=identity)
    answers = [aif.customers("find", content, header=header).status for _ in range(2)]
    assert answers == [200, 200]


def test_a_failed_call_leaves_its_id_free(aif, identity):
    assert create(aif, identity, fields="<CustGroup>99</CustGroup>").status == 500
    assert create(aif, identity).status == 200


def test_or_consumes_it(aif, identity):
    aif.control("PATCH", "/switches", {"failed_message_consumes_id": True})
    assert create(aif, identity, fields="<CustGroup>99</CustGroup>").xpp == 3
    assert create(aif, identity).aif_code == "DuplicateMessage"


def test_of_two_at_the_same_time_one_wins(aif, identity):
    def one(_):
        client = Aif(aif.url, aif.control_url)
        try:
            return create(client, identity, identity)
        finally:
            client.http.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(one, range(6)))
    assert sorted(answer.status for answer in answers) == [200, 500, 500, 500, 500, 500]
    assert {answer.aif_code for answer in answers if answer.status == 500} == {"DuplicateMessage"}
    assert len(named(aif, identity)) == 1
