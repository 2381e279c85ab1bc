"""Checks what the lab needs of this machine before anything is made: free ports, free disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab.errors import LabError

LEAST_DISK_GB = 10
_LISTEN = "0A"
# What a listener on this address keeps others from: itself, and every address of the machine.
_LOOPBACK = {"0100007F", "00000000", "0" * 32, "0000000000000000FFFF00000100007F"}


@dataclass(frozen=True)
class Taken:
    """A wanted port that some process listens on already."""

    purpose: str
    port: int
    owner: str

    def __str__(self) -> str:
        return f"127.0.0.1:{self.port} ({self.purpose}) is taken by {self.owner}"


def check_ports(wanted: Mapping[str, int], ours: Iterable[int], containers: Mapping[int, str]) -> None:
    """Raise LabError that lists every wanted port (purpose to port) which somebody else has.

    `ours` are the ports that the lab's own running containers publish; `containers` names the container
    behind each port that the engine publishes.
    """
    own = set(ours)
    inodes = listening()
    taken = [
        Taken(purpose, port, f"container {containers[port]}" if port in containers else _owner(inodes[port]))
        for purpose, port in wanted.items()
        if port in inodes and port not in own
    ]
    if taken:
        lines = "".join(f"\n  {one}" for one in taken)
        raise LabError(
            f"The lab cannot publish its ports:{lines}",
            "stop what has them, or choose other ports in Pulumi.lab.yaml "
            "(rocestack:lab.ssh_port_base, rocestack:lab.vendor_port).",
        )


def check_subnets(wanted: Mapping[str, IPv4Network], addresses: str, ours: Iterable[str]) -> None:
    """Raise LabError that names each interface with an address in a subnet of the lab (setting to subnet).

    `addresses` is the JSON of `ip -j -4 address`; `ours` are the lab's own bridges.
    """
    own = set(ours)
    taken = [
        f"{setting} {subnet} holds {one['local']} of the interface {link['ifname']}"
        for link in json.loads(addresses or "[]")
        for one in link.get("addr_info", [])
        for setting, subnet in wanted.items()
        if link["ifname"] not in own and IPv4Address(one["local"]) in subnet
    ]
    if taken:
        lines = "".join(f"\n  {one}" for one in taken)
        raise LabError(
            f"This machine has an address in a subnet of the lab, which could then not be reached:{lines}",
            "remove that interface if nothing needs it, or choose other subnets in Pulumi.lab.yaml.",
        )


def check_disk(folder: Path) -> str | None:
    """Return a warning when the disk of `folder` has less free space than the lab needs, else None."""
    free = shutil.disk_usage(folder).free / 1e9
    if free >= LEAST_DISK_GB:
        return None
    return f"only {free:.1f} GB are free at {folder}; the lab needs up to {LEAST_DISK_GB} GB"


def listening() -> dict[int, str]:
    """Return the TCP ports on which something listens at loopback, each with its socket's inode."""
    found: dict[int, str] = {}
    for name in ("tcp", "tcp6"):
        table = Path("/proc/net") / name
        if table.exists():
            found.update(parse_listeners(table.read_text()))
    return found


def parse_listeners(table: str) -> dict[int, str]:
    """Return port to inode of the listeners in the text of /proc/net/tcp or tcp6 that reach loopback."""
    found = {}
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 9 and columns[3] == _LISTEN:
            address, port = columns[1].split(":")
            if address in _LOOPBACK:
                found[int(port, 16)] = columns[9]
    return found


def _owner(inode: str) -> str:
    """Return the process that holds a socket, as far as this user may see."""
    link = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            descriptors = list((process / "fd").iterdir())
            if any(os.readlink(one) == link for one in descriptors):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            # It ended meanwhile, or belongs to another user.
            continue
    return "a process of another user"
