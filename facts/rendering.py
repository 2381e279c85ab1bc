"""Templates to text: every line that reaches a machine comes from templates/ through here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


@cache
def _environment() -> Environment:
    # The text is shell and Dockerfiles, so HTML's escaping would corrupt it.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )


def render(template: str, **values: Any) -> str:
    """Return the text of `template`, a path under templates/. An unknown value in it is an error."""
    return _environment().get_template(template).render(**values)
