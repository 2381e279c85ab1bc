"""The terminal side of the switch's command line: reads lines, prints answers page by page."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from .editor import LineReader, own_echo
from .session import Session
from .store import FileStore, machine_boot

STATE_FOLDER = Path("/var/lib/onyx")
BANNER = "\nMellanox Onyx Switch Management (lab stand-in)\n\n"


def main(arguments: list[str]) -> int:
    """Run one session on standard input and output; return the exit status of the login shell."""
    if arguments:
        print("% This switch takes commands in an interactive session only.", file=sys.stderr)
        return 1
    folder = Path(os.environ.get("ONYX_STATE_DIR", STATE_FOLDER))
    session = Session(FileStore(folder, os.uname().nodename, machine_boot()), now=_now)
    terminal = sys.stdin.isatty()
    read_line = LineReader(sys.stdin.fileno(), sys.stdout.fileno()).read if terminal else _plain_line
    try:
        with own_echo(sys.stdin.fileno()) if terminal else nullcontext():
            _dialogue(session, read_line)
    except OSError:
        # The client hung up: there is nobody left to tell.
        return 1
    return 0


def _dialogue(session: Session, read_line: Callable[[], str | None]) -> None:
    sys.stdout.write(BANNER)
    while not session.ended:
        _show(session.prompt())
        line = read_line()
        if line is None:
            return
        _print(session.handle(line), session.paging, read_line)


def _plain_line() -> str | None:
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def _now() -> str:
    return time.strftime("%Y/%m/%d %H:%M:%S +0000", time.gmtime())


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _print(text: str, paging: bool, read_line: Callable[[], str | None]) -> None:
    """Print an answer; with paging on, wait for Enter after each screen of it; q leaves out the rest."""
    lines = text.splitlines(keepends=True)
    page = _screen_lines() - 1 if paging else 0
    if page < 1 or len(lines) <= page:
        _show(text)
        return
    for start in range(0, len(lines), page):
        _show("".join(lines[start : start + page]))
        if start + page >= len(lines):
            return
        _show(f"lines {start + 1}-{start + page} ")
        answer = read_line()
        if answer is None or answer.strip().lower() == "q":
            return


def _screen_lines() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
