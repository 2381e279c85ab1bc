"""Starts another run of a stack's training: `python -m training.start STACK RUN`.

The run's name is a setting, `rocestack:training` run, so it is stored in the stack file: the next `up`
keeps the run, and a colleague's checkout has the same one (docs/decisions/0037).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from settings.loader import SettingsError, load_file
from settings.training import RunName

_USAGE = 64


class StartError(Exception):
    """The run cannot be started; the message says why."""


def check(run: str, current: str, stack_file: str) -> None:
    """Raise StartError unless `run` is a name for a run and another one than the current one."""
    try:
        TypeAdapter(RunName).validate_python(run)
    except ValidationError:
        raise StartError(
            f"RUN = '{run}' is no name for a run; allowed are 1 to 32 lower-case letters, digits and . _ - , "
            "the first of them a letter or digit. Example: make train RUN=second"
        ) from None
    if run == current:
        raise StartError(
            f"RUN = '{run}' is the run that {stack_file} has already, so nothing would start. "
            "Choose another name; `pulumi up` repeats a run that failed."
        )


def commands(stack: str, run: str) -> list[list[str]]:
    """Return the commands that store the run's name and start it."""
    path = "rocestack:training.run"
    return [
        ["pulumi", "config", "set", "--stack", stack, "--path", path, run, "--type", "string"],
        ["pulumi", "up", "--stack", stack, "--yes", "--skip-preview"],
    ]


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 64 for a name that cannot be, else the engine's."""
    parser = argparse.ArgumentParser(prog="python -m training.start", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("run")
    given = parser.parse_args(arguments)
    stack_file = f"Pulumi.{given.stack}.yaml"
    try:
        check(given.run, load_file(Path(stack_file)).training.run, stack_file)
    except (StartError, SettingsError) as error:
        print(f"rocestack: {error}", file=sys.stderr)
        return _USAGE
    for command in commands(given.stack, given.run):
        done = subprocess.run(command, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
