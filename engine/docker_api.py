"""Asks a Docker engine on a unix socket, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import socket

SECONDS = 5.0


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


def get(path: str, what: str) -> tuple[int, bytes]:
    """Return status and body of one GET; OSError when nothing answers within a few seconds."""
    connection = _UnixConnection(path)
    try:
        connection.request("GET", what)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {type(error).__name__}") from None
    finally:
        connection.close()


def bridges(networks: bytes) -> set[str]:
    """Return the bridge interfaces in an engine's /networks answer."""
    names = set()
    for network in json.loads(networks):
        if network.get("Driver") == "bridge":
            named = (network.get("Options") or {}).get("com.docker.network.bridge.name")
            names.add(named or f"br-{network['Id'][:12]}")
    return names
