"""Applied, found, wanted: what differs on a machine, and what a step is told in consequence.

*Drift* is found ≠ applied; a *change* is applied ≠ wanted. A step's stdin carries the wanted values, a
generation that counts repairs, and the notes of the last drift. In sync the recorded generation and notes
are repeated byte for byte, so the engine sees no difference; on drift the generation grows by one, so the
engine sees one update, also when the very same drift comes a second time (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from settings import flat

_GENERATION = "generation"
_NODE = "node"
_NOTE = "drift_"
# A probe's words for two states of a fact: nothing can show it, or the next boot makes it so.
UNOBSERVABLE = "unobservable: "
AFTER_REBOOT = " (after reboot)"
_ALLOWED = "allow_unobservable"
# A step's setting: whether it may ask for the reboot that a fact waits for.
_REBOOT, _NO_REBOOT = "reboot", "never"


@dataclass(frozen=True)
class Recorded:
    """What the checkpoint says was last applied: the values, the count of repairs, the last drift."""

    values: Mapping[str, str]
    generation: int
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One fact that is not as it was left: where, what was found, what is wanted."""

    host: str
    step: str
    key: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.host} {self.step}.{self.key}: found '{self.found}', wanted '{self.wanted}'"


@dataclass(frozen=True)
class StepPlan:
    """A step's bookkeeping lines (generation and notes) and the drift that explains them."""

    generation: int
    notes: Mapping[str, str]
    drift: tuple[Difference, ...] = ()

    def lines(self) -> dict[str, str]:
        """Return the bookkeeping as keys of the step's stdin."""
        return {_GENERATION: str(self.generation), **self.notes}


def recorded_from(stdin: str) -> Recorded:
    """Return what a step's recorded stdin says. Raises ValueError when it is not of our making."""
    lines = flat.parse(stdin)
    generation = int(lines.pop(_GENERATION))
    lines.pop(_NODE, None)
    notes = {key: lines.pop(key) for key in list(lines) if key.startswith(_NOTE)}
    return Recorded(values=lines, generation=generation, notes=notes)


def differences(
    host: str, step: str, applied: Mapping[str, str], found: Mapping[str, str]
) -> list[Difference]:
    """Return the facts that were observed and are not as applied, sorted by key.

    Neither a fact is drift that waits for a reboot which this step may not ask for (its setting `reboot` is
    ``never``, or it has none), nor one without an answer that its setting `allow_unobservable` (keys,
    separated by blanks) names: see `unsettled`.
    """
    return [
        Difference(host, step, key, found=found[key], wanted=applied[key])
        for key in sorted(applied)
        if key in found and found[key] != applied[key] and not _is_unsettled(key, applied, found[key])
    ]


def unsettled(host: str, step: str, applied: Mapping[str, str], found: Mapping[str, str]) -> list[Difference]:
    """Return the facts that are neither in sync nor drift: pending a reboot, or allowed without an answer."""
    return [
        Difference(host, step, key, found=found[key], wanted=applied[key])
        for key in sorted(applied)
        if key in found and _is_unsettled(key, applied, found[key])
    ]


def _is_unsettled(key: str, applied: Mapping[str, str], found: str) -> bool:
    if found.startswith(UNOBSERVABLE):
        return key in applied.get(_ALLOWED, "").split()
    return found == applied[key] + AFTER_REBOOT and applied.get(_REBOOT, _NO_REBOOT) == _NO_REBOOT


def plan_step(
    host: str,
    step: str,
    wanted: Mapping[str, str],
    recorded: Recorded | None,
    found: Mapping[str, str] | None,
) -> StepPlan:
    """Return the bookkeeping for a step's next stdin.

    `wanted` may lack values that are not known yet; the notes then name the applied one. `found` is None
    where nothing could be observed: such a step keeps its record, for an unknown state is neither drift
    nor in sync.
    """
    if recorded is None:
        return StepPlan(generation=1, notes={})
    if found is None:
        return StepPlan(recorded.generation, recorded.notes)
    drift = [
        Difference(host, step, one.key, one.found, wanted.get(one.key, one.wanted))
        for one in differences(host, step, recorded.values, found)
    ]
    if not drift:
        return StepPlan(recorded.generation, recorded.notes)
    # The count of repairs makes the same drift a new line each time.
    repair = f"repair {recorded.generation}"
    notes = {
        f"{_NOTE}{one.key}": f"found {one.found or 'nothing'}, wanted {one.wanted} ({repair})"
        for one in drift
    }
    return StepPlan(recorded.generation + 1, notes, tuple(drift))
