"""Measures `pulumi up` of 8 hosts beside that of 2: hosts go side by side.

    . ./activate lab; python -m bench.hosts [--hosts 2 8] [--cpus 0.2] [--rounds 3]

It starts throw-away nodes of the lab's image, each with the same small part of the machine, and brings their
hosts up (driver, OFED and Docker steps by the project's own components and scripts; no switch, image and
training). It prints a table, writes bench/results/hosts.md, and fails if 8 take twice as long as 2 or more.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import docker

from bench import opening
from lab.files import LabFiles
from lab.image import connect, ensure_image
from lab.progress import Reporter
from tests.conformance.cli import find_engine
from tests.metal.hosts import HostStack
from tests.nodes.node import site

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench" / "results" / "hosts.md"
LIMIT_RATIO = 2.0
FIRST_NUMBER = 41


@dataclass(frozen=True)
class Run:
    """One number of hosts in one round, in seconds: the first `up`, one without a change, and `destroy`."""

    up: float
    again: float
    destroy: float


@dataclass(frozen=True)
class Row:
    """What was measured for one number of hosts, each as the median over the rounds."""

    hosts: int
    steps: int
    run: Run


def measure(client: docker.DockerClient, image: str, count: int, cpus: float) -> tuple[Run, int]:
    """Return one run on `count` fresh nodes, and how many steps it had."""
    names = [f"clx-mld-{FIRST_NUMBER + place}" for place in range(count)]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, site(client, image, names) as nodes:
        folders = [Path(name) / one for one in ("engine", "stack")]
        for folder in folders:
            folder.mkdir()
        for node in nodes:
            limit = ["docker", "update", "--cpus", str(cpus), node.container]
            subprocess.run(limit, capture_output=True, check=True)
        stack = HostStack(find_engine(folders[0]), folders[1], nodes)
        up, again = stack.up(), stack.up()
        steps = {word for word in up.text.split() if word.startswith("clx-mld-") and "/" in word}
        return Run(up.seconds, again.seconds, stack.destroy().seconds), len(steps)


def _median(runs: Sequence[Run]) -> Run:
    return Run(*(statistics.median(getattr(run, key) for run in runs) for key in ("up", "again", "destroy")))


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| hosts | steps | up | up again, no change | destroy |", "|--:|--:|--:|--:|--:|"]
    for row in rows:
        run = row.run
        lines.append(
            f"| {row.hosts} | {row.steps} | {run.up:.1f} s | {run.again:.1f} s | {run.destroy:.1f} s |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; return 1 if more hosts take too long."""
    parser = argparse.ArgumentParser(prog="python -m bench.hosts", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--hosts", type=int, nargs=2, default=[2, 8], metavar=("FEW", "MANY"))
    parser.add_argument("--cpus", type=float, default=0.2, help="each node's part of the machine, in cores")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    if not opening.has_engine():
        return opening.USAGE
    facts = opening.machine(f"cores, of which each node has {options.cpus:g}", options.rounds)
    client = connect(timeout_s=300)
    image = ensure_image(client, LabFiles(), Reporter("bench"), sweep=False)
    found: dict[int, list[tuple[Run, int]]] = {count: [] for count in options.hosts}
    for _ in range(options.rounds):
        for count in options.hosts:
            found[count].append(measure(client, image, count, options.cpus))
    client.close()
    rows = [Row(count, runs[0][1], _median([run for run, _ in runs])) for count, runs in found.items()]
    ratio = rows[1].run.up / rows[0].run.up
    verdict = f"`up` of {rows[1].hosts} hosts takes {ratio:.2f} times as long as that of {rows[0].hosts}"
    verdict += f" (expected: less than {LIMIT_RATIO:g})."
    text = f"# Hosts side by side\n\n{facts}\n\n{table(rows)}\n\n{verdict}\n"
    RESULT.write_text(text)
    sys.stdout.write(text)
    return 0 if ratio < LIMIT_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
