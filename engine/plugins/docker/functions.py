"""The functions that a program may call: looking up a network or an image that the engine has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.plugins.common.errors import PluginError
from engine.plugins.common.schema import (
    BOOLEAN,
    STRING,
    FunctionType,
    Prop,
    array,
    map_of,
    record,
)
from engine.plugins.docker import images
from engine.plugins.docker.host import Host, Refused
from engine.plugins.docker.network import network_values
from engine.plugins.docker.remote_image import computed

GET_NETWORK: Final = FunctionType(
    name="docker:index/getNetwork:getNetwork",
    inputs={"name": Prop(STRING, required=True)},
    outputs={
        "id": STRING,
        "driver": STRING,
        "internal": BOOLEAN,
        "scope": STRING,
        "options": map_of(STRING),
        "ipamConfigs": array(
            record(
                "docker:index/getNetworkIpamConfig:getNetworkIpamConfig",
                subnet=Prop(STRING),
                gateway=Prop(STRING),
                ipRange=Prop(STRING),
                auxAddress=Prop(map_of(STRING)),
            )
        ),
        "containers": array(
            record(
                "docker:index/getNetworkContainer:getNetworkContainer",
                containerId=Prop(STRING),
                name=Prop(STRING),
                endpointId=Prop(STRING),
                macAddress=Prop(STRING),
                ipv4Address=Prop(STRING),
                ipv6Address=Prop(STRING),
            )
        ),
    },
)
GET_REMOTE_IMAGE: Final = FunctionType(
    name="docker:index/getRemoteImage:getRemoteImage",
    inputs={"name": Prop(STRING, required=True)},
    outputs={"id": STRING, "repoDigest": STRING},
)
FUNCTIONS: Final = {function.name: function for function in (GET_NETWORK, GET_REMOTE_IMAGE)}


async def call(host: Host, token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a function of FUNCTIONS. Raises PluginError when the engine does not have what is asked for."""
    name = args["name"]
    if token == GET_NETWORK.name:
        try:
            return found_network(await host.call(lambda client, stop: client.inspect_network(name)))
        except Refused as error:
            if error.status == 404:
                raise PluginError(f"the engine at {host.name} has no network {name!r}") from error
            raise
    info = await images.inspect(host, name)
    if info is None:
        raise PluginError(f"the engine at {host.name} has no image {name!r}; a RemoteImage pulls one")
    return {"name": name, "id": info["Id"], "repoDigest": computed(info, name)["repoDigest"]}


def found_network(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's inspection as the function's answer."""
    values = network_values(info)
    kept = ("name", "driver", "internal", "options", "ipamConfigs")
    return {
        **{name: values[name] for name in kept},
        "id": info["Id"],
        "scope": info["Scope"],
        "containers": [
            {
                "containerId": id_,
                "name": item["Name"],
                "endpointId": item["EndpointID"],
                "macAddress": item["MacAddress"],
                "ipv4Address": item["IPv4Address"],
                "ipv6Address": item["IPv6Address"],
            }
            for id_, item in sorted((info.get("Containers") or {}).items())
        ],
    }
