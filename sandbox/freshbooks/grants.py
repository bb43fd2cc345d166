"""OAuth 2.0 state: authorization codes, access tokens, single-use refresh tokens (reference §2).

One live refresh token per user per app: issuing a pair kills the former refresh token, using one kills it too. An
access token stays valid until it expires or is revoked, also when a newer one was issued (unverified).
"""

from __future__ import annotations

import base64
import hmac
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sandbox.freshbooks.config import AppConfig, UserConfig
from sandbox.freshbooks.errors import Refused, unauthenticated

ACCESS_SECONDS: Final = 43_200
CODE_SECONDS: Final = 300
_TOKEN_LENGTH: Final = 1000  # real access tokens are JWTs of about this length: no column or header may be shorter

Json = dict[str, Any]


@dataclass(slots=True)
class Token:
    """An access token. `expires_at` is unix seconds."""

    value: str
    app: AppConfig
    user: UserConfig
    scopes: frozenset[str]
    expires_at: float
    refresh_token: str
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class _Grant:
    app: AppConfig
    user: UserConfig
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Code:
    grant: _Grant
    redirect_uri: str
    expires_at: float


def invalid_grant(reason: str) -> Refused:
    """Return the 400 for a code or refresh token that is unknown, used, expired or another app's."""
    return Refused(400, 400, reason, error="invalid_grant")


class Grants:
    """Issues, checks and revokes tokens. `epoch` returns unix seconds; `rng` makes every secret."""

    def __init__(self, epoch: Callable[[], float], rng: random.Random) -> None:
        self._epoch = epoch
        self._rng = rng
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, _Grant] = {}
        self._live_refresh: dict[tuple[str, int], str] = {}
        self._tokens: dict[str, Token] = {}
        self._signing_key = rng.randbytes(32)

    def authorize(self, app: AppConfig, user: UserConfig, scopes: Iterable[str], redirect_uri: str) -> str:
        """Return a code for the user's consent, good once within 5 minutes."""
        code = f"{self._rng.getrandbits(256):064x}"
        self._codes[code] = _Code(_Grant(app, user, tuple(scopes)), redirect_uri, self._epoch() + CODE_SECONDS)
        return code

    def exchange(self, app: AppConfig, code: str, redirect_uri: str) -> Json:
        """Return a token reply for `code`. Raises Refused invalid_grant."""
        found = self._codes.pop(code, None)
        if found is None or found.grant.app is not app or found.redirect_uri != redirect_uri:
            raise invalid_grant("The authorization code is invalid, was used, or was issued to another client or URI.")
        if self._epoch() >= found.expires_at:
            raise invalid_grant("The authorization code has expired.")
        return self.issue(app, found.grant.user, found.grant.scopes)

    def refresh(self, app: AppConfig, refresh_token: str) -> Json:
        """Return a new pair and kill `refresh_token`. Raises Refused invalid_grant when it was used already.

        The reply dates the token a second back and shortens its life by one, as seen live: the expiry is
        created_at + expires_in, not "now" plus 12 hours.
        """
        grant = self._refresh.get(refresh_token)
        if grant is None or grant.app is not app:
            raise invalid_grant("The refresh token is invalid, was used, revoked, or was issued to another client.")
        return self.issue(app, grant.user, grant.scopes, created_ago=1, lifetime=ACCESS_SECONDS - 1)

    def issue(
        self,
        app: AppConfig,
        user: UserConfig,
        scopes: Iterable[str],
        *,
        created_ago: int = 0,
        lifetime: int = ACCESS_SECONDS,
    ) -> Json:
        """Issue a pair without asking anybody and return the token reply. The pair's former refresh token dies."""
        granted = tuple(scopes)
        created_at = int(self._epoch()) - created_ago
        refresh_token = f"{self._rng.getrandbits(256):064x}"
        former = self._live_refresh.get((app.client_id, user.identity_id))
        if former is not None:
            self._refresh.pop(former, None)
        self._live_refresh[app.client_id, user.identity_id] = refresh_token
        self._refresh[refresh_token] = _Grant(app, user, granted)
        value = self._jwt(app, user, granted, created_at, lifetime)
        self._tokens[value] = Token(value, app, user, frozenset(granted), created_at + lifetime, refresh_token)
        return {
            "access_token": value,
            "token_type": "Bearer",
            "expires_in": lifetime,
            "refresh_token": refresh_token,
            "scope": " ".join(granted),
            "created_at": created_at,
            "direct_buy_tokens": {},
        }

    def lookup(self, authorization: str | None) -> Token | None:
        """Return the token of an Authorization header even if it is dead, for counting; None if unknown."""
        scheme, _, value = (authorization or "").partition(" ")
        return self._tokens.get(value.strip()) if scheme.lower() == "bearer" else None

    def check(self, authorization: str | None) -> Token:
        """Return the live token of an Authorization header. Raises Refused 401."""
        if not authorization:
            raise unauthenticated("This action requires authentication to continue.")
        token = self.lookup(authorization)
        if token is None or token.revoked:
            raise unauthenticated("invalid_token: The access token is unknown or was revoked.")
        if self._epoch() >= token.expires_at:
            raise unauthenticated("invalid_token: The access token has expired.")
        return token

    def revoke(self, app: AppConfig, value: str) -> None:
        """Revoke the pair that `value` belongs to (that both tokens die is inferred); an unknown one is no error."""
        for token in self._tokens.values():
            if token.app is app and value in (token.value, token.refresh_token):
                token.revoked = True
                self._refresh.pop(token.refresh_token, None)

    def invalidate(self, what: str, client_id: str | None = None) -> int:
        """Kill all "access", "refresh" or "all" tokens (of one app), as an administrator can; return how many."""
        killed = 0
        for token in self._tokens.values():
            if client_id not in (None, token.app.client_id):
                continue
            if what in ("access", "all") and not token.revoked:
                token.revoked = True
                killed += 1
            if what in ("refresh", "all") and self._refresh.pop(token.refresh_token, None) is not None:
                killed += 1
        return killed

    def _jwt(self, app: AppConfig, user: UserConfig, scopes: tuple[str, ...], created_at: int, lifetime: int) -> str:
        claims = {
            "iss": "freshbooks-simulator",
            "aud": app.client_id,
            "sub": str(user.identity_id),
            "iat": created_at,
            "exp": created_at + lifetime,
            "jti": f"{self._rng.getrandbits(128):032x}",
            "scopes": " ".join(scopes)[:200],
        }
        head = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        missing = _TOKEN_LENGTH - 45 - len(head) - len(_base64url(json.dumps(claims).encode()))
        claims["ctx"] = f"{self._rng.getrandbits(4096):01024x}"[: max(0, missing * 3 // 4)]
        signed = f"{head}.{_base64url(json.dumps(claims).encode())}"
        return f"{signed}.{_base64url(hmac.digest(self._signing_key, signed.encode(), 'sha256'))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
