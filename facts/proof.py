"""The proof of a training: what it was, what really carried it, and what was measured meanwhile."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from facts import evidence, wire_proof
from facts.evidence import Evidence

NOT_THERE = "not there"
TCP = "tcp, not RDMA"
_VERBS = "rocestack-verbs: set "
_FIELD = re.compile(r"(\w+)=('[^']*'|\S+)")
_FRACTION = re.compile(r"\.\d+")


@dataclass(frozen=True)
class Wanted:
    """What the stack asked for. `addresses` are the hosts' data addresses.

    `wire`: the hosts count RoCE packets themselves, so the proof must have those counts.
    """

    run: str
    transport: str
    dscp: int
    priority: int
    addresses: Mapping[str, str]
    image: Mapping[str, Any]
    dataset: Mapping[str, Any]
    wire: bool = False


def build(
    wanted: Wanted,
    figures: Mapping[str, Any],
    verified: Mapping[str, Any],
    after: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return the proof as plain values, in a fixed shape; what nobody could read is ``not there``, never 0.

    `figures` are what the shards report, `verified` what `python -m training verify` printed before the run,
    `after` each host's answer after it. `problems` in the result has a sentence for each thing that does not
    prove what the stack asked for; it is empty for a proof that holds. Raises evidence.EvidenceError.
    """
    earlier = {name: evidence.parse(lines) for name, lines in verified.get("hosts", {}).items()}
    later = {name: evidence.parse(lines) for name, lines in after.items()}
    shards = [_shard(wanted, one, later.get(str(one["host"]), Evidence())) for one in figures["shards"]]
    if verified.get("run_id") != figures["run_id"]:
        earlier = {}
    hosts = {name: _host(wanted, name, _before(earlier.get(name), one), one) for name, one in later.items()}
    starts = [one["started"] for one in shards if one["started"] != NOT_THERE]
    ends = [one["ended"] for one in shards if one["ended"] != NOT_THERE]
    read = _data_read(later)
    rdma = wanted.transport == "ibverbs"
    return {
        "accuracy": figures["final_top1"],
        "bandwidth": list(verified.get("bandwidth", [])),
        "dataset": {**wanted.dataset, "read_by_shards": read},
        "dscp": _dscp(wanted, shards) if rdma else NOT_THERE,
        "ended": max(ends, default=NOT_THERE),
        "hosts": hosts,
        "image": dict(wanted.image),
        "images_per_second": figures["images_per_second"],
        "interface": figures["interface"],
        "problems": [
            *_other_data(wanted, read),
            *_other_images(wanted, shards),
            *_problems(wanted, shards, hosts),
        ],
        "rdma": "RDMA over ibverbs" if rdma else TCP,
        "run": wanted.run,
        "run_id": figures["run_id"],
        "shards": shards,
        "started": min(starts, default=NOT_THERE),
        "transport": figures["transport"],
        "wire": wire_proof.summary(hosts, "wire") or NOT_THERE,
    }


def _shard(wanted: Wanted, figures: Mapping[str, Any], host: Evidence) -> dict[str, Any]:
    container = f"caffe2-shard-{figures['shard']}"
    made = host.containers.get(container, {})
    lines = host.logs.get(container, ())
    arguments = [str(one) for one in made.get("arguments", [])]
    verbs = verbs_fields(lines)
    return {
        "accuracy": figures["final_top1"],
        "ended": utc(str(made.get("ended", ""))),
        "gid_index": int(verbs["gid_index"]) if verbs.get("gid_index", "").isdigit() else NOT_THERE,
        "host": figures["host"],
        "image_id": made.get("image_id", NOT_THERE),
        "images_per_second": figures["images_per_second"],
        "shard": figures["shard"],
        "started": utc(str(made.get("started", ""))),
        # The program's own word first, then what it was started with.
        "transport": _started_with(lines) or _option(arguments, "--distributed_transport") or NOT_THERE,
        "verbs": dict(verbs) if verbs else NOT_THERE,
    }


def _before(earlier: Evidence | None, later: Evidence) -> Evidence:
    """Return what a host told before the run; nothing where it was asked again since, or has booted since."""
    if earlier is None or earlier.epoch is None or later.epoch is None or earlier.epoch > later.epoch:
        return Evidence()
    if None not in (earlier.boot, later.boot) and earlier.boot != later.boot:
        return Evidence()
    return earlier


def _host(wanted: Wanted, name: str, before: Evidence, after: Evidence) -> dict[str, Any]:
    grown = evidence.moved(before.counters, after.counters)
    share = evidence.share_of_others(grown, wanted.priority)
    gid = after.gid_of(wanted.addresses[name]) if name in wanted.addresses else None
    return {
        "gid": {"index": gid.index, "type": gid.kind} if gid is not None else NOT_THERE,
        "hardware": evidence.moved(before.hardware, after.hardware) or NOT_THERE,
        "other_priorities_percent": NOT_THERE if share is None else share,
        f"priority_{wanted.priority}": evidence.of_priority(grown, wanted.priority) or NOT_THERE,
        "versions": dict(after.versions),
        "wire": wire_proof.moved(before, after) or NOT_THERE,
    }


def _dscp(wanted: Wanted, shards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    classes = [_traffic_class(one) for one in shards]
    return {
        "test": f"(tos & 0xfc) == {wanted.dscp << 2:#x}",
        "traffic_classes": [NOT_THERE if one is None else one for one in classes],
        "wanted": wanted.dscp,
    }


def _traffic_class(shard: Mapping[str, Any]) -> int | None:
    verbs = shard["verbs"]
    text = verbs.get("traffic_class", "") if isinstance(verbs, Mapping) else ""
    return int(text) if text.isdigit() else None


def _problems(
    wanted: Wanted, shards: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    found = []
    for one in shards:
        name = f"Shard {one['shard']} on {one['host']}"
        if one["transport"] not in (wanted.transport, NOT_THERE):
            found.append(f"{name} trained over {one['transport']}, not over {wanted.transport}.")
        if wanted.transport != "ibverbs":
            continue
        traffic_class = _traffic_class(one)
        if one["verbs"] == NOT_THERE:
            found.append(
                f"{name} has no line of the verbs library in its log, so nobody chose its GID and class."
            )
        elif traffic_class is None or not evidence.carries(traffic_class, wanted.dscp):
            found.append(
                f"{name} set traffic class {traffic_class}, which does not carry DSCP {wanted.dscp}."
            )
    if wanted.transport == "ibverbs" and len(hosts) > 1:
        found += _idle_priorities(wanted.priority, hosts)
    if wanted.transport == "ibverbs" and wanted.wire:
        for name, host in hosts.items():
            counted = host["wire"]
            found += wire_proof.problems(name, None if counted == NOT_THERE else counted, wanted.dscp)
    return found


def _idle_priorities(priority: int, hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each host whose lossless priority counts bytes, and counted none meanwhile."""
    found = []
    for name, host in hosts.items():
        counters = host[f"priority_{priority}"]
        ways = ("rx_bytes", "tx_bytes")
        if isinstance(counters, Mapping) and any(counters.get(way) == 0 for way in ways):
            found.append(
                f"{name} moved no byte one way on priority {priority}: "
                "the training was not in the lossless queue."
            )
    return found


def verbs_fields(lines: Sequence[str]) -> dict[str, str]:
    """Return the key=value words of the verbs library's last line, or nothing without such a line."""
    said = [line for line in lines if line.startswith(_VERBS)]
    return {key: value.strip("'") for key, value in _FIELD.findall(said[-1])} if said else {}


def _other_images(wanted: Wanted, shards: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each shard that ran another image than its host was given."""
    given = wanted.image.get("id")
    found = []
    for one in shards:
        its = given.get(one["host"]) if isinstance(given, Mapping) else given
        if its is not None and one["image_id"] not in (its, NOT_THERE):
            found.append(f"Shard {one['shard']} on {one['host']} ran the image {one['image_id']}, not {its}.")
    return found


def _other_data(wanted: Wanted, read: Mapping[str, str] | str) -> list[str]:
    """Return a sentence where the shards read other data than the stack made."""
    made, found = wanted.dataset.get("sha256"), read.get("manifest") if isinstance(read, Mapping) else None
    if made is None or found is None or made == found:
        return []
    return [f"The shards read data whose manifest is {found}, not {made}."]


def _data_read(hosts: Mapping[str, Evidence]) -> dict[str, str] | str:
    """Return what the shards say that they read (records, the manifest's sha256), where all say the same."""
    said = [
        dict(_FIELD.findall(line))
        for host in hosts.values()
        for lines in host.logs.values()
        for line in lines
        if line.startswith("rocestack-shard: data ")
    ]
    if not said:
        return NOT_THERE
    return said[0] if all(one == said[0] for one in said) else "differs from shard to shard"


def _started_with(lines: Sequence[str]) -> str:
    for line in lines:
        if line.startswith("rocestack-shard: start "):
            return str(dict(_FIELD.findall(line)).get("transport", ""))
    return ""


def _option(arguments: Sequence[str], name: str) -> str:
    return next((arguments[at + 1] for at, one in enumerate(arguments[:-1]) if one == name), "")


def utc(text: str) -> str:
    """Return Docker's time in UTC to the second (``2026-11-26T10:55:11Z``); its zero is ``not there``."""
    try:
        when = datetime.fromisoformat(_FRACTION.sub("", text).replace("Z", "+00:00"))
    except ValueError:
        return NOT_THERE
    if when.year == 1 or when.tzinfo is None:
        return NOT_THERE
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
