"""What counts as a change, and under which path."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plugins.common import diff, schema, wire

PROPS = {
    "stdin": schema.Prop(schema.STRING),
    "triggers": schema.Prop(schema.array(schema.ANY), replaces=True),
    "envs": schema.Prop(schema.set_of(schema.STRING), replaces=True),
    "opts": schema.Prop(schema.map_of(schema.STRING)),
    "connection": schema.Prop(schema.record("t:C", host=schema.Prop(schema.STRING)), secret=True),
    "mounts": schema.Prop(schema.set_of(schema.record("t:M", target=schema.Prop(schema.STRING)))),
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {}),
        ({"stdin": "a"}, {"stdin": "a"}),
        ({"stdin": "a"}, {"stdin": wire.Secret("a")}),
        ({"stdin": None}, {}),
        ({"envs": ["A=1", "B=2"]}, {"envs": ["B=2", "A=1"]}),
        (
            {"mounts": [{"target": "/a"}, {"target": "/b", "__defaults": []}]},
            {"mounts": [{"target": "/b"}, {"target": "/a"}]},
        ),
        ({"__defaults": ["a"]}, {"__defaults": ["b"]}),
        ({"connection": wire.Secret({"host": "h"})}, {"connection": {"host": "h"}}),
    ],
)
def test_no_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert diff.compare(PROPS, old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"stdin": "a"}, {"stdin": "b"}, [("stdin", "update", False)]),
        ({}, {"stdin": "b"}, [("stdin", "add", False)]),
        ({"stdin": "a"}, {}, [("stdin", "delete", False)]),
        ({"stdin": "a"}, {"stdin": wire.UNKNOWN}, [("stdin", "update", False)]),
        ({"triggers": ["a", 1.0]}, {"triggers": ["a", 2.0]}, [("triggers[1]", "update", True)]),
        ({"triggers": ["a"]}, {"triggers": ["a", {"b": 1.0}]}, [("triggers[1]", "add", True)]),
        ({"triggers": [{"a": 1.0}]}, {"triggers": [{"a": 2.0}]}, [("triggers[0].a", "update", True)]),
        (
            {"envs": ["A=1", "B=2"]},
            {"envs": ["B=3", "A=1"]},
            [("envs[0]", "add", True), ("envs[1]", "delete", True)],
        ),
        ({"envs": ["A=1", "B=2"]}, {"envs": ["A=1", "B=3"]}, [("envs[1]", "update", True)]),
        ({"opts": {"max-size": "1"}}, {"opts": {"max-size": "2"}}, [('opts["max-size"]', "update", False)]),
        (
            {"connection": wire.Secret({"host": "a"})},
            {"connection": wire.Secret({"host": "b"})},
            [("connection.host", "update", False)],
        ),
    ],
)
def test_changes(old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, str, bool]]) -> None:
    assert [(item.path, item.kind, item.replaces) for item in diff.compare(PROPS, old, new)] == expected


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ("", "a", "a"),
        ("a", "b1", "a.b1"),
        ("a", "b-c", 'a["b-c"]'),
        ("a", "x.y", 'a["x.y"]'),
        ("a", 'q"\\', 'a["q\\"\\\\"]'),
    ],
)
def test_paths(path: str, key: str, expected: str) -> None:
    assert diff.join(path, key) == expected
