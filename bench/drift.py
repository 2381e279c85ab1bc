"""Measures what a look for drift costs, beside Ansible's check mode, pyinfra's dry run and the floor.

    python -m bench.drift [--hosts 8 64 256] [--rounds 3] [--peers pyinfra ansible]

It starts light hosts (bench/light) and looks at the same facts of all of them in each way, in turns. It
prints a table, writes bench/results/drift.md, drift.json and drift.svg, and fails if a goal is missed.
Numbers of hosts that it does not measure stay in the results as an earlier run left them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.drift_report import GOALS, Row, failures, read_rows, table, write_rows
from bench.light.hosts import LightHost, addresses, enter, light_hosts, make_base, run_on, step_files
from bench.observed.stack import NAME, BenchStack, certificate
from bench.observed.steps import read_stack, recorded_lines, sections, wanted
from bench.peers import tools
from bench.peers.tools import Look
from bench.plot import svg
from bench.servers import BenchError

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PEERS = ("pyinfra", "ansible")
# Beyond so many hosts one round of Ansible takes many minutes on a small machine.
_ANSIBLE_AGAIN = 8
# A look at so few hosts is also made with drift on some of them, which each way must find.
_PROVEN_WITH = 8
_WANTS = "/etc/systemd/system/multi-user.target.wants/rocestack-address@enp1f0.service"


class Site:
    """The light hosts of one number, and every way to look at them."""

    def __init__(self, hosts: Sequence[LightHost], shared: Path, folder: Path, peers: Sequence[str]) -> None:
        self.hosts = hosts
        self._shared = shared
        self._folder = folder
        self._peers = folder / "peers"
        described = [_described(one.number, one.host_key) for one in hosts]
        document = sections(described, str(shared / "client"), "registry.crt")
        files = {"settings.json": json.dumps(document), "registry.crt": certificate()}
        self._program = BenchStack(folder / "program", "program", files, policies=True)
        self._program.record()
        self.counts = self._program.counts()
        self._idle = self._resources("idle", self.counts)
        self._empty = self._resources("empty", dict.fromkeys(self.counts, 0))
        stack = read_stack(document)
        applied = {host.name: recorded_lines(wanted(stack, NAME, host)) for host in stack.hosts}
        (folder / "stdin.json").write_text(json.dumps(applied))
        tools.prepare(self._peers, hosts, shared / "client", _states(0))
        self.ways: dict[str, Callable[[], Look]] = {
            "program": self.program,
            "floor": self.floor,
            "empty": self.empty,
            "idle": self.idle,
            **{name: getattr(self, name) for name in peers},
        }
        self.memory: list[float] = []

    def program(self) -> Look:
        """Preview the stack of all hosts."""
        done = self._program.preview("--expect-no-changes")
        if done.status not in (0, 7):
            raise BenchError(f"the preview ended with {done.status}:\n{done.text[-2000:]}")
        self.memory.append(float((self._program.folder / "peak").read_text()))
        drifted = {
            line.split()[2] for line in done.text.splitlines() if line.strip().startswith("warning: drift:")
        }
        if "unreachable" in done.text or (done.status == 7) != bool(drifted):
            raise BenchError(f"the preview's answer is not whole:\n{done.text[-2000:]}")
        return Look(done.seconds, frozenset(drifted))

    def floor(self) -> Look:
        """Run the probe on all hosts with bare asyncssh."""
        words = [sys.executable, "-m", "bench.observed.floor"]
        words += [str(self._program.folder / "settings.json"), str(self._folder / "stdin.json")]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"the floor failed: {done.stderr[-2000:]}")
        return Look(float(done.stdout), frozenset())

    def empty(self) -> Look:
        """Preview a stack without a resource."""
        return Look(self._empty.pulumi("preview", "--expect-no-changes").seconds, frozenset())

    def idle(self) -> Look:
        """Preview as many resources that hold next to nothing."""
        return Look(self._idle.pulumi("preview", "--expect-no-changes").seconds, frozenset())

    def pyinfra(self) -> Look:
        """Run `pyinfra --dry`."""
        return tools.pyinfra(self._peers, self.hosts)

    def ansible(self) -> Look:
        """Run `ansible-playbook --check`."""
        return tools.ansible(self._peers, self.hosts)

    def _resources(self, name: str, counts: Mapping[str, int]) -> BenchStack:
        stack = BenchStack(self._folder / name, "idle", {"counts.json": json.dumps(counts)}, policies=False)
        stack.record()
        return stack


def prove(site: Site) -> None:
    """Have two hosts drift, and each way that looks find exactly those two."""
    link, mtu = site.hosts[1], site.hosts[2]
    run_on(link, ["mv", _WANTS, "/root/kept"])
    run_on(mtu, ["ip", "link", "set", "enp1f0", "mtu", "1500"])
    for name, way in site.ways.items():
        found = way().differing
        if name not in ("floor", "empty", "idle") and found != {link.name, mtu.name}:
            raise BenchError(f"{name} finds drift on {sorted(found)}, not on {link.name} and {mtu.name}")
    run_on(link, ["mv", "/root/kept", _WANTS])
    run_on(mtu, ["ip", "link", "set", "enp1f0", "mtu", "9000"])


def measure(site: Site, rounds: int) -> Row:
    """Look in every way, in turns, and return the medians."""
    found: dict[str, list[float]] = {name: [] for name in site.ways}
    load = [os.getloadavg()[0]]
    site.memory.clear()
    for turn in range(rounds):
        names = list(site.ways)
        # Whoever comes after another finds other caches, so they take turns at that too.
        for name in names if turn % 2 == 0 else reversed(names):
            if name == "ansible" and turn and len(site.hosts) > _ANSIBLE_AGAIN:
                continue
            look = site.ways[name]()
            if look.differing:
                raise BenchError(f"{name} finds drift where there is none: {sorted(look.differing)[:5]}")
            found[name].append(look.seconds)
            sys.stderr.write(f"{len(site.hosts)} hosts, {name}: {look.seconds:.1f} s\n")
        load.append(os.getloadavg()[0])
    return Row(
        hosts=len(site.hosts),
        resources=sum(site.counts.values()) + 1,
        seconds={name: statistics.median(times) for name, times in found.items()},
        rounds={name: len(times) for name, times in found.items()},
        memory=max(site.memory),
        measured=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        load=(load[0], load[-1]),
    )


def machine() -> str:
    """Return what the figures depend on, without naming the machine."""
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("asyncssh", "pulumi"))
    return (
        f"{os.cpu_count()} cores for hosts, peers and program together, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, {ssh.strip()}, {versions}, "
        f"{tools.versions()}."
    )


def _described(number: int, host_key: str) -> dict[str, Any]:
    """Return a light host as the stack file has it."""
    where, data = addresses(number)
    return {
        "name": f"light-{number:03d}",
        "address": where,
        "host_key": host_key,
        "data_address": data,
        "container_subnet": f"172.{16 + number // 250}.{number % 250}.0/24",
        "switch_port": f"{number // 64 + 1}/{number % 64 + 1}",
    }


def _states(number: int) -> dict[str, dict[str, str]]:
    """Return the settings of each step on a light host."""
    stack = read_stack(sections([_described(number, "ssh-ed25519 AAAA")], "none", "none"))
    return wanted(stack, NAME, stack.hosts[0])


def _own_files(number: int) -> dict[str, str]:
    """Return what only this light host has: the files with its address."""
    step = "ofed_stack.address"
    return {
        path: text for path, (text, mode) in step_files(step, _states(number)[step]).items() if mode == 0o644
    }


def _rows(counts: Sequence[int], rounds: int, peers: Sequence[str]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        shared = Path(name) / "light"
        try:
            base = make_base(shared, _states(0))
            for count in counts:
                with light_hosts(count, shared / f"of-{count}", base, _own_files) as hosts:
                    folder = Path(name) / str(count)
                    folder.mkdir()
                    site = Site(hosts, shared, folder, peers)
                    if 2 < count <= _PROVEN_WITH:
                        prove(site)
                    yield measure(site, rounds)
        finally:
            subprocess.run(["umount", "--lazy", str(shared)], check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.drift", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--hosts", type=int, nargs="+", default=[8, 64, 256])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given)
    try:
        if "ROCESTACK_BENCH_INSIDE" not in os.environ and options.peers:
            tools.environment()
        status = enter("bench.drift", given)
        if status is not None:
            return status
        rows = {row.hosts: row for row in read_rows(RESULTS / "drift.json")}
        for row in _rows(options.hosts, options.rounds, options.peers):
            rows[row.hosts] = row
            # A run that is ended later has measured this much.
            _write([rows[count] for count in sorted(rows)])
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write((RESULTS / "drift.md").read_text())
    return 1 if failures(list(rows.values())) else 0


def _write(rows: Sequence[Row]) -> None:
    """Write the results of these rows: their figures, the table and the plot."""
    missed = failures(rows)
    verdict = "No goal that was measured is missed.\n"
    if missed:
        verdict = "## Goals missed\n\n" + "".join(f"- {one}\n" for one in missed)
    write_rows(RESULTS / "drift.json", rows)
    text = f"# A look for drift\n\n{machine()}\n\n{GOALS}\n{table(rows)}\n\n{verdict}"
    (RESULTS / "drift.md").write_text(text)
    names = {"program": "pulumi preview", "pyinfra": "pyinfra --dry", "ansible": "ansible-playbook --check"}
    names |= {"floor": "probe alone (asyncssh)", "idle": "as many idle resources"}
    series = {
        label: [(row.hosts, row.seconds[name]) for row in rows if name in row.seconds]
        for name, label in names.items()
    }
    (RESULTS / "drift.svg").write_text(svg(series, "Time of one look for drift", "hosts", "seconds"))


if __name__ == "__main__":
    sys.exit(main())
