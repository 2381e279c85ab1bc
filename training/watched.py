"""A shard while it is watched, and what a person is told of a job that did not end well."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.failures import Failure, explain
from training.log import ShardLog
from training.request import Shard

_LAST_LINES = 15
_LAST_LINES_OF_OTHERS = 3


@dataclass(frozen=True)
class State:
    """A container as `docker inspect` shows it."""

    status: str
    exit_status: int
    out_of_memory: bool

    @property
    def ended(self) -> bool:
        """Whether it ran and is over."""
        return self.status in ("exited", "dead")


@dataclass
class Watched:
    """A shard while it is watched: its output so far, and its end once it has one.

    `said` and `said_at` are the last step that was told and when, `lost` why its host does not answer now,
    `was_away` whether it ever did not, `stopped` how it ended after we stopped it.
    """

    shard: Shard
    log: ShardLog = field(default_factory=ShardLog)
    said: tuple[int, int] = (-1, 0)
    said_at: float = 0.0
    lost: str = ""
    was_away: bool = False
    end: State | None = None
    stopped: State | None = None

    def failed(self) -> bool:
        """Whether it ended by itself, and not well."""
        return self.end is not None and self.end.exit_status != 0

    def failure(self) -> Failure:
        """Return why; only for one that has ended."""
        assert self.end is not None  # asked only of those that have ended
        return explain(
            self.log.tail,
            self.end.exit_status,
            out_of_memory=self.end.out_of_memory,
            host_was_away=self.was_away,
        )


def report(watched: list[Watched], trouble: str | None) -> str:
    """Return the whole message: the cause and its log first, then how each other shard ended.

    `trouble` is what went wrong beside the shards themselves.
    """
    failed = [one for one in watched if one.failed()]
    # A shard that fell because of another is never the cause while one fell by itself.
    failed.sort(key=lambda one: one.failure().consequence)
    parts = [trouble] if trouble is not None else []
    lost = [one for one in watched if one.lost and not one.failed()]
    if failed and failed[0].failure().consequence:
        parts += [_lost(one) for one in lost]
        if not lost and len(failed) == len(watched) > 1:
            parts.append(_NO_CAUSE)
    for place, one in enumerate(failed):
        assert one.end is not None  # `failed` has only ended ones
        failure = one.failure()
        parts.append(
            f"{str(one.shard).capitalize()} failed with exit status {one.end.exit_status}: {failure.sentence}"
        )
        if place == 0:
            parts += [f"Hint: {failure.hint}", f"The last lines of its log ({one.shard.container}):"]
        parts += _last(one, _LAST_LINES_OF_OTHERS if place else _LAST_LINES)
    for one in watched:
        if not one.failed():
            parts += [_other(one), *_last(one, _LAST_LINES_OF_OTHERS)]
    return "\n".join(parts)


_NO_CAUSE = (
    "No shard failed by itself: the data network between their hosts stopped, or a step took longer than "
    "`rocestack:training` timeout.\n"
    "Hint: see `ip -s link` of the data interface on each host, its cable and the switch's port; "
    "`pulumi preview` tells what differs there."
)


def _lost(one: Watched) -> str:
    return (
        f"{str(one.shard).capitalize()} is on a host that does not answer: {one.lost}.\n"
        "Hint: is that host up, and does it answer over SSH? Its shard may still run there."
    )


def _other(one: Watched) -> str:
    """Return how a shard that did not fail by itself ended."""
    name = str(one.shard).capitalize()
    if one.end is not None:
        return f"{name} ended with exit status {one.end.exit_status}."
    if one.stopped is not None:
        return f"{name} was stopped (exit status {one.stopped.exit_status})."
    return f"{name} could not be looked after: {one.lost or 'its container is gone'}."


def _last(one: Watched, count: int) -> list[str]:
    return [f"  {line}" for line in [*filter(_tells, one.log.tail)][-count:]]


def _tells(line: str) -> bool:
    """Whether a line helps a person: not figures, counters or the frames of native code."""
    return line.strip() != "" and not line.startswith(
        ("rocestack-csv:", "rocestack-shard: traffic", "frame #", "    @ ")
    )
