"""Switches and hosts of the cluster seen together, from what was found on them and was applied to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.context import Cluster, HostContext, SwitchContext
from components.host_step import LOCAL, REMOTE, StepId
from components.switch_qos import STEP as SWITCH_STEP
from facts import fabric

_ADDRESS, _QOS = "ofed_stack.address", "ofed_stack.qos"


@dataclass(frozen=True)
class Fabric:
    """What was found between switches and hosts, by the host's name; hosts without a finding are left out.

    `wrong_cables` has a sentence naming both ends for a host on another port than its settings say.
    `disagreements` has sentences where a host and its switch, as found, make no lossless chain. It says
    nothing of a machine to which its QoS was never applied: that one has not failed to agree yet. `summary`
    has a line a switch.
    """

    wrong_cables: Mapping[str, str]
    disagreements: Mapping[str, tuple[str, ...]]
    summary: tuple[str, ...]


def look(cluster: Cluster) -> Fabric:
    """Return what the observation of all switches and hosts says of what is between them."""
    switches = {name: _switch_side(cluster, context) for name, context in cluster.switches.items()}
    hosts = {name: _host_side(cluster, context) for name, context in cluster.hosts.items()}
    chains = {name: tuple(fabric.contradictions(switches[host.switch], host)) for name, host in hosts.items()}
    both = (tuple(switches.values()), tuple(hosts.values()))
    return Fabric(
        wrong_cables={cable.host: cable.problem for cable in fabric.cables(*both) if cable.problem},
        disagreements={name: sentences for name, sentences in chains.items() if sentences},
        summary=tuple(fabric.summary(*both)),
    )


def report(found: Fabric) -> None:
    """Tell the operator whether switches and hosts make one lossless fabric, cabled as wanted."""
    for sentences in found.disagreements.values():
        for sentence in sentences:
            pulumi.log.warn(sentence)
    for sentence in found.wrong_cables.values():
        pulumi.log.warn(sentence)
    for line in found.summary:
        pulumi.log.info(line)


def _switch_side(cluster: Cluster, context: SwitchContext) -> fabric.SwitchSide:
    name = context.switch.name
    applied = cluster.checkpoint.of(LOCAL, StepId(LOCAL, name, SWITCH_STEP).name) is not None
    return fabric.SwitchSide(
        name=name,
        uplinks=frozenset(context.switch.uplink_names()),
        answered=context.found is not None,
        found=(context.found or {}) if applied else {},
        lldp=context.neighbours.lldp,
        macs=context.neighbours.macs,
    )


def _host_side(cluster: Cluster, context: HostContext) -> fabric.HostSide:
    name = context.host.name
    facts: Mapping[str, Mapping[str, str]] = {}
    if context.observation is not None and context.observation.state == "reachable":
        facts = context.observation.facts
    applied = cluster.checkpoint.of(REMOTE, StepId(REMOTE, name, _QOS).name) is not None
    return fabric.HostSide(
        name=name,
        switch=cluster.switch_of(context.host).switch.name,
        port=context.host.switch_port,
        mac=facts.get(_ADDRESS, {}).get("mac"),
        qos=facts.get(_QOS) if applied else None,
    )
