"""TLS is checked by both drivers: the right certificate is accepted, a stranger's is not, and that is not retried."""

import pytest

from connectors.ax.sql import SqlConnection
from sandbox.sqlserver import certificates
from schemas.failures import Failure, FatalError, RetryableError


@pytest.fixture
def encrypted(sql_settings):
    return lambda **changes: sql_settings.model_copy(update={"encrypt": "yes"} | changes)


def test_the_certificate_named_in_the_settings_is_accepted(encrypted, sql_server, driver):
    server = sql_server.server
    # FreeTDS takes the issuer too; Microsoft's driver compares the certificate itself, and only in strict mode.
    named = (
        {"server_certificate": server.ca_file}
        if driver == "FreeTDS"
        else {"server_certificate": server.server_certificate_file, "encrypt": "strict"}
    )
    with SqlConnection(encrypted(**named)) as connection:
        assert connection.row("SELECT N'Ünïcode 🪲' AS text", action="asking") == {"text": "Ünïcode 🪲"}


def refusal(settings) -> tuple[type, str]:
    with pytest.raises(Failure) as refused:
        SqlConnection(settings)
    return type(refused.value), refused.value.code


# What FreeTDS says does not tell an untrusted certificate from an unknown name, so it is tried a few times.
REFUSED = {"FreeTDS": (RetryableError, "sql_no_handshake")}
UNTRUSTED = (FatalError, "sql_certificate_untrusted")


def test_a_strangers_certificate_is_refused(encrypted, driver, tmp_path):
    certificates.ensure(tmp_path)
    named = "ca.pem" if driver == "FreeTDS" else "server.pem"
    mode = "yes" if driver == "FreeTDS" else "strict"
    settings = encrypted(server_certificate=tmp_path / named, encrypt=mode)
    assert refusal(settings) == REFUSED.get(driver, UNTRUSTED)


def test_without_a_named_certificate_the_systems_trust_decides(encrypted, driver):
    assert refusal(encrypted()) == REFUSED.get(driver, UNTRUSTED)


@pytest.mark.parametrize("driver", ["microsoft"], indirect=True)
def test_the_systems_trust_is_honoured_by_microsofts_driver(encrypted, sql_server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(sql_server.server.ca_file))
    with SqlConnection(encrypted()) as connection:
        assert connection.row("SELECT 1 AS one", action="asking") == {"one": 1}


def test_trust_is_an_explicit_switch(encrypted):
    with SqlConnection(encrypted(trust_server_certificate=True)) as connection:
        assert connection.row("SELECT 1 AS one", action="asking") == {"one": 1}


@pytest.mark.parametrize("driver", ["microsoft"], indirect=True)
def test_a_named_certificate_that_would_be_ignored_is_a_wrong_setting(encrypted, sql_server):
    settings = encrypted(server_certificate=sql_server.server.server_certificate_file)
    assert refusal(settings) == (FatalError, "setting_invalid")
