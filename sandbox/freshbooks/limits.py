"""Rate limits: fixed windows per app, account and class of call, and the four headers that every reply carries.

Values and the split (250 accounting creates, 600 of the rest, 60 s) are observations, not documentation; what a limit
is counted by (token, account, app) is unknown (reference §9).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from sandbox.freshbooks.config import LimitSettings

_ACCOUNT: Final = re.compile(r"/(?:account|business)/([^/]+)/")


@dataclass(slots=True)
class _Window:
    ends_at: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """The state of one bucket after a request. `exceeded`: the request is over the limit."""

    limit: int
    remaining: int
    reset_at: int
    retry_after: int
    exceeded: bool

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers, which replies of every status carry."""
        return [
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(self.remaining)),
            ("X-RateLimit-Reset", str(self.reset_at)),
            ("Retry-After", str(self.retry_after)),
        ]


class RateLimits:
    """Counts requests. `settings` may be changed while running."""

    def __init__(self, settings: LimitSettings) -> None:
        self.settings = settings
        self._windows: dict[tuple[str, str, str], _Window] = {}

    def take(self, client_id: str, method: str, path: str, now: float, *, exempt: bool) -> Allowance:
        """Count a request of app `client_id` ("-" without a token) at unix time `now`. An exempt app is never over."""
        account = _ACCOUNT.search(path)
        create = method == "POST" and path.startswith("/accounting/")
        key = (client_id, account[1] if account else "-", "create" if create else "other")
        window = self._windows.get(key)
        if window is None or now >= window.ends_at:
            window = self._windows[key] = _Window(now + self.settings.window_seconds)
        limit = self.settings.create_limit if create else self.settings.other_limit
        exceeded = self.settings.enforce and not exempt and window.used >= limit
        if not exceeded:
            window.used += 1
        return Allowance(
            limit,
            max(0, limit - window.used),
            math.ceil(window.ends_at),
            max(1, math.ceil(window.ends_at - now)),
            exceeded,
        )
