"""Reads lines from a terminal as the switch does: it echoes by itself, when it reads, not when one types."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager

_ENTER = b"\r\n"
_BACKSPACE = b"\x7f\x08"
_INTERRUPT = b"\x03"
_END = b"\x04"
_CLEAR_LINE = b"\x15"
_ERASE_ONE = b"\x08 \x08"


class LineReader:
    """Takes lines from the terminal `source` and echoes them to `target` (file descriptors)."""

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = target
        self._ahead = b""

    def read(self) -> str | None:
        """Return one line without its end; None when the other side hung up or ended the input.

        An interrupt (Ctrl-C) drops the line and gives an empty one.
        """
        line = bytearray()
        while True:
            key = self.key()
            if key is None:
                return None
            if key in (_ENTER[:1], _ENTER[1:]):
                self._echo(b"\n")
                return line.decode(errors="replace")
            if key == _INTERRUPT:
                self._echo(b"^C\n")
                return ""
            if key == _END and not line:
                self._echo(b"\n")
                return None
            self._edit(line, key)

    def key(self) -> bytes | None:
        """Return one key without an echo; None when the other side hung up."""
        if not self._ahead:
            self._ahead = os.read(self._source, 4096)
            if not self._ahead:
                return None
        key, self._ahead = self._ahead[:1], self._ahead[1:]
        return key

    def _edit(self, line: bytearray, key: bytes) -> None:
        if key in (_BACKSPACE[:1], _BACKSPACE[1:]):
            if line:
                line.pop()
                self._echo(_ERASE_ONE)
        elif key == _CLEAR_LINE:
            self._echo(_ERASE_ONE * len(line))
            line.clear()
        elif key >= b" ":
            line += key
            self._echo(key)
        # Other control characters do nothing; a client may send a null byte to see whether we live.

    def _echo(self, data: bytes) -> None:
        os.write(self._target, data)


@contextmanager
def own_echo(terminal: int) -> Iterator[None]:
    """Let the program see each key and echo it itself, for the block; the terminal is as before after it."""
    before = termios.tcgetattr(terminal)
    changed = termios.tcgetattr(terminal)
    changed[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(terminal, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
