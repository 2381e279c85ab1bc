"""The entry `python -m onyx apply | remove | show`: settings on stdin, a report on stdout."""

from __future__ import annotations

import argparse
import os
import sys

from onyx.change import apply, remove
from onyx.diff import differences
from onyx.errors import OnyxError, WantedError
from onyx.observe import read_switch
from onyx.session import connect
from onyx.wanted import parse_lines, read_access, read_wanted

PASSWORD_VARIABLE = "ROCESTACK_SWITCH_PASSWORD"  # noqa: S105 - the variable's name, not a password
DEADLINE_S = 120.0


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
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        raise WantedError(f"the switch's password is missing: set the variable {PASSWORD_VARIABLE}")
    access = read_access(values, password)
    if chosen == "show":
        found = read_switch(access, DEADLINE_S)
        for key in sorted(found):
            print(f"{key}: '{found[key]}'")
        for each in differences(found, wanted.lines()):
            print(f"differs: {each}", file=sys.stderr)
        return
    act = apply if chosen == "apply" else remove
    with connect(access, DEADLINE_S) as session:
        act(session, wanted, lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
