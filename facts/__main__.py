"""What a reboot needs beside the step itself: ``python -m facts wait | verify``; both only look.

Standard input are flat lines (settings/flat.py): the login (`address`, `port`, `user`, `host_key`), `machine`
and `step`; for `wait` also `policy` and `deadline_s`, for `verify` the step's settings as `want_<key>`. The
private key comes in the environment, as ROCESTACK_PRIVATE_KEY, so no process list and no state shows it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

from pydantic import SecretStr

from facts import boot
from facts.rendering import render
from facts.ssh import Result, Unreachable, run_script
from settings import flat
from settings.models import HostAccess

KEY = "ROCESTACK_PRIVATE_KEY"
_LOOK_S = 15.0
# Tools of a GPU driver without persistence mode take seconds for each GPU.
_VERIFY_S = 300.0


def main(arguments: list[str]) -> int:
    """Run one command and return the exit status."""
    if arguments not in (["wait"], ["verify"]):
        print("usage: python -m facts wait | verify", file=sys.stderr)
        return 64
    try:
        lines = flat.parse(sys.stdin.read())
        if arguments == ["wait"]:
            asyncio.run(_wait(lines))
        else:
            asyncio.run(_verify(lines))
    except KeyError as error:
        print(f"rocestack: `facts {arguments[0]}` was not given {error}.", file=sys.stderr)
        return 64
    except (boot.BootError, ValueError) as error:
        print(f"rocestack: {error}", file=sys.stderr)
        return 1
    return 0


async def _wait(lines: Mapping[str, str]) -> None:
    access = _access(lines)
    script = render("facts/boot.sh.j2")

    async def look() -> boot.Boot:
        try:
            result = await run_script(access, script, "", _LOOK_S)
        except Unreachable as error:
            raise boot.NoAnswer(error.reason) from None
        if result.status != 0:
            raise boot.NoAnswer(_said(result))
        return boot.parse(result.stdout)

    wanted = boot.Wait(access.name, lines["step"], lines["policy"], float(lines["deadline_s"]))
    if await boot.wait(wanted, look, _tell):
        _tell(f"{access.name} is back from its reboot for {wanted.step}.")


async def _verify(lines: Mapping[str, str]) -> None:
    access, step = _access(lines), lines["step"]
    script = render(f"{step.replace('.', '/')}.verify.sh.j2")
    try:
        result = await run_script(access, script, flat.render(boot.unprefixed(lines, "want_")), _VERIFY_S)
    except Unreachable as error:
        raise boot.BootError(
            f"{access.name} could not be asked whether {step} holds: {error.reason}. "
            f"Hint: when it answers again, run up again."
        ) from None
    for line in result.stderr.splitlines():
        _tell(f"{access.name}: {line.removeprefix('rocestack: ')}")
    if result.status != 0:
        raise boot.BootError(f"{step} does not hold on {access.name}; see the lines above.")


def _access(lines: Mapping[str, str]) -> HostAccess:
    return HostAccess(
        name=lines["machine"],
        address=lines["address"],
        port=int(lines["port"]),
        user=lines["user"],
        host_key=lines["host_key"],
        private_key=SecretStr(os.environ[KEY]),
        private_key_file="",
        known_hosts_file="",
    )


def _said(result: Result) -> str:
    said = result.stderr.strip().splitlines()
    return said[-1] if said else f"its answer ended with status {result.status}"


def _tell(sentence: str) -> None:
    print(f"rocestack: {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
