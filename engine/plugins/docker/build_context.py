"""The folder that an image is built from: what belongs to it, its digest, and the archive for the engine."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from engine.plugins.common.errors import PluginError

DEFAULT_DOCKERFILE: Final = "Dockerfile"
_IGNORE_FILE: Final = ".dockerignore"
_READ_BYTES: Final = 1 << 20
# Go's letters for the kinds of a file, as its FileMode.String() writes them.
_KINDS: Final = {
    stat.S_IFLNK: "L",
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "S",
    stat.S_IFBLK: "D",
    stat.S_IFCHR: "Dc",
}
_BITS: Final = ((stat.S_ISUID, "u"), (stat.S_ISGID, "g"), (stat.S_ISVTX, "t"))


@dataclass(frozen=True)
class BuildContext:
    """A build's files. `root` is the folder, `dockerfile` may lie in it or elsewhere."""

    root: Path
    dockerfile: Path

    @property
    def relative_dockerfile(self) -> str:
        """The Dockerfile's path as seen from the folder; it begins with `..` if it lies elsewhere."""
        return Path(os.path.relpath(self.dockerfile.resolve(), self.root.resolve())).as_posix()


def find(context: str, dockerfile: str) -> BuildContext:
    """Return the build's files; both paths count from the program's folder, as officially.

    Raises PluginError when the folder or the Dockerfile is not there.
    """
    root, file = Path(context), Path(dockerfile)
    if "://" in context or not root.is_dir():
        raise PluginError(f"build.context is {context!r}, which is no folder here; give a path to one")
    if not file.is_file():
        hint = f"; try build.dockerfile {str(root / file)!r}" if (root / file).is_file() else ""
        raise PluginError(f"build.dockerfile is {dockerfile!r}, and there is no such file{hint}")
    return BuildContext(root, file)


def ignore_patterns(context: BuildContext) -> list[str]:
    """Return the patterns of <Dockerfile>.dockerignore or else of the folder's .dockerignore."""
    candidates = (
        context.dockerfile.with_name(context.dockerfile.name + _IGNORE_FILE),
        context.root / _IGNORE_FILE,
    )
    for candidate in candidates:
        if candidate.is_file():
            lines = candidate.read_text(encoding="utf-8-sig").splitlines()
            return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return []


def files(context: BuildContext) -> list[str]:
    """Return the paths in the folder that belong to the build, sorted part by part, folders left out."""
    from docker.utils.build import exclude_paths

    found = exclude_paths(str(context.root), ignore_patterns(context), dockerfile=context.relative_dockerfile)
    kept = [path for path in found if not _is_folder(context.root / path)]
    return sorted((Path(path).as_posix() for path in kept), key=lambda path: path.split("/"))


def digest(context: BuildContext) -> str:
    """Return a hash that changes with the name, mode or contents of anything that belongs to the build.

    The same scheme as the official plugin's `contextDigest`, but that a link counts by where it points
    as written: the official one follows it, so its digest depends on where the checkout lies.
    """
    whole = hashlib.sha256()
    _add(whole, DEFAULT_DOCKERFILE, "-" * 10, _content_hash(context.dockerfile))
    for path in files(context):
        file = context.root / path
        mode = file.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = hashlib.sha256(os.readlink(file).encode()).digest()
        elif stat.S_ISREG(mode):
            content = _content_hash(file)
        else:
            content = hashlib.sha256().digest()
        _add(whole, path, mode_text(mode), content)
    return whole.hexdigest()


def mode_text(mode: int) -> str:
    """Return a file's mode as Go writes it.

    >>> mode_text(0o100644), mode_text(0o120777), mode_text(0o104755)
    ('-rw-r--r--', 'Lrwxrwxrwx', 'urwxr-xr-x')
    """
    letters = _KINDS.get(stat.S_IFMT(mode), "") + "".join(letter for bit, letter in _BITS if mode & bit)
    return (letters or "-") + stat.filemode(stat.S_IFREG | (mode & 0o777))[1:]


def archive(context: BuildContext) -> tuple[IO[bytes], str]:
    """Return a tar file of the build, owned by root, and the Dockerfile's path in it. Close it."""
    target = tempfile.TemporaryFile()  # noqa: SIM115 - handed to the caller
    inside = context.relative_dockerfile
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        if inside.startswith("../"):
            # Named by its contents, so that the same Dockerfile gives the same archive.
            inside = f".dockerfile.{_content_hash(context.dockerfile).hex()[:20]}"
        # First, because BuildKit tells an archive from a Dockerfile by the first KiB, and a file with a
        # long name begins with a header that is longer than that.
        _add_file(tar, context.dockerfile.resolve(), inside)
        for path in _with_folders(context):
            if path != inside:
                _add_file(tar, context.root / path, path)
    target.seek(0)
    return target, inside


def _with_folders(context: BuildContext) -> list[str]:
    """Return the files and the folders that hold them or belong to the build empty, folders first."""
    from docker.utils.build import exclude_paths

    found = set(
        exclude_paths(str(context.root), ignore_patterns(context), dockerfile=context.relative_dockerfile)
    )
    for path in list(found):
        found.update(parent.as_posix() for parent in Path(path).parents if parent.name)
    return sorted((Path(path).as_posix() for path in found), key=lambda path: path.split("/"))


def _add_file(tar: tarfile.TarFile, file: Path, name: str) -> None:
    entry = tar.gettarinfo(str(file), arcname=name)
    # None for a socket, which no archive can hold.
    if entry is None:
        return
    entry.uid = entry.gid = 0
    # Whole seconds fit a plain header.
    entry.mtime = int(entry.mtime)
    entry.uname = entry.gname = ""
    if entry.isreg():
        with file.open("rb") as source:
            tar.addfile(entry, source)
    else:
        tar.addfile(entry)


def _add(whole: hashlib._Hash, name: str, mode: str, content: bytes) -> None:
    whole.update(name.encode("utf-8", "surrogateescape") + mode.encode() + content + b"\0")


def _content_hash(file: Path) -> bytes:
    found = hashlib.sha256()
    with file.open("rb") as source:
        while part := source.read(_READ_BYTES):
            found.update(part)
    return found.digest()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
