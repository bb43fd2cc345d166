"""What the connector's unit tests share: settings with a real key, a clock that is set by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stamina
from pydantic import SecretStr

from streams.runtime.settings import FreshBooksSettings
from tests.kit.freshbooks import KEY, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(autouse=True)
def no_waiting() -> Any:
    """Retries follow each other at once: up to three attempts."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., FreshBooksSettings]:
    def make(**changes: Any) -> FreshBooksSettings:
        values = {
            "api_url": "http://127.0.0.1:1",
            "account_id": "ZyQ04o",
            "client_id": "app",
            "client_secret": SecretStr("app-secret"),
            "refresh_token": SecretStr("first-refresh"),
            "redirect_uri": "https://freshax.test/oauth",
            "token_file": tmp_path / "token",
            "token_key": KEY,
            "retry_budget_seconds": 5,
        }
        return FreshBooksSettings.model_validate({**values, **changes})

    return make
