"""Pulumi property values on the wire (protobuf Struct) as plain Python values, and back.

Values are None, bool, float, str, list and dict, plus two marks: `Secret(value)` and `UNKNOWN`
(a value that a preview cannot know yet). Assets stay the dicts that they are on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
ASSET_SIGNATURE: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the protocol's constant
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


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return the properties of a request. Secrets are wrapped in `Secret`, unknowns are `UNKNOWN`."""
    return {key: _decode_value(value) for key, value in struct.fields.items()}


def _decode_value(value: struct_pb2.Value) -> Any:  # noqa: PLR0911 - one return per kind of value
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text == UNKNOWN_TEXT else text
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE_KEY in fields and fields[SIGNATURE_KEY].string_value == SECRET_SIGNATURE:
            inner = _decode_value(fields["value"])
            return inner if isinstance(inner, Secret) else Secret(inner)
        return {key: _decode_value(item) for key, item in fields.items()}
    if kind == "list_value":
        return [_decode_value(item) for item in value.list_value.values]
    if kind == "number_value":
        return value.number_value
    if kind == "bool_value":
        return value.bool_value
    return None


def encode(properties: dict[str, Any]) -> struct_pb2.Struct:
    """Return the wire form of `properties`. Entries that are None are left out."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        if value is not None:
            _encode_value(struct.fields[key], value)
    return struct


def _encode_value(target: struct_pb2.Value, value: Any) -> None:  # noqa: PLR0912 - one branch per kind
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, _Unknown):
        target.string_value = UNKNOWN_TEXT
    elif isinstance(value, Secret):
        fields = target.struct_value.fields
        fields[SIGNATURE_KEY].string_value = SECRET_SIGNATURE
        _encode_value(fields["value"], value.value)
    elif isinstance(value, dict):
        fields = target.struct_value.fields
        for key, item in value.items():
            if item is not None:
                _encode_value(fields[key], item)
        if not value:
            target.struct_value.SetInParent()
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _encode_value(target.list_value.values.add(), item)
    else:
        raise TypeError(f"no wire form for a {type(value).__name__}")


def plain(value: Any) -> Any:
    """Return `value` with every `Secret` replaced by what it holds."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def is_asset(value: Any) -> bool:
    """Return whether `value`, without a secret's wrapper, is an asset: a file or a text."""
    return isinstance(value, dict) and value.get(SIGNATURE_KEY) == ASSET_SIGNATURE


def is_archive(value: Any) -> bool:
    """Return whether `value`, without a secret's wrapper, is an archive: a folder, a packed file, assets."""
    return isinstance(value, dict) and value.get(SIGNATURE_KEY) == ARCHIVE_SIGNATURE


def is_secret(value: Any) -> bool:
    """Return whether `value` is a secret as a whole."""
    return isinstance(value, Secret)


def has_unknown(value: Any) -> bool:
    """Return whether `value` or anything in it is not known yet."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return False
