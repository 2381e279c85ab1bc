"""Waits until a machine of the lab answers: SSH with the right host key and systemd up, or HTTP."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import asyncssh

from lab.errors import LabError
from lab.files import LabFiles
from lab.keys import login
from lab.plan import Kind

DEADLINE_S = 120.0
# A virtual machine whose processor is emulated boots a whole kernel first.
GUEST_DEADLINE_S = 600.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_TRY_S = 10.0
_ADDRESS = "127.0.0.1"


class _NotYetError(Exception):
    """The machine does not answer as it should, but may soon."""


@dataclass(frozen=True)
class Target:
    """A machine of a stack's lab to wait for, and the host key that it must show (the vendors have none)."""

    name: str
    kind: Kind
    port: int
    host_key: str = ""
    stack: str = "lab"


def target_from(lines: Mapping[str, str]) -> Target:
    """Return the target in the flat lines of a `ready` step; LabError when one is missing or wrong."""
    try:
        return Target(
            name=lines["name"],
            kind=Kind(lines["kind"]),
            port=int(lines["port"]),
            host_key=lines.get("host_key", ""),
            stack=lines.get("stack", "lab"),
        )
    except (KeyError, ValueError) as error:
        raise LabError(
            f"`lab wait` did not understand its input: {error}",
            "it wants lines name, kind (node, switch, vendor, guest), port and host_key on stdin.",
        ) from None


def wait(target: Target, files: LabFiles, deadline_s: float | None = None) -> float:
    """Return the seconds after which the machine answered; LabError with the last reason when it never did.

    A wrong host key is an error at once: waiting does not make it right.
    """
    checks: dict[Kind, Callable[[Target, LabFiles], Awaitable[None]]] = {
        Kind.NODE: _node,
        Kind.SWITCH: _switch,
        Kind.VENDOR: _vendor,
        Kind.GUEST: _node,
    }
    if deadline_s is None:
        deadline_s = GUEST_DEADLINE_S if target.kind is Kind.GUEST else DEADLINE_S
    return asyncio.run(_poll(target, checks[target.kind], files, deadline_s))


async def _poll(
    target: Target,
    check: Callable[[Target, LabFiles], Awaitable[None]],
    files: LabFiles,
    deadline_s: float,
) -> float:
    begun = time.monotonic()
    pause = _FIRST_PAUSE_S
    while True:
        try:
            async with asyncio.timeout(_TRY_S):
                await check(target, files)
            return time.monotonic() - begun
        except asyncssh.HostKeyNotVerifiable:
            raise LabError(
                f"{target.name} at {_ADDRESS}:{target.port} shows another key than set-up made for it.",
                "something else listens there, or .lab/ was made anew: run `make destroy`, then `make lab`.",
            ) from None
        except TimeoutError:
            reason = f"no answer within {_TRY_S:.0f} s"
        except (_NotYetError, OSError, asyncssh.Error, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        if time.monotonic() - begun + pause > deadline_s:
            raise LabError(
                f"{target.name} at {_ADDRESS}:{target.port} is not ready after {deadline_s:.0f} s: {reason}",
                _where_to_look(target),
            )
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)


def _where_to_look(target: Target) -> str:
    if target.kind is Kind.GUEST:
        return f"its console says why: .lab/vm/guests/*/{target.name}/console.log."
    return f"`docker logs` of its container (label rocestack.node={target.name}) says why."


def _trusted(target: Target) -> asyncssh.SSHKnownHosts:
    return asyncssh.import_known_hosts(f"[{_ADDRESS}]:{target.port} {target.host_key}\n")


async def _node(target: Target, files: LabFiles) -> None:
    connection = await asyncssh.connect(
        _ADDRESS,
        target.port,
        username="root",
        client_keys=[str(files.client_key)],
        known_hosts=_trusted(target),
        agent_path=None,
        config=None,
    )
    async with connection:
        answer = await connection.run("systemctl is-system-running", check=False)
        state = str(answer.stdout or answer.stderr).strip()
        if state == "degraded":
            failed = await connection.run("systemctl --failed --plain --no-legend", check=False)
            raise LabError(
                f"{target.name} came up with failed units: {' '.join(str(failed.stdout).split())}",
                f"look at them on the node: {login(files, target.stack, str(target.port))}",
            )
        if state != "running":
            raise _NotYetError(f"systemd is {state or 'not there'}")


async def _switch(target: Target, files: LabFiles) -> None:
    connection = await asyncssh.connect(
        _ADDRESS,
        target.port,
        username="admin",
        password=files.switch_password.read_text().strip(),
        client_keys=None,
        known_hosts=_trusted(target),
        agent_path=None,
        config=None,
    )
    connection.close()
    await connection.wait_closed()


async def _vendor(target: Target, files: LabFiles) -> None:
    def ask() -> int:
        connection = http.client.HTTPConnection(_ADDRESS, target.port, timeout=_TRY_S)
        try:
            connection.request("GET", f"/{files.vendor_manifest.name}")
            return connection.getresponse().status
        finally:
            connection.close()

    status = await asyncio.to_thread(ask)
    if status != http.client.OK:
        raise _NotYetError(f"the vendors answer with HTTP status {status}")
