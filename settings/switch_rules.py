"""The rules about switches: their names, their ports, which host is on which, and how each is reached."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from settings.models import Host, Lab
from settings.problem import Problem
from settings.roce import EcnThresholds, RoceProfile
from settings.switch import Switch, SwitchTransport, port_order, switch_sections

# The two keys that hold switches: one section, or a list of them; None where the stack file has the other.
One = Switch | None
Several = tuple[Switch, ...] | None


def _switches_differ(hosts: tuple[Host, ...], switch: One, switches: Several) -> Iterable[Problem]:
    """Each switch is a machine of its own, by its name and by where it answers."""
    names: dict[str, str] = {}
    places: dict[Hashable, str] = {}
    for path, one in switch_sections(switch, switches):
        if any(host.name == one.name for host in hosts):
            yield Problem(f"{path}.name", one.name, "is also a host's name; each machine needs its own")
        if one.name in names:
            yield Problem(
                f"{path}.name", one.name, f"is also that of {names[one.name]}; each switch needs its own"
            )
        names.setdefault(one.name, path)
        place = (one.address, one.reached_port, one.jump)
        if one.address is not None and place in places:
            yield Problem(
                f"{path}.address",
                one.address,
                f"port {one.reached_port} is also that of {places[place]}; each switch needs its own",
            )
        places.setdefault(place, path)


def _hosts_name_their_switch(hosts: tuple[Host, ...], switch: One, switches: Several) -> Iterable[Problem]:
    names = [one.name for _, one in switch_sections(switch, switches)]
    for index, host in enumerate(hosts):
        path, allowed = f"hosts[{index}].switch", ", ".join(names)
        if host.switch is None and len(names) > 1:
            yield Problem(path, None, f"is required in a stack of several switches; allowed: {allowed}")
        if host.switch is not None and names and host.switch not in names:
            yield Problem(path, host.switch, f"is no switch of this stack; allowed: {allowed}")


def _hosts_of(hosts: Sequence[Host], one: Switch, alone: bool) -> list[tuple[int, Host]]:
    """Return the hosts that belong to a switch with their places; `alone`: it is the stack's only one."""
    return [
        (index, host)
        for index, host in enumerate(hosts)
        if host.switch == one.name or (alone and host.switch is None)
    ]


def _ports_differ(hosts: tuple[Host, ...], switch: One, switches: Several) -> Iterable[Problem]:
    sections = switch_sections(switch, switches)
    for one in {one.name: one for _, one in sections}.values():
        owner: dict[str, Host] = {}
        for index, host in _hosts_of(hosts, one, alone=len(sections) == 1):
            if host.switch_port in owner:
                other = owner[host.switch_port].name
                yield Problem(
                    f"hosts[{index}].switch_port",
                    host.switch_port,
                    f"is also that of {other} on {one.name}; each host needs its own",
                )
            owner.setdefault(host.switch_port, host)


def switch_login(path: str, switch: Switch, made: bool) -> list[tuple[str, object]]:
    """Return what it takes to reach the switch; where that is made by the lab, all that could be set."""
    over_https = switch.transport is SwitchTransport.JSON_API
    names = ["address"]
    if not over_https or made:
        names.append("host_key")
    if over_https or made:
        names.append("certificate_sha256")
    if made:
        names += ["jump", "port"]
    if switch.private_key_file is None or over_https or made:
        names.append("password")
    if made:
        names.append("private_key_file")
    return [(f"{path}.{name}", getattr(switch, name)) for name in names]


def _switch_is_spoken_to(switch: One, switches: Several, lab: Lab | None) -> Iterable[Problem]:
    """The JSON API takes a password and goes straight to the switch; the lab's switch speaks SSH."""
    for path, one in switch_sections(switch, switches):
        if one.transport is not SwitchTransport.JSON_API:
            continue
        if lab is not None:
            yield Problem(f"{path}.transport", str(one.transport), "is not what the lab's switch speaks: ssh")
        for name in ("private_key_file", "jump"):
            if getattr(one, name) is not None:
                yield Problem(
                    f"{path}.{name}", getattr(one, name), "is for SSH; allowed with transport ssh only"
                )


def _ports_are_wired(hosts: tuple[Host, ...], switch: One, switches: Several) -> Iterable[Problem]:
    """Each cable's port gets the profile, and each switch has one."""
    sections = switch_sections(switch, switches)
    for path, one in sections:
        yield from _ranges(f"{path}.qos_ports", one.qos_ports)
        yield from _ranges(f"{path}.uplinks", one.uplinks)
        ports, uplinks = one.port_names(), one.uplink_names()
        left_out = [port for port in uplinks if ports and port not in ports]
        if left_out:
            yield Problem(
                f"{path}.uplinks",
                ", ".join(left_out),
                f"is not among {path}.qos_ports, so traffic between switches would not be lossless",
            )
        mine = _hosts_of(hosts, one, alone=len(sections) == 1)
        for index, host in mine:
            if ports and host.switch_port not in ports:
                yield Problem(
                    f"hosts[{index}].switch_port",
                    host.switch_port,
                    f"is not among {path}.qos_ports, so the host's traffic would not be lossless",
                )
            if host.switch_port in uplinks:
                yield Problem(
                    f"hosts[{index}].switch_port",
                    host.switch_port,
                    f"is among {path}.uplinks, which lead to other switches; allowed is any other port",
                )
        if len(sections) > 1 and not one.uplinks:
            yield Problem(
                f"{path}.uplinks",
                None,
                "is required in a stack of several switches: the ports that lead to the others",
            )


def _ranges(path: str, texts: Sequence[str]) -> Iterator[Problem]:
    for index, text in enumerate(texts):
        first, dash, last = text.partition("-")
        low, high = port_order(first), port_order(last or first)
        if dash and (low[:-1] != high[:-1] or low > high):
            yield Problem(f"{path}[{index}]", text, "is no range; allowed is first-last, such as 1/1-1/32")


def _roce_command_fits(switch: One, switches: Several, roce: RoceProfile) -> Iterable[Problem]:
    """The switch's own command knows one profile only, which is the guide's."""
    if not any(one.roce_command for _, one in switch_sections(switch, switches)):
        return
    only = (
        ("switch_priority", roce.switch_priority, 3),
        ("cnp_traffic_class", roce.cnp_traffic_class, 6),
        ("ecn", roce.ecn, EcnThresholds()),
    )
    for name, found, allowed in only:
        if found != allowed:
            yield Problem(
                f"roce.{name}",
                str(found),
                f"is not what the switch's command `roce` sets; allowed: {allowed}",
            )


def _lab_is_cabled(
    hosts: tuple[Host, ...], switch: One, switches: Several, lab: Lab | None
) -> Iterable[Problem]:
    """The lab's switch has the ports of an SN2700, and the lab joins its switches in a row."""
    if lab is None:
        return
    allowed = "is no port of the lab's switch; allowed: 1/1 to 1/32, or a part of one, such as 1/3/1"
    for index, host in enumerate(hosts):
        if not _in_the_lab(host.switch_port):
            yield Problem(f"hosts[{index}].switch_port", host.switch_port, allowed)
    sections = switch_sections(switch, switches)
    for place, (path, one) in enumerate(sections):
        for port in one.uplink_names():
            if not _in_the_lab(port):
                yield Problem(f"{path}.uplinks", port, allowed)
        if 0 < place < len(sections) - 1 and len(one.uplink_names()) == 1:
            yield Problem(
                f"{path}.uplinks",
                one.uplinks[0],
                "is one port, and the lab joins its switches in a row: this one needs a port to the one "
                "before and a port to the one after",
            )


def _in_the_lab(port: str) -> bool:
    slot, number = port_order(port)[:2]
    return slot == 1 and 1 <= number <= 32


SWITCH_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("hosts", "switch", "switches"), _switches_differ),
    (("hosts", "switch", "switches"), _hosts_name_their_switch),
    (("hosts", "switch", "switches"), _ports_differ),
    (("hosts", "switch", "switches"), _ports_are_wired),
    (("switch", "switches", "lab"), _switch_is_spoken_to),
    (("switch", "switches", "roce"), _roce_command_fits),
    (("hosts", "switch", "switches", "lab"), _lab_is_cabled),
)
