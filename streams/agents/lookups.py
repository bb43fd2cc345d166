"""Master data and cross-references in memory, indexed as flows ask for them (implements transforms' `Lookups`)."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from schemas import keys, topics
from schemas.records import AxCommand, CrossReference, Customer, Record
from streams.runtime.codec import AvroCodec
from streams.runtime.settings import KafkaSettings
from streams.runtime.store import CompactedStore
from streams.transforms.ledger import Ledger
from streams.transforms.matching import normalise
from streams.transforms.sources import FRESHBOOKS_TABLES, TABLE_TOPICS

V = TypeVar("V")
# Bounds memory; a forgotten document costs one command that finds nothing to do.
_MOST_ISSUED = 200_000
_CUSTOMER_INDEXES = ("our_account_number", "vat_number", "name")


class _Index:
    """Keys of rows by (company, field, normalised value)."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str, str], set[str]] = defaultdict(set)

    def replace(self, key: str, old: Customer | None, new: Customer | None) -> None:
        for row, change in ((old, set.discard), (new, set.add)):
            if row is None:
                continue
            for name in _CUSTOMER_INDEXES:
                value = normalise(name, getattr(row, name))
                if value:
                    change(self._keys[row.company.lower(), name, value], key)

    def find(self, company: str, field: str, value: str) -> Sequence[str]:
        wanted = normalise(field, value)
        return sorted(self._keys.get((company.lower(), field, wanted), ())) if wanted else ()


class MasterData:
    """The stores `xref` and `master.customers`, and those of FreshBooks' look-up data that flows ask for (`tables`).

    Recovered at start and followed since. `changed` is called, from a reader's thread, with the `waits_for` text of
    whatever arrived.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        codec: AvroCodec,
        changed: Callable[[str], None] = lambda _what: None,
        tables: Iterable[str] = (),
    ) -> None:
        self._changed = changed
        self._by_ax: dict[str, str] = {}
        self._index = _Index()
        self._issued: OrderedDict[str, str | None] = OrderedDict()
        self.xrefs = CompactedStore(topics.XREF, CrossReference, kafka=kafka, codec=codec, listener=self._xref_changed)
        self.customers = CompactedStore(
            topics.MASTER_CUSTOMERS, Customer, kafka=kafka, codec=codec, listener=self._customer_changed
        )
        self._tables: dict[str, CompactedStore[Any]] = {"customers": self.customers}
        self._kinds = {"customer": "customers"}
        for table in tables:
            self._add_table(table, kafka, codec)

    def xref(self, account_id: str, kind: str, freshbooks_id: int) -> CrossReference | None:
        """The AX object of a FreshBooks entity."""
        return self.xrefs.get(keys.freshbooks_key(account_id, kind, freshbooks_id))

    def xref_by_ax(self, company: str, entity: str, ax_id: str) -> CrossReference | None:
        """The FreshBooks entity of an AX object."""
        key = self._by_ax.get(keys.ax_key(company, entity, ax_id))
        return self.xrefs.get(key) if key else None

    def customer(self, company: str, account_number: str) -> Customer | None:
        """The AX customer of an account number."""
        return self.customers.get(keys.ax_key(company, "customer", account_number))

    def row(self, table: str, key: str) -> Record | None:
        """A row that flows look up. Raises KeyError for a table that no store holds."""
        return self._tables[table].get(key)

    def rows_by(self, table: str, company: str, field_name: str, value: str) -> Sequence[Record]:
        """Rows of an AX table whose field equals `value`, compared normalised."""
        store = self._tables[table]
        rows = (store.get(key) for key in self._index.find(company, field_name, value))
        return [row for row in rows if row is not None]

    def rows_of(self, table: str, company: str) -> Iterable[Record]:
        """All rows of an AX table in a company, one after the other."""
        return (row for _, row in self._tables[table].items() if row.company.lower() == company)

    def ledger(self, company: str) -> Ledger | None:  # noqa: ARG002 - nothing is captured for any company
        """AX's ledger: its tables are not captured yet, so AX checks accounts, dimensions and periods when it posts."""
        return None

    def issued(self, key: str, command: AxCommand) -> None:
        """Note the newest command for a document: what the cross-reference will say when AX has confirmed it."""
        self._issued[key] = None if command.operation.cancels else command.document_hash
        self._issued.move_to_end(key)
        if len(self._issued) > _MOST_ISSUED:
            self._issued.popitem(last=False)

    def settled(self, account_id: str, kind: str, freshbooks_id: int) -> bool:
        """True when the newest command for a document is known and the cross-reference shows what it asked for."""
        key = keys.freshbooks_key(account_id, kind, freshbooks_id)
        if key not in self._issued:
            return False
        row, wanted = self.xrefs.get(key), self._issued[key]
        held = None if row is None or row.cancelled else row.document_hash
        return held == wanted

    def arrived(self, waits_for: str) -> bool:
        """True when what a parked record waits for is there: `xref <key>` or `master <key>`."""
        where, _, key = waits_for.partition(" ")
        if where == "xref":
            return self.xrefs.get(key) is not None
        kind = key.split(":")[1] if where == "master" else ""
        return kind in self._kinds and self.row(self._kinds[kind], key) is not None

    @property
    def stores(self) -> Sequence[CompactedStore[Any]]:
        """All stores, to be started and watched."""
        return (*self._tables.values(), self.xrefs)

    def _add_table(self, table: str, kafka: KafkaSettings, codec: AvroCodec) -> None:
        source = FRESHBOOKS_TABLES[table]

        def arrived(key: str, _old: Record | None, new: Record | None) -> None:
            if new is not None:
                self._changed(f"master {key}")

        self._tables[table] = CompactedStore(
            TABLE_TOPICS[table], source.record, kafka=kafka, codec=codec, listener=arrived
        )
        self._kinds[source.kind] = table

    def _xref_changed(self, key: str, old: CrossReference | None, new: CrossReference | None) -> None:
        if old is not None:
            self._by_ax.pop(keys.ax_key(old.company, old.entity, old.ax_id), None)
        if new is not None:
            self._by_ax[keys.ax_key(new.company, new.entity, new.ax_id)] = key
            self._changed(f"xref {key}")

    def _customer_changed(self, key: str, old: Customer | None, new: Customer | None) -> None:
        self._index.replace(key, old, new)
        if new is not None:
            self._changed(f"master {key}")
