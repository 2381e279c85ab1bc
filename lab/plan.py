"""What the lab consists of, worked out from the stack alone: networks, machines, all names and addresses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from lab.cables import End, Network, lay_cables
from lab.errors import LabError
from lab.files import LAB, LabFiles, digest
from settings.guests import LabBackend
from settings.models import LAB_VENDOR, Host, Lab, Stack
from settings.ofed import OfedFlavour

# Where the lab's vendors publish what hosts install: http://vendor/ on the management network.
VENDOR = LAB_VENDOR
# On the management network the hosts count up from here, the switches down from the last address, so that no
# machine has to move for a new one. Below it: the engine, the vendors.
_FIRST_HOST = 11
_SPARE = 15
_VENDOR_PORT = 80
_SSH_PORT = 22


class Kind(StrEnum):
    """What a machine of the lab is."""

    NODE = "node"
    SWITCH = "switch"
    VENDOR = "vendor"
    GUEST = "guest"


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
    """All networks of one lab, and all its machines that are containers."""

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


def ssh_machines(stack: Stack) -> list[str]:
    """Return the names of the machines that are reached over SSH: first the switches, then the hosts."""
    return [switch.name for switch in stack.all_switches] + [host.name for host in stack.hosts]


def ports(stack: Stack) -> dict[str, int]:
    """Return the port on 127.0.0.1 of each machine's SSH, and of the vendors where there are some."""
    lab = _lab(stack)
    found = {one.name: lab.ssh_port_base - place for place, one in enumerate(stack.all_switches)}
    found |= {one.name: lab.ssh_port_base + place for place, one in enumerate(stack.hosts, start=1)}
    return found if lab.backend is LabBackend.VM else {**found, VENDOR: lab.vendor_port}


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
    cables = lay_cables(stack, lab, prefix)
    site = _Site(stack, prefix, image, files, management)
    machines = [
        _switch(site, name, -2 - index, ends) for index, (name, ends) in enumerate(cables.switches.items())
    ]
    # Virtual machines are no containers (lab/vm/plan.py), and reach no vendors.
    if lab.backend is LabBackend.CONTAINER:
        machines.append(_vendor(site))
        for place, host in enumerate(stack.hosts, start=_FIRST_HOST):
            machines.append(_node(site, host, place, cables.hosts[host.name]))
    published = ports(stack)
    return Plan(
        networks=(management, *cables.networks),
        machines=tuple(
            _numbered(machine, published[machine.name], generations.get(machine.name, 1))
            for machine in machines
        ),
    )


def _lab(stack: Stack) -> Lab:
    if stack.lab is None:
        raise LabError("This stack has no lab: it names metal.", "choose the stack `lab`.")
    return stack.lab


def _node(site: _Site, host: Host, place: int, end: End) -> Machine:
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


def _switch(site: _Site, name: str, place: int, ends: Sequence[End]) -> Machine:
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
