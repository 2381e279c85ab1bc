"""`docker:index/remoteImage:RemoteImage`: an image pulled to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.plugins.common import schema, wire
from engine.plugins.common.resource import Call, Observed, Resource
from engine.plugins.docker import images, spec
from engine.plugins.docker.host import Host, Refused
from engine.plugins.docker.naming import with_defaults


class RemoteImage(Resource):
    """An image that the engine has. Its id is the image's id and name together, as officially."""

    spec = spec.REMOTE_IMAGE

    def __init__(self, host: Host) -> None:
        self._host = host

    def check(self, call: Call, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        return with_defaults(self.spec.inputs, call, olds, news, named=False)

    def delete_before_replace(self, inputs: Mapping[str, Any]) -> bool:
        # Old and new have the same name: removing the old one last would take the new one away.
        return not wire.plain(inputs.get("keepLocally"))

    def planned(self, inputs: dict[str, Any], state: Mapping[str, Any] | None) -> dict[str, Any]:
        unknown = {name: wire.UNKNOWN for name in self.spec.outputs}
        return {**(unknown if state is None else state), **inputs}

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        values = schema.typed(self.spec.inputs, inputs)
        # A changed trigger means that the registry may have another image under the same name.
        again = bool(values.get("pullTriggers") or values.get("triggers"))
        info = await images.ensure(self._host, values["name"], values.get("platform"), call.log, always=again)
        return info["Id"] + values["name"], {**inputs, **computed(info, values["name"])}

    async def read(self, call: Call, id_: str, inputs: dict[str, Any], state: dict[str, Any]) -> Observed:
        name = wire.plain(inputs.get("name") or state.get("name"))
        info = await images.inspect(self._host, name)
        if info is None:
            return Observed("")
        return Observed(info["Id"] + name, inputs, {**state, **computed(info, name)})

    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        return {**state, **news}

    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        values = schema.typed(self.spec.inputs, state)
        if values.get("keepLocally"):
            return
        name, force = values["name"], values.get("forceRemove", False)
        try:
            await self._host.call(lambda client, stop: client.remove_image(name, force=force))
        except Refused as error:
            if error.status != 404:
                raise Refused(
                    f"Unable to remove image {name}: {error}; keepLocally keeps it", error.status
                ) from error


def computed(info: Mapping[str, Any], name: str) -> dict[str, str]:
    digests = info.get("RepoDigests") or []
    repository = name.split("@", maxsplit=1)[0].rsplit("/", 1)
    repository[-1] = repository[-1].split(":")[0]
    wanted = "/".join(repository) + "@"
    own = [digest for digest in digests if digest.startswith(wanted)]
    return {"imageId": info["Id"], "repoDigest": (own or digests or [""])[0]}
