"""Rights in T-SQL become rights of PostgreSQL roles."""

import pytest

from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.security import statement


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("CREATE USER reader FOR LOGIN reader", ["SELECT sys.create_role('reader', True)"]),
        ("CREATE ROLE [gate]", ['CREATE ROLE "gate"']),
        ("ALTER ROLE db_datareader ADD MEMBER reader", ['GRANT "db_datareader" TO "reader"']),
        ("ALTER ROLE gate DROP MEMBER [reader]", ['REVOKE "gate" FROM "reader"']),
        ("GRANT SELECT ON SCHEMA::cdc TO reader;", ["SELECT sys.grant_on_schema('cdc', 'select', 'reader')"]),
        ("REVOKE SELECT ON SCHEMA :: [cdc] FROM reader", ["SELECT sys.revoke_on_schema('cdc', 'select', 'reader')"]),
        ("GRANT VIEW DATABASE STATE TO reader", ['GRANT view_database_state TO "reader"']),
        (
            "GRANT SELECT, INSERT ON OBJECT::dbo.[T] TO reader",
            ["SELECT sys.grant_on_table('GRANT', 'SELECT, INSERT', 'dbo', 'T', '', 'reader')"],
        ),
        (
            "GRANT SELECT ON dbo.T ([A], B) TO reader",
            ["""SELECT sys.grant_on_table('GRANT', 'SELECT', 'dbo', 'T', '"A", "B"', 'reader')"""],
        ),
    ],
)
def test_statements(text, commands):
    change = statement(text)
    assert change is not None
    assert change.commands == commands


def test_a_login_is_remembered_with_its_password():
    change = statement("CREATE LOGIN [x] WITH PASSWORD = N'it''s', CHECK_POLICY = OFF")
    assert change is not None
    assert change.login == ("x", "it's")


def test_other_statements_are_not_about_rights():
    assert statement("CREATE TABLE dbo.T (A int)") is None
    assert statement("SELECT 1") is None


def test_rights_that_are_not_simulated_are_refused():
    with pytest.raises(SqlError) as refused:
        statement("GRANT CONTROL ON dbo.T TO reader")
    assert refused.value.number == 40000
