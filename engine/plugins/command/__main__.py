"""Entry of the command plugin: `python -m engine.plugins.command ENGINE_ADDRESS`."""

from __future__ import annotations

from engine.plugins.command import NAME, VERSION
from engine.plugins.command.local import LocalCommand
from engine.plugins.command.remote import RemoteCommand
from engine.plugins.common.server import Plugin, serve


class CommandPlugin(Plugin):
    """The command provider. It has no settings."""

    def __init__(self) -> None:
        self._remote = RemoteCommand()
        local = LocalCommand()
        super().__init__(NAME, VERSION, {self._remote.spec.name: self._remote, local.spec.name: local})

    def check_config(self, config: dict[str, object]) -> list[tuple[str, str]]:
        known = ("version", "pluginDownloadURL")
        return [
            (name, f"the command provider has no setting {name!r}") for name in config if name not in known
        ]

    async def close(self) -> None:
        await self._remote.close()


if __name__ == "__main__":
    serve(CommandPlugin())
