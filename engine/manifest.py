"""What a bundle holds and where it fits: its manifest, read and compared with a checkout and a machine."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import versions
from engine.go_build import Pins
from engine.paths import Checkout
from engine.python_env import REQUIREMENTS

FORMAT = 1
NAME = "manifest.json"
MEMBER = re.compile(r"(bin|images|photographs|plugins|wheels)/[A-Za-z0-9][A-Za-z0-9._+-]*")
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)")
# The names of before PEP 600, with the glibc that each stands for.
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file of the bundle: its size in bytes and its SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Pinned:
    """What a checkout asks for, and what a bundle was made from: they must be the same."""

    requirements: dict[str, list[str]]
    plugins: dict[str, str]
    cli: str
    language_host: str
    go_modules: str


@dataclass(frozen=True)
class Machine:
    """Where a bundle was made, or is used. `glibc` of a bundle: the oldest that its wheels take."""

    platform: str
    python: str
    glibc: str


@dataclass(frozen=True)
class Cli:
    """The CLI that a bundle carries; `detail` says how it was got."""

    version: str
    host_version: str
    detail: str


@dataclass(frozen=True)
class Manifest:
    """All that a bundle says of itself. `plugins`: official or dropin; `images`: tag → bytes in an engine."""

    commit: str
    machine: Machine
    pinned: Pinned
    cli: Cli
    plugins: str
    images: dict[str, int]
    files: dict[str, Entry]

    @property
    def unpacked(self) -> int:
        """The bytes of all files together."""
        return sum(entry.size for entry in self.files.values())

    def text(self) -> str:
        """Return the manifest as it stands in the bundle."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True) + "\n"


def parse(text: bytes) -> Manifest:
    """Read a manifest; ValueError says what is wrong with it."""
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']}, this checkout reads format {FORMAT}")
        manifest = Manifest(
            commit=str(found["commit"]),
            machine=Machine(**found["machine"]),
            pinned=Pinned(**found["pinned"]),
            cli=Cli(**found["cli"]),
            plugins=str(found["plugins"]),
            images={str(tag): int(size) for tag, size in found["images"].items()},
            files={str(name): Entry(**entry) for name, entry in found["files"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its {NAME} is not one of rocestack ({error})") from None
    for name, entry in manifest.files.items():
        if not MEMBER.fullmatch(name) or not _DIGEST.fullmatch(entry.sha256):
            raise ValueError(f"its {NAME} lists {name!r}, which no bundle holds")
    return manifest


def pinned(checkout: Checkout) -> Pinned:
    """Return what a checkout asks for."""
    pins = Pins.of(checkout)
    return Pinned(
        requirements={name: wanted((checkout.root / name).read_text()) for name in REQUIREMENTS},
        plugins=versions.pinned_plugins(checkout.root),
        cli=pins.cli_version,
        language_host=pins.host_version,
        go_modules=pins.digest(),
    )


def wanted(requirements: str) -> list[str]:
    """Return the lines of a requirements file that say something, without comments."""
    lines = (line.split("#", 1)[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line]


def machine() -> Machine:
    """Return this machine, as far as a bundle must fit it."""
    kind = f"{platform.system()}-{platform.machine()}".lower()
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):  # another C library than GNU's
        library = ""
    python = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"
    return Machine(kind, python, library.removeprefix("glibc "))


def oldest_glibc(wheels: Iterable[str]) -> str:
    """Return the oldest glibc that all wheels (file names) run on; `0` when none asks for one."""
    needed: versions.Version = (0,)
    for wheel in wheels:
        tag = wheel.removesuffix(".whl").rsplit("-", 1)[-1]
        # A wheel may name several; the oldest of them is enough for it.
        takes: list[versions.Version] = [(int(one), int(two)) for one, two in _MANYLINUX.findall(tag)]
        takes += [glibc for name, glibc in _LEGACY.items() if f"{name}_" in tag]
        if takes:
            needed = max(needed, min(takes))
    return versions.show(needed)


def misfit(manifest: Manifest, here: Machine, asked: Pinned) -> tuple[str, str]:
    """Return why a bundle does not fit and how to go on; two empty texts when it fits."""
    made = manifest.machine
    if made.platform != here.platform:
        return (
            f"it is for {made.platform}, this machine is {here.platform}",
            f"Run make bundle on a machine of {here.platform}.",
        )
    if made.python != here.python:
        return (
            f"it is for {made.python}, set-up runs on {here.python}",
            f"Run make PYTHON=/path/to/python{made.python.split()[-1]} setup BUNDLE=…, or make a bundle with "
            f"{here.python}.",
        )
    if not here.glibc or _numbers(made.glibc) > _numbers(here.glibc):
        return (
            f"its packages need glibc {made.glibc} or later, this machine has {here.glibc or 'another libc'}",
            "Make the bundle on a machine like this one.",
        )
    difference = _difference(manifest.pinned, asked)
    if difference:
        commit = f" (commit {manifest.commit[:12]})" if manifest.commit else ""
        return (
            difference,
            f"Make a bundle from this checkout, or check out what it was made from{commit}.",
        )
    return "", ""


def _difference(theirs: Pinned, ours: Pinned) -> str:
    """Return the first thing that a bundle was made from and that the checkout has otherwise."""
    for name, lines in ours.requirements.items():
        found = theirs.requirements.get(name, [])
        for line in sorted(set(lines) ^ set(found)):
            package = re.split(r"[=<>~! ]", line)[0]
            return (
                f"it was made for another version: it has {_line(found, package)}, "
                f"{name} of this checkout asks for {_line(lines, package)}"
            )
    if theirs.plugins != ours.plugins:
        return (
            f"it was made for other plugins: {_pairs(theirs.plugins)}; this checkout uses "
            f"{_pairs(ours.plugins)}"
        )
    if (theirs.cli, theirs.language_host) != (ours.cli, ours.language_host):
        return (
            f"it was made for another version: Pulumi CLI {theirs.cli}, language host "
            f"{theirs.language_host}; this checkout pins {ours.cli} and {ours.language_host}"
        )
    if theirs.go_modules != ours.go_modules:
        return "it was made from other Go modules than engine/go.mod and go.sum of this checkout pin"
    return ""


def _line(lines: list[str], package: str) -> str:
    found = [line for line in lines if re.split(r"[=<>~! ]", line)[0] == package]
    return found[0] if found else f"no {package}"


def _pairs(pairs: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(pairs.items()))


def _numbers(version: str) -> versions.Version:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def archive_name(manifest: Manifest, project: str) -> str:
    """Return the file name of a bundle: project's version, Pulumi's, platform and Python."""
    python = manifest.machine.python.split()[-1].replace(".", "")
    return (
        f"rocestack-bundle-{project}-pulumi{manifest.cli.version}-{manifest.machine.platform}"
        f"-cp{python}.tar.gz"
    )


def project_version(root: Path) -> str:
    """Return the version that pyproject.toml states."""
    found = re.search(r'^version = "([^"]+)"', (root / "pyproject.toml").read_text(), re.MULTILINE)
    return found.group(1) if found else "0"
