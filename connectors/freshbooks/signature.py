"""FreshBooks' webhook signature: HMAC-SHA256 over the form rewritten as JSON, in the order in which the fields came.

The text that is signed is Python's default `json.dumps` of the form (`", "` and `": "`, non-ASCII escaped), the key is
the callback's verifier, the header holds the digest in base64. The order of the fields varies between deliveries, so
the order of the form is kept. Source: reference of the API, webhooks, signature, with its test vectors.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterable, Mapping

HEADER = "X-FreshBooks-Hmac-SHA256"


def signature(verifier: str, form: Mapping[str, str]) -> str:
    """The signature of `form` under `verifier`."""
    digest = hmac.digest(verifier.encode(), json.dumps(dict(form)).encode(), "sha256")
    return base64.b64encode(digest).decode()


def signers(claimed: str, form: Mapping[str, str], verifiers: Iterable[str]) -> list[bool]:
    """For each of `verifiers` whether it made the signature `claimed`.

    Each is compared, in constant time, whatever came before: the time tells neither how much of a guess was right nor
    which verifier it was.
    """
    given = claimed.encode("utf-8", "surrogateescape")
    return [hmac.compare_digest(signature(verifier, form).encode(), given) for verifier in verifiers]
