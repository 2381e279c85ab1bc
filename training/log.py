"""What a shard's output says: the trainer's progress and CSV lines, and the marker lines of shard.sh."""

from __future__ import annotations

import csv
import math
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MARK = "rocestack-shard: "
_CSV = "rocestack-csv: "
_VERBS = "rocestack-verbs: set "
# More than what Python and native code say on a failure.
_TAIL = 500
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


class ShardLog:
    """A shard's output while it comes: what its figures need, and its last lines; the rest is forgotten.

    A long training says millions of lines, and all shards are watched at once.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self.step: Iteration | None = None
        self.verbs: str | None = None
        self._marked: dict[str, list[dict[str, str]]] = {}
        self._rows: list[str] = []
        self._losses: dict[int, _Mean] = {}
        self._time = _Mean()
        for line in lines:
            self.add(line)

    def add(self, line: str) -> Loss | None:
        """Take the next line; return the loss that it reports of the last step."""
        self.tail.append(line)
        if line.startswith(_MARK):
            what, _, rest = line.removeprefix(_MARK).partition(" ")
            self._marked.setdefault(what, []).append(dict(_FIELD.findall(rest)))
        elif line.startswith(_CSV):
            self._rows.append(line.removeprefix(_CSV))
        elif self.verbs is None and line.startswith(_VERBS):
            self.verbs = line.removeprefix(_VERBS)
        elif (step := parse_iteration(line)) is not None:
            self.step = step
            # For images of the same number the time of an image is what can be added up.
            self._time.add(1 / step.rate if step.rate > 0 else math.inf)
        elif self.step is not None and (loss := parse_loss(line)) is not None:
            self._losses.setdefault(self.step.epoch, _Mean()).add(loss.loss)
            return loss
        return None

    def result(self) -> ShardResult:
        """Return what the shard reports of itself, once it is finished.

        Raises LogError if the output lacks its start, its steps or its CSV rows, or if these do not fit.
        """
        # A log that was cut at its limit has lost its first lines; the last one tells the same.
        start = [*self._marked.get("start", ()), *self._marked.get("end", ())]
        if not start:
            raise LogError("its output lacks the line that rocestack-shard starts with")
        if self.step is None:
            raise LogError("its output shows no training step")
        epochs = self._epochs()
        if not epochs:
            raise LogError("its output has no row of the trainer's CSV file")
        time = self._time.value
        try:
            return ShardResult(
                run_id=start[0]["run_id"],
                shard=int(start[0]["shard"]),
                transport=start[0]["transport"],
                interface=start[0]["interface"],
                device=start[0].get("device", start[0]["interface"]),
                gid_index=int(start[0]["gid_index"]) if "gid_index" in start[0] else None,
                verbs=self.verbs,
                epochs=epochs,
                images_per_second=1 / time if time > 0 else math.inf,
                traffic=tuple(
                    Traffic(row["kind"], row["device"], int(row["rx_bytes"]), int(row["tx_bytes"]))
                    for row in self._marked.get("traffic", ())
                ),
            )
        except (KeyError, ValueError) as error:
            raise LogError(f"its output has a line that cannot be read ({error})") from error

    def _epochs(self) -> tuple[EpochResult, ...]:
        rows = [line for line in self._rows if not line.startswith("#")]
        try:
            return tuple(
                EpochResult(
                    epoch=int(row["epoch"]),
                    # The trainer of the guide's days has another name for it.
                    top1=float(row.get("top1_test_accuracy") or row["test_accuracy"]),
                    loss=self._loss(int(row["epoch"]), row),
                )
                for row in csv.DictReader(rows)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LogError(f"its CSV file cannot be read ({error})") from error

    def _loss(self, epoch: int, row: Mapping[str, str]) -> float:
        if epoch not in self._losses and "start" not in self._marked:
            # A cut log has lost this epoch's steps; its row still has the loss of the last one.
            return float(row["loss"])
        return self._losses[epoch].value


@dataclass
class _Mean:
    """A mean that remembers no value."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1

    @property
    def value(self) -> float:
        return self.total / self.count


def parse_shard(lines: Iterable[str]) -> ShardResult:
    """Return the result in a finished shard's whole output. Raises LogError as `ShardLog.result` does."""
    return ShardLog(lines).result()
