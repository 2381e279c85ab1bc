"""What a training put on the wire, where the kernel counts it: which packets carried the DSCP, which not.

A card's own packets never pass the kernel, so this is for RDMA in software. There the device counts too, and
both must have seen the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from facts import evidence
from facts.evidence import Evidence
from facts.wire import Packets

_WORDS = {"egress": "left", "ingress": "reached"}
# The device's own counter beside the wire's, by direction.
_DEVICE = {"egress": "sent_pkts", "ingress": "rcvd_pkts"}


def moved(before: Evidence, after: Evidence) -> dict[str, dict[str, int]] | None:
    """Return by how much each way's counters grew over a training; None where that is not known.

    Each way has the fields of `Packets`, their `total`, and `device`: what the RDMA device counted itself.
    """
    device = evidence.moved(before.hardware, after.hardware)
    found: dict[str, dict[str, int]] = {}
    for way, counter in _DEVICE.items():
        if way not in before.wire or way not in after.wire or counter not in device:
            return None
        grown = after.wire[way].since(before.wire[way])
        if grown is None:
            return None
        found[way] = {**asdict(grown), "total": grown.total, "device": device[counter]}
    return found


def problems(host: str, found: Mapping[str, Mapping[str, int]] | None, dscp: int) -> list[str]:
    """Return a sentence for each thing on a host's wire that is not as wanted: all of it IPv4 with `dscp`."""
    if found is None:
        return [f"{host} has no count of the RoCE packets on its wire, so nobody saw their DSCP."]
    said = []
    for way, word in _WORDS.items():
        counts = found[way]
        packets = Packets(**{name: counts[name] for name in Packets.__dataclass_fields__})
        if packets.dscp != dscp:
            said.append(f"{host} counts DSCP {packets.dscp} apart, not {dscp}.")
        elif packets.total == 0:
            said.append(f"No RoCE packet {word} {host}.")
        elif packets.unmarked:
            said.append(
                f"{packets.unmarked} of {packets.total} RoCE packets that {word} {host} were not IPv4 with "
                f"DSCP {dscp}: {packets.zero} had DSCP 0, {packets.ipv6} were IPv6."
            )
    said += _device_agrees(host, found)
    return said


def _device_agrees(host: str, found: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return what the wire and the device tell differently: all that left, or more than what arrived."""
    sent, received = found["egress"], found["ingress"]
    said = []
    if sent["total"] != sent["device"]:
        said.append(
            f"{host}: its RDMA device sent {sent['device']} packets, and {sent['total']} were seen to leave."
        )
    # The device does not count what comes for a queue pair that is gone.
    if received["total"] < received["device"]:
        said.append(
            f"{host}: its RDMA device received {received['device']} packets, and {received['total']} were "
            "seen to arrive."
        )
    return said


def summary(hosts: Mapping[str, Any], key: str) -> dict[str, int] | None:
    """Return the packets that all hosts sent (`packets`, `marked`), or None unless each has a count."""
    sent = [host[key]["egress"] for host in hosts.values() if isinstance(host[key], Mapping)]
    if not sent or len(sent) < len(hosts):
        return None
    names = (("packets", "total"), ("marked", "marked"))
    return {name: sum(one[count] for one in sent) for name, count in names}
