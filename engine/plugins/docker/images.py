"""Finding and pulling images."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from engine.plugins.common.errors import PluginError
from engine.plugins.common.resource import Logger
from engine.plugins.docker import logins
from engine.plugins.docker.host import Host, Refused


async def ensure(
    host: Host, name: str, platform: str | None, log: Logger, *, always: bool = False
) -> dict[str, Any]:
    """Return the inspection of the image, pulled first if the engine does not have it, or `always`.

    This is what the official plugin does, for containers too. Raises PluginError.
    """
    found = await inspect(host, name)
    if found is None or (always and not name.startswith("sha256:")):
        if name.startswith("sha256:"):
            raise PluginError(f"the engine at {host.name} has no image {name}; an id cannot be pulled")
        pull = _Pull(name, platform, logins.login(host.settings.registries, name), log)
        await host.call(lambda client, stop: _pull(client, stop, pull))
        found = await inspect(host, name)
    if found is None:
        raise PluginError(f"the engine at {host.name} has no image {name} although it pulled it")
    return found


async def inspect(host: Host, name: str) -> dict[str, Any] | None:
    """Return what the engine knows of the image, or None if it does not have it."""
    try:
        return await host.call(lambda client, stop: dict(client.inspect_image(name)))
    except Refused as error:
        if error.status == 404:
            return None
        raise


@dataclass(frozen=True)
class _Pull:
    """What to pull, with which login, and where its progress goes."""

    name: str
    platform: str | None
    login: dict[str, str] | None
    log: Logger


def _pull(client: Any, stop: threading.Event, pull: _Pull) -> None:
    import docker.errors
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(pull.name)
    layers: dict[str, bool] = {}
    shown = ""
    try:
        entries = client.pull(
            repository,
            tag or "latest",
            stream=True,
            decode=True,
            platform=pull.platform,
            auth_config=pull.login,
        )
        for entry in entries:
            if stop.is_set():
                raise PluginError(f"the pull of {pull.name} was cancelled")
            if "error" in entry:
                raise PluginError(f"cannot pull {pull.name}: {entry['error']}")
            if entry.get("id"):
                layers[entry["id"]] = entry.get("status") in ("Pull complete", "Already exists")
            text = f"pulling {pull.name}: {sum(layers.values())} of {len(layers)} layers"
            if layers and text != shown:
                shown = text
                pull.log.status(text)
    except docker.errors.APIError as error:
        text = f"there is no image {pull.name} here, and it cannot be pulled: {error.explanation}"
        raise Refused(text, error.status_code or 0) from error
