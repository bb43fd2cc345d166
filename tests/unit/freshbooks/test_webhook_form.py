"""A webhook's body is parsed strictly: what is signed is what is used."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.freshbooks.webhook_form import MalformedError, notification, parse_form
from schemas.records import Origin

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_a_delivery_becomes_a_notification() -> None:
    form = parse_form(
        b"name=invoice.update&object_id=9001&account_id=ZyQ04o&business_id=77001&identity_id=88002&user_id=1"
    )
    told = notification(form, received_at=NOW)
    assert (told.account_id, told.kind, told.verb, told.object_id) == ("ZyQ04o", "invoice", "update", 9001)
    assert (told.business_id, told.identity_id, told.origin, told.received_at) == (77001, 88002, Origin.WEBHOOK, NOW)


def test_missing_ids_of_business_and_identity_do_no_harm() -> None:
    told = notification(parse_form(b"name=client.create&object_id=1&account_id=a&business_id="), received_at=NOW)
    assert (told.business_id, told.identity_id) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"name",
        b"{}",
        b"name=a.b&name=c.d",
        b"=x&name=a.b",
        b"name=a.b&object_id=1&\xff=1",
        b"name=a.b&city=%ff",
        b"&".join(b"f%d=1" % number for number in range(40)),
    ],
)
def test_bodies_that_freshbooks_does_not_send_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_form(body)


@pytest.mark.parametrize(
    "body",
    [
        b"object_id=1&account_id=a",
        b"name=invoice&object_id=1&account_id=a",
        b"name=.create&object_id=1&account_id=a",
        b"name=invoice.create&account_id=a",
        b"name=invoice.create&object_id=&account_id=a",
        b"name=invoice.create&object_id=0&account_id=a",
        b"name=invoice.create&object_id=-1&account_id=a",
        b"name=invoice.create&object_id=%D9%A1&account_id=a",
        b"name=invoice.create&object_id=9999999999999999999&account_id=a",
    ],
)
def test_deliveries_without_event_or_id_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        notification(parse_form(body), received_at=NOW)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_malformed(body: bytes) -> None:
    try:
        form = parse_form(body)
    except MalformedError:
        return
    assert form
    assert all(form)
