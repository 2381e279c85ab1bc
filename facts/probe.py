"""The read-only probe of a host: its script, and what its answer says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from facts import rendering

_STEP = re.compile(r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
_FACT = re.compile(r"^([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*|!)=(.*)$")
_CONTAINER = re.compile(r"^containers\.([A-Za-z0-9][A-Za-z0-9_.-]*)=(.*)$")
_NO_CONTAINERS = "containers.!="
# What a Go template prints for a label that is not there.
_NO_LABEL = ("", "<no value>")
END = "probe.end="


class ProbeError(ValueError):
    """An answer that is not the probe's; the message says what is wrong with it."""


@dataclass(frozen=True)
class ContainerFact:
    """One container of the stack: `status` is Docker's word (running, exited, …), `image_id` is sha256:…"""

    status: str
    exit_code: int
    image_id: str
    generation: str | None
    run_id: str | None


@dataclass(frozen=True)
class ProbeAnswer:
    """What one host said: facts per step and key, and why a step (or ``containers``) gave none."""

    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unobservable: Mapping[str, str] = field(default_factory=dict)
    containers: Mapping[str, ContainerFact] = field(default_factory=dict)


def render(steps: Sequence[str]) -> str:
    """Return the script that observes `steps` (``component.concern``) and the stack's containers.

    Its standard input are the values last applied, each line that of a step's stdin (settings/flat.py) after
    the step's name and a dot: ``ofed_stack.qos.trust: 'dscp'``. Raises ValueError for a name that is no step.
    """
    for step in steps:
        if not _STEP.match(step):
            raise ValueError(f"a step is named component.concern, not {step!r}")
    return rendering.render("facts/probe.sh.j2", steps=list(steps))


def parse(text: str) -> ProbeAnswer:
    """Return what the probe's output says. Raises ProbeError when it is cut off or not the probe's."""
    lines = text.splitlines()
    if not lines or lines[-1] != END:
        raise ProbeError("the probe's answer is cut off")
    facts: dict[str, dict[str, str]] = {}
    unobservable: dict[str, str] = {}
    containers: dict[str, ContainerFact] = {}
    for line in lines[:-1]:
        if line.startswith(_NO_CONTAINERS):
            unobservable["containers"] = line.removeprefix(_NO_CONTAINERS)
        elif match := _CONTAINER.match(line):
            containers[match.group(1)] = _container(match.group(2))
        elif match := _FACT.match(line):
            step, key, value = match.groups()
            if key == "!":
                unobservable[step] = value
            else:
                facts.setdefault(step, {})[key] = value
        else:
            raise ProbeError(f"this is not a line of the probe: {line!r}")
    return ProbeAnswer(facts=facts, unobservable=unobservable, containers=containers)


def _container(text: str) -> ContainerFact:
    parts = text.split("|")
    if len(parts) != 5 or not re.fullmatch(r"-?\d+", parts[1]):
        raise ProbeError(f"this is not a container's state: {text!r}")
    status, exit_code, image_id, generation, run_id = parts
    return ContainerFact(
        status=status,
        exit_code=int(exit_code),
        image_id=image_id,
        generation=None if generation in _NO_LABEL else generation,
        run_id=None if run_id in _NO_LABEL else run_id,
    )
