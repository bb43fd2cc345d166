"""Fixtures of the tests against a running AX system: one for all tests of a folder, reset after each.

A folder's conftest imports them: pytest finds fixtures there.
"""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.kit.ax_port import AxPort, ax_port

_numbers = count(9001)


@pytest.fixture(scope="session")
def ax_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AxPort]:
    with ax_port(tmp_path_factory.mktemp("ax")) as port:
        yield port


@pytest.fixture
def ax(ax_system: AxPort) -> Iterator[AxPort]:
    """The system with its switches as configured and no fault pending."""
    yield ax_system
    ax_system.reset()


@pytest.fixture
def invoice_id() -> int:
    """A FreshBooks id that no other test uses."""
    return next(_numbers)
