"""What every end of an AIF call means."""

import inspect
import ssl

import pytest
import requests.exceptions
import urllib3.exceptions
import zeep.exceptions
from lxml import etree

from connectors.ax.aif_failures import (
    DEFAULT_MESSAGE_LIMIT_BYTES,
    FAULTS,
    REQUESTS,
    ZEEP,
    UnclearOutcomeError,
    fault_failure,
    requests_failure,
    status_failure,
    zeep_failure,
)
from schemas.failures import Failure, FatalError, PoisonError, RetryableError

FAULT = "http://schemas.microsoft.com/dynamics/2008/01/documents/Fault"
INFOLOG = "http://schemas.datacontract.org/2004/07/Microsoft.Dynamics.AX.Framework.Services"


def fault(*infolog, text="Request Failed.", code="s:Client", aif_code=None, listed=None, xpp=None):
    """A SOAP fault with AX's words in the places that are given."""
    parts = []
    if aif_code or listed:
        message = (f"<Code>{aif_code}</Code>" if aif_code else "") + (f"<Message>{listed}</Message>" if listed else "")
        parts.append(
            "<FaultMessageListArray><FaultMessageList><FaultMessageArray><FaultMessage>"
            f"{message}</FaultMessage></FaultMessageArray></FaultMessageList></FaultMessageListArray>"
        )
    if infolog:
        lines = "".join(
            f'<InfologMessage xmlns="{INFOLOG}"><Message>{item}</Message></InfologMessage>' for item in infolog
        )
        parts.append(f"<InfologMessageList>{lines}</InfologMessageList>")
    if xpp is not None:
        parts.append(f"<XppExceptionType>{xpp}</XppExceptionType>")
    detail = etree.fromstring(f'<detail><AifFault xmlns="{FAULT}">{"".join(parts)}</AifFault></detail>')
    return zeep.exceptions.Fault(text, code=code, detail=detail)


GENERIC = "Request Failed. See the Exception Log for details."
# Reference ax-aif, section 9.1: F1 to F18 as AX sends them.
CASES = [
    ("F1", fault("No valid document identified from the entity key.", xpp=3), PoisonError, "ax_not_found"),
    (
        "F2",
        fault("The document hash does not match the hash in the XML. The document may have been changed", xpp=3),
        RetryableError,
        "stale_document",
    ),
    (
        "F3",
        fault("Cannot create a record in X (Y).", "The record already exists.", xpp=13),
        RetryableError,
        "record_exists",
    ),
    ("F3 without type", fault("The record already exists."), RetryableError, "record_exists"),
    (
        "F4",
        fault("Invalid document schema. The following error is reported: The element 'X' …", xpp=None),
        PoisonError,
        "schema_refused",
    ),
    ("F5", fault(aif_code="DuplicateMessage", listed="Duplicate message."), RetryableError, "duplicate_message"),
    (
        "F5 text",
        fault(text="Duplicate message. Message has already been processed."),
        RetryableError,
        "duplicate_message",
    ),
    ("F6", fault(aif_code="RequestFailed", listed=GENERIC, text=GENERIC), UnclearOutcomeError, "unclear_outcome"),
    ("F6 text", fault(text=GENERIC), UnclearOutcomeError, "unclear_outcome"),
    ("F7", fault("The parameter index is not valid.", xpp=3), FatalError, "aif_request_invalid"),
    ("F8 deadlock", fault("The record already exists.", xpp=2), UnclearOutcomeError, "unclear_outcome"),
    ("F8 timeout", fault(text=GENERIC, xpp=15), UnclearOutcomeError, "unclear_outcome"),
    (
        "F9",
        fault("The value '99' in field 'Customer group' is not found in the related table 'Customer groups'.", xpp=3),
        PoisonError,
        "unknown_reference",
    ),
    ("F10", fault("Field 'Customer group' must be filled in.", xpp=3), PoisonError, "mandatory_field"),
    ("F12", fault("Fiscal period 06 is not open.", xpp=3), PoisonError, "ax_refused"),
    ("F14", fault(code="a:AccessDenied", text="Access is denied."), FatalError, "ax_access_denied"),
    ("F15", fault(code="a:ActionNotSupported", text="cannot be processed"), FatalError, "action_not_supported"),
    (
        "F15 text",
        fault(text="System.ServiceModel.ActionNotSupportedException: … ContractFilter mismatch"),
        FatalError,
        "action_not_supported",
    ),
    ("F16", fault(text="increase the MaxReceivedMessageSize property"), PoisonError, "request_too_large"),
    ("F16 string", fault(text="MaxStringContentLength (8192) exceeded"), PoisonError, "request_too_large"),
    (
        "F18",
        fault("An update conflict occurred due to another user process deleting the record", xpp=11),
        RetryableError,
        "update_conflict",
    ),
    ("WCF broke", fault(code="a:InternalServiceFault", text="internal error"), UnclearOutcomeError, "unclear_outcome"),
    ("never seen", fault(text="Something new."), FatalError, "unknown_fault"),
    ("never seen type", fault(text="Something new.", xpp=9), FatalError, "unknown_fault"),
]


@pytest.mark.parametrize(("raised", "kind", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_fault(raised, kind, code):
    failure = fault_failure(raised, "creating an invoice")
    assert (type(failure), failure.code) == (kind, code)
    assert failure.message.startswith("creating an invoice: ")


def test_every_row_of_the_fault_table_can_be_reached():
    for position, rule in enumerate(FAULTS):
        sample = fault(
            text=f"context {rule.fragment or ''} context",
            code=f"s:{rule.code or 'Client'}",
            xpp=next(iter(rule.xpp), None),
        )
        failure = fault_failure(sample, "x")
        assert failure.code == rule.verdict.code, f"row {position} ({rule.name}) is hidden by one before it"


def test_fragments_match_whatever_the_case_and_the_context_before_them():
    assert fault_failure(fault("Customer: FIELD 'X' MUST BE FILLED IN."), "x").code == "mandatory_field"


@pytest.mark.parametrize("place", ["infolog", "list", "faultstring"])
def test_words_are_found_in_each_of_the_three_places(place):
    words = "Field 'X' must be filled in."
    raised = {"infolog": fault(words), "list": fault(listed=words), "faultstring": fault(text=words)}[place]
    assert fault_failure(raised, "x").code == "mandatory_field"


def test_a_fault_without_detail_is_read_by_its_string():
    raised = zeep.exceptions.Fault(GENERIC, code="s:Client", detail=None)
    assert fault_failure(raised, "x").code == "unclear_outcome"


def test_an_error_page_in_place_of_a_fault_is_a_lost_call():
    failure = fault_failure(zeep.exceptions.Fault("Unknown fault occured", detail=b"<html/>"), "x")
    assert isinstance(failure, UnclearOutcomeError)
    assert failure.lost


def test_unclear_outcomes_say_whether_ax_ended_the_call():
    deadlock, generic = fault_failure(fault(xpp=2), "x"), fault_failure(fault(text=GENERIC), "x")
    assert isinstance(deadlock, UnclearOutcomeError)
    assert isinstance(generic, UnclearOutcomeError)
    assert [(item.lost, item.ended) for item in (deadlock, generic)] == [(False, True), (False, False)]


def test_a_stack_trace_in_the_text_is_cut():
    assert len(fault_failure(fault("x" * 5000, xpp=3), "x").message) < 500


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (302, FatalError, "ax_redirected"),
        (400, PoisonError, "request_refused"),
        (401, FatalError, "ax_unauthorized"),
        (403, FatalError, "ax_access_denied"),
        (404, FatalError, "ax_endpoint_missing"),
        (408, UnclearOutcomeError, "unclear_outcome"),
        (413, PoisonError, "request_too_large"),
        (415, FatalError, "ax_endpoint_wrong"),
        (418, FatalError, "unknown_fault"),
        (429, UnclearOutcomeError, "unclear_outcome"),
        (502, UnclearOutcomeError, "unclear_outcome"),
        (503, UnclearOutcomeError, "unclear_outcome"),
        (504, UnclearOutcomeError, "unclear_outcome"),
    ],
)
def test_status(status, kind, code):
    failure = status_failure(status, "x", request_bytes=1000, retry_after_seconds=None)
    assert (type(failure), failure.code) == (kind, code)


def test_400_to_a_large_request_is_the_ports_quota():
    failure = status_failure(400, "x", request_bytes=DEFAULT_MESSAGE_LIMIT_BYTES + 1, retry_after_seconds=None)
    assert failure.code == "request_too_large"


def test_retry_after_is_kept():
    failure = status_failure(503, "x", request_bytes=1, retry_after_seconds=7)
    assert isinstance(failure, RetryableError)
    assert failure.retry_after_seconds == 7


def exceptions_of(module, root):
    return [
        item for _, item in inspect.getmembers(module, inspect.isclass) if issubclass(item, root) and item is not root
    ]


@pytest.mark.parametrize(
    "kind", exceptions_of(requests.exceptions, requests.RequestException), ids=lambda kind: kind.__name__
)
def test_each_exception_of_requests_has_a_row_of_its_own(kind):
    assert kind in [row for row, _ in REQUESTS], f"add {kind.__name__} to REQUESTS in connectors/ax/aif_failures.py"
    error = kind("x", "doc", 0) if issubclass(kind, requests.exceptions.JSONDecodeError) else kind("x")
    assert requests_failure(error, "x").code != "unknown_fault"


@pytest.mark.parametrize("kind", exceptions_of(zeep.exceptions, zeep.exceptions.Error), ids=lambda kind: kind.__name__)
def test_each_exception_of_zeep_has_a_row_of_its_own(kind):
    if kind is zeep.exceptions.Fault:
        pytest.fail("a Fault needs FAULTS") if not FAULTS else None
        return
    assert kind in [row for row, _ in ZEEP], f"add {kind.__name__} to ZEEP in connectors/ax/aif_failures.py"


@pytest.mark.parametrize("table", [REQUESTS, ZEEP], ids=["requests", "zeep"])
def test_a_row_is_not_hidden_by_a_wider_one_before_it(table):
    kinds = [kind for kind, _ in table]
    for position, kind in enumerate(kinds):
        assert not [wider for wider in kinds[:position] if issubclass(kind, wider)], kind.__name__


def test_an_unmapped_exception_is_fatal():
    class NewError(requests.RequestException):
        pass

    assert isinstance(requests_failure(NewError("x"), "x"), FatalError)


def test_a_refused_connection_was_never_sent():
    refused = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]
    error = requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", refused))  # type: ignore[arg-type]
    failure = requests_failure(error, "x")
    assert (type(failure), failure.code) == (RetryableError, "ax_unreachable")


def test_a_certificate_that_is_not_trusted_is_for_a_person():
    error = requests.exceptions.SSLError(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")))
    assert requests_failure(error, "x").code == "ax_certificate_refused"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (zeep.exceptions.DTDForbidden("s", None, None), "response_forbidden"),
        (zeep.exceptions.EntitiesForbidden("a", "aaaa"), "response_forbidden"),
        (zeep.exceptions.XMLParseError("Unexpected element 'HotfixField'"), "response_schema_drift"),
        (zeep.exceptions.XMLSyntaxError("no envelope"), "response_not_soap"),
    ],
)
def test_an_answer_that_cannot_be_trusted_stops_the_process(error, code):
    failure = zeep_failure(error, "x")
    assert (type(failure), failure.code) == (FatalError, code)


def test_an_answer_that_was_cut_short_is_looked_up():
    assert isinstance(zeep_failure(zeep.exceptions.TransportError("invalid XML"), "x"), UnclearOutcomeError)


def test_a_transport_error_does_not_quote_the_answer():
    error = zeep.exceptions.TransportError("Content: b'<Name>Contoso</Name>'", content=b"<Name>Contoso</Name>")
    assert "Contoso" not in str(zeep_failure(error, "x"))


def test_all_verdicts_are_of_the_three_classes():
    assert all(issubclass(rule.verdict.failure, Failure) for rule in FAULTS)
