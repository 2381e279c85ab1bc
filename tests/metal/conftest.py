"""Metal's commands for real: the checkout's program and the real CLI, with a state of the test's own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.cli import Engine, find_engine

ROOT = Path(__file__).parents[2]
# As activate sets it: every preview and up is judged.
POLICIES = {"PULUMI_OPTION_POLICY_PACK": str(ROOT / "policy" / "analyzer")}


@dataclass(frozen=True)
class Cli:
    """The CLI on this checkout's program; each run gives its exit status and all that it printed."""

    engine: Engine

    def run(
        self, *arguments: str, deadline: float = 300, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run the CLI itself."""
        return self._run([self.engine.program, "--non-interactive", *arguments], deadline, environment)

    def drift(self, *arguments: str) -> tuple[int, str]:
        """Run the preview for machines."""
        return self._run([sys.executable, "-m", "facts.preview", *arguments], 300)

    def _run(
        self, command: list[str], deadline: float, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        report = {"ROCESTACK_REPORT": str(self.engine.folder / "drift.json")}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self.engine.environment(), **POLICIES, **report, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=deadline,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Return the CLI with the plugins that set-up installed."""
    return Cli(find_engine(tmp_path_factory.mktemp("engine")))


@pytest.fixture
def closed_port() -> int:
    """Return a port of loopback that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
