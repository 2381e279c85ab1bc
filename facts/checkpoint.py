"""What was last applied, read from the stack's own checkpoint."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_EXPORT_DEADLINE_S = 60


class CheckpointError(Exception):
    """The checkpoint could not be read; without it drift cannot be told from change."""


@dataclass(frozen=True)
class Checkpoint:
    """The recorded inputs of a stack's resources, by resource type and name."""

    inputs: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def of(self, type_token: str, name: str) -> Mapping[str, Any] | None:
        """Return the recorded inputs of one resource, or None if it was never applied."""
        return self.inputs.get((type_token, name))

    def text(self, type_token: str, name: str, field_name: str) -> str | None:
        """Return one recorded text input, or None if it was never applied."""
        recorded = self.of(type_token, name)
        value = None if recorded is None else recorded.get(field_name)
        return value if isinstance(value, str) else None

    def labels(self, name: str) -> Mapping[str, str] | None:
        """Return a recorded container's labels, or None if there was no such container."""
        recorded = self.of("docker:index/container:Container", name)
        if recorded is None:
            return None
        return {str(one["label"]): str(one["value"]) for one in recorded.get("labels", [])}


def from_export(export: Mapping[str, Any]) -> Checkpoint:
    """Return the checkpoint in the document that `pulumi stack export` prints.

    Resources that only wait for their deletion are left out: their successor of the same name counts.
    """
    deployment = export.get("deployment") or {}
    inputs = {
        (str(one["type"]), str(one["urn"]).rsplit("::", 1)[-1]): one.get("inputs") or {}
        for one in deployment.get("resources") or []
        if not one.get("delete")
    }
    return Checkpoint(inputs)


def read(stack_name: str) -> Checkpoint:
    """Return the checkpoint of a stack; this works while an update of the same stack runs.

    Raises CheckpointError with what the engine said.
    """
    command = ["pulumi", "stack", "export", "--stack", stack_name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_EXPORT_DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CheckpointError(f"The checkpoint of stack {stack_name} could not be read: {error}") from None
    if done.returncode != 0:
        raise CheckpointError(
            f"The checkpoint of stack {stack_name} could not be read; `{' '.join(command)}` said: "
            f"{done.stderr.strip()}"
        )
    try:
        return from_export(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"The checkpoint of stack {stack_name} is not what `pulumi stack export` prints: {error}"
        ) from None
