"""Templates to text: every line that reaches a machine comes from templates/ through here."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
# `<<'UNIT'` and `<<-CONF`, but no `<<<`; delimiters are capitals here, so no shift of bits is taken for one.
_HERE_DOCUMENT = re.compile(r"(?<!<)<<-?\s*(['\"]?)([A-Z][A-Z0-9_]*)\1")


@cache
def _environment() -> Environment:
    # The text is shell and Dockerfiles, so HTML's escaping would corrupt it.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )


def render(template: str, **values: Any) -> str:
    """Return the text of `template`, a path under templates/. An unknown value in it is an error."""
    return _environment().get_template(template).render(**values)


def without_comments(script: str) -> str:
    """Return a shell script as it travels: without the lines that are comments, the first line apart.

    They are for whoever reads templates/, and a third of the text. What a script writes to a file by a here
    document keeps its comments: it is read on the host.
    """
    kept: list[str] = []
    awaited: list[str] = []
    for number, line in enumerate(script.split("\n")):
        if awaited:
            if line.lstrip("\t") == awaited[0]:
                awaited.pop(0)
        elif number and line.lstrip().startswith("#"):
            continue
        else:
            awaited = [found[2] for found in _HERE_DOCUMENT.finditer(line)]
        kept.append(line)
    return "\n".join(kept)
