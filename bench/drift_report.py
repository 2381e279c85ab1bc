"""What the drift bench found: its rows, its goals, its table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TIMES_ANSIBLE, TIMES_PYINFRA, TIMES_FLOOR = 20.0, 3.0, 1.5
LIMIT_MEMORY_MB = 300.0
FEW, MANY = 64, 256

GOALS = f"""\
Times are wall seconds, medians of the rounds. *Floor*: the same probe on all hosts with bare asyncssh.
*Idle*: a preview of as many resources that hold next to nothing; less the *empty* preview and by their
number it is the engine's own cost of one resource. The load average is the machine's, which others used
meanwhile.

Goals at {FEW} hosts: at least {TIMES_ANSIBLE:g} times as fast as Ansible and {TIMES_PYINFRA:g} times as fast
as pyinfra, at most {TIMES_FLOOR:g} times floor and idle together; time per host at {MANY} hosts no longer
than at {FEW}; memory of the program at most {LIMIT_MEMORY_MB:g} MB.
"""


@dataclass(frozen=True)
class Row:
    """What was measured for one number of hosts.

    `seconds` and `rounds` are by way of looking, `memory` is the program's peak in MB, `load` the machine's
    load average before and after.
    """

    hosts: int
    resources: int
    seconds: Mapping[str, float]
    rounds: Mapping[str, int]
    memory: float
    measured: str
    load: tuple[float, float]

    @property
    def bound(self) -> float:
        """The floor and the engine's own cost of that many resources, in seconds."""
        return self.seconds["floor"] + self.seconds["idle"]

    @property
    def each_resource(self) -> float:
        """The engine's own cost of one resource, in milliseconds."""
        return (self.seconds["idle"] - self.seconds["empty"]) * 1000 / self.resources

    @property
    def each_host(self) -> float:
        """The program's time per host, in milliseconds."""
        return self.seconds["program"] * 1000 / self.hosts

    def times(self, peer: str) -> float | None:
        """How many times as long a peer takes; None if it was not measured."""
        return self.seconds[peer] / self.seconds["program"] if peer in self.seconds else None


def failures(rows: Sequence[Row]) -> list[str]:
    """Return what is not as wanted, one sentence each."""
    return list(_failures({row.hosts: row for row in rows}))


def _failures(rows: Mapping[int, Row]) -> Iterator[str]:
    few, many = rows.get(FEW), rows.get(MANY)
    if few is not None:
        for peer, least in (("ansible", TIMES_ANSIBLE), ("pyinfra", TIMES_PYINFRA)):
            times = few.times(peer)
            if times is None:
                yield f"{FEW} hosts: {peer} not measured"
            elif times < least:
                yield f"{FEW} hosts: {times:.1f} times as fast as {peer}, wanted {least:g}"
        ratio = few.seconds["program"] / few.bound
        if ratio > TIMES_FLOOR:
            yield f"{FEW} hosts: {ratio:.2f} times floor and idle, wanted at most {TIMES_FLOOR:g}"
    for count in (FEW, MANY):
        if count not in rows:
            yield f"{count} hosts: not measured"
    if few is not None and many is not None and many.each_host > few.each_host:
        yield f"{MANY} hosts: {many.each_host:.0f} ms a host, {few.each_host:.0f} ms at {FEW}"
    for row in rows.values():
        if row.memory > LIMIT_MEMORY_MB:
            took = f"the program took {row.memory:.0f} MB"
            yield f"{row.hosts} hosts: {took}, wanted at most {LIMIT_MEMORY_MB:g}"


_HEAD = (
    "| hosts | resources | preview | per host | pyinfra | Ansible | floor | empty | idle | per resource "
    "| of floor + idle | memory | rounds | measured (UTC), load |"
)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    return "\n".join([_HEAD, "|--:" * 13 + "|:--|", *(_line(row) for row in rows)])


def _line(row: Row) -> str:
    seconds = row.seconds
    cells = [
        str(row.hosts),
        str(row.resources),
        f"**{seconds['program']:.1f} s**",
        f"{row.each_host:.0f} ms",
        _peer(row, "pyinfra"),
        _peer(row, "ansible"),
        f"{seconds['floor']:.1f} s",
        f"{seconds['empty']:.1f} s",
        f"{seconds['idle']:.1f} s",
        f"{row.each_resource:.1f} ms",
        f"{seconds['program'] / row.bound:.2f}",
        f"{row.memory:.0f} MB",
        _rounds(row),
        f"{row.measured}, {row.load[0]:.1f} to {row.load[1]:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _peer(row: Row, name: str) -> str:
    times = row.times(name)
    return "not measured" if times is None else f"{row.seconds[name]:.1f} s, {times:.1f} times"


def _rounds(row: Row) -> str:
    most = max(row.rounds.values())
    fewer = [f"{name} {count}" for name, count in row.rounds.items() if count != most]
    return f"{most} ({', '.join(fewer)})" if fewer else str(most)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of earlier runs, or none."""
    if not path.exists():
        return []
    return [Row(**{**one, "load": tuple(one["load"])}) for one in json.loads(path.read_text())]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Keep the rows for the next run."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
