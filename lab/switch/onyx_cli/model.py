"""What the simulated switch knows: its configuration, its configuration files, and their JSON form."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from typing import Any

from .names import Refused, existing, expand

__all__ = ["Config", "Congestion", "Pool", "Port", "Refused", "Switch", "baseline", "from_json", "to_json"]

TRAFFIC_CLASSES = range(8)
# What Onyx gives the eight traffic classes when nobody configured them.
DEFAULT_WEIGHTS = (12, 13, 12, 13, 12, 13, 12, 13)
FIRST_FILE = "initial"


@dataclass
class Congestion:
    """Congestion control of a class: `mode` red, ecn or both; `unit` absolute (KB) or relative (%)."""

    mode: str
    unit: str
    minimum: int
    maximum: int


@dataclass
class Port:
    """The configuration of one Ethernet port."""

    trust: str = "L2"
    rewrite_pcp: bool = False
    rewrite_dscp: bool = False
    congestion: dict[int, Congestion] = field(default_factory=dict)
    # A traffic class's scheduling: "strict" or its WRR weight as digits; absent means the default weight.
    ets: dict[int, str] = field(default_factory=dict)
    # The switch priorities that were bound to a class on purpose; without an entry each has its own class.
    binds: dict[int, int] = field(default_factory=dict)
    pfc: str = "Auto"
    pfc_watchdog: bool = False
    pause_send: str = "off"
    pause_receive: str = "off"
    lldp_transmit: bool = True
    lldp_receive: bool = True
    shutdown: bool = False
    description: str = ""
    speed: str = ""
    mtu: int = 1500

    def traffic_class(self, priority: int) -> int:
        """Return the traffic class of a switch priority."""
        return self.binds.get(priority, priority)


@dataclass
class Pool:
    """A traffic pool: `memory` is its share of the buffer in per cent."""

    type: str = "lossy"
    memory: float = 0.0
    priorities: list[int] = field(default_factory=list)


@dataclass
class Config:
    """One whole configuration: the running one, or what a configuration file holds.

    `ports` has only ports on which something differs from the baseline. `splits` has the number of parts of
    each socket that is split. `roce` is the mode of the one-line `roce` command, or empty.
    """

    hostname: str
    prefix_modes: bool = True
    lldp: bool = False
    pfc: bool = False
    pfc_priorities: list[int] = field(default_factory=list)
    pools: dict[str, Pool] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    manual_buffers: bool = False
    roce: str = ""
    licenses: list[str] = field(default_factory=list)
    # The name of each VLAN, empty for one without.
    vlans: dict[int, str] = field(default_factory=dict)
    ntp_servers: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        """Return all ports in order."""
        return existing(self.splits)

    def named(self, text: str) -> list[str]:
        """Return the ports of a name or range; raises Refused for one that is not there."""
        return expand(text, self.splits)

    def port(self, name: str) -> Port:
        """Return the port to change it; it begins as the baseline when nothing was set on it yet."""
        return self.ports.setdefault(name, baseline(self.roce))

    def seen(self, name: str) -> Port:
        """Return the port to look at it."""
        return self.ports.get(name) or baseline(self.roce)

    def tidy(self) -> None:
        """Drop what says nothing: ports that are as the baseline."""
        plain = baseline(self.roce)
        self.ports = {name: port for name, port in self.ports.items() if port != plain}


def baseline(roce: str) -> Port:
    """Return a port on which nobody set anything; the one-line `roce` command sets all ports at once."""
    if not roce:
        return Port()
    return Port(
        trust="L3",
        congestion={3: Congestion("ecn", "absolute", 150, 1500)},
        ets={3: "50", 6: "strict"},
        pfc="Auto" if roce == "lossy" else "on",
    )


@dataclass
class Switch:
    """The switch's state: what runs, the files it could start from, and which of them is active.

    `boot` names the start of the machine that wrote this; another start loads the active file again.
    """

    running: Config
    files: dict[str, Config]
    active: str = FIRST_FILE
    boot: str = ""

    @classmethod
    def factory(cls, hostname: str, boot: str = "", splits: dict[str, int] | None = None) -> Switch:
        """Return a switch as it comes out of its box, but for its host name and its split sockets."""
        config = Config(hostname, splits=splits or {})
        return cls(config, {FIRST_FILE: copy.deepcopy(config)}, boot=boot)

    @property
    def unsaved(self) -> bool:
        """Whether what runs differs from the active file."""
        return self.running != self.files[self.active]

    def save(self, name: str | None = None, activate: bool = True) -> None:
        """Write what runs into the file `name`, by default into the active one."""
        target = self.active if name is None else name
        self.files[target] = copy.deepcopy(self.running)
        if activate:
            self.active = target

    def load(self, name: str) -> None:
        """Run the file `name` and make it the active one."""
        self.running = copy.deepcopy(self.files[name])
        self.active = name


def to_json(switch: Switch) -> dict[str, Any]:
    """Return the switch as plain JSON values."""
    return asdict(switch)


def from_json(data: dict[str, Any]) -> Switch:
    """Return the switch that `to_json` wrote; JSON turned the numbers of classes into strings."""
    files = {name: _config(value) for name, value in data["files"].items()}
    return Switch(_config(data["running"]), files, data["active"], data["boot"])


def _config(data: dict[str, Any]) -> Config:
    pools = {name: Pool(**pool) for name, pool in data["pools"].items()}
    ports = {name: _port(port) for name, port in data["ports"].items()}
    vlans = {int(vlan): name for vlan, name in dict(data.get("vlans", {})).items()}
    return Config(**{**data, "pools": pools, "ports": ports, "vlans": vlans})


def _port(data: dict[str, Any]) -> Port:
    congestion = {int(tc): Congestion(**value) for tc, value in data["congestion"].items()}
    ets = {int(tc): value for tc, value in data["ets"].items()}
    binds = {int(priority): tc for priority, tc in data.get("binds", {}).items()}
    return Port(**{**data, "congestion": congestion, "ets": ets, "binds": binds})
