"""One AX system for the tests of this folder; every test gets it with its switches reset and no fault pending."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import mssql_python
import pytest

from tests.kit.ax_port import AxPort, ax_port


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
    """Path of Microsoft's ODBC driver, as the mssql-python package ships it."""
    root = Path(mssql_python.__file__).parents[1]
    found = sorted(root.glob("mssql_python_odbc/libs/linux/debian_ubuntu/x86_64/lib/libmsodbcsql-18*.so*"))
    assert found, "install the development requirements: the mssql-python package ships Microsoft's driver"
    return str(found[-1])
