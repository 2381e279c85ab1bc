"""Measures the drop-in command plugin on private SSH servers, beside `ssh` with ControlMaster.

    .venv/bin/python -m bench.engine [--hosts 1 8 32] [--commands 20] [--rounds 3]

It starts one sshd per host on the loopback addresses 127.0.1.1, 127.0.1.2, …, and ends them by their
process ids. It prints a table, writes bench/results/engine.md, and fails if an expectation is not met.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bench.servers import BenchError, Host, servers
from tests.plugins.harness import PluginProcess

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench" / "results" / "engine.md"
REMOTE = "command:remote:Command"
COMMAND = "echo done"
# Pulumi runs four operations per core at once by default; the floor gets as many processes.
PARALLEL = 4 * (os.cpu_count() or 1)
LIMIT_OVERHEAD_MS = 10.0
LIMIT_MEMORY_MB = 120.0
_WARM_COMMANDS = 40
_PROGRAM = """
import json
from pathlib import Path

import pulumi
from pulumi_command import remote

for number, connection in enumerate(json.loads(Path("connections.json").read_text())):
    for turn in range({commands}):
        remote.Command(
            f"host{{number}}-{{turn}}",
            connection=connection,
            create="{command}",
            add_previous_output_in_env=False,
        )
"""


@dataclass(frozen=True)
class Run:
    """One run: its seconds, the logins on all hosts, peak memory in MB, and one warm command in ms."""

    seconds: float
    logins: int
    memory: float
    warm: float


def by_plugin(hosts: Sequence[Host], commands: int, client_key: Path) -> Run:
    """Run the commands through the plugin's own protocol, as the engine does."""
    inputs = {
        host.address: {
            "connection": host.connection(client_key),
            "create": COMMAND,
            "addPreviousOutputInEnv": False,
        }
        for host in hosts
    }
    with PluginProcess("command") as plugin:

        def one(host: Host) -> None:
            _expect(plugin.create(REMOTE, inputs[host.address])[1]["stdout"])

        before = _logins(hosts)
        seconds = _all(hosts, commands, one)
        logins = _logins(hosts) - before
        return Run(seconds, logins, _peak_memory(plugin.process.pid), _warm(one, hosts[0]))


class Masters:
    """`ssh` with one master connection per host."""

    def __init__(self, client_key: Path, sockets: Path) -> None:
        self._client_key = client_key
        self._sockets = sockets

    def command(self, host: Host, *words: str) -> list[str]:
        """Return the `ssh` command line for `host`; `words` come before its name."""
        known = host.folder / "known_hosts"
        known.write_text(f"[{host.address}]:{host.port} {(host.folder / 'host.pub').read_text()}")
        return [
            *("ssh", "-F", "none", "-p", str(host.port), "-i", str(self._client_key)),
            *("-o", f"ControlPath={self._sockets / host.address}", "-o", "BatchMode=yes"),
            *("-o", f"UserKnownHostsFile={known}", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
            *words,
            host.target,
        ]

    def open(self, host: Host) -> None:
        """Start the master; it goes to the background when it is logged in."""
        # A pipe would stay open in the background process and never end.
        words = self.command(host, "-M", "-N", "-f")
        subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def run(self, host: Host) -> None:
        """Run one command."""
        done = subprocess.run([*self.command(host), COMMAND], capture_output=True, text=True, check=True)
        _expect(done.stdout.strip())

    def close(self, host: Host) -> None:
        """End the master, if there is one."""
        if (self._sockets / host.address).exists():
            subprocess.run(self.command(host, "-O", "exit"), capture_output=True, check=True)


def by_ssh(hosts: Sequence[Host], commands: int, client_key: Path) -> Run:
    """Run the commands with one `ssh` process each over a master connection per host: the floor."""
    with tempfile.TemporaryDirectory(prefix="bench-") as sockets:
        masters = Masters(client_key, Path(sockets))
        before = _logins(hosts)
        try:
            begun = time.perf_counter()
            with concurrent.futures.ThreadPoolExecutor(PARALLEL) as threads:
                for work in [threads.submit(masters.open, host) for host in hosts]:
                    work.result()
            opening = time.perf_counter() - begun
            seconds = opening + _all(hosts, commands, masters.run)
            return Run(seconds, _logins(hosts) - before, 0.0, _warm(masters.run, hosts[0]))
        finally:
            for host in hosts:
                masters.close(host)


def by_pulumi(hosts: Sequence[Host], commands: int, client_key: Path) -> Run:
    """Run the commands as resources of one `pulumi up`, with the CLI on PATH or the checkout's own."""
    program = shutil.which("pulumi", path=f"{ROOT / '.engine' / 'bin'}:{os.environ['PATH']}")
    if program is None:
        raise BenchError("there is no pulumi: make setup")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "state").mkdir()
        starter = folder / "plugin" / "pulumi-resource-command"
        starter.parent.mkdir()
        starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m engine.plugins.command "$@"\n')
        starter.chmod(0o755)
        settings = {
            "name": "bench",
            "runtime": "python",
            "plugins": {"providers": [{"name": "command", "path": str(starter.parent)}]},
        }
        (folder / "Pulumi.yaml").write_text(json.dumps(settings))
        (folder / "__main__.py").write_text(_PROGRAM.format(commands=commands, command=COMMAND))
        (folder / "connections.json").write_text(json.dumps([host.connection(client_key) for host in hosts]))
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "bench",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

        def pulumi(*words: str) -> None:
            done = subprocess.run(
                [program, *words, "--stack", "bench", "--non-interactive"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise BenchError(f"pulumi {words[0]} failed: {done.stdout}{done.stderr}")

        pulumi("stack", "init")
        before = _logins(hosts)
        begun = time.perf_counter()
        pulumi("up", "--yes", "--skip-preview")
        seconds = time.perf_counter() - begun
        return Run(seconds, _logins(hosts) - before, 0.0, 0.0)


def _logins(hosts: Sequence[Host]) -> int:
    return sum(host.logins() for host in hosts)


def _expect(text: str) -> None:
    if text != "done":
        raise BenchError(f"a command answered {text!r}")


def _all(hosts: Sequence[Host], commands: int, one: Callable[[Host], None]) -> float:
    """Run `commands` per host, PARALLEL at once over all hosts, and return the seconds it took."""
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as threads:
        for work in [threads.submit(one, host) for _ in range(commands) for host in hosts]:
            work.result()
    return time.perf_counter() - begun


def _warm(one: Callable[[Host], None], host: Host) -> float:
    """Return the median milliseconds of commands one after the other on an open connection."""
    taken = []
    for _ in range(_WARM_COMMANDS):
        begun = time.perf_counter()
        one(host)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def _peak_memory(pid: int) -> float:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise BenchError("this system does not tell the peak memory of a process")
    return int(found[1]) / 1024


@dataclass(frozen=True)
class Row:
    """What was measured for one number of hosts, each as the median over the rounds."""

    hosts: int
    commands: int
    plugin: Run
    floor: Run
    up: Run

    @property
    def overhead(self) -> float:
        """Milliseconds that the plugin takes longer than the floor, per command; below 0 it is faster."""
        return (self.plugin.seconds - self.floor.seconds) * 1000 / (self.hosts * self.commands)

    def failures(self) -> Iterator[str]:
        """Say what is not as expected."""
        for name, run in (("the plugin", self.plugin), ("pulumi up", self.up)):
            if run.logins != self.hosts:
                yield f"{self.hosts} hosts: {name} made {run.logins} handshakes, expected {self.hosts}"
        if self.overhead >= LIMIT_OVERHEAD_MS:
            yield f"{self.hosts} hosts: {self.overhead:.1f} ms over the floor per command"
        if self.plugin.warm - self.floor.warm >= LIMIT_OVERHEAD_MS:
            yield f"{self.hosts} hosts: a warm command takes {self.plugin.warm:.1f} ms"
        if self.plugin.memory >= LIMIT_MEMORY_MB:
            yield f"{self.hosts} hosts: the plugin took {self.plugin.memory:.0f} MB"


def _median(runs: Sequence[Run]) -> Run:
    return Run(
        seconds=statistics.median(run.seconds for run in runs),
        logins=max(run.logins for run in runs),
        memory=max(run.memory for run in runs),
        warm=statistics.median(run.warm for run in runs),
    )


def measure(count: int, commands: int, rounds: int) -> Row:
    """Measure plugin, floor and `pulumi up` on `count` fresh servers, in turns."""
    found: dict[str, list[Run]] = {"plugin": [], "floor": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, servers(count, Path(name)) as hosts:
        client_key = Path(name) / "client"
        for turn in range(rounds):
            order = [("plugin", by_plugin), ("floor", by_ssh)]
            # Whoever comes second finds warm caches, so they take turns at that too.
            for label, way in order if turn % 2 == 0 else reversed(order):
                found[label].append(way(hosts, commands, client_key))
        up = by_pulumi(hosts, commands, client_key)
    return Row(count, commands, _median(found["plugin"]), _median(found["floor"]), up)


_HEAD = (
    "| hosts | commands | handshakes: plugin / ssh / up | wall s: plugin / ssh | over the floor per command "
    "| warm command ms: plugin / ssh | plugin memory | pulumi up |"
)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [_HEAD, "|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for row in rows:
        plugin, floor, up = row.plugin, row.floor, row.up
        total = row.hosts * row.commands
        lines.append(
            f"| {row.hosts} | {total} | {plugin.logins} / {floor.logins} / {up.logins} "
            f"| {plugin.seconds:.2f} / {floor.seconds:.2f} | {row.overhead:+.1f} ms "
            f"| {plugin.warm:.1f} / {floor.warm:.1f} | {plugin.memory:.0f} MB "
            f"| {up.seconds:.1f} s, {up.seconds * 1000 / total:.0f} ms each |"
        )
    return "\n".join(lines)


def machine() -> str:
    """Return what the figures depend on, without naming the machine."""
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0]
    names = ("asyncssh", "grpcio", "pulumi", "pulumi-command")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {ssh.strip()}, {versions}; {PARALLEL} operations at once; "
        f"load average before the run {os.getloadavg()[0]:.1f}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; return 1 if something is not as expected."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.engine", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--commands", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    facts = machine()
    try:
        rows = [measure(count, options.commands, options.rounds) for count in options.hosts]
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    failures = [failure for row in rows for failure in row.failures()]
    verdict = (
        "All expectations were met." if not failures else "Not as expected: " + "; ".join(failures) + "."
    )
    text = f"# The command plugin, beside ssh with ControlMaster\n\n{facts}\n\n{table(rows)}\n\n{verdict}\n"
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text)
    sys.stdout.write(text)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
