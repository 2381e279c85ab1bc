"""Opening SSH connections: options, the retry rule of the official plugin, and errors that help."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncssh

from engine.plugins.command.connection import Peer
from engine.plugins.common.errors import PluginError

_FIRST_PAUSE = 0.1
_PAUSE_FACTOR = 1.5
_LONGEST_PAUSE = 5.0
# A dead host is noticed within a minute, so a command cannot hang on it for ever.
_KEEPALIVE_SECONDS = 15
_KEEPALIVE_MISSED = 4
# A host that is up answers well within this; one that is not keeps no login from others any longer.
_QUICK_SECONDS = 2.0
_ANSWER_SECONDS = 15.0

Tunnel = Callable[[], Awaitable[asyncssh.SSHClientConnection]]
Handshake = Callable[[], AbstractAsyncContextManager[None]]


class _Client(asyncssh.SSHClient):
    """Answers each question of a keyboard-interactive login with the password, as the official plugin."""

    def __init__(self, password: str | None) -> None:
        self._password = password
        self._tried = password is None

    def kbdint_auth_requested(self) -> str | None:
        # Once: the same answer again would only use up the server's MaxAuthTries.
        tried, self._tried = self._tried, True
        return None if tried else ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        return [self._password or ""] * len(prompts)


def options(peer: Peer) -> dict[str, Any]:
    """Return what asyncssh needs to log in to `peer`; raise PluginError for a key that cannot be read.

    The user's own SSH configuration and default keys play no part, as with the official plugin.
    """
    chosen: dict[str, Any] = {
        "config": None,
        "username": peer.user,
        "client_keys": None,
        "agent_path": None,
        "known_hosts": None,
        "x509_trusted_certs": None,
        "keepalive_interval": _KEEPALIVE_SECONDS,
        "keepalive_count_max": _KEEPALIVE_MISSED,
        "connect_timeout": peer.per_dial_timeout or None,
        "login_timeout": peer.per_dial_timeout or 0,
        "gss_auth": False,
        "gss_kex": False,
        "client_factory": lambda: _Client(peer.password),
    }
    if peer.private_key is not None:
        chosen["client_keys"] = [_private_key(peer)]
    if peer.password is not None:
        chosen["password"] = peer.password
    if peer.host_key is not None:
        chosen["known_hosts"] = ([_host_key(peer)], [], [])
    return chosen


def _private_key(peer: Peer) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(peer.private_key or "", peer.private_key_password)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        text = f"{peer.name}: connection.privateKey cannot be read ({error}); it is the text of a private key"
        raise PluginError(f"{text}, with connection.privateKeyPassword if it is encrypted") from error


def _host_key(peer: Peer) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(peer.host_key or "")
    except asyncssh.KeyImportError as error:
        text = f"{peer.name}: connection.hostKey cannot be read ({error}); it is one line"
        raise PluginError(f"{text} such as 'ssh-ed25519 AAAA…'") from error


async def dial(
    peer: Peer, tunnel: Tunnel | None, handshake: Handshake, show: Callable[[str], None], label: str
) -> asyncssh.SSHClientConnection:
    """Connect to `peer`, through `tunnel` if given; retry as long as `peer.dial_error_limit` allows.

    Each try holds `handshake`. A wrong host key ends it at once: time does not make a key right.
    Raises PluginError.
    """
    chosen = options(peer)

    async def connect() -> asyncssh.SSHClientConnection:
        if tunnel is None:
            return await _connect(peer, handshake, chosen)
        through = await tunnel()
        async with handshake():
            return await _logged_in(await through.connect_ssh(peer.host, peer.port, **chosen))

    if peer.agent_socket is None:
        return await _dial(peer, connect, show, label)
    try:
        agent = await asyncssh.connect_agent(peer.agent_socket)
        keys = await agent.get_keys()
    except (OSError, ValueError) as error:
        raise PluginError(f"{peer.name}: no SSH agent answers at {peer.agent_socket} ({error})") from error
    try:
        # The given key goes first: an agent with many keys would use up the server's MaxAuthTries.
        chosen["client_keys"] = [*(chosen["client_keys"] or []), *keys] or None
        return await _dial(peer, connect, show, label)
    finally:
        agent.close()


async def _dial(
    peer: Peer,
    connect: Callable[[], Awaitable[asyncssh.SSHClientConnection]],
    show: Callable[[str], None],
    label: str,
) -> asyncssh.SSHClientConnection:
    limit = peer.dial_error_limit
    pause, failed = _FIRST_PAUSE, 0
    while True:
        try:
            return await connect()
        except asyncssh.HostKeyNotVerifiable as error:
            text = f"{peer.name}: the host does not prove itself with connection.hostKey ({_reason(error)}); "
            raise PluginError(
                text + "if the host was set up anew, give its new public key, else somebody is in between"
            ) from error
        except (OSError, asyncssh.Error, TimeoutError) as error:
            failed += 1
            if limit >= 0 and failed > limit:
                raise PluginError(_dial_failure(peer, failed, error, label)) from error
            shown = "inf" if limit < 0 else str(limit)
            show(f"{label} {failed}/{shown} failed: retrying ({_reason(error)})")
        await asyncio.sleep(pause)
        pause = min(pause * _PAUSE_FACTOR, _LONGEST_PAUSE)


async def _connect(peer: Peer, handshake: Handshake, chosen: dict[str, Any]) -> asyncssh.SSHClientConnection:
    async with handshake():
        connecting = asyncio.create_task(_socket(peer))
        try:
            await asyncio.wait([connecting], timeout=_QUICK_SECONDS)
            if connecting.done():
                return await _login(peer, connecting.result(), chosen)
        except asyncio.CancelledError:
            await _drop(connecting)
            raise
    # Nobody answers so far, so no server has a login to count. One that does later is slow, not dead: it
    # is dialled again, holding the right to it as long as it takes.
    try:
        await asyncio.shield(connecting)
    finally:
        await _drop(connecting)
    async with handshake():
        return await _login(peer, await _socket(peer), chosen)


async def _drop(connecting: asyncio.Task[socket.socket]) -> None:
    connecting.cancel()
    await asyncio.wait([connecting])
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()


async def _login(peer: Peer, opened: socket.socket, chosen: dict[str, Any]) -> asyncssh.SSHClientConnection:
    try:
        connection = await asyncssh.connect(peer.host, peer.port, sock=opened, **chosen)
    except BaseException:
        opened.close()
        raise
    return await _logged_in(connection)


async def _logged_in(connection: asyncssh.SSHClientConnection) -> asyncssh.SSHClientConnection:
    """Return when the server no longer counts the connection for its MaxStartups.

    It tells the client of the login before it counts it, but answers requests only after that.
    """
    try:
        await asyncio.wait_for(connection._make_global_request(b"keepalive@openssh.com"), _ANSWER_SECONDS)
    except BaseException:
        connection.abort()
        raise
    return connection


async def _socket(peer: Peer) -> socket.socket:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(peer.per_dial_timeout or None):
        addresses = await loop.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
        for at, (family, kind, protocol, _, address) in enumerate(addresses):
            opened = socket.socket(family, kind, protocol)
            try:
                opened.setblocking(False)
                await loop.sock_connect(opened, address)
            except BaseException as error:
                opened.close()
                if isinstance(error, OSError) and at + 1 < len(addresses):
                    continue
                raise
            return opened
    raise OSError(f"the name {peer.host!r} has no address")


def _dial_failure(peer: Peer, failed: int, error: Exception, label: str) -> str:
    if isinstance(error, asyncssh.PermissionDenied):
        given = [
            name
            for name, value in (
                ("privateKey", peer.private_key),
                ("password", peer.password),
                ("agent", peer.agent_socket),
            )
            if value is not None
        ]
        hint = f"the login as {peer.user!r} was refused; credentials given: {', '.join(given) or 'none'}"
    else:
        hint = f"is the host up and does sshd listen on port {peer.port}?"
    return f"{label} {peer.name}: after {failed} failed attempts: {_reason(error)}; {hint}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "timed out"
    return str(error) or type(error).__name__
