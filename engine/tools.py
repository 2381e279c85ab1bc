"""Programs of the distribution that set-up and the lab call: all looked for, and installed, at one place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import distro, python_env
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter

# program → Debian package
REQUIRED = {"docker": "docker.io", "ssh-keygen": "openssh-client", "openssl": "openssl"}
# Needed where no Docker engine answers and we start one.
OWN_ENGINE = {"dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2"}
# Needed where the nodes' image is not in the engine and no registry can be reached to pull its base from.
BASE_IMAGE = {"mmdebstrap": "mmdebstrap"}
# What the lab of virtual machines needs beside these: QEMU with its firmware, and what makes guests' disks.
GUESTS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "grub-mkrescue": "grub-common",
    "xorriso": "xorriso",
    "mformat": "mtools",
}
GUEST_FILES = {
    Path("/usr/share/seabios/bios-256k.bin"): "seabios",
    Path("/usr/lib/grub/i386-pc/boot.img"): "grub-pc-bin",
}
# What the tests of the image's preload library compile it with; nothing else needs a compiler.
COMPILER = {"gcc": "gcc", "readelf": "binutils"}
HEADERS = {"stdlib.h": "libc6-dev", "infiniband/verbs.h": "libibverbs-dev"}
INCLUDE = Path("/usr/include")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

Which = Callable[[str], str | None]


@dataclass(frozen=True)
class Missing:
    """What is not here: program → package. The lab can perhaps do without the `useful` ones."""

    required: dict[str, str]
    useful: dict[str, str]

    @property
    def packages(self) -> list[str]:
        return sorted({*self.required.values(), *self.useful.values()})


def missing(which: Which, *, own_engine: bool, base_image: bool) -> Missing:
    """Return the programs that `which` does not find.

    `own_engine`: an engine of our own will be started; `base_image`: the nodes' image has to be made.
    """
    required = {**REQUIRED, **(OWN_ENGINE if own_engine else {})}
    return Missing(_absent(required, which), _absent(BASE_IMAGE if base_image else {}, which))


def _absent(programs: Mapping[str, str], which: Which) -> dict[str, str]:
    return {program: package for program, package in programs.items() if not which(program)}


def ensure(checkout: Checkout, reporter: Reporter, *, own_engine: bool, base_image: bool) -> None:
    """Install what is missing, all at once and before anything else; EngineError names all of it."""
    found = missing(shutil.which, own_engine=own_engine, base_image=base_image)
    venv = python_env.missing_package()
    if venv and not python_env.is_made(checkout):
        found.required["Python's modules venv and ensurepip"] = venv
    if base_image and not KEYRING.exists():
        found.useful["Debian's archive keys"] = "debian-archive-keyring"
    if not found.packages:
        return
    if distro.can_install():
        _install(checkout, reporter, found)
    elif found.required:
        names = ", ".join(f"{program} (package {package})" for program, package in found.required.items())
        raise EngineError(
            f"This machine lacks {names}. Nothing was changed.",
            distro.how_to_install(sorted(set(found.required.values()))),
        )
    else:
        names = ", ".join(found.useful)
        reporter.say("packages", f"not here: {names}; the nodes' base image must then be pulled")


def missing_for_tests(which: Which, include: Path) -> list[str]:
    """Return the packages that the tests need and that are not here: compiler, and headers in `include`."""
    absent = {package for name, package in HEADERS.items() if not (include / name).exists()}
    return sorted({*_absent(COMPILER, which).values(), *absent})


def ensure_for_tests(checkout: Checkout, reporter: Reporter) -> None:
    """Install what only the tests need; EngineError names what cannot be installed."""
    packages = missing_for_tests(shutil.which, INCLUDE)
    if packages:
        distro.install(checkout, reporter, packages)


def missing_for_guests(which: Which, exists: Callable[[Path], bool], *, root: bool) -> list[str]:
    """Return the packages that the lab of virtual machines needs and that are not here.

    Who is not `root` makes the guests' files as root of a namespace, whose ids newuidmap hands out.
    """
    programs = GUESTS if root else {**GUESTS, "newuidmap": "uidmap"}
    files = {package for path, package in GUEST_FILES.items() if not exists(path)}
    keyring = set() if exists(KEYRING) else {"debian-archive-keyring"}
    return sorted({*_absent(programs, which).values(), *files, *keyring})


def ensure_for_guests(checkout: Checkout, reporter: Reporter) -> None:
    """Install what only the lab of virtual machines needs; EngineError names what cannot be installed."""
    packages = missing_for_guests(shutil.which, Path.exists, root=os.geteuid() == 0)
    if packages:
        distro.install(checkout, reporter, packages)


def _install(checkout: Checkout, reporter: Reporter, found: Missing) -> None:
    try:
        distro.install(checkout, reporter, found.packages)
    except EngineError as error:
        if found.required:
            raise
        reporter.say("packages", f"going on without {', '.join(found.useful)}: {error.what.splitlines()[0]}")
