"""From what the switch has and what it shall have: the differences, the commands, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onyx import dialect
from onyx.ports import collapse
from onyx.state import Configuration, Congestion, Pool, Port, numbers
from onyx.wanted import Wanted

_NONE = "none"


@dataclass(frozen=True)
class Difference:
    """One setting that is not as wanted."""

    key: str
    found: str
    wanted: str

    def __str__(self) -> str:
        """Return the line that a person reads."""
        return f"{self.key}: found {self.found}, wanted {self.wanted}"


def found_values(
    config: Configuration, ports: Sequence[str], pool: str, known_ports: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Return what is configured, in the keys and the form of `Wanted.lines`.

    A setting of ports is one value when all `ports` agree, else "1/1=L3 1/2=L2". `known_ports` are the
    switch's ports; empty means unknown, and then all `ports` count as there.
    """
    present = [name for name in ports if not known_ports or name in known_ports]
    # A switch without the pool shows one difference for the pool and one for each of its settings.
    held = config.pools.get(pool)
    return {
        "hostname": config.hostname or _NONE,
        "ports": ",".join(present) or _NONE,
        "pool": pool if held is not None else _NONE,
        "pool_type": held.type if held is not None else _NONE,
        "pool_memory_percent": held.memory_percent if held is not None else _NONE,
        "pool_switch_priority": numbers(held.priorities) if held is not None else _NONE,
        "trust": _common(config, ports, lambda port: port.trust),
        "ecn_traffic_class": _common(config, ports, _ecn_classes),
        "ecn_minimum_kb": _common(config, ports, lambda port: _thresholds(port, lambda each: each.minimum)),
        "ecn_maximum_kb": _common(config, ports, lambda port: _thresholds(port, lambda each: each.maximum)),
        "strict_traffic_class": _common(config, ports, lambda port: numbers(port.strict)),
        "pfc_priority": _common(config, ports, lambda port: _pfc(config, port)),
    }


def _common(config: Configuration, ports: Sequence[str], value: Callable[[Port], str]) -> str:
    values = {name: value(config.port(name)) for name in ports}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return " ".join(f"{name}={each}" for name, each in values.items())


def _ecn_classes(port: Port) -> str:
    classes = [f"{tc}" if each.mode == "ecn" else f"{tc}({each.mode})" for tc, each in port.ecn.items()]
    return ",".join(classes) or _NONE


def _thresholds(port: Port, end: Callable[[Congestion], int]) -> str:
    values = [f"{end(each)}" if each.absolute else f"{end(each)}%" for each in port.ecn.values()]
    return ",".join(dict.fromkeys(values)) or _NONE


def _pfc(config: Configuration, port: Port) -> str:
    return numbers(config.pfc_priorities) if config.pfc and port.pfc else _NONE


def differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[Difference]:
    """Return what differs, in the order of `wanted`."""
    return [Difference(key, found[key], value) for key, value in wanted.items() if found[key] != value]


def commands(config: Configuration, wanted: Wanted) -> list[str]:
    """Return the fewest one-line commands that turn `config` into what is wanted; none if it is that.

    A setting is taken whole: on the wired ports exactly the wanted class marks ECN and exactly the wanted
    class is strict, the pool carries exactly the wanted priority, and PFC pauses exactly that one. RED,
    weights, other ports and other pools are left alone.
    """
    return [
        *_hostname_commands(config, wanted),
        *_pool_commands(config.pools.get(wanted.pool), wanted),
        *_on_ports((name, _port_commands(config.port(name), wanted)) for name in wanted.ports),
        *_pfc_commands(config, wanted),
        *_on_ports((name, _port_pfc_commands(config.port(name))) for name in wanted.ports),
    ]


def _hostname_commands(config: Configuration, wanted: Wanted) -> Iterator[str]:
    if config.hostname != wanted.hostname:
        yield dialect.HOSTNAME.format(name=wanted.hostname)


def _pool_commands(held: Pool | None, wanted: Wanted) -> Iterator[str]:
    name = wanted.pool
    if held is None or held.type != wanted.pool_type:
        yield dialect.POOL_TYPE.format(pool=name, type=wanted.pool_type)
    if held is None or held.memory_percent != wanted.pool_memory_percent:
        yield dialect.POOL_MEMORY.format(pool=name, percent=wanted.pool_memory_percent)
    mapped = held.priorities if held is not None else frozenset()
    for priority in sorted(mapped - {wanted.pool_switch_priority}):
        yield dialect.POOL_UNMAP.format(pool=name, priority=priority)
    if wanted.pool_switch_priority not in mapped:
        yield dialect.POOL_MAP.format(pool=name, priority=wanted.pool_switch_priority)


def _port_commands(port: Port, wanted: Wanted) -> Iterator[str]:
    if port.trust != wanted.trust:
        yield dialect.TRUST.format(trust=wanted.trust)
    for tc in port.ecn:
        if tc != wanted.ecn_traffic_class:
            yield dialect.NO_ECN.format(tc=tc)
    ecn = Congestion("ecn", True, wanted.ecn_minimum_kb, wanted.ecn_maximum_kb)
    if port.congestion.get(wanted.ecn_traffic_class) != ecn:
        yield dialect.ECN.format(tc=wanted.ecn_traffic_class, minimum=ecn.minimum, maximum=ecn.maximum)
    for tc in sorted(port.strict - {wanted.strict_traffic_class}):
        yield dialect.NO_STRICT.format(tc=tc)
    if wanted.strict_traffic_class not in port.strict:
        yield dialect.STRICT.format(tc=wanted.strict_traffic_class)


def _pfc_commands(config: Configuration, wanted: Wanted) -> Iterator[str]:
    if not config.pfc:
        yield dialect.PFC
    for priority in sorted(config.pfc_priorities - {wanted.pfc_priority}):
        yield dialect.NO_PFC_PRIORITY.format(priority=priority)
    if wanted.pfc_priority not in config.pfc_priorities:
        yield dialect.PFC_PRIORITY.format(priority=wanted.pfc_priority)


def _port_pfc_commands(port: Port) -> Iterator[str]:
    if not port.pfc:
        yield dialect.PORT_PFC


def removal(config: Configuration, wanted: Wanted) -> list[str]:
    """Return the commands that take back what `commands` sets, as far as it is there; none if nothing is.

    Our ports get the switch's defaults back. The host name stays: it is the switch's identity, and its
    former one is not known. Global PFC stays as long as a port that is not ours uses it.
    """
    shared = any(port.pfc for name, port in config.ports.items() if name not in wanted.ports)
    return [
        *_on_ports((name, _port_removal(config.port(name), wanted)) for name in wanted.ports),
        *(() if shared else _pfc_removal(config, wanted)),
        *([dialect.NO_POOL.format(pool=wanted.pool)] if wanted.pool in config.pools else []),
    ]


def _port_removal(port: Port, wanted: Wanted) -> Iterator[str]:
    if port.trust != Port().trust:
        yield dialect.NO_TRUST
    if wanted.ecn_traffic_class in port.ecn:
        yield dialect.NO_ECN.format(tc=wanted.ecn_traffic_class)
    if wanted.strict_traffic_class in port.strict:
        yield dialect.NO_STRICT.format(tc=wanted.strict_traffic_class)
    if port.pfc:
        yield dialect.NO_PORT_PFC


def _pfc_removal(config: Configuration, wanted: Wanted) -> Iterator[str]:
    if wanted.pfc_priority in config.pfc_priorities:
        yield dialect.NO_PFC_PRIORITY.format(priority=wanted.pfc_priority)
    if config.pfc and not config.pfc_priorities - {wanted.pfc_priority}:
        yield dialect.NO_PFC


def _on_ports(per_port: Iterable[tuple[str, Iterable[str]]]) -> Iterator[str]:
    """Yield each command once per range of the ports that need it, commands in the order they first came."""
    needing: dict[str, list[str]] = {}
    for name, port_commands in per_port:
        for command in port_commands:
            needing.setdefault(command, []).append(name)
    for command, names in needing.items():
        for ports in collapse(names):
            yield dialect.PORT_PREFIX.format(ports=ports) + command
