"""What is wrong with one setting, as it is told to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `path` as in the stack file, the `value` found, and what is allowed."""

    path: str
    value: object
    message: str

    def __str__(self) -> str:
        return f"{self.path} = {shown(self.value)}: {self.message}"


def shown(value: object) -> str:
    """Return the value for a person: its text, shortened if it is long; of a section only the keys.

    A section that stands where it does not belong may hold a password.
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(str(key) for key in value)}}}"
    if isinstance(value, list):
        value = f"[{', '.join(shown(one) for one in value)}]"
        return value if len(value) <= 80 else value[:77] + "..."
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
