"""Business keys of records, as Kafka message keys: UTF-8 text, parts joined by a colon.

One document's changes share a key, hence a partition, hence their order.
"""

from __future__ import annotations

import uuid

# Namespace of every deterministic id in freshax: the same command always has the same id, on every machine.
COMMAND_NAMESPACE = uuid.UUID("5f0c3d2e-7a41-5b8e-9c6d-2f4e8a1b0c3d")


def freshbooks_key(account_id: str, kind: str, entity_id: int | str) -> str:
    """Key of a FreshBooks entity: `ZyQ04o:invoice:9001`."""
    return f"{account_id}:{kind}:{entity_id}"


def ax_key(company: str, entity: str, ax_id: str) -> str:
    """Key of an AX entity: `usmf:customer:C-000001`. The company is case-insensitive in AX, so lower-cased here."""
    return f"{company.lower()}:{entity}:{ax_id}"


def command_id(target: str, key: str, content_version: str, operation: str) -> uuid.UUID:
    """Deterministic id (UUIDv5) of one command: same source state and operation, same id.

    `target` is `ax` or `freshbooks`; `key` the business key; `content_version` the hash of what is sent.
    """
    return uuid.uuid5(COMMAND_NAMESPACE, f"{target}|{key}|{content_version}|{operation}")
