"""The flat text in which settings travel: sorted lines ``key: 'value'``.

The text is YAML to the engine, which then prints a diff per key; it is a line format to the scripts
(`templates/common/prelude.sh` reads it). Both sides quote in one way: a quote in a value is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINE = re.compile(r"^([a-z][a-z0-9_]*): '(.*)'$")
_KEY = re.compile(r"^[a-z][a-z0-9_]*$")


def render(values: Mapping[str, str]) -> str:
    """Return the lines of `values`, sorted by key, each ended by a newline.

    Raises ValueError for a key that is not lower-case snake case or a value with a line break: neither
    could be read back.
    """
    lines = []
    for key in sorted(values):
        value = values[key]
        if not _KEY.match(key):
            raise ValueError(f"setting key {key!r} must be lower-case letters, digits and underscores")
        if "\n" in value or "\r" in value:
            raise ValueError(f"setting {key!r} must be one line, found {value!r}")
        doubled = value.replace("'", "''")
        lines.append(f"{key}: '{doubled}'\n")
    return "".join(lines)


def parse(text: str) -> dict[str, str]:
    """Return the values in `text`, the inverse of `render`.

    Raises ValueError with the number of the first line that is no setting line. The line itself is not
    repeated: what is malformed may hold anything.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"line {number} is not a setting line (key: 'value')")
        values[match.group(1)] = match.group(2).replace("''", "'")
    return values
