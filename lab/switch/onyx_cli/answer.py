"""What a `show` command may look at, and what it gives: text for people, data for `| json-print`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .fabric import Fabric, Link
from .model import Config, Port, Switch
from .names import Refused
from .release import Release

NOT_AVAILABLE = "N/A"
RULER = "-" * 72


@dataclass(frozen=True)
class View:
    """What a show command may look at: the switch, the fabric, the release, and the date to print."""

    switch: Switch
    fabric: Fabric
    release: Release
    now: str
    # Ports that a fault holds down.
    held_down: frozenset[str] = field(default_factory=frozenset)

    @property
    def config(self) -> Config:
        """The configuration that runs."""
        return self.switch.running

    def link(self, name: str) -> Link:
        """Return the port's link; one that is shut down is down."""
        link = self.fabric.link(name)
        if name in self.held_down or self.config.seen(name).shutdown:
            return Link(False, link.address, None, link.counters)
        return link

    def port(self, text: str) -> tuple[str, Port]:
        """Return the one port that `text` names; raises Refused for none or several."""
        names = self.config.named(text)
        if len(names) != 1:
            raise Refused(f"% Invalid interface: {text}. This command takes one port.")
        return names[0], self.config.seen(names[0])


@dataclass(frozen=True)
class Shown:
    """An answer: its text, and its data where the command has some."""

    text: str
    data: Any = None


def fields(facts: Mapping[str, Any], indent: int = 2, width: int = 24) -> list[str]:
    """Return one line "name: value" per fact."""
    return [f"{' ' * indent}{key + ':':<{width}}{value}" for key, value in facts.items()]


def listed(numbers: Iterable[int]) -> str:
    """Return the numbers as the switch lists them, N/A for none."""
    return " ".join(str(number) for number in numbers) or NOT_AVAILABLE


def table(titles: list[str], widths: list[int], rows: Iterable[list[str]]) -> list[str]:
    """Return a table between rulers."""
    ruler = "-" * (sum(widths) + 8)
    lines = [_row(cells, widths) for cells in rows]
    return [ruler, _row(titles, widths), ruler, *lines]


def _row(cells: list[str], widths: list[int]) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
