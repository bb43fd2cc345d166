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


DRIVERS = pytest.mark.parametrize("driver", ["FreeTDS", "ODBC Driver 18 for SQL Server"])


def kerberos(**given) -> AxSqlSettings:
    return settings(**({"authentication": "kerberos", "password": ""} | given))


@DRIVERS
def test_kerberos_sends_neither_user_nor_password(driver):
    text = connection_string(kerberos(driver=driver, user="CONTOSO\\svc-freshax"))
    assert "Trusted_Connection=yes" in text
    assert "UID" not in text
    assert "PWD" not in text
    assert "svc-freshax" not in text


@DRIVERS
def test_kerberos_with_a_password_is_refused_without_telling_it(driver):
    with pytest.raises(FatalError, match=r"FRESHAX_AX_SQL__PASSWORD.*ticket") as refused:
        connection_string(kerberos(driver=driver, password="canary-4711"))
    assert refused.value.code == "setting_invalid"
    assert "canary-4711" not in str(refused.value)


@DRIVERS
def test_a_sql_login_without_a_password_is_refused(driver):
    with pytest.raises(FatalError, match="FRESHAX_AX_SQL__PASSWORD must be set") as refused:
        connection_string(settings(driver=driver, password=""))
    assert refused.value.code == "setting_missing"


def test_each_driver_hears_of_the_service_principal_in_its_own_way():
    spn = "MSSQLSvc/ax-sql.contoso.com:1433"
    assert f"ServerSPN={spn}" in connection_string(kerberos(server_spn=spn))
    conf = freetds_conf(kerberos(driver="FreeTDS", server_spn=spn, kerberos_realm="CONTOSO.COM"))
    assert f"spn = {spn}\n" in conf
    assert "realm = CONTOSO.COM\n" in conf


def test_tls_stays_on_and_checked_with_kerberos():
    assert "Encrypt=yes;TrustServerCertificate=no" in connection_string(kerberos())
    assert "ca file = system" in freetds_conf(kerberos(driver="FreeTDS"))


def test_a_listener_over_subnets_and_a_certificate_with_another_name():
    text = connection_string(settings(multi_subnet_failover=True, hostname_in_certificate="ax-listener.contoso.com"))
    assert "MultiSubnetFailover=yes" in text
    assert "HostnameInCertificate=ax-listener.contoso.com" in text
    plain = connection_string(settings())
    assert "MultiSubnetFailover" not in plain
    assert "HostnameInCertificate" not in plain


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"server_spn": "MSSQLSvc/x"}, "SERVER_SPN"),
        ({"driver": "FreeTDS", "kerberos_realm": "X"}, "KERBEROS_REALM"),
        ({"authentication": "kerberos", "password": "", "kerberos_realm": "X"}, "KERBEROS_REALM"),
        ({"driver": "FreeTDS", "hostname_in_certificate": "x"}, "HOSTNAME_IN_CERTIFICATE"),
        ({"driver": "FreeTDS", "multi_subnet_failover": True}, "MULTI_SUBNET_FAILOVER"),
    ],
)
def test_a_setting_that_the_driver_would_ignore_is_refused(given, named):
    with pytest.raises(FatalError, match=f"FRESHAX_AX_SQL__{named} does not fit") as refused:
        connection_string(settings(**given))
    assert refused.value.code == "setting_invalid"


def test_a_line_break_cannot_add_a_line_to_freetds_conf():
    with pytest.raises(FatalError, match="line break"):
        freetds_conf(settings(driver="FreeTDS", server="sql.example\nencryption = off"))
