"""Tables of a resource type's inputs: checking them, filling in defaults, printing the Pulumi schema."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.plugins.common import wire

_NAMES: Final = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "a boolean",
    "asset": "an asset or an archive",
    "archive": "an archive",
    "array": "a list",
    "map": "an object",
    "object": "an object",
}


@dataclass(frozen=True)
class Type:
    """The type of a value.

    `kind` is string, integer, number, boolean, any, asset (or an archive), archive, array, map or
    object. `items` is the type of an array's or map's elements, `fields` are an object's properties and
    `name` what the schema calls it. `unordered` says that an array is a set: another order is no change.
    `values` lists what a string may be, where that is limited.
    """

    kind: str
    items: Type | None = None
    fields: Mapping[str, Prop] = field(default_factory=dict)
    name: str = ""
    unordered: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prop:
    """One input property: its type, and what a change of it means.

    `replaces`: a change needs a new resource. `default`: the value when none is given. `secret`: the
    value is always kept as a secret. `computed`: the resource itself fills it in when it is not given.
    """

    type: Type
    required: bool = False
    replaces: bool = False
    default: Any = None
    secret: bool = False
    computed: bool = False


@dataclass(frozen=True)
class ResourceType:
    """A resource type: its token as `name`, its inputs, and the types of its further outputs.

    `optional` names the outputs that are not always there.
    """

    name: str
    inputs: Mapping[str, Prop]
    outputs: Mapping[str, Type]
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class FunctionType:
    """A function that programs may call: its token as `name`, its inputs and further outputs."""

    name: str
    inputs: Mapping[str, Prop]
    outputs: Mapping[str, Type]
    optional: tuple[str, ...] = ()


STRING: Final = Type("string")
INTEGER: Final = Type("integer")
NUMBER: Final = Type("number")
BOOLEAN: Final = Type("boolean")
ANY: Final = Type("any")
ASSET: Final = Type("asset")
ARCHIVE: Final = Type("archive")


def array(items: Type) -> Type:
    """Return the type of a list whose order matters."""
    return Type("array", items=items)


def set_of(items: Type) -> Type:
    """Return the type of a list whose order does not matter."""
    return Type("array", items=items, unordered=True)


def map_of(items: Type) -> Type:
    """Return the type of a dict with free keys."""
    return Type("map", items=items)


def record(name_: str, /, **fields: Prop) -> Type:
    """Return the type of a dict with the given fields."""
    return Type("object", fields=fields, name=name_)


def problems(props: Mapping[str, Prop], inputs: Mapping[str, Any], served_by: str) -> list[tuple[str, str]]:
    """Return (property path, reason) for each input that is unknown, missing or of a wrong type.

    `served_by` names the plugin in the message for an input that it does not serve.
    """
    return list(_record_problems(props, inputs, "", served_by))


def _record_problems(
    props: Mapping[str, Prop], values: Mapping[str, Any], path: str, served_by: str
) -> Iterator[tuple[str, str]]:
    for name in sorted(values):
        if name.startswith("__"):
            continue
        where = f"{path}.{name}" if path else name
        if name not in props:
            close = difflib.get_close_matches(name, props, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it serves: {', '.join(sorted(props))}"
            yield where, f"the input {where!r} is not served by {served_by}{hint}"
        else:
            yield from _value_problems(props[name].type, values[name], where, served_by)
    for name, prop in props.items():
        if prop.required and wire.plain(values.get(name)) is None:
            where = f"{path}.{name}" if path else name
            yield where, f"the input {where!r} is required and is missing"


def _value_problems(type_: Type, value: Any, path: str, served_by: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, wire.Secret):
        value = value.value
    if value is None or value is wire.UNKNOWN or type_.kind == "any":
        return
    fits = {
        "string": isinstance(value, str),
        "integer": isinstance(value, int | float) and not isinstance(value, bool) and value == int(value),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "asset": wire.is_asset(value) or wire.is_archive(value),
        "archive": wire.is_archive(value),
        "array": isinstance(value, list),
        "map": isinstance(value, dict),
        "object": isinstance(value, dict),
    }[type_.kind]
    if not fits:
        yield path, f"the input {path!r} must be {_NAMES[type_.kind]}, not a {_name_of(value)}"
    elif type_.values and value not in type_.values:
        yield path, f"the input {path!r} is {value!r}; allowed are {', '.join(type_.values)}"
    elif type_.kind == "array" and type_.items is not None:
        for index, item in enumerate(value):
            yield from _value_problems(type_.items, item, f"{path}[{index}]", served_by)
    elif type_.kind == "map" and type_.items is not None:
        for key in sorted(value):
            yield from _value_problems(type_.items, value[key], f"{path}.{key}", served_by)
    elif type_.kind == "object":
        yield from _record_problems(type_.fields, value, path, served_by)


def _name_of(value: Any) -> str:
    names = {bool: "boolean", str: "string", float: "number", int: "number", list: "list", dict: "object"}
    return names.get(type(value), type(value).__name__)


def typed(props: Mapping[str, Prop], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return checked inputs without secret wrappers, with nested defaults, and whole numbers as int."""
    result: dict[str, Any] = {}
    for name, prop in props.items():
        value = wire.plain(values.get(name))
        if value is None:
            value = prop.default
        if value is not None:
            result[name] = _typed_value(prop.type, value)
    return result


def _typed_value(type_: Type, value: Any) -> Any:
    if value is wire.UNKNOWN or value is None:
        return value
    if type_.kind == "integer":
        return int(value)
    if type_.kind == "array" and type_.items is not None:
        return [_typed_value(type_.items, item) for item in value if item is not None]
    if type_.kind == "map" and type_.items is not None:
        return {key: _typed_value(type_.items, item) for key, item in value.items() if key != "__defaults"}
    if type_.kind == "object":
        return typed(type_.fields, value)
    return value


def with_secrets(props: Mapping[str, Prop], values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` with each property that is declared secret wrapped as one."""
    result = dict(values)
    for name, prop in props.items():
        if prop.secret and result.get(name) is not None and not wire.is_secret(result[name]):
            result[name] = wire.Secret(result[name])
    return result


def package_schema(
    name: str,
    version: str,
    types: Mapping[str, ResourceType],
    functions: Mapping[str, FunctionType] | None = None,
) -> dict[str, Any]:
    """Return the Pulumi package schema of the resource types and functions that this plugin serves."""
    definitions: dict[str, Any] = {}
    resources: dict[str, Any] = {}
    for token, resource in types.items():
        inputs = {key: _prop_schema(prop, definitions) for key, prop in resource.inputs.items()}
        outputs = {key: _type_schema(item, definitions) for key, item in resource.outputs.items()}
        required = [key for key, prop in resource.inputs.items() if prop.required]
        resources[token] = {
            "inputProperties": inputs,
            "properties": {**inputs, **outputs},
            "requiredInputs": required,
            "required": required + sorted(set(resource.outputs) - set(resource.optional)),
        }
    served = {token: _function_schema(function, definitions) for token, function in (functions or {}).items()}
    document = {"name": name, "version": version, "resources": resources, "types": definitions}
    return {**document, "functions": served} if served else document


def _function_schema(function: FunctionType, definitions: dict[str, Any]) -> dict[str, Any]:
    inputs = {key: _prop_schema(prop, definitions) for key, prop in function.inputs.items()}
    outputs = {key: _type_schema(item, definitions) for key, item in function.outputs.items()}
    required = [key for key, prop in function.inputs.items() if prop.required]
    always = required + sorted(set(function.outputs) - set(function.optional))
    return {
        "inputs": {"type": "object", "properties": inputs, "required": required},
        "outputs": {"type": "object", "properties": {**inputs, **outputs}, "required": always},
    }


def _prop_schema(prop: Prop, definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _type_schema(prop.type, definitions)
    if prop.replaces:
        schema["replaceOnChanges"] = True
    if prop.secret:
        schema["secret"] = True
    if prop.default is not None and not isinstance(prop.default, list | dict):
        schema["default"] = prop.default
    return schema


def _type_schema(type_: Type, definitions: dict[str, Any]) -> dict[str, Any]:
    if type_.kind == "any":
        return {"$ref": "pulumi.json#/Any"}
    if type_.kind in ("asset", "archive"):
        return {"$ref": f"pulumi.json#/{type_.kind.capitalize()}"}
    if type_.kind == "array" and type_.items is not None:
        return {"type": "array", "items": _type_schema(type_.items, definitions)}
    if type_.kind == "map" and type_.items is not None:
        return {"type": "object", "additionalProperties": _type_schema(type_.items, definitions)}
    if type_.kind == "object":
        if type_.name not in definitions:
            definitions[type_.name] = {}
            definitions[type_.name] = {
                "type": "object",
                "properties": {key: _prop_schema(prop, definitions) for key, prop in type_.fields.items()},
                "required": [key for key, prop in type_.fields.items() if prop.required],
            }
        return {"$ref": f"#/types/{type_.name}"}
    schema: dict[str, Any] = {"type": type_.kind}
    if type_.values:
        schema["enum"] = list(type_.values)
    return schema
