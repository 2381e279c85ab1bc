"""The virtual machines' part of set-up: keys, images, accelerator; only what is missing."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

from lab.errors import LabError
from lab.files import ROOT
from lab.image import connect, ensure_image
from lab.keys import ensure_keys, public_key, write_known_hosts
from lab.plan import ports
from lab.preflight import check_ports, check_subnets
from lab.progress import Reporter, clock
from lab.setup import bridges, ipv4_addresses, published, subnets
from lab.vm import accelerator, process
from lab.vm.commands import STACK as STACK_NAME
from lab.vm.files import VmFiles
from lab.vm.guests import end_all, known, left
from lab.vm.image import ensure_media, sweep
from lab.vm.plan import Guest, plan_guests
from settings.guests import Accelerator, LabBackend
from settings.loader import load_file
from settings.models import Stack

# The guest that is booted to see which accelerator works is of no stack.
_PROBE = "probe"


def load() -> Stack:
    """Return the settings of the lab of virtual machines; SettingsError when they are wrong."""
    return load_file(ROOT / f"Pulumi.{STACK_NAME}.yaml")


def setup(files: VmFiles) -> dict[str, Guest]:
    """Make everything that the guests need, and return them as planned. Raises LabError or SettingsError."""
    begun = time.monotonic()
    reporter = Reporter("vm-setup")
    stack = load()
    wanted = ports(stack)
    running = {one.port for one in left(files) if process.running(files.guest(one.stack, one.name).pid)}
    client = connect()
    try:
        ours, containers = published(client, STACK_NAME)
        check_ports({f"SSH of {name}": port for name, port in wanted.items()}, ours | running, containers)
        check_subnets(subnets(stack), ipv4_addresses(), bridges(client, STACK_NAME))
        made = ensure_keys(files.lab, wanted)
        if made:
            reporter.say("keys", "made " + ", ".join(made))
        write_known_hosts(files.lab, wanted, STACK_NAME)
        ensure_image(client, files.lab, reporter)
    finally:
        client.close()
    guests = _guests(stack, files, reporter)
    reporter.say("vm-setup", f"ready after {clock(time.monotonic() - begun)}: {len(guests)} guests")
    return guests


def _guests(stack: Stack, files: VmFiles, reporter: Reporter) -> dict[str, Guest]:
    wanted = _wanted(stack)
    media = ensure_media(files, reporter)
    used = {name for one in left(files) for name in (one.image, one.loader, one.data)}
    for name in sweep(files, {media.image, media.loader, media.data} | used):
        reporter.say("images", f"{name} removed: it is of older files")
    keys = {host.name: public_key(files.lab.host_key(host.name)) for host in stack.hosts}
    client_key = public_key(files.lab.client_key)
    texts = {name: f"{key} {client_key}" for name, key in keys.items()}
    draft = plan_guests(stack, STACK_NAME, media, "tcg", texts)
    first = next(iter(draft.values()))
    # Any free port: the probe may be booted beside a running lab.
    probe = replace(first, stack=_PROBE, port=0)
    choice = accelerator.choose(wanted, probe, media, files, reporter)
    return {name: replace(one, accelerator=choice.accelerator) for name, one in draft.items()}


def _wanted(stack: Stack) -> Accelerator:
    if stack.lab is None or stack.lab.backend is not LabBackend.VM:
        raise LabError(
            f"The stack {STACK_NAME} has no virtual machines.", "set rocestack:lab.backend to vm in its file."
        )
    return stack.lab.guests.accelerator


def clean(files: VmFiles) -> None:
    """End every guest that is left, and remove all that set-up made for guests."""
    reporter = Reporter("clean")
    for name in end_all(files):
        reporter.say("guests", f"{name} ended")
    if files.folder.exists():
        shutil.rmtree(files.folder)
        reporter.say("guests", "images removed")


def experiment(guests: dict[str, Guest], files: VmFiles) -> dict[str, Guest]:
    """Return the guests as they are to be started without a stack: those that are there keep their disks."""
    found = {}
    for name, guest in guests.items():
        kept = known(files.guest(guest.stack, name))
        same = kept is not None and kept.fingerprint == guest.fingerprint
        generation = (kept.generation if same else kept.generation + 1) if kept is not None else 1
        found[name] = replace(guest, generation=generation)
    return found
