"""How the switch prints a configuration: the lines that lead from its defaults to what it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .model import Config, Port, baseline
from .names import collapsed, order

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


def _licenses(config: Config, _expanded: bool) -> Iterator[str]:
    for key in config.licenses:
        yield f"license install {key}"


def _interfaces(config: Config, expanded: bool) -> Iterator[str]:
    for name, parts in sorted(config.splits.items(), key=lambda item: order(item[0])):
        # Only a port that is shut down can be split; the lines have to work on a fresh switch.
        gone = [name, f"1/{order(name)[1] + 1}"] if parts == 4 else [name]
        yield from (f"interface ethernet {each} shutdown" for each in gone)
        yield f"interface ethernet {name} module-type qsfp-split-{parts} force"
    yield from _per_port(config, expanded, lambda port: _when(port.speed, f"speed {port.speed} force"))
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
    if config.manual_buffers:
        yield "advanced buffer management force"
    for name, pool in sorted(config.pools.items()):
        yield f"traffic pool {name} type {pool.type}"
        yield f"traffic pool {name} memory percent {pool.memory:.2f}"
        for priority in pool.priorities:
            yield f"traffic pool {name} map switch-priority {priority}"


def _vlans(config: Config, _expanded: bool) -> Iterator[str]:
    for vlan, name in sorted(config.vlans.items()):
        yield f"vlan {vlan}"
        yield from _when(name, f"vlan {vlan} name {name}")


def _lldp(config: Config, expanded: bool) -> Iterator[str]:
    if config.lldp:
        yield "lldp"
    yield from _per_port(config, expanded, _no_lldp)


def _no_lldp(port: Port) -> list[str]:
    ways = (("receive", port.lldp_receive), ("transmit", port.lldp_transmit))
    return [f"no lldp {way}" for way, on in ways if not on]


def _roce(config: Config, _expanded: bool) -> Iterator[str]:
    if config.roce:
        yield f"roce {config.roce}"


def _qos(config: Config, expanded: bool) -> Iterator[str]:
    plain = baseline(config.roce)
    yield from _per_port(
        config, expanded, lambda port: _when(port.trust != plain.trust, f"qos trust {port.trust}")
    )
    yield from _per_port(config, expanded, _rewrite)
    yield from _per_port(config, expanded, _binds)
    yield from _per_port(config, expanded, lambda port: _congestion(port, plain))


def _rewrite(port: Port) -> list[str]:
    return [
        f"qos rewrite {what}" for what, on in (("pcp", port.rewrite_pcp), ("dscp", port.rewrite_dscp)) if on
    ]


def _binds(port: Port) -> list[str]:
    return [
        f"traffic-class {tc} bind switch-priority {priority}" for priority, tc in sorted(port.binds.items())
    ]


def _congestion(port: Port, plain: Port) -> list[str]:
    gone = sorted(plain.congestion.keys() - port.congestion.keys())
    return [
        *(f"no traffic-class {tc} congestion-control" for tc in gone),
        *(
            f"traffic-class {tc} congestion-control {each.mode} minimum-{each.unit} {each.minimum} "
            f"maximum-{each.unit} {each.maximum}"
            for tc, each in sorted(port.congestion.items())
            if plain.congestion.get(tc) != each
        ),
    ]


def _ets(config: Config, expanded: bool) -> Iterator[str]:
    plain = baseline(config.roce)
    yield from _per_port(config, expanded, lambda port: _scheduling(port, plain))


def _scheduling(port: Port, plain: Port) -> list[str]:
    gone = sorted(plain.ets.keys() - port.ets.keys())
    return [
        *(f"no traffic-class {tc} dcb ets" for tc in gone),
        *(
            f"traffic-class {tc} dcb ets {value if value == 'strict' else f'wrr {value}'}"
            for tc, value in sorted(port.ets.items())
            if plain.ets.get(tc) != value
        ),
    ]


def _pfc(config: Config, expanded: bool) -> Iterator[str]:
    implied = config.roce not in ("", "lossy")
    if config.pfc:
        yield "dcb priority-flow-control enable force"
    elif implied:
        yield "no dcb priority-flow-control enable force"
    if implied and 3 not in config.pfc_priorities:
        yield "no dcb priority-flow-control priority 3 enable"
    for priority in config.pfc_priorities:
        yield f"dcb priority-flow-control priority {priority} enable"
    plain = baseline(config.roce)
    yield from _per_port(config, expanded, lambda port: _pfc_mode(port, plain))
    yield from _per_port(config, expanded, lambda port: _when(port.pfc_watchdog, "pfc-wd"))


def _pfc_mode(port: Port, plain: Port) -> list[str]:
    if port.pfc == plain.pfc:
        return []
    mode = "dcb priority-flow-control mode"
    return [f"{mode} on force" if port.pfc == "on" else f"no {mode} force"]


def _other(config: Config, _expanded: bool) -> Iterator[str]:
    yield f"hostname {config.hostname}"
    for server in config.ntp_servers:
        yield f"ntp server {server}"


def _when(condition: object, line: str) -> list[str]:
    return [line] if condition else []


def _per_port(config: Config, expanded: bool, lines: Callable[[Port], list[str]]) -> Iterator[str]:
    """Yield the ports' lines; ports with the same line share one when the ranges are not expanded."""
    having: dict[str, list[str]] = {}
    for name in sorted(config.ports, key=order):
        for line in lines(config.ports[name]):
            having.setdefault(line, []).append(name)
    for line, names in having.items():
        for group in names if expanded else collapsed(names):
            yield f"interface ethernet {group} {line}"


_SECTIONS = (
    ("License keys", _licenses),
    ("Interface Ethernet configuration", _interfaces),
    ("VLAN configuration", _vlans),
    ("Interface Ethernet buffer configuration", _buffers),
    ("LLDP configuration", _lldp),
    ("RoCE configuration", _roce),
    ("QoS switch configuration", _qos),
    ("DCBX ETS configuration", _ets),
    ("DCBX PFC configuration", _pfc),
    ("Other IP configuration", _other),
)
