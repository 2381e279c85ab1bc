"""The PCI bus of a node, as a dump of configuration spaces that the real lspci reads and shows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from lab.hardware.state import CARD_ADDRESS, Machine

_LSPCI = "/usr/bin/lspci"
_INTEL, _NVIDIA, _MELLANOX = 0x8086, 0x10DE, 0x15B3
# As the guide's card calls itself: mt4121, a ConnectX-5 Ex.
CARD_DEVICE = 0x1019
_CLASS_3D, _CLASS_ETHERNET, _CLASS_INFINIBAND = 0x0302, 0x0200, 0x0207
_ETHERNET = 2


@dataclass(frozen=True)
class Function:
    """One function on the bus; `kind` is its class and subclass."""

    address: str
    vendor: int
    device: int
    kind: int
    revision: int = 0
    subsystem: tuple[int, int] = (0, 0)


def functions(machine: Machine) -> list[Function]:
    """Return what the node's bus shows now, by address."""
    found = [
        Function("0000:00:00.0", _INTEL, 0x6F00, 0x0600, 1),
        Function("0000:00:1f.0", _INTEL, 0x8D44, 0x0601, 5),
    ]
    if machine.has_card():
        kind = _CLASS_ETHERNET if machine.link_type() == _ETHERNET else _CLASS_INFINIBAND
        found.append(Function(CARD_ADDRESS, _MELLANOX, CARD_DEVICE, kind, 0, (_MELLANOX, 0x0008)))
    for address, gpu in machine.gpus().items():
        found.append(Function(address, _NVIDIA, gpu.device, _CLASS_3D, 0xA1, (_NVIDIA, 0x118F)))
    return sorted(found, key=lambda one: one.address)


def dump(found: Sequence[Function]) -> str:
    """Return the functions in the form of `lspci -D -x`, which `lspci -F` reads."""
    return "\n".join(f"{one.address} x\n{_hex(_header(one))}" for one in found)


def _header(one: Function) -> bytes:
    space = bytearray(64)
    space[0:2] = one.vendor.to_bytes(2, "little")
    space[2:4] = one.device.to_bytes(2, "little")
    # Memory and bus master on, no list of capabilities.
    space[4] = 0x06
    space[8] = one.revision
    space[10] = one.kind & 0xFF
    space[11] = one.kind >> 8
    space[0x2C:0x2E] = one.subsystem[0].to_bytes(2, "little")
    space[0x2E:0x30] = one.subsystem[1].to_bytes(2, "little")
    space[0x3C:0x3E] = bytes((11, 1))
    return bytes(space)


def _hex(space: bytes) -> str:
    rows = range(0, len(space), 16)
    return "".join(
        f"{row:02x}: {' '.join(f'{byte:02x}' for byte in space[row : row + 16])}\n" for row in rows
    )


def lspci(arguments: Sequence[str]) -> int:
    """Show the node's bus by the real lspci, in place of that of the machine below."""
    descriptor = os.memfd_create("pci", 0)
    os.write(descriptor, dump(functions(Machine.here())).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    done = subprocess.run(
        [_LSPCI, "-F", f"/proc/self/fd/{descriptor}", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[descriptor],
        check=False,
    )
    # It looks for the modules of the kernel below, which no node has.
    sys.stderr.writelines(line for line in done.stderr.splitlines(True) if "libkmod" not in line)
    return done.returncode
