"""What depends on the release of the switch's operating system: features and the layout of its JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_RELEASE = "3.6.8012"

# Where the manual's histories say that a command came in.
QOS_TRUST = (3, 6, 1002)
TRAFFIC_POOLS = (3, 6, 5000)
ROCE_COMMAND = (3, 8, 2000)

_LISTS_OF_TABLES = (3, 6, 6000)
_NAMED_ONYX = (3, 6, 8000)
_PFC_WITHOUT_CLASSES = (3, 8, 0)
_FORM = re.compile(r"^\d+\.\d+\.\d{4}$")


@dataclass(frozen=True)
class Release:
    """A release such as "3.6.8012"; raises ValueError for a text of another form."""

    text: str = DEFAULT_RELEASE

    def __post_init__(self) -> None:
        if _FORM.match(self.text) is None:
            raise ValueError(f"{self.text!r} is not a release such as {DEFAULT_RELEASE}")

    @property
    def number(self) -> tuple[int, ...]:
        """The release as numbers that compare."""
        return tuple(int(part) for part in self.text.split("."))

    @property
    def product(self) -> str:
        """What the system calls itself."""
        return "Onyx" if self.number >= _NAMED_ONYX else "MLNX-OS"

    @property
    def lists_tables(self) -> bool:
        """Whether JSON has the layout from 3.6.6000 on: a list of tables, each under its own name."""
        return self.number >= _LISTS_OF_TABLES

    @property
    def pfc_shows_classes(self) -> bool:
        """Whether `show dcb priority-flow-control` has a table of classes before that of the ports."""
        return self.number < _PFC_WITHOUT_CLASSES
