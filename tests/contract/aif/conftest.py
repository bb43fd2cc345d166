"""One AX system for the tests of this folder."""

from tests.kit.ax_fixtures import ax as ax
from tests.kit.ax_fixtures import ax_system as ax_system
from tests.kit.ax_fixtures import invoice_id as invoice_id
