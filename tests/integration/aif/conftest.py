"""One AX system for the tests of this folder; every test gets it with its switches reset and no fault pending."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.kit.ax_port import AxPort, ax_port
from tests.kit.odbc import microsoft_driver_path


@pytest.fixture(scope="session")
def ax_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AxPort]:
    with ax_port(tmp_path_factory.mktemp("ax")) as port:
        yield port


@pytest.fixture
def ax(ax_system: AxPort) -> Iterator[AxPort]:
    yield ax_system
    ax_system.reset()


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return count(9001)


@pytest.fixture
def invoice_id(_numbers: Iterator[int]) -> int:
    """A FreshBooks id that no other test uses."""
    return next(_numbers)


@pytest.fixture(scope="session")
def microsoft_driver() -> str:
    """Microsoft's ODBC driver."""
    return microsoft_driver_path()
