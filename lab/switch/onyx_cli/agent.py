"""The part of the switch that runs by itself: it hears and sends LLDP frames, and counts traffic by DSCP.

It needs CAP_NET_RAW for the frames and CAP_NET_ADMIN for the counters, which the sessions do not have. What
it knows lies in /run/onyx/fabric.json, at most a second old. The counters are the kernel's own (nftables):
every frame that crosses a port is in them. Without nft, or on a kernel that lacks it, nothing is counted.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import lldp
from .__main__ import open_store
from .fabric import AGENT_FILE, SYSFS, MachineFabric, Neighbour, interface, port_of
from .store import FileStore, write_file

_STEP_S = 1.0
_SEND_EVERY_S = 30.0
# From <linux/if_packet.h>; Python's socket module does not have them.
_SOL_PACKET, _ADD_MEMBERSHIP, _MULTICAST = 263, 1, 0

RULES = """\
table bridge onyx
delete table bridge onyx
table bridge onyx {
  set rx { typeof iifname . ip dscp; flags dynamic; size 4096; counter; }
  set tx { typeof oifname . ip dscp; flags dynamic; size 4096; counter; }
  chain rx {
    type filter hook prerouting priority -300; policy accept;
    iifname "swp*" meta protocol ip update @rx { iifname . ip dscp }
    iifname "swp*" meta protocol ip6 update @rx { iifname . ip6 dscp }
  }
  chain tx {
    type filter hook postrouting priority 300; policy accept;
    oifname "swp*" meta protocol ip update @tx { oifname . ip dscp }
    oifname "swp*" meta protocol ip6 update @tx { oifname . ip6 dscp }
  }
}
"""


@dataclass(frozen=True)
class Heard:
    """A neighbour and the moment until which what it said holds, in seconds of a steady clock."""

    neighbour: Neighbour
    until: float


class Neighbours:
    """Who was heard of on which port; a neighbour that says nothing more is forgotten in its own time."""

    def __init__(self) -> None:
        self._heard: dict[str, Heard] = {}

    def hear(self, port: str, frame: bytes, now: float) -> None:
        """Take in a frame; one that cannot be read changes nothing."""
        neighbour = lldp.decode(frame)
        if neighbour is not None:
            self._heard[port] = Heard(neighbour, now + neighbour.ttl)

    def present(self, now: float) -> dict[str, Neighbour]:
        """Return the neighbours by port, and forget those whose time is over."""
        self._heard = {port: heard for port, heard in self._heard.items() if heard.until > now}
        return {port: heard.neighbour for port, heard in sorted(self._heard.items())}


def frames(store: FileStore, fabric: MachineFabric) -> dict[str, bytes]:
    """Return the frames that the ports send now: LLDP is on, the port transmits it, and its link is up."""
    with store.locked() as switch:
        config = switch.running
    release = store.release
    sending = {}
    names = config.names()
    chassis = fabric.link(names[0]).address
    for name in names if config.lldp else []:
        port, link = config.seen(name), fabric.link(name)
        if port.lldp_transmit and not port.shutdown and link.up:
            description = f"Mellanox MSN2700,{release.product},SWv{release.text}"
            sending[name] = lldp.encode(link.address, chassis, f"Eth{name}", config.hostname, description)
    return sending


def traffic(listing: Any) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Return packets and bytes by direction, port and DSCP out of `nft -n -j list table bridge onyx`."""
    found: dict[str, dict[str, dict[str, list[int]]]] = {"rx": {}, "tx": {}}
    for part in listing["nftables"]:
        for element in part.get("set", {}).get("elem", []):
            name, dscp = element["elem"]["val"]["concat"]
            counter, port = element["elem"]["counter"], port_of(name)
            if port is not None:
                rows = found[part["set"]["name"]].setdefault(port, {})
                rows[str(dscp)] = [counter["packets"], counter["bytes"]]
    return found


def _nft(*arguments: str, rules: str = "") -> str | None:
    """Run nft; return what it printed, or None when there is none or the kernel refuses it."""
    try:
        result = subprocess.run(
            ["nft", *arguments], input=rules, capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"traffic is not counted: {error}", file=sys.stderr)
        return None
    if result.returncode:
        print(f"traffic is not counted: {result.stderr.strip()}", file=sys.stderr)
        return None
    return result.stdout


def _listen(name: str) -> socket.socket:
    """Return a socket that gets the LLDP frames of an interface, and sends on it."""
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(lldp.ETHERTYPE))
    ear.bind((name, lldp.ETHERTYPE))
    group = struct.pack("iHH8s", socket.if_nametoindex(name), _MULTICAST, len(lldp.GROUP), lldp.GROUP)
    ear.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, group)
    ear.setblocking(False)
    return ear


class Agent:
    """What the agent knows, and its sockets by interface; `step` does one second's work."""

    def __init__(self, store: FileStore, sysfs: Path, file: Path) -> None:
        self._store = store
        self._sysfs = sysfs
        self._fabric = MachineFabric(sysfs, file)
        self._file = file
        self._ears: dict[str, socket.socket] = {}
        self._neighbours = Neighbours()
        self._counts = _nft("-f", "-", rules=RULES) is not None
        self._sent: dict[str, bytes] = {}
        self._next = 0.0

    def step(self, now: Callable[[], float] = time.monotonic) -> None:
        """Hear for a second, send when it is time or something changed, and write down what is known."""
        self._plug()
        self._hear(now)
        sending = frames(self._store, self._fabric)
        if sending != self._sent or now() >= self._next:
            self._sent, self._next = sending, now() + _SEND_EVERY_S
            self._send(sending)
        known: dict[str, Any] = {
            "at": now(),
            "neighbours": {port: asdict(each) for port, each in self._neighbours.present(now()).items()},
        }
        listing = _nft("-n", "-j", "list", "table", "bridge", "onyx") if self._counts else None
        if listing is not None:
            known["traffic"] = traffic(json.loads(listing))
        write_file(self._file, json.dumps(known))

    def _plug(self) -> None:
        """Have a socket on each of the switch's interfaces that is there now."""
        here = {folder.name for folder in self._sysfs.iterdir() if port_of(folder.name)}
        for name in self._ears.keys() - here:
            self._ears.pop(name).close()
        for name in here - self._ears.keys():
            try:
                self._ears[name] = _listen(name)
            except OSError as error:
                # It may have gone again; the next step tries once more if not.
                print(f"no LLDP on {name}: {error}", file=sys.stderr)

    def _hear(self, now: Callable[[], float]) -> None:
        ends = now() + _STEP_S
        by_socket = {ear: port_of(name) for name, ear in self._ears.items()}
        while (left := ends - now()) > 0:
            ready, _, _ = select.select(list(by_socket), [], [], left)
            for ear in ready:
                try:
                    frame, origin = ear.recvfrom(2048)
                except OSError:
                    # So the kernel tells, once, that the link went down; what was heard holds its time.
                    continue
                port = by_socket[ear]
                # What this port sends itself comes by here too.
                if port is not None and origin[2] != socket.PACKET_OUTGOING:
                    self._neighbours.hear(port, frame, now())

    def _send(self, sending: Mapping[str, bytes]) -> None:
        for port, frame in sending.items():
            try:
                self._ears[interface(port)].send(frame)
            except (KeyError, OSError) as error:
                print(f"no LLDP frame on {interface(port)}: {error}", file=sys.stderr)


def main() -> int:
    """Run until killed."""
    sysfs = Path(os.environ.get("ONYX_SYSFS", SYSFS))
    file = Path(os.environ.get("ONYX_AGENT_FILE", AGENT_FILE))
    agent = Agent(open_store(MachineFabric(sysfs, file)), sysfs, file)
    while True:
        agent.step()
