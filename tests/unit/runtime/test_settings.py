"""Settings are checked whole before the first I/O; a wrong one is named with value and remedy, a secret never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.failures import FatalError
from streams.runtime.settings import load_settings


def test_the_environment_fills_sections() -> None:
    settings = load_settings(
        {"FRESHAX_KAFKA__BOOTSTRAP_SERVERS": "k1:9092,k2:9092", "FRESHAX_POLL__INTERVAL_SECONDS": "5"}
    )

    assert settings.kafka.bootstrap_servers == "k1:9092,k2:9092"
    assert settings.poll.interval_seconds == 5


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("FRESHAX_AIF__TIMEOUT_SECONDS", "0", "greater than 0"),
        ("FRESHAX_AIF__TIMEOUT_SECONDS", "soon", "'soon'"),
        ("FRESHAX_AX_SQL__PORT", "70000", "65535"),
        ("FRESHAX_KAFKA__SECURITY_PROTOCOL", "TLS", "SASL_SSL"),
        ("FRESHAX_AIF__TIMEOUT", "5", "no such setting"),
        ("FRESHAX_AIFF__URL", "x", "sections: kafka"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(name: str, value: str, told: str) -> None:
    with pytest.raises(FatalError) as caught:
        load_settings({name: value})

    assert caught.value.code == "setting_invalid"
    assert name in caught.value.message
    assert told in caught.value.message


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(FatalError) as caught:
        load_settings({"FRESHAX_AIF__TIMEOUT_SECONDS": "0", "FRESHAX_AX_SQL__PORT": "0"})

    assert caught.value.message.count("FRESHAX_") == 2


def test_a_secret_is_masked_in_every_print_and_error() -> None:
    canary = "canary-5f2c"
    settings = load_settings({"FRESHAX_AIF__PASSWORD": canary, "FRESHAX_FRESHBOOKS__CLIENT_SECRET": canary})

    assert canary not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.aif.password.get_secret_value() == canary


def test_a_secret_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from-a-file\n")

    settings = load_settings({"FRESHAX_AIF__PASSWORD_FILE": str(file)})

    assert settings.aif.password.get_secret_value() == "from-a-file"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "freshax.yaml"
    file.write_text("poll: {interval_seconds: 7, page_size: 50}\n")

    settings = load_settings({"FRESHAX_CONFIG": str(file), "FRESHAX_POLL__INTERVAL_SECONDS": "9"})

    assert (settings.poll.interval_seconds, settings.poll.page_size) == (9, 50)


def test_a_missing_required_setting_is_named_as_its_variable() -> None:
    with pytest.raises(FatalError, match="FRESHAX_AIF__URL") as caught:
        load_settings({}).require("aif.url")

    assert caught.value.code == "setting_missing"


def test_variables_of_others_are_left_alone() -> None:
    assert load_settings({"PATH": "/bin", "FRESHAX_CACHE": "x"}) == load_settings({})


def test_tables_are_a_json_list() -> None:
    given = {"FRESHAX_CAPTURE__TABLES": '["dbo.VENDTABLE", "EXCHRATES"]'}

    assert load_settings(given).capture.tables == ("dbo.VENDTABLE", "EXCHRATES")


@pytest.mark.parametrize(
    "text", ["dbo.VENDTABLE", '{"a": 1}', '["a.b.c"]', '["dbo."]', '["dbo.VEND TABLE"]', '["dbo.[X]"]', '["dbo.1"]']
)
def test_what_is_no_list_of_tables_is_refused_by_name(text: str) -> None:
    with pytest.raises(FatalError, match="FRESHAX_CAPTURE__TABLES"):
        load_settings({"FRESHAX_CAPTURE__TABLES": text})
