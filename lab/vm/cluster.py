"""The guests as Pulumi resources: one that has the machine run, and one that waits until it answers."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_command import local

from lab.files import LabFiles
from lab.keys import public_key
from lab.plan import Kind
from lab.vm.plan import Guest
from settings import flat


class Guests(pulumi.ComponentResource):
    """The virtual machines of a stack; `nodes` has, for each, the resource after which its SSH answers.

    A guest changes in place: `lab vm start` sees by the lines whether it is another machine, which gets an
    empty disk, or the same one started again.
    """

    def __init__(
        self, name: str, guests: Mapping[str, Guest], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("rocestack:lab:Guests", name, None, opts)
        files = LabFiles()
        self.nodes: dict[str, pulumi.Resource] = {}
        for guest in guests.values():
            machine = local.Command(
                guest.name,
                create="python -m lab vm start",
                update="python -m lab vm start",
                delete="python -m lab vm stop",
                stdin=flat.render(guest.lines()),
                add_previous_output_in_env=False,
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
            )
            self.nodes[guest.name] = self._ready(guest, machine, files)
        self.register_outputs({"guests": sorted(self.nodes)})

    def _ready(self, guest: Guest, machine: pulumi.Resource, files: LabFiles) -> local.Command:
        lines = {
            **guest.lines(),
            "kind": Kind.GUEST.value,
            "host_key": public_key(files.host_key(guest.name)),
        }
        return local.Command(
            f"{guest.name}/ready",
            create="python -m lab wait",
            update="python -m lab wait",
            stdin=flat.render(lines),
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[machine], deleted_with=machine),
        )
