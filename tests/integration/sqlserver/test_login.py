"""Who may connect, and how."""

import pyodbc
import pytest


def test_a_login_with_the_right_password_is_let_in(connect):
    assert tuple(connect().execute("SELECT SUSER_SNAME(), DB_NAME()").fetchone()) == ("sa", "AX")


def test_encryption_is_offered(connect, driver):
    extra = "TrustServerCertificate=yes" if driver == "microsoft" else ""
    assert connect(encrypt="yes", extra=extra).execute("SELECT 1").fetchval() == 1


def test_a_wrong_password_is_18456(connect, error_number):
    with pytest.raises(pyodbc.Error) as refused:
        connect(password="wrong")
    assert error_number(refused.value) == 18456


def test_an_unknown_user_is_18456(connect, error_number):
    with pytest.raises(pyodbc.Error) as refused:
        connect(user="nobody")
    assert error_number(refused.value) == 18456


def test_an_unknown_database_is_4060(connect, error_number, driver):
    with pytest.raises(pyodbc.ProgrammingError) as refused:
        connect(database="NOPE")
    # FreeTDS reports the second of the two errors that the server sends.
    assert error_number(refused.value) == (4060 if driver == "microsoft" else 18456)


def test_a_login_fault_is_told_with_its_number(sql_server, connect, error_number):
    sql_server.call(lambda: sql_server.server.faults.refuse_logins(number=40613))
    with pytest.raises(pyodbc.Error) as refused:
        connect()
    assert error_number(refused.value) == 40613
    assert connect().execute("SELECT 1").fetchval() == 1


class TestMicrosoftDriverChecksTheCertificate:
    @pytest.fixture
    def driver(self):
        return "microsoft"

    def test_our_authority_is_accepted(self, connect, sql_server, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(sql_server.server.ca_file))
        assert connect(encrypt="yes").execute("SELECT 1").fetchval() == 1

    def test_an_unknown_authority_is_refused(self, connect):
        with pytest.raises(pyodbc.OperationalError) as refused:
            connect(encrypt="yes")
        assert refused.value.args[0] == "08001"

    def test_tds_8_strict_with_the_certificate_pinned(self, connect, sql_server):
        pinned = f"ServerCertificate={sql_server.server.server_certificate_file}"
        assert connect(encrypt="strict", extra=pinned).execute("SELECT 1").fetchval() == 1

    def test_tds_8_strict_with_our_authority(self, connect, sql_server, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(sql_server.server.ca_file))
        assert connect(encrypt="strict").execute("SELECT 1").fetchval() == 1
