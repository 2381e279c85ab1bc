"""What one host tells of a training: counters and GIDs of its network, versions, its shards' own words."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from facts import rendering, wire
from facts.wire import Packets

END = "evidence.end="
ROCE_V2 = "RoCE v2"
# The six high bits of the IPv4 ToS byte are the DSCP; a switch may change the two low ones (ECN) on the way.
_DSCP_MASK = 0xFC
_COUNTER = re.compile(r"^(?P<way>[rt]x)_prio(?P<priority>[0-7])_(?P<what>[a-z_]+)$")


class EvidenceError(ValueError):
    """An answer that is not that of the script; the message says what is wrong with it."""


@dataclass(frozen=True)
class Gid:
    """One filled slot of an RDMA port's GID table; `kind` is ``RoCE v2`` or ``IB/RoCE v1``."""

    index: int
    address: str
    kind: str


@dataclass(frozen=True)
class Evidence:
    """What a host told. What could not be read is not there: never 0, never an empty text.

    `epoch` is the host's time in seconds since 1970, `boot` the id of its boot, `speed_mbps` the link's
    speed in Mb/s, `verbs` the device's file under /dev/infiniband. `counters` are the NIC's per priority
    (`ethtool -S`), `hardware` those of the RDMA port (hw_counters). `wire` has the RoCE packets counted on
    the interface, by ``ingress`` and ``egress``, on hosts whose RDMA device is software. `containers` and
    `logs` have, by a shard's container, how it ran and its lines of ours.
    """

    epoch: int | None = None
    boot: str | None = None
    speed_mbps: int | None = None
    device: str | None = None
    port: int | None = None
    verbs: str | None = None
    gids: tuple[Gid, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    hardware: Mapping[str, int] = field(default_factory=dict)
    wire: Mapping[str, Packets] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    containers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    logs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def gid_of(self, address: str) -> Gid | None:
        """Return the RoCE v2 slot of an IPv4 address: its place differs from host to host."""
        wanted = ipaddress.IPv6Address(f"::ffff:{address}")
        fitting = (one for one in self.gids if one.kind == ROCE_V2)
        return next((one for one in fitting if ipaddress.IPv6Address(one.address) == wanted), None)


def script() -> str:
    """Return the read-only script; its standard input are interface, sysfs_root and containers."""
    return rendering.render("training_job/evidence.verify.sh.j2")


def parse(lines: Iterable[str]) -> Evidence:
    """Return what the script's output says. Raises EvidenceError when it is cut off or not the script's."""
    given = list(lines)
    if not given or given[-1] != END:
        raise EvidenceError("the host's answer is cut off")
    groups: dict[str, dict[str, str]] = {}
    logs: dict[str, list[str]] = {}
    for line in given[:-1]:
        key, sign, value = line.partition("=")
        group, dot, name = key.partition(".")
        if not sign or not dot:
            raise EvidenceError(f"this is not a line of the host's answer: {line[:80]!r}")
        if group == "log":
            logs.setdefault(name, []).append(value)
        elif value:
            groups.setdefault(group, {})[name] = value
    try:
        return _evidence(groups, logs)
    except (ValueError, TypeError) as error:
        raise EvidenceError(f"the host's answer has a value that cannot be read: {error}") from None


def _evidence(groups: Mapping[str, Mapping[str, str]], logs: Mapping[str, list[str]]) -> Evidence:
    rdma = groups.get("rdma", {})
    speed = groups.get("link", {}).get("speed_mbps")
    epoch = groups.get("time", {}).get("epoch")
    gids = []
    for index, text in groups.get("gid", {}).items():
        address, _, kind = text.partition(" ")
        gids.append(Gid(int(index), address, kind))
    return Evidence(
        epoch=int(epoch) if epoch is not None else None,
        boot=groups.get("time", {}).get("boot"),
        speed_mbps=int(speed) if speed is not None else None,
        device=rdma.get("device"),
        port=int(rdma["port"]) if "port" in rdma else None,
        verbs=rdma.get("verbs"),
        gids=tuple(gids),
        counters={name: int(value) for name, value in groups.get("counter", {}).items()},
        hardware={name: int(value) for name, value in groups.get("hardware", {}).items()},
        wire={way: wire.parse(text) for way, text in groups.get("wire", {}).items()},
        versions=groups.get("version", {}),
        containers={name: json.loads(value) for name, value in groups.get("container", {}).items()},
        logs={name: tuple(found) for name, found in logs.items()},
    )


def carries(tos: int, dscp: int) -> bool:
    """Return whether a ToS byte carries a DSCP, whatever its ECN bits are: ``(tos & 0xfc) == dscp << 2``."""
    return tos & _DSCP_MASK == dscp << 2


def moved(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return by how much each counter grew; one that is missing on a side, or was set back, is left out."""
    return {
        name: value - before[name]
        for name, value in after.items()
        if name in before and value >= before[name]
    }


def of_priority(grown: Mapping[str, int], priority: int) -> dict[str, int]:
    """Return the counters of one priority, without its number: ``rx_bytes``, ``tx_pause``, …"""
    found = {}
    for name, value in grown.items():
        match = _COUNTER.match(name)
        if match is not None and int(match["priority"]) == priority:
            found[f"{match['way']}_{match['what']}"] = value
    return found


def share_of_others(grown: Mapping[str, int], priority: int) -> float | None:
    """Return the other priorities' part of all bytes, in percent; None where no byte was counted."""
    own = others = 0
    for name, value in grown.items():
        match = _COUNTER.match(name)
        if match is None or match["what"] != "bytes":
            continue
        if int(match["priority"]) == priority:
            own += value
        else:
            others += value
    return round(100 * others / (own + others), 3) if own + others else None
