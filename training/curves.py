"""A shard's course over time, from its log with Docker's times: images/s, loss and accuracy, step by step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from training.log import parse_iteration, parse_loss

# Docker's time before each line; Python reads up to microseconds of its nanoseconds.
_TIMED = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d) (.*)$")

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Course:
    """One shard over time. Points are (seconds since 1970, value); accuracy is from 0 to 1."""

    shard: int
    rate: Points = ()
    loss: Points = ()
    accuracy: Points = ()


def read(shard: int, lines: Sequence[str]) -> Course:
    """Return the course in the output of `docker logs --timestamps`; lines without a time tell nothing."""
    rate, loss, accuracy = [], [], []
    for line in lines:
        match = _TIMED.match(line)
        if match is None:
            continue
        day, fraction, zone, text = match.groups()
        at = datetime.fromisoformat(day + (fraction or "").ljust(7, "0")[:7] * bool(fraction) + _zone(zone))
        step, lost = parse_iteration(text), parse_loss(text)
        if step is not None and step.rate != float("inf"):
            rate.append((at.timestamp(), step.rate))
        elif lost is not None:
            loss.append((at.timestamp(), lost.loss))
            accuracy.append((at.timestamp(), lost.accuracy))
    return Course(shard, tuple(rate), tuple(loss), tuple(accuracy))


def _zone(text: str) -> str:
    return "+00:00" if text == "Z" else text


def thinned(points: Points, most: int) -> Points:
    """Return at most `most` points: equal parts of them as the means of time and value."""
    if len(points) <= most:
        return points
    found = []
    for place in range(most):
        part = points[place * len(points) // most : (place + 1) * len(points) // most]
        found.append((sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)))
    return tuple(found)
