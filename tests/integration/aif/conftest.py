"""One AX system for the tests of this folder, and Microsoft's driver."""

import pytest

from tests.kit.ax_fixtures import ax as ax
from tests.kit.ax_fixtures import ax_system as ax_system
from tests.kit.ax_fixtures import invoice_id as invoice_id
from tests.kit.odbc import microsoft_driver_path


@pytest.fixture(scope="session")
def microsoft_driver() -> str:
    """Microsoft's ODBC driver."""
    return microsoft_driver_path()
