"""What the simulated switch knows: its configuration, its configuration files, and their JSON form."""

from __future__ import annotations

import copy
import re
from dataclasses import asdict, dataclass, field
from typing import Any

PORT_COUNT = 32
TRAFFIC_CLASSES = range(8)
# What Onyx gives the eight traffic classes when nobody configured them.
DEFAULT_WEIGHTS = (12, 13, 12, 13, 12, 13, 12, 13)
FIRST_FILE = "initial"

_PORT = re.compile(r"^1/(\d{1,2})$")


class Refused(Exception):
    """The switch does not accept a command; the text is the line it answers, with its per cent sign."""


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
    congestion: dict[int, Congestion] = field(default_factory=dict)
    # A traffic class's scheduling: "strict" or its WRR weight as digits; absent means the default weight.
    ets: dict[int, str] = field(default_factory=dict)
    pfc: str = "Auto"
    pause_send: str = "off"
    pause_receive: str = "off"
    lldp_transmit: bool = True
    lldp_receive: bool = True
    shutdown: bool = False
    description: str = ""
    mtu: int = 1500


@dataclass
class Pool:
    """A traffic pool: `memory` is its share of the buffer in per cent."""

    type: str = "lossy"
    memory: float = 0.0
    priorities: list[int] = field(default_factory=list)


@dataclass
class Config:
    """One whole configuration: the running one, or what a configuration file holds."""

    hostname: str
    prefix_modes: bool = False
    lldp: bool = False
    pfc: bool = False
    pfc_priorities: list[int] = field(default_factory=list)
    pools: dict[str, Pool] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)

    def port(self, name: str) -> Port:
        """Return the port called `name` ("1/1"), made with its defaults when nothing was set on it yet."""
        return self.ports.setdefault(name, Port())


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
    def factory(cls, hostname: str, boot: str = "") -> Switch:
        """Return a switch as it comes out of its box, but for its host name."""
        config = Config(hostname)
        return cls(config, {FIRST_FILE: copy.deepcopy(config)}, boot=boot)

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
    """Return the switch that `to_json` wrote; JSON turned the traffic classes into strings."""
    files = {name: _config(value) for name, value in data["files"].items()}
    return Switch(_config(data["running"]), files, data["active"], data["boot"])


def _config(data: dict[str, Any]) -> Config:
    pools = {name: Pool(**pool) for name, pool in data["pools"].items()}
    ports = {name: _port(port) for name, port in data["ports"].items()}
    return Config(**{**data, "pools": pools, "ports": ports})


def _port(data: dict[str, Any]) -> Port:
    congestion = {int(tc): Congestion(**value) for tc, value in data["congestion"].items()}
    ets = {int(tc): value for tc, value in data["ets"].items()}
    return Port(**{**data, "congestion": congestion, "ets": ets})


def port_names(text: str) -> list[str]:
    """Return the ports that `text` ("1/1" or "1/1-1/32") names; raises Refused for one that is not there."""
    first, dash, last = text.partition("-")
    low = _port_number(first, text)
    high = _port_number(last, text) if dash else low
    if high < low:
        raise Refused(f"% Invalid interface range: {text}")
    return [f"1/{number}" for number in range(low, high + 1)]


def _port_number(text: str, whole: str) -> int:
    match = _PORT.match(text)
    if match is None or not 1 <= int(match.group(1)) <= PORT_COUNT:
        raise Refused(f"% Invalid interface: {whole}. Ports are 1/1 to 1/{PORT_COUNT}.")
    return int(match.group(1))


def collapsed(names: list[str]) -> list[str]:
    """Return the port names as the shortest list of ports and ranges, in order ("1/1-1/4", "1/9")."""
    numbers = sorted(int(name.split("/")[1]) for name in names)
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    return [f"1/{run[0]}" if len(run) == 1 else f"1/{run[0]}-1/{run[-1]}" for run in ranges]
