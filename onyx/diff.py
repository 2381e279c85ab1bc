"""From one configuration to another: the fewest lines that lead there, and what differs in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from onyx import dialect
from onyx.ports import collapse, order
from onyx.state import Configuration, Kind, Setting, differing, same
from onyx.wanted import NO_ROCE, Wanted

_NONE = "none"
# A port with one of these takes part in a lossless class.
_LOSSLESS = (Kind.TRUST, Kind.CONGESTION, Kind.PORT_PFC)


@dataclass(frozen=True)
class Difference:
    """One setting that is not as wanted."""

    key: str
    found: str
    wanted: str

    def __str__(self) -> str:
        """Return the line that a person reads."""
        return f"{self.key}: found {self.found}, wanted {self.wanted}"


def commands(found: Configuration, goal: Configuration) -> list[str]:
    """Return the fewest one-line commands that turn `found` into `goal`; none if it is that.

    The order is one that the switch accepts at every step: what excludes something else goes first (global
    pause before PFC), and shrinking pools before growing ones. Mapping a priority to a pool takes it from the
    one that held it, so that needs no line of its own.
    The way back is `commands(goal, found)`.
    """
    lines: dict[tuple[int, str], list[str]] = {}
    for setting in differing(found, goal):
        value = goal.get(setting)
        if setting.pool and _follows(setting, value, goal):
            continue
        step = (_step(setting, found.get(setting), value), dialect.line_for(setting, value))
        lines.setdefault(step, []).append(setting.where)
    return [line for step in sorted(lines) for line in _on_ports(step, lines[step])]


def _follows(setting: Setting, value: str, goal: Configuration) -> bool:
    """Whether a pool's setting changes by another line: its pool goes, or another pool takes the priority."""
    if setting.kind is Kind.POOL_TYPE:
        return False
    if setting.where not in goal.pools():
        return True
    takers = [replace(setting, where=name) for name in goal.pools()]
    return (
        setting.kind is Kind.POOL_PRIORITY and value == "no" and any(each in goal.values for each in takers)
    )


# The steps of a change, in the order in which the switch takes them: what only takes back, then what sets.
_TAKES = {
    Kind.ROCE: 1,
    Kind.PAUSE_SEND: 2,
    Kind.PAUSE_RECEIVE: 2,
    Kind.PORT_PFC: 2,
    Kind.PFC_PRIORITY: 3,
    Kind.PFC: 4,
    Kind.POOL_PRIORITY: 5,
    Kind.POOL_TYPE: 6,
}
_SETS = {
    Kind.HOSTNAME: 0,
    Kind.POOL_TYPE: 7,
    Kind.POOL_MEMORY: 9,
    Kind.POOL_PRIORITY: 10,
    Kind.TRUST: 11,
    Kind.CONGESTION: 12,
    Kind.SCHEDULING: 13,
    Kind.PFC: 14,
    Kind.PFC_PRIORITY: 15,
    Kind.PAUSE_SEND: 16,
    Kind.PAUSE_RECEIVE: 16,
    Kind.PORT_PFC: 16,
    Kind.LLDP: 17,
    Kind.LLDP_TRANSMIT: 18,
    Kind.LLDP_RECEIVE: 18,
    Kind.ROCE: 19,
}
_SHRINKING_POOL = 8


def _step(setting: Setting, found: str, value: str) -> int:
    if setting.kind is Kind.POOL_MEMORY and float(value) < float(found):
        return _SHRINKING_POOL
    if value == setting.default and setting.kind in _TAKES:
        return _TAKES[setting.kind]
    return _SETS[setting.kind]


_ON_PORTS = {*range(2, 3), *range(11, 14), 16, 18}


def _on_ports(step: tuple[int, str], names: Sequence[str]) -> Iterator[str]:
    """Yield a line, on ports once for each range of the ports that need it."""
    order, line = step
    if order not in _ON_PORTS:
        yield line
        return
    for ports in collapse(names):
        yield dialect.PORT_PREFIX.format(ports=ports) + line


def found_values(config: Configuration, wanted: Wanted, known_ports: Iterable[str] = ()) -> dict[str, str]:
    """Return what is configured of the wanted settings, in the keys and the form of `Wanted.lines`.

    A setting of ports is one value when all ports agree, else "1/1=L3 1/2=L2". What others configured beside
    ours (a second PFC priority, a second strict class) is not ours to judge. `known_ports` are the switch's
    ports; empty means unknown, and then all ports count as there.
    """
    known = set(known_ports)
    present = [name for name in wanted.ports if not known or name in known]
    values = {
        "hostname": config.get(Setting(Kind.HOSTNAME)) or _NONE,
        "lldp": _common(wanted, lambda port: _lldp(config, port)),
        "ports": ",".join(present) or _NONE,
        "roce": config.get(Setting(Kind.ROCE)),
    }
    if wanted.roce != NO_ROCE:
        # The mode stands for all that follows, and the switch does not list it.
        return values
    return {**values, **_explicit_values(config, wanted)}


def foreign_settings(config: Configuration, wanted: Wanted) -> tuple[str, ...]:
    """Return what others configured beside ours: pools, lossless priorities, and ports with such a setting.

    None of it is ours to judge or to remove. Another port counts where its marks, ECN or PFC were set.
    """
    pools = [f"traffic pool {name}" for name in config.pools() if name != wanted.pool]
    priorities = sorted(
        each.number
        for each in config.values
        if each.kind is Kind.PFC_PRIORITY and each.number != wanted.pfc_priority
    )
    ports = sorted(
        {
            each.where
            for each in config.values
            if each.kind in _LOSSLESS and each.port is not None and each.where not in wanted.ports
        },
        key=order,
    )
    return (
        *pools,
        *(f"PFC priority {number}" for number in priorities),
        *(f"QoS of port {name}" for name in ports),
    )


def _explicit_values(config: Configuration, wanted: Wanted) -> dict[str, str]:
    pool = Setting(Kind.POOL_TYPE, wanted.pool)
    there = config.get(pool) != pool.default
    priorities = ",".join(str(number) for number in config.pool_priorities(wanted.pool))
    return {
        # A switch without the pool shows one difference for the pool and one for each of its settings.
        "pool": wanted.pool if there else _NONE,
        "pool_type": config.get(pool),
        "pool_memory_percent": config.get(Setting(Kind.POOL_MEMORY, wanted.pool)) if there else _NONE,
        "pool_switch_priority": priorities or _NONE,
        "trust": _common(wanted, lambda port: config.get(Setting(Kind.TRUST, port))),
        "ecn_traffic_class": _common(wanted, lambda port: _ecn(config, wanted, port)[0]),
        "ecn_minimum_kb": _common(wanted, lambda port: _ecn(config, wanted, port)[1]),
        "ecn_maximum_kb": _common(wanted, lambda port: _ecn(config, wanted, port)[2]),
        "strict_traffic_class": _common(wanted, lambda port: _strict(config, wanted, port)),
        "pfc_priority": _common(wanted, lambda port: _pfc(config, wanted, port)),
        "global_pause": _common(wanted, lambda port: _pause(config, port)),
    }


def _common(wanted: Wanted, value: Callable[[str], str]) -> str:
    values = {name: value(name) for name in wanted.ports}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return " ".join(f"{name}={each}" for name, each in values.items())


def _ecn(config: Configuration, wanted: Wanted, port: str) -> tuple[str, str, str]:
    """Return the marking class and its thresholds in words; what is near enough reads as wanted."""
    setting = Setting(Kind.CONGESTION, port, wanted.ecn_traffic_class)
    found = config.get(setting)
    if same(setting, found, wanted.ecn):
        found = wanted.ecn
    if found == setting.default:
        return (_NONE, _NONE, _NONE)
    mode, unit, low, high = found.split()
    name = str(setting.number) if mode == "ecn" else f"{setting.number}({mode})"
    sign = "" if unit == "absolute" else "%"
    return (name, f"{low}{sign}", f"{high}{sign}")


def _strict(config: Configuration, wanted: Wanted, port: str) -> str:
    found = config.get(Setting(Kind.SCHEDULING, port, wanted.strict_traffic_class))
    if found == "strict":
        return str(wanted.strict_traffic_class)
    return _NONE if found == "default" else f"{wanted.strict_traffic_class}({found})"


def _pfc(config: Configuration, wanted: Wanted, port: str) -> str:
    works = (
        config.get(Setting(Kind.PFC)) == "on"
        and config.get(Setting(Kind.PFC_PRIORITY, number=wanted.pfc_priority)) == "yes"
        and config.get(Setting(Kind.PORT_PFC, port)) == "on"
    )
    return str(wanted.pfc_priority) if works else _NONE


def _pause(config: Configuration, port: str) -> str:
    ways = ((Kind.PAUSE_SEND, "send"), (Kind.PAUSE_RECEIVE, "receive"))
    return ",".join(name for kind, name in ways if config.get(Setting(kind, port)) == "on") or "off"


def _lldp(config: Configuration, port: str) -> str:
    if config.get(Setting(Kind.LLDP)) != "on":
        return "off"
    ways = ((Kind.LLDP_TRANSMIT, "transmit"), (Kind.LLDP_RECEIVE, "receive"))
    off = [f"no {name}" for kind, name in ways if config.get(Setting(kind, port)) == "off"]
    return " and ".join(off) or "on"


def differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[Difference]:
    """Return what was found otherwise than wanted, in the order of `wanted`."""
    return [
        Difference(key, found[key], value)
        for key, value in wanted.items()
        if key in found and found[key] != value
    ]
