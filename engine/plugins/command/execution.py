"""Running one command on a pooled SSH connection, and ending it when the engine says so."""

from __future__ import annotations

import asyncio
import contextlib
from importlib import resources
from typing import Any

import asyncssh
from asyncssh.packet import String

from engine.plugins.command.output import Collector, Run, Variable
from engine.plugins.command.pool import ChannelRefused, ConnectionDied, Link
from engine.plugins.common.errors import PluginError

_GRACE_SECONDS = 3.0
_HELPER_SECONDS = 10.0
_TRIES_TO_IDENTIFY = 5


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
    """A channel that asks the server for each variable and notices a refusal, before the command starts.

    `asked` is set when the server is about to be told the command: from then on it may run.
    """

    variables: tuple[Variable, ...] = ()
    refused: list[str]
    asked: asyncio.Event

    async def _make_request(self, request: bytes, *args: bytes, **kwargs: Any) -> bool | None:
        if request == b"exec":
            for variable in self.variables:
                packet = (String(variable.name), String(variable.value))
                if not await super()._make_request(b"env", *packet):
                    if self.is_closing():
                        raise ConnectionDied("it was closed")
                    if not variable.optional:
                        raise PluginError(
                            f"could not set environment variable {variable.name!r}: the SSH server does not "
                            "accept it (AcceptEnv in its sshd_config); write 'NAME=value command' instead, "
                            "or pass the value on stdin"
                        )
                    self.refused.append(variable.name)
            self.asked.set()
        return await super()._make_request(request, *args, **kwargs)


async def execute(link: Link, run: Run, where: str, started: asyncio.Event) -> tuple[str | None, list[str]]:
    """Run a command to its end; return why it failed (None if it did not) and the refused variables.

    `started` is set from the moment the command may run on the host. Raises ConnectionDied if it never
    did, PluginError if the server refused it or it is not known whether it ran. When the awaiting task is
    cancelled, the remote processes are ended first.
    """
    async with link.channel():
        session = _Session(run.output)
        opening = asyncio.create_task(link.open(session, lambda: _open(link, session, run, where, started)))
        try:
            channel = await asyncio.shield(opening)
        except asyncio.CancelledError:
            await _give_up(link, session, opening, where, started)
            raise
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


async def _give_up(
    link: Link, session: _Session, opening: asyncio.Task[_Channel], where: str, started: asyncio.Event
) -> None:
    """Cancel the opening of a channel; a command that was asked for meanwhile is ended."""
    if not started.is_set():
        opening.cancel()
    await asyncio.wait([opening])
    if not opening.cancelled() and opening.exception() is None:
        await asyncio.shield(asyncio.create_task(_end(link, session, where)))
        opening.result().close()
        link.live.remove(session)


async def _open(link: Link, session: _Session, run: Run, where: str, started: asyncio.Event) -> _Channel:
    connection = link.connection
    channel = _Channel(connection, asyncio.get_running_loop(), "strict", None, "strict", 2 << 20, 32768)
    channel.variables = run.variables
    channel.refused = []
    channel.asked = started
    try:
        await channel.create(
            lambda: session, run.command, None, {}, False, None, None, {}, False, None, None, False, False
        )
    except (OSError, asyncssh.ChannelOpenError, asyncssh.DisconnectError) as error:
        if started.is_set() and connection.is_closed():
            text = f"The connection to {where} was lost while a command was being started ({error}); it may "
            raise PluginError(text + "have run, so it is not started again by itself") from error
        if connection.is_closed() or not isinstance(error, asyncssh.ChannelOpenError):
            raise ConnectionDied(str(error)) from error
        if not started.is_set():
            raise ChannelRefused(str(error)) from error
        started.clear()
        raise PluginError(f"the SSH server at {where} refused to start a command: {error}") from error
    except (asyncio.CancelledError, PluginError):
        # Else the server would keep the channel, which counts for its MaxSessions.
        channel.close()
        raise
    return channel


def _outcome(session: _Session, where: str) -> str | None:
    if session.status is not None:
        return None if session.status == 0 else f"Process exited with status {session.status}"
    if session.signal is not None:
        return f"Process exited with signal {session.signal}"
    reason = f" ({session.error})" if session.error else ""
    lost = f"The connection to {where} was lost before the command ended{reason}"
    return f"{lost}; it is not started again by itself, because part of it may have run"


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
    except (OSError, asyncssh.Error, ConnectionDied, ChannelRefused, PluginError) as error:
        text = f"{where}: the command could not be ended and may still run ({error})"
        if isinstance(error, ChannelRefused):
            text += "; MaxSessions in the server's sshd_config leaves no session to end it with"
        raise PluginError(text) from error


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
        run = Run(f"sh -s {' '.join(arguments)}", "", (), output)
        channel = await link.insist(lambda: _open(link, session, run, "this host", asyncio.Event()))
        channel.write(script.encode())
        channel.write_eof()
        await asyncio.wait_for(session.ended.wait(), _HELPER_SECONDS)
    if session.status != 0:
        raise ConnectionDied(output.stderr or "the helper session ended early")
    return output.stdout
