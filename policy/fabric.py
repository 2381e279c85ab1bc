"""The rule about the whole fabric: switches and hosts agree on the one lossless priority and its marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from policy.resource import UNKNOWN, Resource, plain
from policy.rules import flat_lines

SWITCH_STEP = "switch_qos.roce"
HOST_STEP = "ofed_stack.qos"
# RFC 3168: the two low bits of the ToS byte; 2 is ECT(0).
_ECT_0 = 2
_SWITCH_KEYS = (
    *("trust", "pool_type", "pool_switch_priority", "pfc_priority"),
    *("ecn_traffic_class", "strict_traffic_class"),
)
_HOST_KEYS = (
    *("trust", "pause", "pfc", "prio_tc", "tsa"),
    *("traffic_class", "cma_roce_tos", "cnp_dscp", "ecn_priority"),
)
_WORDS = ("trust", "pool_type", "pause", "tsa", "prio_tc")


def is_half(resource: Resource) -> bool:
    """Say whether a resource is a switch's or a host's half of the RoCE profile."""
    return resource.name.rpartition("/")[2] in (SWITCH_STEP, HOST_STEP)


def lossless(resources: Sequence[Resource]) -> Iterator[str]:
    """Yield what does not close between the switches' and the hosts' settings, each as one sentence.

    Every host has to agree with every switch, not with its own alone: its packets cross the others too.
    Settings that only the run brings are not judged before they are there.
    """
    halves = []
    for one in filter(is_half, resources):
        lines = flat_lines(one)
        if lines is not None:
            halves.append((one.name, lines))
        elif plain(one.inputs.get("stdin")) is not UNKNOWN:
            yield (
                f"{one.name}: its stdin cannot be read, so the fabric cannot be proven lossless; "
                "allowed are lines key: 'value'."
            )
    switches = [(name, lines) for name, lines in halves if name.endswith(f"/{SWITCH_STEP}")]
    hosts = [(name, lines) for name, lines in halves if name.endswith(f"/{HOST_STEP}")]
    whole: dict[str, list[tuple[str, Mapping[str, str]]]] = {SWITCH_STEP: [], HOST_STEP: []}
    for step, found, needed in ((SWITCH_STEP, switches, _SWITCH_KEYS), (HOST_STEP, hosts, _HOST_KEYS)):
        for name, lines in found:
            wrong = list(_numbers(name, lines, needed))
            yield from wrong
            if not wrong:
                whole[step].append((name, lines))
    for switch, profile in whole[SWITCH_STEP]:
        yield from _switch(switch, profile)
    for host, profile in whole[HOST_STEP]:
        yield from _host(host, profile)
        for switch, other in whole[SWITCH_STEP]:
            yield from _pair(host, profile, switch, other)


def _numbers(name: str, lines: Mapping[str, str], needed: Sequence[str]) -> Iterator[str]:
    for key in needed:
        if key not in lines:
            yield f"{name}: its stdin has no line {key!r}, so the fabric cannot be proven lossless; set it."
        elif key == "pfc":
            if not set(lines[key].split(",")) <= {"0", "1"} or len(lines[key].split(",")) != 8:
                yield f"{name}: pfc is {lines[key]!r}; allowed are eight 0 or 1, such as '0,0,0,1,0,0,0,0'."
        elif key not in _WORDS and not re.fullmatch(r"[0-9]{1,4}", lines[key]):
            yield f"{name}: {key} is {lines[key]!r}; allowed is a whole number."


def _switch(name: str, lines: Mapping[str, str]) -> Iterator[str]:
    priority = lines["pfc_priority"]
    rules = (
        ("trust", "L3", "only L3 trust lets a packet's DSCP choose its priority"),
        ("pool_type", "lossless", "PFC without a lossless pool still drops"),
        ("pool_switch_priority", priority, f"PFC protects priority {priority}"),
        ("ecn_traffic_class", priority, f"priority {priority} travels in the traffic class of its number"),
    )
    for key, allowed, why in rules:
        if lines[key] != allowed:
            yield f"{name}: {key} is {lines[key]!r}; allowed is {allowed!r}, since {why}."
    if lines["strict_traffic_class"] == priority:
        yield (
            f"{name}: strict_traffic_class is {priority!r}, the lossless class itself; allowed is any other, "
            "since congestion notifications need a class of their own."
        )


def _host(name: str, lines: Mapping[str, str]) -> Iterator[str]:
    bits = [number for number, bit in enumerate(lines["pfc"].split(",")) if bit == "1"]
    if len(bits) != 1:
        yield f"{name}: pfc is {lines['pfc']!r}, {len(bits)} priorities; allowed is exactly one."
        return
    priority, tos = bits[0], int(lines["traffic_class"])
    if lines["trust"] != "dscp":
        yield f"{name}: trust is {lines['trust']!r}; allowed is 'dscp', as the switch trusts it too."
    if lines["pause"] != "off":
        yield (
            f"{name}: pause is {lines['pause']!r}; allowed is 'off', since a pause of the whole link stops "
            "what PFC lets pass."
        )
    yield from _classes(name, lines, priority)
    if tos > 255 or tos & 3 != _ECT_0 or tos >> 5 != priority:
        first = priority << 5 | _ECT_0
        yield (
            f"{name}: traffic_class is {tos} (DSCP {tos >> 2}, priority {tos >> 5}, ECN bits {tos & 3}), "
            f"but pfc protects priority {priority}; allowed is DSCP << 2 | 2 with a DSCP of {priority << 3} "
            f"to {(priority << 3) + 7}: {first} to {first + 28} in steps of 4."
        )
    if lines["cma_roce_tos"] != lines["traffic_class"]:
        yield (
            f"{name}: cma_roce_tos is {lines['cma_roce_tos']}, traffic_class is {tos}; allowed are equal "
            "ones, since both mark the same traffic."
        )
    if int(lines["ecn_priority"]) != priority:
        yield (
            f"{name}: ecn_priority is {lines['ecn_priority']}, but pfc protects priority {priority}; "
            "allowed are equal ones."
        )


def _classes(name: str, lines: Mapping[str, str], priority: int) -> Iterator[str]:
    """Yield what is wrong with the scheduling of the lossless class and that of the notifications."""
    classes, scheduling = lines["prio_tc"].split(","), lines["tsa"].split(",")
    if len(classes) != 8 or len(scheduling) != 8 or not set(classes) <= set("01234567"):
        yield (
            f"{name}: prio_tc is {lines['prio_tc']!r}, tsa is {lines['tsa']!r}; allowed are eight traffic "
            "classes of 0 to 7 and eight of ets, strict or vendor."
        )
        return
    for word, of, why in (
        ("ets", priority, "lossless traffic may not starve the rest"),
        ("strict", int(lines["cnp_dscp"]) >> 3, "congestion notifications must pass it"),
    ):
        found = scheduling[int(classes[of])] if 0 <= of < 8 else "none"
        if found != word:
            yield (f"{name}: priority {of} is in a class scheduled {found!r}; allowed is {word!r}, as {why}.")


def _pair(name: str, host: Mapping[str, str], switch: str, other: Mapping[str, str]) -> Iterator[str]:
    bits = host["pfc"].split(",")
    priority = bits.index("1") if bits.count("1") == 1 else None
    if priority is not None and priority != int(other["pfc_priority"]):
        yield (
            f"{name}: pfc protects priority {priority}, but {switch} has pfc_priority "
            f"{other['pfc_priority']}; allowed are equal ones, since a pause counts on both ends of a cable."
        )
    notified = int(host["cnp_dscp"]) >> 3
    if notified != int(other["strict_traffic_class"]):
        first = int(other["strict_traffic_class"]) << 3
        yield (
            f"{name}: cnp_dscp is {host['cnp_dscp']} (priority {notified}), but {switch} has "
            f"strict_traffic_class {other['strict_traffic_class']}; allowed is a cnp_dscp of {first} to "
            f"{first + 7}."
        )
