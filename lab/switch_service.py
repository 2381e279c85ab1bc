"""Reaches a lab switch behind its command line, by the operator's engine: faults, release, counters."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import cast

from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from lab.errors import LabError
from lab.files import ROOT
from lab.image import connect
from lab.setup import STACK_NAME
from settings.loader import load_file

_PROGRAM = "/opt/onyx/service"


def run(arguments: Sequence[str]) -> int:
    """Carry out one of the service's commands in a switch's container; return its exit status.

    The first argument may name the switch, and has to where the lab has several. Raises LabError when it
    does not, when that switch is not there now, or when no engine answers.
    """
    stack = load_file(ROOT / f"Pulumi.{STACK_NAME}.yaml")
    name, command = chosen([one.name for one in stack.all_switches], arguments)
    client = connect()
    try:
        status, output = client.containers.get(name).exec_run([_PROGRAM, *command], demux=True)
    except NotFound:
        raise LabError(f"The lab has no switch {name} now.", "`pulumi up --stack lab` makes it.") from None
    except (DockerException, RequestException) as error:
        raise LabError(f"The engine does not run a program on {name}: {error}") from None
    finally:
        client.close()
    # With `demux` the output is a pair, each part None when nothing came that way.
    said, complained = cast(tuple[bytes | None, bytes | None], output)
    sys.stdout.write((said or b"").decode(errors="replace"))
    sys.stderr.write((complained or b"").decode(errors="replace"))
    return 1 if status is None else status


def chosen(names: Sequence[str], arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return which of the lab's switches is meant, and the command; LabError when that is not clear."""
    if arguments and arguments[0] in names:
        return arguments[0], arguments[1:]
    if len(names) > 1:
        raise LabError(
            f"The lab has several switches: {', '.join(names)}.",
            f"name one first, such as `python -m lab switch {names[0]} faults`.",
        )
    return names[0], arguments
