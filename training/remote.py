"""Docker on a host, over one SSH connection: the only file here that opens one."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncssh

from training.request import Access

_CONNECT_S = 15
_KEEPALIVE_S = 10


class HostLost(Exception):
    """The host does not answer now; it may answer later."""


class HostRefused(Exception):
    """The host answers but does not let us in, or is not the one that we know."""


@dataclass(frozen=True)
class Answer:
    """What a docker command said, standard error after standard output, and its exit status."""

    status: int
    text: str


class RemoteDocker:
    """The docker command of one host. Connects on first use and again after a loss; `close` ends it."""

    def __init__(self, host: str, access: Access) -> None:
        self._host = host
        self._access = access
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting = asyncio.Lock()

    async def run(self, *words: str) -> Answer:
        """Run one docker command. Raises HostLost and HostRefused."""
        connection = await self._connected()
        try:
            done = await connection.run(
                shlex.join(["docker", *words]), stderr=asyncssh.STDOUT, errors="replace"
            )
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        if done.exit_status is None:
            raise self._lost("the connection ended before the command did")
        return Answer(done.exit_status, str(done.stdout or ""))

    async def follow(self, container: str) -> AsyncIterator[str]:
        """Yield the container's output from its beginning, line by line, until it stops.

        Raises HostLost and HostRefused.
        """
        connection = await self._connected()
        command = shlex.join(["docker", "logs", "--follow", container])
        try:
            process = await connection.create_process(command, stderr=asyncssh.STDOUT, errors="replace")
            try:
                async for line in process.stdout:
                    yield line.rstrip("\r\n")
            finally:
                # Nobody waits for the other end here: it closes when the command ends, and that is never
                # while the container says nothing. OpenSSH passes no signal on to a command of root's, so
                # such a command ends with its container.
                process.terminate()
                process.close()
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
            self._connection = None

    async def _connected(self) -> asyncssh.SSHClientConnection:
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> asyncssh.SSHClientConnection:
        access = self._access
        try:
            known = asyncssh.import_public_key(access.host_key)
            # Only what the stack says counts: no configuration, agent or known hosts of the person's.
            return await asyncssh.connect(
                access.address,
                access.port,
                username=access.user,
                client_keys=[access.private_key_file],
                known_hosts=([known], [], []),
                config=None,
                agent_path=None,
                connect_timeout=_CONNECT_S,
                keepalive_interval=_KEEPALIVE_S,
            )
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
            raise HostRefused(
                f"{self._host} at {access.address}:{access.port} does not show the host key that is known "
                f"({error}), so nothing was sent to it."
            ) from error
        except asyncssh.PermissionDenied as error:
            raise HostRefused(
                f"{self._host} does not let {access.user} in with the key {access.private_key_file}."
            ) from error
        except (asyncssh.KeyImportError, FileNotFoundError, PermissionError) as error:
            raise HostRefused(f"A key for {self._host} cannot be used: {error}.") from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise self._lost(error) from error

    def _lost(self, why: object) -> HostLost:
        reason = str(why) or "no answer in time"
        return HostLost(f"{self._host} at {self._access.address}:{self._access.port} is lost: {reason}")
