"""A small JSON document in an encrypted file that several processes share: the token pair, the verifiers.

Encrypted with Fernet (AES-128-CBC and HMAC); mode 0600. A write is durable when `write` returns: temporary file, fsync,
rename, fsync of the folder; a reader sees the old document or the new one, never half of one. The lock is `flock` on a
file beside it (the document itself is replaced by every write), so it needs a local file system or one with locks, and
goes away with its holder.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from schemas.failures import FatalError, RetryableError

_POLL_SECONDS = 0.02


def fernet(key: SecretStr) -> Fernet:
    """The cipher of `key`. Raises FatalError (token_key_invalid) that says how to make one."""
    try:
        return Fernet(key.get_secret_value().encode())
    except ValueError:
        raise FatalError(
            "token_key_invalid",
            "reading settings: FRESHAX_FRESHBOOKS__TOKEN_KEY is no Fernet key; make one with python -c "
            '"from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"',
        ) from None


class SealedFile:
    """One encrypted document."""

    def __init__(self, path: Path, key: SecretStr) -> None:
        self._path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._fernet = fernet(key)

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Changes with every write, None without a file: tells a cheap re-read from a needless one."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino

    def read(self) -> dict[str, Any] | None:
        """The document, None when there is none yet.

        Raises: FatalError (sealed_file_unreadable) when the key does not fit or the content is damaged.
        """
        try:
            sealed = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror or type(error).__name__) from error
        if not sealed.strip():
            return None
        try:
            document = msgspec.json.decode(self._fernet.decrypt(sealed))
        except (InvalidToken, msgspec.DecodeError) as error:
            raise self._unreadable("it was written with another key or is damaged") from error
        if not isinstance(document, dict):
            raise self._unreadable("it is damaged")
        return document

    def write(self, document: dict[str, Any]) -> None:
        """Replace the document; durable on return. Raises FatalError (sealed_file_unwritable)."""
        sealed = self._fernet.encrypt(msgspec.json.encode(document))
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # mkstemp makes it 0600 from the start.
            descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{self._path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(sealed)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self._path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            _sync_folder(folder)
        except OSError as error:
            raise FatalError(
                "sealed_file_unwritable",
                f"writing {self._path}: {error.strerror}; check the folder, its rights and space",
            ) from error

    @contextlib.asynccontextmanager
    async def locked(self, timeout_seconds: float) -> AsyncIterator[None]:
        """Hold the lock that all processes share. Raises RetryableError (lock_busy) after `timeout_seconds`.

        Polled and not awaited in a thread: a cancelled waiter must leave no thread behind that takes the lock later.
        """
        try:
            self._lock_path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FatalError(
                "sealed_file_unwritable", f"locking {self._path}: {error.strerror}; check the folder and its rights"
            ) from error
        try:
            await self._acquire(descriptor, timeout_seconds)
            yield
        finally:
            os.close(descriptor)

    async def _acquire(self, descriptor: int, timeout_seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if asyncio.get_running_loop().time() > deadline:
                    raise RetryableError(
                        "lock_busy", f"locking {self._path}: another process holds it for over {timeout_seconds:.0f} s"
                    ) from None
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return

    def _unreadable(self, why: str) -> FatalError:
        return FatalError(
            "sealed_file_unreadable", f"reading {self._path}: {why}; restore file and key, or remove it and start anew"
        )


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
