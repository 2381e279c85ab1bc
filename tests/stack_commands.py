"""A stack as a person runs it: the README's commands in an activated shell."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class StackCommands:
    """Runs the tools on one stack of this checkout, `lab` or another that `activate` knows."""

    def __init__(self, stack: str) -> None:
        self.stack = stack

    def run(
        self, *command: str, deadline: float = 900, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the activated shell; a failure shows all that it printed."""
        done = subprocess.run(
            ["bash", "-c", f'. ./activate {self.stack} && exec "$@"', "--", *command],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    def pulumi(
        self, command: str, *options: str, deadline: float = 900, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the CLI's commands on the stack."""
        return self.run("pulumi", command, "--stack", self.stack, *options, deadline=deadline, check=check)

    def up(
        self, *options: str, deadline: float = 900, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Bring the stack up without a question."""
        return self.pulumi("up", "--yes", "--skip-preview", *options, deadline=deadline, check=check)

    def preview(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Preview the stack."""
        return self.pulumi("preview", *options, check=check)

    def look(self, *options: str) -> tuple[bool, str]:
        """Return whether a preview expects no change, by its exit code, and all that it printed."""
        done = self.preview("--expect-no-changes", *options, check=False)
        assert done.returncode in (0, 7), done.stdout + done.stderr
        return done.returncode == 0, done.stdout + done.stderr

    def destroy(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Destroy the stack without a question."""
        return self.pulumi("destroy", "--yes", "--skip-preview", *options)

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        done = self.run("pulumi", "stack", "output", "--stack", self.stack, "--json")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def objects(self) -> dict[str, list[str]]:
        """Return the stack's objects on the operator's engine, by kind."""
        mine = ("--filter", f"label=rocestack.stack={self.stack}", "--format")
        return {
            "containers": self.run("docker", "ps", "-a", *mine, "{{.Names}}").stdout.split(),
            "networks": self.run("docker", "network", "ls", *mine, "{{.Name}}").stdout.split(),
            "volumes": self.run("docker", "volume", "ls", *mine, "{{.Name}}").stdout.split(),
        }
