"""Commands over the pooled SSH connections, reconnecting when one died between two commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from engine.plugins.command.connection import Peer
from engine.plugins.command.execution import execute
from engine.plugins.command.output import Run
from engine.plugins.command.pool import ConnectionDied, Link, Pool
from engine.plugins.command.source import Source
from engine.plugins.command.transfer import transfer
from engine.plugins.common.errors import PluginError

T = TypeVar("T")

_RECONNECTIONS = 2


class Ssh:
    """All SSH connections of this process."""

    def __init__(self) -> None:
        # Every failure is reported by the operation that it belongs to; the library's own lines would
        # appear as stray errors on the user's screen.
        logging.getLogger("asyncssh").addHandler(logging.NullHandler())
        logging.getLogger("asyncssh").propagate = False
        self._pool = Pool()

    async def run(
        self, host: Peer, run: Run, started: asyncio.Event, show: Callable[[str], None]
    ) -> tuple[str | None, list[str]]:
        """Run a command; return why it failed (None if it did not) and the variables that were refused.

        `started` is set from the moment the command may run on the host. Raises PluginError when the host
        cannot be reached, the command cannot be started, or it is not known whether it was.
        """
        return await self._on_a_link(host, show, lambda link: execute(link, run, host.name, started))

    async def copy(self, host: Peer, source: Source, path: str, show: Callable[[str], None]) -> None:
        """Copy `source` to `path` on the host. Raises PluginError."""
        await self._on_a_link(host, show, lambda link: transfer(link, source, path, host.name, show))

    async def _on_a_link(
        self, host: Peer, show: Callable[[str], None], work: Callable[[Link], Awaitable[T]]
    ) -> T:
        last: Exception | None = None
        for _ in range(_RECONNECTIONS + 1):
            link = await self._pool.link(host, show)
            try:
                return await work(link)
            except ConnectionDied as error:
                # The host rebooted since, or closed an idle connection: nothing ran yet, so connect anew.
                self._pool.forget(host, link)
                last = error
        raise PluginError(f"{host.name}: the connection breaks as soon as a command starts ({last})")

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()
