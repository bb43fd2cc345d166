"""Messages that were processed, by operation and MessageId: what makes an operation idempotent in AIF.

The row is written first in the call's own transaction. A second call with the same id, at the same time, then
waits at the unique key until the first one commits (it is a duplicate) or rolls back (it goes on), and a failed
call leaves no row.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

import psycopg

from sandbox.ax.model.database import Transaction
from sandbox.ax.model.faults import AifError

CACHE_HOURS = 24
"""Response cache lifetime of AIF's global settings (default; ax-aif.md section 9.2)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The id was processed before; `response` is the first answer's body while it is in the cache, else None."""

    response: bytes | None


def normalised(message_id: str) -> str:
    """Return a MessageId in lower case without braces. Raises: AifError when it is no GUID (text unverified)."""
    try:
        return str(uuid.UUID(message_id.strip()))
    except ValueError as error:
        raise AifError(f"The message id '{message_id}' is not a GUID.", xpp=None, code="InvalidMessageId") from error


def claim(transaction: Transaction, operation: str, message_id: str) -> Seen | None:
    """Write down that this transaction processes the message; return Seen when another one has done so."""
    insert = (
        "INSERT INTO ax.message (operation, message_id, processed_at) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING operation"
    )
    if transaction.execute(insert, [operation, message_id, transaction.now]):
        return None
    select = "SELECT response, processed_at FROM ax.message WHERE operation = %s AND message_id = %s"
    row = transaction.execute(select, [operation, message_id])[0]
    fresh = row["processed_at"] + timedelta(hours=CACHE_HOURS) > transaction.now
    return Seen(bytes(row["response"]) if fresh and row["response"] is not None else None)


def keep_response(transaction: Transaction, operation: str, message_id: str, response: bytes) -> None:
    """Keep the answer's body for the mode that replays it."""
    update = "UPDATE ax.message SET response = %s WHERE operation = %s AND message_id = %s"
    transaction.execute(update, [psycopg.Binary(response), operation, message_id])
