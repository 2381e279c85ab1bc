"""Charts as inline SVG: lines and bars over time, hosts at their switches. No library, no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from training.curves import Points

_WIDTH, _HEIGHT = 860, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 46
_TICKS = 5
_BAR, _NAME = 22, 190
_BOX, _BOX_HIGH, _GAP, _IN_A_ROW = 150, 58, 20, 5


def colour(number: int) -> str:
    """Return the colour of a shard; neighbours differ much, and all read on white and black."""
    return f"hsl({(number * 137.5 + 210) % 360:.0f} 62% 50%)"


def ticks(low: float, high: float) -> list[float]:
    """Return round values that cover low to high, about five of them."""
    span = high - low or abs(high) or 1.0
    rough = span / _TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [round(number * step, 10) for number in range(first, last + 1)]


def lines(series: Mapping[str, tuple[int, Points]], title: str, across: str, upwards: str) -> str:
    """Return a line chart; each series has its shard's number, which gives the colour, and its points.

    Axes begin at 0, or at a round value below the least one. Without a point there is no chart.
    """
    points = [point for _, given in series.values() for point in given]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    across_ticks = ticks(min(0.0, *xs, 0.0), max(xs))
    up_ticks = ticks(min(0.0, *ys, 0.0), max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        wide = (x - across_ticks[0]) / (across_ticks[-1] - across_ticks[0])
        high = (y - up_ticks[0]) / (up_ticks[-1] - up_ticks[0])
        return (
            round(_LEFT + wide * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - high * (_HEIGHT - _TOP - _BOTTOM), 1),
        )

    parts = [_open(_WIDTH, _HEIGHT, title)]
    for value in up_ticks:
        y = place(across_ticks[0], value)[1]
        parts.append(f'<path class="grid" d="M{_LEFT} {y} H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for value in across_ticks:
        x = place(value, up_ticks[0])[0]
        parts.append(f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{value:g}</text>')
    middle = (_HEIGHT - _BOTTOM + _TOP) / 2
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{escape(across)}</text>"
    )
    parts.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        f"{escape(upwards)}</text>"
    )
    for name, (number, given) in series.items():
        path = " L".join(f"{x} {y}" for x, y in (place(*point) for point in given))
        if path:
            parts.append(
                f'<path d="M{path}" fill="none" stroke="{colour(number)}" stroke-width="1.8">'
                f"<title>{escape(name)}</title></path>"
            )
    return "\n".join([*parts, "</svg>"])


@dataclass(frozen=True)
class Bar:
    """One shard's time in seconds since the job's start: its container's, and that of its training steps."""

    name: str
    number: int
    start: float
    end: float
    first_step: float | None = None
    last_step: float | None = None


def bars(given: Sequence[Bar], title: str) -> str:
    """Return the timeline: a pale bar while a container lives, a full one from its first step to its last."""
    if not given:
        return ""
    marks = ticks(0.0, max(one.end for one in given))
    height = len(given) * _BAR + _TOP + _BOTTOM

    def place(seconds: float) -> float:
        return round(_NAME + seconds / marks[-1] * (_WIDTH - _NAME - _RIGHT), 1)

    parts = [_open(_WIDTH, height, title)]
    for value in marks:
        parts.append(f'<path class="grid" d="M{place(value)} {_TOP} V{height - _BOTTOM}"/>')
        parts.append(
            f'<text x="{place(value)}" y="{height - _BOTTOM + 18}" text-anchor="middle">{value:g}</text>'
        )
    parts.append(
        f'<text x="{(_NAME + _WIDTH) / 2}" y="{height - 6}" text-anchor="middle">'
        "seconds since the start</text>"
    )
    for row, one in enumerate(given):
        y = _TOP + row * _BAR
        parts.append(f'<text x="{_NAME - 8}" y="{y + 14}" text-anchor="end">{escape(one.name)}</text>')
        spans = [(one.start, one.end, 0.3)]
        if one.first_step is not None and one.last_step is not None:
            spans.append((one.first_step, one.last_step, 1.0))
        for begin, end, strength in spans:
            wide = max(round(place(end) - place(begin), 1), 1)
            parts.append(
                f'<rect x="{place(begin)}" y="{y + 3}" width="{wide}" height="{_BAR - 6}" rx="2" '
                f'fill="{colour(one.number)}" fill-opacity="{strength}"/>'
            )
    return "\n".join([*parts, "</svg>"])


def topology(switches: Mapping[str, Sequence[tuple[str, str, str]]], title: str) -> str:
    """Return the switches, each above its hosts, which are (name, data address, switch port)."""
    parts: list[str] = []
    y = _TOP
    for switch, hosts in switches.items():
        parts.append(_box(_LEFT, y, _WIDTH - _LEFT - _RIGHT, 30, texts=[switch], kind="switch"))
        for place, (name, address, port) in enumerate(hosts):
            row, column = divmod(place, _IN_A_ROW)
            x = _LEFT + column * (_BOX + 8)
            top = y + 30 + _GAP + row * (_BOX_HIGH + _GAP)
            parts.append(f'<path class="cable" d="M{x + _BOX / 2} {top} V{top - _GAP}"/>')
            parts.append(
                _box(x, top, _BOX, _BOX_HIGH, texts=[name, address, f"switch port {port}"], kind="host")
            )
        rows = math.ceil(len(hosts) / _IN_A_ROW)
        y += 30 + rows * (_BOX_HIGH + _GAP) + 2 * _GAP
    return "\n".join([_open(_WIDTH, y, title), *parts, "</svg>"])


def _box(x: float, y: float, wide: float, high: float, *, texts: Sequence[str], kind: str) -> str:
    first = y + high / 2 - (len(texts) - 1) * 8 + 4
    written = "".join(
        f'<text x="{x + wide / 2}" y="{first + 16 * row}" text-anchor="middle">{escape(text)}</text>'
        for row, text in enumerate(texts)
    )
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{wide}" height="{high}" rx="5"/>{written}'


def _open(width: float, height: float, title: str) -> str:
    name = escape(title)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}"><title>{name}</title>'
