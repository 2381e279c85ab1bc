"""The read-only probe of a host: its script, and what its answer says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from facts import files, rendering

_STEP = re.compile(r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
_FACT = re.compile(r"^([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*|!)=(.*)$")
_CONTAINER, _OTHER = "container=", "containers.other="
_NO_CONTAINERS = "containers.!="
END = "probe.end="


class ProbeError(ValueError):
    """An answer that is not the probe's; the message says what is wrong with it."""


@dataclass(frozen=True)
class ContainerFact:
    """One container of the stack: `status` is Docker's word (running, exited, …), `image_id` is sha256:…

    One that runs and fails its health check is ``running unhealthy``.

    `made` is how it was made, for `settings_found` in facts/containers.py; None where that is not known.
    """

    status: str
    exit_code: int
    image_id: str
    generation: str | None
    run_id: str | None
    made: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ProbeAnswer:
    """What one host said: facts per step and key, and why a step (or ``containers``) gave none.

    `containers` are the stack's, `others` the names of all other ones.
    """

    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unobservable: Mapping[str, str] = field(default_factory=dict)
    containers: Mapping[str, ContainerFact] = field(default_factory=dict)
    others: tuple[str, ...] = ()


def render(steps: Sequence[str]) -> str:
    """Return the script that observes `steps` (``component.concern``) and the host's containers.

    Its standard input are the values last applied, each line that of a step's stdin (settings/flat.py) after
    the step's name and a dot: ``ofed_stack.qos.trust: 'dscp'``. Raises ValueError for a name that is no step.
    """
    for step in steps:
        if not _STEP.match(step):
            raise ValueError(f"a step is named component.concern, not {step!r}")
    return rendering.render(
        "facts/probe.sh.j2", steps=list(steps), files=files.probed(), units=files.probed_units()
    )


def parse(text: str) -> ProbeAnswer:
    """Return what the probe's output says. Raises ProbeError when it is cut off or not the probe's."""
    lines = text.splitlines()
    if not lines or lines[-1] != END:
        raise ProbeError("the probe's answer is cut off")
    facts: dict[str, dict[str, str]] = {}
    unobservable: dict[str, str] = {}
    containers: dict[str, ContainerFact] = {}
    others = []
    for line in lines[:-1]:
        if line.startswith(_NO_CONTAINERS):
            unobservable["containers"] = line.removeprefix(_NO_CONTAINERS)
        elif line.startswith(_CONTAINER):
            name, one = _container(line.removeprefix(_CONTAINER))
            containers[name] = one
        elif line.startswith(_OTHER):
            others.append(line.removeprefix(_OTHER))
        elif match := _FACT.match(line):
            step, key, value = match.groups()
            if key == "!":
                unobservable[step] = value
            else:
                facts.setdefault(step, {})[key] = value
        else:
            raise ProbeError(f"this is not a line of the probe: {line!r}")
    return ProbeAnswer(facts, unobservable, containers, tuple(sorted(others)))


def _status(made: Mapping[str, Any]) -> str:
    # One that ended keeps what its last health check said.
    sick = made["status"] == "running" and made.get("health") == "unhealthy"
    return "running unhealthy" if sick else str(made["status"])


def _container(text: str) -> tuple[str, ContainerFact]:
    try:
        made = json.loads(text)
        labels = made["config"]["Labels"] or {}
        return made["name"].removeprefix("/"), ContainerFact(
            status=_status(made),
            exit_code=int(made["exit_code"]),
            image_id=str(made["image"]),
            generation=labels.get("rocestack.generation"),
            run_id=labels.get("rocestack.run_id"),
            made=made,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        # Its text may hold an environment, so it is not repeated.
        raise ProbeError("a line of the probe is not a container's state") from None
