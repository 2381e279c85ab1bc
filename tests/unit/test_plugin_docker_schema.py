"""The docker plugin's inputs and outputs against the official SDK: same names and types at every depth."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from enum import Enum
from typing import Any

import pulumi_docker
import pytest

from engine.plugins.common import schema
from engine.plugins.docker import functions, settings, spec

_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}
# What the official SDK offers and the drop-in refuses by name.
NOT_SERVED = {
    # The engine's API has it since 1.48; docker-py speaks 1.45.
    "docker:index/container:Container": {"networksAdvanced[].gwPriority"},
    "docker:index/network:Network": {"ingress"},
    "docker:index/volume:Volume": {"cluster"},
    "docker:index/remoteImage:RemoteImage": {"build"},
    "docker:index/image:Image": set(),
}
# Written by the check of the inputs, officially too; no program gives it.
ADDED = {"docker:index/dockerBuild:DockerBuild": {"contextDigest"}}
RESOURCES = [
    (spec.CONTAINER, pulumi_docker.ContainerArgs, pulumi_docker.Container),
    (spec.NETWORK, pulumi_docker.NetworkArgs, pulumi_docker.Network),
    (spec.VOLUME, pulumi_docker.VolumeArgs, pulumi_docker.Volume),
    (spec.REMOTE_IMAGE, pulumi_docker.RemoteImageArgs, pulumi_docker.RemoteImage),
    (spec.IMAGE, pulumi_docker.ImageArgs, pulumi_docker.Image),
]


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def bare(annotation: Any) -> Any:
    """Return what is left of an input's annotation without Input, Optional and Awaitable."""
    while typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kept = [
            item
            for item in typing.get_args(annotation)
            if item is not type(None)
            and typing.get_origin(item) is not collections.abc.Awaitable
            and item != typing.ForwardRef("Output[T]")
        ]
        assert len(kept) == 1, annotation
        annotation = kept[0]
    return annotation


def parameters(arguments: type) -> dict[str, inspect.Parameter]:
    found = inspect.signature(arguments.__init__).parameters  # type: ignore[misc]
    return {camel(name): item for name, item in found.items() if name != "__self__"}


def differences(type_: schema.Type, annotation: Any, path: str) -> list[str]:
    """Return where a served type is not the SDK's."""
    annotation = bare(annotation)
    if isinstance(annotation, typing.ForwardRef):
        annotation = getattr(pulumi_docker, annotation.__forward_arg__.removeprefix("outputs."))
    origin = typing.get_origin(annotation)
    if origin is collections.abc.Sequence:
        kind, inner = "array", typing.get_args(annotation)[0]
    elif origin is collections.abc.Mapping:
        kind, inner = "map", typing.get_args(annotation)[1]
    elif annotation in _KINDS:
        kind, inner = _KINDS[annotation], None
    elif issubclass(annotation, Enum):
        values = tuple(str(item.value) for item in annotation)
        return [] if type_.values == values else [f"{path}: {type_.values}, officially {values}"]
    else:
        kind, inner = "object", None
    if type_.kind != kind:
        return [f"{path}: {type_.kind}, officially {kind}"]
    if kind == "object":
        return record_differences(type_.fields, annotation, path, ADDED.get(type_.name, set()))
    return differences(type_.items, inner, f"{path}[]") if inner and type_.items else []


def record_differences(
    props: typing.Mapping[str, schema.Prop], arguments: type, path: str, added: set[str]
) -> list[str]:
    official = parameters(arguments)
    found = [f"{path}.{name}: not official" for name in sorted(set(props) - set(official) - added)]
    found += [f"{path}.{name}: missing" for name in sorted(set(official) - set(props))]
    for name, parameter in official.items():
        if name in props:
            found += differences(props[name].type, parameter.annotation, f"{path}.{name}")
            if props[name].required != (parameter.default is inspect.Parameter.empty):
                found.append(f"{path}.{name}: required {props[name].required}")
    return found


@pytest.mark.parametrize(("resource", "arguments", "official"), RESOURCES)
def test_inputs_are_the_official_ones(resource: schema.ResourceType, arguments: type, official: type) -> None:
    found = record_differences(resource.inputs, arguments, resource.name, set())
    assert found == [f"{resource.name}.{name}: missing" for name in sorted(NOT_SERVED[resource.name])]


def test_a_difference_would_be_seen() -> None:
    inputs = {
        **spec.VOLUME.inputs,
        "driver": schema.Prop(schema.INTEGER),
        "drivr": schema.Prop(schema.STRING),
    }
    found = record_differences(inputs, pulumi_docker.VolumeArgs, "v", set())
    assert found == ["v.drivr: not official", "v.cluster: missing", "v.driver: integer, officially string"]


@pytest.mark.parametrize(("resource", "arguments", "official"), RESOURCES)
def test_outputs_are_the_official_ones(
    resource: schema.ResourceType, arguments: type, official: type
) -> None:
    outputs = {
        camel(name): value.fget.__annotations__["return"]
        for name, value in vars(official).items()
        if isinstance(value, property)
    }
    further = set(outputs) - set(parameters(arguments))
    assert set(resource.outputs) == further
    for name in further:
        (annotation,) = typing.get_args(outputs[name])
        if typing.get_origin(annotation) is collections.abc.Sequence:
            # The SDK's output classes have other constructors than the input ones; names are enough here.
            (item,) = typing.get_args(annotation)
            items = resource.outputs[name].items
            assert items is not None
            result = getattr(pulumi_docker.outputs, item.__forward_arg__.removeprefix("outputs."))
            assert set(items.fields) == set(parameters(result))
        else:
            assert differences(resource.outputs[name], annotation, name) == []


@pytest.mark.parametrize(
    ("function", "official"),
    [
        (functions.GET_NETWORK, pulumi_docker.GetNetworkResult),
        (functions.GET_REMOTE_IMAGE, pulumi_docker.GetRemoteImageResult),
    ],
)
def test_functions_are_the_official_ones(function: schema.FunctionType, official: type) -> None:
    assert {*function.inputs, *function.outputs} == set(parameters(official))


def test_every_setting_of_the_official_provider_is_served_or_refused_by_name() -> None:
    official = set(parameters(pulumi_docker.ProviderArgs))
    refused = {name for name, _ in settings.problems({name: "x" for name in official})}
    served = {"host", "sshOpts", "certPath", "registryAuth", "disableDockerDaemonCheck"}
    assert official - served == {"context", "caMaterial", "certMaterial", "keyMaterial"}
    assert official - served <= refused
    fields = set(parameters(pulumi_docker.ProviderRegistryAuthArgs))
    assert settings.problems({"registryAuth": [{name: "x" for name in fields}]}) == []
