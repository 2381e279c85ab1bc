"""The `connection` input of a remote command: where to connect, as whom, and what proves the host."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

from engine.plugins.command import spec
from engine.plugins.common import schema


@dataclass(frozen=True)
class Peer:
    """One SSH server and how to log in.

    `dial_error_limit` is how many failed dials are allowed, -1 for any number; `per_dial_timeout` is in
    seconds, 0 for none. Without a `host_key` the server is not verified (as the official plugin does).
    """

    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    private_key: str | None = field(repr=False)
    private_key_password: str | None = field(repr=False)
    agent_socket: str | None
    dial_error_limit: int
    per_dial_timeout: int
    host_key: str | None
    proxy: Peer | None = None

    @property
    def name(self) -> str:
        """The server as people write it."""
        return f"{self.user}@{self.host}:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        """What handshakes are bounded by."""
        return self.host, self.port

    @property
    def identity(self) -> str:
        """Equal for two connections exactly if they can share one. It shows no credential."""
        parts = [self.host, str(self.port), self.user, self.password, self.private_key]
        parts += [self.private_key_password, self.agent_socket, self.host_key]
        parts.append(self.proxy.identity if self.proxy else None)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def peer(connection: dict[str, Any]) -> Peer:
    """Return the checked `connection` input as a `Peer`, with the official defaults filled in."""
    return _peer(schema.typed(spec.CONNECTION.fields, connection))


def _peer(values: dict[str, Any]) -> Peer:
    proxy = values.get("proxy")
    return Peer(
        host=values["host"],
        port=int(values["port"]),
        user=values["user"],
        password=values.get("password"),
        private_key=values.get("privateKey"),
        private_key_password=values.get("privateKeyPassword"),
        agent_socket=values.get("agentSocketPath") or os.environ.get("SSH_AUTH_SOCK") or None,
        dial_error_limit=values["dialErrorLimit"],
        per_dial_timeout=values["perDialTimeout"],
        host_key=values.get("hostKey"),
        proxy=_peer(proxy) if proxy else None,
    )
