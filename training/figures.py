"""The job's figures: what all shards report, as the JSON that `python -m training wait` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import fmean

from training.log import ShardResult
from training.request import Shard, WaitRequest

VERBS = "ibverbs"


class FiguresError(Exception):
    """The shards ended well, but what they report is not the job that was asked for."""


def unmarked(shard: Shard) -> str:
    """Return the sentence on a shard that trains over verbs without our library."""
    return (
        f"{str(shard).capitalize()} trains over ibverbs without a line of our library for verbs, so its "
        "packets may bear the wrong GID and no DSCP, and pass the lossless queue by."
    )


def check(request: WaitRequest, results: Mapping[int, ShardResult]) -> None:
    """Raise FiguresError unless every result is of this run and moved its data as the stack says.

    The trainer's transport must be the stack's, and its interface the device that moved the most bytes: a
    job that fell back to another network is no proof of this one. One shard alone moves nothing.
    """
    for shard in request.shards:
        result = results[shard.index]
        if (result.run_id, result.shard) != (request.run_id, shard.index):
            raise FiguresError(
                f"The container {shard.container} on {shard.host} ran shard {result.shard} of run "
                f"{result.run_id}, not {shard.index} of {request.run_id}."
            )
        if (result.transport, result.interface) != (request.transport, request.interface):
            raise FiguresError(
                f"{str(shard).capitalize()} trained over {result.transport} on {result.interface}, "
                f"not over {request.transport} on {request.interface}."
            )
        if result.transport == VERBS and result.verbs is None and len(request.shards) > 1:
            raise FiguresError(unmarked(shard))
        busiest = result.busiest
        # Software RDMA has no counters of its own: then all of its packets are the interface's.
        wanted = {request.interface, result.device} if result.transport == VERBS else {request.interface}
        among = {one.host for one in request.shards}
        if len(among) > 1 and (busiest is None or busiest.device not in wanted):
            moved = "no device" if busiest is None else f"{busiest.device} ({busiest.sent} bytes sent)"
            raise FiguresError(
                f"{str(shard).capitalize()} should move its data over {' or '.join(sorted(wanted))}, "
                f"but the busiest device was {moved}."
            )


def render(request: WaitRequest, results: Mapping[int, ShardResult]) -> str:
    """Return the figures as JSON with sorted keys and a fixed shape; rates are images/s, losses means."""
    ordered = [(shard, results[shard.index]) for shard in request.shards]
    figures = {
        "final_top1": _round(fmean(result.epochs[-1].top1 for _, result in ordered)),
        "images_per_second": _round(sum(result.images_per_second for _, result in ordered)),
        "interface": request.interface,
        "run_id": request.run_id,
        "shards": [
            {
                "bytes_received": _moved(result)[0],
                "bytes_sent": _moved(result)[1],
                "device": result.device,
                "gid_index": result.gid_index,
                "final_top1": _round(result.epochs[-1].top1),
                "host": shard.host,
                "images_per_second": _round(result.images_per_second),
                "loss_first_epoch": _round(result.epochs[0].loss),
                "loss_last_epoch": _round(result.epochs[-1].loss),
                "shard": shard.index,
                "top1_per_epoch": [_round(epoch.top1) for epoch in result.epochs],
            }
            for shard, result in ordered
        ],
        "transport": request.transport,
    }
    return json.dumps(figures, indent=2, sort_keys=True)


def _moved(result: ShardResult) -> tuple[int, int]:
    """Return what the shard's device received and sent; where it has no counters, what its interface did."""
    by_device = {one.device: (one.received, one.sent) for one in result.traffic}
    return by_device.get(result.device, by_device.get(result.interface, (0, 0)))


def _round(value: float) -> float:
    return round(value, 4)
