"""One AX system for the SOAP libraries that judge the port."""

from collections.abc import Iterator

import pytest

from sandbox.ax.config import AxConfig, Switches
from sandbox.ax.system import AxSystem, running


@pytest.fixture(scope="session")
def ax_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AxSystem]:
    with running(AxConfig(switches=Switches(call_seconds=0.0)), tmp_path_factory.mktemp("ax")) as system:
        yield system
