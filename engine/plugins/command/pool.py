"""One SSH connection per host and credential, shared by all commands, with bounded channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import asyncssh

from engine.plugins.command.connection import Peer
from engine.plugins.command.dial import dial
from engine.plugins.common.errors import PluginError

T = TypeVar("T")

# sshd's defaults: MaxStartups drops logins beyond 10 at once, MaxSessions refuses channels beyond 10.
# Several names may lead to one sshd, so the logins at once are bounded over all hosts too. Two channels
# stay free: for the session that ends processes, and for one that sshd has not cleaned up yet.
_HANDSHAKES_PER_HOST = 4
_HANDSHAKES = 8
_CHANNELS = 8
# sshd may count a channel as open for a moment after it was closed.
_REFUSALS = 6
_REFUSAL_PAUSE = 0.02


class ConnectionDied(Exception):
    """The connection broke before the command was started, so it may be tried on a new one."""


class ChannelRefused(Exception):
    """The server opens no further channel on this connection, which itself is fine."""


class Ended(Protocol):
    """What the pool knows of a running command or copy."""

    ended: asyncio.Event


class Link:
    """A pooled connection and the channels on it.

    `live` are the running channels in the order they were opened; `helping` is held by the one session
    at a time that ends processes.
    """

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self.connection = connection
        self.helping = asyncio.Lock()
        self.live: list[Ended] = []
        self._opening = asyncio.Lock()
        self._free = asyncio.Semaphore(_CHANNELS)
        self._size = _CHANNELS
        self._surplus = 0

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[None]:
        """Hold one of the connection's channels."""
        await self._free.acquire()
        try:
            yield
        finally:
            if self._surplus:
                self._surplus -= 1
            else:
                self._free.release()

    async def open(self, entry: Ended, opener: Callable[[], Awaitable[T]]) -> T:
        """Open a channel for `entry`, which is `live` from then on.

        A server whose MaxSessions is below its default refuses some: wait until another one has ended,
        and open fewer from now on. Raises PluginError if it refuses even the only one.
        """
        while True:
            async with self._opening:
                try:
                    opened = await self.insist(opener)
                except ChannelRefused as error:
                    if not self.live:
                        raise PluginError(
                            f"the SSH server refused to start a command ({error}); "
                            "MaxSessions in its sshd_config must allow at least one"
                        ) from error
                    others = [asyncio.create_task(item.ended.wait()) for item in self.live]
                    # One less than it allows, for the session that ends processes.
                    self._shrink(max(1, len(others) - 1))
                else:
                    self.live.append(entry)
                    return opened
            try:
                await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for other in others:
                    other.cancel()

    async def insist(self, opener: Callable[[], Awaitable[T]]) -> T:
        """Open a channel, again if it is refused: longer and longer apart, for about a second.

        Raises ChannelRefused if there is no room for it.
        """
        for refusal in range(_REFUSALS):
            try:
                return await opener()
            except ChannelRefused:
                await asyncio.sleep(_REFUSAL_PAUSE * 2**refusal)
        return await opener()

    def _shrink(self, size: int) -> None:
        cut = max(0, self._size - size)
        self._size -= cut
        self._surplus += cut


@dataclass
class _Dial:
    """A connection, made or in the making, and how many commands wait for it."""

    task: asyncio.Task[Link]
    waiting: int = 0


class Pool:
    """The connections of this process."""

    def __init__(self) -> None:
        self._dials: dict[str, _Dial] = {}
        self._handshakes: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._all_handshakes = asyncio.Semaphore(_HANDSHAKES)

    async def link(self, peer: Peer, show: Callable[[str], None]) -> Link:
        """Return the open connection to `peer`, made now if there is none. Raises PluginError.

        Commands that come while it is being made wait for that one handshake; when the last of them is
        cancelled, it is given up.
        """
        key = peer.identity
        found = self._dials.get(key)
        if found is None or (found.task.done() and not _usable(found.task)):
            found = _Dial(asyncio.create_task(self._open(peer, show)))
            self._dials[key] = found
        found.waiting += 1
        try:
            # One waiting command that is cancelled must not take the handshake from the others.
            return await asyncio.shield(found.task)
        finally:
            found.waiting -= 1
            if not found.waiting and not found.task.done():
                found.task.cancel()
                if self._dials.get(key) is found:
                    del self._dials[key]

    def forget(self, peer: Peer, link: Link) -> None:
        """Drop `link`, which died, so that the next command connects anew."""
        found = self._dials.get(peer.identity)
        if found is not None and found.task.done() and _made(found.task) is link:
            del self._dials[peer.identity]
        link.connection.abort()

    async def close(self) -> None:
        """Close all connections."""
        for found in self._dials.values():
            if not found.task.done():
                found.task.cancel()
            elif _usable(found.task):
                found.task.result().connection.close()
        self._dials.clear()

    async def _open(self, peer: Peer, show: Callable[[str], None]) -> Link:
        proxy = peer.proxy
        if proxy is None:
            return Link(await dial(peer, None, lambda: self._handshake(peer), show, "Dial"))

        async def tunnel() -> asyncssh.SSHClientConnection:
            # Asked for at each try: the bastion may be what died.
            return (await self.link(proxy, show)).connection

        label = f"Dial through {proxy.name}"
        return Link(await dial(peer, tunnel, lambda: self._handshake(peer), show, label))

    @asynccontextmanager
    async def _handshake(self, peer: Peer) -> AsyncIterator[None]:
        """Hold the right to one login. Each try takes it anew: a dead host must not keep it from others."""
        gate = self._handshakes.setdefault(peer.address, asyncio.Semaphore(_HANDSHAKES_PER_HOST))
        async with gate, self._all_handshakes:
            yield


def _made(task: asyncio.Task[Link]) -> Link | None:
    return None if task.cancelled() or task.exception() is not None else task.result()


def _usable(task: asyncio.Task[Link]) -> bool:
    link = _made(task)
    return link is not None and not link.connection.is_closed()
