"""The state of a node's stand-in hardware: one file on its disk, one under /run that a reboot loses."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

State = dict[str, Any]

GPU_COUNT = 4
# Where the cards sit: the GPUs behind each other, the guide's ConnectX-5 before them.
CARD_ADDRESS = "0000:03:00.0"
GPU_ADDRESSES = tuple(f"0000:{bus:02x}:00.0" for bus in range(4, 4 + GPU_COUNT))


@dataclass(frozen=True)
class Gpu:
    """What is printed on one kind of GPU; `power` in watts, `memory` in MiB."""

    name: str
    device: int
    memory: int
    power: int
    compute_capability: str


TESLA_P100 = Gpu("Tesla P100-PCIE-16GB", 0x15F8, 16280, 250, "6.0")

# mlxconfig's parameters as a VPI card leaves the factory: value, and the name that is shown for it.
LINK_TYPES = {1: "IB(1)", 2: "ETH(2)", 3: "VPI(3)"}
FACTORY_FIRMWARE: Mapping[str, int] = {"LINK_TYPE_P1": 1}


@dataclass(frozen=True)
class Machine:
    """Where one node keeps its hardware's state, and which interface is on its card."""

    disk: Path
    run: Path
    interface: str = "enp1f0"
    sysfs: Path = Path("/run/lab-sysfs")

    @classmethod
    def here(cls) -> Machine:
        """Return the machine that this program runs on."""
        return cls(
            disk=Path(os.environ.get("LAB_HARDWARE_DISK", "/var/lib/rocestack-lab")),
            run=Path(os.environ.get("LAB_HARDWARE_RUN", "/run/rocestack-lab")),
            interface=_interface(),
            sysfs=Path(os.environ.get("LAB_STANDIN_SYSFS", "/run/lab-sysfs")),
        )

    def hardware(self) -> State:
        """Return what outlives a reboot: firmware, serial numbers and faults."""
        return _read(self.disk / "hardware.json", _new_hardware())

    def runtime(self) -> State:
        """Return what a reboot loses: the running kernel, its modules, and the card's settings."""
        return _read(self.run / "runtime.json", _new_runtime())

    @contextmanager
    def change_hardware(self) -> Iterator[State]:
        """Change what outlives a reboot, one program at a time; nothing is written after an error."""
        with _changed(self.disk / "hardware.json", _new_hardware()) as state:
            yield state

    @contextmanager
    def change_runtime(self) -> Iterator[State]:
        """Change what a reboot loses, one program at a time; nothing is written after an error."""
        with _changed(self.run / "runtime.json", _new_runtime()) as state:
            yield state

    def fault(self, name: str) -> str | None:
        """Return the argument of a fault that is switched on (it may be empty), None for one that is off."""
        argument = self.hardware()["faults"].get(name)
        return None if argument is None else str(argument)

    def gpus(self) -> dict[str, Gpu]:
        """Return the GPUs that the PCI bus shows, by address."""
        if self.fault("no-gpu") is not None:
            return {}
        return dict.fromkeys(GPU_ADDRESSES, TESLA_P100)

    def has_card(self) -> bool:
        """Return whether the PCI bus shows the ConnectX card."""
        return self.fault("no-card") is None

    def link_type(self) -> int:
        """Return the type of the card's port since the last boot."""
        return int(self.hardware()["firmware"]["LINK_TYPE_P1"]["current"])


def _new_hardware() -> State:
    firmware = {
        name: {"default": value, "current": value, "next": value} for name, value in FACTORY_FIRMWARE.items()
    }
    return {"firmware": firmware, "faults": {}}


def _new_runtime() -> State:
    return {"kernel": "", "modules": {}, "pause": {"autonegotiate": False, "rx": True, "tx": True}}


def _interface() -> str:
    given = os.environ.get("LAB_DATA_INTERFACE")
    if given:
        return given
    # A login does not have the container's variables; the boot left them here.
    kept = Path("/run/rocestack-lab/interface")
    return kept.read_text().strip() if kept.exists() else "enp1f0"


def _read(path: Path, fresh: State) -> State:
    if not path.exists():
        return fresh
    return {**fresh, **json.loads(path.read_text())}


@contextmanager
def _changed(path: Path, fresh: State) -> Iterator[State]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = _read(path, fresh)
        yield state
        new = path.with_suffix(".new")
        new.write_text(json.dumps(state, indent=1) + "\n")
        new.replace(path)


def output_of(*command: str) -> str:
    """Return what a tool of the node prints; OSError or CalledProcessError when it cannot."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
