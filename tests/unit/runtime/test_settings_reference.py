"""docs/settings.md says what the classes check."""

from __future__ import annotations

from pathlib import Path

from streams.runtime.settings import Settings
from streams.runtime.settings_reference import settings_reference

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_as_printed() -> None:
    assert PAGE.read_text("utf-8") == settings_reference(), "run: freshax config reference > docs/settings.md"


def test_every_setting_has_a_meaning() -> None:
    without = [
        f"{section}.{name}"
        for section, field in Settings.model_fields.items()
        for name, info in field.annotation.model_fields.items()  # type: ignore[union-attr]
        if not info.description
    ]

    assert without == []
