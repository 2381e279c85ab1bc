"""Which login belongs to which registry: from the resource, the provider, or a docker configuration file."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from engine.plugins.common.errors import PluginError
from engine.plugins.docker.settings import Registry

Login = dict[str, str]
HUB: Final = "docker.io"
_HUB_KEY: Final = "https://index.docker.io/v1/"
_HUB_NAMES: Final = {HUB, "index.docker.io", "registry-1.docker.io"}


def registry_of(image: str) -> str:
    """Return the registry that an image name leads to.

    >>> registry_of("registry:5000/a/b:1"), registry_of("redis:7"), registry_of("a/b")
    ('registry:5000', 'docker.io', 'docker.io')
    """
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else HUB


def host_name(address: str) -> str:
    """Return a registry's name without scheme and path.

    >>> host_name("https://index.docker.io/v1/"), host_name("registry:5000")
    ('docker.io', 'registry:5000')
    """
    name = address.removeprefix("https://").removeprefix("http://").split("/", 1)[0]
    return HUB if name in _HUB_NAMES else name


def login(registries: Iterable[Registry], image: str) -> Login | None:
    """Return the provider's login for the image's registry, or None: then docker's own files count.

    Raises PluginError when the provider names a file that is no docker configuration.
    """
    wanted = registry_of(image)
    for registry in registries:
        if host_name(registry.address) == wanted:
            return _of_registry(registry)
    return None


def header_of(logins: Iterable[Login]) -> str:
    """Return the X-Registry-Config header of a build: all logins, each under its registry."""
    known = {}
    for item in logins:
        name = host_name(item.get("serveraddress", ""))
        known[_HUB_KEY if name == HUB else name] = item
    return base64.urlsafe_b64encode(json.dumps(known).encode()).decode()


def all_of(registries: Iterable[Registry]) -> list[Login]:
    """Return every login that the provider has."""
    found = (_of_registry(registry) for registry in registries)
    return [item for item in found if item is not None]


def _of_registry(registry: Registry) -> Login | None:
    if registry.disabled:
        # The engine wants some header from a registry that wants none.
        return {"username": "username", "password": "password", "serveraddress": registry.address}
    text, where = registry.config_content, "registryAuth.configFileContent"
    if registry.config_file:
        where = registry.config_file
        try:
            text = Path(registry.config_file).expanduser().read_text(encoding="utf-8")
        except OSError as error:
            raise PluginError(f"registryAuth.configFile {where} cannot be read: {error.strerror}") from error
    if text:
        return _of_file(text, where, registry.address)
    if registry.username:
        return {
            "username": registry.username,
            "password": registry.password,
            "serveraddress": registry.address,
        }
    return None


def _of_file(text: str, where: str, address: str) -> Login | None:
    try:
        content = json.loads(text)
        auths: Mapping[str, Any] = content.get("auths") or {}
        if content.get("credHelpers", {}).get(address):
            raise PluginError(
                f"{where} leaves {address} to a credential helper, which this plugin does not run; "
                "give username and password"
            )
        for name, item in auths.items():
            if host_name(name) == host_name(address) and item.get("auth"):
                user, _, password = base64.b64decode(item["auth"]).decode().partition(":")
                return {"username": user, "password": password, "serveraddress": address}
    except (ValueError, AttributeError, binascii.Error) as error:
        raise PluginError(f"{where} is no docker configuration file (JSON with `auths`)") from error
    return None
