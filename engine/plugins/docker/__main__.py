"""Entry of the docker plugin: `python -m engine.plugins.docker ENGINE_ADDRESS`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from engine.plugins.common.server import Plugin, serve
from engine.plugins.docker import NAME, VERSION, functions, settings
from engine.plugins.docker.container import Container
from engine.plugins.docker.host import Host
from engine.plugins.docker.image import Image
from engine.plugins.docker.network import Network
from engine.plugins.docker.remote_image import RemoteImage
from engine.plugins.docker.volume import Volume


class DockerPlugin(Plugin):
    """The docker provider: one process for one engine."""

    functions = functions.FUNCTIONS
    hints = MappingProxyType(
        {
            "docker:index/registryImage:RegistryImage": "Image builds and pushes",
            "docker:index/tag:Tag": "give Image the name that it shall have",
            "docker:index/service:Service": "Container runs a process without a swarm",
        }
    )

    def __init__(self) -> None:
        self._host = Host()
        kinds = (Container, Network, Volume, RemoteImage, Image)
        served = [kind(self._host) for kind in kinds]
        super().__init__(NAME, VERSION, {resource.spec.name: resource for resource in served})

    def check_config(self, config: dict[str, Any]) -> list[tuple[str, str]]:
        return settings.problems(config)

    async def configure(self, config: dict[str, Any]) -> None:
        self._host.settings = settings.settings(config)

    async def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if token in self.functions:
            return await functions.call(self._host, token, args)
        return await super().invoke(token, args)

    async def close(self) -> None:
        self._host.close()


if __name__ == "__main__":
    serve(DockerPlugin())
