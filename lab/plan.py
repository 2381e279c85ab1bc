"""What the lab consists of, worked out from the stack alone: networks, machines, all names and addresses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path

from lab.errors import LabError
from lab.files import LAB, LabFiles, digest
from settings.models import Host, Lab, Stack
from settings.ofed import OfedFlavour
from settings.switch import Switch

REGISTRY = "registry"
# Where the lab's vendors publish what hosts install: http://vendor/ on the management network.
VENDOR = "vendor"
# As large as the guide's switch allows; a host's own MTU is what OfedStack sets.
CABLE_MTU = 9216
# Cables are told apart by subnets of eight addresses: the engine's and that of each end.
_CABLE_PREFIX = 29
# A switch's share of them; the highest port is 32 and has parts 1 to 4.
_CABLES_A_SWITCH = 1000
# On the management network the hosts count up from here, the switches down from the last address, so that no
# machine has to move for a new one. Below it: the engine, the registry, the vendors.
_FIRST_HOST = 11
_SPARE = 15
_REGISTRY_PORT = 5000
_VENDOR_PORT = 80
_SSH_PORT = 22


class Kind(StrEnum):
    """What a machine of the lab is."""

    NODE = "node"
    SWITCH = "switch"
    REGISTRY = "registry"
    VENDOR = "vendor"


@dataclass(frozen=True)
class Network:
    """One Docker network; `mtu` 0 leaves the engine's default."""

    name: str
    subnet: IPv4Network
    gateway: str
    mtu: int = 0


@dataclass(frozen=True)
class Attachment:
    """A machine's connection to a network."""

    network: str
    address: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bind:
    """A file or folder of the operator that a machine reads.

    The machine is another one when the content is; `known_by` is a file that stands for all of it.
    """

    source: str
    target: str
    known_by: str = ""


@dataclass(frozen=True)
class Volume:
    """A machine's own disk space, by the name of its Docker volume."""

    name: str
    target: str


@dataclass(frozen=True)
class Machine:
    """One container: `name` as in the stack; `port` is where the operator reaches `inner_port` on loopback.

    `generation` counts how often the machine was made: a new one starts with empty volumes. `fingerprint`
    names everything that the machine is made from, but its generation.
    """

    name: str
    kind: Kind
    container: str
    image: str
    command: tuple[str, ...]
    port: int
    inner_port: int
    attachments: tuple[Attachment, ...]
    binds: tuple[Bind, ...]
    volumes: tuple[Volume, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    generation: int = 1
    fingerprint: str = ""

    def labels(self, stack_name: str) -> dict[str, str]:
        """Return the labels by which the machine's container is found and judged."""
        return {
            "rocestack.stack": stack_name,
            "rocestack.node": self.name,
            "rocestack.generation": str(self.generation),
            "rocestack.fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class Plan:
    """All networks and machines of one lab."""

    networks: tuple[Network, ...]
    machines: tuple[Machine, ...]

    def machine(self, name: str) -> Machine:
        """Return the machine of that name; KeyError if there is none."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise KeyError(name)


@dataclass(frozen=True)
class _Site:
    """What all machines of one lab share."""

    stack: Stack
    prefix: str
    image: str
    files: LabFiles
    management: Network

    def managed(self, place: int, name: str) -> Attachment:
        """Return the connection to the management network with its address number `place`, -1 the last."""
        address = str(self.management.subnet[place])
        return Attachment(self.management.name, address, (name,))


@dataclass(frozen=True)
class _End:
    """One end of a cable: its throw-away address, and what the interface there is called and has."""

    network: str
    address: str
    interface: str
    mac: str

    def __str__(self) -> str:
        """Return the end as the boot unit that names the cables reads it."""
        return f"{self.interface},{self.address},{self.mac}"


@dataclass(frozen=True)
class _Cable:
    """The cable at a switch's port: `near` is the end there, `far` that at a host or at another switch."""

    network: Network
    near: _End
    far: _End


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

    def mac(self, role: int) -> str:
        """Return the address of what is at the port: role 1 is the host on it, 2 the switch's own end."""
        number, part = self.numbers
        return f"02:52:{role:02x}:{self.place + 1:02x}:{number:02x}:{part:02x}"


def ssh_machines(stack: Stack) -> list[str]:
    """Return the names of the machines that are reached over SSH: first the switches, then the hosts."""
    return [switch.name for switch in stack.all_switches] + [host.name for host in stack.hosts]


def ports(stack: Stack) -> dict[str, int]:
    """Return the port on 127.0.0.1 of each machine's SSH, of the registry, and of the vendors."""
    lab = _lab(stack)
    found = {one.name: lab.ssh_port_base - place for place, one in enumerate(stack.all_switches)}
    found |= {one.name: lab.ssh_port_base + place for place, one in enumerate(stack.hosts, start=1)}
    return {**found, REGISTRY: lab.registry_port, VENDOR: lab.registry_port + 1}


def make_plan(
    stack: Stack, stack_name: str, image: str, files: LabFiles, generations: Mapping[str, int]
) -> Plan:
    """Return the plan of a stack's lab; a machine without an entry in `generations` gets its first.

    Raises LabError when the stack has no lab, or its subnets have too few addresses.
    """
    lab = _lab(stack)
    prefix = f"rocestack-{stack_name}"
    # Docker publishes a container's ports on the first of its networks by name, and routes through that
    # one: "management" has to come before "port".
    management = Network(
        f"{prefix}-management", lab.management_subnet, str(lab.management_subnet.network_address + 1)
    )
    names = ssh_machines(stack)
    least = len(names) + _SPARE
    if lab.management_subnet.num_addresses < least:
        raise LabError(
            f"rocestack:lab.management_subnet {lab.management_subnet} has too few addresses for "
            f"{len(names)} hosts and switches",
            f"take one with at least {least}.",
        )
    site = _Site(stack, prefix, image, files, management)
    cables = {host.name: _host_cable(site, host) for host in stack.hosts}
    links = [_link(site, left, right) for left, right in switch_links(stack)]
    ends: dict[str, list[_End]] = {one.name: [] for one in stack.all_switches}
    for host in stack.hosts:
        ends[stack.switch_of(host).name].append(cables[host.name].near)
    for (left, right), cable in zip(switch_links(stack), links, strict=True):
        ends[left.switch.name].append(cable.near)
        ends[right.switch.name].append(cable.far)
    machines = [_switch(site, name, -2 - index, found) for index, (name, found) in enumerate(ends.items())]
    machines += [_registry(site), _vendor(site)]
    for place, host in enumerate(stack.hosts, start=_FIRST_HOST):
        machines.append(_node(site, host, place, cables[host.name].far))
    published = ports(stack)
    return Plan(
        networks=(management, *(cable.network for cable in (*cables.values(), *links))),
        machines=tuple(
            _numbered(machine, published[machine.name], generations.get(machine.name, 1))
            for machine in machines
        ),
    )


def _lab(stack: Stack) -> Lab:
    if stack.lab is None:
        raise LabError("This stack has no lab: it names metal.", "choose the stack `lab`.")
    return stack.lab


def switch_links(stack: Stack) -> list[tuple[_Port, _Port]]:
    """Return the cables between switches, by the ports at both ends.

    The switches stand in a row in the order of the stack file, so no frame finds a way round in a circle.
    Each uses its first uplink towards the one before it and the next towards the one after it; the ports of
    further uplinks stay empty.
    """
    switches = stack.all_switches
    links = []
    for place, (left, right) in enumerate(pairwise(switches)):
        used = min(place, 1)
        ends = (left.uplink_names()[used : used + 1], right.uplink_names()[:1])
        if not all(ends):
            raise LabError(
                f"The lab cannot join {left.name} and {right.name}: one of them has no free uplink.",
                "give each switch an uplink to the one before it and one to the one after it.",
            )
        links.append((_Port(left, place, ends[0][0]), _Port(right, place + 1, ends[1][0])))
    return links


def _host_cable(site: _Site, host: Host) -> _Cable:
    switch = site.stack.switch_of(host)
    port = _Port(switch, site.stack.all_switches.index(switch), host.switch_port)
    interface = site.stack.network.data_interface
    network, near, far = _cable(site, port)
    return _Cable(
        network,
        near=_End(network.name, near, port.interface, port.mac(2)),
        far=_End(network.name, far, interface, port.mac(1)),
    )


def _link(site: _Site, left: _Port, right: _Port) -> _Cable:
    network, near, far = _cable(site, left)
    return _Cable(
        network,
        near=_End(network.name, near, left.interface, left.mac(2)),
        far=_End(network.name, far, right.interface, right.mac(2)),
    )


def _cable(site: _Site, port: _Port) -> tuple[Network, str, str]:
    """Return the network of the cable at a port, and the address of the end there and of the other one.

    Its subnet depends on the switch's place and the port alone.
    """
    lab = _lab(site.stack)
    number, part = port.numbers
    index = port.place * _CABLES_A_SWITCH + number * 10 + part
    network = IPv4Network((int(lab.cable_subnet.network_address) + index * 8, _CABLE_PREFIX))
    if not network.subnet_of(lab.cable_subnet):
        raise LabError(
            f"rocestack:lab.cable_subnet {lab.cable_subnet} has no room for the cable at port {port.name} "
            f"of {port.switch.name}",
            "take a /16, which has room for all ports of eight switches.",
        )
    first = network.network_address
    name = "-".join([f"{site.prefix}-port-{port.place + 1}", *port.name.split("/")[1:]])
    return Network(name, network, str(first + 1), CABLE_MTU), str(first + 3), str(first + 2)


def _node(site: _Site, host: Host, place: int, end: _End) -> Machine:
    files = site.files
    return Machine(
        name=host.name,
        kind=Kind.NODE,
        container=host.name,
        image=site.image,
        command=("/usr/lib/rocestack-lab/node-init",),
        port=0,
        inner_port=_SSH_PORT,
        attachments=(
            site.managed(place, host.name),
            Attachment(end.network, end.address),
        ),
        binds=(
            Bind(str(files.host_keys(host.name)), "/etc/rocestack-lab/keys"),
            Bind(str(files.client_key) + ".pub", "/etc/rocestack-lab/client.pub"),
        ),
        volumes=(Volume(f"{site.prefix}-{host.name}-docker", "/var/lib/docker"),),
        environment={
            "LAB_ROLE": "node",
            "LAB_CABLES": str(end),
            "LAB_DATA_INTERFACE": end.interface,
            # The distribution has no mlnx_qos, and no way to set all that the stack wants without it.
            "LAB_OFED_TOOLS": "yes" if site.stack.ofed.flavour is OfedFlavour.INBOX else "no",
        },
    )


def _switch(site: _Site, name: str, place: int, ends: Sequence[_End]) -> Machine:
    files = site.files
    return Machine(
        name=name,
        kind=Kind.SWITCH,
        container=name,
        image=site.image,
        command=("/usr/lib/rocestack-lab/switch-init",),
        port=0,
        inner_port=_SSH_PORT,
        attachments=(
            site.managed(place, name),
            *(Attachment(one.network, one.address) for one in ends),
        ),
        binds=(
            Bind(str(files.host_keys(name)), "/etc/rocestack-lab/keys"),
            Bind(str(files.switch_password), "/etc/rocestack-lab/password"),
            Bind(str(LAB / "switch"), "/opt/onyx"),
        ),
        volumes=(Volume(f"{site.prefix}-{name}-onyx", "/var/lib/onyx"),),
        environment={"LAB_ROLE": "switch", "LAB_CABLES": ";".join(sorted(str(one) for one in ends))},
    )


def _registry(site: _Site) -> Machine:
    return Machine(
        name=REGISTRY,
        kind=Kind.REGISTRY,
        container=f"{site.prefix}-{REGISTRY}",
        image=site.image,
        command=("docker-registry", "serve", "/etc/rocestack-lab/registry.yml"),
        port=0,
        inner_port=_REGISTRY_PORT,
        attachments=(site.managed(3, REGISTRY),),
        binds=(Bind(str(site.files.registry), "/etc/rocestack-lab/tls"),),
        volumes=(Volume(f"{site.prefix}-{REGISTRY}-images", "/var/lib/docker-registry"),),
    )


def _vendor(site: _Site) -> Machine:
    files = site.files
    return Machine(
        name=VENDOR,
        kind=Kind.VENDOR,
        container=f"{site.prefix}-{VENDOR}",
        image=site.image,
        command=("/usr/lib/rocestack-lab/standin", "vendor_web"),
        port=0,
        inner_port=_VENDOR_PORT,
        attachments=(site.managed(4, VENDOR),),
        binds=(Bind(str(files.vendor), "/srv/vendor", known_by=str(files.vendor_manifest)),),
        volumes=(),
    )


def _numbered(machine: Machine, port: int, generation: int) -> Machine:
    """Return the machine with its port, its fingerprint, and volumes that belong to its generation."""
    values = {**asdict(machine), "port": port, "fingerprint": "", "generation": 0}
    values["contents"] = [digest([Path(bind.known_by or bind.source)]) for bind in machine.binds]
    text = json.dumps(values, sort_keys=True, default=str)
    return Machine(
        name=machine.name,
        kind=machine.kind,
        container=machine.container,
        image=machine.image,
        command=machine.command,
        port=port,
        inner_port=machine.inner_port,
        attachments=machine.attachments,
        binds=machine.binds,
        volumes=tuple(Volume(f"{one.name}-{generation}", one.target) for one in machine.volumes),
        environment=machine.environment,
        generation=generation,
        fingerprint=hashlib.sha256(text.encode()).hexdigest()[:12],
    )
