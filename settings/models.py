"""The models of a stack file, one per section; all frozen, all refusing keys that they do not know."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from settings.dataset import Dataset
from settings.docker import Docker
from settings.gpu import Apt, Gpu, Reboot
from settings.guests import Guests, LabBackend
from settings.image import Image
from settings.observation import Observation
from settings.ofed import Ofed
from settings.registry import Registry
from settings.roce import RoceProfile
from settings.section import InterfaceName, Name, Section, TcpPort
from settings.switch import (
    JumpHost,
    Switch,
    SwitchPort,
    SwitchTransport,
    port_order,
    switch_sections,
)
from settings.training import Training
from settings.validation import Validation


class Host(Section):
    """One GPU host of the guide's table "Server names with network configuration".

    `switch` names the switch at the other end of its cable; a stack of one switch can leave it out.
    """

    name: Name
    data_address: IPv4Address
    container_subnet: IPv4Network
    switch: Name | None = None
    switch_port: SwitchPort
    # Where SSH answers. A lab host has its own fixed port on loopback, so it leaves these out.
    address: str | None = None
    port: TcpPort = 22
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]*$")] = "root"
    host_key: Annotated[str, Field(pattern=r"^(ssh|ecdsa)-[a-z0-9-]+ \S+")] | None = None


class Network(Section):
    """The data network: one interface per host, one subnet, one MTU in bytes."""

    data_interface: InterfaceName = "enp1f0"
    data_subnet: IPv4Network
    mtu: Annotated[int, Field(ge=1280, le=9216)] = 9000


class Access(Section):
    """How the operator logs in to metal: the file of an OpenSSH private key. A lab makes its own."""

    private_key_file: Annotated[str, Field(min_length=1)]


# The name of the lab's machine from which hosts install what metal gets from the vendors.
LAB_VENDOR = "vendor"


class Lab(Section):
    """The embedded virtual cluster; a stack without this section is metal.

    SSH is published on 127.0.0.1: the first switch's at `ssh_port_base`, that of each further one a port
    below, that of the n-th host n ports above. The lab's vendors are at `vendor_port`.

    With the backend `container` hosts, switches and vendors are containers. With `vm` the hosts are virtual
    machines with kernels of their own: there are no vendors, and the switches carry none of their frames
    (docs/explanation/labs.md).
    """

    backend: LabBackend = LabBackend.CONTAINER
    guests: Guests = Guests()
    ssh_port_base: Annotated[int, Field(ge=1024, le=65000)] = 22400
    vendor_port: TcpPort = 22451
    management_subnet: IPv4Network
    cable_subnet: IPv4Network


class Stack(Section):
    """A whole stack file."""

    hosts: Annotated[tuple[Host, ...], Field(min_length=1, max_length=256)]
    network: Network
    # A stack has exactly one of these two; `all_switches` has the switches of either.
    switch: Annotated[Switch | None, Field(description="this or `switches`")] = None
    switches: Annotated[
        Annotated[tuple[Switch, ...], Field(min_length=1, max_length=32)] | None,
        Field(description="this or `switch`"),
    ] = None
    registry: Annotated[Registry | None, Field(description="required with image.distribution `registry`")] = (
        None
    )
    roce: RoceProfile = RoceProfile()
    apt: Apt = Apt()
    gpu: Gpu = Gpu()
    ofed: Ofed = Ofed()
    docker: Docker = Docker()
    reboot: Reboot = Reboot()
    observation: Observation = Observation()
    image: Image = Image()
    dataset: Dataset = Dataset()
    training: Training = Training()
    validation: Validation = Validation()
    access: Access | None = None
    lab: Lab | None = None

    @property
    def switch_sections(self) -> list[tuple[str, Switch]]:
        """All switches, each with its path in the stack file: ``switch`` or ``switches[0]``."""
        return switch_sections(self.switch, self.switches)

    @property
    def all_switches(self) -> tuple[Switch, ...]:
        """All switches, in the order of the stack file."""
        return tuple(switch for _, switch in self.switch_sections)

    def switch_of(self, host: Host) -> Switch:
        """The switch at the other end of a host's cable: the one it names, or the only one."""
        return next(one for one in self.all_switches if host.switch in (None, one.name))

    def ports_of(self, switch: Switch) -> tuple[str, ...]:
        """The ports of a switch that are ours: its `qos_ports`, or those of its hosts and its uplinks."""
        wired = {host.switch_port for host in self.hosts if self.switch_of(host).name == switch.name}
        return switch.port_names() or tuple(sorted({*wired, *switch.uplink_names()}, key=port_order))

    @property
    def head(self) -> Host:
        """The host that runs the job's rendezvous (Redis): the first one listed."""
        return self.hosts[0]

    @property
    def shards(self) -> tuple[tuple[Host, int], ...]:
        """Where each shard runs, in the order of their numbers: its host, and which of the host's GPUs."""
        return tuple((host, place) for host in self.hosts for place in range(self.training.shards_per_host))

    def data_cidr(self, host: Host) -> str:
        """The host's address on the data network with its prefix length, as `ip address` takes it."""
        return f"{host.data_address}/{self.network.data_subnet.prefixlen}"


class HostAccess(BaseModel):
    """How to log in to one machine: where, as whom, with which key, and which host key must answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    address: str
    port: int
    user: str
    host_key: str
    private_key: SecretStr
    # The same key as a file, for clients that take no other form (ssh's -i).
    private_key_file: str
    known_hosts_file: str


class SwitchAccess(BaseModel):
    """How to log in to a switch: by password or key, over SSH or https, past a jump host or not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    address: str
    port: int
    user: str
    transport: SwitchTransport = SwitchTransport.SSH
    host_key: str = ""
    certificate_sha256: str = ""
    password: SecretStr = SecretStr("")
    private_key: SecretStr = SecretStr("")
    jump: JumpHost | None = None
    jump_key: SecretStr = SecretStr("")
