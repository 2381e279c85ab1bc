"""Many drifts at once on two nodes, and a node that does not answer while it drifts."""

from __future__ import annotations

import os
import random

import pytest

from tests.lab import drifts
from tests.lab.conftest import LabCluster
from tests.lab.drifts import HEAD, NODE, ROWS
from tests.waiting import wait_until

pytestmark = pytest.mark.full

SEED = int(os.environ.get("ROCESTACK_SEED", "7"))
COUNT = 20


@pytest.fixture(scope="module")
def ready(lab: LabCluster) -> None:
    lab.up()
    assert lab.is_clean()


def _each_on_its_hosts() -> list[tuple[str, dict[str, str]]]:
    """Return the rows that may be broken beside others, each with every host that it is for."""
    beside = [row for row in ROWS if "alone" not in row]
    return [(node, row) for node in (HEAD, NODE) for row in beside if "host" not in row or node == HEAD]


def test_twenty_drifts_on_two_nodes_are_all_named_and_repaired_by_one_up(
    lab: LabCluster, ready: None
) -> None:
    # What one change does to the file of another is of no matter here: each fact is named, whatever it reads.
    chosen = random.Random(SEED).sample(_each_on_its_hosts(), COUNT)
    for node, row in chosen:
        drifts.make(lab, node, row)
    status, report = drifts.preview(lab)
    assert status == 7, f"seed {SEED}"
    missed = {(node, f"{row['step']}.{row['key']}") for node, row in chosen} - drifts.findings(report)
    assert missed == set(), f"seed {SEED}"
    lab.up()
    assert lab.is_clean(), f"seed {SEED}"


def test_a_dead_node_is_left_alone_and_its_drift_is_seen_when_it_is_back(
    lab: LabCluster, ready: None
) -> None:
    row = next(row for row in ROWS if (row["step"], row["key"]) == ("ofed_stack.qos", "pfc"))
    lab.on(NODE, "systemctl", "stop", "ssh.service")
    try:
        drifts.make(lab, NODE, row)
        status, report = drifts.preview(lab)
        assert (status, drifts.findings(report)) == (10, set())
        silent = next(one for one in report["machines"] if one["name"] == NODE)
        assert silent["state"] == "unreachable"
        assert f"{NODE} unreachable (" in report["summary"]
        assert lab.planned() == {}
        lab.up()
        assert "1" not in lab.on(NODE, "mlnx_qos", "-i", "enp1f0").split("enabled")[1].splitlines()[0]
    finally:
        lab.on(NODE, "systemctl", "start", "ssh.service")
    wait_until(lambda: drifts.preview(lab)[0] == 7, 60, "drift of the node that is back")
    assert drifts.findings(drifts.preview(lab)[1]) == {(NODE, f"{row['step']}.{row['key']}")}
    lab.up()
    assert lab.is_clean()
