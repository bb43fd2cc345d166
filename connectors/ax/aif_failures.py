"""Whatever a call of the document services can end in → one of our three failure classes. One table per layer.

    FAULTS       what AX said (SOAP fault): X++ exception type, fault code, or a fragment of the text
    STATUSES     what the web server said instead of AX
    REQUESTS     what the HTTP library raised          } most specific first; a test walks each library's exceptions
    ZEEP         what the SOAP library raised          } and fails on one that no row covers

Decided on codes and types where AX has them. For some faults (F1, F2, F4, F7, F9, F10, F16, F18) the text is the only
carrier: they are matched on the stable fragment of the reference, which is why CallContext.Language is pinned and a
fragment may stand anywhere (AX puts context before it).

Every end that may have followed a commit is an UnclearOutcomeError: the sink looks up before it repeats.

Source: reference ax-aif, sections 9.1 (F1 to F18), 10 and 11.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import requests
import requests.exceptions
import urllib3.exceptions
import zeep.exceptions
from lxml import etree

from schemas.failures import Failure, FatalError, PoisonError, RetryableError

UNCLEAR = "unclear_outcome"
CONFLICT = "update_conflict"
DUPLICATE = "duplicate_message"
EXISTS = "record_exists"

# WCF refuses a larger message until the port's configuration raises it (F16).
DEFAULT_MESSAGE_LIMIT_BYTES = 65_536
# AX's own words are what an operator needs; the limit keeps a stack trace out of logs and headers.
_TEXT_LENGTH = 300


class UnclearOutcomeError(RetryableError):
    """AX may have done what was asked.

    `lost`: no answer of AX came, the call may still be under way. `ended`: AX said that this call is over (F8). Neither
    (F6): AX answered and says nothing, not even whether it refused the call for its MessageId.
    """

    lost = True
    ended = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an end means. `remedy` is said to a person."""

    failure: type[RetryableError] | type[PoisonError] | type[FatalError]
    code: str
    remedy: str

    def raised_by(self, action: str, said: str = "") -> Failure:
        """As the failure of `action`, quoting what the other side said."""
        words = " ".join(said.split())[:_TEXT_LENGTH]
        return self.failure(self.code, f"{action}: {words or 'no text'}; {self.remedy}")


@dataclass(frozen=True, slots=True)
class FaultRule:
    """A row of FAULTS: matches when every part that is given matches."""

    name: str
    verdict: Verdict
    xpp: frozenset[int] = frozenset()
    code: str | None = None
    fragment: str | None = None

    def matches(self, fault: AifFault) -> bool:
        """True when this row is about `fault`. Fragments are compared whatever their case."""
        if self.xpp and fault.xpp_exception_type not in self.xpp:
            return False
        if self.code is not None and self.code.lower() not in (code.lower() for code in fault.codes):
            return False
        return self.fragment is None or self.fragment.lower() in fault.text.lower()


@dataclass(frozen=True, slots=True)
class AifFault:
    """All that a SOAP fault carries, whichever of its three places AX used (reference, section 9.1)."""

    codes: tuple[str, ...]
    texts: tuple[str, ...]
    xpp_exception_type: int | None

    @property
    def text(self) -> str:
        """All messages, infolog first: it names the record and the field."""
        return " ".join(self.texts)

    @classmethod
    def read(cls, fault: zeep.exceptions.Fault) -> AifFault:
        """Codes, texts and exception type of `fault`; a detail that is missing or of another shape gives less."""
        detail = fault.detail if etree.iselement(fault.detail) else None
        kinds = _texts(detail, "XppExceptionType")
        infolog = _texts(detail, "Message")
        said = [*infolog, fault.message or ""]
        codes = [*_texts(detail, "Code"), (fault.code or "").rpartition(":")[2]]
        return cls(
            codes=tuple(code for code in codes if code),
            texts=tuple(text for text in dict.fromkeys(said) if text),
            xpp_exception_type=int(kinds[0]) if kinds and kinds[0].lstrip("-").isdigit() else None,
        )


def _texts(detail: etree._Element | None, name: str) -> list[str]:
    """Texts of all elements called `name`, of whatever namespace: releases differ in it. Infolog before fault list."""
    if detail is None:
        return []
    found = [element for element in detail.iter(f"{{*}}{name}") if element.text and element.text.strip()]
    found.sort(key=lambda element: "InfologMessage" not in _parent_tag(element))
    return [str(element.text).strip() for element in found]


def _parent_tag(element: etree._Element) -> str:
    parent = element.getparent()
    return "" if parent is None else str(parent.tag)


_UNCLEAR = Verdict(UnclearOutcomeError, UNCLEAR, "AX may have done it: it is looked up before it is repeated")
_DUPLICATE = Verdict(RetryableError, DUPLICATE, "AX has seen this MessageId: its result is looked up")
_EXISTS = Verdict(RetryableError, EXISTS, "the record is looked up; if it is not ours, remove the conflict in AX")
_CONFLICT = Verdict(RetryableError, CONFLICT, "AX undid the call; it is repeated")
_STALE = Verdict(RetryableError, "stale_document", "the document is read again")
_NOT_FOUND = Verdict(PoisonError, "ax_not_found", "the key does not exist in AX; correct the cross-reference")
_SCHEMA = Verdict(PoisonError, "schema_refused", "AX's schema differs from connectors/ax/wsdl; take the port's files")
_REFERENCE = Verdict(PoisonError, "unknown_reference", "create the value in AX or correct the mapping, then redrive")
_MANDATORY = Verdict(PoisonError, "mandatory_field", "map the field, then redrive")
_REFUSED = Verdict(PoisonError, "ax_refused", "correct the document or AX's set-up, then redrive")
_TOO_LARGE = Verdict(PoisonError, "request_too_large", "split the invoice or raise the port's quota, then redrive")
_ACTION = Verdict(FatalError, "action_not_supported", "the port does not offer the operation; redeploy its group")
_DENIED = Verdict(FatalError, "ax_access_denied", "give the service account the operation's privilege in AX")
_BUG = Verdict(FatalError, "aif_request_invalid", "report it: freshax sent what no port accepts")
_UNKNOWN = Verdict(FatalError, "unknown_fault", "add the fault to connectors/ax/aif_failures.py")

# First match wins: a type that says more than the text stands before the text, a generic rule behind special ones.
FAULTS: tuple[FaultRule, ...] = (
    # F8 before all: a deadlock's infolog may quote any other text. Type 15 (timeout, busy) ends in the same doubt.
    FaultRule("F8 deadlock", _UNCLEAR, xpp=frozenset({2})),
    FaultRule("F8 timeout", _UNCLEAR, xpp=frozenset({15})),
    FaultRule("F18", _CONFLICT, xpp=frozenset({11, 12})),
    FaultRule("F18 by text", _CONFLICT, fragment="update conflict occurred due to another user process"),
    FaultRule("F3", _EXISTS, xpp=frozenset({13, 14})),
    FaultRule("F3 by text", _EXISTS, fragment="The record already exists."),
    FaultRule("F5", _DUPLICATE, code="DuplicateMessage"),
    FaultRule("F5 by text", _DUPLICATE, fragment="Message has already been processed."),
    FaultRule("F1", _NOT_FOUND, fragment="No valid document identified from the entity key."),
    FaultRule("F2", _STALE, fragment="The document hash does not match the hash in the XML."),
    FaultRule("F4", _SCHEMA, fragment="Invalid document schema."),
    FaultRule("F7", _BUG, fragment="The parameter index is not valid."),
    FaultRule("F9, F11, F13", _REFERENCE, fragment="is not found in the related table"),
    FaultRule("F10", _MANDATORY, fragment="must be filled in."),
    FaultRule("F15", _ACTION, code="ActionNotSupported"),
    FaultRule("F15 by text", _ACTION, fragment="ActionNotSupportedException"),
    FaultRule("F15 by text", _ACTION, fragment="ContractFilter mismatch"),
    FaultRule("F16 message", _TOO_LARGE, fragment="MaxReceivedMessageSize"),
    FaultRule("F16 string", _TOO_LARGE, fragment="MaxStringContentLength"),
    # WCF refused the envelope before AX saw it, or broke down itself.
    FaultRule("WCF formatter", _BUG, code="DeserializationFailed"),
    FaultRule("WCF header", _BUG, code="MustUnderstand"),
    FaultRule("WCF version", _BUG, code="VersionMismatch"),
    FaultRule("WCF internal", _UNCLEAR, code="InternalServiceFault"),
    # WCF's own codes for a caller that may not (F14); AX's text for it is not known.
    FaultRule("F14", _DENIED, code="AccessDenied"),
    FaultRule("F14", _DENIED, code="FailedAuthentication"),
    FaultRule("F14 code access", _DENIED, xpp=frozenset({10})),
    # F12 (period) has no known text: like every other X++ error about the document it is AX's refusal.
    FaultRule("F12 and any other X++ error", _REFUSED, xpp=frozenset({3})),
    # F6 says nothing, so it stands behind what says something.
    FaultRule("F6", _UNCLEAR, code="RequestFailed"),
    FaultRule("F6 by text", _UNCLEAR, fragment="Request Failed. See the Exception Log for details."),
    FaultRule("X++ internal error", _UNCLEAR, xpp=frozenset({4})),
)

_UNAUTHORIZED = Verdict(FatalError, "ax_unauthorized", "check the service account and the port's authentication")
_MISSING = Verdict(FatalError, "ax_endpoint_missing", "check FRESHAX_AIF__URL and that the port is activated")
_REDIRECTED = Verdict(FatalError, "ax_redirected", "set FRESHAX_AIF__URL to the final address; nothing is followed")
_BAD_REQUEST = Verdict(PoisonError, "request_refused", "the web server took the request for malformed; see its log")
_METHOD = Verdict(FatalError, "ax_endpoint_wrong", "the address is not a document service; check FRESHAX_AIF__URL")

STATUSES: dict[int, Verdict] = {
    400: _BAD_REQUEST,
    401: _UNAUTHORIZED,
    403: _DENIED,
    404: _MISSING,
    405: _METHOD,
    406: _METHOD,
    407: _UNAUTHORIZED,
    408: _UNCLEAR,
    410: _MISSING,
    413: _TOO_LARGE,
    415: _METHOD,
    429: _UNCLEAR,
}

_UNREACHABLE = Verdict(RetryableError, "ax_unreachable", "AX was not reached; it is tried again")
_SETTING = Verdict(FatalError, "ax_address_invalid", "check FRESHAX_AIF__URL")
_CERTIFICATE = Verdict(FatalError, "ax_certificate_refused", "trust the certificate's issuer on this machine")
_LIBRARY = Verdict(FatalError, "http_library", "report it: the HTTP library was used wrongly")

REQUESTS: tuple[tuple[type[requests.RequestException], Verdict], ...] = (
    (requests.exceptions.ConnectTimeout, _UNREACHABLE),
    (requests.exceptions.ReadTimeout, _UNCLEAR),
    (requests.exceptions.Timeout, _UNCLEAR),
    (requests.exceptions.ProxyError, _SETTING),
    (requests.exceptions.SSLError, _UNCLEAR),
    (requests.exceptions.ConnectionError, _UNCLEAR),
    (requests.exceptions.ChunkedEncodingError, _UNCLEAR),
    (requests.exceptions.ContentDecodingError, _UNCLEAR),
    (requests.exceptions.RetryError, _UNCLEAR),
    (requests.exceptions.TooManyRedirects, _REDIRECTED),
    (requests.exceptions.InvalidProxyURL, _SETTING),
    (requests.exceptions.InvalidURL, _SETTING),
    (requests.exceptions.InvalidSchema, _SETTING),
    (requests.exceptions.MissingSchema, _SETTING),
    (requests.exceptions.URLRequired, _SETTING),
    (requests.exceptions.InvalidHeader, _LIBRARY),
    (requests.exceptions.UnrewindableBodyError, _LIBRARY),
    (requests.exceptions.StreamConsumedError, _LIBRARY),
    (requests.exceptions.JSONDecodeError, _LIBRARY),
    (requests.exceptions.InvalidJSONError, _LIBRARY),
    (requests.exceptions.HTTPError, _LIBRARY),
)

_INVALID = Verdict(PoisonError, "invalid_document", "correct the mapping or the record")
# Every later answer would be misread just the same, and a field read wrongly is worse than none: stop and alert.
_DRIFT = Verdict(FatalError, "response_schema_drift", "AX answers what connectors/ax/wsdl does not know; renew it")
# SOAP forbids a DTD. Whoever sends one is not AX or has been taken over: no record is to blame, a person must look.
_HOSTILE = Verdict(FatalError, "response_forbidden", "the answer holds a DTD or entities; find out who sent it")
_NOT_SOAP = Verdict(FatalError, "response_not_soap", "the address does not answer SOAP; check FRESHAX_AIF__URL")
_CONTRACT = Verdict(FatalError, "aif_contract_broken", "the files in connectors/ax/wsdl do not fit this release")

ZEEP: tuple[tuple[type[zeep.exceptions.Error], Verdict], ...] = (
    (zeep.exceptions.ValidationError, _INVALID),
    (zeep.exceptions.DTDForbidden, _HOSTILE),
    (zeep.exceptions.EntitiesForbidden, _HOSTILE),
    (zeep.exceptions.ExternalReferenceForbidden, _HOSTILE),
    (zeep.exceptions.XMLParseError, _DRIFT),
    (zeep.exceptions.UnexpectedElementError, _DRIFT),
    # An answer cut short, or an error page: whether AX worked is not known.
    (zeep.exceptions.TransportError, _UNCLEAR),
    (zeep.exceptions.XMLSyntaxError, _NOT_SOAP),
    (zeep.exceptions.LookupError, _CONTRACT),
    (zeep.exceptions.NamespaceError, _CONTRACT),
    (zeep.exceptions.WsdlSyntaxError, _CONTRACT),
    (zeep.exceptions.IncompleteMessage, _CONTRACT),
    (zeep.exceptions.IncompleteOperation, _CONTRACT),
    (zeep.exceptions.SignatureVerificationFailed, _CONTRACT),
)


def fault_failure(fault: zeep.exceptions.Fault, action: str) -> Failure:
    """The failure that a SOAP fault means. A fault that no row knows is fatal."""
    if fault.code is None and not etree.iselement(fault.detail):
        # HTTP 500 with some other document: an error page, not AX's word.
        return _UNCLEAR.raised_by(action, fault.message or "")
    read = AifFault.read(fault)
    verdict = next((rule.verdict for rule in FAULTS if rule.matches(read)), _UNKNOWN)
    failure = verdict.raised_by(action, read.text)
    if isinstance(failure, UnclearOutcomeError):
        failure.lost = False
        failure.ended = read.xpp_exception_type is not None
    return failure


def status_failure(status: int, action: str, *, request_bytes: int, retry_after_seconds: float | None) -> Failure:
    """The failure that an HTTP status other than 200 and 500 means; a status that no row knows is fatal."""
    said = f"HTTP {status}"
    if status == 400 and request_bytes > DEFAULT_MESSAGE_LIMIT_BYTES:
        return _TOO_LARGE.raised_by(action, f"{said} to a request of {request_bytes} bytes")
    if 300 <= status < 400:
        return _REDIRECTED.raised_by(action, said)
    verdict = STATUSES.get(status, _UNCLEAR if status >= 500 else _UNKNOWN)
    failure = verdict.raised_by(action, said)
    if isinstance(failure, RetryableError):
        failure.retry_after_seconds = retry_after_seconds
    return failure


def forbidden_answer(action: str) -> Failure:
    """The failure that a DTD in an answer means. Seen before any parser: an expanding one may only break the parser."""
    return _HOSTILE.raised_by(action, "a document type declaration")


def requests_failure(error: requests.RequestException, action: str) -> Failure:
    """The failure that an exception of requests means."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return _CERTIFICATE.raised_by(action, type(error).__name__)
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return _UNREACHABLE.raised_by(action, type(error).__name__)
    verdict = next((verdict for kind, verdict in REQUESTS if isinstance(error, kind)), _UNKNOWN)
    return verdict.raised_by(action, type(error).__name__)


def zeep_failure(error: zeep.exceptions.Error, action: str) -> Failure:
    """The failure that an exception of zeep means."""
    if isinstance(error, zeep.exceptions.Fault):
        return fault_failure(error, action)
    verdict = next((verdict for kind, verdict in ZEEP if isinstance(error, kind)), _UNKNOWN)
    # Only these two say something that is not the payload: the place of the field, the name of the element.
    telling = isinstance(error, zeep.exceptions.ValidationError | zeep.exceptions.XMLParseError)
    return verdict.raised_by(action, str(error) if telling else type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions behind `error`: chained ones, and those that urllib3 keeps as argument or `reason`."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
