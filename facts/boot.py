"""Boots of a host: waiting until the one that a step wants to end has ended, and the next one answers.

A step that needs a reboot leaves a marker with its boot's token (templates/common/reboot.sh). It is over as
soon as the marker is gone or names another boot than the running one, also when `up` was interrupted
meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

# An apply script's exit status: complete but for a reboot, which is on its way (sysexits.h: try again).
REBOOT_STATUS = 75

_FIRST_PAUSE_S = 0.5
_PAUSE_FACTOR = 1.5
_LONGEST_PAUSE_S = 5.0
# How long units may still be starting once SSH answers. A job that never ends must not hold up the cluster.
SETTLE_S = 120.0
_STARTING = ("initializing", "starting", "stopping")


class BootError(Exception):
    """A host that did not get to its next boot; the message says what it does instead, and what helps."""


class NoAnswer(Exception):
    """The host gave no answer this time; the text is the reason."""


@dataclass(frozen=True)
class Boot:
    """What a host said of its boot.

    `awaited` is the step that wants this very boot to end (None: none does), `starting` whether units of the
    boot are still being started.
    """

    awaited: str | None
    starting: bool


@dataclass(frozen=True)
class Wait:
    """What to wait for: the host, the step that may have asked for its reboot, the policy, seconds."""

    machine: str
    step: str
    policy: str
    deadline_s: float


@dataclass(frozen=True)
class Clock:
    """The time in seconds and how it passes; a test brings its own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)


def parse(text: str) -> Boot:
    """Return what templates/facts/boot.sh.j2 printed. Raises NoAnswer for anything else."""
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if not lines.get("token") or "awaited" not in lines or "state" not in lines:
        raise NoAnswer("it does not say which boot it runs")
    return Boot(awaited=lines["awaited"] or None, starting=lines["state"] in _STARTING)


async def wait(
    wanted: Wait, look: Callable[[], Awaitable[Boot]], tell: Callable[[str], None], clock: Clock | None = None
) -> bool:
    """Wait until no step wants the host's boot to end; return whether a reboot was waited for.

    `look` asks the host once and raises NoAnswer when there is none; `tell` says a sentence to the operator.
    Raises BootError when the host is not back by the deadline.
    """
    if wanted.policy == "never":
        return False
    clock = clock or Clock()
    begun, pause = clock.now(), _FIRST_PAUSE_S
    awaited, reason = False, ""
    answered_again: float | None = None
    while True:
        try:
            boot = await look()
        except NoAnswer as error:
            reason, answered_again = str(error), None
        else:
            if boot.awaited is None:
                if answered_again is None:
                    answered_again = clock.now()
                if not awaited or not boot.starting or clock.now() - answered_again >= SETTLE_S:
                    return awaited
                reason = ""
            else:
                if not awaited and wanted.policy == "ask":
                    tell(
                        f"{wanted.machine} needs a reboot for {boot.awaited}, and reboot.policy is ask: "
                        f"reboot it now; it is waited for, {wanted.deadline_s:.0f} s at most."
                    )
                awaited, reason = True, ""
        if clock.now() - begun + pause > wanted.deadline_s:
            if answered_again is not None:
                return awaited
            raise BootError(_too_late(wanted, reason))
        await clock.sleep(pause)
        pause = min(pause * _PAUSE_FACTOR, _LONGEST_PAUSE_S)


def _too_late(wanted: Wait, reason: str) -> str:
    after = f"{wanted.deadline_s:.0f} s (reboot.deadline_seconds)"
    if reason:
        return (
            f"{wanted.machine} has not come back from its reboot for {wanted.step} after {after}: {reason}. "
            f"Hint: look at its console; when it answers again, run up again, which continues there."
        )
    if wanted.policy == "ask":
        return (
            f"{wanted.machine} needs a reboot for {wanted.step}, and nobody rebooted it within {after}. "
            f"Hint: reboot {wanted.machine}, then run up again; reboot.policy auto does both."
        )
    return (
        f"{wanted.machine} still runs the boot that its reboot for {wanted.step} should have ended, after "
        f"{after}. Hint: `systemctl list-jobs` there shows what its shutdown waits for; reboot it by hand, "
        f"then run up again."
    )
