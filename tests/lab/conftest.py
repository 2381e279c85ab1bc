"""The lab for real: the commands of the README on this checkout's own stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.stack_commands import ROOT, StackCommands

__all__ = ["ROOT", "LabCluster", "stack_file_with"]


class LabCluster(StackCommands):
    """Runs the tools as a person would, and asks the machines themselves what is true."""

    def __init__(self) -> None:
        super().__init__("lab")

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

    def planned(self, *options: str) -> Mapping[str, str]:
        """Return what a preview would do: resource name to operation, the unchanged left out."""
        steps = json.loads(self.preview("--json", *options).stdout)["steps"]
        return {step["urn"].rsplit("::", 1)[-1]: step["op"] for step in steps if step["op"] != "same"}

    def is_clean(self, *options: str) -> bool:
        """Return whether a preview expects no change, by its exit code."""
        return self.look(*options)[0]

    def on(self, machine: str, *command: str, check: bool = True) -> str:
        """Run a command on a lab machine and return what it printed."""
        done = self.run("docker", "exec", machine, *command, check=check)
        return done.stdout + ("" if check else done.stderr)


def stack_file_with(folder: Path, **changes: Mapping[str, object]) -> str:
    """Return the path of the lab's stack file with some values changed, each section's by name."""
    document = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())
    for section, values in changes.items():
        document["config"].setdefault(f"rocestack:{section}", {}).update(values)
    path = folder / "Pulumi.lab.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


@pytest.fixture(scope="session")
def lab() -> LabCluster:
    """Return the lab's tools; the story itself brings the lab up and takes it down."""
    return LabCluster()
