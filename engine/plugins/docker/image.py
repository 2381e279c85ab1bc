"""`docker:index/image:Image`: an image built from a folder, and pushed unless told otherwise."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any, Final

from engine.plugins.common import schema, wire
from engine.plugins.common.diff import Change
from engine.plugins.common.errors import PluginError
from engine.plugins.common.resource import Call, Observed, Resource
from engine.plugins.docker import build_context, image_build, images, logins, spec
from engine.plugins.docker.host import Host, Refused

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
# A login may change as often as it likes; that makes no other image.
_NO_REBUILD: Final = {"registry", "registry.username", "registry.password"}


class Image(Resource):
    """An image, identified by its name as officially. Destroying it removes nothing anywhere, as officially.

    A change of any file of the context changes `build.contextDigest`, and only a change builds again.
    """

    spec = spec.IMAGE

    def __init__(self, host: Host) -> None:
        self._host = host

    def check(self, call: Call, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        result = {name: value for name, value in news.items() if value is not None and name != "__defaults"}
        result.setdefault("buildOnPreview", False)
        result["build"] = _checked_build(result.get("build"))
        if isinstance(result.get("registry"), dict):
            fields = spec.IMAGE.inputs["registry"].type.fields
            result["registry"] = schema.with_secrets(fields, result["registry"])
        return result

    def problems(self, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
        values = wire.plain(inputs)
        found = []
        if values.get("buildOnPreview") is True:
            text = "buildOnPreview is not served by the drop-in docker plugin: a preview makes nothing"
            found.append(("buildOnPreview", f"{text}; leave it out"))
        name = values["imageName"]
        if isinstance(name, str) and not values.get("skipPush") and not _is_full(name):
            text = f"imageName is {name!r}, which names no registry to push to; begin it with one"
            found.append(("imageName", f"{text}, such as docker.io/user/name:tag, or set skipPush"))
        return found

    def relevant(self, changes: list[Change]) -> list[Change]:
        return [change for change in changes if change.path not in _NO_REBUILD]

    def planned(self, inputs: dict[str, Any], state: Mapping[str, Any] | None) -> dict[str, Any]:
        values = wire.plain(inputs)
        if values["build"] is wire.UNKNOWN:
            return {name: wire.UNKNOWN for name in self.spec.outputs} | {"imageName": values["imageName"]}
        return {**_outputs(values), "repoDigest": wire.UNKNOWN}

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        outputs = await self._make(call, inputs)
        return outputs["imageName"], outputs

    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        return await self._make(call, news)

    async def _make(self, call: Call, inputs: dict[str, Any]) -> dict[str, Any]:
        values = schema.typed(self.spec.inputs, inputs)
        name, build = values["imageName"], values["build"]
        context = build_context.find(build["context"], build["dockerfile"])
        own = self._login(values)
        known = [*logins.all_of(self._host.settings.registries), *([own] if own else [])]
        for cached in (build.get("cacheFrom") or {}).get("images", []):
            await self._pull_cached(call, cached, build.get("platform"))
        request = image_build.Request(name, build, context, known, call.log)
        id_ = await self._build(call, request)
        digest = id_
        if not values["skipPush"]:
            push = image_build.Push(name, own, call.log)
            digest = await self._host.call(lambda client, stop: image_build.push(client, stop, push))
        # As the official plugin keeps them: its next diff reads the inputs from here.
        return {**_outputs(values), "repoDigest": digest, "__inputs": wire.Secret(wire.plain(inputs))}

    async def _build(self, call: Call, request: image_build.Request) -> str:
        """Build; pull what BuildKit needs and cannot pull itself, then build on. Each image at most once."""
        pulled: set[str] = set()
        while True:
            try:
                return await self._host.call(lambda client, stop: image_build.build(client, stop, request))
            except image_build.BaseMissing as error:
                if error.name in pulled:
                    raise
                pulled.add(error.name)
                await images.ensure(
                    self._host, error.name, request.build.get("platform"), call.log, always=True
                )

    def _login(self, values: Mapping[str, Any]) -> logins.Login | None:
        registry = values.get("registry") or {}
        if registry.get("username") and registry.get("password"):
            address = registry.get("server") or logins.registry_of(values["imageName"])
            return {
                "username": registry["username"],
                "password": registry["password"],
                "serveraddress": logins.host_name(address),
            }
        if registry.get("username") or registry.get("password"):
            raise PluginError("registry needs both username and password, or neither")
        return logins.login(self._host.settings.registries, values["imageName"])

    async def _pull_cached(self, call: Call, name: str, platform_: str | None) -> None:
        try:
            await images.ensure(self._host, name, platform_, call.log, always=True)
        except PluginError as error:
            # A cache that is not there costs time and nothing else.
            call.log.status(f"cacheFrom image {name} is not available: {error}")

    async def read(self, call: Call, id_: str, inputs: dict[str, Any], state: dict[str, Any]) -> Observed:
        values = wire.plain(inputs)
        if not values.get("build"):
            return Observed(id_, inputs, state)
        recorded, pushed = wire.plain(state.get("repoDigest")) or "", not values.get("skipPush")
        try:
            found = await (self._pushed(values, recorded) if pushed else self._local(values["imageName"]))
        except Refused as error:
            if not pushed:
                raise
            # No answer of a registry is no news of the image.
            call.log.warning(f"cannot see image {values['imageName']} in its registry: {error}")
            return Observed(id_, inputs, state)
        if not found:
            return Observed("")
        if found != recorded:
            changed = {**values["build"], "contextDigest": f"unknown: another image of that name, {found}"}
            build = (
                wire.Secret(changed) if wire.is_secret(inputs["build"]) else _like(inputs["build"], changed)
            )
            return Observed(id_, {**inputs, "build": build}, {**state, "repoDigest": found})
        return Observed(id_, inputs, state)

    async def _local(self, name: str) -> str:
        info = await images.inspect(self._host, name)
        return str(info["Id"]) if info else ""

    async def _pushed(self, values: Mapping[str, Any], recorded: str) -> str:
        name, own = values["imageName"], self._login(values)
        try:
            info = await self._host.call(lambda client, stop: client.inspect_distribution(name, own))
        except Refused as error:
            if error.status == 404 or "manifest unknown" in str(error):
                return ""
            raise
        return f"{recorded.rsplit('@', 1)[0]}@{info['Descriptor']['digest']}"

    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        """Leave the image where it is: in the engine and in the registry."""


def _checked_build(given: Any) -> Any:
    """Return the build with its defaults, as the official plugin records them, and its context's digest."""
    build = given.value if isinstance(given, wire.Secret) else given
    if build is wire.UNKNOWN:
        return given
    build = {name: value for name, value in (build or {}).items() if value is not None}
    context = wire.plain(build.get("context", "."))
    if context is not wire.UNKNOWN:
        build["context"] = build.get("context", context)
        build.setdefault("dockerfile", _default_dockerfile(context))
        dockerfile = wire.plain(build["dockerfile"])
        if dockerfile is not wire.UNKNOWN:
            build["contextDigest"] = build_context.digest(build_context.find(context, dockerfile))
    machine = platform.machine()
    build.setdefault("platform", f"linux/{_ARCHITECTURES.get(machine, machine)}")
    return wire.Secret(build) if isinstance(given, wire.Secret) else build


def _default_dockerfile(context: str) -> str:
    name = build_context.DEFAULT_DOCKERFILE
    return name if context in ("", ".") else f"{context.rstrip('/')}/{name}"


def _is_full(name: str) -> bool:
    return name.startswith(f"{logins.HUB}/") or logins.registry_of(name) != logins.HUB


def _outputs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the image before it is built."""
    build = values["build"]
    paths = (build.get("context", wire.UNKNOWN), build.get("dockerfile", wire.UNKNOWN))
    inside: Any = wire.UNKNOWN
    if wire.UNKNOWN not in paths:
        inside = build_context.find(*paths).relative_dockerfile
    return {
        "imageName": values["imageName"],
        "baseImageName": values["imageName"],
        "context": paths[0],
        "dockerfile": inside,
        "platform": build.get("platform", ""),
        "registryServer": (values.get("registry") or {}).get("server", ""),
    }


def _like(recorded: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changed build, with what was secret in the recorded one still so."""
    return {
        name: wire.Secret(value) if wire.is_secret(recorded.get(name)) else value
        for name, value in changed.items()
    }
