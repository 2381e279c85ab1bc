"""The report's page: proof, courses of the shards and settings, as one HTML file without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from facts.proof import NOT_THERE
from facts.rendering import TEMPLATES
from settings.models import Stack
from training import chart
from training.curves import Course, Points, thinned

_MOST_POINTS = 400
_CHARTS: tuple[tuple[str, str, Callable[[Course], Points]], ...] = (
    ("Training loss", "loss", lambda one: one.loss),
    ("Training accuracy", "share of the step's images that were right", lambda one: one.accuracy),
    ("Images per second, per shard", "images/s", lambda one: one.rate),
)


def render(
    stack_name: str,
    stack: Stack,
    outputs: Mapping[str, Any],
    courses: Sequence[Course],
    missing: Sequence[str],
) -> str:
    """Return the page. `outputs` are the stack's; `missing` says whose log could not be read, and why.

    Raises ValueError where the outputs have no proof.
    """
    proof = outputs.get("proof")
    if not isinstance(proof, dict) or "shards" not in proof:
        raise ValueError("the stack has no proof of a finished training")
    begin = _seconds(proof["started"])
    priority = stack.roce.switch_priority
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    moved = {one["shard"]: one["bytes_sent"] for one in outputs.get("training", {}).get("shards", [])}
    return environment.get_template("report/page.html.j2").render(
        charts=_charts(courses, begin),
        facts=_facts(proof, outputs.get("standins", ())),
        hosts=[_host(name, one, priority) for name, one in proof["hosts"].items()],
        job=outputs.get("job", ""),
        legend=[{"name": _name(one), "colour": chart.colour(one["shard"])} for one in proof["shards"]],
        missing=list(missing),
        priority=priority,
        proof=proof,
        shards=[one | {"sent": _size(moved.get(one["shard"]))} for one in proof["shards"]],
        stack=stack_name,
        timeline=Markup(chart.bars(_bars(proof, courses, begin), "Timeline of the run")),  # noqa: S704
        topology=Markup(chart.topology(_topology(stack), "Hosts at their switches")),  # noqa: S704
    )


def _name(shard: Mapping[str, Any]) -> str:
    return f"shard {shard['shard']} on {shard['host']}"


def _charts(courses: Sequence[Course], begin: float | None) -> list[dict[str, Any]]:
    """Return the charts that have something to show; the time is that since the job's start."""
    found = []
    for title, upwards, points in _CHARTS:
        series = {
            f"shard {one.shard}": (
                one.shard,
                tuple((x - (begin or 0.0), y) for x, y in thinned(points(one), _MOST_POINTS)),
            )
            for one in courses
        }
        # The texts in a chart are escaped where it is made.
        drawn = chart.lines(series, title, "seconds since the start", upwards) if begin is not None else ""
        if drawn:
            found.append({"title": title, "svg": Markup(drawn)})  # noqa: S704
    return found


def _bars(proof: Mapping[str, Any], courses: Sequence[Course], begin: float | None) -> list[chart.Bar]:
    steps = {one.shard: one.rate for one in courses if one.rate}
    found = []
    for shard in proof["shards"]:
        start, end = _seconds(shard["started"]), _seconds(shard["ended"])
        if begin is None or start is None or end is None:
            continue
        rate = steps.get(shard["shard"], ())
        found.append(
            chart.Bar(
                _name(shard),
                shard["shard"],
                start - begin,
                end - begin,
                first_step=rate[0][0] - begin if rate else None,
                last_step=rate[-1][0] - begin if rate else None,
            )
        )
    return found


def _seconds(text: str) -> float | None:
    return None if text == NOT_THERE else datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _topology(stack: Stack) -> dict[str, list[tuple[str, str, str]]]:
    return {
        switch.name: [
            (host.name, str(host.data_address), host.switch_port)
            for host in stack.hosts
            if stack.switch_of(host).name == switch.name
        ]
        for switch in stack.all_switches
    }


def _facts(proof: Mapping[str, Any], standins: Sequence[str]) -> list[tuple[str, str]]:
    """Return the proof's rows: what was asked, what was found, and what stands in for hardware."""
    dscp, wire = proof["dscp"], proof.get("wire", NOT_THERE)
    rows = [
        ("run", f"{proof['run']} ({proof['run_id']})"),
        ("started", proof["started"]),
        ("ended", proof["ended"]),
        ("transport", f"{proof['transport']} on {proof['interface']}: {proof['rdma']}"),
        ("DSCP", NOT_THERE if dscp == NOT_THERE else f"{dscp['wanted']}, tested as {dscp['test']}"),
    ]
    if wire != NOT_THERE:
        rows.append(
            ("on the wire", f"{wire['marked']} of {wire['packets']} RoCE packets IPv4 with that DSCP")
        )
    if standins:
        rows.append(("stands in for hardware", "; ".join(standins)))
    rows += [(f"image {key}", _text(value)) for key, value in proof["image"].items()]
    rows += [(f"dataset {key}", _text(value)) for key, value in proof["dataset"].items()]
    return rows


def _host(name: str, host: Mapping[str, Any], priority: int) -> dict[str, str]:
    counters, gid, share = host[f"priority_{priority}"], host["gid"], host["other_priorities_percent"]
    known = counters if isinstance(counters, Mapping) else {}
    return {
        "name": name,
        "gid": gid if gid == NOT_THERE else f"{gid['index']}, {gid['type']}",
        "received": _size(known.get("rx_bytes")),
        "sent": _size(known.get("tx_bytes")),
        "others": share if share == NOT_THERE else f"{share:g} %",
        "versions": ", ".join(f"{key} {value}" for key, value in host["versions"].items()),
    }


def _text(value: Any) -> str:
    """Return a plain value as one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items())
    return str(value)


def _size(count: int | None) -> str:
    """Return bytes for a person, in powers of 1000."""
    if count is None:
        return NOT_THERE
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
