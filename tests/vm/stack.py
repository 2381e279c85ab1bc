"""The stack of virtual machines as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.vm import process
from lab.vm.files import VmFiles
from lab.vm.guests import left

ROOT = Path(__file__).parents[2]
STACK = "vmlab"


def run(*command: str, deadline: float = 1500, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in the activated shell; a failure shows all that it printed."""
    done = subprocess.run(
        ["bash", "-c", f'. ./activate {STACK} && exec "$@"', "--", *command],
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


def up() -> str:
    """Bring the stack up without a question; return all that was printed."""
    done = run("pulumi", "up", "--stack", STACK, "--yes", "--skip-preview")
    return done.stdout + done.stderr


def preview() -> tuple[bool, str]:
    """Return whether nothing differs, and all that a preview printed."""
    done = run("pulumi", "preview", "--stack", STACK, "--expect-no-changes", check=False)
    assert done.returncode in (0, 7), done.stdout + done.stderr
    return done.returncode == 0, done.stdout + done.stderr


def destroy() -> None:
    """Take the stack down without a question."""
    run("pulumi", "destroy", "--stack", STACK, "--yes", "--skip-preview")


def outputs() -> Mapping[str, Any]:
    """Return the stack's outputs."""
    answer: dict[str, Any] = json.loads(run("pulumi", "stack", "output", "--stack", STACK, "--json").stdout)
    return answer


def processes(files: VmFiles) -> dict[str, int | None]:
    """Return the process of each of the stack's guests that has files here, by the guest's name."""
    mine = [one for one in left(files) if one.stack == STACK]
    return {one.name: process.running(files.guest(one.stack, one.name).pid) for one in mine}
