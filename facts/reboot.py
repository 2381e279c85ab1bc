"""Waits over SSH for the boot that a step asked for; it only looks."""

from __future__ import annotations

from collections.abc import Callable

from facts import boot
from facts.rendering import render
from facts.ssh import Result, Unreachable, run_script
from settings.models import HostAccess

_LOOK_S = 15.0


async def await_reboot(access: HostAccess, wanted: boot.Wait, tell: Callable[[str], None]) -> None:
    """Return once no step wants the host's running boot to end and the next one answers.

    `tell` says a sentence to the operator. Raises boot.BootError when the host is not back by the deadline.
    """
    script = render("facts/boot.sh.j2")

    async def look() -> boot.Boot:
        try:
            result = await run_script(access, script, "", _LOOK_S)
        except Unreachable as error:
            raise boot.NoAnswer(error.reason) from None
        if result.status != 0:
            raise boot.NoAnswer(_said(result))
        return boot.parse(result.stdout)

    if await boot.wait(wanted, look, tell):
        tell(f"{access.name} is back from its reboot for {wanted.step}.")


def _said(result: Result) -> str:
    said = result.stderr.strip().splitlines()
    return said[-1] if said else f"its answer ended with status {result.status}"
