"""The terminal side of the switch's command line: reads lines, prints answers, page by page.

sshd runs it as a login shell: without arguments for an interactive session, with `-c <command>` for
`ssh host command`.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from . import pager
from .editor import LineReader, own_echo
from .fabric import AGENT_FILE, SYSFS, MachineFabric
from .model import Switch
from .session import Session
from .store import FileStore, machine_boot

STATE_FOLDER = Path("/var/lib/onyx")
BANNER = "\nMellanox {product} Switch Management\n\n"
_NO_SHELL = "UNIX shell commands cannot be executed using this account."


def main(arguments: list[str]) -> int:
    """Run one session on standard input and output; return the exit status of the login shell.

    Tests point it elsewhere by the environment: ONYX_STATE_DIR, ONYX_HOSTNAME, ONYX_SYSFS, ONYX_AGENT_FILE.
    """
    fabric = MachineFabric(
        Path(os.environ.get("ONYX_SYSFS", SYSFS)), Path(os.environ.get("ONYX_AGENT_FILE", AGENT_FILE))
    )
    store = open_store(fabric)
    session = Session(store, fabric, store.release, _now)
    banner = BANNER.format(product=store.release.product)
    if arguments:
        return _batch(session, banner, arguments)
    terminal = sys.stdin.isatty()
    reader = LineReader(sys.stdin.fileno(), sys.stdout.fileno())
    _write(banner)
    try:
        with own_echo(sys.stdin.fileno()) if terminal else nullcontext():
            _dialogue(session, reader if terminal else None)
    except OSError:
        # The client hung up: there is nobody left to tell.
        return 1
    return 0


def open_store(fabric: MachineFabric) -> FileStore:
    """Return the store of this machine's switch; its first state splits the sockets that the cables need."""
    folder = Path(os.environ.get("ONYX_STATE_DIR", STATE_FOLDER))
    hostname = os.environ.get("ONYX_HOSTNAME", os.uname().nodename)
    return FileStore(folder, machine_boot(), lambda: Switch.factory(hostname, splits=fabric.split_sockets()))


def _batch(session: Session, banner: str, arguments: list[str]) -> int:
    """Carry out `ssh host cli "<command>" …`; all commands may also be quoted once more."""
    words = shlex.split(arguments[1]) if arguments[0] == "-c" and len(arguments) == 2 else []
    if words[:1] != ["cli"]:
        print(f"{banner.lstrip()}{_NO_SHELL}", end="\n")
        return 1
    commands = [word for word in words[1:] if word != "-h"]
    if len(commands) == 1 and commands[0].startswith('"'):
        commands = shlex.split(commands[0])
    for command in commands:
        _write(session.handle(command))
        if session.ended:
            break
    return 0


def _dialogue(session: Session, reader: LineReader | None) -> None:
    """Take lines until the session ends; without a reader, plain ones from standard input."""
    while not session.ended:
        time.sleep(session.delay())
        _write(session.prompt())
        line = reader.read() if reader else _plain_line()
        if line is None:
            return
        answer = session.handle(line)
        key = reader.key if reader else _no_key
        pager.show(answer, _screen_lines() if session.paging and reader else 0, _write, key)


def _no_key() -> bytes | None:
    return None


def _plain_line() -> str | None:
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def _now() -> str:
    return time.strftime("%Y/%m/%d %H:%M:%S +0000", time.gmtime())


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _screen_lines() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
