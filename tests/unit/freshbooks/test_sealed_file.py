"""The encrypted file that processes share: durable, unreadable without its key, never half written, locked."""

import asyncio
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from connectors.freshbooks.sealed_file import SealedFile
from schemas.failures import FatalError, RetryableError
from tests.kit.freshbooks import KEY


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = SealedFile(tmp_path / "deep" / "file", KEY)
    assert file.read() is None
    file.write({"a": "ü"})
    assert SealedFile(tmp_path / "deep" / "file", KEY).read() == {"a": "ü"}


def test_nothing_of_it_can_be_read_and_nobody_else_may(tmp_path: Path) -> None:
    path = tmp_path / "file"
    SealedFile(path, KEY).write({"token": "canary-1234"})
    assert b"canary" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_another_key_or_a_damaged_file_is_fatal_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "file"
    SealedFile(path, KEY).write({"a": 1})
    with pytest.raises(FatalError, match="another key"):
        SealedFile(path, SecretStr(Fernet.generate_key().decode())).read()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(FatalError) as failure:
        SealedFile(path, KEY).read()
    assert failure.value.code == "sealed_file_unreadable"


def test_an_empty_file_holds_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert SealedFile(tmp_path / "file", KEY).read() is None


def test_a_key_that_is_none_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="generate_key") as failure:
        SealedFile(tmp_path / "file", SecretStr("hunter2"))
    assert "hunter2" not in str(failure.value)


def test_a_write_that_cannot_be_done_leaves_the_old_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SealedFile(tmp_path / "file", KEY)
    file.write({"n": 1})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FatalError, match="No space left"):
        file.write({"n": 2})
    assert file.read() == {"n": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_stamp_changes_with_every_write(tmp_path: Path) -> None:
    file = SealedFile(tmp_path / "file", KEY)
    stamps = [file.stamp]
    for number in range(3):
        file.write({"n": number})
        stamps.append(file.stamp)
    assert len(set(stamps)) == 4


def test_the_lock_is_held_by_one_and_goes_away_with_its_holder(tmp_path: Path) -> None:
    async def run() -> None:
        file, twin = SealedFile(tmp_path / "file", KEY), SealedFile(tmp_path / "file", KEY)
        async with file.locked(1):
            with pytest.raises(RetryableError) as failure:
                async with twin.locked(0.05):
                    raise AssertionError("two hold the lock")
            assert failure.value.code == "lock_busy"
        async with twin.locked(0.05):
            pass

    asyncio.run(run())


def test_a_waiter_that_is_cancelled_leaves_no_lock_behind(tmp_path: Path) -> None:
    async def run() -> None:
        file = SealedFile(tmp_path / "file", KEY)

        async def wait() -> None:
            async with file.locked(10):
                raise AssertionError("never its turn")

        async with file.locked(1):
            waiter = asyncio.create_task(wait())
            await asyncio.sleep(0)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        async with file.locked(0.05):
            pass

    asyncio.run(run())
