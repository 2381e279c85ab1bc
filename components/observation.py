"""One look at the whole cluster before anything is declared: all hosts and all switches at once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from components.host_step import LOCAL, REMOTE, StepId, recorded_step
from components.switch_qos import STEP as SWITCH_STEP
from components.switch_qos import login, secrets
from facts import probe
from facts.checkpoint import Checkpoint
from facts.observe import OPEN_AT_ONCE, HostObservation, observe_hosts
from onyx.errors import OnyxError, WantedError
from onyx.observe import read_switch
from onyx.state import Neighbours
from onyx.wanted import read_access, read_wanted
from settings import flat
from settings.models import HostAccess, SwitchAccess

# Every step whose facts a host is asked for, in the order in which `up` applies them.
HOST_STEPS = (
    "gpu_host.preflight",
    "gpu_host.apt",
    "gpu_host.nouveau",
    "gpu_host.driver",
    "ofed_stack.packages",
    "ofed_stack.link_type",
    "ofed_stack.address",
    "ofed_stack.soft_roce",
    "ofed_stack.qos",
    "docker_host.engine",
    "docker_host.routes",
    "docker_host.runtime",
    "caffe2_image.certificate",
    "caffe2_image.registry",
    "caffe2_image.pull",
    "caffe2_image.host_check",
    "training_job.dataset",
    "training_job.dataset_server",
)
PREFLIGHT = HOST_STEPS[0]
# What each host has at least; with many of them the deadline of all grows.
_LEAST_S = 5.0


@dataclass(frozen=True)
class SwitchAnswer:
    """What a switch says of its settings and its neighbours; `found` is None where it says nothing.

    `unreachable` is why it did not answer; None also where it was not asked.
    """

    found: Mapping[str, str] | None = None
    neighbours: Neighbours = field(default_factory=Neighbours)
    unreachable: str | None = None
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observations:
    """What was found, by the names of hosts and switches; a switch that was not asked has no entry."""

    hosts: Mapping[str, HostObservation] = field(default_factory=dict)
    switches: Mapping[str, SwitchAnswer] = field(default_factory=dict)


def observe(
    checkpoint: Checkpoint,
    hosts: Mapping[str, HostAccess],
    switches: Mapping[str, SwitchAccess],
    preflight: Mapping[str, str],
    deadline: float,
) -> Observations:
    """Return what is on the given hosts and switches, one round trip each, all in parallel.

    `deadline`, in seconds, is for all hosts together; a switch has a second more for each of its ports.

    A host to which nothing was ever applied has nothing that could have drifted: it is asked whether it is
    fit for the stack, by the settings `preflight` of that step. Such a switch is not asked.
    """
    first = "".join(f"{PREFLIGHT}.{line}\n" for line in flat.render(preflight).splitlines())
    asked = {name: (access, _applied_lines(checkpoint, name) or first) for name, access in hosts.items()}
    applied = {name: _switch_applied(checkpoint, access) for name, access in switches.items()}
    # A thread a switch; and the program already runs inside an event loop of the engine's SDK, so that of the
    # hosts needs a thread of its own.
    with ThreadPoolExecutor(max_workers=1 + len(switches)) as pool:
        switch_answers = {
            name: pool.submit(_read_switch, switches[name], lines, deadline)
            for name, lines in applied.items()
            if lines
        }
        host_answer = pool.submit(asyncio.run, _observe_hosts(asked, deadline)) if asked else None
        return Observations(
            hosts=host_answer.result() if host_answer is not None else {},
            switches={name: answer.result() for name, answer in switch_answers.items()},
        )


async def _observe_hosts(
    asked: Mapping[str, tuple[HostAccess, str]], deadline: float
) -> Mapping[str, HostObservation]:
    script = probe.render(HOST_STEPS)
    return await observe_hosts(
        [access for access, _ in asked.values()],
        script,
        {name: stdin for name, (_, stdin) in asked.items()},
        max(deadline, _LEAST_S * math.ceil(len(asked) / OPEN_AT_ONCE)),
    )


def _applied_lines(checkpoint: Checkpoint, host: str) -> str:
    """Return what the probe compares with: the last applied lines of each step, its name before them."""
    lines = []
    for step in HOST_STEPS:
        step_id = StepId(REMOTE, host, step)
        text = checkpoint.text(REMOTE, step_id.name, "stdin")
        # A record that nobody can read ends the run here, before any host is asked.
        if recorded_step(checkpoint, step_id) is not None and text is not None:
            lines += [f"{step}.{line}\n" for line in text.splitlines()]
    if lines:
        # A container of this name that somebody made without our label is looked at too.
        lines.append(f"training_job.containers.names: '{' '.join(checkpoint.containers(host))}'\n")
    return "".join(lines)


def _switch_applied(checkpoint: Checkpoint, switch: SwitchAccess) -> Mapping[str, str] | None:
    """Return what was last applied to a switch, or None if nothing ever was."""
    recorded = recorded_step(checkpoint, StepId(LOCAL, switch.name, SWITCH_STEP))
    return None if recorded is None else recorded.values


def _read_switch(switch: SwitchAccess, applied: Mapping[str, str], deadline: float) -> SwitchAnswer:
    try:
        wanted = read_wanted(applied)
    except WantedError:
        # The record is of an older program, so this one's next `up` applies and observes anew.
        return SwitchAnswer()
    try:
        access = read_access(login(switch), secrets(switch))
        answer = read_switch(access, wanted, deadline + len(wanted.ports))
    except OnyxError as error:
        return SwitchAnswer(unreachable=str(error))
    return SwitchAnswer(answer.found, answer.neighbours, foreign=answer.foreign)
