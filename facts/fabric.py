"""Switches and hosts seen together: does the lossless chain close, and is each host on its port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class HostSide:
    """One host's end: the switch and port that the stack gives it, its card's address, its QoS facts.

    `mac` and `qos` are None where the host was not asked or did not answer.
    """

    name: str
    switch: str
    port: str
    mac: str | None = None
    qos: Mapping[str, str] | None = None


@dataclass(frozen=True)
class SwitchSide:
    """A switch's end: what was found of its settings, and who is behind its ports.

    Behind its `uplinks` are the other switches of the stack with all their hosts. `answered` is whether it
    was asked at all and said something.
    """

    name: str
    uplinks: frozenset[str] = frozenset()
    answered: bool = True
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


@dataclass(frozen=True)
class _Place:
    """Where a host was seen: the switch, the port, and what shows it."""

    switch: SwitchSide
    port: str
    source: Cabling


def cables(switches: Sequence[SwitchSide], hosts: Sequence[HostSide]) -> list[Cable]:
    """Return what is known of each host's cable: from LLDP where its frames pass, else from the MAC table.

    A host that was not seen is unknown, never right: an address leaves the table some minutes after its
    last frame. `switches` are all of the stack, since a cable may end in another one than its host's.
    """
    names = {one.name for one in hosts}
    return [_cable(switches, host, names) for host in hosts]


def _cable(switches: Sequence[SwitchSide], host: HostSide, names: Set[str]) -> Cable:
    # Its own switch first, so that what another one says counts only where that one is silent.
    own, *others = sorted(switches, key=lambda one: one.name != host.switch)
    place = _by_lldp([own, *others], host)
    if place is not None:
        return _judged(own, host, place)
    neighbour = _short(own.lldp.get(host.port, ""))
    if neighbour and neighbour in names:
        problem = _sentence(own, host, f"its port {host.port} leads to {neighbour}", Cabling.LLDP)
        return Cable(host.name, Cabling.WRONG, problem)
    place = _by_mac(own, others, host)
    return Cable(host.name, Cabling.UNKNOWN) if place is None else _judged(own, host, place)


def _by_lldp(switches: Sequence[SwitchSide], host: HostSide) -> _Place | None:
    """Return where the host's own LLDP frames arrive; they never go further than the cable."""
    for switch in switches:
        for port, name in switch.lldp.items():
            if _short(name) == host.name:
                return _Place(switch, port, Cabling.LLDP)
    return None


def _by_mac(own: SwitchSide, others: Sequence[SwitchSide], host: HostSide) -> _Place | None:
    """Return the port that the host's address is behind.

    An address is known on every switch that its frames crossed, so behind an uplink the host is on another
    switch, and that one knows the port. Without an answer of its own switch no other one is believed: the
    frames that it saw came through a port that nobody may have named as an uplink.
    """
    if host.mac is None or not own.answered:
        return None
    mac = host.mac.lower()
    port = own.macs.get(mac)
    if port is not None and port not in own.uplinks:
        return _Place(own, port, Cabling.MAC)
    for switch in others:
        elsewhere = switch.macs.get(mac)
        if elsewhere is not None and elsewhere not in switch.uplinks:
            return _Place(switch, elsewhere, Cabling.MAC)
    return None if port is None else _Place(own, port, Cabling.MAC)


def _judged(own: SwitchSide, host: HostSide, place: _Place) -> Cable:
    if (place.switch.name, place.port) == (own.name, host.port):
        return Cable(host.name, place.source)
    seen, setting = f"it is on port {place.port}", "switch_port"
    if place.switch.name != own.name:
        seen, setting = f"{seen} of {place.switch.name}", "switch and switch_port"
    elif place.port in own.uplinks and place.source is Cabling.MAC:
        seen, setting = f"it is behind the uplink {place.port}", "switch and switch_port"
    return Cable(host.name, Cabling.WRONG, _sentence(own, host, seen, place.source, setting))


def _sentence(
    switch: SwitchSide, host: HostSide, seen: str, source: Cabling, setting: str = "switch_port"
) -> str:
    return (
        f"cabling: {host.name} belongs on port {host.port} of {switch.name}, but {seen} ({source}): move the "
        f"cable, or set its {setting}"
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


def summary(switches: Sequence[SwitchSide], hosts: Sequence[HostSide]) -> list[str]:
    """Return one line on each switch and its hosts; none on a switch where nothing was observed."""
    known = {cable.host: cable.state for cable in cables(switches, hosts)}
    lines = []
    for switch in switches:
        mine = [host for host in hosts if host.switch == switch.name]
        asked = [host for host in mine if host.qos is not None]
        if switch.found and asked:
            agree = sum(not contradictions(switch, host) for host in asked)
            states = _counted([known[host.name] for host in mine])
            lines.append(
                f"fabric {switch.name}: {agree} of {len(asked)} hosts agree with it on the lossless chain; "
                f"cables: {states}"
            )
    return lines


def _counted(states: Sequence[Cabling]) -> str:
    parts = [f"{states.count(one)} by {one}" for one in (Cabling.LLDP, Cabling.MAC) if one in states]
    if Cabling.UNKNOWN in states:
        parts.append(f"{states.count(Cabling.UNKNOWN)} unknown (no frame was seen lately)")
    if Cabling.WRONG in states:
        parts.append(f"{states.count(Cabling.WRONG)} wrong")
    return ", ".join(parts)
