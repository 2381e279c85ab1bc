"""From what the switch prints to typed values: JSON answers and the running configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from onyx import dialect
from onyx.errors import UnexpectedAnswer
from onyx.ports import expand, normal
from onyx.state import Configuration, Congestion, Pool, Port, percent

_ETHERNET = re.compile(r"^Eth\d+/\d+(/\d+)?$")
_PORT_LINE = re.compile(r"^interface ethernet (\S+) (.+)$")


def json_answer(text: str) -> Any:
    """Return the data of an answer to `… | json-print`; the switch may print lines before it.

    Raises UnexpectedAnswer when there is no JSON in it.
    """
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.lstrip()[:1] in ("{", "[")), None)
    if start is None:
        raise UnexpectedAnswer(f"the switch answered {text.strip()[:80]!r} where JSON was asked for")
    try:
        return json.loads("\n".join(lines[start:]))
    except json.JSONDecodeError as error:
        raise UnexpectedAnswer(f"the switch's JSON breaks off or is malformed: {error}") from error


def release(data: Any) -> str:
    """Return the "Product release" of `show version`, such as "3.6.8012"."""
    return str(_get(data, "Product release", "show version"))


@dataclass(frozen=True)
class PfcTable:
    """`show dcb priority-flow-control`: if it is on, its priorities, the ports' admin and oper states."""

    enabled: bool
    priorities: frozenset[int]
    admin: dict[str, str]
    oper: dict[str, str]


def pfc_table(data: Any) -> PfcTable:
    """Return the PFC state from the list form of releases from 3.6.6000 on, with its parts in any order."""
    head: dict[str, Any] = {}
    admin: dict[str, str] = {}
    oper: dict[str, str] = {}
    for part in data if isinstance(data, list) else [data]:
        for key, value in part.items():
            if _ETHERNET.match(key) and value:
                admin[normal(key)] = str(value[0]["PFC admin"]).lower()
                oper[normal(key)] = str(value[0]["PFC oper"]).lower()
            else:
                head[key] = value
    where = "show dcb priority-flow-control"
    enabled = str(_get(head, "PFC", where)).lower() == "enabled"
    return PfcTable(enabled, _priorities(_get(head, "Priority Enabled List", where)), admin, oper)


def pools(data: Any) -> dict[str, Pool]:
    """Return the pools of `show traffic pool [name]`; what is no pool ("Exception list") is left out."""
    found = {}
    for name, value in data.items():
        if isinstance(value, list) and value and "Memory [%]" in value[0]:
            facts = value[0]
            where = "show traffic pool"
            found[name] = Pool(
                str(_get(facts, "Type", where)).lower(),
                percent(str(facts["Memory [%]"])),
                _priorities(_get(facts, "Switch Priorities", where)),
            )
    return found


def trust(data: Any, port: str) -> str:
    """Return the trust mode of `port` from `show qos interface ethernet`."""
    return str(_get(_port_parts(data, port)[0], "Trust mode", "show qos interface"))


def congestion(data: Any) -> dict[int, Congestion]:
    """Return the classes with congestion control of `show interfaces ethernet … congestion-control`."""
    found = {}
    for part in data:
        header = str(part.get("header", ""))
        if header.startswith("TC-") and part.get("Mode", "none").lower() != "none":
            absolute = part["Threshold mode"] == "absolute"
            low, high = (
                int(re.split(r"[ %]", part[f"{end} threshold"])[0]) for end in ("Minimum", "Maximum")
            )
            found[int(header[3:])] = Congestion(part["Mode"].lower(), absolute, low, high)
    return found


def strict(data: Any, port: str) -> frozenset[int]:
    """Return the strict traffic classes of `port` from `show dcb ets interface ethernet`."""
    for part in _port_parts(data, port):
        if "ETS per TC" in part:
            classes = part["ETS per TC"][0]
            return frozenset(
                int(tc) for tc, facts in classes.items() if facts[0]["S.Mode"].lower() == "strict"
            )
    raise UnexpectedAnswer(f"the switch's answer about ETS of port {port} has no table of traffic classes")


def _port_parts(data: Any, port: str) -> list[dict[str, Any]]:
    for part in data if isinstance(data, list) else [data]:
        if f"Eth{port}" in part:
            return list(part[f"Eth{port}"])
    raise UnexpectedAnswer(f"the switch's answer does not speak of port {port}")


def _get(data: Any, key: str, where: str) -> Any:
    if not isinstance(data, dict) or key not in data:
        raise UnexpectedAnswer(f'the switch\'s answer to "{where}" has no "{key}"')
    return data[key]


def _priorities(text: Any) -> frozenset[int]:
    return frozenset(int(number) for number in re.findall(r"\d+", str(text)))


@dataclass
class _Draft:
    """A configuration while its lines are read."""

    hostname: str = ""
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    ports: dict[str, dict[str, Any]] = field(default_factory=dict)
    pfc: bool = False
    pfc_priorities: set[int] = field(default_factory=set)
    manual_buffers: bool = False


def running_config(text: str) -> Configuration:
    """Return the QoS settings of a running or saved configuration, ranges collapsed or expanded.

    Lines about other things are passed over; comments and the three-space indent carry no meaning.
    """
    draft = _Draft()
    for raw in text.splitlines():
        line = " ".join(raw.split())
        on_port = _PORT_LINE.match(line)
        if on_port is not None:
            _read_port_line(draft, expand(on_port.group(1)), on_port.group(2))
        elif line and not line.startswith("#"):
            _read_global_line(draft, line)
    return Configuration(
        draft.hostname,
        {name: _pool(facts) for name, facts in draft.pools.items()},
        {name: _port(facts) for name, facts in draft.ports.items()},
        draft.pfc,
        frozenset(draft.pfc_priorities),
        draft.manual_buffers,
    )


def _pool(facts: dict[str, Any]) -> Pool:
    return Pool(
        facts.get("type", "lossy"), facts.get("memory", "0.00"), frozenset(facts.get("priorities", ()))
    )


def _port(facts: dict[str, Any]) -> Port:
    return Port(
        facts.get("trust", "L2"),
        facts.get("congestion", {}),
        frozenset(facts.get("strict", ())),
        facts.get("pfc", False),
    )


def _read_global_line(draft: _Draft, line: str) -> None:
    for pattern, read in _GLOBAL:
        match = pattern.match(line)
        if match is not None:
            read(draft, *match.groups())
            return


def _read_port_line(draft: _Draft, names: list[str], rest: str) -> None:
    for pattern, read in _ON_PORT:
        match = pattern.match(rest)
        if match is not None:
            for name in names:
                read(draft.ports.setdefault(name, {}), *match.groups())
            return


def _hostname(draft: _Draft, name: str) -> None:
    draft.hostname = name


def _pool_type(draft: _Draft, name: str, kind: str) -> None:
    draft.pools.setdefault(name, {})["type"] = kind


def _pool_memory(draft: _Draft, name: str, share: str) -> None:
    draft.pools.setdefault(name, {})["memory"] = percent(share)


def _pool_map(draft: _Draft, name: str, priorities: str) -> None:
    draft.pools.setdefault(name, {}).setdefault("priorities", set()).update(_priorities(priorities))


def _pfc_on(draft: _Draft) -> None:
    draft.pfc = True


def _pfc_priority(draft: _Draft, priority: str) -> None:
    draft.pfc_priorities.add(int(priority))


def _manual(draft: _Draft) -> None:
    draft.manual_buffers = True


def _port_trust(port: dict[str, Any], mode: str) -> None:
    port["trust"] = mode


def _port_congestion(port: dict[str, Any], tc: str, mode: str, *thresholds: str) -> None:
    unit, low, high = thresholds
    port.setdefault("congestion", {})[int(tc)] = Congestion(mode, unit == "absolute", int(low), int(high))


def _port_strict(port: dict[str, Any], tc: str) -> None:
    port.setdefault("strict", set()).add(int(tc))


def _port_pfc(port: dict[str, Any]) -> None:
    port["pfc"] = True


def _table(*rows: tuple[str, Callable[..., None]]) -> tuple[tuple[re.Pattern[str], Callable[..., None]], ...]:
    return tuple((re.compile(rf"^{pattern}$"), read) for pattern, read in rows)


_GLOBAL = _table(
    (r"hostname (\S+)", _hostname),
    (r"traffic pool (\S+) type (\S+)", _pool_type),
    (r"traffic pool (\S+) memory percent (\S+)", _pool_memory),
    (r"traffic pool (\S+) map switch-priority ([\d ]+)", _pool_map),
    (r"dcb priority-flow-control enable(?: force)?", _pfc_on),
    (r"dcb priority-flow-control priority (\d) enable(?: force)?", _pfc_priority),
    (rf"{dialect.MANUAL_BUFFERS}.*", _manual),
)

_ON_PORT = _table(
    (r"qos trust (\S+)", _port_trust),
    (
        r"traffic-class (\d) congestion-control (red|ecn|both) "
        r"minimum-(absolute|relative) (\d+) maximum-(?:absolute|relative) (\d+)",
        _port_congestion,
    ),
    (r"traffic-class (\d) dcb ets strict", _port_strict),
    (r"dcb priority-flow-control mode on(?: force)?", _port_pfc),
)
