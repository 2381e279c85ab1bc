"""Prints what `make lab` ends with: where the cluster is, what was trained, how well and how fast."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from lab.errors import LabError

_DEADLINE_S = 60


def read_outputs(stack_name: str) -> Mapping[str, Any]:
    """Return the outputs of a stack; LabError with what the engine said when it has none."""
    command = ["pulumi", "stack", "output", "--json", "--stack", stack_name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"The outputs of stack {stack_name} cannot be read: {error}") from None
    if done.returncode != 0:
        raise LabError(f"The outputs of stack {stack_name} cannot be read: {done.stderr.strip()}")
    outputs = json.loads(done.stdout)
    if not isinstance(outputs, dict):
        raise LabError(f"The outputs of stack {stack_name} are no mapping.")
    return outputs


def summarise(outputs: Mapping[str, Any]) -> str:
    """Return the summary as text; absent outputs are left out, those of unknown names shown as they are."""
    if not outputs:
        return "The lab is not up: the stack has no outputs. `make lab` brings it up.\n"
    lines = ["", "The cluster"]
    rest = dict(outputs)
    hosts = rest.pop("hosts", {})
    for name, where in hosts.items() if isinstance(hosts, dict) else []:
        lines.append(f"  {name:<14} {where}")
    if "switch" in rest:
        lines.append(f"  {'switch':<14} {rest.pop('switch')}")
    if hosts:
        key, known = ".lab/keys/client/id_ed25519", ".lab/keys/known_hosts"
        lines.append(f"  log in         ssh -i {key} -o UserKnownHostsFile={known} -p PORT root@127.0.0.1")
    training = rest.pop("training", None)
    if training:
        lines += ["", "The training", *_block(training)]
    standins = rest.pop("standins", [])
    if rest:
        lines += ["", "Also", *_block(rest)]
    if standins:
        lines += ["", f"Stand-ins for hardware (lab/README.md): {', '.join(map(str, standins))}"]
    return "\n".join(lines) + "\n"


def _block(values: Any, indent: str = "  ") -> list[str]:
    """Return nested values as indented lines, one figure a line."""
    if not isinstance(values, dict):
        return [f"{indent}{values}"]
    lines = []
    for key, value in values.items():
        name = str(key).replace("_", " ")
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_block(value, indent + "  ")]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"{indent}{name:<24} {shown}")
    return lines
