"""Content stamps: a step is skipped when what it was made from, and what it made, are unchanged."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Record = dict[str, object]


def digest(parts: Mapping[str, bytes | str]) -> str:
    """Return one SHA-256 hex digest over named parts; order does not matter, names and lengths do."""
    total = hashlib.sha256()
    for name in sorted(parts):
        part = parts[name]
        data = part.encode() if isinstance(part, str) else part
        total.update(f"{name}\0{len(data)}\0".encode())
        total.update(data)
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(paths: Iterable[Path]) -> dict[str, list[int]]:
    """Return size and modification time (ns) per file: cheap enough for each run. Missing ones are absent."""
    prints = {}
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue
        prints[str(path)] = [found.st_size, found.st_mtime_ns]
    return prints


def read(path: Path) -> Record:
    """Return a record that `write` left, or an empty one when there is none or it is unreadable."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write(path: Path, record: Mapping[str, object]) -> None:
    """Write a record so that it is either the old one or the whole new one, never a part."""
    write_text(path, json.dumps(record, indent=2, sort_keys=True) + "\n")


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a text file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def replacing(folder: Path, aside: Path) -> Iterator[None]:
    """Let a folder be made anew in its place; when that fails, what was there is back.

    `aside` is where the former one waits, on the same disk. For a folder that cannot be made elsewhere and
    renamed, because it holds its own path.
    """
    shutil.rmtree(aside, ignore_errors=True)  # left by a process that was killed
    aside.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(aside)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if aside.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
