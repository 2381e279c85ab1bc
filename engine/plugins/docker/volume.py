"""`docker:index/volume:Volume`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.plugins.common import diff, schema, wire
from engine.plugins.common.errors import PluginError
from engine.plugins.common.resource import Call, Observed, Resource
from engine.plugins.docker import spec
from engine.plugins.docker.host import Host, Refused
from engine.plugins.docker.naming import given, label_list, label_map, with_defaults
from engine.plugins.docker.removal import remove_when_free


class Volume(Resource):
    """A volume of the engine. Its id is its name; nothing of it can be changed in place."""

    spec = spec.VOLUME

    def __init__(self, host: Host) -> None:
        self._host = host

    def check(self, call: Call, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        return with_defaults(self.spec.inputs, call, olds, news, named=True)

    def delete_before_replace(self, inputs: Mapping[str, Any]) -> bool:
        return True

    def planned(self, inputs: dict[str, Any], state: Mapping[str, Any] | None) -> dict[str, Any]:
        unknown = {name: wire.UNKNOWN for name in ("driver", "mountpoint")}
        return {**(unknown if state is None else state), **inputs}

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        values = schema.typed(self.spec.inputs, inputs)
        info = await self._host.call(lambda client, stop: _make(client, values))
        return info["Name"], {**volume_values(info), **inputs, "mountpoint": info["Mountpoint"]}

    async def read(self, call: Call, id_: str, inputs: dict[str, Any], state: dict[str, Any]) -> Observed:
        try:
            info = await self._host.call(lambda client, stop: client.inspect_volume(id_))
        except Refused as error:
            if error.status == 404:
                return Observed("")
            raise
        if not inputs:
            inputs = with_defaults(self.spec.inputs, call, {}, {"name": info["Name"]}, named=False)
        there = volume_values(info)
        seen = dict(inputs)
        for name in given(inputs):
            wanted, found = wire.plain(inputs[name]), there.get(name)
            if diff.compare({name: self.spec.inputs[name]}, {name: wanted}, {name: found}):
                seen[name] = found
        return Observed(info["Name"], seen, {**there, **seen, "mountpoint": info["Mountpoint"]})

    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        return {**state, **news}

    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        await self._host.call(
            lambda client, stop: remove_when_free(
                lambda: client.remove_volume(id_),
                lambda error: error.status_code == 409,
                f"volume {id_}",
                stop,
            )
        )


def volume_values(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return a volume's inspection in the form of the inputs."""
    return {
        "name": info["Name"],
        "driver": info["Driver"],
        "driverOpts": info.get("Options") or {},
        "labels": label_list(info.get("Labels")),
    }


def _make(client: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    import docker.errors

    name, labels = values["name"], label_map(values.get("labels"))
    try:
        there = client.inspect_volume(name)
    except docker.errors.NotFound:
        there = None
    # The engine would hand out a volume of that name that exists, and destroy would remove it with its
    # data. One with our labels is left from an earlier run; any other belongs to somebody.
    if there is not None and (not labels or (there.get("Labels") or {}) != labels):
        raise PluginError(
            f"Unable to create volume {name}: there is one of that name already, without this volume's "
            f"labels; choose another name, or, if nobody needs its data: docker volume rm {name}"
        )
    try:
        return dict(client.create_volume(name, values.get("driver"), values.get("driverOpts"), labels))
    except docker.errors.APIError as error:
        raise Refused(
            f"Unable to create volume {name}: {error.explanation}", error.status_code or 0
        ) from error
