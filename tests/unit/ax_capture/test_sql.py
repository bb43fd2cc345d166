"""How settings become a connection, for each of the two drivers."""

from pathlib import Path

import pytest

from connectors.ax.sql import connection_string, driver_kind, freetds_conf, quoted
from schemas.failures import FatalError
from streams.runtime.settings import AxSqlSettings


def settings(**given) -> AxSqlSettings:
    return AxSqlSettings.model_validate({"password": "pw", "server": "sql.example"} | given)


@pytest.mark.parametrize(
    ("driver", "kind"),
    [
        ("FreeTDS", "freetds"),
        ("/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so", "freetds"),
        ("ODBC Driver 18 for SQL Server", "microsoft"),
        ("/opt/libmsodbcsql-18.6.so.2.1", "microsoft"),
    ],
)
def test_a_driver_is_known_by_its_name_or_its_file(driver, kind):
    assert driver_kind(settings(driver=driver)) == kind


def test_microsofts_driver_checks_the_certificate_and_asks_for_a_readable_secondary():
    text = connection_string(settings())
    assert "SERVER={sql.example,1433}" in text
    assert "Encrypt=yes;TrustServerCertificate=no" in text
    assert "ApplicationIntent=ReadOnly" in text
    assert "ConnectRetryCount=0" in text


def test_a_password_with_signs_of_meaning_stays_one_value():
    assert "PWD={a;b}}c={d}" in connection_string(settings(password="a;b}c={d"))


def test_a_certificate_that_microsofts_driver_would_ignore_is_refused():
    with pytest.raises(FatalError, match="ENCRYPT=strict"):
        connection_string(settings(server_certificate=Path("server.pem")))
    named = connection_string(settings(server_certificate=Path("server.pem"), encrypt="strict"))
    assert "ServerCertificate=server.pem" in named


def test_freetds_checks_the_certificate_against_the_systems_store_unless_told_otherwise():
    assert "ca file = system" in freetds_conf(settings(driver="FreeTDS"))
    assert "ca file = ca.pem" in freetds_conf(settings(driver="FreeTDS", server_certificate=Path("ca.pem")))
    assert "ca file" not in freetds_conf(settings(driver="FreeTDS", trust_server_certificate=True))
    assert "encryption = require" in freetds_conf(settings(driver="FreeTDS"))


@pytest.mark.parametrize("name", ["a]b", "", "x" * 129, "a\nb"])
def test_an_identifier_that_could_break_out_of_its_brackets_is_refused(name):
    with pytest.raises(ValueError, match="identifier"):
        quoted(name)


def test_an_identifier_is_put_in_brackets():
    assert quoted("dbo_CUSTTABLE_CT") == "[dbo_CUSTTABLE_CT]"
