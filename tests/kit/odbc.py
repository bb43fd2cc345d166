"""Microsoft's ODBC Driver 18, which the package `mssql-python` carries: for development and tests only."""

from pathlib import Path

import mssql_python


def microsoft_driver_path() -> str:
    """The driver's library, for `DRIVER=` in a connection string."""
    site_packages = Path(mssql_python.__file__).parents[1]
    found = sorted(site_packages.glob("mssql_python_odbc/libs/linux/debian_ubuntu/x86_64/lib/libmsodbcsql-18*.so*"))
    assert found, "the Microsoft ODBC driver is missing: install the development dependencies (make setup)"
    return str(found[0])
