"""The docker provider's settings: which engine, how to reach it, which registries to log in to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.plugins.common import wire

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_SCHEMES: Final = ("unix://", "ssh://", "tcp://", "http://", "https://")
_SERVED: Final = ("host", "sshOpts", "certPath", "registryAuth", "disableDockerDaemonCheck")
_NOT_SERVED: Final = ("context", "caMaterial", "certMaterial", "keyMaterial")
_IGNORED: Final = ("version", "pluginDownloadURL")


_LOGIN_FIELDS: Final = ("address", "username", "password", "configFile", "configFileContent", "authDisabled")


@dataclass(frozen=True)
class Registry:
    """How to log in to one registry. A configuration file or its content counts before the user's name."""

    address: str
    username: str = ""
    password: str = field(default="", repr=False)
    config_file: str = ""
    config_content: str = field(default="", repr=False)
    disabled: bool = False


@dataclass(frozen=True)
class Settings:
    """Where the engine is. `host` is None while a preview cannot know it yet."""

    host: str | None = DEFAULT_HOST
    ssh_options: tuple[str, ...] = ()
    cert_path: str | None = None
    registries: tuple[Registry, ...] = ()


def problems(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (setting, reason) for each provider setting that this plugin cannot take."""
    found: list[tuple[str, str]] = []
    for name, value in sorted(config.items()):
        if name.startswith("__") or name in _IGNORED or value in (None, ""):
            continue
        if name in _NOT_SERVED:
            found.append((name, f"the drop-in docker plugin does not serve the setting {name!r}; use host"))
        elif name not in _SERVED:
            found.append((name, f"the docker provider has no setting {name!r}; it has {', '.join(_SERVED)}"))
    host = config.get("host")
    if isinstance(host, str) and host and not host.startswith(_SCHEMES):
        found.append(("host", f"host is {host!r}; it begins with one of {', '.join(_SCHEMES)}"))
    for name in ("sshOpts", "registryAuth"):
        value = _structured(config.get(name))
        if value is not None and value is not wire.UNKNOWN and not isinstance(value, list):
            found.append((name, f"{name} must be a list"))
    found += _login_problems(_structured(config.get("registryAuth")))
    return found


def _login_problems(logins: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for index, login in enumerate(logins if isinstance(logins, list) else []):
        path = f"registryAuth[{index}]"
        if login is wire.UNKNOWN:
            continue
        if not isinstance(login, dict) or not login.get("address"):
            found.append((path, f"{path} must be an object with an address"))
            continue
        for name in sorted(set(login) - set(_LOGIN_FIELDS)):
            found.append((f"{path}.{name}", f"{path} has no {name!r}; it has {', '.join(_LOGIN_FIELDS)}"))
    return found


def settings(config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a checked provider configuration.

    What it leaves open comes from DOCKER_HOST and DOCKER_CERT_PATH, as for the docker command.
    """
    host = config.get("host") or environ.get("DOCKER_HOST") or DEFAULT_HOST
    options = _structured(config.get("sshOpts"))
    if wire.has_unknown([host, options]):
        return Settings(host=None)
    logins = _structured(config.get("registryAuth"))
    return Settings(
        host=host,
        ssh_options=tuple(str(option) for option in options or ()),
        cert_path=config.get("certPath") or environ.get("DOCKER_CERT_PATH") or None,
        registries=tuple(
            _registry(login, environ)
            for login in (logins if isinstance(logins, list) else [])
            if isinstance(login, dict) and login.get("address") and not wire.has_unknown(login)
        ),
    )


def _registry(login: Mapping[str, Any], environ: Mapping[str, str]) -> Registry:
    return Registry(
        address=login["address"],
        username=login.get("username") or environ.get("DOCKER_REGISTRY_USER") or "",
        password=login.get("password") or environ.get("DOCKER_REGISTRY_PASS") or "",
        config_file=login.get("configFile") or "",
        config_content=login.get("configFileContent") or "",
        # Structured settings reach a plugin as JSON text, in which a boolean may be a string.
        disabled=login.get("authDisabled") in (True, "true"),
    )


def _structured(value: Any) -> Any:
    """Return a list or object setting, which the SDK sends as JSON text."""
    if isinstance(value, str) and value:
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
