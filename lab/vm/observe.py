"""Looks at a stack's guests on this machine: which are there, which generation they are, whether they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.observe import NodeState, State
from lab.vm import process
from lab.vm.files import VmFiles
from lab.vm.guests import known
from lab.vm.plan import Guest


def observe(
    files: VmFiles, stack: str, names: Iterable[str], recorded: Mapping[str, int]
) -> dict[str, NodeState]:
    """Return the state of each named guest; `recorded` is the generation that the checkpoint knows.

    Absent is also a guest of another generation, or whose disk is gone; `stopped` is one whose process ended,
    `cut off` one that runs while the program that switches its frames has ended.
    """
    states = {}
    for name in names:
        own = files.guest(stack, name)
        guest = known(own) if own.disk.exists() else None
        if guest is None or guest.generation != recorded.get(name):
            states[name] = NodeState(name, "absent", guest.generation if guest is not None else None)
        else:
            states[name] = NodeState(name, _state(files, guest), guest.generation)
    return states


def _state(files: VmFiles, guest: Guest) -> State:
    if process.running(files.guest(guest.stack, guest.name).pid) is None:
        return "stopped"
    if guest.switched and process.running(files.switch(guest.stack).pid) is None:
        return "cut off"
    return "present"
