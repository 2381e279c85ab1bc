"""Entry of the command plugin: `python -m engine.plugins.command ENGINE_ADDRESS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from engine.plugins.command import NAME, VERSION, local, spec
from engine.plugins.command.copy import CopyToRemote
from engine.plugins.command.lazy import LazySsh
from engine.plugins.command.remote import RemoteCommand
from engine.plugins.common.enginelog import CallLog
from engine.plugins.common.resource import Resource
from engine.plugins.common.schema import FunctionType
from engine.plugins.common.server import Plugin, serve


class CommandPlugin(Plugin):
    """The command provider. It has no settings."""

    functions: ClassVar[Mapping[str, FunctionType]] = {spec.RUN.name: spec.RUN}
    hints: ClassVar[Mapping[str, str]] = {
        "command:remote:CopyFile": "it is deprecated: use CopyToRemote, "
        "with source=pulumi.FileAsset(PATH) instead of local_path=PATH"
    }

    def __init__(self) -> None:
        self._ssh = LazySsh()
        types: list[Resource] = [RemoteCommand(self._ssh), CopyToRemote(self._ssh), local.LocalCommand()]
        super().__init__(NAME, VERSION, {type_.spec.name: type_ for type_ in types})

    def check_config(self, config: dict[str, object]) -> list[tuple[str, str]]:
        known = ("version", "pluginDownloadURL")
        return [
            (name, f"the command provider has no setting {name!r}") for name in config if name not in known
        ]

    async def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if token != spec.RUN.name:
            return await super().invoke(token, args)
        # A function belongs to no resource: its lines show with the stack's own.
        try:
            return await local.invoke(args, CallLog(self.log, ""))
        finally:
            await self.log.flush()

    async def close(self) -> None:
        await self._ssh.close()


if __name__ == "__main__":
    serve(CommandPlugin())
