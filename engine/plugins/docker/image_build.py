"""The engine's calls that build and push an image, with their output as progress."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.plugins.common.errors import PluginError
from engine.plugins.common.resource import Logger
from engine.plugins.docker import build_context, logins
from engine.plugins.docker.build_progress import Progress
from engine.plugins.docker.host import Refused

_BUILDERS: Final = {"BuilderV1": "1", "BuilderBuildKit": "2"}
_NO_SESSION: Final = re.compile(r"(?:load metadata|resolve image config) for (\S+): no active session")
_WATCH_SECONDS: Final = 0.2


class BaseMissing(PluginError):
    """BuildKit needs an image that the engine does not have: `name`. With it, the build can go on."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


@dataclass(frozen=True)
class Request:
    """What to build, with the logins that its base images and its cache may need."""

    name: str
    build: Mapping[str, Any]
    context: build_context.BuildContext
    logins: list[logins.Login]
    log: Logger


@dataclass(frozen=True)
class Push:
    """What to push, with which login (None: docker's own configuration counts)."""

    name: str
    login: logins.Login | None
    log: Logger


def parameters(name: str, build: Mapping[str, Any], dockerfile: str) -> dict[str, str]:
    """Return the query of POST /build. `dockerfile` is its path in the archive."""
    found = {
        "t": name,
        "dockerfile": dockerfile,
        "version": _BUILDERS[build.get("builderVersion", "BuilderBuildKit")],
        # Containers of the steps go also when a step fails.
        "rm": "1",
        "forcerm": "1",
    }
    for key, parameter in (("target", "target"), ("platform", "platform"), ("network", "networkmode")):
        if build.get(key):
            found[parameter] = build[key]
    if build.get("args"):
        found["buildargs"] = json.dumps(build["args"], sort_keys=True)
    if build.get("addHosts"):
        found["extrahosts"] = ",".join(build["addHosts"])
    if (build.get("cacheFrom") or {}).get("images"):
        found["cachefrom"] = json.dumps(build["cacheFrom"]["images"])
    return found


def build(client: Any, stop: threading.Event, request: Request) -> str:
    """Build; return the image's id. Raises PluginError with the build's last lines."""
    progress = Progress()
    archive, dockerfile = build_context.archive(request.context)
    request.log.status(f"sending the context of {request.name}")
    try:
        with archive:
            response = client.post(
                f"{client.base_url}/v{client.api_version}/build",
                data=archive,
                params=parameters(request.name, request.build, dockerfile),
                headers={
                    "Content-Type": "application/x-tar",
                    "X-Registry-Config": logins.header_of(request.logins),
                },
                stream=True,
                # A step may be silent for as long as it takes.
                timeout=None,
            )
            with response, _ended_by(stop, response):
                _refuse(response, request.name)
                for line in response.iter_lines():
                    for text in progress.take(json.loads(line)):
                        request.log.status(text)
    except (PluginError, OSError, ValueError) as error:
        if stop.is_set():
            raise PluginError(f"the build of {request.name} was cancelled") from error
        if not isinstance(error, PluginError) or isinstance(error, Refused):
            raise
        last = "\n".join(progress.last_lines)
        text = f"the build of {request.name} failed: {error}; its last lines:\n{last}"
        if base := missing_base(str(error), progress.last_lines):
            raise BaseMissing(base, text) from error
        raise PluginError(text) from error
    if stop.is_set():
        raise PluginError(f"the build of {request.name} was cancelled")
    if "ID" not in progress.result:
        raise PluginError(f"the engine ended the build of {request.name} without an image")
    return str(progress.result["ID"])


def push(client: Any, stop: threading.Event, request: Push) -> str:
    """Push; return the digest in the registry as repository@digest."""
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(request.name)
    progress = Progress()
    entries = client.push(repository, tag or "latest", stream=True, decode=True, auth_config=request.login)
    try:
        for entry in entries:
            if stop.is_set():
                raise PluginError("it was cancelled")
            for text in progress.take(entry):
                request.log.status(f"pushing {request.name}: {text}")
    except PluginError as error:
        raise PluginError(f"cannot push {request.name}: {error}{_login_hint(str(error))}") from error
    if "Digest" not in progress.result:
        raise PluginError(f"the registry took {request.name} without giving its digest")
    return f"{repository}@{progress.result['Digest']}"


def missing_base(error: str, lines: Iterable[str]) -> str:
    """Return the image that BuildKit has to pull and cannot, because nobody told it a login; else nothing.

    It asks its client for logins over a connection of its own, which this plugin does not open.
    """
    if "no active session" not in error:
        return ""
    for line in lines:
        if match := _NO_SESSION.search(line):
            return match[1]
    return ""


def _login_hint(text: str) -> str:
    known = ("authentication", "unauthorized", "no basic auth", "denied")
    if any(word in text.lower() for word in known):
        return "; give registry.username and registry.password, or the provider's registryAuth"
    return ""


def _refuse(response: Any, name: str) -> None:
    if response.status_code >= 400:
        try:
            reason = response.json()["message"]
        except (ValueError, KeyError):
            reason = response.text or response.reason
        raise Refused(f"the engine does not build {name}: {reason}", response.status_code)


@contextlib.contextmanager
def _ended_by(stop: threading.Event, response: Any) -> Iterator[None]:
    """Hang up once `stop` is set; the engine then ends the build. Reading alone would wait for a line."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_WATCH_SECONDS):
            if stop.is_set():
                response.raw.shutdown()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
