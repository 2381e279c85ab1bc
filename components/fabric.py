"""Switches and hosts of the cluster seen together, from what was found on them and was applied to them."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.context import Cluster, HostContext, SwitchContext
from components.host_step import LOCAL, REMOTE, StepId
from components.switch_qos import STEP as SWITCH_STEP
from facts import fabric

_ADDRESS, _QOS = "ofed_stack.address", "ofed_stack.qos"


def wrong_cables(cluster: Cluster) -> dict[str, str]:
    """Return for each host that is on another port than its settings say a sentence naming both ends."""
    found = fabric.cables(list(_switch_sides(cluster).values()), list(_host_sides(cluster).values()))
    return {cable.host: cable.problem for cable in found if cable.problem}


def disagreements(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """Return for each host where it and its switch, as found, make no lossless chain, as sentences.

    It says nothing of a machine to which its QoS was never applied: that one has not failed to agree yet.
    """
    switches = _switch_sides(cluster)
    found = {
        name: tuple(fabric.contradictions(switches[host.switch], host))
        for name, host in _host_sides(cluster).items()
    }
    return {name: sentences for name, sentences in found.items() if sentences}


def report(cluster: Cluster) -> None:
    """Tell the operator whether switches and hosts make one lossless fabric, cabled as wanted."""
    for sentences in disagreements(cluster).values():
        for sentence in sentences:
            pulumi.log.warn(sentence)
    for sentence in wrong_cables(cluster).values():
        pulumi.log.warn(sentence)
    for line in fabric.summary(list(_switch_sides(cluster).values()), list(_host_sides(cluster).values())):
        pulumi.log.info(line)


def _switch_sides(cluster: Cluster) -> dict[str, fabric.SwitchSide]:
    return {name: _switch_side(cluster, context) for name, context in cluster.switches.items()}


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


def _host_sides(cluster: Cluster) -> dict[str, fabric.HostSide]:
    return {name: _host_side(cluster, context) for name, context in cluster.hosts.items()}


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
