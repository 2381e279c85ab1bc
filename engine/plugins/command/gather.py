"""The files that a local command leaves behind, as assets and as an archive (assetPaths, archivePaths)."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.plugins.command import globs
from engine.plugins.common import wire
from engine.plugins.common.errors import PluginError

_BLOCK = 512
_PIECE = 1 << 20
# Where a tar header has its checksum and both device numbers.
_CHECKSUM = slice(148, 156)
_DEVICES = slice(329, 345)


def gather(values: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs `assets` and `archive` that the checked inputs ask for. Raises PluginError."""
    root = Path(values.get("dir") or ".").absolute()
    found: dict[str, Any] = {}
    if values.get("assetPaths") is not None:
        found["assets"] = _assets(root, values["assetPaths"], "assetPaths")
    if values.get("archivePaths") is not None:
        assets = _assets(root, values["archivePaths"], "archivePaths")
        found["archive"] = {
            wire.SIGNATURE_KEY: wire.ARCHIVE_SIGNATURE,
            "hash": _archive_hash({name: root / name for name in assets}),
            "assets": assets,
        }
    return found


def restored(values: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs `assets` and `archive` of `state` with the paths that the engine left out.

    To a read or an update it sends assets as their hashes only. An archive whose files are other ones by
    now stays as it was sent.
    """
    root = Path(values.get("dir") or ".").absolute()
    found = {name: state[name] for name in ("assets", "archive") if state.get(name) is not None}
    if isinstance(found.get("assets"), dict):
        found["assets"] = {
            name: {**asset, "path": str(root / name)} if wire.is_asset(asset) else asset
            for name, asset in found["assets"].items()
        }
    archive: dict[str, Any] = found.get("archive") or {}
    if wire.is_archive(archive) and "assets" not in archive and values.get("archivePaths") is not None:
        try:
            now = gather({"dir": values.get("dir"), "archivePaths": values["archivePaths"]})["archive"]
        except PluginError:
            return found
        if now["hash"] == archive.get("hash"):
            found["archive"] = now
    return found


def _assets(root: Path, patterns: Sequence[str], name: str) -> dict[str, Any]:
    try:
        chosen = globs.select(_files(root), patterns)
    except globs.BadPattern as error:
        raise PluginError(f"the input {name!r}: {error}") from error
    return {path: _asset(root / path) for path in chosen}


def _files(root: Path) -> list[str]:
    """Return all files below `root`, relative to it. Links to folders are not followed."""
    found = []
    for folder, _, names in os.walk(root, onerror=_raise):
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in names]
    return found


def _raise(error: OSError) -> None:
    raise PluginError(f"cannot look for assets in {error.filename}: {error.strerror}") from error


def _asset(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    try:
        _feed(digest, path)
    except OSError as error:
        raise PluginError(f"cannot read {path} for the asset of it: {error.strerror}") from error
    return {
        wire.SIGNATURE_KEY: wire.ASSET_SIGNATURE,
        "hash": digest.hexdigest(),
        "path": str(path),
    }


def _archive_hash(files: dict[str, Path]) -> str:
    """Return the hash that the engine gives an archive: that of a tar file of its sorted entries."""
    digest = hashlib.sha256()
    for name in sorted(files):
        size = files[name].stat().st_size
        digest.update(_tar_header(name, size))
        _feed(digest, files[name])
        digest.update(bytes(-size % _BLOCK))
    digest.update(bytes(2 * _BLOCK))
    return digest.hexdigest()


def _tar_header(name: str, size: int) -> bytes:
    header = tarfile.TarInfo(name)
    header.mode = 0o600
    header.size = size
    try:
        packed = bytearray(header.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"))
    except ValueError:
        # Too long a name for the old format.
        packed = bytearray(header.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))
    # The engine is written in Go, whose tar files have device numbers for plain files too.
    last = packed[-_BLOCK:]
    last[_DEVICES] = b"0000000\0" * 2
    last[_CHECKSUM] = b" " * 8
    last[_CHECKSUM] = b"%06o\0 " % sum(last)
    return bytes(packed[:-_BLOCK] + last)


def _feed(digest: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
