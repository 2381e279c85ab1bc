"""The lab of virtual machines in the program: observes the guests, declares them, says how to log in."""

from __future__ import annotations

from dataclasses import replace

import pulumi

from components.cluster import Machines
from facts.checkpoint import Checkpoint
from lab.cluster import Lab
from lab.errors import LabError
from lab.files import LabFiles
from lab.keys import public_key
from lab.observe import NodeState
from lab.program import access, judge_containers, next_generation, tell_absent
from lab.tarballs import archives
from lab.vm import accelerator
from lab.vm.cluster import Guests
from lab.vm.files import VmFiles
from lab.vm.image import DATA_FOLDER, media
from lab.vm.observe import observe
from lab.vm.plan import Guest, guest_from, plan_guests
from settings import flat
from settings.dataset import Archive
from settings.models import Stack

_COMMAND = "command:local:Command"
# What `start` mends without another disk.
_MENDED = ("stopped", "cut off")
# What stands in for hardware; lab/README.md says what each does and does not.
STANDINS = (
    "switch command line (Onyx), which carries none of the guests' frames",
    "data network: a socket between two processes, no card and no cable",
    "RDMA card: the kernel's own device in software (rxe)",
)


def open_guests(stack: Stack, stack_name: str, recorded: Checkpoint, files: LabFiles) -> Machines:
    """Declare the switches' containers and the guests of `stack`, and return all of its machines.

    Raises LabError when set-up has not made what they need.
    """
    generations, absent = judge_containers(stack, stack_name, recorded, files)
    containers = Lab(stack_name, stack, generations)
    planned, gone = _judged(stack, stack_name, recorded, files)
    guests = Guests(stack_name, planned)
    hosts, switches = access(stack, stack_name, files)
    one = next(iter(planned.values()))
    return Machines(
        hosts=hosts,
        switches=switches,
        nodes={**containers.nodes, **guests.nodes},
        generations={**generations, **{name: guest.generation for name, guest in planned.items()}},
        absent=absent | gone,
        standins=(f"processor of the guests: {_processor(one)}", *STANDINS),
        stack=complete(stack, files),
    )


def complete(stack: Stack, files: LabFiles) -> Stack:
    """Return the stack with the archives of the data filled in: they are on a disk of each guest."""
    found = archives(files, DATA_FOLDER)
    given = {name: Archive.model_validate(one) for name, one in found.items()}
    missing = {name: one for name, one in given.items() if getattr(stack.dataset, name) is None}
    return stack.model_copy(update={"dataset": stack.dataset.model_copy(update=missing)})


def _judged(
    stack: Stack, stack_name: str, recorded: Checkpoint, files: LabFiles
) -> tuple[dict[str, Guest], frozenset[str]]:
    """Return the guests as they are to be in this run, and those that are not there now."""
    vm = VmFiles(files)
    wanted = media(vm)
    for name in (wanted.image, wanted.loader, wanted.data):
        if not (vm.images / name).exists():
            raise LabError(f"The guests' file {name} is missing.", "run `make vm-setup`.")
    choice = accelerator.read(vm)
    if choice is None:
        raise LabError("It is not known what can run the guests.", "run `make vm-setup`; it finds out.")
    keys = {host.name: _keys(files, host.name) for host in stack.hosts}
    draft = plan_guests(stack, stack_name, wanted, choice.accelerator, keys)
    known = {name: _recorded(recorded, name) for name in draft}
    numbers = {name: one.generation if one is not None else 0 for name, one in known.items()}
    found = observe(vm, stack_name, draft, numbers)
    planned = {name: judge(guest, known[name], found[name]) for name, guest in draft.items()}
    absent = {name for name, guest in planned.items() if guest.generation != numbers[name]}
    for name, one in known.items():
        if one is not None and found[name].state == "absent":
            tell_absent(name, one.generation)
        if found[name].state in _MENDED and name not in absent:
            state = found[name].state
            pulumi.log.warn(f"drift: lab machine {name}: found {state}, wanted running; `up` mends it")
    return planned, frozenset(absent)


def judge(wanted: Guest, recorded: Guest | None, found: NodeState) -> Guest:
    """Return the guest of this run: with its generation, and the count of its starts.

    One that ended is started again on its own disk, and one that was cut off gets its switch; one that is
    gone, or is to be made of something else, comes back empty.
    """
    if recorded is None:
        return replace(wanted, generation=next_generation(0, found, False))
    changed = recorded.fingerprint != wanted.fingerprint
    generation = next_generation(recorded.generation, found, changed)
    if generation != recorded.generation:
        return replace(wanted, generation=generation)
    return replace(wanted, generation=generation, start=recorded.start + (found.state in _MENDED))


def _recorded(checkpoint: Checkpoint, name: str) -> Guest | None:
    """Return the guest that was last applied, or None if there was none (that can be read)."""
    text = checkpoint.text(_COMMAND, name, "stdin")
    try:
        return guest_from(flat.parse(text)) if text is not None else None
    except (ValueError, LabError):
        return None


def _keys(files: LabFiles, name: str) -> str:
    return f"{public_key(files.host_key(name))} {public_key(files.client_key)}"


def _processor(guest: Guest) -> str:
    if guest.accelerator == "kvm":
        return "this machine's, by KVM"
    return "emulated by QEMU (TCG), so that no time measured there is a result"
