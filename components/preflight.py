"""Whether hosts to which nothing was applied yet are fit for the stack: all that is wrong, in one report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import pulumi

from components.host_step import REMOTE, StepId
from components.observation import HOST_STEPS, PREFLIGHT
from facts.checkpoint import Checkpoint
from facts.observe import HostObservation


def new_hosts(checkpoint: Checkpoint, hosts: Iterable[str]) -> frozenset[str]:
    """Return those of the hosts to which no step was ever applied."""
    return frozenset(
        host
        for host in hosts
        if all(checkpoint.of(REMOTE, StepId(REMOTE, host, step).name) is None for step in HOST_STEPS)
    )


def problems(observations: Mapping[str, HostObservation], new: Set[str], nodes: Set[str]) -> list[str]:
    """Return what is wrong with the `new` hosts, each sentence after its host's name, in the stack's order.

    One of the lab's `nodes` that does not answer is only about to start.
    """
    found = []
    for host, one in observations.items():
        if host not in new or (one.state == "unreachable" and host in nodes):
            continue
        if one.state == "unreachable":
            found.append(f"{host}: it does not answer ({one.reason})")
        elif PREFLIGHT in one.unobservable:
            found.append(f"{host}: it could not be checked ({one.unobservable[PREFLIGHT]})")
        else:
            said = one.facts.get(PREFLIGHT, {}).get("problems", "")
            found += [f"{host}: {problem}" for problem in said.split("|") if problem]
    return found


def check_fitness(observations: Mapping[str, HostObservation], new: Set[str], nodes: Set[str]) -> None:
    """Raise RunError with every problem of every new host, before anything is changed.

    A preview warns of each instead, and plans on; that a host does not answer is said with all others.
    """
    if pulumi.runtime.is_dry_run():
        there = {host: one for host, one in observations.items() if one.state != "unreachable"}
        for problem in problems(there, new, nodes):
            pulumi.log.warn(f"{problem}; `up` needs that put right")
        return
    found = problems(observations, new, nodes)
    if not found:
        return
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    lines = "\n".join(f"  {problem}" for problem in found)
    raise pulumi.RunError(
        f"New hosts are not fit for this stack, {count}; nothing was changed:\n{lines}\n"
        "Hint: put these right, then run up again; docs/how-to/metal.md has what a host needs."
    )
