"""`command:remote:CopyToRemote`: files, folders and texts that are copied to another host over SFTP.

As with the official type, deleting it removes nothing from the host, a changed `remotePath` leaves the
old one behind, and neither mode nor owner is set: a new file gets what the server's umask leaves of 0666,
an overwritten one keeps its own. A remote.Command beside it can set or remove what has to be.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from engine.plugins.command import source, spec
from engine.plugins.command.connection import peer
from engine.plugins.command.lazy import LazySsh
from engine.plugins.common import schema, wire
from engine.plugins.common.resource import Call, Resource


class CopyToRemote(Resource):
    """Copies on create, and on update if the content or the remote path is another one."""

    spec = spec.COPY

    def __init__(self, ssh: LazySsh) -> None:
        self._ssh = ssh

    def problems(self, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return why the source cannot be copied, if so."""
        why = source.problem(wire.plain(inputs.get("source")))
        return [] if why is None else [("source", why)]

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        await self._copy(call, inputs)
        return secrets.token_hex(4), dict(inputs)

    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        if what_counts(state) != what_counts(news):
            await self._copy(call, news)
        return dict(news)

    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        """Nothing, as the official type: what was copied may be in use by others."""

    async def _copy(self, call: Call, inputs: Mapping[str, Any]) -> None:
        values = schema.typed(self.spec.inputs, inputs)
        read = await asyncio.to_thread(source.read, values["source"])
        host = peer(values["connection"])
        await self._ssh.get().copy(host, read, values["remotePath"], call.log.status)


def what_counts(inputs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what a copy depends on: another connection alone copies nothing."""
    return source.fingerprint(wire.plain(inputs.get("source"))), wire.plain(inputs.get("remotePath"))
