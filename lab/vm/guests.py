"""Starts and ends guests: a call brings one guest to what its lines say, or finds that it is so."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from lab.errors import LabError
from lab.vm import process
from lab.vm.files import GuestFolder, VmFiles, own_folder
from lab.vm.plan import Guest, guest_from
from lab.vm.qemu import Paths, command
from settings import flat


def paths(guest: Guest, files: VmFiles) -> Paths:
    """Return where all that the guest needs is on this machine."""
    own = files.guest(guest.stack, guest.name)
    return Paths(
        image=files.images / guest.image,
        loader=files.images / guest.loader,
        data=files.images / guest.data,
        disk=own.disk,
        console=own.console,
        pid=own.pid,
        sockets=files.sockets(guest.stack),
        host_key=files.lab.host_key(guest.name),
        client_key_pub=files.lab.client_key.with_name(files.lab.client_key.name + ".pub"),
    )


def start(guest: Guest, files: VmFiles) -> str:
    """Have the guest run as its lines say; return what was done, in a word.

    Another generation is another guest: it starts with an empty disk. Where only its size or its start
    differ, the guest keeps its disk, as a machine does that is switched off and on. One that runs all the
    same goes on: it was only cut off. Raises LabError.
    """
    own = files.guest(guest.stack, guest.name)
    kept = known(own)
    same = kept is not None and replace(kept, start=guest.start) == guest
    if same and process.running(own.pid) is not None:
        _have_switch(guest, files)
        own.spec.write_text(flat.render(guest.lines()))
        return "runs"
    process.end(own.pid)
    place = paths(guest, files)
    for needed in (place.image, place.loader, place.data, place.host_key):
        if not needed.exists():
            raise LabError(f"{guest.name}: {needed} is missing.", "run `make vmlab`, which makes it.")
    if kept is None or kept.generation != guest.generation or not own.disk.exists():
        shutil.rmtree(own.folder, ignore_errors=True)
        own.folder.mkdir(mode=0o700, parents=True)
        _new_disk(place)
    own_folder(place.sockets)
    _have_switch(guest, files)
    # Before it runs: one that is cut off here must be found again.
    own.spec.write_text(flat.render(guest.lines()))
    process.launch(guest.name, command(guest, place), own.pid)
    return "started"


def stop(guest: Guest, files: VmFiles) -> None:
    """End the guest and remove all that was its own; the last one of a stack takes the switch along."""
    own = files.guest(guest.stack, guest.name)
    process.end(own.pid)
    shutil.rmtree(own.folder, ignore_errors=True)
    stack = own.folder.parent
    if guest.switched and not [one for one in _folders(stack) if (one / "spec").exists()]:
        process.end(files.switch(guest.stack).pid)
        shutil.rmtree(files.switch(guest.stack).folder, ignore_errors=True)
    if stack.exists() and not _folders(stack):
        stack.rmdir()
        shutil.rmtree(files.sockets(guest.stack), ignore_errors=True)


def end_all(files: VmFiles) -> list[str]:
    """End all guests of all stacks and remove their files; return those that ran, as stack/name.

    It goes by the pid files alone, so that it ends those too whose lines cannot be read any more.
    """
    guests = files.folder / "guests"
    ran = [str(pid.parent.relative_to(guests)) for pid in sorted(guests.glob("*/*/pid")) if process.end(pid)]
    for stack in _folders(guests):
        shutil.rmtree(files.sockets(stack.name), ignore_errors=True)
        shutil.rmtree(stack)
    return ran


def known(own: GuestFolder) -> Guest | None:
    """Return the guest that was started last in this folder; None when there is none that can be read."""
    try:
        return guest_from(flat.parse(own.spec.read_text()))
    except (OSError, ValueError, LabError):
        return None


def left(files: VmFiles) -> list[Guest]:
    """Return every guest that has files here, of whatever stack."""
    found = [known(GuestFolder(spec.parent)) for spec in sorted(files.folder.glob("guests/*/*/spec"))]
    return [one for one in found if one is not None]


def _folders(parent: Path) -> list[Path]:
    return sorted(parent.iterdir()) if parent.is_dir() else []


def _new_disk(place: Paths) -> None:
    """Make a disk that holds what differs from the image; the image itself stays as it is."""
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(place.image), str(place.disk)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError as error:
        raise LabError(
            f"qemu-img cannot be started: {error.strerror}", "run `make vmlab`, which installs it."
        ) from None
    if done.returncode != 0:
        raise LabError(f"{place.disk} cannot be made: {done.stderr.strip()}")


def _have_switch(guest: Guest, files: VmFiles) -> None:
    """Have the program run that switches the frames of more than two guests; a pair needs none."""
    if not guest.switched:
        return
    own = files.switch(guest.stack)
    own.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # All guests of a stack start at once, and a second switch would take the first one's sockets.
    with (own.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if process.running(own.pid) is not None:
            return
        sockets = str(files.sockets(guest.stack))
        argv = [sys.executable, "-m", "lab.vm.switch", str(own.pid), sockets, str(guest.guests)]
        process.launch("the data network's switch", argv, own.pid, folder=files.lab.root)
