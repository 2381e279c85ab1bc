"""The lab's cables, worked out from the stack: host to switch and switch to switch, a Docker network each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import pairwise

from lab.errors import LabError
from settings.models import Lab, Stack
from settings.switch import Switch

# As large as the guide's switch allows; a host's own MTU is what OfedStack sets.
CABLE_MTU = 9216
# Cables are told apart by subnets of eight addresses: the engine's and that of each end.
_CABLE_PREFIX = 29
# A switch's share of them; the highest port is 32 and has parts 1 to 4.
_CABLES_A_SWITCH = 1000
# Whose address it is.
_HOST, _SWITCH = 1, 2


@dataclass(frozen=True)
class Network:
    """One Docker network; `mtu` 0 leaves the engine's default."""

    name: str
    subnet: IPv4Network
    gateway: str
    mtu: int = 0


@dataclass(frozen=True)
class End:
    """One end of a cable: its network, its throw-away address there, and the interface that it becomes."""

    network: str
    address: str
    interface: str
    mac: str

    def __str__(self) -> str:
        """Return the end as the boot unit that names the cables reads it."""
        return f"{self.interface},{self.address},{self.mac}"


@dataclass(frozen=True)
class Cables:
    """All cables of a lab, and the ends of them by the names of hosts and of switches."""

    networks: tuple[Network, ...]
    hosts: Mapping[str, End]
    switches: Mapping[str, tuple[End, ...]]


@dataclass(frozen=True)
class _Port:
    """A port of a switch; `place` counts the switches of the stack from 0.

    In a lab every port is in slot 1, so in names and addresses the switch's number stands for the slot's.
    """

    switch: Switch
    place: int
    name: str

    @property
    def numbers(self) -> tuple[int, int]:
        """The port's number and that of its part, 0 for the whole of it."""
        number, part = (*(int(each) for each in self.name.split("/")[1:]), 0)[:2]
        return number, part

    @property
    def interface(self) -> str:
        number, part = self.numbers
        return f"swp{number}s{part}" if part else f"swp{number}"

    def mac(self, whose: int) -> str:
        number, part = self.numbers
        return f"02:52:{whose:02x}:{self.place + 1:02x}:{number:02x}:{part:02x}"


def lay_cables(stack: Stack, lab: Lab, prefix: str) -> Cables:
    """Return the cables of a stack's lab. Raises LabError where there is no room for one, or no uplink."""
    networks: list[Network] = []
    hosts: dict[str, End] = {}
    ends: dict[str, list[End]] = {switch.name: [] for switch in stack.all_switches}
    for host in stack.hosts:
        switch = stack.switch_of(host)
        port = _Port(switch, stack.all_switches.index(switch), host.switch_port)
        network, near, far = _network(lab, prefix, port)
        networks.append(network)
        ends[switch.name].append(End(network.name, near, port.interface, port.mac(_SWITCH)))
        hosts[host.name] = End(network.name, far, stack.network.data_interface, port.mac(_HOST))
    for left, right in _links(stack):
        network, near, far = _network(lab, prefix, left)
        networks.append(network)
        ends[left.switch.name].append(End(network.name, near, left.interface, left.mac(_SWITCH)))
        ends[right.switch.name].append(End(network.name, far, right.interface, right.mac(_SWITCH)))
    return Cables(tuple(networks), hosts, {name: tuple(mine) for name, mine in ends.items()})


def _links(stack: Stack) -> list[tuple[_Port, _Port]]:
    """Return the cables between switches, by the ports at both ends.

    The switches stand in a row in the order of the stack file, so no frame finds a way round in a circle.
    Each uses its first uplink towards the one before it and the next towards the one after it; the ports of
    further uplinks stay empty.
    """
    links = []
    for place, (left, right) in enumerate(pairwise(stack.all_switches)):
        used = min(place, 1)
        ends = (left.uplink_names()[used : used + 1], right.uplink_names()[:1])
        if not all(ends):
            raise LabError(
                f"The lab cannot join {left.name} and {right.name}: one of them has no free uplink.",
                "give each switch an uplink to the one before it and one to the one after it.",
            )
        links.append((_Port(left, place, ends[0][0]), _Port(right, place + 1, ends[1][0])))
    return links


def _network(lab: Lab, prefix: str, port: _Port) -> tuple[Network, str, str]:
    """Return the network of the cable at a port, and the address of the end there and of the other one.

    Its subnet depends on the switch's place and the port alone.
    """
    number, part = port.numbers
    index = port.place * _CABLES_A_SWITCH + number * 10 + part
    subnet = IPv4Network((int(lab.cable_subnet.network_address) + index * 8, _CABLE_PREFIX))
    if not subnet.subnet_of(lab.cable_subnet):
        raise LabError(
            f"rocestack:lab.cable_subnet {lab.cable_subnet} has no room for the cable at port {port.name} "
            f"of {port.switch.name}",
            "take a /16, which has room for all ports of eight switches.",
        )
    name = "-".join([f"{prefix}-port-{port.place + 1}", *port.name.split("/")[1:]])
    return Network(name, subnet, str(subnet[1]), CABLE_MTU), str(subnet[3]), str(subnet[2])
