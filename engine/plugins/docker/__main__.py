"""Entry of the docker plugin: `python -m engine.plugins.docker ENGINE_ADDRESS`."""

from __future__ import annotations

from typing import Any

from engine.plugins.common.server import Plugin, serve
from engine.plugins.docker import NAME, VERSION, settings
from engine.plugins.docker.container import Container
from engine.plugins.docker.host import Host
from engine.plugins.docker.network import Network
from engine.plugins.docker.remote_image import RemoteImage
from engine.plugins.docker.volume import Volume


class DockerPlugin(Plugin):
    """The docker provider: one process for one engine."""

    def __init__(self) -> None:
        self._host = Host()
        served = (Container(self._host), Network(self._host), Volume(self._host), RemoteImage(self._host))
        super().__init__(NAME, VERSION, {resource.spec.name: resource for resource in served})

    def check_config(self, config: dict[str, Any]) -> list[tuple[str, str]]:
        return settings.problems(config)

    async def configure(self, config: dict[str, Any]) -> None:
        self._host.settings = settings.settings(config)

    async def close(self) -> None:
        self._host.close()


if __name__ == "__main__":
    serve(DockerPlugin())
