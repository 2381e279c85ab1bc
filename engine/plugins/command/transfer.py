"""Copying files to a host by SFTP over its pooled connection, with the official plugin's path rules."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import asyncssh

from engine.plugins.command.pool import ChannelRefused, ConnectionDied, Link
from engine.plugins.command.source import Entry, Source
from engine.plugins.common.errors import PluginError

_PIECE = 4 << 20
_CLOSE_SECONDS = 10.0


class _Copy:
    """A copy under way, as the pool sees it."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()


def target(source: Source, path: str, there: str | None) -> str:
    """Return where the entries of `source` go for the remote `path`; `there` is file, folder or None.

    | source         | path is a folder | path is not there | path is a file |
    |----------------|------------------|-------------------|----------------|
    | folder         | path/folder      | path/folder       | refused        |
    | folder/        | path             | path              | refused        |
    | file           | path/file        | path              | path           |
    | text           | refused          | path              | path           |
    | several assets | path             | path              | refused        |

    Raises PluginError for what is refused.
    """
    if source.kind in ("folder", "assets"):
        if there == "file":
            raise PluginError(f"the remote path {path} is a file, and a folder is to be copied there")
        return posixpath.join(path, source.name) if source.name else path
    if there == "folder":
        if source.kind == "text":
            raise PluginError(f"the remote path {path} is a folder; for a text it must be that of a file")
        return posixpath.join(path, source.name)
    if path.endswith("/"):
        raise PluginError(f"the remote path {path} is no folder there; leave the last '/' away for a file")
    return path


async def transfer(link: Link, source: Source, path: str, where: str, show: Callable[[str], None]) -> None:
    """Copy `source` to `path`. Files are overwritten in place; mode and owner are what the server gives.

    Raises ConnectionDied if nothing was copied yet, PluginError for everything else.
    """
    async with link.channel(), _sftp(link, where) as client:
        try:
            await _copy(client, source, path, show)
        except asyncssh.SFTPError as error:
            if isinstance(error, asyncssh.SFTPNoConnection | asyncssh.SFTPConnectionLost):
                raise PluginError(
                    f"The connection to {where} was lost while copying to {path} ({error.reason}); "
                    "some of it may be there, the next run copies it anew"
                ) from error
            raise PluginError(f"copying to {path} on {where} failed: {error.reason}") from error
        except PluginError as error:
            raise PluginError(f"copying to {path} on {where} failed: {error}") from error


@asynccontextmanager
async def _sftp(link: Link, where: str) -> AsyncIterator[asyncssh.SFTPClient]:
    copy = _Copy()
    client = await link.open(copy, lambda: _start(link, where))
    try:
        yield client
    finally:
        client.exit()
        # The server has the channel until then; it counts for its MaxSessions.
        with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
            await asyncio.wait_for(client.wait_closed(), _CLOSE_SECONDS)
        copy.ended.set()
        link.live.remove(copy)


async def _start(link: Link, where: str) -> asyncssh.SFTPClient:
    try:
        return await link.connection.start_sftp_client()
    except (OSError, asyncssh.Error) as error:
        if link.connection.is_closed() or isinstance(error, OSError | asyncssh.DisconnectError):
            raise ConnectionDied(str(error)) from error
        if isinstance(error, asyncssh.ChannelOpenError) and error.code == asyncssh.OPEN_CONNECT_FAILED:
            raise ChannelRefused(str(error)) from error
        raise PluginError(
            f"the SSH server at {where} offers no SFTP ({error}); its sshd_config needs a Subsystem sftp"
        ) from error


async def _copy(client: asyncssh.SFTPClient, source: Source, path: str, show: Callable[[str], None]) -> None:
    there = await _kind(client, path)
    goal = target(source, path, there)
    if source.kind in ("folder", "assets"):
        await _make_folders(client, path)
    elif there is None:
        await _make_folders(client, posixpath.dirname(goal))
    made: set[str] = set()
    size = files = 0
    for entry in source.entries:
        to = posixpath.join(goal, entry.path) if entry.path else goal
        above = to if entry.content is None else posixpath.dirname(to)
        if source.kind in ("folder", "assets") and above not in made:
            await _make_folders(client, above)
            made.add(above)
        if entry.content is not None:
            size += await _write(client, entry, to)
            files += 1
    show(f"copied {files} {'file' if files == 1 else 'files'}, {size} bytes")


async def _kind(client: asyncssh.SFTPClient, path: str) -> str | None:
    try:
        found = await client.stat(path)
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return None
    return "folder" if stat.S_ISDIR(found.permissions or 0) else "file"


async def _make_folders(client: asyncssh.SFTPClient, path: str) -> None:
    """Make `path` and what is missing above it."""
    there = await _kind(client, path) if path else "folder"
    if there == "file":
        raise PluginError(f"{path} is there and is not a folder")
    if there is None:
        await _make_folders(client, posixpath.dirname(path.rstrip("/")))
        try:
            await client.mkdir(path)
        except asyncssh.SFTPError as error:
            # Two copies at once may make the same folder.
            if isinstance(error, asyncssh.SFTPFailure) and await _kind(client, path) == "folder":
                return
            raise PluginError(f"the folder {path} cannot be made ({error.reason})") from error


async def _write(client: asyncssh.SFTPClient, entry: Entry, to: str) -> int:
    if isinstance(entry.content, Path):
        try:
            with entry.content.open("rb") as file:
                return await _write_file(client, file, to)
        except OSError as error:
            raise PluginError(f"{entry.content} cannot be read ({error.strerror})") from error
    content = entry.content or b""
    async with _created(client, to) as remote:
        await remote.write(content)
    return len(content)


async def _write_file(client: asyncssh.SFTPClient, file: BinaryIO, to: str) -> int:
    size = 0
    async with _created(client, to) as remote:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            await remote.write(piece)
            size += len(piece)
    return size


@asynccontextmanager
async def _created(client: asyncssh.SFTPClient, to: str) -> AsyncIterator[asyncssh.SFTPClientFile]:
    try:
        remote = await client.open(to, "wb")
    except asyncssh.SFTPError as error:
        if isinstance(error, asyncssh.SFTPNoConnection | asyncssh.SFTPConnectionLost):
            raise
        raise PluginError(f"the file {to} cannot be written ({error.reason})") from error
    async with remote:
        yield remote
