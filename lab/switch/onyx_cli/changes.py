"""The commands that change the switch's configuration, globally, in a pool and on ports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .grammar import CONFIG, Rule, rule
from .model import Config, Congestion, Pool, Port, baseline
from .names import Refused, neighbour, order, parent
from .release import QOS_TRUST, ROCE_COMMAND, TRAFFIC_POOLS

Action = Callable[..., None]

_MAX_KB = 16384
_POOL_NAME_LENGTH = 20
_PARTS = {"qsfp-split-2": 2, "qsfp-split-4": 4}


class Confirm(Exception):
    """The switch wants a "yes" first; the text is its question. With `force` it does not ask."""


def _hostname(config: Config, name: str) -> None:
    if not all(part.isalnum() for part in name.split("-")) or len(name) > 63:
        raise Refused(f"% Invalid hostname: {name}")
    config.hostname = name


def _no_hostname(config: Config) -> None:
    config.hostname = "localhost"


def _pool(config: Config, name: str) -> Pool:
    if name not in config.pools:
        raise Refused(f"% Traffic pool {name} does not exist.")
    return config.pools[name]


def _new_pool(config: Config, name: str) -> Pool:
    """Return the pool; it is made when it is not there, as by `type`, `map` and the bare name."""
    if config.manual_buffers:
        raise Refused("% Traffic pools cannot be configured in advanced buffer management mode.")
    if len(name) > _POOL_NAME_LENGTH:
        raise Refused(
            f"% Invalid traffic pool name: {name}. At most {_POOL_NAME_LENGTH} characters are allowed."
        )
    return config.pools.setdefault(name, Pool())


def _pool_make(config: Config, name: str) -> None:
    _new_pool(config, name)


def _pool_type(config: Config, name: str, kind: str) -> None:
    _new_pool(config, name).type = kind


def _no_pool_type(config: Config, name: str) -> None:
    _pool(config, name).type = "lossy"


def _pool_memory(config: Config, name: str, percent: str) -> None:
    pool = _pool(config, name)
    others = sum(other.memory for key, other in config.pools.items() if key != name)
    if others + float(percent) > 100:
        raise Refused(f"% Not enough memory: the other traffic pools hold {others:.2f} percent.")
    pool.memory = round(float(percent), 2)


def _no_pool_memory(config: Config, name: str) -> None:
    _pool(config, name).memory = 0.0


def _priorities(words: list[str]) -> set[int]:
    for word in words:
        if word not in "01234567" or len(word) != 1:
            raise Refused(f'% Value "{word}" is out of range: allowed is 0-7.')
    return {int(word) for word in words}


def _pool_map(config: Config, name: str, words: list[str]) -> None:
    wanted = _priorities(words)
    pool = _new_pool(config, name)
    for other in config.pools.values():
        other.priorities = [priority for priority in other.priorities if priority not in wanted]
    pool.priorities = sorted({*pool.priorities, *wanted})


def _pool_unmap(config: Config, name: str, words: list[str]) -> None:
    pool = _pool(config, name)
    for priority in _priorities(words):
        if priority not in pool.priorities:
            raise Refused(f"% Switch-priority {priority} is not mapped to traffic pool {name}.")
        pool.priorities.remove(priority)


def _pool_remove(config: Config, name: str) -> None:
    _pool(config, name)
    del config.pools[name]


def _manual_buffers(config: Config) -> None:
    if config.roce:
        raise Refused("% Advanced buffer management cannot be configured while RoCE is on.")
    config.manual_buffers = True
    config.pools.clear()


def _ask(question: str) -> Action:
    def change(_target: Config, *_values: object) -> None:
        raise Confirm(question)

    return change


def _pfc_priority_on(config: Config, priority: int) -> None:
    config.pfc_priorities = sorted({*config.pfc_priorities, priority})


def _pfc_priority_off(config: Config, priority: int) -> None:
    config.pfc_priorities = [each for each in config.pfc_priorities if each != priority]


def _roce(config: Config, mode: str = "lossless") -> None:
    if config.manual_buffers:
        raise Refused("% RoCE cannot be configured in advanced buffer management mode.")
    _set_roce(config, mode)
    config.pfc = mode != "lossy"
    config.pfc_priorities = [] if mode == "lossy" else [3]


def _no_roce(config: Config) -> None:
    if config.roce:
        _set_roce(config, "")
        config.pfc, config.pfc_priorities = False, []


def _set_roce(config: Config, mode: str) -> None:
    """Set the mode, and on every port what it stands for; the ports' other settings stay."""
    config.roce = mode
    for port in config.ports.values():
        plain = baseline(mode)
        port.trust, port.congestion, port.ets, port.pfc = plain.trust, plain.congestion, plain.ets, plain.pfc
        if "on" in (port.pause_send, port.pause_receive):
            port.pfc = "Auto"


def _set(name: str, value: object) -> Action:
    """Return an action that sets the attribute `name` of a configuration to a fixed value."""

    def change(config: Config) -> None:
        setattr(config, name, value)

    return change


def _add(name: str) -> Action:
    """Return an action that puts the command's value into the sorted list `name` of a configuration."""

    def change(config: Config, value: Any) -> None:
        setattr(config, name, sorted({*getattr(config, name), value}))

    return change


def _drop(name: str, what: str) -> Action:
    """Return an action that takes the command's value out of the list `name` of a configuration."""

    def change(config: Config, value: Any) -> None:
        if value not in getattr(config, name):
            raise Refused(f"% {what} {value} does not exist.")
        getattr(config, name).remove(value)

    return change


def _vlan(config: Config, vlan: int) -> None:
    if vlan != 1:
        config.vlans.setdefault(vlan, "")


def _vlan_name(config: Config, vlan: int, name: str) -> None:
    config.vlans[vlan] = name


def _no_vlan(config: Config, vlan: int) -> None:
    if vlan not in config.vlans:
        raise Refused(f"% VLAN {vlan} does not exist.")
    del config.vlans[vlan]


def _license_delete(config: Config, number: int) -> None:
    if number > len(config.licenses):
        raise Refused(f"% No such license: {number}")
    del config.licenses[number - 1]


# On ports: each action takes the running configuration, the port's name, then the values of its words.


def _on(change: Callable[..., None]) -> Action:
    """Return a port action out of one that needs only the port."""

    def action(config: Config, name: str, *values: object) -> None:
        change(config.port(name), *values)

    return action


def _port_set(name: str, value: object) -> Action:
    def change(port: Port) -> None:
        setattr(port, name, value)

    return _on(change)


def _port_take(name: str) -> Action:
    def change(port: Port, value: object) -> None:
        setattr(port, name, value)

    return _on(change)


def _description(port: Port, words: list[str]) -> None:
    port.description = " ".join(words).strip('"')


def _congestion(unit: str, top: int) -> Action:
    def change(port: Port, tc: int, mode: str, minimum: int, maximum: int) -> None:
        if minimum > maximum:
            raise Refused(f"% Minimum threshold {minimum} must not exceed maximum threshold {maximum}.")
        if maximum > top:
            raise Refused(f"% Maximum threshold {maximum} is out of range: allowed is 0-{top}.")
        port.congestion[tc] = Congestion(mode, unit, minimum, maximum)

    return _on(change)


def _no_congestion(port: Port, tc: int) -> None:
    port.congestion.pop(tc, None)


def _strict(port: Port, tc: int) -> None:
    port.ets[tc] = "strict"


def _weighted(port: Port, tc: int, weight: int) -> None:
    port.ets[tc] = str(weight)


def _no_ets(port: Port, tc: int) -> None:
    port.ets.pop(tc, None)


def _bind(port: Port, tc: int, words: list[str]) -> None:
    for priority in _priorities(words):
        port.binds[priority] = tc
    port.binds = {priority: bound for priority, bound in port.binds.items() if priority != bound}


def _no_bind(port: Port, tc: int) -> None:
    port.binds = {priority: bound for priority, bound in port.binds.items() if bound != tc}


def _pfc_mode(port: Port, mode: str) -> None:
    if mode == "on" and "on" in (port.pause_send, port.pause_receive):
        raise Refused("% PFC cannot be enabled while global flow control is on.")
    port.pfc = "Auto" if mode == "auto" else mode


def _no_pfc_mode(port: Port) -> None:
    port.pfc = "Auto"


def _pause(direction: str) -> Action:
    def change(port: Port, state: str) -> None:
        if state == "on" and port.pfc == "on":
            raise Refused("% Global flow control cannot be enabled while PFC is on.")
        setattr(port, f"pause_{direction}", state)

    return _on(change)


def _default_interface(config: Config, name: str) -> None:
    config.ports.pop(name, None)


def _split(config: Config, name: str, kind: str) -> None:
    parts, other = _PARTS[kind], neighbour(name)
    if len(order(name)) != 2:
        raise Refused(f"% Port {name} is split already.")
    if parts == 4 and other is None:
        raise Refused(f"% Port {name} cannot be split into 4.")
    gone = [name, other] if parts == 4 and other is not None else [name]
    for each in gone:
        if each in config.splits:
            raise Refused(f"% Port {each} is split: merge it first.")
        if not config.seen(each).shutdown:
            raise Refused(f"% Port {each} must be shut down first.")
    for each in gone:
        config.ports.pop(each, None)
    config.splits[name] = parts


def _merge(config: Config, name: str) -> None:
    socket = parent(name)
    if socket not in config.splits:
        raise Refused(f"% Port {name} is not split.")
    for part in range(1, config.splits.pop(socket) + 1):
        config.ports.pop(f"{socket}/{part}", None)


_ASK_PFC = (
    "This action might cause traffic loss while shutting down a port with priority-flow-control mode on\n"
    "Type 'yes' to confirm {what} pfc globally: "
)
_POOL = "traffic pool <name>"

# What stands after "traffic pool <name>", or alone inside the pool's own mode.
_POOL_RULES: tuple[tuple[str, str, Action], ...] = (
    ("", "type lossless|lossy|lossy-mc", _pool_type),
    ("no", "type", _no_pool_type),
    ("", "memory percent <0.0-100.0>", _pool_memory),
    ("no", "memory percent", _no_pool_memory),
    ("", "map switch-priority <priorities...>", _pool_map),
    ("no", "map switch-priority <priorities...>", _pool_unmap),
)

# Each action takes the running configuration, then the values of its words.
GLOBAL_RULES: list[Rule] = [
    *(rule(f"{no} {_POOL} {rest}", CONFIG, action, TRAFFIC_POOLS) for no, rest, action in _POOL_RULES),
    rule("no traffic pool <name> [force]", CONFIG, _pool_remove, TRAFFIC_POOLS),
    rule("roce", CONFIG, _roce, ROCE_COMMAND),
    rule("roce lossless|semi-lossless|lossy", CONFIG, _roce, ROCE_COMMAND),
    rule("no roce", CONFIG, _no_roce, ROCE_COMMAND),
    *(
        rule(text, CONFIG, action)
        for text, action in (
            ("hostname <name>", _hostname),
            ("no hostname", _no_hostname),
            ("advanced buffer management force", _manual_buffers),
            ("no advanced buffer management force", _set("manual_buffers", False)),
            ("dcb priority-flow-control enable", _ask(_ASK_PFC.format(what="enable"))),
            ("dcb priority-flow-control enable force", _set("pfc", True)),
            ("no dcb priority-flow-control enable", _ask(_ASK_PFC.format(what="disable"))),
            ("no dcb priority-flow-control enable force", _set("pfc", False)),
            ("dcb priority-flow-control priority <0-7> enable [force]", _pfc_priority_on),
            ("no dcb priority-flow-control priority <0-7> enable [force]", _pfc_priority_off),
            ("lldp", _set("lldp", True)),
            ("no lldp", _set("lldp", False)),
            ("cli default prefix-modes enable", _set("prefix_modes", True)),
            ("no cli default prefix-modes enable", _set("prefix_modes", False)),
            ("license install <key>", _add("licenses")),
            ("license delete <1-99>", _license_delete),
            ("vlan <2-4094> name <name>", _vlan_name),
            ("no vlan <2-4094>", _no_vlan),
            ("ntp server <host>", _add("ntp_servers")),
            ("no ntp server <host>", _drop("ntp_servers", "NTP server")),
        )
    ),
]

# Inside the mode of a pool: the same words without the pool's name, which the session puts first.
POOL_RULES: list[Rule] = [
    rule(f"{no} {rest}", CONFIG, action, TRAFFIC_POOLS) for no, rest, action in _POOL_RULES
]
VLAN_RULES: list[Rule] = [rule("name <name>", CONFIG, _vlan_name)]
MAKE_VLAN: Rule = rule("vlan <1-4094>", CONFIG, _vlan)
MAKE_POOL: Rule = rule(f"{_POOL} [force]", CONFIG, _pool_make, TRAFFIC_POOLS)

PORT_RULES: list[Rule] = [
    rule("qos trust port|L2|L3|both", CONFIG, _port_take("trust"), QOS_TRUST),
    rule("no qos trust", CONFIG, _port_set("trust", "L2"), QOS_TRUST),
    *(
        rule(text, CONFIG, action)
        for text, action in (
            ("qos rewrite pcp", _port_set("rewrite_pcp", True)),
            ("no qos rewrite pcp", _port_set("rewrite_pcp", False)),
            ("qos rewrite dscp", _port_set("rewrite_dscp", True)),
            ("no qos rewrite dscp", _port_set("rewrite_dscp", False)),
            (
                f"traffic-class <0-7> congestion-control red|ecn|both minimum-absolute <0-{_MAX_KB}> "
                f"maximum-absolute <0-{_MAX_KB}>",
                _congestion("absolute", _MAX_KB),
            ),
            (
                "traffic-class <0-7> congestion-control red|ecn|both minimum-relative <0-100> "
                "maximum-relative <0-100>",
                _congestion("relative", 100),
            ),
            ("no traffic-class <0-7> congestion-control", _on(_no_congestion)),
            ("traffic-class <0-7> dcb ets strict", _on(_strict)),
            ("traffic-class <0-7> dcb ets wrr <1-100>", _on(_weighted)),
            ("no traffic-class <0-7> dcb ets", _on(_no_ets)),
            ("traffic-class <0-7> bind switch-priority <priorities...>", _on(_bind)),
            ("no traffic-class <0-7> bind switch-priority", _on(_no_bind)),
            ("dcb priority-flow-control mode on|auto [force]", _on(_pfc_mode)),
            ("no dcb priority-flow-control mode [force]", _on(_no_pfc_mode)),
            ("pfc-wd", _port_set("pfc_watchdog", True)),
            ("no pfc-wd", _port_set("pfc_watchdog", False)),
            ("flowcontrol send on|off [force]", _pause("send")),
            ("flowcontrol receive on|off [force]", _pause("receive")),
            ("lldp transmit", _port_set("lldp_transmit", True)),
            ("no lldp transmit", _port_set("lldp_transmit", False)),
            ("lldp receive", _port_set("lldp_receive", True)),
            ("no lldp receive", _port_set("lldp_receive", False)),
            ("shutdown", _port_set("shutdown", True)),
            ("no shutdown", _port_set("shutdown", False)),
            ("description <text...>", _on(_description)),
            ("no description", _port_set("description", "")),
            ("speed 1G|10G|25G|40G|50G|56G|100G [force]", _port_take("speed")),
            ("speed auto [force]", _port_set("speed", "")),
            ("no speed [force]", _port_set("speed", "")),
            ("mtu <1500-9216> [force]", _port_take("mtu")),
            ("no mtu [force]", _port_set("mtu", 1500)),
            ("module-type qsfp-split-2|qsfp-split-4 force", _split),
            ("module-type qsfp force", _merge),
        )
    ),
]
# `default interface ethernet <ports>` stands the other way round; the session turns it.
DEFAULT_INTERFACE: Rule = rule("default", CONFIG, _default_interface)
