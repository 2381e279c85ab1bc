"""`docker:index/network:Network`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.plugins.common import diff, schema, wire
from engine.plugins.common.resource import Call, Observed, Resource
from engine.plugins.docker import spec
from engine.plugins.docker.host import Host, Refused
from engine.plugins.docker.naming import given, label_list, label_map, with_defaults
from engine.plugins.docker.removal import remove_when_free


class Network(Resource):
    """A network of the engine. Nothing of it can be changed in place."""

    spec = spec.NETWORK

    def __init__(self, host: Host) -> None:
        self._host = host

    def check(self, call: Call, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        return with_defaults(self.spec.inputs, call, olds, news, named=True)

    def delete_before_replace(self, inputs: Mapping[str, Any]) -> bool:
        # Two networks cannot share a name or a subnet.
        return True

    def planned(self, inputs: dict[str, Any], state: Mapping[str, Any] | None) -> dict[str, Any]:
        unknown = {name: wire.UNKNOWN for name in ("driver", "internal", "ipamConfigs", "options", "scope")}
        return {**(unknown if state is None else state), **inputs}

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        values = schema.typed(self.spec.inputs, inputs)
        info = await self._host.call(lambda client, stop: _make(client, values))
        return info["Id"], {**network_values(info), **inputs, "scope": info["Scope"]}

    async def read(self, call: Call, id_: str, inputs: dict[str, Any], state: dict[str, Any]) -> Observed:
        try:
            info = await self._host.call(lambda client, stop: client.inspect_network(id_))
        except Refused as error:
            if error.status == 404:
                return Observed("")
            raise
        if not inputs:
            inputs = with_defaults(self.spec.inputs, call, {}, {"name": info["Name"]}, named=False)
        seen = observed(inputs, info)
        return Observed(info["Id"], seen, {**network_values(info), **seen, "scope": info["Scope"]})

    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        return {**state, **news}

    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        name = wire.plain(state.get("name")) or id_
        await self._host.call(
            lambda client, stop: remove_when_free(
                lambda: client.remove_network(id_),
                lambda error: "has active endpoints" in str(error.explanation),
                f"network {name}",
                stop,
            )
        )


def create_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the engine's call for typed inputs."""
    keys = {
        "subnet": "Subnet",
        "gateway": "Gateway",
        "ipRange": "IPRange",
        "auxAddress": "AuxiliaryAddresses",
    }
    configs = [
        {keys[name]: value for name, value in config.items()} for config in values.get("ipamConfigs", [])
    ]
    arguments: dict[str, Any] = {
        "name": values["name"],
        "driver": values.get("driver") or "bridge",
        "options": values.get("options"),
        "internal": values.get("internal", False),
        "labels": label_map(values.get("labels")),
        "enable_ipv6": values.get("ipv6", False),
        "attachable": values.get("attachable"),
        "check_duplicate": True,
    }
    if configs or values.get("ipamOptions") or values["ipamDriver"] != "default":
        arguments["ipam"] = {
            "Driver": values["ipamDriver"],
            "Config": configs,
            "Options": values.get("ipamOptions"),
        }
    return arguments


def network_values(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's inspection in the form of the inputs."""
    keys = {
        "Subnet": "subnet",
        "Gateway": "gateway",
        "IPRange": "ipRange",
        "AuxiliaryAddresses": "auxAddress",
    }
    ipam = info.get("IPAM") or {}
    return {
        "name": info["Name"],
        "driver": info["Driver"],
        "options": info.get("Options") or {},
        "internal": info.get("Internal", False),
        "attachable": info.get("Attachable", False),
        "ipv6": info.get("EnableIPv6", False),
        "labels": label_list(info.get("Labels")),
        "ipamDriver": ipam.get("Driver") or "default",
        "ipamOptions": ipam.get("Options") or {},
        "ipamConfigs": [
            {keys[key]: value for key, value in config.items() if key in keys and value}
            for config in ipam.get("Config") or []
        ],
    }


def observed(inputs: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    """Return `inputs` with each one that the program set and that differs replaced by what is there."""
    result, there = dict(inputs), network_values(info)
    for name in given(inputs):
        wanted, found = wire.plain(inputs[name]), there.get(name)
        if isinstance(wanted, dict) and isinstance(found, dict):
            found = {key: value for key, value in found.items() if key in wanted}
        if name == "ipamConfigs" and isinstance(found, list) and len(found) == len(wanted):
            # The engine fills in gateways; compare what was asked for.
            found = [
                {key: value for key, value in item.items() if any(key in asked for asked in wanted)}
                for item in found
            ]
        if diff.compare({name: spec.NETWORK.inputs[name]}, {name: wanted}, {name: found}):
            result[name] = found
    return result


def _make(client: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    import docker.errors

    try:
        made = client.create_network(**create_arguments(values))
    except docker.errors.APIError as error:
        text = f"Unable to create network {values['name']}: {error.explanation}"
        if error.status_code == 409:
            text += f"; if an earlier run left it: docker network rm {values['name']}"
        raise Refused(text, error.status_code or 0) from error
    return dict(client.inspect_network(made["Id"]))
