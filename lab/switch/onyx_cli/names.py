"""Names of the switch's ports: which there are, the ranges a command may name, and how they are printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PORT_COUNT = 32

_NAME = re.compile(r"^1/(\d{1,2})(?:/([1-4]))?$")


class Refused(Exception):
    """The switch does not accept a command; the text is the line it answers, with its per cent sign."""


def order(name: str) -> tuple[int, ...]:
    """Return the sort key of a port: 1/2 stands before 1/10, and 1/3/2 between 1/3 and 1/4."""
    return tuple(int(part) for part in name.split("/"))


def parent(name: str) -> str:
    """Return the socket of a port: 1/3 of 1/3/2, and a whole port itself."""
    return "/".join(name.split("/")[:2])


def neighbour(name: str) -> str | None:
    """Return the port whose lanes a split of `name` into four takes away: of an odd port, the next one."""
    number = order(name)[1]
    return f"1/{number + 1}" if number % 2 else None


def existing(splits: Mapping[str, int]) -> list[str]:
    """Return all ports in order; `splits` has the number of parts of each socket that is split."""
    unmapped = {neighbour(name) for name, parts in splits.items() if parts == 4}
    names: list[str] = []
    for number in range(1, PORT_COUNT + 1):
        name = f"1/{number}"
        if name in splits:
            names += [f"{name}/{part}" for part in range(1, splits[name] + 1)]
        elif name not in unmapped:
            names.append(name)
    return names


def expand(text: str, splits: Mapping[str, int]) -> list[str]:
    """Return the ports that `text` ("1/1", "1/1-1/32", "1/3/1-1/3/4") names, in order.

    Raises Refused for a name that is not there, and for a range that goes backwards.
    """
    names = existing(splits)
    first, dash, last = text.partition("-")
    ends = [first, last] if dash else [first]
    for end in ends:
        if _NAME.match(end) is None or end not in names:
            raise Refused(f"% Invalid interface: {text}. {_hint(end, splits)}")
    low, high = order(ends[0]), order(ends[-1])
    if high < low:
        raise Refused(f"% Invalid interface range: {text}")
    return [name for name in names if low <= order(name) <= high]


def _hint(name: str, splits: Mapping[str, int]) -> str:
    socket = _NAME.match(name)
    if socket is not None and f"1/{socket.group(1)}" in splits:
        whole = f"1/{socket.group(1)}"
        return f"Port {whole} is split: {whole}/1 to {whole}/{splits[whole]}."
    return f"Ports are 1/1 to 1/{PORT_COUNT}."


def collapsed(names: Iterable[str]) -> list[str]:
    """Return the ports as the shortest list of ports and ranges, in order ("1/1-1/4", "1/9/1-1/9/2")."""
    runs: list[list[str]] = []
    for name in sorted(names, key=order):
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return [run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


def _follows(before: str, name: str) -> bool:
    left, right = order(before), order(name)
    return left[:-1] == right[:-1] and left[-1] + 1 == right[-1]
