"""All hosts observed at once, one round trip each; a host that cannot be asked never stops the others."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from facts.probe import ContainerFact, ProbeError, parse
from facts.ssh import Unreachable, run_script
from settings.models import HostAccess

__all__ = ["ContainerFact", "HostObservation", "observe_hosts"]

State = Literal["reachable", "unreachable", "absent"]
# Connections open at once: more would only make each of them slower.
OPEN_AT_ONCE = 64


@dataclass(frozen=True)
class HostObservation:
    """What one host is like.

    `state` is ``reachable``, ``unreachable`` (it could not be asked; `reason` says why, and nothing is known
    of it) or ``absent`` (known not to exist: a lab node that is gone). `facts` maps step and key to the value
    found; a step in `unobservable` (or ``containers``) has a reason instead. `containers` are the stack's,
    `others` the names of all other ones.
    """

    host: str
    state: State
    reason: str | None = None
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unobservable: Mapping[str, str] = field(default_factory=dict)
    containers: Mapping[str, ContainerFact] = field(default_factory=dict)
    others: tuple[str, ...] = ()


async def observe_hosts(
    accesses: Sequence[HostAccess], script: str, stdin_by_host: Mapping[str, str], deadline: float
) -> Mapping[str, HostObservation]:
    """Return each host's observation by its name, within `deadline` seconds for all of them together.

    At most OPEN_AT_ONCE hosts are asked at once. Each may take its share of the time that is left, so hosts
    that do not answer never use up the time of those behind them.
    """
    end = time.monotonic() + deadline
    places = asyncio.Semaphore(OPEN_AT_ONCE)
    waiting = len(accesses)

    async def ask(access: HostAccess) -> HostObservation:
        nonlocal waiting
        async with places:
            rounds = math.ceil(waiting / OPEN_AT_ONCE)
            waiting -= 1
            share = max((end - time.monotonic()) / rounds, 0)
            return await _observe(access, script, stdin_by_host.get(access.name, ""), round(share, 1))

    observations = await asyncio.gather(*(ask(access) for access in accesses))
    return {one.host: one for one in observations}


async def _observe(access: HostAccess, script: str, stdin: str, deadline: float) -> HostObservation:
    try:
        result = await run_script(access, script, stdin, deadline)
    except Unreachable as error:
        return HostObservation(access.name, "unreachable", error.reason)
    return observation(access.name, result.status, result.stdout, result.stderr)


def observation(host: str, status: int, stdout: str, stderr: str) -> HostObservation:
    """Return what a probe that ended with `status` says of its host.

    A probe that failed as a whole or whose answer is not whole tells nothing: the host then counts as
    unreachable, with the reason.
    """
    if status != 0:
        said = stderr.strip().splitlines()
        detail = f": {said[-1]}" if said else ""
        return HostObservation(host, "unreachable", f"the probe ended with status {status}{detail}")
    try:
        answer = parse(stdout)
    except ProbeError as error:
        return HostObservation(host, "unreachable", str(error))
    return HostObservation(
        host, "reachable", None, answer.facts, answer.unobservable, answer.containers, answer.others
    )
