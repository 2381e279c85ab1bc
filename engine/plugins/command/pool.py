"""One SSH connection per host and credential, shared by all commands, with bounded channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import asyncssh

from engine.plugins.command.connection import Peer
from engine.plugins.command.dial import dial

# sshd's defaults: MaxStartups drops logins beyond 10, MaxSessions refuses channels beyond 10.
# Two channels stay free for the session that ends processes.
_HANDSHAKES_PER_HOST = 4
_CHANNELS = 8


class Ended(Protocol):
    """What the pool knows of a running command."""

    ended: asyncio.Event


class Link:
    """A pooled connection. `channels` bounds the commands that run on it at once.

    `live` are the running channels in the order they were opened; `opening` keeps that order true;
    `helping` is held by the one session at a time that ends processes.
    """

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self.connection = connection
        self.channels = asyncio.Semaphore(_CHANNELS)
        self.opening = asyncio.Lock()
        self.helping = asyncio.Lock()
        self.live: list[Ended] = []


class Pool:
    """The connections of this process."""

    def __init__(self) -> None:
        self._links: dict[str, asyncio.Task[Link]] = {}
        self._handshakes: dict[tuple[str, int], asyncio.Semaphore] = {}

    async def link(self, peer: Peer, show: Callable[[str], None]) -> Link:
        """Return the open connection to `peer`, made now if there is none. Raises PluginError.

        Commands that come while it is being made wait for that one handshake.
        """
        key = peer.identity
        task = self._links.get(key)
        if task is not None and task.done() and not _usable(task):
            task = None
        if task is None:
            task = asyncio.create_task(self._open(peer, show))
            self._links[key] = task
        # One waiting command that is cancelled must not take the handshake from the others.
        return await asyncio.shield(task)

    def forget(self, peer: Peer, link: Link) -> None:
        """Drop `link`, which died, so that the next command connects anew."""
        task = self._links.get(peer.identity)
        if task is not None and task.done() and _made(task) is link:
            del self._links[peer.identity]
        link.connection.abort()

    async def close(self) -> None:
        """Close all connections."""
        for task in self._links.values():
            if not task.done():
                task.cancel()
            elif _usable(task):
                task.result().connection.close()
        self._links.clear()

    async def _open(self, peer: Peer, show: Callable[[str], None]) -> Link:
        tunnel = None
        label = "Dial"
        if peer.proxy is not None:
            tunnel = (await self.link(peer.proxy, show)).connection
            label = f"Dial through {peer.proxy.name}"
        async with self._bounded(peer):
            return Link(await dial(peer, tunnel, show, label))

    @asynccontextmanager
    async def _bounded(self, peer: Peer) -> AsyncIterator[None]:
        gate = self._handshakes.setdefault(peer.address, asyncio.Semaphore(_HANDSHAKES_PER_HOST))
        async with gate:
            yield


def _made(task: asyncio.Task[Link]) -> Link | None:
    return None if task.cancelled() or task.exception() is not None else task.result()


def _usable(task: asyncio.Task[Link]) -> bool:
    link = _made(task)
    return link is not None and not link.connection.is_closed()
