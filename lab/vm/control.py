"""Orders to a running guest's QEMU, over its control socket (QMP)."""

from __future__ import annotations

import json
import socket
from typing import Any

from lab.errors import LabError
from lab.vm.files import VmFiles
from lab.vm.guests import paths
from lab.vm.plan import Guest

_DEADLINE_S = 10.0


def set_link(guest: Guest, files: VmFiles, *, up: bool) -> str:
    """Plug in or pull the cable of the guest's data interface; return what is so now, in words."""
    order(guest, files, "set_link", {"name": "data", "up": up})
    return f"the data link of {guest.name} is {'plugged in' if up else 'pulled'}"


def order(guest: Guest, files: VmFiles, name: str, arguments: dict[str, Any]) -> Any:
    """Give one order and return its answer. Raises LabError when it is refused or nobody answers."""
    place = paths(guest, files).control(guest)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_DEADLINE_S)
            connection.connect(str(place))
            with connection.makefile("rwb") as stream:
                stream.readline()
                for command in ({"execute": "qmp_capabilities"}, {"execute": name, "arguments": arguments}):
                    stream.write(json.dumps(command).encode() + b"\n")
                    stream.flush()
                    answer = _answer(stream.readline)
    except OSError as error:
        raise LabError(
            f"{guest.name} takes no orders at {place}: {error}", "does it run? `python -m lab vm list`"
        ) from None
    if "error" in answer:
        raise LabError(f"{guest.name} refuses {name}: {answer['error'].get('desc', answer['error'])}")
    return answer.get("return")


def _answer(readline: Any) -> dict[str, Any]:
    """Return the next answer; what QEMU tells unasked (events) is passed over."""
    while True:
        line = readline()
        if not line:
            raise OSError("it hung up")
        answer: dict[str, Any] = json.loads(line)
        if "event" not in answer:
            return answer
