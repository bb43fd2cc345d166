"""Watches a running demo: reads both simulators' stored state, and the topics `dlq` and `parked`.

The state of the two ends decides; what the pipeline says of itself only explains a document that AX does not have.
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import fastavro
import httpx
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from sandbox.demo.ledger import AxCustomer, AxInvoice, FreshBooksClient, FreshBooksInvoice, SetAside

Json = dict[str, Any]
_MARKER = re.compile(r"\[AX:[^/\]]+/([^\]]+)\]")
_TIMEOUT_SECONDS = 20.0
_EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class Ends:
    """Both ends at one moment."""

    clients: list[FreshBooksClient] = field(default_factory=list)
    invoices: list[FreshBooksInvoice] = field(default_factory=list)
    customers: list[AxCustomer] = field(default_factory=list)
    ax_invoices: list[AxInvoice] = field(default_factory=list)


class Observer:
    """Reads the ends on demand and the markers on FreshBooks continuously; a context manager."""

    def __init__(self, *, freshbooks: Json, ax: Json, kafka: str) -> None:
        self._freshbooks = freshbooks
        self._ax = ax
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._aside = SetAsideReader(kafka)
        self._markers: dict[tuple[str, int], tuple[str, float]] = {}
        self._names: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="observer", daemon=True)

    def __enter__(self) -> Observer:
        self._aside.start()
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)
        self._aside.stop()
        self._http.close()

    def marker(self, kind: str, entity_id: int) -> str | None:
        """The AX id that stands on a FreshBooks record, as last seen."""
        with self._lock:
            seen = self._markers.get((kind, entity_id))
        return seen[0] if seen else None

    def marker_seen_at(self, kind: str, entity_id: int) -> float | None:
        """When the present AX id was first seen on the record, monotonic seconds."""
        with self._lock:
            seen = self._markers.get((kind, entity_id))
        return seen[1] if seen else None

    def name_seen_at(self, name: str) -> float | None:
        """When a FreshBooks client was first seen with this organization, monotonic seconds."""
        with self._lock:
            return self._names.get(name)

    def set_aside(self) -> Mapping[tuple[str, int], SetAside]:
        """What lies in the DLQ and in `parked`, by (kind, FreshBooks id)."""
        return self._aside.found()

    def ends(self) -> Ends:
        """Both ends as they are stored now."""
        freshbooks, ax = self._freshbooks_state(), self._get(f"{self._ax['control_url']}/state")
        return Ends(
            clients=[_client(one) for one in freshbooks["clients"]],
            invoices=[_invoice(one) for one in freshbooks["invoices"]],
            customers=[_customer(one) for one in ax["customers"]],
            ax_invoices=[_ax_invoice(one) for one in ax["free_text_invoices"]],
        )

    def _watch(self) -> None:
        while not self._stopping.wait(_EVERY_SECONDS):
            try:
                state = self._freshbooks_state()
            except httpx.HTTPError:
                continue  # the simulator is busy or ending; the next look decides
            now = time.monotonic()
            with self._lock:
                for one in state["clients"]:
                    self._saw("client", one["id"], one.get("note"), now)
                    self._names.setdefault(one.get("organization") or "", now)
                for one in state["invoices"]:
                    self._saw("invoice", one["id"], f"{one.get('po_number')} {one.get('notes')}", now)

    def _saw(self, kind: str, entity_id: int, text: str | None, now: float) -> None:
        match = _MARKER.search(text or "")
        if match is None:
            return
        before = self._markers.get((kind, entity_id))
        if before is None or before[0] != match[1]:
            self._markers[kind, entity_id] = (match[1], now)

    def _freshbooks_state(self) -> Json:
        return self._get(f"{self._freshbooks['control_url']}/state?deliveries=0")

    def _get(self, url: str) -> Json:
        answer = self._http.get(url)
        answer.raise_for_status()
        return cast("Json", answer.json())


class SetAsideReader:
    """Follows the topics `dlq` and `parked` from their beginning."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._letters: dict[tuple[str, int], SetAside] = {}
        self._parked: dict[tuple[str, int], SetAside] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="set aside", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def found(self) -> dict[tuple[str, int], SetAside]:
        """What is set aside now."""
        with self._lock:
            return self._parked | self._letters

    def _follow(self) -> None:
        consumer = Consumer(
            {"bootstrap.servers": self._kafka, "group.id": "freshax-demo-observer", "enable.auto.commit": False}
        )
        partitions = [
            TopicPartition(topic, number, OFFSET_BEGINNING)
            for topic in ("dlq", "parked")
            for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ]
        consumer.assign(partitions)
        try:
            while not self._stopping.is_set():
                message = consumer.poll(0.2)
                if message is not None and message.error() is None:
                    self._take(message)
        finally:
            consumer.close()

    def _take(self, message: Any) -> None:
        parts = (message.key() or b"").decode("utf-8", "replace").split(":")
        if len(parts) != 3 or not parts[2].isdigit():
            return
        place = (parts[1], int(parts[2]))
        with self._lock:
            if message.topic() == "dlq":
                headers = {name: (value or b"").decode() for name, value in message.headers() or ()}
                reason = f"{headers.get('freshax.dlq.code')}: {headers.get('__connect.errors.exception.message')}"
                self._letters[place] = SetAside("dead_lettered", reason)
            elif message.value() is None:
                self._parked.pop(place, None)
            else:
                self._parked[place] = SetAside("parked", _parked_reason(message.value()))


def _parked_reason(value: bytes) -> str:
    """Reason in a parked row: Avro in Confluent framing, read with this release's own schema."""
    from schemas import avro

    row = fastavro.schemaless_reader(io.BytesIO(value[5:]), fastavro.parse_schema(avro.load("parked")), None)
    return str(cast("Json", row)["reason"]) if isinstance(row, dict) else json.dumps(str(row))


def _client(one: Json) -> FreshBooksClient:
    return FreshBooksClient(
        client_id=one["id"],
        organization=one.get("organization") or "",
        first_name=one.get("fname") or "",
        last_name=one.get("lname") or "",
        email=one.get("email") or "",
        vat=one.get("vat_number") or "",
        note=one.get("note") or "",
        deleted=one.get("vis_state") == 1,
    )


def _invoice(one: Json) -> FreshBooksInvoice:
    return FreshBooksInvoice(
        invoice_id=one["id"],
        client_id=one["customerid"],
        number=one["invoice_number"],
        currency=one["currency_code"],
        total=Decimal(one["amount"]["amount"]),
        draft=one["v3_status"] in ("draft", "created"),
        deleted=one.get("vis_state") == 1,
        po_number=one.get("po_number") or "",
        notes=one.get("notes") or "",
    )


def _customer(one: Json) -> AxCustomer:
    return AxCustomer(
        company=one["company"],
        account=one["account"],
        name=one["name"],
        vat=one.get("vat") or one.get("vat_number") or "",
        our_account_number=one.get("our_account_number") or "",
    )


def _ax_invoice(one: Json) -> AxInvoice:
    return AxInvoice(
        company=one["company"],
        rec_id=int(one["rec_id"]),
        account=one["customer_account"],
        currency=one["currency"],
        customer_ref=one["customer_ref"],
        total=Decimal(one["total"]),
    )
