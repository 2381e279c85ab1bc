"""Chooses what runs the guests: KVM only where a guest was seen to boot with it, else QEMU's emulation.

`/dev/kvm` alone says too little: it may be there for guests with a kernel of their own kind only.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from lab.errors import LabError
from lab.progress import Reporter
from lab.vm import process
from lab.vm.files import VmFiles, own_folder
from lab.vm.guests import paths, stop
from lab.vm.plan import Guest, Media
from lab.vm.qemu import command
from settings import flat
from settings.guests import Accelerator

KVM = Path("/dev/kvm")
# What a guest prints on its console when it is up, and how long a real processor takes for that at most.
_UP = "login:"
PROBE_S = 60.0


@dataclass(frozen=True)
class Choice:
    """What runs the guests, and why; `known_by` names what the choice was made from."""

    accelerator: str
    reason: str
    known_by: str = ""


def choose(wanted: Accelerator, probe: Guest, media: Media, files: VmFiles, reporter: Reporter) -> Choice:
    """Return the choice, kept from an earlier set-up where nothing has changed since. Raises LabError.

    `probe` is a guest to boot for it; it gets a disk of its own and no network.
    """
    known_by = f"{wanted.value} {platform.release()} {media.image} {_version()}"
    kept = read(files)
    if kept is not None and kept.known_by == known_by:
        return kept
    choice = _choose(wanted, probe, files, reporter)
    choice = replace(choice, known_by=known_by)
    files.choice.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.choice.write_text(flat.render(vars(choice)))
    reporter.say("accelerator", f"{choice.accelerator}: {choice.reason}")
    return choice


def read(files: VmFiles) -> Choice | None:
    """Return the choice that set-up made, or None."""
    try:
        lines = flat.parse(files.choice.read_text())
        return Choice(lines["accelerator"], lines["reason"], lines["known_by"])
    except (OSError, ValueError, KeyError):
        return None


def _choose(wanted: Accelerator, probe: Guest, files: VmFiles, reporter: Reporter) -> Choice:
    if wanted is Accelerator.TCG:
        return Choice("tcg", "the stack wants it")
    refusal = _no_device()
    if not refusal:
        with reporter.long("accelerator", "a guest is booted with KVM to see whether it does"):
            refusal = _boots(replace(probe, accelerator="kvm"), files)
    if not refusal:
        return Choice("kvm", "a guest booted with it")
    if wanted is Accelerator.KVM:
        raise LabError(f"rocestack:lab.guests.accelerator is kvm, but {refusal}.", "auto takes what works.")
    return Choice("tcg", refusal)


def _no_device() -> str:
    if not KVM.exists():
        return f"there is no {KVM}"
    if not os.access(KVM, os.R_OK | os.W_OK):
        return f"this user may not use {KVM}"
    return ""


def _boots(probe: Guest, files: VmFiles) -> str:
    """Boot a guest that changes nothing; return why it did not come up, empty if it did."""
    place = paths(probe, files)
    own = files.guest(probe.stack, probe.name)
    shutil.rmtree(own.folder, ignore_errors=True)
    own.folder.mkdir(mode=0o700, parents=True)
    own_folder(place.sockets)
    # The image itself is the disk: what the guest writes goes with the process.
    argv = [*command(probe, replace(place, disk=place.image)), "-snapshot"]
    argv = [word.replace("format=qcow2,if=none,id=root", "format=raw,if=none,id=root") for word in argv]
    begun = time.monotonic()
    try:
        process.launch(probe.name, argv, own.pid)
        pause = 0.2
        while time.monotonic() - begun < PROBE_S:
            if own.console.exists() and _UP in own.console.read_text(errors="replace"):
                return ""
            if process.running(own.pid) is None:
                return f"a guest with KVM ended after {time.monotonic() - begun:.0f} s"
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        return f"a guest with KVM was not up after {PROBE_S:.0f} s"
    except LabError as error:
        # Without the guest's name, which says nothing here.
        said = error.what.splitlines()[0].partition(": ")[2]
        return f"a guest with KVM does not start ({said})"
    finally:
        stop(probe, files)


def _version() -> str:
    """Return what names the QEMU that is installed: another one is asked anew."""
    program = shutil.which("qemu-system-x86_64")
    if program is None:
        raise LabError("qemu-system-x86_64 is missing.", "run `make vmlab`, which installs it.")
    found = Path(program).stat()
    return f"{found.st_size}-{found.st_mtime_ns}"
