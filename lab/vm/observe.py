"""Looks at a stack's guests on this machine: which are there, which generation they are, whether they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.observe import NodeState
from lab.vm import process
from lab.vm.files import VmFiles
from lab.vm.guests import known


def observe(
    files: VmFiles, stack: str, names: Iterable[str], recorded: Mapping[str, int]
) -> dict[str, NodeState]:
    """Return the state of each named guest; `recorded` is the generation that the checkpoint knows.

    Absent is also a guest of another generation, or whose disk is gone; `stopped` is one whose process ended.
    """
    states = {}
    for name in names:
        own = files.guest(stack, name)
        guest = known(own) if own.disk.exists() else None
        if guest is None or guest.generation != recorded.get(name):
            states[name] = NodeState(name, "absent", guest.generation if guest is not None else None)
        else:
            runs = process.running(own.pid) is not None
            states[name] = NodeState(name, "present" if runs else "stopped", guest.generation)
    return states
