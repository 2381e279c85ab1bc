"""What an engine says while it builds or pushes: lines for people, errors, and the result."""

from __future__ import annotations

import base64
import collections
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.plugins.common.errors import PluginError

_KEPT_LINES: Final = 20
_TRACE: Final = "moby.buildkit.trace"
# Field numbers of BuildKit's control API (StatusResponse, Vertex, VertexLog).
_VERTEX, _LOG = 1, 3
_VERTEX_DIGEST, _VERTEX_NAME, _VERTEX_STARTED, _VERTEX_COMPLETED, _VERTEX_ERROR, _VERTEX_CACHED = (
    1,
    3,
    5,
    6,
    7,
    4,
)
_LOG_TEXT: Final = 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass
class Progress:
    """Follows one stream of messages. `result` gathers its `aux` answers: ID, Digest, Tag."""

    result: dict[str, Any] = field(default_factory=dict)
    last_lines: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=_KEPT_LINES))
    _shown: set[tuple[str, str]] = field(default_factory=set)

    def take(self, message: Mapping[str, Any]) -> list[str]:
        """Return the new lines of one message. Raises PluginError for an error of the engine."""
        if "error" in message or "errorDetail" in message:
            detail = message.get("errorDetail") or {}
            raise PluginError(str(detail.get("message") or message.get("error")).strip())
        aux = message.get("aux")
        if message.get("id") == _TRACE and isinstance(aux, str):
            lines = list(self._trace(base64.b64decode(aux)))
        else:
            if isinstance(aux, Mapping):
                self.result.update(aux)
            lines = _plain_lines(message)
        self.last_lines.extend(lines)
        return lines

    def _trace(self, raw: bytes) -> Iterator[str]:
        for number, value in fields(raw):
            if not isinstance(value, bytes):
                continue
            if number == _VERTEX:
                yield from self._vertex(dict(fields(value)))
            elif number == _LOG:
                text = dict(fields(value)).get(_LOG_TEXT, b"")
                if isinstance(text, bytes):
                    yield from text.decode("utf-8", "replace").splitlines()

    def _vertex(self, vertex: Mapping[int, int | bytes]) -> Iterator[str]:
        """Yield a step's name once it begins, and once more if it was cached or failed."""
        key, name = _text(vertex, _VERTEX_DIGEST), _text(vertex, _VERTEX_NAME)
        if _VERTEX_ERROR in vertex:
            state, line = "failed", f"{name}: {_text(vertex, _VERTEX_ERROR)}"
        elif vertex.get(_VERTEX_CACHED) and _VERTEX_COMPLETED in vertex:
            state, line = "cached", f"{name}: cached"
        elif _VERTEX_STARTED in vertex:
            state, line = "started", name
        else:
            return
        if (key, state) not in self._shown:
            self._shown.add((key, state))
            yield line


def _plain_lines(message: Mapping[str, Any]) -> list[str]:
    if message.get("stream"):
        return [line.rstrip() for line in str(message["stream"]).splitlines() if line.strip()]
    if message.get("status") and not message.get("progressDetail"):
        head = f"{message['id']}: " if message.get("id") else ""
        return [f"{head}{message['status']}"]
    return []


def _text(message: Mapping[int, int | bytes], number: int) -> str:
    value = message.get(number, b"")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protobuf message; a cut one ends early.

    >>> list(fields(bytes([0x08, 0x96, 0x01, 0x12, 0x01, 0x61])))
    [(1, 150), (2, b'a')]
    """
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        kind, value = key & 7, b""
        if kind == _VARINT:
            number, at = _varint(raw, at)
            yield key >> 3, number
            continue
        if kind == _BYTES:
            size, at = _varint(raw, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            return
        value, at = raw[at : at + size], at + size
        yield key >> 3, value


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw):
        byte, at = raw[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, at
