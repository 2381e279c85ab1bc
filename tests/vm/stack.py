"""The stack of virtual machines as a person runs it."""

from __future__ import annotations

from lab.vm import process
from lab.vm.commands import STACK
from lab.vm.files import VmFiles
from lab.vm.guests import left
from tests.stack_commands import StackCommands
from tests.vm.guest import Machine

NAMES = ("clx-vm-41", "clx-vm-42")
UP_S = 1800


class VmCluster(StackCommands):
    """Runs the tools, and finds the guests' processes."""

    def __init__(self, files: VmFiles) -> None:
        super().__init__(STACK)
        self._files = files

    def processes(self) -> dict[str, int | None]:
        """Return the process of each of the stack's guests that has files here, by the guest's name."""
        mine = [one for one in left(self._files) if one.stack == STACK]
        return {one.name: process.running(self._files.guest(one.stack, one.name).pid) for one in mine}

    def machines(self) -> list[Machine]:
        """Return the stack's guests that run."""
        running = self.processes()
        mine = [one for one in left(self._files) if one.stack == STACK and running[one.name] is not None]
        return [Machine(one, self._files, STACK) for one in mine]
