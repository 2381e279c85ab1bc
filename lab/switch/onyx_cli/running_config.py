"""How the switch prints a configuration: the lines that lead from its defaults to what it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .model import Config, Port, collapsed

_INDENT = "   "

_SECTIONS: tuple[tuple[str, Callable[[Config, bool], Iterator[str]]], ...]


def render(config: Config, database: str, generated: str, expanded: bool) -> str:
    """Return `show running-config`; `expanded` writes a line per port instead of one per range of ports."""
    head = [
        "##",
        f'## Running database "{database}"',
        f"## Generated at {generated}",
        f"## Hostname: {config.hostname}",
        "##",
        "",
        "##",
        "## Running-config temporary prefix mode setting",
        "##",
        "no cli default prefix-modes enable",
    ]
    lines = head
    for title, section in _SECTIONS:
        commands = list(section(config, expanded))
        if commands:
            lines += ["", "##", f"## {title}", "##", *(f"{_INDENT}{command}" for command in commands)]
    return "\n".join([*lines, *_tail(config)])


def _tail(config: Config) -> list[str]:
    """The lines that show no secret: the switch masks them and comments them out."""
    mode = "cli default prefix-modes enable" if config.prefix_modes else "no cli default prefix-modes enable"
    return [
        "",
        "##",
        "## AAA remote server configuration",
        "##",
        "# ldap bind-password ********",
        "# radius-server key ********",
        "# tacacs-server key ********",
        "",
        "##",
        "## Persistent prefix mode setting",
        "##",
        mode,
    ]


def _interfaces(config: Config, expanded: bool) -> Iterator[str]:
    yield from _per_port(config, expanded, lambda port: _when(port.mtu != 1500, f"mtu {port.mtu} force"))
    yield from _per_port(
        config, expanded, lambda port: _when(port.description, f"description {port.description}")
    )
    yield from _per_port(config, expanded, lambda port: _when(port.shutdown, "shutdown"))
    yield from _per_port(config, expanded, _flow_control)


def _flow_control(port: Port) -> list[str]:
    ways = (("receive", port.pause_receive), ("send", port.pause_send))
    return [f"flowcontrol {way} on force" for way, state in ways if state == "on"]


def _buffers(config: Config, _expanded: bool) -> Iterator[str]:
    for name, pool in sorted(config.pools.items()):
        yield f"traffic pool {name} type {pool.type}"
        yield f"traffic pool {name} memory percent {pool.memory:.2f}"
        for priority in pool.priorities:
            yield f"traffic pool {name} map switch-priority {priority}"


def _lldp(config: Config, expanded: bool) -> Iterator[str]:
    if config.lldp:
        yield "lldp"
    yield from _per_port(config, expanded, _no_lldp)


def _no_lldp(port: Port) -> list[str]:
    ways = (("receive", port.lldp_receive), ("transmit", port.lldp_transmit))
    return [f"no lldp {way}" for way, on in ways if not on]


def _qos(config: Config, expanded: bool) -> Iterator[str]:
    yield from _per_port(config, expanded, lambda port: _when(port.trust != "L2", f"qos trust {port.trust}"))
    yield from _per_port(config, expanded, _congestion)


def _congestion(port: Port) -> list[str]:
    return [
        f"traffic-class {tc} congestion-control {each.mode} minimum-{each.unit} {each.minimum} "
        f"maximum-{each.unit} {each.maximum}"
        for tc, each in sorted(port.congestion.items())
    ]


def _ets(config: Config, expanded: bool) -> Iterator[str]:
    yield from _per_port(config, expanded, _scheduling)


def _scheduling(port: Port) -> list[str]:
    return [
        f"traffic-class {tc} dcb ets {value if value == 'strict' else f'wrr {value}'}"
        for tc, value in sorted(port.ets.items())
    ]


def _pfc(config: Config, expanded: bool) -> Iterator[str]:
    if config.pfc:
        yield "dcb priority-flow-control enable force"
    for priority in config.pfc_priorities:
        yield f"dcb priority-flow-control priority {priority} enable"
    yield from _per_port(
        config, expanded, lambda port: _when(port.pfc == "on", "dcb priority-flow-control mode on force")
    )


def _other(config: Config, _expanded: bool) -> Iterator[str]:
    yield f"hostname {config.hostname}"


def _when(condition: object, line: str) -> list[str]:
    return [line] if condition else []


def _per_port(config: Config, expanded: bool, lines: Callable[[Port], list[str]]) -> Iterator[str]:
    """Yield the ports' lines; ports with the same line share one when the ranges are not expanded."""
    having: dict[str, list[str]] = {}
    for name in sorted(config.ports, key=lambda each: int(each.split("/")[1])):
        for line in lines(config.ports[name]):
            having.setdefault(line, []).append(name)
    for line, names in having.items():
        for group in names if expanded else collapsed(names):
            yield f"interface ethernet {group} {line}"


_SECTIONS = (
    ("Interface Ethernet configuration", _interfaces),
    ("Interface Ethernet buffer configuration", _buffers),
    ("LLDP configuration", _lldp),
    ("QoS switch configuration", _qos),
    ("DCBX ETS configuration", _ets),
    ("DCBX PFC configuration", _pfc),
    ("Other IP configuration", _other),
)
