"""What firmware, boot loader, initramfs and udev do at the boot of a node, before its own services start."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.hardware.faults import UNTIL_REBOOT
from lab.hardware.modules import RefusedError, files_of, insert
from lab.hardware.state import Machine

BOOT = Path("/boot")
_UNPACK = "/usr/bin/unmkinitramfs"
# What udev loads for the card once the root file system is there; the distribution's or OFED's.
CARD_MODULES = ("mlx5_core", "mlx5_ib", "ib_uverbs", "rdma_ucm")


def boot(arguments: Sequence[str]) -> int:
    """Start the node's hardware: kernel, firmware settings, modules of the initramfs, modules of the disk."""
    machine = Machine.here()
    machine.run.mkdir(parents=True, exist_ok=True)
    (machine.run / "interface").write_text(os.environ.get("LAB_DATA_INTERFACE", "enp1f0") + "\n")
    kernel = newest(path.name for path in BOOT.glob("vmlinuz-*"))
    (machine.run / "kernel").write_text(kernel + "\n")
    with machine.change_runtime() as runtime:
        runtime["kernel"] = kernel
    with machine.change_hardware() as hardware:
        for name in UNTIL_REBOOT:
            hardware["faults"].pop(name, None)
        for setting in hardware["firmware"].values():
            setting["current"] = setting["next"]
    with tempfile.TemporaryDirectory() as scratch:
        if machine.gpus():
            configuration = unpacked(BOOT / f"initrd.img-{kernel}", Path(scratch))
            if machine.fault("nouveau-returns") is not None:
                # Without any setting: neither a blacklist nor an alias keeps it out.
                configuration = Path(scratch) / "none"
                configuration.mkdir()
            load(machine, kernel, "nouveau", configuration)
    if machine.gpus():
        load(machine, kernel, "nouveau")
        for name in ("nvidia", "nvidia_uvm"):
            load(machine, kernel, name)
    if machine.has_card():
        for name in CARD_MODULES:
            load(machine, kernel, name)
    return 0


def newest(names: Iterable[str]) -> str:
    """Return the release of the newest of some kernels (vmlinuz-RELEASE): that one is booted."""

    def order(name: str) -> list[tuple[int, str]]:
        parts = re.findall(r"\d+|\D+", name)
        return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]

    kernels = sorted(names, key=order)
    return kernels[-1].removeprefix("vmlinuz-") if kernels else ""


def unpacked(image: Path, scratch: Path) -> Path:
    """Return the modprobe.d folder of an initramfs, unpacked into `scratch`; empty without an image."""
    merged = scratch / "merged"
    merged.mkdir()
    if image.exists():
        subprocess.run([_UNPACK, str(image), str(scratch / "image")], capture_output=True, check=False)
    # An image with microcode in front is unpacked into main/ and early/.
    for folder in sorted((scratch / "image").glob("**/modprobe.d")):
        for file in folder.glob("*.conf"):
            (merged / file.name).write_bytes(file.read_bytes())
    return merged


def load(machine: Machine, kernel: str, name: str, configuration: Path | None = None) -> None:
    """Load a module as udev does: blacklists count, and a refusal stops nothing."""
    files, status, _ = files_of(kernel, name, True, configuration)
    missing = name.startswith("nvidia") and machine.fault("driver-module-missing") is not None
    if status or missing:
        return
    for file in files:
        try:
            insert(machine, kernel, file)
        except (RefusedError, OSError) as error:
            print(f"{name}: {error}")
            return


def mokutil(arguments: Sequence[str]) -> int:
    """Say whether the firmware checks signatures; the rest of the original is not here."""
    if list(arguments) != ["--sb-state"]:
        print("usage: mokutil --sb-state")
        return 1
    print("SecureBoot " + ("enabled" if Machine.here().fault("secure-boot-on") is not None else "disabled"))
    return 0
