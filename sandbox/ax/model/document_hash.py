"""The hash that a read document carries and an update must send back."""

import hashlib
from collections.abc import Iterable

from sandbox.ax.model.database import Row


def document_hash(rows: Iterable[Row]) -> str:
    """Return 32 hex digits over RecId and RecVersion of all records: it says *that* something changed, not what."""
    text = ",".join(sorted(f"{row['RECID']}:{row['RECVERSION']}" for row in rows))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
