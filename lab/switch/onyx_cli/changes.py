"""The commands that change the switch's configuration, globally and on ports."""

from __future__ import annotations

from collections.abc import Callable

from .grammar import CONFIG, Rule, rule
from .model import Config, Congestion, Pool, Port, Refused

Action = Callable[..., None]

_MAX_KB = 16384


def _hostname(config: Config, name: str) -> None:
    if not all(part.isalnum() for part in name.split("-")) or len(name) > 63:
        raise Refused(f"% Invalid hostname: {name}")
    config.hostname = name


def _pool(config: Config, name: str) -> Pool:
    if name not in config.pools:
        raise Refused(f"% Traffic pool {name} does not exist.")
    return config.pools[name]


def _pool_type(config: Config, name: str, kind: str) -> None:
    config.pools.setdefault(name, Pool()).type = kind


def _pool_memory(config: Config, name: str, percent: str) -> None:
    pool = _pool(config, name)
    others = sum(other.memory for key, other in config.pools.items() if key != name)
    if others + float(percent) > 100:
        raise Refused(f"% Not enough memory: the other traffic pools hold {others:.2f} percent.")
    pool.memory = float(percent)


def _pool_map(config: Config, name: str, priority: int) -> None:
    pool = _pool(config, name)
    for other in config.pools.values():
        if priority in other.priorities:
            other.priorities.remove(priority)
    pool.priorities = sorted({*pool.priorities, priority})


def _pool_unmap(config: Config, name: str, priority: int) -> None:
    pool = _pool(config, name)
    if priority not in pool.priorities:
        raise Refused(f"% Switch-priority {priority} is not mapped to traffic pool {name}.")
    pool.priorities.remove(priority)


def _pool_remove(config: Config, name: str) -> None:
    _pool(config, name)
    del config.pools[name]


def _pfc(enabled: bool) -> Action:
    def change(config: Config) -> None:
        config.pfc = enabled

    return change


def _pfc_priority_on(config: Config, priority: int) -> None:
    config.pfc_priorities = sorted({*config.pfc_priorities, priority})


def _pfc_priority_off(config: Config, priority: int) -> None:
    config.pfc_priorities = [each for each in config.pfc_priorities if each != priority]


def _set(name: str, value: object) -> Action:
    """Return an action that sets the attribute `name` of a configuration or port to a fixed value."""

    def change(target: Config | Port) -> None:
        setattr(target, name, value)

    return change


def _take(name: str) -> Action:
    """Return an action that sets the attribute `name` of a configuration or port to the command's value."""

    def change(target: Config | Port, value: object) -> None:
        setattr(target, name, value)

    return change


def _congestion(unit: str, top: int) -> Action:
    def change(port: Port, tc: int, mode: str, minimum: int, maximum: int) -> None:
        if minimum > maximum:
            raise Refused(f"% Minimum threshold {minimum} must not exceed maximum threshold {maximum}.")
        if maximum > top:
            raise Refused(f"% Maximum threshold {maximum} is out of range: allowed is 0-{top}.")
        port.congestion[tc] = Congestion(mode, unit, minimum, maximum)

    return change


def _no_congestion(port: Port, tc: int) -> None:
    port.congestion.pop(tc, None)


def _strict(port: Port, tc: int) -> None:
    port.ets[tc] = "strict"


def _weighted(port: Port, tc: int, weight: int) -> None:
    port.ets[tc] = str(weight)


def _no_ets(port: Port, tc: int) -> None:
    port.ets.pop(tc, None)


def _pfc_mode(port: Port, mode: str) -> None:
    if mode == "on" and "on" in (port.pause_send, port.pause_receive):
        raise Refused("% PFC cannot be enabled while global flow control is on.")
    port.pfc = "Auto" if mode == "auto" else mode


def _pause(direction: str) -> Action:
    def change(port: Port, state: str) -> None:
        if state == "on" and port.pfc == "on":
            raise Refused("% Global flow control cannot be enabled while PFC is on.")
        setattr(port, f"pause_{direction}", state)

    return change


# Each action takes the running configuration, then the values of its words.
GLOBAL_RULES: list[Rule] = [
    rule(text, CONFIG, action)
    for text, action in (
        ("hostname <name>", _hostname),
        ("traffic pool <name> type lossless|lossy", _pool_type),
        ("traffic pool <name> memory percent <0.0-100.0>", _pool_memory),
        ("traffic pool <name> map switch-priority <0-7>", _pool_map),
        ("no traffic pool <name> map switch-priority <0-7>", _pool_unmap),
        ("no traffic pool <name>", _pool_remove),
        ("dcb priority-flow-control enable [force]", _pfc(True)),
        ("no dcb priority-flow-control enable [force]", _pfc(False)),
        ("dcb priority-flow-control priority <0-7> enable [force]", _pfc_priority_on),
        ("no dcb priority-flow-control priority <0-7> enable [force]", _pfc_priority_off),
        ("lldp", _set("lldp", True)),
        ("no lldp", _set("lldp", False)),
        ("cli default prefix-modes enable", _set("prefix_modes", True)),
        ("no cli default prefix-modes enable", _set("prefix_modes", False)),
    )
]

# Each action takes one port, then the values of its words; a range repeats it for every port.
PORT_RULES: list[Rule] = [
    rule(text, CONFIG, action)
    for text, action in (
        ("qos trust port|L2|L3|both", _take("trust")),
        ("no qos trust", _set("trust", "L2")),
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
        ("no traffic-class <0-7> congestion-control", _no_congestion),
        ("traffic-class <0-7> dcb ets strict", _strict),
        ("traffic-class <0-7> dcb ets wrr <1-100>", _weighted),
        ("no traffic-class <0-7> dcb ets", _no_ets),
        ("dcb priority-flow-control mode on|auto [force]", _pfc_mode),
        ("no dcb priority-flow-control mode [force]", _set("pfc", "Auto")),
        ("flowcontrol send on|off [force]", _pause("send")),
        ("flowcontrol receive on|off [force]", _pause("receive")),
        ("lldp transmit", _set("lldp_transmit", True)),
        ("no lldp transmit", _set("lldp_transmit", False)),
        ("lldp receive", _set("lldp_receive", True)),
        ("no lldp receive", _set("lldp_receive", False)),
        ("shutdown", _set("shutdown", True)),
        ("no shutdown", _set("shutdown", False)),
        ("description <text>", _take("description")),
        ("no description", _set("description", "")),
        ("mtu <1500-9216> [force]", _take("mtu")),
    )
]
