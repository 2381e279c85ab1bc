"""Checking inputs, filling in defaults, and the schema document."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pulumi_command.local
import pulumi_command.remote
import pulumi_docker
import pytest

from engine.plugins.command import spec as command
from engine.plugins.common import schema, wire
from engine.plugins.docker import spec as docker

PROPS = {
    "name": schema.Prop(schema.STRING, required=True),
    "size": schema.Prop(schema.INTEGER, default=64),
    "loud": schema.Prop(schema.BOOLEAN),
    "mode": schema.Prop(schema.Type("string", values=("a", "b"))),
    "tags": schema.Prop(schema.set_of(schema.STRING)),
    "env": schema.Prop(schema.map_of(schema.STRING)),
    "peer": schema.Prop(
        schema.record(
            "t:Peer",
            host=schema.Prop(schema.STRING, required=True),
            port=schema.Prop(schema.NUMBER, default=22),
        )
    ),
}


@pytest.mark.parametrize(
    "inputs",
    [
        {"name": "x"},
        {"name": wire.UNKNOWN, "size": 5.0, "loud": False, "mode": "a", "tags": ["t"], "env": {"A": "b"}},
        {"name": wire.Secret("x"), "peer": wire.Secret({"host": "h", "port": 2222.0}), "size": None},
        {"name": "x", "__defaults": ["size"], "__internal": {}},
    ],
)
def test_inputs_that_fit(inputs: dict[str, Any]) -> None:
    assert schema.problems(PROPS, inputs, "the plugin") == []


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({}, "name", "the input 'name' is required and is missing"),
        (
            {"name": "x", "sise": 1.0},
            "sise",
            "the input 'sise' is not served by the plugin; did you mean 'size'?",
        ),
        (
            {"name": "x", "zzz": 1.0},
            "zzz",
            "the input 'zzz' is not served by the plugin; it serves: env, loud, mode, name, peer, size, tags",
        ),
        ({"name": 5.0}, "name", "the input 'name' must be a string, not a number"),
        ({"name": "x", "size": 1.5}, "size", "the input 'size' must be a whole number, not a number"),
        ({"name": "x", "size": True}, "size", "the input 'size' must be a whole number, not a boolean"),
        ({"name": "x", "loud": "yes"}, "loud", "the input 'loud' must be a boolean, not a string"),
        ({"name": "x", "mode": "c"}, "mode", "the input 'mode' is 'c'; allowed are a, b"),
        ({"name": "x", "tags": "t"}, "tags", "the input 'tags' must be a list, not a string"),
        ({"name": "x", "tags": ["t", 1.0]}, "tags[1]", "the input 'tags[1]' must be a string, not a number"),
        ({"name": "x", "env": {"A": 1.0}}, "env.A", "the input 'env.A' must be a string, not a number"),
        ({"name": "x", "peer": {}}, "peer.host", "the input 'peer.host' is required and is missing"),
        (
            {"name": "x", "peer": wire.Secret({"host": "h", "prot": 1.0})},
            "peer.prot",
            "the input 'peer.prot' is not served by the plugin; did you mean 'port'?",
        ),
    ],
)
def test_inputs_that_do_not_fit(inputs: dict[str, Any], path: str, reason: str) -> None:
    assert schema.problems(PROPS, inputs, "the plugin") == [(path, reason)]


def test_typed_opens_secrets_makes_integers_and_fills_in_nested_defaults() -> None:
    inputs = {"name": wire.Secret("x"), "peer": {"host": "h"}, "env": {"A": "b", "__defaults": []}}
    assert schema.typed(PROPS, inputs) == {
        "name": "x",
        "size": 64,
        "peer": {"host": "h", "port": 22},
        "env": {"A": "b"},
    }
    assert isinstance(schema.typed(PROPS, {"name": "x", "size": 5.0})["size"], int)


def test_declared_secrets_are_wrapped_once() -> None:
    props = {"a": schema.Prop(schema.STRING, secret=True), "b": schema.Prop(schema.STRING)}
    assert schema.with_secrets(props, {"a": "x", "b": "y"}) == {"a": wire.Secret("x"), "b": "y"}
    assert schema.with_secrets(props, {"a": wire.Secret("x")}) == {"a": wire.Secret("x")}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _sdk_inputs(arguments: type) -> set[str]:
    return {_camel(name) for name in inspect.signature(arguments.__init__).parameters if name != "__self__"}


# What the official SDK offers and the drop-ins refuse by name.
NOT_SERVED = {
    "command:remote:Command": set(),
    "command:remote:CopyToRemote": set(),
    "command:local:Command": set(),
    "docker:index/container:Container": set(),
    "docker:index/network:Network": {"ingress"},
    "docker:index/volume:Volume": {"cluster"},
    "docker:index/remoteImage:RemoteImage": {"build"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "arguments"),
    [
        (command.REMOTE, pulumi_command.remote.CommandArgs),
        (command.COPY, pulumi_command.remote.CopyToRemoteArgs),
        (command.LOCAL, pulumi_command.local.CommandArgs),
        (docker.CONTAINER, pulumi_docker.ContainerArgs),
        (docker.NETWORK, pulumi_docker.NetworkArgs),
        (docker.VOLUME, pulumi_docker.VolumeArgs),
        (docker.REMOTE_IMAGE, pulumi_docker.RemoteImageArgs),
    ],
)
def test_inputs_have_the_official_names(resource: schema.ResourceType, arguments: type) -> None:
    assert set(resource.inputs) == _sdk_inputs(arguments) - NOT_SERVED[resource.name]


@pytest.mark.parametrize(
    ("type_", "arguments"),
    [
        (command.CONNECTION, pulumi_command.remote.ConnectionArgs),
        (command.CONNECTION.fields["proxy"].type, pulumi_command.remote.ProxyConnectionArgs),
        (docker.CONTAINER.inputs["capabilities"].type, pulumi_docker.ContainerCapabilitiesArgs),
        (docker.CONTAINER.inputs["healthcheck"].type, pulumi_docker.ContainerHealthcheckArgs),
        (docker.CONTAINER.inputs["devices"].type.items, pulumi_docker.ContainerDeviceArgs),
        (docker.CONTAINER.inputs["ports"].type.items, pulumi_docker.ContainerPortArgs),
        (docker.CONTAINER.inputs["ulimits"].type.items, pulumi_docker.ContainerUlimitArgs),
        (docker.CONTAINER.inputs["mounts"].type.items, pulumi_docker.ContainerMountArgs),
        (docker.NETWORK.inputs["ipamConfigs"].type.items, pulumi_docker.NetworkIpamConfigArgs),
    ],
)
def test_nested_inputs_have_the_official_names(type_: schema.Type, arguments: type) -> None:
    assert set(type_.fields) == _sdk_inputs(arguments)


def test_the_schema_document_names_types_and_required_inputs() -> None:
    document = schema.package_schema("command", "1.2.1", {"command:remote:Command": command.REMOTE})
    resource = document["resources"]["command:remote:Command"]
    assert resource["requiredInputs"] == ["connection"]
    assert resource["inputProperties"]["triggers"] == {
        "type": "array",
        "items": {"$ref": "pulumi.json#/Any"},
        "replaceOnChanges": True,
    }
    assert resource["inputProperties"]["connection"]["$ref"] == "#/types/command:remote:Connection"
    assert document["types"]["command:remote:Connection"]["required"] == ["host"]
    assert json.loads(json.dumps(document)) == document
