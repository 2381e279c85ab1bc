"""Switch and hosts seen together: does the lossless chain close, and is each host on its port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class HostSide:
    """One host's end: the switch port that the stack gives it, its card's hardware address, its QoS facts.

    `mac` and `qos` are None where the host was not asked or did not answer.
    """

    name: str
    port: str
    mac: str | None = None
    qos: Mapping[str, str] | None = None


@dataclass(frozen=True)
class SwitchSide:
    """The switch's end: what was found of its settings, and who is behind its ports."""

    name: str
    found: Mapping[str, str] = field(default_factory=dict)
    lldp: Mapping[str, str] = field(default_factory=dict)
    macs: Mapping[str, str] = field(default_factory=dict)


class Cabling(StrEnum):
    """What is known of a cable, and from what."""

    LLDP = "LLDP neighbour"
    MAC = "MAC table"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cable:
    """One host's cable; `problem` is a sentence that names both ends where something is wrong with it."""

    host: str
    state: Cabling
    problem: str = ""


def cables(switch: SwitchSide, hosts: Sequence[HostSide]) -> list[Cable]:
    """Return what is known of each host's cable: from LLDP where its frames pass, else from the MAC table.

    A host that was not seen is unknown, never right: an address leaves the table some minutes after its
    last frame.
    """
    return [_cable(switch, host, {one.name: one for one in hosts}) for host in hosts]


def _cable(switch: SwitchSide, host: HostSide, hosts: Mapping[str, HostSide]) -> Cable:
    by_name = {_short(name): port for port, name in switch.lldp.items() if _short(name) in hosts}
    if host.name in by_name:
        return _judged(switch, host, by_name[host.name], Cabling.LLDP)
    neighbour = _short(switch.lldp.get(host.port, ""))
    if neighbour and neighbour in hosts:
        problem = _sentence(switch, host, f"its port {host.port} leads to {neighbour}", Cabling.LLDP)
        return Cable(host.name, Cabling.WRONG, problem)
    if host.mac is not None and host.mac.lower() in switch.macs:
        return _judged(switch, host, switch.macs[host.mac.lower()], Cabling.MAC)
    return Cable(host.name, Cabling.UNKNOWN)


def _judged(switch: SwitchSide, host: HostSide, port: str, source: Cabling) -> Cable:
    if port == host.port:
        return Cable(host.name, source)
    problem = _sentence(switch, host, f"it is on port {port}", source)
    return Cable(host.name, Cabling.WRONG, problem)


def _sentence(switch: SwitchSide, host: HostSide, seen: str, source: Cabling) -> str:
    return (
        f"cabling: {host.name} belongs on port {host.port} of {switch.name}, but {seen} ({source}): move the "
        f"cable, or set its switch_port"
    )


def _short(name: str) -> str:
    return name.partition(".")[0].lower()


def contradictions(switch: SwitchSide, host: HostSide) -> list[str]:
    """Return where a host's marks do not lead into the switch's lossless pool and back, as sentences.

    The chain, as found: ToS → DSCP → switch priority → traffic class with ECN → lossless pool, PFC on that
    priority at both ends of the cable, and congestion notifications in the strict class.
    """
    if host.qos is None or not switch.found:
        return []
    return [f"fabric: {host.name} and {switch.name}: {each}" for each in _broken(switch.found, host.qos)]


def _broken(switch: Mapping[str, str], host: Mapping[str, str]) -> Iterator[str]:
    tos, bits = host.get("traffic_class", ""), host.get("pfc", "").split(",")
    if not tos.isdecimal() or len(bits) != 8:
        yield f"the host marks with traffic class {tos or 'none'} and pauses {host.get('pfc', 'nothing')}"
        return
    dscp = int(tos) >> 2
    maps = dict(pair.split("=") for pair in switch.get("dscp_map", "").split() if pair.count("=") == 1)
    priority = maps.get(str(dscp), str(dscp >> 3))
    expected = (
        ("trust", "L3", f"the host marks DSCP {dscp}, and only trust L3 looks at it"),
        ("pool_type", "lossless", "the pool of the marked packets may drop"),
        ("pool_switch_priority", priority, f"DSCP {dscp} becomes switch priority {priority}"),
        ("pfc_priority", priority, f"DSCP {dscp} becomes switch priority {priority}"),
        ("ecn_traffic_class", priority, f"priority {priority} travels in the traffic class of its number"),
    )
    for key, value, why in expected:
        if key in switch and switch[key] != value:
            yield f"the switch has {key} {switch[key]}, needed is {value}, since {why}"
    paused = ",".join(str(number) for number, bit in enumerate(bits) if bit == "1") or "none"
    if paused != priority:
        yield f"the host pauses priority {paused}, but its packets get switch priority {priority}"
    if host.get("trust") != "dscp":
        yield f"the host trusts {host.get('trust', 'nothing')}, needed is dscp"
    strict = switch.get("strict_traffic_class")
    notifies = host.get("cnp_dscp", "")
    if strict is not None and notifies.isdecimal() and str(int(notifies) >> 3) != strict:
        yield f"the host notifies with DSCP {notifies}, but the switch's strict class is {strict}"


def summary(switch: SwitchSide, hosts: Sequence[HostSide]) -> str | None:
    """Return one line on the whole fabric, or None where nothing was observed."""
    asked = [host for host in hosts if host.qos is not None]
    if not switch.found or not asked:
        return None
    agree = sum(not contradictions(switch, host) for host in asked)
    counted = [cable.state for cable in cables(switch, hosts)]
    known = [
        f"{counted.count(state)} by {state}" for state in (Cabling.LLDP, Cabling.MAC) if state in counted
    ]
    missing = counted.count(Cabling.UNKNOWN)
    parts = [*known, *([f"{missing} unknown (no frame was seen lately)"] if missing else [])]
    if Cabling.WRONG in counted:
        parts.append(f"{counted.count(Cabling.WRONG)} wrong")
    return (
        f"fabric {switch.name}: {agree} of {len(asked)} hosts agree with it on the lossless chain; "
        f"cables: {', '.join(parts)}"
    )
