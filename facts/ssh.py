"""The one module here that connects: a script, run once on a machine over SSH."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import lru_cache

import asyncssh

from facts.rendering import without_comments
from settings.models import HostAccess

# The last line of a script as it travels: half a script, from a connection that broke off, does nothing.
_WHOLE = "# whole"
# The same few characters for every login shell (no $, ! or newline outside the single quotes). The script
# comes in standard input, so it appears in no list of processes and no limit on arguments applies; the rest
# is the script's own input. `head`, since bash's `read` takes a pipe byte by byte: some 40 ms a host.
_BASH = """bash -c 'script=$(head -c {bytes}); [[ $script == *"{whole}" ]] && eval "$script"'"""

# Before all others: the processor's own AES, which takes the library fewer calls a packet.
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"


@dataclass(frozen=True)
class Result:
    """How a script ended: its exit status (-1: killed by a signal) and what it printed."""

    status: int
    stdout: str
    stderr: str


class Unreachable(Exception):
    """A machine that could not be asked; `reason` says why, for a person, without its name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def run_script(access: HostAccess, script: str, stdin: str, deadline: float) -> Result:
    """Run `script` under bash on one machine and return how it ended.

    `stdin` is the script's standard input. `deadline`, in seconds, covers login and run together. The
    machine must show `access.host_key`; only `access.private_key` is offered. A user other than root runs
    it by `sudo -n`. Raises Unreachable, and no error of the SSH library.
    """
    command, sent = as_sent(script, stdin)
    if access.user != "root":
        command = f"sudo -n {command}"
    try:
        async with asyncio.timeout(deadline):
            async with await _connect(access) as connection:
                done = await connection.run(command, input=sent, encoding="utf-8", errors="replace")
    except Exception as error:
        reason = _reason(access, error, deadline)
        if reason is None:
            raise
        raise Unreachable(reason) from None
    status = done.exit_status if done.exit_status is not None else -1
    return Result(status=status, stdout=str(done.stdout or ""), stderr=str(done.stderr or ""))


def as_sent(script: str, stdin: str) -> tuple[str, str]:
    """Return the command that runs `script` with `stdin` as its input, and what is sent to it.

    Raises ValueError for a NUL, which bash would drop.
    """
    if "\0" in script or "\0" in stdin:
        raise ValueError("a script and its input must not hold a NUL")
    text, length = _travelling(script)
    return _BASH.format(bytes=length, whole=_WHOLE), text + stdin


@lru_cache(maxsize=16)
def _travelling(script: str) -> tuple[str, int]:
    """Return a script as it travels, with its length in bytes; all hosts get the same."""
    text = f"{without_comments(script).rstrip()}\n{_WHOLE}\n"
    return text, len(text.encode())


async def _connect(access: HostAccess) -> asyncssh.SSHClientConnection:
    host_key = asyncssh.import_public_key(access.host_key)
    private_key = asyncssh.import_private_key(access.private_key.get_secret_value())
    return await asyncssh.connect(
        access.address,
        port=access.port,
        username=access.user,
        # Exactly this key; no known_hosts file, agent, ssh_config or password of whoever runs this.
        known_hosts=([host_key], [], []),
        client_keys=[private_key],
        preferred_auth="publickey",
        agent_path=None,
        config=None,
        encryption_algs=_CIPHERS,
    )


# The first kind that fits says the reason; the words in braces are the failed attempt's own.
_REASONS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (TimeoutError, "no answer within {deadline:g} s"),
    (ConnectionRefusedError, "connection refused"),
    (
        asyncssh.HostKeyNotVerifiable,
        "host key mismatch: another machine answers there, or it was reinstalled",
    ),
    (asyncssh.PermissionDenied, "login refused for user {user}"),
    (asyncssh.KeyImportError, "the configured key cannot be read: {error}"),
    (socket.gaierror, "the name {address} cannot be resolved"),
    ((asyncssh.ConnectionLost, asyncssh.ChannelOpenError, ConnectionResetError), "the connection broke off"),
    ((asyncssh.Error, OSError), "SSH failed: {error}"),
)


def _reason(access: HostAccess, error: Exception, deadline: float) -> str | None:
    """Return a short reason for what an attempt raised, or None when that is no failure of the connection."""
    for kind, text in _REASONS:
        if isinstance(error, kind):
            return text.format(deadline=deadline, user=access.user, address=access.address, error=error)
    return None
