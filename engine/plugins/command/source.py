"""What CopyToRemote copies: the `source` input, read as a list of folders and files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.plugins.common import wire
from engine.plugins.common.errors import PluginError


@dataclass(frozen=True)
class Entry:
    """A file or folder below the target: `path` is relative to it and empty for the target itself.

    `content` is a file to read, the text itself, or None for a folder.
    """

    path: str
    content: Path | bytes | None


@dataclass(frozen=True)
class Source:
    """A source: its kind, the name it has in an existing folder (empty: it has none), its entries."""

    kind: Literal["file", "text", "folder", "assets"]
    name: str
    entries: tuple[Entry, ...]


def problem(source: Any) -> str | None:
    """Return why CopyToRemote cannot take `source` (not secret, known in parts), None if it can."""
    if not isinstance(source, Mapping):
        return None
    if source.get("uri"):
        return (
            f"the input 'source' is the address {source['uri']!r}; "
            "download it first and give the file, as FileAsset or FileArchive"
        )
    assets = source.get("assets")
    for name, item in (assets or {}).items() if isinstance(assets, Mapping) else ():
        why = problem(wire.plain(item))
        if why is not None:
            return f"{why} (in the archive's entry {name!r})"
    return None


def fingerprint(source: Any) -> Any:
    """Return what tells two contents apart: the engine's hash, else the whole value."""
    return source.get("hash") or source if isinstance(source, Mapping) else source


def read(source: Mapping[str, Any]) -> Source:
    """Return the source with all its entries. Raises PluginError for what cannot be read."""
    if source.get("assets") is not None:
        return Source("assets", "", tuple(_assets(source["assets"], "")))
    path = source.get("path")
    if not path:
        return Source("text", "", (Entry("", str(source.get("text") or "").encode()),))
    local = Path(path)
    if not stat.S_ISDIR(_mode(local)):
        return Source("file", local.name, (Entry("", local),))
    # As with rsync: a slash at the end means what is in the folder, not the folder.
    name = "" if str(path).endswith("/") else os.path.basename(os.path.abspath(local))
    return Source("folder", name, tuple(_folder(local, "")))


def _assets(assets: Mapping[str, Any], above: str) -> Iterator[Entry]:
    for name in sorted(assets):
        path = _join(above, name)
        if name.startswith("/") or ".." in name.split("/"):
            raise PluginError(f"the archive's entry {name!r} leads out of the archive; give a relative path")
        inner = read(assets[name])
        if inner.kind == "file" and wire.is_archive(assets[name]):
            raise PluginError(
                f"the archive's entry {path!r} is a packed archive, which is not unpacked; "
                "give it as FileAsset to copy it as it is"
            )
        for entry in inner.entries:
            yield Entry(_join(path, entry.path), entry.content)


def _folder(folder: Path, above: str) -> Iterator[Entry]:
    yield Entry(above, None)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise _unreadable(folder, error) from error
    for name in names:
        local = folder / name
        if stat.S_ISDIR(_mode(local)):
            if local.is_symlink():
                raise PluginError(f"cannot copy {local}: it is a link to a folder; copy that folder instead")
            yield from _folder(local, _join(above, name))
        else:
            yield Entry(_join(above, name), local)


def _mode(local: Path) -> int:
    try:
        mode = local.stat().st_mode
    except OSError as error:
        raise _unreadable(local, error) from error
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise PluginError(f"cannot copy {local}: it is neither a file nor a folder")
    return mode


def _unreadable(local: Path, error: OSError) -> PluginError:
    return PluginError(f"cannot read {local}, which is to be copied: {error.strerror}")


def _join(above: str, name: str) -> str:
    return f"{above}/{name}" if above and name else above or name
