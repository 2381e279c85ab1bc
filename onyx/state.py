"""The switch's QoS state as frozen values, whatever form the switch wrote it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Congestion:
    """Congestion control of one class: `mode` is red, ecn or both; thresholds are KB, or % if relative."""

    mode: str
    absolute: bool
    minimum: int
    maximum: int

    @property
    def marks(self) -> bool:
        """Whether it marks ECN (RED alone only drops)."""
        return self.mode in ("ecn", "both")


@dataclass(frozen=True)
class Port:
    """What is configured on one port; the defaults are those of the switch."""

    trust: str = "L2"
    congestion: Mapping[int, Congestion] = field(default_factory=dict)
    strict: frozenset[int] = frozenset()
    pfc: bool = False

    @property
    def ecn(self) -> dict[int, Congestion]:
        """The traffic classes that mark ECN."""
        return {tc: each for tc, each in sorted(self.congestion.items()) if each.marks}


@dataclass(frozen=True)
class Pool:
    """A traffic pool: lossless or lossy, its share of the buffer in per cent ("50.00"), its priorities."""

    type: str
    memory_percent: str
    priorities: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Configuration:
    """One configuration of the switch: what runs, or what a start would load.

    `ports` holds only ports on which something is configured.
    """

    hostname: str = ""
    pools: Mapping[str, Pool] = field(default_factory=dict)
    ports: Mapping[str, Port] = field(default_factory=dict)
    pfc: bool = False
    pfc_priorities: frozenset[int] = frozenset()
    manual_buffers: bool = False

    def port(self, name: str) -> Port:
        """Return the port's configuration; one without any has the switch's defaults."""
        return self.ports.get(name, Port())


@dataclass(frozen=True)
class SwitchState:
    """All that one reading tells: release, running configuration, the ports that exist (empty: unknown)."""

    release: str
    running: Configuration
    known_ports: frozenset[str]


def percent(text: str) -> str:
    """Return a percentage with two decimals, as the switch prints it: "50" and "50.0" become "50.00"."""
    return f"{float(text.strip().removesuffix('%')):.2f}"


def numbers(values: frozenset[int]) -> str:
    """Return a set of priorities or classes as text: "3", "3,4", or "none"."""
    return ",".join(str(value) for value in sorted(values)) or "none"
