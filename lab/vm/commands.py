"""The commands of virtual machines, ``python -m lab vm …``: the stack's own steps, and a person's."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lab.errors import LabError
from lab.files import LabFiles
from lab.vm import accelerator, process
from lab.vm.files import VmFiles
from lab.vm.guests import left, start, stop
from lab.vm.plan import Guest, guest_from
from settings import flat

# Whose guests `up` and `down` are.
STACK = "vmlab"
_USAGE = """usage: python -m lab vm COMMAND
  setup              make what the guests need
  start | stop       one guest, by the lines on stdin (the stack's own steps)
  up | down          all guests of Pulumi.vmlab.yaml, without the stack: for a look, and for tests
  list               what is there, and what runs it
  cable NAME on|off  plug in the guest's data link, or pull it
  clean              end all guests and remove their files
"""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status. Raises LabError or SettingsError."""
    files = VmFiles()
    match arguments:
        case ["setup"]:
            from lab.vm.setup import setup  # noqa: PLC0415  (start and stop run once a guest)

            setup(files)
        case ["start"]:
            guest = _given()
            start(guest, files)
            # No time and no pid in it: the text is recorded, and must not differ from run to run.
            print(f"{guest.name} runs, by {guest.accelerator}")
        case ["stop"]:
            stop(_given(), files)
        case ["up"]:
            _up(files)
        case ["down"]:
            for guest in (one for one in left(files) if one.stack == STACK):
                stop(guest, files)
                print(f"{guest.name} ended")
        case ["list"]:
            print(listing(files), end="")
        case ["cable", name, "on" | "off" as state]:
            from lab.vm.control import set_link  # noqa: PLC0415

            print(set_link(_named(name, files), files, up=state == "on"))
        case ["clean"]:
            from lab.vm.setup import clean  # noqa: PLC0415

            clean(files)
        case _:
            print(_USAGE, end="", file=sys.stderr)
            return 64
    return 0


def listing(files: VmFiles) -> str:
    """Return a line for the accelerator and one for each guest that has files here."""
    choice = accelerator.read(files)
    lines = [
        f"accelerator  {choice.accelerator}: {choice.reason}" if choice else "accelerator  not chosen yet"
    ]
    for guest in left(files):
        pid = process.running(files.guest(guest.stack, guest.name).pid)
        state = f"runs as process {pid}" if pid else "stopped"
        lines.append(
            f"{guest.name:<12} {state}, stack {guest.stack}, generation {guest.generation}, "
            f"port {guest.port}, {guest.accelerator}"
        )
    return "".join(f"{line}\n" for line in lines)


def _given() -> Guest:
    try:
        return guest_from(flat.parse(sys.stdin.read()))
    except ValueError as error:
        raise LabError(f"`lab vm` did not understand its input: {error}") from None


def _named(name: str, files: VmFiles) -> Guest:
    found = {one.name: one for one in left(files)}
    if name not in found:
        raise LabError(f"There is no guest {name}.", f"there are: {', '.join(sorted(found)) or 'none'}.")
    return found[name]


def _up(files: VmFiles) -> None:
    from lab.keys import login, public_key  # noqa: PLC0415
    from lab.plan import Kind  # noqa: PLC0415
    from lab.vm.setup import experiment, setup  # noqa: PLC0415
    from lab.wait import Target, wait  # noqa: PLC0415

    guests = experiment(setup(files), files)
    for guest in guests.values():
        print(f"{guest.name}: {start(guest, files)}", flush=True)
    lab = LabFiles()
    for guest in guests.values():
        key = public_key(lab.host_key(guest.name))
        took = wait(Target(guest.name, Kind.GUEST, guest.port, key, guest.stack), lab)
        where = login(lab, guest.stack, str(guest.port))
        print(f"{guest.name} answers after {took:.0f} s: {where}", flush=True)
