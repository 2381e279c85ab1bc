"""A command plugin that runs no command: an `up` with it records what was applied, and touches no host."""

from __future__ import annotations

from typing import Any

from engine.plugins.command import NAME, VERSION, spec
from engine.plugins.command.lazy import LazySsh
from engine.plugins.command.local import LocalCommand
from engine.plugins.command.remote import RemoteCommand, new_id, outputs
from engine.plugins.common.resource import Call
from engine.plugins.common.server import Plugin, serve


class _CountsAsRun:
    """A command whose `create` and `update` count as run."""

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return new_id(call.name), outputs(inputs, None)

    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        return outputs(news, None)


class RecordedRemote(_CountsAsRun, RemoteCommand):
    """A remote command that reaches no host."""


class RecordedLocal(_CountsAsRun, LocalCommand):
    """A local command that starts no process."""


class Recorder(Plugin):
    """The command provider without its deeds."""

    def __init__(self) -> None:
        types = {spec.REMOTE.name: RecordedRemote(LazySsh()), spec.LOCAL.name: RecordedLocal()}
        super().__init__(NAME, VERSION, types)


if __name__ == "__main__":
    serve(Recorder())
