"""What a shard's output says: the trainer's progress and CSV lines, and the marker lines of shard.sh."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, harmonic_mean

_MARK = "rocestack-shard: "
_CSV = "rocestack-csv: "
_VERBS = "rocestack-verbs: set "
_FIELD = re.compile(r"(\w+)=(\S*)")
_ITERATION = re.compile(
    r"Finished iteration (?P<number>\d+)/(?P<count>\d+) of epoch (?P<epoch>\d+)"
    r" \((?P<rate>\d+(?:\.\d+)?|inf) images/sec\)"
)
_LOSS = re.compile(r"Training loss: (?P<loss>[-+.\deE]+|nan|inf), accuracy: (?P<accuracy>[-+.\deE]+|nan)")


class LogError(Exception):
    """The output is not that of a finished shard; the message says what is missing."""


@dataclass(frozen=True)
class Iteration:
    """One training step of one shard: `number` counts from 1, `epoch` from 0, `rate` is in images/s."""

    epoch: int
    number: int
    count: int
    rate: float


@dataclass(frozen=True)
class Loss:
    """What follows a step: its training loss, and the share of its images that were labelled right."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class EpochResult:
    """One epoch: top-1 on the held-out pictures (0 to 1), and the mean of its steps' training losses."""

    epoch: int
    top1: float
    loss: float


@dataclass(frozen=True)
class Traffic:
    """Bytes that one device moved while the trainer ran; `kind` is ``net`` or ``rdma``."""

    kind: str
    device: str
    received: int
    sent: int


@dataclass(frozen=True)
class ShardResult:
    """What a finished shard reports of itself.

    `images_per_second` is the images of all steps divided by the time in them. `transport` and `interface`
    are what the shard was told, `device` is what the trainer used for it (over ibverbs the RDMA device), and
    `gid_index` its GID there (None over tcp); `traffic` is what the devices really moved. `verbs` is what our
    library for verbs says that it set (None: it was not there).
    """

    run_id: str
    shard: int
    transport: str
    interface: str
    device: str
    gid_index: int | None
    verbs: str | None
    epochs: tuple[EpochResult, ...]
    images_per_second: float
    traffic: tuple[Traffic, ...]

    @property
    def busiest(self) -> Traffic | None:
        """The device that moved the most bytes, or None without any.

        RDMA goes past the kernel's counters, so over ibverbs the RDMA ports count; without any (software RDMA
        has no such counters, and all of its packets are the interface's) the network devices do. The loopback
        device joins shards of one host and never two hosts.
        """
        ports = [one for one in self.traffic if one.kind == "rdma" and self.transport == "ibverbs"]
        devices = [one for one in self.traffic if one.kind == "net" and one.device != "lo"]
        return max(ports or devices, key=lambda one: one.received + one.sent, default=None)


def parse_iteration(line: str) -> Iteration | None:
    """Return the step that `line` reports, or None if it reports none."""
    match = _ITERATION.search(line)
    if match is None:
        return None
    return Iteration(
        epoch=int(match["epoch"]),
        number=int(match["number"]),
        count=int(match["count"]),
        rate=float(match["rate"]),
    )


def parse_loss(line: str) -> Loss | None:
    """Return the loss that `line` reports, or None if it reports none."""
    match = _LOSS.search(line)
    return None if match is None else Loss(float(match["loss"]), float(match["accuracy"]))


def parse_verbs(line: str) -> str | None:
    """Return what our library for verbs says in `line` that it set, or None if it says no such thing."""
    return line.removeprefix(_VERBS) if line.startswith(_VERBS) else None


def parse_shard(lines: Sequence[str]) -> ShardResult:
    """Return the result in a finished shard's output.

    Raises LogError if the output lacks its start, its steps or its CSV rows, or if these do not fit.
    """
    # A log that was cut at its limit has lost its first lines; the last one tells the same.
    start = [*_marked(lines, "start"), *_marked(lines, "end")]
    if not start:
        raise LogError("its output lacks the line that rocestack-shard starts with")
    iterations = [step for line in lines if (step := parse_iteration(line)) is not None]
    if not iterations:
        raise LogError("its output shows no training step")
    epochs = _epochs(lines)
    if not epochs:
        raise LogError("its output has no row of the trainer's CSV file")
    try:
        return ShardResult(
            run_id=start[0]["run_id"],
            shard=int(start[0]["shard"]),
            transport=start[0]["transport"],
            interface=start[0]["interface"],
            device=start[0].get("device", start[0]["interface"]),
            gid_index=int(start[0]["gid_index"]) if "gid_index" in start[0] else None,
            verbs=next((said for line in lines if (said := parse_verbs(line)) is not None), None),
            epochs=epochs,
            images_per_second=harmonic_mean([step.rate for step in iterations]),
            traffic=tuple(
                Traffic(row["kind"], row["device"], int(row["rx_bytes"]), int(row["tx_bytes"]))
                for row in _marked(lines, "traffic")
            ),
        )
    except (KeyError, ValueError) as error:
        raise LogError(f"its output has a line that cannot be read ({error})") from error


def _marked(lines: Iterable[str], what: str) -> list[dict[str, str]]:
    """Return the key=value fields of each of shard.sh's lines of one kind."""
    begin = f"{_MARK}{what} "
    return [dict(_FIELD.findall(line[len(begin) :])) for line in lines if line.startswith(begin)]


def _epochs(lines: Sequence[str]) -> tuple[EpochResult, ...]:
    rows = [
        line.removeprefix(_CSV) for line in lines if line.startswith(_CSV) and not line.startswith(_CSV + "#")
    ]
    losses = _losses(lines)
    whole = bool(_marked(lines, "start"))
    try:
        return tuple(
            EpochResult(
                epoch=epoch,
                # The trainer of the guide's days has another name for it.
                top1=float(row.get("top1_test_accuracy") or row["test_accuracy"]),
                # Where a cut log has lost an epoch's steps, its row still has the loss of the last one.
                loss=fmean(losses[epoch] if whole or epoch in losses else [float(row["loss"])]),
            )
            for row in csv.DictReader(rows)
            for epoch in [int(row["epoch"])]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LogError(f"its CSV file cannot be read ({error})") from error


def _losses(lines: Iterable[str]) -> dict[int, list[float]]:
    """Return each epoch's training losses; a loss line belongs to the step reported before it."""
    losses: dict[int, list[float]] = {}
    epoch = None
    for line in lines:
        step = parse_iteration(line)
        loss = parse_loss(line)
        if step is not None:
            epoch = step.epoch
        elif loss is not None and epoch is not None:
            losses.setdefault(epoch, []).append(loss.loss)
    return losses
