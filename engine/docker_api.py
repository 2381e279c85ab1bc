"""Asks a Docker engine on a unix socket, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Sequence
from typing import IO
from urllib.parse import quote, urlencode

SECONDS = 5.0
# An engine may be silent that long while it packs or unpacks layers.
TRANSFER_SECONDS = 600.0
BLOCK = 1 << 20
OK = 200


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, seconds: float = SECONDS) -> None:
        super().__init__("localhost", timeout=seconds, blocksize=BLOCK)
        self._path, self._seconds = path, seconds

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self._seconds)
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


def images(path: str, repositories: Sequence[str]) -> list[dict[str, object]]:
    """Return the engine's images of some repositories, as its API lists them; OSError when it refuses."""
    wanted = json.dumps({"reference": list(repositories)})
    status, body = get(path, f"/images/json?{urlencode({'filters': wanted})}")
    if status != OK:
        raise OSError(f"HTTP status {status} for its images")
    found = json.loads(body)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def save_images(path: str, tags: Sequence[str], sink: IO[bytes]) -> None:
    """Write images to a file as `docker save` does; OSError when the engine refuses or stops."""
    connection = _UnixConnection(path, TRANSFER_SECONDS)
    try:
        connection.request("GET", "/images/get?" + "&".join(f"names={quote(tag, safe='')}" for tag in tags))
        answer = connection.getresponse()
        if answer.status != OK:
            raise OSError(f"HTTP status {answer.status}: {answer.read().decode(errors='replace').strip()}")
        while block := answer.read(BLOCK):
            sink.write(block)
    except http.client.HTTPException as error:
        raise OSError(f"its answer broke off: {type(error).__name__}") from None
    finally:
        connection.close()


def load_images(path: str, source: IO[bytes], size: int) -> None:
    """Bring images as `docker load` does; OSError with the engine's own words when it refuses."""
    connection = _UnixConnection(path, TRANSFER_SECONDS)
    try:
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
        connection.request("POST", "/images/load?quiet=1", body=source, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"its answer broke off: {type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != OK or b'"error"' in body:
        raise OSError(f"HTTP status {answer.status}: {body.decode(errors='replace').strip()[-500:]}")
