"""Stand-in for dkms: makes module files from the descriptions in a source folder, and keeps track of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.hardware.elf import module
from lab.hardware.state import Machine

SOURCES, TREE, MODULES = Path("/usr/src"), Path("/var/lib/dkms"), Path("/lib/modules")
ARCHITECTURE = "x86_64"
# As the original's statuses: nothing to work on, a build that failed, no headers.
_BAD_USE, _BUILD_FAILED, _NO_HEADERS = 2, 10, 21


class DkmsError(Exception):
    """dkms cannot go on: its text and its status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Source:
    """One version of one package of modules."""

    name: str
    version: str

    @property
    def folder(self) -> Path:
        return SOURCES / f"{self.name}-{self.version}"

    @property
    def kept(self) -> Path:
        """Where dkms remembers it."""
        return TREE / self.name / self.version

    def modules(self) -> list[str]:
        """The modules that its dkms.conf lists."""
        text = (self.folder / "dkms.conf").read_text()
        return re.findall(r'^BUILT_MODULE_NAME\[\d+\]="?([^"\n]+)"?$', text, re.MULTILINE)


def dkms(arguments: Sequence[str]) -> int:
    """Run one dkms command."""
    try:
        _run(list(arguments))
    except DkmsError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


@dataclass(frozen=True)
class Asked:
    """What a dkms command asks for."""

    command: str
    source: Source
    kernel: str


def parse(arguments: Sequence[str], running: str) -> Asked:
    """Return what is asked; the kernel is the `running` one unless another is named."""
    options, words = {"-m": "", "-v": "", "-k": ""}, []
    names = {"--module": "-m", "--kernelver": "-k"}
    rest = iter(arguments)
    for one in rest:
        flag, _, value = one.partition("=")
        flag = names.get(flag, flag)
        if flag in options:
            options[flag] = value or next(rest, "")
        elif not one.startswith("-"):
            words.append(one)
    if len(words) > 1 and not options["-m"]:
        # The short form: NAME/VERSION.
        options["-m"], _, given = words[1].partition("/")
        options["-v"] = options["-v"] or given
    source = Source(options["-m"], options["-v"])
    return Asked(words[0] if words else "", source, options["-k"] or running)


def _run(arguments: list[str]) -> None:
    asked = parse(arguments, str(Machine.here().runtime()["kernel"]))
    source, kernel = asked.source, asked.kernel
    if asked.command == "status":
        print(status(source.name), end="")
    elif asked.command in ("autoinstall", "forget"):
        for one in known():
            {"autoinstall": _install, "forget": _uninstall}[asked.command](one, kernel)
    elif asked.command in ("add", "remove"):
        _check(source)
        {"add": _add, "remove": _remove}[asked.command](source)
    elif asked.command in ("build", "install", "uninstall"):
        _check(source)
        {"build": _build, "install": _install, "uninstall": _uninstall}[asked.command](source, kernel)
    else:
        raise DkmsError(f"Error! Unknown action specified: {asked.command!r}", _BAD_USE)


def _check(source: Source) -> None:
    if not source.name or not source.version:
        raise DkmsError("Error! Arguments <module> and <module-version> are not specified.", _BAD_USE)


def known() -> list[Source]:
    """Return the sources that were added, by name and version."""
    return [Source(folder.parent.name, folder.name) for folder in sorted(TREE.glob("*/*")) if folder.is_dir()]


def status(name: str = "") -> str:
    """Return dkms status: one line a source and kernel."""
    lines = []
    for source in known():
        if name not in ("", source.name):
            continue
        built = sorted(folder.parent.name for folder in source.kept.glob(f"*/{ARCHITECTURE}"))
        lines += [
            f"{source.name}/{source.version}, {kernel}, {ARCHITECTURE}: "
            + ("installed" if _installed(source, kernel) else "built")
            for kernel in built
        ] or [f"{source.name}/{source.version}: added"]
    return "".join(f"{line}\n" for line in lines)


def _installed(source: Source, kernel: str) -> bool:
    return all(_target(kernel, name).exists() for name in source.modules())


def _target(kernel: str, name: str) -> Path:
    return MODULES / kernel / "updates" / "dkms" / f"{name}.ko"


def _add(source: Source) -> None:
    if not (source.folder / "dkms.conf").exists():
        raise DkmsError(
            f"Error! Could not find module source directory.\nDirectory: {source.folder} does not exist.",
            _BAD_USE,
        )
    if source.kept.exists():
        raise DkmsError(
            "Error! DKMS tree already contains: " + f"{source.name}-{source.version}\n"
            "You cannot add the same module/version combo more than once.",
            3,
        )
    source.kept.mkdir(parents=True)
    (source.kept / "source").symlink_to(source.folder)


def _build(source: Source, kernel: str) -> None:
    if not source.kept.exists():
        _add(source)
    if not (MODULES / kernel / "build").exists():
        raise DkmsError(
            f"Error! Your kernel headers for kernel {kernel} cannot be found.\n"
            f"Please install the linux-headers-{kernel} package or use the --kernelsourcedir option to tell "
            "DKMS where it's located.",
            _NO_HEADERS,
        )
    print("Building module:\nCleaning build area...")
    if Machine.here().fault("dkms-build-fails") is not None:
        log = source.kept / "build" / "make.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("make: *** [Makefile:81: modules] Error 2\n")
        raise DkmsError(
            f"Error! Bad return status for module build on kernel: {kernel} ({ARCHITECTURE})\n"
            f"Consult {log} for more information.",
            _BUILD_FAILED,
        )
    built = source.kept / kernel / ARCHITECTURE / "module"
    built.mkdir(parents=True, exist_ok=True)
    for name in source.modules():
        info: dict[str, str | list[str]] = {}
        for line in (source.folder / f"{name}.modinfo").read_text().splitlines():
            key, _, value = line.partition("=")
            info[key] = value
        info |= {"name": name.replace("-", "_"), "vermagic": f"{kernel} SMP preempt mod_unload modversions"}
        (built / f"{name}.ko").write_bytes(module(info))


def _install(source: Source, kernel: str) -> None:
    built = source.kept / kernel / ARCHITECTURE / "module"
    if not built.exists():
        _build(source, kernel)
    for name in source.modules():
        target = _target(kernel, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        print(f"{name}.ko:\nRunning module version sanity check.\n - Installing to {target.parent}/")
        shutil.copyfile(built / f"{name}.ko", target)
    subprocess.run(["/sbin/depmod", kernel], check=True)


def _uninstall(source: Source, kernel: str) -> None:
    for name in source.modules():
        _target(kernel, name).unlink(missing_ok=True)
    folder = MODULES / kernel / "updates" / "dkms"
    for empty in (folder, folder.parent):
        if empty.exists() and not any(empty.iterdir()):
            empty.rmdir()
    shutil.rmtree(source.kept / kernel, ignore_errors=True)
    if (MODULES / kernel).exists():
        subprocess.run(["/sbin/depmod", kernel], check=True)


def _remove(source: Source) -> None:
    if not source.kept.exists():
        raise DkmsError(
            f"Error! The module/version combo: {source.name}-{source.version} "
            "is not located in the DKMS tree.",
            3,
        )
    for folder in sorted(source.kept.glob(f"*/{ARCHITECTURE}")):
        _uninstall(source, folder.parent.name)
    shutil.rmtree(source.kept)
    if not any(source.kept.parent.iterdir()):
        source.kept.parent.rmdir()
