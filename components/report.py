"""What the operator is told at the end of a run: a line per finding, one summary, an output, and a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi

from components import fabric
from components.cluster import report
from components.context import Cluster, HostContext, SwitchContext
from components.host_step import LOCAL, REMOTE, StepId, recorded_step
from components.image_build import BUILD_STEP
from components.image_distribution import OPERATOR
from components.observation import HOST_STEPS
from components.preflight import new_hosts
from components.switch_qos import STEP as SWITCH_STEP
from facts import report as reports
from facts.observe import HostObservation
from facts.report import Machine, Report
from onyx.errors import WantedError
from onyx.wanted import read_wanted

# Names the report's file where machines read it; else each stack has one beside the set-up's files.
FILE_VARIABLE = "ROCESTACK_REPORT"
_CONTAINERS = "containers"
_ROUTES = "docker_host.routes"


def tell(cluster: Cluster) -> Report:
    """Log what was found and the summary, write the report's file, and return the report."""
    between = fabric.look(cluster)
    found = collect(cluster, between)
    path = Path(os.environ.get(FILE_VARIABLE) or f".engine/drift/{cluster.stack_name}.json")
    found = reports.with_since(found, reports.read(path))
    report(cluster)
    fabric.report(between)
    summary = reports.summary(found)
    log = pulumi.log.info if reports.is_quiet(found) else pulumi.log.warn
    log(summary)
    try:
        reports.write_whole(path, reports.as_json(found))
    except OSError as error:
        pulumi.log.warn(f"The drift report could not be written to {path}: {error.strerror}.")
    return found


def export(found: Report, done: pulumi.Output[Any]) -> pulumi.Input[Any]:
    """Return the stack's output `drift`.

    A preview gives what it found. An `up` gives what it left, and that is known only once all is `done`.
    """
    told = reports.output(found)
    return told if found.run == "preview" else done.apply(lambda _: told)


def collect(cluster: Cluster, between: fabric.Fabric) -> Report:
    """Return what was found on each machine of the cluster, and between them."""
    machines = [_host(cluster, context) for context in cluster.hosts.values()]
    machines += [_switch(cluster, context) for context in cluster.switches.values()]
    if cluster.local_found:
        step = StepId(LOCAL, OPERATOR, BUILD_STEP)
        in_sync = _in_sync(cluster, step, cluster.local_found.get(BUILD_STEP))
        machines.append(
            Machine(name=OPERATOR, kind="operator", in_sync=in_sync, **_findings(cluster, OPERATOR))
        )
    return Report(
        stack=cluster.stack_name,
        run="preview" if pulumi.runtime.is_dry_run() else "up",
        at=reports.now(),
        machines=_with_fabric(cluster, machines, between),
    )


def _with_fabric(
    cluster: Cluster, machines: Sequence[Machine], between: fabric.Fabric
) -> tuple[Machine, ...]:
    """Return the machines with what is wrong between them and their switch.

    Where one of the two drifted, that drift is why they do not agree, and is told already.
    """
    drifted = {one.name for one in machines if one.drift}

    def judged(one: Machine) -> Machine:
        if one.name not in cluster.hosts:
            return one
        settled = not drifted & {one.name, cluster.switch_of(cluster.hosts[one.name].host).access.name}
        chain = between.disagreements.get(one.name, ()) if settled else ()
        return one.model_copy(update={"cabling": between.wrong_cables.get(one.name), "chain": chain})

    return tuple(judged(one) for one in machines)


def _host(cluster: Cluster, context: HostContext) -> Machine:
    name, observation = context.host.name, context.observation
    new = name in new_hosts(cluster.checkpoint, [name])
    if observation is None or (new and observation.state != "unreachable"):
        return Machine(name=name, state="new")
    if observation.state != "reachable":
        return Machine(name=name, state=observation.state, reason=observation.reason)
    steps = [StepId(REMOTE, name, step) for step in HOST_STEPS]
    fields = _findings(cluster, name)
    return Machine(
        name=name,
        in_sync=sum(_in_sync(cluster, step, observation.facts.get(step.step)) for step in steps),
        foreign=_foreign(cluster, observation),
        **{**fields, "unobservable": {**fields["unobservable"], **_silent_steps(cluster, observation)}},
    )


def _switch(cluster: Cluster, switch: SwitchContext) -> Machine:
    name = switch.access.name
    step = StepId(LOCAL, name, SWITCH_STEP)
    if switch.found is not None:
        in_sync = _in_sync(cluster, step, switch.found)
        return Machine(
            name=name, kind="switch", in_sync=in_sync, foreign=switch.foreign, **_findings(cluster, name)
        )
    if switch.unreachable is not None:
        return Machine(name=name, kind="switch", state="unreachable", reason=switch.unreachable)
    recorded = recorded_step(cluster.checkpoint, step)
    if recorded is None:
        return Machine(name=name, kind="switch", state="new")
    try:
        read_wanted(recorded.values)
    except WantedError:
        why = "its record is of an older program, and the next up makes a new one"
        return Machine(name=name, kind="switch", unobservable={SWITCH_STEP: why})
    return Machine(name=name, kind="switch", state="absent", reason="the lab machine is not there")


def _findings(cluster: Cluster, machine: str) -> dict[str, Mapping[str, Any]]:
    """Return a machine's differences by kind; what the steps call unsettled is pending, or allowed unseen."""
    found = reports.sorted_findings(one for one in cluster.drift if one.host == machine)
    rest = reports.sorted_findings(one for one in cluster.unsettled if one.host == machine)
    return {
        **found,
        "pending_reboot": {**found["pending_reboot"], **rest["pending_reboot"]},
        "allowed": rest["unobservable"],
    }


def _in_sync(cluster: Cluster, step: StepId, found: Mapping[str, str] | None) -> int:
    recorded = recorded_step(cluster.checkpoint, step)
    if recorded is None or found is None:
        return 0
    return sum(found.get(key) == value for key, value in recorded.values.items())


def _silent_steps(cluster: Cluster, observation: HostObservation) -> dict[str, str]:
    """Return what was applied to a host that answered, and of which nothing was seen, with the reason."""
    silent = {
        step: observation.unobservable.get(step, "the probe says nothing of it")
        for step in HOST_STEPS
        if step not in observation.facts
        and cluster.checkpoint.of(REMOTE, StepId(REMOTE, observation.host, step).name) is not None
    }
    if _CONTAINERS in observation.unobservable and cluster.checkpoint.containers(observation.host):
        silent[_CONTAINERS] = observation.unobservable[_CONTAINERS]
    return silent


def _foreign(cluster: Cluster, observation: HostObservation) -> tuple[str, ...]:
    """Return the containers that are not in the checkpoint, and the routes beside ours."""
    strays = set(observation.containers) - set(cluster.checkpoint.containers(observation.host))
    routes = observation.facts.get(_ROUTES, {}).get("foreign_routes", "")
    return (
        *(f"container {name}" for name in sorted({*strays, *observation.others})),
        *(f"route {route}" for route in routes.split(", ") if route),
    )
