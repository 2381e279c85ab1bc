"""Commands over the pooled SSH connections, reconnecting when one died between two commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from engine.plugins.command.connection import Peer
from engine.plugins.command.execution import ConnectionDied, execute
from engine.plugins.command.output import Run
from engine.plugins.command.pool import Pool
from engine.plugins.common.errors import PluginError

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

        `started` is set while something of the command may have happened on the host. Raises
        PluginError when the host cannot be reached or the command cannot be started.
        """
        last: Exception | None = None
        for _ in range(_RECONNECTIONS + 1):
            link = await self._pool.link(host, show)
            started.set()
            try:
                return await execute(link, run, host.name)
            except ConnectionDied as error:
                # The host rebooted since, or closed an idle connection: nothing ran yet, so connect anew.
                started.clear()
                self._pool.forget(host, link)
                last = error
        raise PluginError(f"{host.name}: the connection breaks as soon as a command starts ({last})")

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()
