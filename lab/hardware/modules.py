"""Kernel modules of a node: lsmod, modprobe, modinfo and rmmod over the node's own module tree.

The real kmod tools find files, dependencies and blacklists; which modules are in is the node's state.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.hardware.elf import module_info
from lab.hardware.state import Machine, State

_MODPROBE, _MODINFO = "/sbin/modprobe", "/sbin/modinfo"
# As modules of this size are seen on such hosts, in bytes.
_SIZES: Mapping[str, int] = {
    "nouveau": 1716224, "nvidia": 14360576, "nvidia_modeset": 1093632, "nvidia_drm": 40960,
    "nvidia_uvm": 757760, "mlx5_core": 1183744, "mlx5_ib": 331776, "ib_core": 323584,
    "ib_uverbs": 131072, "ib_cm": 53248, "rdma_cm": 61440, "rdma_ucm": 26624, "iw_cm": 45056,
    "mlxfw": 20480, "drm": 573440, "mst_pciconf": 90112,
}  # fmt: skip
NO_DEVICE, KEY_REJECTED = "No such device", "Key was rejected by service"
INVALID_FORMAT = "Exec format error"


class RefusedError(Exception):
    """The kernel does not take a module in or let it go; the text is its reason."""


@dataclass(frozen=True)
class Wanted:
    """What a modprobe command asks for."""

    names: Sequence[str]
    remove: bool = False
    quiet: bool = False
    blacklist: bool = False
    every: bool = False
    parameters: Sequence[str] = field(default_factory=tuple)


def _name(text: str) -> str:
    return text.replace("-", "_")


def loaded(machine: Machine) -> dict[str, State]:
    """Return the modules that are in, newest first, each with its size, version, and what it uses."""
    modules: dict[str, State] = machine.runtime()["modules"]
    return dict(reversed(modules.items()))


def lsmod(arguments: Sequence[str]) -> int:
    """Print the modules that are in, as lsmod does."""
    print(table(loaded(Machine.here())), end="")
    return 0


def table(modules: Mapping[str, State]) -> str:
    """Return lsmod's table of modules."""
    lines = ["Module                  Size  Used by"]
    for name, one in modules.items():
        users = [other for other, state in modules.items() if name in state["uses"]]
        count = len(users) + int(one.get("held", 0))
        # kmod prints a blank after the count, also before nothing.
        lines.append(f"{name:<19} {one['size']:>8}  {count} {','.join(users)}")
    return "\n".join(lines) + "\n"


def modinfo(arguments: Sequence[str]) -> int:
    """Become the real modinfo, for the kernel that the node runs."""
    kernel = Machine.here().runtime()["kernel"]
    own = [] if "-k" in arguments or not kernel else ["-k", kernel]
    os.execv(_MODINFO, ["modinfo", *own, *arguments])  # noqa: S606  (it becomes the real one)


def modprobe(arguments: Sequence[str]) -> int:
    """Take modules in or out of the node's state; what only shows something is left to the real tool."""
    machine = Machine.here()
    kernel = machine.runtime()["kernel"]
    wanted = _parse(arguments)
    if wanted is None:
        given = {"-S", "--set-version"} & set(arguments) or any("--set-version=" in one for one in arguments)
        own = [] if given or not kernel else ["-S", kernel]
        os.execv(_MODPROBE, ["modprobe", *own, *arguments])  # noqa: S606  (it becomes the real one)
    if os.geteuid() != 0 and wanted.names:
        verb = "remove" if wanted.remove else "insert"
        return _complain(wanted, f"could not {verb} '{_name(wanted.names[0])}': Operation not permitted")
    for name in wanted.names:
        status = _remove(machine, wanted, name) if wanted.remove else _insert(machine, wanted, kernel, name)
        if status:
            return status
    return 0


def _parse(arguments: Sequence[str]) -> Wanted | None:
    """Return what is asked, None when the real modprobe can answer it."""
    remove = quiet = blacklist = every = False
    names: list[str] = []
    for one in arguments:
        match one:
            case "-r" | "--remove":
                remove = True
            case "-q" | "--quiet" | "-s" | "--syslog":
                quiet = True
            case "-b" | "--use-blacklist":
                blacklist = True
            case "-a" | "--all":
                every = True
            case "-v" | "--verbose" | "-f" | "--force" | "--":
                pass
            case "-qa" | "-aq":
                quiet = every = True
            case "-bq" | "-qb":
                quiet = blacklist = True
            case _ if one.startswith("-"):
                return None
            case _:
                names.append(one)
    if not names:
        return None
    if remove or every:
        return Wanted(names, remove, quiet, blacklist, every)
    return Wanted(names[:1], remove, quiet, blacklist, every, names[1:])


def _complain(wanted: Wanted, text: str, kind: str = "ERROR") -> int:
    if not wanted.quiet:
        print(f"modprobe: {kind}: {text}", file=sys.stderr)
    return 1


def _insert(machine: Machine, wanted: Wanted, kernel: str, name: str) -> int:
    files, status, said = files_of(kernel, name, wanted.blacklist)
    if _name(name).startswith("nvidia") and machine.fault("driver-module-missing") is not None:
        files, status = [], 1
        said = f"modprobe: FATAL: Module {name} not found in directory /lib/modules/{kernel}\n"
    if status:
        if not wanted.quiet:
            sys.stderr.write(said)
        return status
    for file in files:
        try:
            insert(machine, kernel, file)
        except RefusedError as error:
            return _complain(wanted, f"could not insert '{_name(file.stem.split('.')[0])}': {error}")
    return 0


def files_of(
    kernel: str, name: str, blacklist: bool, configuration: Path | None = None
) -> tuple[list[Path], int, str]:
    """Return the files that modprobe would insert for a name, in order; its status and what it said.

    `configuration` is a modprobe.d folder in place of the node's own.
    """
    command = [_MODPROBE, "-S", kernel, "--show-depends"]
    command += ["-b"] if blacklist else []
    command += ["-C", str(configuration)] if configuration is not None else []
    done = subprocess.run([*command, name], capture_output=True, text=True, check=False)
    files = [
        Path(words[1])
        for words in map(str.split, done.stdout.splitlines())
        if len(words) > 1 and words[0] == "insmod"
    ]
    return files, done.returncode, done.stderr.replace(_MODPROBE, "modprobe")


def insert(machine: Machine, kernel: str, file: Path) -> None:
    """Take a module file in, after what it needs; RefusedError as the kernel would.

    One that is in already stays as it is. depmod finds needs by symbols, of which these files have none.
    """
    name = _name(file.name.split(".")[0])
    info = module_info(file.read_bytes())
    for needed in filter(None, info.get("depends", "").split(",")):
        if _name(needed) not in machine.runtime()["modules"]:
            for other in files_of(kernel, needed, blacklist=False)[0]:
                insert(machine, kernel, other)
    with machine.change_runtime() as state:
        if name in state["modules"]:
            return
        check(machine, name, info, kernel, state["modules"])
        state["modules"][name] = {
            "size": _SIZES.get(name, 16384),
            "version": info.get("version", ""),
            "uses": [_name(one) for one in info.get("depends", "").split(",") if one],
            # The console is drawn by nouveau, so nothing can take it out.
            "held": 1 if name == "nouveau" and machine.gpus() else 0,
        }
    _show(machine, name, info.get("version", ""))


def check(
    machine: Machine, name: str, info: Mapping[str, str], kernel: str, modules: Mapping[str, Any]
) -> None:
    """Raise RefusedError when the kernel would not take this module in."""
    if info.get("vermagic", kernel).split(" ")[0] != kernel:
        raise RefusedError(INVALID_FORMAT)
    if machine.fault("secure-boot-on") is not None and "signer" not in info:
        raise RefusedError(KEY_REJECTED)
    if name == "nvidia" and (not machine.gpus() or "nouveau" in modules):
        raise RefusedError(NO_DEVICE)


def _remove(machine: Machine, wanted: Wanted, name: str) -> int:
    wanted_name = _name(name)
    with machine.change_runtime() as state:
        modules = state["modules"]
        if wanted_name not in modules:
            # As modprobe: what is not in is out already.
            return 0
        users = [other for other, one in modules.items() if wanted_name in one["uses"]]
        if users or modules[wanted_name].get("held"):
            by = f" by: {' '.join(users)}" if users else ""
            return _complain(wanted, f"Module {wanted_name} is in use{by}.", "FATAL")
        unused = [wanted_name]
        while unused:
            gone = modules.pop(unused.pop())
            for other in gone["uses"]:
                used = any(other in one["uses"] for one in modules.values())
                if other in modules and not used and not modules[other].get("held"):
                    unused.append(other)
        left = set(modules)
    for folder in (machine.sysfs / "module").glob("*"):
        if folder.name not in left:
            (folder / "version").unlink(missing_ok=True)
            folder.rmdir()
    return 0


def rmmod(arguments: Sequence[str]) -> int:
    """Take one module out, without those that only it used."""
    status = 0
    for name in (one for one in arguments if not one.startswith("-")):
        if _name(name) not in Machine.here().runtime()["modules"]:
            print(f"rmmod: ERROR: Module {_name(name)} is not currently loaded", file=sys.stderr)
            status = 1
        elif _remove(Machine.here(), Wanted([name], remove=True, quiet=True), name):
            print(f"rmmod: ERROR: Module {_name(name)} is in use", file=sys.stderr)
            status = 1
    return status


def _show(machine: Machine, name: str, version: str) -> None:
    """Show a module as /sys/module does, below the stand-in's root."""
    folder = machine.sysfs / "module" / name
    folder.mkdir(parents=True, exist_ok=True)
    if version:
        (folder / "version").write_text(version + "\n")
