"""A resource as the rules see it, and how it is read from the engine's message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

# The protocol's own marks, as every Pulumi SDK has them.
SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a mark, not a secret)
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class _Unknown:
    """The type of UNKNOWN, of which there is one instance."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in the state and hides in its output."""

    value: Any


@dataclass(frozen=True)
class Resource:
    """One resource that the program asks for: its type token, its name and its inputs.

    Inputs are None, bool, float, str, list, dict, `Secret` and `UNKNOWN` (a value that only the run brings).
    """

    type: str
    name: str
    inputs: Mapping[str, Any]


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return the properties of a request."""
    return {key: _value(value) for key, value in struct.fields.items()}


def _value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE_KEY in fields and fields[SIGNATURE_KEY].string_value == SECRET_SIGNATURE:
            return Secret(_value(fields["value"]))
        return {key: _value(item) for key, item in fields.items()}
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind is None or kind == "null_value":
        return None
    plain_value = getattr(value, kind)
    return UNKNOWN if plain_value == UNKNOWN_TEXT else plain_value


def plain(value: Any) -> Any:
    """Return `value` with every `Secret` replaced by what it holds."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def texts(value: Any) -> Iterator[str]:
    """Yield every text in `value`, secret or not."""
    value = plain(value)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def secret_texts(value: Any) -> Iterator[str]:
    """Yield every text in `value` that is secret, by itself or as part of something secret."""
    if isinstance(value, Secret):
        yield from texts(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from secret_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from secret_texts(item)
