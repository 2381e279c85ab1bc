"""The cluster that the components share: every machine's access, and what was found on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
from pydantic import SecretStr

from components.context import Cluster, HostContext, SwitchContext
from components.gpu_host import preflight_settings
from components.host_step import LOCAL, StepId, recorded_step
from components.image_build import BUILD_STEP
from components.image_distribution import OPERATOR
from components.observation import Observations, SwitchAnswer, observe
from components.operator_files import operator_file
from components.preflight import check_fitness, new_hosts
from facts.checkpoint import Checkpoint
from facts.observe import HostObservation
from facts.operator import image_present
from settings.models import HostAccess, Stack, SwitchAccess
from settings.placeholders import placeholders
from settings.switch import Switch


@dataclass(frozen=True)
class Machines:
    """The machines under a stack: how to log in to them and, in a lab, which resources they are.

    `absent` names machines that are about to be made (again): nothing can be observed on them.
    `standins` names what stands in for missing hardware.
    """

    hosts: Mapping[str, HostAccess]
    switches: Mapping[str, SwitchAccess]
    nodes: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    generations: Mapping[str, int] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    standins: tuple[str, ...] = ()
    # The stack with what a lab fills in: where each vendor's software is.
    stack: Stack | None = None


def open_cluster(stack: Stack, stack_name: str, checkpoint: Checkpoint, machines: Machines) -> Cluster:
    """Return the cluster with everything observed."""
    stack = machines.stack or stack
    there = {name: access for name, access in machines.hosts.items() if name not in machines.absent}
    switches = {name: access for name, access in machines.switches.items() if name not in machines.absent}
    preflight = preflight_settings(stack, stack_name)
    deadline = float(stack.observation.deadline_seconds)
    found = observe(checkpoint, there, switches, preflight, deadline)
    check_fitness(found.hosts, new_hosts(checkpoint, there), frozenset(machines.nodes))
    return Cluster(
        stack=stack,
        stack_name=stack_name,
        hosts={host.name: _host(host.name, stack, machines, found) for host in stack.hosts},
        switches={
            switch.name: _switch(switch, machines, found.switches.get(switch.name, SwitchAnswer()))
            for switch in stack.all_switches
        },
        checkpoint=checkpoint,
        local_found=_local(checkpoint),
    )


def _host(name: str, stack: Stack, machines: Machines, found: Observations) -> HostContext:
    observation = found.hosts.get(name)
    if name in machines.absent:
        observation = HostObservation(host=name, state="absent", reason="the lab node is not there")
    return HostContext(
        host=next(host for host in stack.hosts if host.name == name),
        access=machines.hosts[name],
        observation=observation,
        node=machines.nodes.get(name),
        node_generation=str(machines.generations.get(name, 1)),
    )


def _switch(switch: Switch, machines: Machines, answer: SwitchAnswer) -> SwitchContext:
    return SwitchContext(
        switch=switch,
        access=machines.switches[switch.name],
        found=answer.found,
        neighbours=answer.neighbours,
        foreign=answer.foreign,
        unreachable=answer.unreachable,
        node=machines.nodes.get(switch.name),
        node_generation=str(machines.generations.get(switch.name, 1)),
    )


def _local(checkpoint: Checkpoint) -> Mapping[str, Mapping[str, str]]:
    """Return what is on the operator's own engine: whether the image that was built is still there."""
    recorded = recorded_step(checkpoint, StepId(LOCAL, OPERATOR, BUILD_STEP))
    if recorded is None:
        return {}
    reference = f"{recorded.values['image']}:{recorded.values['tag']}"
    return {BUILD_STEP: {"present": "yes" if image_present(reference) else "no"}}


def metal(stack: Stack) -> Machines:
    """Return the access that the settings of a stack without a lab describe."""
    access = stack.access
    if access is None:
        raise pulumi.RunError("This stack names neither a lab nor how to reach its machines.")
    _check_placeholders(stack)
    hint = "it is the file of an OpenSSH private key that every host lets in."
    private_key = operator_file("access.private_key_file", access.private_key_file, hint).decode()
    known_hosts = Path(".engine/known_hosts").absolute()
    hosts = {
        host.name: HostAccess(
            name=host.name,
            address=host.address or "",
            port=host.port,
            user=host.user,
            host_key=host.host_key or "",
            private_key=SecretStr(private_key),
            private_key_file=str(Path(access.private_key_file).expanduser().absolute()),
            known_hosts_file=str(known_hosts),
        )
        for host in stack.hosts
    }
    known_hosts.parent.mkdir(exist_ok=True)
    known_hosts.write_text("".join(_known_host(one) for one in hosts.values()))
    return Machines(
        hosts=hosts,
        switches={one.name: _switch_access(path, one, private_key) for path, one in stack.switch_sections},
    )


def _switch_access(path: str, switch: Switch, private_key: str) -> SwitchAccess:
    """Return how to log in to a switch; the jump host lets in the key that the hosts let in."""
    hint = "it is the file of an OpenSSH private key that the switch lets in."
    own_key = switch.private_key_file
    return SwitchAccess(
        name=switch.name,
        address=switch.address or "",
        port=switch.reached_port,
        user=switch.user,
        transport=switch.transport,
        host_key=switch.host_key or "",
        certificate_sha256=switch.certificate_sha256 or "",
        password=switch.password or SecretStr(""),
        private_key=SecretStr(
            operator_file(f"{path}.private_key_file", own_key, hint).decode() if own_key is not None else ""
        ),
        jump=switch.jump,
        jump_key=SecretStr(private_key if switch.jump is not None else ""),
    )


def _check_placeholders(stack: Stack) -> None:
    """Raise RunError when the stack file still has values to fill in; a preview only names them."""
    missing = placeholders(stack)
    if not missing:
        return
    text = (
        f"These settings are still placeholders: {', '.join(missing)}. Hint: docs/how-to/metal.md says how."
    )
    if not pulumi.runtime.is_dry_run():
        raise pulumi.RunError(f"{text} Nothing was changed.")
    pulumi.log.warn(f"{text} `up` needs them.")


def _known_host(access: HostAccess) -> str:
    """Return a host's line of known_hosts; OpenSSH writes the port only where it is not 22."""
    place = access.address if access.port == 22 else f"[{access.address}]:{access.port}"
    return f"{place} {access.host_key}\n"


def report(cluster: Cluster) -> None:
    """Tell the operator, one line each, what drifted and which machines could not be asked."""
    for one in cluster.drift:
        pulumi.log.warn(f"drift: {one}")
    for one in cluster.unsettled:
        pulumi.log.warn(f"not in sync, but no drift: {one}")
    new = new_hosts(cluster.checkpoint, cluster.hosts)
    for context in cluster.hosts.values():
        observation = context.observation
        if observation is not None and context.unreachable:
            kept = (
                "nothing was applied to it yet"
                if context.host.name in new
                else "its settings are kept as recorded and count neither as in sync nor as drift"
            )
            pulumi.log.warn(f"{context.host.name} is unreachable ({observation.reason}); {kept}")
    for switch in cluster.switches.values():
        if switch.unreachable is not None:
            pulumi.log.warn(f"{switch.access.name} is unreachable ({switch.unreachable})")
