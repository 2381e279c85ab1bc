"""The job's drift: whether the shards on the hosts are the ones that the checkpoint remembers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from facts.checkpoint import CheckpointError, unreadable
from facts.drift import Difference

# A shard that is running belongs to an interrupted `up` and is waited for; one that ended well is done.
_HEALTHY = ("running", "created", "exited 0")


@dataclass(frozen=True)
class ContainerState:
    """One container as found: its status (``running``, ``exited 0``, ``removed``) and its label.

    `differing` has each setting with which it was not made as recorded: key, found, wanted.
    """

    status: str
    generation: str | None = None
    differing: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class JobPlan:
    """The generation of a set of containers, what drift made it grow, and a note that says so."""

    generation: int
    note: str
    drift: tuple[Difference, ...] = ()


def plan_containers(
    step: str,
    recorded: Mapping[str, Mapping[str, str] | None],
    found: Mapping[str, ContainerState | None],
    hosts: Mapping[str, str],
    *,
    healthy: tuple[str, ...] = _HEALTHY,
) -> JobPlan:
    """Return the next generation of containers that live and die together.

    `recorded` maps each container to its recorded labels (None: never made), `found` to its state on its
    host (None: the host was not asked or did not answer, which is no drift), `hosts` to its host's name.
    Raises CheckpointError for recorded labels that are not of our making.
    """
    known = [labels for labels in recorded.values() if labels is not None]
    if not known:
        return JobPlan(generation=1, note="")
    generation = max(_generation(name, labels) for name, labels in recorded.items() if labels is not None)
    note = next((labels["rocestack.drift"] for labels in known if "rocestack.drift" in labels), "")
    drift = []
    for name, labels in sorted(recorded.items()):
        state = found.get(name)
        if labels is None or state is None:
            continue
        status = state.status
        if status in healthy and state.generation != labels.get("rocestack.generation"):
            status = f"{status} of generation {state.generation}"
        if status not in healthy:
            drift.append(Difference(hosts[name], step, name, status, healthy[-1]))
            continue
        drift += [
            Difference(hosts[name], step, f"{name}.{key}", there, asked)
            for key, there, asked in state.differing
        ]
    if not drift:
        return JobPlan(generation, note)
    told = "; ".join(f"{one.key} on {one.host} found {one.found}, wanted {one.wanted}" for one in drift)
    # The count makes the same drift a new line each time.
    return JobPlan(generation + 1, f"{told} (repair {generation})", tuple(drift))


def plan_run(
    settings: Mapping[str, object], recorded: Mapping[str, Mapping[str, str] | None], plan: JobPlan
) -> tuple[JobPlan, str]:
    """Return the plan of the job's next run and the run's identity.

    Another job than the recorded one gets the next generation, as drift does. So going back to settings that
    ran before is a new run too: Redis never forgets an identity.
    """
    run = run_id(settings, plan.generation)
    newest = max(
        (labels for labels in recorded.values() if labels is not None),
        key=lambda labels: int(labels.get("rocestack.generation", "1")),
        default=None,
    )
    if newest is None or plan.drift or newest.get("rocestack.run_id") == run:
        return plan, run
    after = JobPlan(plan.generation + 1, note="")
    return after, run_id(settings, after.generation)


def _generation(name: str, labels: Mapping[str, str]) -> int:
    text = labels.get("rocestack.generation", "1")
    if not text.isdecimal():
        raise CheckpointError(unreadable(name, f"its generation is no number: {text!r}"))
    return int(text)


def run_id(settings: Mapping[str, object], generation: int) -> str:
    """Return the job's identity in Redis: the same settings and try give the same text, else a new one.

    The trainer's rendezvous keys are written once and never again, so a failed try burns its identity.
    """
    text = json.dumps({"settings": settings, "generation": generation}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
