"""Running one command on a pooled SSH connection, and ending it when the engine says so."""

from __future__ import annotations

import asyncio
import contextlib
from importlib import resources
from typing import Any

import asyncssh
from asyncssh.packet import String

from engine.plugins.command.output import Collector, Run, Variable
from engine.plugins.command.pool import Link
from engine.plugins.common.errors import PluginError

_GRACE_SECONDS = 3.0
_HELPER_SECONDS = 10.0
_TRIES_TO_IDENTIFY = 5


class ConnectionDied(Exception):
    """The connection broke before the command was started, so it may be tried on a new one."""


class _Session(asyncssh.SSHClientSession[bytes]):
    """Collects what a channel brings. `ended` is set when the channel is closed."""

    def __init__(self, output: Collector | None) -> None:
        self.output = output
        self.ended = asyncio.Event()
        self.status: int | None = None
        self.signal: str | None = None
        self.error: Exception | None = None

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self.output is not None:
            self.output.feed(data, error=datatype == asyncssh.EXTENDED_DATA_STDERR)

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.signal = signal

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self.ended.set()


class _Channel(asyncssh.SSHClientChannel[bytes]):
    """A channel that asks the server for each variable and notices a refusal, before the command starts."""

    variables: tuple[Variable, ...] = ()
    refused: list[str]

    async def _make_request(self, request: bytes, *args: bytes, **kwargs: Any) -> bool | None:
        if request == b"exec":
            for variable in self.variables:
                packet = (String(variable.name), String(variable.value))
                if not await super()._make_request(b"env", *packet):
                    if not variable.optional:
                        raise PluginError(
                            f"could not set environment variable {variable.name!r}: the SSH server does not "
                            "accept it (AcceptEnv in its sshd_config); write 'NAME=value command' instead, "
                            "or pass the value on stdin"
                        )
                    self.refused.append(variable.name)
        return await super()._make_request(request, *args, **kwargs)


async def execute(link: Link, run: Run, where: str) -> tuple[str | None, list[str]]:
    """Run a command to its end; return why it failed (None if it did not) and the refused variables.

    Raises ConnectionDied if it was never started, PluginError if it was cut off. When the awaiting task
    is cancelled, the remote processes are ended first.
    """
    async with link.channels:
        session = _Session(run.output)
        async with link.opening:
            channel = await _open(link, session, run)
            link.live.append(session)
        try:
            try:
                if run.stdin:
                    channel.write(run.stdin.encode())
                channel.write_eof()
            except (BrokenPipeError, OSError):
                # The command ended without reading its input; its exit status says whether that is wrong.
                pass
            await session.ended.wait()
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.create_task(_end(link, session, where)))
            channel.close()
            raise
        finally:
            link.live.remove(session)
            run.output.end()
    return _outcome(session, where), channel.refused


async def _open(link: Link, session: _Session, run: Run) -> _Channel:
    connection = link.connection
    channel = _Channel(connection, asyncio.get_running_loop(), "strict", None, "strict", 2 << 20, 32768)
    channel.variables = run.variables
    channel.refused = []
    try:
        await channel.create(
            lambda: session, run.command, None, {}, False, None, None, {}, False, None, None, False, False
        )
    except asyncssh.ChannelOpenError as error:
        if connection.is_closed() or error.code == asyncssh.OPEN_CONNECT_FAILED:
            raise ConnectionDied(str(error)) from error
        raise PluginError(f"the SSH server refused to start a command: {error}") from error
    except (OSError, asyncssh.DisconnectError) as error:
        raise ConnectionDied(str(error)) from error
    return channel


def _outcome(session: _Session, where: str) -> str | None:
    if session.status is not None:
        return None if session.status == 0 else f"Process exited with status {session.status}"
    if session.signal is not None:
        return f"Process exited with signal {session.signal}"
    reason = f" ({session.error})" if session.error else ""
    return f"The connection to {where} was lost before the command ended{reason}"


# Ending what runs.
#
# sshd refuses the protocol's signal request for root, and closing a channel ends nothing. So a second
# session on the same connection finds the process: its sshd has one child per channel, and children and
# channels are in the same order.


async def _end(link: Link, session: _Session, where: str) -> None:
    try:
        pid = await _identify(link, session)
        if pid is None:
            return
        await _helper(link, "end", str(pid), "TERM")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.ended.wait(), _GRACE_SECONDS)
        # Also what the command left running in its session, which no longer has a channel.
        await _helper(link, "end", str(pid), "KILL")
    except (OSError, asyncssh.Error, ConnectionDied) as error:
        raise PluginError(f"{where}: the command could not be ended and may still run ({error})") from error


async def _identify(link: Link, session: _Session) -> int | None:
    for _ in range(_TRIES_TO_IDENTIFY):
        if session.ended.is_set():
            return None
        listed = parse_list(await _helper(link, "list"))
        running = [item for item in link.live if not item.ended.is_set()]
        if session not in running:
            return None
        if len(listed) == len(running):
            return listed[running.index(session)]
    raise ConnectionDied("its process was not found among those of the connection")


def parse_list(text: str) -> list[int]:
    """Return the process ids of `sessions.sh list`, oldest first.

    >>> parse_list("812 5530\\n790 5102\\n")
    [790, 812]
    """
    rows = [tuple(int(part) for part in line.split()) for line in text.splitlines() if line.strip()]
    return [pid for pid, _ in sorted(rows, key=lambda row: (row[1], row[0]))]


async def _helper(link: Link, *arguments: str) -> str:
    script = resources.files("engine.plugins.command").joinpath("sessions.sh").read_text("utf-8")
    output = Collector("none", lambda line: None)
    session = _Session(output)
    # One at a time: a second helper would be listed among the commands, and use a channel too many.
    async with link.helping:
        channel = await _open(link, session, Run(f"sh -s {' '.join(arguments)}", "", (), output))
        channel.write(script.encode())
        channel.write_eof()
        await asyncio.wait_for(session.ended.wait(), _HELPER_SECONDS)
    if session.status != 0:
        raise ConnectionDied(output.stderr or "the helper session ended early")
    return output.stdout
