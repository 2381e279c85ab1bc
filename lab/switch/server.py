"""The simulated switch without a container: an SSH server on loopback, for tests and for trying things out.

Each session is the same program as in the lab, `cli`, in a process of its own on a terminal of its own.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import secrets
import struct
import sys
import termios
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from lab.switch.onyx_cli.fabric import interface
from lab.switch.onyx_cli.names import order

_PROGRAM = (sys.executable, "-IBS", str(Path(__file__).parent / "cli"))
USER = "admin"
_DEFAULT_SIZE = (80, 24)


@dataclass(frozen=True)
class SwitchServer:
    """A running switch: where it answers, how to log in, and the folder of its state and faults."""

    port: int
    password: str
    host_key: str
    folder: Path


@dataclass
class _Login(asyncssh.SSHServer):
    """Lets in the one user with the one password, or with one of the keys."""

    password: str = field(repr=False)
    keys: tuple[asyncssh.SSHKey, ...]
    open: list[asyncssh.SSHServerConnection] = field(repr=False)

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember who is connected."""
        self.open.append(conn)

    def password_auth_supported(self) -> bool:
        """Say that passwords are what this server takes."""
        return True

    def validate_password(self, username: str, password: str) -> bool:
        """Return whether this is the user and the password."""
        return username == USER and secrets.compare_digest(password, self.password)

    def public_key_auth_supported(self) -> bool:
        """Say whether a key could let anyone in."""
        return bool(self.keys)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether this is the user and one of its keys."""
        return username == USER and key.public_data in {each.public_data for each in self.keys}


@asynccontextmanager
async def serve(
    folder: Path,
    hostname: str,
    port: int = 0,
    password: str = "",
    *,
    sysfs: Path | None = None,
    authorized_keys: Path | None = None,
) -> AsyncIterator[SwitchServer]:
    """Serve the switch whose state is in `folder` on 127.0.0.1, for the block.

    `port` 0 takes a free one, and an empty password a random one. `sysfs` stands in for /sys/class/net. The
    public keys in the file `authorized_keys` let the user in too.
    """
    password = password or secrets.token_urlsafe(12)
    keys = () if authorized_keys is None else tuple(asyncssh.read_public_key_list(authorized_keys))
    key = asyncssh.generate_private_key("ssh-ed25519")
    environment = {
        **os.environ,
        "ONYX_STATE_DIR": str(folder),
        "ONYX_HOSTNAME": hostname,
        "ONYX_SYSFS": str(sysfs or folder / "sysfs"),
        "ONYX_AGENT_FILE": str(folder / "fabric.json"),
    }

    connections: list[asyncssh.SSHServerConnection] = []

    async def session(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.exit(await _run(process, environment))

    server = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[key],
        server_factory=lambda: _Login(password, keys, connections),
        process_factory=session,
        encoding=None,
        line_editor=False,
    )
    try:
        public = key.export_public_key().decode().strip()
        yield SwitchServer(server.get_port(), password, public, folder)
    finally:
        server.close()
        for connection in connections:
            connection.close()
            await connection.wait_closed()
        await server.wait_closed()


def plug_in(folder: Path, ports: Iterable[str]) -> None:
    """Make these ports' links up, and all others down, in a switch that `serve` serves from `folder`."""
    sysfs = folder / "sysfs"
    sysfs.mkdir(exist_ok=True)
    for each in sysfs.iterdir():
        (each / "operstate").write_text("down\n")
    for port in ports:
        link = sysfs / interface(port)
        link.mkdir(exist_ok=True)
        (link / "operstate").write_text("up\n")
        (link / "address").write_text(
            "02:52:02:" + ":".join(f"{part:02x}" for part in (*order(port), 0)[:3]) + "\n"
        )


async def _run(process: asyncssh.SSHServerProcess[bytes], environment: Mapping[str, str]) -> int:
    """Run `cli` for one session, on a terminal when the client asked for one; return its exit status."""
    arguments = [] if process.command is None else ["-c", process.command]
    if process.term_type is None:
        child = await asyncio.create_subprocess_exec(
            *_PROGRAM, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment
        )
        said, complained = await child.communicate()
        process.stdout.write(said)
        process.stderr.write(complained)
        return await child.wait()
    ours, theirs = pty.openpty()
    width, height, *_pixels = process.term_size
    columns, rows = (width, height) if width and height else _DEFAULT_SIZE
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    child = await asyncio.create_subprocess_exec(
        *_PROGRAM,
        *arguments,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    # The session ends when the program does, or when the client hangs up.
    both = {asyncio.create_task(_type(process, ours)), asyncio.create_task(_print(process, ours))}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        os.close(ours)
    # Without its terminal the program ends by itself.
    return await child.wait()


async def _type(process: asyncssh.SSHServerProcess[bytes], terminal: int) -> None:
    """Pass on what the client types until it hangs up."""
    try:
        while data := await process.stdin.read(4096):
            os.write(terminal, data)
    except asyncssh.BreakReceived:
        return


async def _print(process: asyncssh.SSHServerProcess[bytes], terminal: int) -> None:
    """Pass on what the program prints until it ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def pass_on() -> None:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            # How Linux says that nobody holds the other end any more.
            data = b""
        if data:
            process.stdout.write(data)
        else:
            loop.remove_reader(terminal)
            ended.set()

    loop.add_reader(terminal, pass_on)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(terminal)
