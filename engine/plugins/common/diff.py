"""What differs between recorded and wanted inputs, as property paths that the engine understands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.plugins.common import schema, wire

_SIMPLE_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")


@dataclass(frozen=True)
class Change:
    """One difference: `kind` is add, delete or update; `replaces` says that a new resource is needed."""

    path: str
    kind: str
    replaces: bool = False


def compare(props: Mapping[str, schema.Prop], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Return the changes from `old` to `new` inputs, leaf by leaf, sorted by path.

    Secretness is not compared, names that begin with `__` are skipped, an absent value equals None,
    and the order of a set-like list does not count. An unknown value always counts as a change.
    """
    changes: list[Change] = []
    for name in sorted({*old, *new}):
        if name.startswith("__"):
            continue
        prop = props.get(name)
        type_ = prop.type if prop else schema.ANY
        found: list[tuple[str, str]] = []
        _walk(type_, wire.plain(old.get(name)), wire.plain(new.get(name)), name, found)
        replaces = bool(prop and prop.replaces)
        changes += [Change(path, kind, replaces) for path, kind in found]
    return changes


def _walk(type_: schema.Type, old: Any, new: Any, path: str, found: list[tuple[str, str]]) -> None:
    if old is None and new is None:
        return
    if old is None:
        found.append((path, "add"))
    elif new is None:
        found.append((path, "delete"))
    elif wire.is_asset(old) or wire.is_archive(old):
        if _fingerprint(old) != _fingerprint(new):
            found.append((path, "update"))
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if key.startswith("__"):
                continue
            inner = type_.fields[key].type if key in type_.fields else type_.items or schema.ANY
            _walk(inner, old.get(key), new.get(key), join(path, key), found)
    elif isinstance(old, list) and isinstance(new, list):
        _walk_list(type_, old, new, path, found)
    elif new is wire.UNKNOWN or old != new:
        found.append((path, "update"))


def _walk_list(
    type_: schema.Type, old: list[Any], new: list[Any], path: str, found: list[tuple[str, str]]
) -> None:
    items = type_.items or schema.ANY
    if not type_.unordered:
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            _walk(items, before, after, f"{path}[{index}]", found)
        return
    gone, fresh = _unmatched(items, old, new)
    for index in sorted({*gone, *fresh}):
        kind = "update" if index in gone and index in fresh else "delete" if index in gone else "add"
        found.append((f"{path}[{index}]", kind))


def _unmatched(items: schema.Type, old: list[Any], new: list[Any]) -> tuple[set[int], set[int]]:
    fresh = set(range(len(new)))
    gone: set[int] = set()
    for index, before in enumerate(old):
        match = next((at for at in sorted(fresh) if not _differs(items, before, new[at])), None)
        if match is None:
            gone.add(index)
        else:
            fresh.discard(match)
    return gone, fresh


def _differs(items: schema.Type, old: Any, new: Any) -> bool:
    found: list[tuple[str, str]] = []
    _walk(items, old, new, "", found)
    return bool(found)


def _fingerprint(asset: Any) -> Any:
    """Return what counts of an asset: its content, which the engine has hashed, not where it lies."""
    if not isinstance(asset, dict) or not asset.get("hash"):
        return asset
    return asset.get(wire.SIGNATURE_KEY), asset["hash"]


def join(path: str, key: str) -> str:
    """Return the property path of `key` inside `path`, quoted where the key is not a plain name."""
    if _SIMPLE_KEY.match(key):
        return f"{path}.{key}" if path else key
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{escaped}"]'
