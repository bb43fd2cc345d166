"""Request bodies: JSON for the API, and the three encodings of token requests (form, JSON, multipart)."""

from __future__ import annotations

import json
from decimal import Decimal
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from sandbox.freshbooks.errors import Refused

Json = dict[str, Any]


def json_object(body: bytes) -> Json:
    """Return the JSON object in `body`, numbers with a fraction as Decimal. Raises Refused 400/1005 (ParseError)."""
    try:
        parsed = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise Refused(400, 1005, "The request body is not valid JSON.") from error
    if rb"\ud" in body.lower():  # perhaps half of a surrogate pair, which no JSON reply can carry
        try:
            msgspec.json.encode(parsed)
        except (UnicodeEncodeError, OverflowError) as error:
            raise Refused(400, 1027, "The request body contains an invalid character.") from error
    if not isinstance(parsed, dict):
        raise Refused(400, 1005, "The request body is not a JSON object.")
    return parsed


def wrapped(body: bytes, key: str) -> Json:
    """Return the object under the single key of `body`. Raises Refused 422/1001 when it is not there (inferred)."""
    inner = json_object(body).get(key)
    if not isinstance(inner, dict):
        raise Refused(422, 1001, f"'{key}' is a required field.", key, key)
    return inner


def token_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a token or revoke request. Raises Refused 400 invalid_request for anything else."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if kind == "application/json":
        return {key: value for key, value in json_object(body).items() if isinstance(value, str)}
    if kind == "multipart/form-data":
        return _multipart(content_type, body)
    raise Refused(400, 400, "The request body has an unsupported content type.")


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise Refused(400, 400, "The multipart body has no parts.")
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            fields[name] = payload.decode("utf-8", "replace")
    return fields
