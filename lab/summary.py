"""Prints what `make lab` ends with: where the cluster is, what was trained, how well and how fast."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from lab.errors import LabError
from lab.files import LabFiles
from lab.keys import login

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


def summarise(outputs: Mapping[str, Any], stack_name: str = "lab") -> str:
    """Return the summary as text; what the stack has no output for is left out."""
    if not outputs:
        return f"The lab is not up: the stack has no outputs. `make {stack_name}` brings it up.\n"
    lines = ["", "The cluster"]
    hosts = outputs.get("hosts", {})
    for name, where in hosts.items():
        lines.append(f"  {name:<14} {where}")
    for name, where in outputs.get("switches", {}).items():
        lines.append(f"  {name:<14} {where}")
    if hosts:
        lines.append(f"  {'log in':<14} {login(LabFiles(), stack_name, 'PORT')}")
    training = outputs.get("training")
    # After an `up` that failed the engine keeps a mark here instead of figures.
    if isinstance(training, dict):
        lines += ["", "The training", *_training(training, str(outputs.get("job", "")))]
    proof = outputs.get("proof")
    if isinstance(proof, dict) and "rdma" in proof:
        measured = ", ".join(f"{one['gbits']:g}" for one in proof["bandwidth"]) or "nothing"
        lines.append(
            f"  {'proof':<14} {proof['rdma']}; measured before it (Gb/s): {measured}; as a page: make report"
        )
        wire = proof.get("wire")
        if isinstance(wire, dict):
            lines.append(
                f"  {'on the wire':<14} {wire['marked']} of {wire['packets']} RoCE packets sent were IPv4 "
                f"with DSCP {proof['dscp']['wanted']}"
            )
    if "image" in outputs:
        lines.append(f"  {'image':<14} {outputs['image']}")
    standins = outputs.get("standins", [])
    if standins:
        lines += ["", f"Stand-ins for hardware (lab/README.md): {', '.join(standins)}"]
    return "\n".join(lines) + "\n"


def _training(figures: Mapping[str, Any], job: str) -> list[str]:
    """Return what was trained, a line per shard with its accuracy after each epoch, and all together."""
    lines = [f"  {'job':<14} {job}"] if job else []
    if "shards" not in figures:
        # `wait: false`: what became of it nobody has looked at.
        return [*lines, f"  {'run':<14} {figures['run_id']}, started; nobody waited for its end"]
    for shard in figures["shards"]:
        epochs = " ".join(f"{one:.2f}" for one in shard["top1_per_epoch"])
        lines.append(
            f"  {'shard ' + str(shard['shard']):<14} {shard['host']}: top-1 {shard['final_top1']:.3f} "
            f"(per epoch {epochs}), {shard['images_per_second']:.1f} images/s, "
            f"{shard['bytes_sent'] / 1e9:.2f} GB sent"
        )
    lines.append(
        f"  {'together':<14} top-1 {figures['final_top1']:.3f}, {figures['images_per_second']:.1f} images/s, "
        f"transport {figures['transport']} on {figures['interface']}, run {figures['run_id']}"
    )
    return lines
