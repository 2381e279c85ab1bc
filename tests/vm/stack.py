"""The stack of virtual machines as a person runs it."""

from __future__ import annotations

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

    def guests(self) -> list[Machine]:
        """Return the stack's guests that have files here."""
        return [Machine(one, self._files, STACK) for one in left(self._files) if one.stack == STACK]

    def processes(self) -> dict[str, int | None]:
        """Return the process of each of these guests, by the guest's name."""
        return {one.guest.name: one.pid for one in self.guests()}

    def machines(self) -> list[Machine]:
        """Return those that run."""
        return [one for one in self.guests() if one.pid is not None]
