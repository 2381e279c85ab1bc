"""What really crosses the switch: links, the MAC table and counters, read from this container's interfaces.

Link states, packet counters and the bridge's MAC table come from /sys. LLDP neighbours and the counters per
DSCP come from the file that `agent.py` writes, because only root can get at them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

SYSFS = Path("/sys/class/net")
AGENT_FILE = Path("/run/onyx/fabric.json")
BRIDGE = "br0"
_STALE_S = 10.0

_COUNTERS = ("packets", "bytes", "errors", "dropped")
# One entry of /sys/class/net/<bridge>/brforward, struct __fdb_entry of the kernel's <linux/if_bridge.h>:
# address, low byte of the port's number, is_local, age, high byte of the port's number, padding.
_ENTRY = 16
_INTERFACE = re.compile(r"^swp(\d+)(?:s(\d))?$")


@dataclass(frozen=True)
class Link:
    """A port's link: whether it is up, its hardware address, its speed in Mbit/s, and its counters.

    `counters` has "rx_packets", "tx_bytes" and so on; what is unknown is not in it.
    """

    up: bool = False
    address: str = "00:00:00:00:00:00"
    speed: int | None = None
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Neighbour:
    """What a neighbour says of itself by LLDP; empty is what it did not say."""

    chassis: str
    chassis_kind: str
    port: str
    port_kind: str
    port_description: str = ""
    system_name: str = ""
    system_description: str = ""
    capabilities: str = ""
    capabilities_enabled: str = ""
    ttl: int = 120


@dataclass(frozen=True)
class Traffic:
    """Packets and bytes of one DSCP in one direction of a port."""

    packets: int = 0
    bytes: int = 0


class Fabric(Protocol):
    """What the switch knows of the world outside its configuration."""

    def link(self, port: str) -> Link:
        """Return the port's link; without an interface it is down."""

    def mac_table(self) -> list[tuple[str, str]]:
        """Return hardware addresses and the ports behind which they are."""

    def neighbours(self) -> dict[str, Neighbour]:
        """Return the LLDP neighbours by port."""

    def traffic(self, port: str, direction: str) -> dict[int, Traffic] | None:
        """Return the traffic by DSCP in direction "rx" or "tx"; None when nothing counts it."""


def interface(port: str) -> str:
    """Return the interface of a port: swp7 is that of 1/7, swp3s1 that of 1/3/1."""
    return "s".join(["swp" + port.split("/")[1], *port.split("/")[2:]])


def port_of(name: str) -> str | None:
    """Return the port of an interface, or None when it is none of the switch's."""
    match = _INTERFACE.match(name)
    return None if match is None else "/".join(["1", *(part for part in match.groups() if part)])


class MachineFabric:
    """The fabric of the machine that runs this."""

    def __init__(self, sysfs: Path = SYSFS, agent_file: Path = AGENT_FILE) -> None:
        self._sysfs = sysfs
        self._agent_file = agent_file

    def link(self, port: str) -> Link:
        """Return the port's link; without an interface it is down."""
        folder = self._sysfs / interface(port)
        try:
            state = (folder / "operstate").read_text().strip()
            address = (folder / "address").read_text().strip()
        except OSError:
            # No interface of that name, or it was unplugged while we read.
            return Link()
        counters = {
            f"{way}_{what}": value
            for way in ("rx", "tx")
            for what in _COUNTERS
            if (value := _number(folder / "statistics" / f"{way}_{what}")) is not None
        }
        return Link(state in ("up", "unknown"), address, _number(folder / "speed"), counters)

    def mac_table(self) -> list[tuple[str, str]]:
        """Return the addresses that the bridge learned, and their ports; its own are not among them."""
        try:
            table = (self._sysfs / BRIDGE / "brforward").read_bytes()
        except OSError:
            return []
        ports = self._bridge_ports()
        found = []
        for start in range(0, len(table) - _ENTRY + 1, _ENTRY):
            entry = table[start : start + _ENTRY]
            port = ports.get(entry[6] | entry[12] << 8)
            if not entry[7] and port is not None:
                found.append((entry[:6].hex(":"), port))
        return sorted(found, key=lambda each: (each[1], each[0]))

    def _bridge_ports(self) -> dict[int, str]:
        ports = {}
        for folder in self._sysfs.iterdir():
            port = port_of(folder.name)
            if port is not None and (folder / "brport/port_no").exists():
                ports[int((folder / "brport/port_no").read_text(), 16)] = port
        return ports

    def split_sockets(self) -> dict[str, int]:
        """Return the sockets with split interfaces; only odd ones can have four parts."""
        parts = [port for folder in self._sysfs.glob("swp*s*") if (port := port_of(folder.name))]
        sockets = {f"1/{port.split('/')[1]}" for port in parts}
        return {socket: 4 if int(socket.split("/")[1]) % 2 else 2 for socket in sorted(sockets)}

    def neighbours(self) -> dict[str, Neighbour]:
        """Return the LLDP neighbours that the agent heard of and that did not time out."""
        return {port: Neighbour(**facts) for port, facts in self._heard().get("neighbours", {}).items()}

    def traffic(self, port: str, direction: str) -> dict[int, Traffic] | None:
        """Return what the agent counted; None without an agent, or when it cannot count on this kernel."""
        counted = self._heard().get("traffic")
        if counted is None:
            return None
        rows = counted.get(direction, {}).get(port, {})
        return {int(dscp): Traffic(*row) for dscp, row in rows.items()}

    def _heard(self) -> dict[str, Any]:
        try:
            data: dict[str, Any] = json.loads(self._agent_file.read_text())
        except OSError:
            return {}
        # An agent that stopped knows nothing of now. Without a time the file is one that a person wrote.
        return data if time.monotonic() - data.get("at", time.monotonic()) < _STALE_S else {}


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        # A veth without a peer has no speed: reading it is an error.
        return None
