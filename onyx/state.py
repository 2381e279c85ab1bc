"""The switch's settings as frozen values, whatever form the switch wrote them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a setting is about; the value is its name in reports."""

    HOSTNAME = "hostname"
    LLDP = "lldp"
    ROCE = "roce mode"
    POOL_TYPE = "pool type"
    POOL_MEMORY = "pool memory percent"
    POOL_PRIORITY = "pool switch-priority"
    PFC = "pfc"
    PFC_PRIORITY = "pfc priority"
    TRUST = "trust"
    CONGESTION = "congestion control of traffic-class"
    SCHEDULING = "scheduling of traffic-class"
    PAUSE_SEND = "global pause send"
    PAUSE_RECEIVE = "global pause receive"
    PORT_PFC = "pfc mode"
    LLDP_TRANSMIT = "lldp transmit"
    LLDP_RECEIVE = "lldp receive"


# What the switch has where nothing is configured.
DEFAULTS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.HOSTNAME: "",
        Kind.LLDP: "off",
        Kind.ROCE: "none",
        Kind.POOL_TYPE: "none",
        Kind.POOL_MEMORY: "0.00",
        Kind.POOL_PRIORITY: "no",
        Kind.PFC: "off",
        Kind.PFC_PRIORITY: "no",
        Kind.TRUST: "L2",
        Kind.CONGESTION: "none",
        Kind.SCHEDULING: "default",
        Kind.PAUSE_SEND: "off",
        Kind.PAUSE_RECEIVE: "off",
        Kind.PORT_PFC: "auto",
        Kind.LLDP_TRANSMIT: "on",
        Kind.LLDP_RECEIVE: "on",
    }
)
POOL_KINDS = (Kind.POOL_TYPE, Kind.POOL_MEMORY, Kind.POOL_PRIORITY)
PORT_KINDS = (
    *(Kind.TRUST, Kind.CONGESTION, Kind.SCHEDULING, Kind.PAUSE_SEND, Kind.PAUSE_RECEIVE),
    *(Kind.PORT_PFC, Kind.LLDP_TRANSMIT, Kind.LLDP_RECEIVE),
)


@dataclass(frozen=True, order=True)
class Setting:
    """One thing that can be set: `where` is a pool or port by name, `number` a class or priority (0 to 7)."""

    kind: Kind
    where: str = ""
    number: int = -1

    @property
    def default(self) -> str:
        """What the switch has where this was never set."""
        return DEFAULTS[self.kind]

    @property
    def port(self) -> str | None:
        """The port that this is about, or None."""
        return self.where if self.kind in PORT_KINDS else None

    @property
    def pool(self) -> str | None:
        """The pool that this is about, or None."""
        return self.where if self.kind in POOL_KINDS else None

    def __str__(self) -> str:
        """Return the setting's name for a person: "port 1/1 trust", "pool roce switch-priority 3"."""
        place = f"port {self.where} " if self.port else ""
        name = f"pool {self.where}{self.kind.removeprefix('pool')}" if self.pool else str(self.kind)
        return f"{place}{name}" + (f" {self.number}" if self.number >= 0 else "")


@dataclass(frozen=True)
class Configuration:
    """One configuration of the switch: what runs, or what a file holds.

    `values` holds only what differs from the defaults, so equal configurations are equal values.
    `manual_buffers` says that the switch is in the buffer mode that excludes traffic pools.
    """

    values: Mapping[Setting, str] = field(default_factory=dict)
    manual_buffers: bool = False

    def get(self, setting: Setting) -> str:
        """Return a setting's value, the switch's default where nothing is configured."""
        return self.values.get(setting, setting.default)

    def changed(self, changes: Mapping[Setting, str]) -> Configuration:
        """Return the configuration with `changes` made; a pool without a type is gone as a whole."""
        merged = {**self.values, **changes}
        pools = {
            each.where
            for each, value in merged.items()
            if each.kind is Kind.POOL_TYPE and value != each.default
        }
        kept = {
            each: value
            for each, value in merged.items()
            if value != each.default and (each.pool is None or each.pool in pools)
        }
        return replace(self, values=kept)

    def pools(self) -> list[str]:
        """Return the names of the pools that there are."""
        return sorted(each.where for each in self.values if each.kind is Kind.POOL_TYPE)

    def pool_priorities(self, pool: str) -> list[int]:
        """Return the switch priorities that a pool holds."""
        return sorted(
            each.number for each in self.values if each.kind is Kind.POOL_PRIORITY and each.where == pool
        )


def differing(first: Configuration, second: Configuration) -> list[Setting]:
    """Return the settings in which two configurations differ, in a fixed order."""
    both = {*first.values, *second.values}
    return sorted(each for each in both if first.get(each) != second.get(each))


@dataclass(frozen=True)
class PfcTable:
    """`show dcb priority-flow-control`: if it is on, its priorities, the ports' admin and oper states."""

    enabled: bool = False
    priorities: frozenset[int] = frozenset()
    admin: Mapping[str, str] = field(default_factory=dict)
    oper: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Neighbours:
    """Who is behind the ports: system names by LLDP, and hardware addresses (lower case) that were seen."""

    lldp: Mapping[str, str] = field(default_factory=dict)
    macs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SwitchState:
    """All that one reading tells.

    `saved` is what a start of the switch would load. `pfc` names all ports that exist. `dscp_maps` has, for
    each port that was asked, the switch priority of each DSCP.
    """

    release: str
    running: Configuration
    saved: Configuration
    pfc: PfcTable = PfcTable()
    dscp_maps: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    neighbours: Neighbours = Neighbours()


def percent(text: str) -> str:
    """Return a percentage with two decimals, as the switch prints it: "50" and "50.0" become "50.00"."""
    return f"{float(text.strip().removesuffix('%')):.2f}"


def congestion(mode: str, unit: str, minimum: int | str, maximum: int | str) -> str:
    """Return the value of a congestion setting: mode red, ecn or both; unit absolute (KB) or relative (%)."""
    return f"{mode} {unit} {minimum} {maximum}"


# The switch rounds thresholds to its buffer's cells; this much apart is the same threshold.
_TOLERANCE_KB = 1
_TOLERANCE_SHARE = 0.02


def same(setting: Setting, found: str, wanted: str) -> bool:
    """Whether two values of a setting mean the same; thresholds may differ by what the switch rounds."""
    if found == wanted:
        return True
    left, right = found.split(), wanted.split()
    if setting.kind is not Kind.CONGESTION or len(left) != 4 or len(right) != 4 or left[:2] != right[:2]:
        return False
    return all(near(int(one), int(other)) for one, other in zip(left[2:], right[2:], strict=True))


def near(found: int, wanted: int) -> bool:
    """Whether a threshold is what was wanted, but for the switch's rounding."""
    return abs(found - wanted) <= max(_TOLERANCE_KB, _TOLERANCE_SHARE * wanted)
