"""The entry `python -m onyx apply | remove | show`: settings on stdin, a report on stdout."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import NoReturn

from onyx.change import apply, remove
from onyx.diff import differences
from onyx.errors import Interrupted, OnyxError
from onyx.observe import open_session, read_switch
from onyx.wanted import parse_lines, read_access, read_former, read_wanted

_SESSION_S = 120.0
# Each port is verified by itself after a change.
_PORT_S = 6.0


def main(arguments: list[str]) -> int:
    """Run one command; return 0, or 1 after one sentence on standard error about what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m onyx", description="RoCE settings of an Onyx switch.")
    parser.add_argument("command", choices=("apply", "remove", "show"))
    chosen = parser.parse_args(arguments).command
    try:
        _run(chosen, sys.stdin.read())
    except OnyxError as error:
        print(f"onyx {chosen}: {error}", file=sys.stderr)
        return 1
    return 0


def _run(chosen: str, text: str) -> None:
    values = parse_lines(text)
    wanted = read_wanted(values)
    access = read_access(values, os.environ)
    deadline = _SESSION_S + _PORT_S * len(wanted.ports)
    if chosen == "show":
        found = read_switch(access, wanted, deadline).found
        for key in sorted(found):
            print(f"{key}: '{found[key]}'")
        for each in differences(found, wanted.lines()):
            print(f"differs: {each}", file=sys.stderr)
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    if chosen == "apply":
        apply(lambda: open_session(access, deadline), wanted, read_former(values, wanted), _say)
    else:
        remove(lambda: open_session(access, deadline), wanted, _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """End the change where it is, so that it is taken back; a second signal does not end that."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted("the change was interrupted.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
