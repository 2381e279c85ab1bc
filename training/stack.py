"""What a stack knows of its last job: its outputs, and how its shards are reached."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from facts import checkpoint
from training.request import RequestError, WaitRequest, parse_request

_DEADLINE_S = 60
_WAIT = ("command:local:Command", "training_job.wait")


class StackError(Exception):
    """The stack has no job to tell of; the message says what to do."""


def outputs(stack_name: str) -> dict[str, Any]:
    """Return the outputs of a stack. Raises StackError with what the engine said."""
    command = ["pulumi", "stack", "output", "--json", "--stack", stack_name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
        found = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise StackError(f"The outputs of stack {stack_name} cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise StackError(f"The outputs of stack {stack_name} cannot be read: {done.stderr.strip()}")
    return found


def job(stack_name: str) -> WaitRequest:
    """Return the job of a stack as it was last started. Raises StackError."""
    try:
        text = checkpoint.read(stack_name).text(*_WAIT, "stdin")
        if text is None:
            raise StackError(f"Stack {stack_name} has no training that was started. Hint: run `pulumi up`.")
        return parse_request(text)
    except (checkpoint.CheckpointError, RequestError) as error:
        raise StackError(str(error)) from None
