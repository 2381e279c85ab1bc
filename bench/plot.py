"""A plot with two logarithmic axes, as SVG text; no library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 210, 50, 55
# Told apart also without colours, by the marks.
_COLOURS = ("#0b6e4f", "#c1440e", "#3a5ba0", "#7a7a7a", "#a0508c", "#8a6d00")
_MARKS = (
    '<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>',
    '<rect x="{left}" y="{top}" width="8" height="8" fill="{colour}"/>',
    '<path d="M{x} {top} l5 9 h-10 z" fill="{colour}"/>',
    '<circle cx="{x}" cy="{y}" r="4" fill="white" stroke="{colour}" stroke-width="2"/>',
    '<rect x="{left}" y="{top}" width="8" height="8" fill="white" stroke="{colour}" stroke-width="2"/>',
    '<path d="M{x} {top} l5 9 h-10 z" fill="white" stroke="{colour}" stroke-width="2"/>',
)

Points = Sequence[tuple[float, float]]


def svg(series: Mapping[str, Points], title: str, across: str, upwards: str) -> str:
    """Return the plot of `series` (its name to points of positive numbers); an empty one is left out.

    Raises ValueError where nothing is left to draw.
    """
    series = {name: points for name, points in series.items() if points}
    if not series:
        raise ValueError("there is nothing to draw")
    xs = sorted({x for points in series.values() for x, _ in points})
    ys = [y for points in series.values() for _, y in points]
    bottom, top = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys) * 1.01))

    def place(x: float, y: float) -> tuple[float, float]:
        wide = math.log(x / xs[0]) / math.log(xs[-1] / xs[0]) if xs[-1] > xs[0] else 0.5
        high = math.log(y / bottom) / math.log(top / bottom)
        return (
            round(_LEFT + wide * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - high * (_HEIGHT - _TOP - _BOTTOM), 1),
        )

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="28" font-size="16">{escape(title)}</text>',
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 14}" text-anchor="middle">'
        f"{escape(across)}</text>",
        f'<text x="18" y="{_HEIGHT / 2}" text-anchor="middle" '
        f'transform="rotate(-90 18 {_HEIGHT / 2})">{escape(upwards)}</text>',
    ]
    for y in _ticks(bottom, top):
        at = place(xs[0], y)[1]
        lines.append(f'<path d="M{_LEFT} {at} H{_WIDTH - _RIGHT}" stroke="#dddddd"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{at + 4}" text-anchor="end">{y:g}</text>')
    for x in xs:
        at = place(x, bottom)[0]
        lines.append(f'<path d="M{at} {_TOP} V{_HEIGHT - _BOTTOM}" stroke="#dddddd"/>')
        lines.append(f'<text x="{at}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{x:g}</text>')
    for number, (name, points) in enumerate(series.items()):
        places = [place(x, y) for x, y in sorted(points)]
        lines += _line(name, places, number)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _ticks(bottom: float, top: float) -> list[float]:
    count = round(math.log10(top / bottom))
    return [bottom * 10**power for power in range(count + 1)]


def _line(name: str, places: Points, number: int) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    path = " L".join(f"{x} {y}" for x, y in places)
    drawn = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    legend = (_WIDTH - _RIGHT + 24, _TOP + 12 + 24 * number)
    for x, y in [*places, legend]:
        mark = _MARKS[number % len(_MARKS)]
        drawn.append(mark.format(x=x, y=y, left=x - 4, top=round(y - 5, 1), colour=colour))
    return [*drawn, f'<text x="{legend[0] + 14}" y="{legend[1] + 4}">{escape(name)}</text>']
