"""The bundle's file: a tar.gz whose first member is its manifest; read in one pass, every byte checked."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine import manifest as manifests
from engine.errors import EngineError
from engine.manifest import Entry, Manifest
from engine.progress import TICK_SECONDS

BLOCK = 1 << 20
MANIFEST_BYTES = 4_000_000
AGAIN = "Copy it again from where it was made, or make a new one with make bundle. Nothing was changed."

Tick = Callable[[str], None]


def pack(manifest: Manifest, sources: Mapping[str, Path], target: Path, tick: Tick) -> None:
    """Write a bundle to `target`; `sources` has the file behind each name of the manifest.

    The fastest compression is taken: wheels and photographs are compressed already, images gain enough.
    """
    progress = _Progress(manifest.unpacked, tick)
    with target.open("wb") as sink:
        with (
            gzip.GzipFile(filename="", fileobj=sink, mode="wb", compresslevel=1, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            text = manifest.text().encode()
            tar.addfile(_member(manifests.NAME, len(text), 0o644), io.BytesIO(text))
            for name in sorted(sources):
                mode = 0o755 if name.startswith("bin/") else 0o644
                with sources[name].open("rb") as stream:
                    member = _member(name, manifest.files[name].size, mode)
                    tar.addfile(member, _Watched(stream, progress))
        sink.flush()
        os.fsync(sink.fileno())


def _member(name: str, size: int, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, mode
    return member


def entry(path: Path) -> Entry:
    """Return size and digest of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Entry(path.stat().st_size, digest)


def read_manifest(path: Path) -> Manifest:
    """Return a bundle's manifest; the files behind it are not looked at."""
    with _opened(path) as (tar, _):
        return _first(path, tar)


def unpack(path: Path, folder: Path | None, tick: Tick) -> Manifest:
    """Check every file of a bundle against its manifest and write it below `folder`; None only checks.

    Raises EngineError that names the bundle and the file at fault. The caller removes `folder` then.
    """
    left: dict[str, Entry] = {}
    with _opened(path) as (tar, zipped):
        manifest = _first(path, tar)
        left.update(manifest.files)
        progress = _Progress(manifest.unpacked, tick)
        while (member := tar.next()) is not None:
            wanted = left.pop(member.name, None)
            stream = tar.extractfile(member) if member.isreg() else None
            if wanted is None or stream is None:
                raise EngineError(
                    f"{path} is not a whole bundle: {member.name} is not in its manifest.", AGAIN
                )
            got = _copy(stream, folder / member.name if folder else None, member.mode, progress)
            if got != wanted:
                raise EngineError(
                    f"{path} is corrupted: {member.name} is not what its manifest says (SHA-256 "
                    f"{got.sha256[:16]}…, {wanted.sha256[:16]}… is right).",
                    AGAIN,
                )
        # What follows the last member, up to gzip's own checksum over everything.
        while zipped.read(BLOCK):
            pass
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        raise EngineError(f"{path} is incomplete: {min(left)}{more} is missing in it.", AGAIN)
    return manifest


def _first(path: Path, tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    stream = tar.extractfile(member) if member is not None and member.isreg() else None
    if member is None or stream is None or member.name != manifests.NAME or member.size > MANIFEST_BYTES:
        raise EngineError(f"{path} is not a bundle of rocestack: it does not begin with a manifest.", AGAIN)
    try:
        return manifests.parse(stream.read())
    except ValueError as error:
        raise EngineError(f"{path} cannot be used: {error}.", AGAIN) from None


def _copy(stream: IO[bytes], target: Path | None, mode: int, progress: _Progress) -> Entry:
    """Read a member to its end, into a file when there is a target; return what came."""
    total, size = hashlib.sha256(), 0
    sink = None
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        sink = target.open("xb")
    try:
        while block := stream.read(BLOCK):
            total.update(block)
            size += len(block)
            progress.add(len(block))
            if sink is not None:
                sink.write(block)
    finally:
        if sink is not None:
            sink.close()
    if target is not None:
        target.chmod(0o755 if mode & 0o100 else 0o644)
    return Entry(size, total.hexdigest())


@contextmanager
def _opened(path: Path) -> Iterator[tuple[tarfile.TarFile, gzip.GzipFile]]:
    """Open a bundle for one pass; errors of its form become an EngineError that names it."""
    if not path.is_file():
        raise EngineError(f"There is no bundle {path}.", "Give the file that make bundle wrote: BUNDLE=FILE.")
    try:
        with gzip.open(path, "rb") as zipped, tarfile.open(fileobj=zipped, mode="r|", bufsize=BLOCK) as tar:
            yield tar, zipped
    except (gzip.BadGzipFile, tarfile.TarError, EOFError, zlib.error) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise EngineError(f"{path} is corrupted or cut off ({reason}).", AGAIN) from None


class _Progress:
    """Counts bytes and says every few seconds how far it is."""

    def __init__(self, total: int, tick: Tick) -> None:
        self._total, self._tick = max(total, 1), tick
        self._done, self._said = 0, time.monotonic()

    def add(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._said >= TICK_SECONDS:
            self._said = time.monotonic()
            self._tick(f"… {100 * self._done // self._total} % of {self._total / 1e6:.0f} MB")


class _Watched:
    """A file that is read by tarfile, and counted."""

    def __init__(self, stream: IO[bytes], progress: _Progress) -> None:
        self._stream, self._progress = stream, progress

    def read(self, count: int = -1) -> bytes:
        block = self._stream.read(count)
        self._progress.add(len(block))
        return block
