"""The kinds of FreshBooks entities that freshax carries, declared: where they live and under which keys.

Adding a kind means a line here, a parser in `entities.py`, and its noun among the callbacks.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.failures import PoisonError


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `noun` is its word in webhooks and keys, `includes` what must be asked for to get all of it."""

    noun: str
    path: str
    single: str
    plural: str
    includes: tuple[str, ...] = ()

    def collection(self, account_id: str) -> str:
        """Path of the list."""
        return f"/accounting/account/{account_id}/{self.path}"

    def entity(self, account_id: str, entity_id: int) -> str:
        """Path of one entity."""
        return f"{self.collection(account_id)}/{entity_id}"

    @property
    def include_params(self) -> list[tuple[str, str]]:
        """Query parameters that ask for the includes."""
        return [("include[]", name) for name in self.includes]


CLIENT = Kind("client", "users/clients", "client", "clients")
# Without include[]=lines an invoice has no lines at all, which looks like an empty one.
INVOICE = Kind("invoice", "invoices/invoices", "invoice", "invoices", ("lines",))

# In the order in which a first load announces them: an invoice waits for its client.
KINDS: dict[str, Kind] = {kind.noun: kind for kind in (CLIENT, INVOICE)}


def kind_of(noun: str) -> Kind:
    """The kind of `noun`. Raises PoisonError (unknown_kind)."""
    kind = KINDS.get(noun)
    if kind is None:
        raise PoisonError(
            "unknown_kind", f"reading FreshBooks: no kind {noun!r}; known: {', '.join(KINDS)}", field="kind"
        )
    return kind
