"""Names and recorded defaults: what the official plugin adds to the inputs when it checks them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from engine.plugins.common import schema, wire
from engine.plugins.common.resource import Call

_SUFFIX_DIGITS = 7


def with_defaults(
    props: Mapping[str, schema.Prop],
    call: Call,
    olds: Mapping[str, Any],
    news: dict[str, Any],
    *,
    named: bool,
) -> dict[str, Any]:
    """Return `news` with defaults filled in, and the list of those under `__defaults`.

    If `named` and no name is given, the resource's name gets a random suffix, once: the name that was
    generated earlier is kept.
    """
    result = {name: value for name, value in news.items() if value is not None and name != "__defaults"}
    added = []
    for name, prop in props.items():
        if name not in result and prop.default is not None:
            result[name] = prop.default
            added.append(name)
    if named and "name" not in result:
        recorded = wire.plain(olds.get("__defaults")) or []
        if "name" in recorded and olds.get("name"):
            result["name"] = olds["name"]
        else:
            digits = hashlib.sha256(call.seed).hexdigest() if call.seed else secrets.token_hex(8)
            result["name"] = f"{call.name}-{digits[:_SUFFIX_DIGITS]}"
        added.append("name")
    result["__defaults"] = sorted(added)
    return result


def given(inputs: Mapping[str, Any]) -> set[str]:
    """Return the names of the inputs that the program itself gave."""
    added = set(wire.plain(inputs.get("__defaults")) or [])
    return {name for name in inputs if not name.startswith("__") and name not in added}


def label_map(labels: list[dict[str, str]] | None) -> dict[str, str]:
    """Return the labels as the engine has them.

    >>> label_map([{"label": "a", "value": "1"}])
    {'a': '1'}
    """
    return {item["label"]: item["value"] for item in labels or []}


def label_list(labels: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return the engine's labels as inputs, sorted.

    >>> label_list({"b": "2", "a": "1"})
    [{'label': 'a', 'value': '1'}, {'label': 'b', 'value': '2'}]
    """
    return [{"label": key, "value": value} for key, value in sorted((labels or {}).items())]
