"""A report for Prometheus: the text that node_exporter's textfile collector reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facts.report import Machine, Report


def textfile(report: Report) -> str:
    """Return the report for node_exporter's textfile collector; it holds names and numbers only."""
    label = {"stack": report.stack}
    seen = report.of_state("reachable")
    asked = [one for one in report.machines if one.state in ("reachable", "unreachable")]
    lines = [
        *_metric(
            "rocestack_drift",
            "A fact that is not as it was applied; one that is has no line.",
            [({**label, "host": one.name, "fact": fact}, 1) for one in seen for fact in one.drift],
        ),
        *_metric(
            "rocestack_facts",
            "Facts of a machine by state; a machine that did not answer has no line.",
            [
                ({**label, "host": one.name, "state": state}, count)
                for one in seen
                for state, count in _counts(one).items()
            ],
        ),
        *_metric(
            "rocestack_fabric_problem",
            "A host that does not fit the switch, by its cable or its marks; one that fits has no line.",
            [
                ({**label, "host": one.name, "problem": problem}, 1)
                for one in report.machines
                for problem in _problems(one)
            ],
        ),
        *_metric(
            "rocestack_reachable",
            "Whether a machine could be observed.",
            [({**label, "host": one.name}, int(one.state == "reachable")) for one in asked],
        ),
        *_metric(
            "rocestack_preview_changes",
            "Whether a pulumi up would change anything.",
            [] if report.changes is None else [(label, int(report.changes))],
        ),
        *_metric(
            "rocestack_preview_ok", "Whether the preview ended well.", [(label, int(report.error is None))]
        ),
        *_metric(
            "rocestack_preview_timestamp_seconds",
            "When the preview looked.",
            [(label, int(report.at.timestamp()))],
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def _counts(one: Machine) -> dict[str, int]:
    return {
        "in_sync": one.in_sync,
        "drift": len(one.drift),
        "pending_reboot": len(one.pending_reboot),
        "unobservable": len(one.unobservable),
        "unobservable_allowed": len(one.allowed),
        "foreign": len(one.foreign),
    }


def _problems(one: Machine) -> list[str]:
    return [name for name, found in (("cabling", one.cabling), ("chain", one.chain)) if found]


def _metric(name: str, text: str, samples: Sequence[tuple[Mapping[str, str], int]]) -> list[str]:
    lines = [f"{name}{{{_labels(labels)}}} {number}" for labels, number in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", *lines] if lines else []


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
