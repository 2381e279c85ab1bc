"""Looks at the lab's machines on the operator's engine: which are there, and which generation they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from docker.errors import DockerException
from requests.exceptions import RequestException

from lab.errors import LabError
from lab.image import connect

# `cut off` is a machine that runs, but whose data link has ended (lab/vm/observe.py).
State = Literal["present", "stopped", "cut off", "absent"]


@dataclass(frozen=True)
class NodeState:
    """One machine as found. `generation` is its container's label, None when there is no such container.

    Absent is also a container of another generation than the recorded one: it is not the machine that was
    configured.
    """

    name: str
    state: State
    generation: int | None = None


def observe(
    docker_host: str | None, names: Iterable[str], recorded: Mapping[str, int], stack_name: str = "lab"
) -> Mapping[str, NodeState]:
    """Return the state of each named machine in one call to the engine.

    `recorded` is the generation of each machine that the stack's checkpoint knows. Raises LabError when the
    engine does not answer.
    """
    client = connect(docker_host)
    try:
        containers = client.api.containers(all=True, filters={"label": f"rocestack.stack={stack_name}"})
    except (DockerException, RequestException) as error:
        raise LabError(f"The Docker engine does not list the lab's containers: {error}") from None
    finally:
        client.close()
    return judge(containers, names, recorded)


def judge(
    containers: Iterable[Mapping[str, Any]], names: Iterable[str], recorded: Mapping[str, int]
) -> dict[str, NodeState]:
    """Return the state of each named machine in the engine's list of containers."""
    found: dict[str, tuple[int | None, bool]] = {}
    for container in containers:
        labels = container.get("Labels") or {}
        label = labels.get("rocestack.generation", "")
        generation = int(label) if label.isdigit() else None
        # A machine that reboots is "restarting" for a moment.
        runs = container.get("State") in ("running", "restarting")
        found[labels.get("rocestack.node", "")] = (generation, runs)
    states = {}
    for name in names:
        generation, runs = found.get(name, (None, False))
        if generation is None or generation != recorded.get(name):
            states[name] = NodeState(name, "absent", generation)
        else:
            states[name] = NodeState(name, "present" if runs else "stopped", generation)
    return states
