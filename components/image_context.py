"""The training image's tag: a hash of everything that its build reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


def context_files(folders: Mapping[str, Path]) -> dict[str, bytes]:
    """Return the content of all files in `folders`, by the folder's given name and the path in it.

    A folder may also be one file. Raises OSError if one is not there.
    """
    files: dict[str, bytes] = {}
    for name, folder in folders.items():
        paths = [folder] if folder.is_file() else sorted(folder.rglob("*"))
        if not paths:
            raise FileNotFoundError(2, "is empty or not there", str(folder))
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                files[f"{name}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return files


def content_tag(files: Mapping[str, bytes]) -> str:
    """Return the tag: one change in any file's name or content gives another one."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()[:16]
