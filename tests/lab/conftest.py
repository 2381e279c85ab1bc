"""The lab for real: the commands of the README on this checkout's own stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


class LabCluster:
    """Runs the tools as a person would, and asks the machines themselves what is true."""

    def run(
        self, *command: str, deadline: float = 900, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the activated shell; a failure shows all that it printed."""
        done = subprocess.run(
            ["bash", "-c", '. ./activate lab && exec "$@"', "--", *command],
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

    def interrupt_up_when(self, said: str, deadline: float = 600) -> str:
        """Run `up` until it prints `said`, interrupt it as Ctrl-C does, and return all that it printed."""
        process = subprocess.Popen(
            ["bash", "-c", ". ./activate lab && exec pulumi up --stack lab --yes --skip-preview", "--"],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        end = time.monotonic() + deadline
        lines = []
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line)
                if said in line:
                    process.send_signal(signal.SIGINT)
                    said = "\0"
                assert time.monotonic() < end, "".join(lines)
            assert process.wait(timeout=60) != 0, "".join(lines)
        finally:
            process.kill()
        return "".join(lines)

    def up(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Bring the stack up without a question."""
        return self.run("pulumi", "up", "--stack", "lab", "--yes", "--skip-preview", *options, check=check)

    def preview(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Preview the stack."""
        return self.run("pulumi", "preview", "--stack", "lab", *options, check=check)

    def destroy(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Destroy the stack without a question."""
        return self.run("pulumi", "destroy", "--stack", "lab", "--yes", "--skip-preview", *options)

    def planned(self, *options: str) -> Mapping[str, str]:
        """Return what a preview would do: resource name to operation, the unchanged left out."""
        steps = json.loads(self.preview("--json", *options).stdout)["steps"]
        return {step["urn"].rsplit("::", 1)[-1]: step["op"] for step in steps if step["op"] != "same"}

    def is_clean(self, *options: str) -> bool:
        """Return whether a preview expects no change, by its exit code."""
        done = self.preview("--expect-no-changes", *options, check=False)
        assert done.returncode in (0, 7), done.stdout + done.stderr
        return done.returncode == 0

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        answer: dict[str, Any] = json.loads(
            self.run("pulumi", "stack", "output", "--stack", "lab", "--json").stdout
        )
        return answer

    def on(self, machine: str, *command: str, check: bool = True) -> str:
        """Run a command on a lab machine and return what it printed."""
        done = self.run("docker", "exec", machine, *command, check=check)
        return done.stdout + ("" if check else done.stderr)

    def objects(self) -> dict[str, list[str]]:
        """Return the lab's objects on the operator's engine, by kind."""
        mine = ("--filter", "label=rocestack.stack=lab", "--format")
        return {
            "containers": self.run("docker", "ps", "-a", *mine, "{{.Names}}").stdout.split(),
            "networks": self.run("docker", "network", "ls", *mine, "{{.Name}}").stdout.split(),
            "volumes": self.run("docker", "volume", "ls", *mine, "{{.Name}}").stdout.split(),
        }


def stack_file_with(folder: Path, **changes: Mapping[str, object]) -> str:
    """Return the path of the lab's stack file with some values changed, each section's by name."""
    document = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())
    for section, values in changes.items():
        document["config"].setdefault(f"rocestack:{section}", {}).update(values)
    path = folder / "Pulumi.lab.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def wait_until(true: Callable[[], bool], deadline: float, what: str) -> None:
    """Poll until `true` says so; fail with `what` after `deadline` seconds."""
    end = time.monotonic() + deadline
    pause = 0.2
    while not true():
        assert time.monotonic() < end, f"{what} did not come true within {deadline:g} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 2.0)


@pytest.fixture(scope="session")
def lab() -> LabCluster:
    """Return the lab's tools; the story itself brings the lab up and takes it down."""
    return LabCluster()
