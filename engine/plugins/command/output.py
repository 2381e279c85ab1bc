"""What to run, and what it prints: kept for the outputs, sent line by line to the engine's log."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass

_SHOWN_COMMAND = 200


class Collector:
    """Collects both streams of one command, as bytes in the order they came."""

    def __init__(self, logging: str | None, show: Callable[[str], None]) -> None:
        """Show lines with `show` as `logging` says (an unset one means both streams)."""
        shown = {None: (True, True), "stdoutAndStderr": (True, True), "none": (False, False)}
        self._shown = shown.get(logging, (logging == "stdout", logging == "stderr"))
        self._show = show
        self._streams = (bytearray(), bytearray())
        self._both = bytearray()
        self._lines = ("", "")
        self._decoders = tuple(codecs.getincrementaldecoder("utf-8")("replace") for _ in range(2))

    def feed(self, data: bytes, *, error: bool) -> None:
        """Take what came on stdout, or on stderr if `error`."""
        self._streams[error].extend(data)
        self._both.extend(data)
        if self._shown[error]:
            text = self._lines[error] + self._decoders[error].decode(data)
            *lines, rest = text.split("\n")
            for line in lines:
                self._show(line)
            self._lines = (self._lines[0], rest) if error else (rest, self._lines[1])

    def end(self) -> None:
        """Show last lines that have no newline."""
        for rest in self._lines:
            if rest:
                self._show(rest)
        self._lines = ("", "")

    @property
    def stdout(self) -> str:
        """Standard output without its last newline; bytes that are not UTF-8 are replaced."""
        return _text(self._streams[0])

    @property
    def stderr(self) -> str:
        """Standard error, likewise."""
        return _text(self._streams[1])

    @property
    def both(self) -> str:
        """Both streams as they came."""
        return self._both.decode("utf-8", "replace")


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace").removesuffix("\n")


def failure_text(cause: str, command: str, where: str, output: Collector) -> str:
    """Return the official error text, with the place, and with a long command cut to its beginning.

    A whole script in an error hides the lines that say what went wrong.
    """
    lines = [line.rstrip() for line in command.splitlines() if line.strip() and not line.startswith("#!")]
    shown = "\n".join(lines)
    if len(shown) > _SHOWN_COMMAND:
        shown = shown[:_SHOWN_COMMAND].rstrip() + f" … ({len(command)} characters)"
    quoted = shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'{cause}: running "{quoted}" on {where}:\n{output.both}'


@dataclass(frozen=True)
class Variable:
    """An environment variable for the remote command. An `optional` one may be refused by the server."""

    name: str
    value: str
    optional: bool = False


@dataclass(frozen=True)
class Run:
    """What to run: its input, environment, and where its output goes."""

    command: str
    stdin: str
    variables: tuple[Variable, ...]
    output: Collector
