"""The token file between real processes: one refresh for all, and nothing lost when one is killed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.freshbooks.token_store import TokenStore
from connectors.freshbooks.transport import http_client
from streams.runtime.settings import FreshBooksSettings
from tests.kit.freshbooks import Control

_DEADLINE_SECONDS = 30


def plain(settings: FreshBooksSettings) -> str:
    """Settings as JSON with their secrets, for another process."""
    secrets = ("client_secret", "refresh_token", "token_key")
    values = {
        **settings.model_dump(mode="json"),
        **{name: getattr(settings, name).get_secret_value() for name in secrets},
    }
    return json.dumps(values)


class TokenUsers:
    """Processes that use the token file; ended with the test."""

    def __init__(self, settings: FreshBooksSettings) -> None:
        self._settings = plain(settings)
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, mode: str = "use", rejected: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.freshbooks.token_user", self._settings, mode, rejected],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    @staticmethod
    def go(*processes: subprocess.Popen[str]) -> list[str]:
        """Let them all ask at the same moment; what each printed."""
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return [process.communicate(timeout=_DEADLINE_SECONDS)[0].strip() for process in processes]

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


@pytest.fixture
def users(settings: FreshBooksSettings) -> Iterator[TokenUsers]:
    made = TokenUsers(settings)
    yield made
    made.end()


def refreshes(control: Control) -> int:
    return control.requests("POST", "/auth/oauth/token", "-")


def here(settings: FreshBooksSettings) -> str:
    """A token as this process gets it."""

    async def run() -> str:
        async with http_client(settings) as http:
            return await TokenStore(settings, http=http).access_token()

    return asyncio.run(run())


def test_processes_that_need_a_token_at_once_use_one_refresh(users: TokenUsers, control: Control) -> None:
    before = refreshes(control)
    tokens = users.go(users.start(), users.start(), users.start())
    assert len(set(tokens)) == 1
    assert json.loads(tokens[0])
    assert refreshes(control) == before + 1


def test_processes_whose_token_was_rejected_at_once_use_one_refresh(
    users: TokenUsers, settings: FreshBooksSettings, control: Control
) -> None:
    old = here(settings)
    before = refreshes(control)
    tokens = users.go(users.start("refresh", old), users.start("refresh", old))
    assert len(set(tokens)) == 1
    assert json.loads(tokens[0]) != old
    assert refreshes(control) == before + 1


def test_a_process_killed_between_storing_and_using_a_pair_loses_nothing(
    users: TokenUsers, settings: FreshBooksSettings, control: Control
) -> None:
    before = refreshes(control)
    victim = users.start("die-before-use")
    assert users.go(victim) == [""]
    assert victim.returncode == -signal.SIGKILL
    (token,) = users.go(users.start())
    assert json.loads(token)
    assert refreshes(control) == before + 1
    (renewed,) = users.go(users.start("refresh", json.loads(token)))
    assert json.loads(renewed) != json.loads(token)
