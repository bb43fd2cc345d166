"""The query string of a list or single call: paging, search, sort, includes (reference §5.6 to 5.8).

What nothing declares is ignored, as the real API does. `[` and `]` may be percent-encoded or bare.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from sandbox.freshbooks.errors import Refused

DEFAULT_PER_PAGE: Final = 15
MAX_PER_PAGE: Final = 100
_SEARCH: Final = re.compile(r"search\[(\w+)\](?:\[\])?")

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query string. `search` holds search[key] and search[key][] values, `bare` all other keys."""

    search: dict[str, list[str]]
    bare: dict[str, str]
    includes: tuple[str, ...]

    @property
    def sort(self) -> str:
        """Return the sort key with its _asc or _desc, or ""."""
        return self.bare.get("sort", "")

    def page(self, status: int = 422, default: int = DEFAULT_PER_PAGE) -> tuple[int, int]:
        """Return (page, per_page): defaults 1 and `default`, page 0 means 1, at most 100 a page, silently.

        Negative or not a number: errno 1014 (page), 1013 (per_page), with `status` (422 inferred). per_page 0 counts as
        not given (inferred).
        """
        page = self._natural("page", 1014, status, default=1)
        per_page = self._natural("per_page", 1013, status, default=default)
        return page or 1, min(per_page or default, MAX_PER_PAGE)

    def _natural(self, key: str, errno: int, status: int, *, default: int) -> int:
        text = self.bare.get(key)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()):
            raise Refused(status, errno, f"'{key}' must be a whole number, not negative.", key, value=text)
        return int(text)


def parse_query(raw: bytes) -> Query:
    """Return the parsed query string."""
    search: dict[str, list[str]] = {}
    bare: dict[str, str] = {}
    includes: list[str] = []
    for key, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        matched = _SEARCH.fullmatch(key)
        if matched:
            search.setdefault(matched[1], []).append(value)
        elif key in ("include[]", "include"):
            includes.append(value)
        else:
            bare[key] = value
    return Query(search, bare, tuple(includes))


def paged(items: Sequence[Item], page: int, per_page: int) -> tuple[Sequence[Item], dict[str, Any]]:
    """Return the page's items and the envelope's paging keys. Past the end a page is empty; no items are 0 pages."""
    pages = -(-len(items) // per_page)
    start = (page - 1) * per_page
    meta = {"page": page, "pages": pages, "per_page": per_page, "total": len(items)}
    return items[start : start + per_page], meta
