"""The report of one run: what was found on each machine, in the forms that people and monitoring read.

This includes: the models, the stack's output, one line for a person, the verdict as an exit code, and the
file. facts/textfile.py has the form for Prometheus.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from facts.drift import AFTER_REBOOT, UNOBSERVABLE, Difference

Kind = Literal["host", "switch", "operator"]
# `new`: nothing was ever applied there, so there is nothing that could have drifted.
State = Literal["reachable", "unreachable", "absent", "new"]
# Names beyond these are only counted: at 256 hosts one line must stay a line.
_NAMED = 5


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Model):
    """One fact that is not as it was left."""

    found: str
    wanted: str


class Machine(_Model):
    """What is known of one machine; facts are named ``step.key``, as ``ofed_stack.qos.pfc``.

    `reason` and `since` (when a run first saw it, as far as reports tell) belong to a machine that did not
    answer. `unobservable` maps a fact, a whole step or ``containers`` to why nothing shows it; those that the
    stack file allows are in `allowed` instead. `foreign` names what is there and not ours. `cabling` is a
    sentence on a host that is on the wrong port of the switch, `chain` sentences on where it and the switch
    are both as applied and still make no lossless chain. `in_sync` counts the facts that were seen to be as
    applied, so nothing unknown is among them.
    """

    name: str
    kind: Kind = "host"
    state: State = "reachable"
    reason: str | None = None
    since: datetime | None = None
    in_sync: int = 0
    drift: Mapping[str, Finding] = {}
    pending_reboot: Mapping[str, Finding] = {}
    unobservable: Mapping[str, str] = {}
    allowed: Mapping[str, str] = {}
    foreign: tuple[str, ...] = ()
    cabling: str | None = None
    chain: tuple[str, ...] = ()


class Report(_Model):
    """What one run found before it did anything.

    `changes` says whether the preview would change anything (None: the run that wrote this cannot know);
    `error` why there is no whole report.
    """

    stack: str
    run: Literal["preview", "up"]
    at: datetime
    machines: tuple[Machine, ...] = ()
    changes: bool | None = None
    error: str | None = None

    def of_state(self, state: State) -> list[Machine]:
        """Return the machines in that state, in their order."""
        return [one for one in self.machines if one.state == state]


def sorted_findings(drift: Iterable[Difference]) -> dict[str, Mapping[str, Any]]:
    """Return a machine's differences as its fields `drift`, `pending_reboot` and `unobservable`."""
    fields: dict[str, dict[str, Any]] = {"drift": {}, "pending_reboot": {}, "unobservable": {}}
    for one in sorted(drift, key=lambda one: (one.step, one.key)):
        fact = f"{one.step}.{one.key}"
        if one.found.startswith(UNOBSERVABLE):
            fields["unobservable"][fact] = one.found.removeprefix(UNOBSERVABLE)
        else:
            waits = one.found == one.wanted + AFTER_REBOOT
            kind = "pending_reboot" if waits else "drift"
            fields[kind][fact] = Finding(found=one.found, wanted=one.wanted)
    return dict(fields)


def with_since(report: Report, earlier: Report | None) -> Report:
    """Return the report with each silent machine's `since`: the earlier report's, if it was silent then."""
    known = {} if earlier is None or earlier.stack != report.stack else {m.name: m for m in earlier.machines}

    def dated(one: Machine) -> Machine:
        if one.state != "unreachable":
            return one
        before = known.get(one.name)
        since = before.since if before is not None and before.state == "unreachable" else None
        return one.model_copy(update={"since": since or report.at})

    return report.model_copy(update={"machines": tuple(dated(one) for one in report.machines)})


def output(report: Report) -> dict[str, Any]:
    """Return the report as the stack's output `drift`: machines with something to report, and what.

    It holds no time and no count, so that runs which find the same give the same. An `up` leaves out what it
    repairs: drift, a lab machine that it makes again, and the chain, which its changes may close.
    """
    shown = {"pending_reboot", "unobservable", "foreign", "cabling"}
    if report.run == "preview":
        shown |= {"drift", "chain"}
    told = {}
    for one in report.machines:
        entry = {name: value for name, value in one.model_dump(include=shown, mode="json").items() if value}
        if one.state == "unreachable" or (one.state, report.run) == ("absent", "preview"):
            entry |= {"state": one.state, "reason": one.reason or ""}
        if entry:
            told[one.name] = entry
    return told


def summary(report: Report) -> str:
    """Return the report as one line for a person."""
    if report.error is not None:
        return "drift: not known, since the preview failed"
    seen = report.of_state("reachable")
    parts = [f"drift: {_drift(report, seen)}"]
    reboots = sum(bool(one.pending_reboot) for one in seen)
    if reboots:
        parts.append(f"{reboots} pending reboot{_s(reboots)}")
    hidden = sum(len(one.unobservable) for one in seen)
    if hidden:
        parts.append(f"{hidden} unobservable")
    allowed = sum(len(one.allowed) for one in seen)
    if allowed:
        parts.append(f"{allowed} unobservable, which the stack allows")
    foreign = sum(len(one.foreign) for one in seen)
    if foreign:
        parts.append(f"{foreign} foreign")
    cables = sum(one.cabling is not None for one in report.machines)
    if cables:
        parts.append(f"{cables} cable{_s(cables)} in the wrong port")
    apart = sum(bool(one.chain) for one in report.machines)
    if apart:
        parts.append(f"{apart} host{_s(apart)} not in agreement with the switch")
    parts += _named(report.of_state("unreachable"), lambda one: f"unreachable{_why(one, report.at)}")
    parts += _named(report.of_state("absent"), lambda one: f"absent{_why(one, report.at)}")
    new = len(report.of_state("new"))
    if new and seen:
        parts.append(f"nothing was applied yet to {new} of {len(report.machines)} machines")
    return "; ".join(parts)


def is_quiet(report: Report) -> bool:
    """Return whether there is nothing to act on; what the stack allows to be unseen is no such thing."""
    return all(
        one.state in ("reachable", "new")
        and not (one.drift or one.pending_reboot or one.unobservable or one.foreign)
        and not (one.cabling or one.chain)
        for one in report.machines
    )


def _drift(report: Report, seen: Sequence[Machine]) -> str:
    if not seen:
        asked = any(one.state != "new" for one in report.machines)
        return "nothing could be observed" if asked else "nothing was applied yet"
    drifted = [one for one in seen if one.drift]
    facts = sum(len(one.drift) for one in drifted)
    if not facts:
        return f"none on {_places(report, seen)}"
    return f"{facts} fact{_s(facts)} on {_places(report, drifted)}"


def _places(report: Report, machines: Sequence[Machine]) -> str:
    """Return machines in words: ``2 of 8 hosts and the switch``."""
    all_hosts = sum(one.kind == "host" for one in report.machines)
    hosts = sum(one.kind == "host" for one in machines)
    words = []
    if hosts:
        words.append(f"{hosts} of {all_hosts} hosts" if hosts < all_hosts else f"{hosts} host{_s(hosts)}")
    all_switches = sum(one.kind == "switch" for one in report.machines)
    switches = sum(one.kind == "switch" for one in machines)
    if switches and all_switches == 1:
        words.append("the switch")
    elif switches:
        some = f"{switches} of {all_switches}" if switches < all_switches else f"{switches}"
        words.append(f"{some} switches")
    if any(one.kind == "operator" for one in machines):
        words.append("the operator's machine")
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _named(machines: Sequence[Machine], what: Callable[[Machine], str]) -> Iterator[str]:
    yield from (f"{one.name} {what(one)}" for one in machines[:_NAMED])
    if len(machines) > _NAMED:
        yield f"{len(machines) - _NAMED} more {machines[0].state}"


def _why(one: Machine, now: datetime) -> str:
    reason = f" ({one.reason})" if one.reason else ""
    lasted = 0.0 if one.since is None else (now - one.since).total_seconds()
    return f"{reason} for {_duration(lasted)}" if lasted > 0 else reason


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


class Exit(IntEnum):
    """How a run for machines ends; 7 is the CLI's own number for changes, and it uses none above 9."""

    IN_SYNC = 0
    FAILED = 1
    CHANGES = 7
    UNKNOWN = 10


def verdict(report: Report) -> tuple[Exit, str]:
    """Return the exit code and a sentence.

    Nothing unknown is ever in sync, nor a host that does not fit the switch; drift outweighs both.
    """
    if report.error is not None:
        return Exit.FAILED, f"the preview failed, so nothing is known: {report.error}"
    if any(one.drift for one in report.machines):
        return Exit.CHANGES, "there is drift; `pulumi up` repairs it"
    unknown = [
        one.name
        for one in report.machines
        if one.state == "unreachable" or one.unobservable or one.pending_reboot
    ]
    if unknown:
        return Exit.UNKNOWN, f"no drift was seen, but not all is known to be in sync: {_some(unknown)}"
    if report.changes is not False:
        return Exit.CHANGES, "no drift, but the settings are not applied yet; `pulumi up` applies them"
    misfits = [one.name for one in report.machines if one.cabling or one.chain]
    if misfits:
        return Exit.UNKNOWN, f"no drift was seen, but not all hosts fit the switch: {_some(misfits)}"
    return Exit.IN_SYNC, "in sync"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def as_json(report: Report) -> str:
    """Return the report as JSON for a file, its summary first; what is not known is left out."""
    document = {"summary": summary(report), **report.model_dump(mode="json", exclude_none=True)}
    return json.dumps(document, indent=2) + "\n"


def read(path: Path) -> Report | None:
    """Return the report in a file, or None if there is none that can be read."""
    try:
        document = json.loads(path.read_bytes())
        document.pop("summary", None)
        return Report.model_validate(document)
    except (OSError, ValueError, AttributeError, TypeError):  # pydantic's errors are ValueErrors
        return None


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader meets the old text or the new one, never a part; others may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # node_exporter runs as another user.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def now() -> datetime:
    """Return the time in whole seconds, UTC."""
    return datetime.now(UTC).replace(microsecond=0)
