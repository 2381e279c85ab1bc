"""Where the guests' files lie: images and one folder a guest below `.lab/vm`, sockets below /tmp."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.files import LAB, LabFiles

# What a guest's image is made from.
SOURCES = LAB / "vm" / "guest"
PREFIX = "rocestack-vm"


@dataclass(frozen=True)
class GuestFolder:
    """One guest's own files; they last until the guest is destroyed."""

    folder: Path

    @property
    def disk(self) -> Path:
        """What the guest has changed of its image."""
        return self.folder / "disk.qcow2"

    @property
    def spec(self) -> Path:
        """The lines by which the guest was started last."""
        return self.folder / "spec"

    @property
    def pid(self) -> Path:
        return self.folder / "pid"

    @property
    def console(self) -> Path:
        """All that the guest has printed on its serial console, over all its boots."""
        return self.folder / "console.log"


@dataclass(frozen=True)
class VmFiles:
    """The paths of everything that the virtual machines of one checkout are made of."""

    lab: LabFiles = field(default_factory=LabFiles)

    @property
    def folder(self) -> Path:
        # One name for it also where the checkout's folder is a link: a guest is known by its files' names.
        return self.lab.folder.resolve() / "vm"

    @property
    def images(self) -> Path:
        """Guest images, boot discs and data disks, each named by what it was made from."""
        return self.folder / "images"

    @property
    def choice(self) -> Path:
        """The accelerator that set-up chose, and why."""
        return self.folder / "accelerator"

    @property
    def log(self) -> Path:
        return self.lab.folder / "log"

    def guest(self, stack: str, name: str) -> GuestFolder:
        """Return the files of one guest of a stack."""
        return GuestFolder(self.folder / "guests" / stack / name)

    def switch(self, stack: str) -> GuestFolder:
        """Return the files of the program that switches a stack's data frames."""
        return GuestFolder(self.folder / "guests" / stack / ".switch")

    def sockets(self, stack: str) -> Path:
        """The folder of a stack's sockets: short, because a socket's path is limited to 107 bytes."""
        tag = hashlib.sha256(f"{self.folder}/{stack}".encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"{PREFIX}-{os.getuid()}-{tag}"


def own_folder(folder: Path) -> Path:
    """Have a folder that nobody else may use; LabError where somebody else has one of this name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LabError(f"{folder} is somebody else's, or others may use it.", "remove it, then try again.")
    return folder
