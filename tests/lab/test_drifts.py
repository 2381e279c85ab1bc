"""Each fact of a host, changed by hand: one readable line at preview, repaired by one `up`, then in sync."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from settings import flat
from tests.lab.conftest import LabCluster

NODE = "clx-mld-42"
ROWS: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("drifts.yaml").read_text())

pytestmark = pytest.mark.full


def rounds() -> list[list[dict[str, str]]]:
    """Return the rows in rounds, each with at most one row of a step: a note then has one cause."""
    by_step: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in ROWS:
        by_step[row["step"]].append(row)
    longest = max(len(rows) for rows in by_step.values())
    return [[rows[turn] for rows in by_step.values() if turn < len(rows)] for turn in range(longest)]


@pytest.fixture(scope="module")
def ready(lab: LabCluster) -> None:
    lab.up()
    assert lab.is_clean()


def _notes(lab: LabCluster) -> Mapping[str, Mapping[str, str]]:
    """Return step to its lines of stdin at preview, of the steps that would be updated."""
    planned = json.loads(lab.preview("--json").stdout)["steps"]
    found = {}
    for step in planned:
        if step["op"] != "same":
            name = step["urn"].rsplit("::", 1)[-1]
            found[name] = flat.parse(step["newState"]["inputs"].get("stdin", ""))
    return found


@pytest.mark.parametrize("turn", range(len(rounds())))
def test_a_change_by_hand_is_seen_and_repaired(lab: LabCluster, ready: None, turn: int) -> None:
    rows = rounds()[turn]
    for row in rows:
        lab.on(NODE, "bash", "-euc", row["break"])
    notes = _notes(lab)
    assert {name for name in notes if name.count(".") == 1} >= {f"{NODE}/{row['step']}" for row in rows}
    for row in rows:
        note = notes[f"{NODE}/{row['step']}"].get(f"drift_{row['key']}", "no drift")
        assert note.startswith(f"found {row['found']}, wanted "), (row, note)
    lab.up()
    assert lab.is_clean()


def test_the_table_breaks_every_step_of_the_hosts() -> None:
    assert len(rounds()[0]) == len({row["step"] for row in ROWS})
