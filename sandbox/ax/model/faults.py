"""What X++ code throws, as the AIF fault carries it.

`XppExceptionType` is the ordinal of the X++ Exception enum (ax-aif.md section 9.1). Texts marked unverified in
the reference are only a best guess: clients must not decide on them.
"""

from enum import IntEnum


class Xpp(IntEnum):
    """Ordinals of the X++ Exception enum that the port reports."""

    DEADLOCK = 2
    ERROR = 3
    UPDATE_CONFLICT = 11
    DUPLICATE_KEY = 13
    TIMEOUT = 15


class AifError(Exception):
    """A service operation failed: the transaction is rolled back and this becomes the fault.

    `messages` are the infolog lines, the deciding one last. `xpp` None stands for faults that AIF raises before
    X++ runs (schema errors): they carry no exception type. `code` is the AIF code, `field` the document field
    it is about ('' when none).
    """

    def __init__(self, *messages: str, xpp: Xpp | None = Xpp.ERROR, code: str = "", field: str = "") -> None:
        super().__init__(messages[-1])
        self.messages = messages
        self.xpp = xpp
        self.code = code
        self.field = field


class SchemaError(AifError):
    """F4: the document does not fit the XSD."""

    def __init__(self, report: str, field: str = "") -> None:
        text = f"Invalid document schema. The following error is reported: {report}"
        super().__init__(text, xpp=None, code="InvalidDocumentSchema", field=field)


def not_identified() -> AifError:
    """F1: no record has the entity key."""
    return AifError("No valid document identified from the entity key.", code="EntityNotFound")


def stale_hash() -> AifError:
    """F2: the document hash is not the stored one."""
    return AifError(
        "The document hash does not match the hash in the XML. The document may have been changed since last read."
    )


def already_exists(label: str, table: str, key: str) -> AifError:
    """F3: a record with this key exists."""
    return AifError(
        f"Cannot create a record in {label} ({table}). {key}.",
        "The record already exists.",
        xpp=Xpp.DUPLICATE_KEY,
    )


def duplicate_message() -> AifError:
    """F5: the MessageId was processed before."""
    return AifError("Duplicate message. Message has already been processed.", xpp=None, code="DuplicateMessage")


def missing_entity_keys() -> AifError:
    """F7: an update without entity keys, or with another number of them than documents."""
    return AifError("The parameter index is not valid.")


def not_found(value: str, field: str, table: str) -> AifError:
    """F9, F11, F13: a value is not in the table it refers to (text unverified for AX 2012)."""
    return AifError(
        f"The value '{value}' in field '{field}' is not found in the related table '{table}'.",
        code="ValidationFailed",
        field=field,
    )


def must_be_filled(field: str) -> AifError:
    """F10: a mandatory field is empty (text unverified)."""
    return AifError(f"Field '{field}' must be filled in.", code="ValidationFailed", field=field)


def invalid_combination(account: str, reason: str, field: str) -> AifError:
    """An account structure does not allow main account and dimensions (text unverified)."""
    return AifError(
        f"The combination of account {account} and its dimensions is not valid: {reason}.",
        code="ValidationFailed",
        field=field,
    )


def refused(text: str, field: str = "") -> AifError:
    """A business rule says no (texts unverified; F12 and the like)."""
    return AifError(text, code="ValidationFailed", field=field)


def update_conflict(table: str, recid: int) -> AifError:
    """F18: the RecVersion that came is not the stored one; names table and record as the reference says AX does."""
    return AifError(
        f"Cannot edit a record in {table} (RecId {recid}).",
        "An update conflict occurred due to another user process deleting the record or changing one or more fields "
        "in the record.",
        xpp=Xpp.UPDATE_CONFLICT,
    )


def deadlock() -> AifError:
    """F8: SQL Server chose this transaction as the deadlock victim."""
    return AifError("Deadlock, where one or more users have simultaneously locked the whole table.", xpp=Xpp.DEADLOCK)


def timeout() -> AifError:
    """F8: the AOS was busy for too long."""
    return AifError("The operation timed out.", xpp=Xpp.TIMEOUT)


def not_simulated(what: str) -> AifError:
    """The simulator cannot store `what`: it says so instead of dropping the value."""
    return AifError(f"Not simulated: {what}. The AX simulator has no column for it.", code="NotSimulated", field=what)
