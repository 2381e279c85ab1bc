"""What was last applied, read from the stack's own checkpoint."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

CONTAINER = "docker:index/container:Container"
_EXPORT_DEADLINE_S = 60
# The file backend replaces a checkpoint in one step, but empties the small file of attributes beside it for a
# moment; whoever reads just then is told this (about 1 read in 100 while an update runs).
_MET_A_WRITE = "failed to load checkpoint: EOF"
# How long to wait after each try that met a write, in seconds; the last one is not tried again.
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, None)


# The texts of scripts and what they printed are nine tenths of an export, which has one key a line. Nobody
# here asks for them, so they never come into memory: with many hosts they would fill it.
_BULKY = re.compile(rb'^( *"(?:create|update|delete|stdout|stderr)": )".*"(,?)\n$')


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

    def containers(self, host: str) -> list[str]:
        """Return the names of the containers that the stack has on a host, sorted."""
        names = (name.split("/", 1) for kind, name in self.inputs if kind == CONTAINER)
        return sorted(name[1] for name in names if len(name) == 2 and name[0] == host)

    def labels(self, name: str) -> Mapping[str, str] | None:
        """Return a recorded container's labels, or None if there was no such container."""
        recorded = self.of(CONTAINER, name)
        if recorded is None:
            return None
        try:
            return {str(one["label"]): str(one["value"]) for one in recorded.get("labels", [])}
        except (TypeError, KeyError):
            raise CheckpointError(unreadable(name, "its labels are no list of label and value")) from None


def unreadable(name: str, why: str) -> str:
    """Return the sentence for a resource whose record is not of our making, with the way on."""
    return (
        f"The checkpoint's record of {name} cannot be read ({why}). "
        f"Hint: restore it from a backup with `pulumi stack import`, or apply it again after "
        f"`pulumi state delete` of that resource."
    )


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
    document = _export(stack_name)
    try:
        return from_export(json.loads(document))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"The checkpoint of stack {stack_name} is not what `pulumi stack export` prints: {error}"
        ) from None


def lean(lines: Iterable[bytes]) -> bytes:
    """Return an export without the texts of scripts and of what they printed; all else is as it was."""
    return b"".join(_BULKY.sub(rb'\1""\2' + b"\n", line) for line in lines)


def _export(stack_name: str) -> bytes:
    command = ["pulumi", "stack", "export", "--stack", stack_name]
    for pause in _PAUSES_S:
        # Secrets are encrypted in an export, and this file has no name.
        with tempfile.TemporaryFile() as file:
            try:
                done = subprocess.run(
                    command, stdout=file, stderr=subprocess.PIPE, timeout=_EXPORT_DEADLINE_S, check=False
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise CheckpointError(
                    f"The checkpoint of stack {stack_name} could not be read: {error}"
                ) from None
            if done.returncode == 0:
                file.seek(0)
                return lean(file)
        said = done.stderr.decode(errors="replace").strip()
        if _MET_A_WRITE not in said or pause is None:
            break
        time.sleep(pause)
    raise CheckpointError(
        f"The checkpoint of stack {stack_name} could not be read; `{' '.join(command)}` said: {said}"
    )
