"""What lies inside an answer of FreshBooks: one entity, a page of a list, the identity's business.

Accounting and events wrap in `response.result`, projects in nothing; lists tell their paging beside the items, projects
under `meta`. Source: reference of the API, envelope and project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.freshbooks.kinds import Family, Kind
from schemas.failures import FatalError, PoisonError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. An empty one is the last, whatever `pages` says: an empty list has 0 of them."""

    items: list[Json]
    is_last: bool


def single(kind: Kind, answer: Json) -> Json:
    """The entity of an answer. Raises: PoisonError (freshbooks_shape)."""
    inside = answer if kind.family is Family.PROJECTS else _result(answer)
    entity = inside.get(kind.single)
    if not isinstance(entity, dict):
        raise PoisonError("freshbooks_shape", f"reading a {kind.noun}: the answer has none", field=kind.single)
    return entity


def page(plural: str, answer: Json, number: int) -> Page:
    """Page `number` of a list. Raises: FatalError (unknown_answer)."""
    inside = answer if plural in answer else _result(answer)
    items = inside.get(plural)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise FatalError("unknown_answer", f"listing {plural}: the answer has no list of {plural}")
    meta = inside.get("meta")
    paging = meta if isinstance(meta, dict) else inside
    pages = paging.get("pages")
    return Page(items, is_last=not items or not isinstance(pages, int) or number >= pages)


def business_of(identity: Json, account_id: str) -> int:
    """The id of the business whose account is `account_id`; the id of a membership is another number.

    Raises: FatalError (account_unknown).
    """
    response = identity.get("response")
    memberships = response.get("business_memberships") if isinstance(response, dict) else None
    for membership in memberships if isinstance(memberships, list) else []:
        business = membership.get("business") if isinstance(membership, dict) else None
        if isinstance(business, dict) and business.get("account_id") == account_id:
            number = business.get("id")
            if isinstance(number, int):
                return number
    raise FatalError(
        "account_unknown",
        "looking for the business of the FreshBooks account: the identity has none of that account; check "
        "FRESHAX_FRESHBOOKS__ACCOUNT_ID, or set FRESHAX_FRESHBOOKS__BUSINESS_ID",
    )


def _result(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What lies under response.result; an empty object when the answer has none (a delete)."""
    response = answer.get("response")
    result = response.get("result") if isinstance(response, dict) else None
    return result if isinstance(result, dict) else {}
