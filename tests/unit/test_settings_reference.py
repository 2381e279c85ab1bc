"""The settings' reference in docs/ is what the models say."""

from __future__ import annotations

from pathlib import Path

from settings.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "run: python -m settings.reference > docs/reference/settings.md"
    )
