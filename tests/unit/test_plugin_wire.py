"""Property values to the wire and back."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plugins.common import wire


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"text": "ä ✓", "number": 1.5, "whole": 22.0, "yes": True, "no": False},
        {"list": [1.0, "a", None, [True]], "empty list": [], "empty dict": {}},
        {"secret": wire.Secret("hidden"), "nested": {"key": wire.Secret({"a": ["b"]})}},
        {"unknown": wire.UNKNOWN, "in a list": [wire.UNKNOWN], "secret unknown": wire.Secret(wire.UNKNOWN)},
    ],
)
def test_round_trip(properties: dict[str, Any]) -> None:
    assert wire.decode(wire.encode(properties)) == properties


def test_none_is_left_out() -> None:
    assert wire.decode(wire.encode({"a": None, "b": {"c": None, "d": 1.0}})) == {"b": {"d": 1.0}}


def test_a_secret_in_a_secret_is_one_secret() -> None:
    assert wire.decode(wire.encode({"a": wire.Secret(wire.Secret("x"))})) == {"a": wire.Secret("x")}


def test_a_secret_shows_the_protocols_signature_on_the_wire() -> None:
    fields = wire.encode({"a": wire.Secret("x")}).fields["a"].struct_value.fields
    assert fields["4dabf18193072939515e22adb298388d"].string_value == "1b47061264138c4ac30d75fd1eb44270"
    assert fields["value"].string_value == "x"


def test_plain_opens_all_secrets() -> None:
    value = wire.Secret({"a": [wire.Secret("x"), 1.0]})
    assert wire.plain(value) == {"a": ["x", 1.0]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", False),
        ({"a": ["x", 1.0, None]}, False),
        (wire.UNKNOWN, True),
        ({"a": [wire.Secret({"b": wire.UNKNOWN})]}, True),
    ],
)
def test_has_unknown(value: Any, expected: bool) -> None:
    assert wire.has_unknown(value) is expected


def test_what_has_no_wire_form_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no wire form for a object"):
        wire.encode({"a": object()})
