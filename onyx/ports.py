"""Port names: the forms that people and the switch write, and ranges of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from onyx.errors import UnexpectedAnswer

_NAME = re.compile(r"^(?:eth(?:ernet)?\s*)?(\d+/\d+(?:/\d+)?)$", re.IGNORECASE)


def normal(text: str) -> str:
    """Return a port's plain name: "Eth1/1", "ethernet 1/1" and "1/1" are all "1/1"; a split port is "1/1/2".

    Raises ValueError for anything else.
    """
    match = _NAME.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a port such as 1/1")
    return match.group(1)


def order(name: str) -> tuple[int, ...]:
    """Return the sort key of a plain port name."""
    return tuple(int(part) for part in name.split("/"))


def expand(text: str) -> list[str]:
    """Return the ports of "1/1", "1/1-1/32" or "1/1/1-1/1/4"; only the last number may differ in a range."""
    first, dash, last = text.partition("-")
    if not dash:
        return [normal(first)]
    low, high = order(normal(first)), order(normal(last))
    if low[:-1] != high[:-1] or low[-1] > high[-1]:
        raise UnexpectedAnswer(f"the switch wrote a range of ports that is not understood: {text!r}")
    stem = "/".join(str(part) for part in low[:-1])
    return [f"{stem}/{number}" for number in range(low[-1], high[-1] + 1)]


def collapse(names: Iterable[str]) -> list[str]:
    """Return the ports as the fewest ports and ranges; split ports (1/1/2) are left single."""
    runs: list[list[str]] = []
    for name in sorted(names, key=order):
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return [run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


def _follows(before: str, name: str) -> bool:
    left, right = order(before), order(name)
    return len(left) == len(right) == 2 and left[0] == right[0] and left[1] + 1 == right[1]
