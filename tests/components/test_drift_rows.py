"""The tables of changes by hand: each breaks every fact of its hosts, or says why it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from facts.catalog import steps
from settings import flat
from settings.models import Stack
from tests.components.harness import Program, World, soft_roce_stack, whole_lab_stack

LAB = Path(__file__).parents[1] / "lab"
VM = Path(__file__).parents[1] / "vm"
ROWS: list[dict[str, str]] = yaml.safe_load((LAB / "drifts.yaml").read_text())
NOT: dict[str, str] = yaml.safe_load((LAB / "not_drifted.yaml").read_text())
HEAD, SECOND = "clx-mld-41", "clx-mld-42"


# Of the guests' steps only these differ from the lab's: their RDMA is real.
VM_STEPS = ("ofed_stack.soft_roce", "ofed_stack.qos")


@pytest.fixture(scope="module")
def repaired() -> dict[str, set[str]]:
    return _repaired(whole_lab_stack())


def _repaired(stack: Stack) -> dict[str, set[str]]:
    """Return the facts of each host that `up` repairs, as step.key."""
    found: dict[str, set[str]] = {}
    for name, one in Program(World(stack)).by_name.items():
        host, _, step = name.partition("/")
        if one.type != "command:remote:Command":
            continue
        for key, value in flat.parse(str(one.inputs["stdin"])).items():
            fact = steps()[step].facts.get(key)
            if fact is not None and fact.has(value) and not fact.told:
                found.setdefault(host, set()).add(f"{step}.{key}")
    return found


def test_each_fact_has_a_row_or_a_reason(repaired: dict[str, set[str]]) -> None:
    every = repaired[HEAD] | repaired[SECOND]
    rows = {f"{row['step']}.{row['key']}" for row in ROWS}
    assert every - rows - set(NOT) == set()
    assert rows & set(NOT) == set()
    # Some rows break what is only told or waits for a reboot; a reason is for a fact that there is.
    assert set(NOT) - every == set()
    assert all(reason for reason in NOT.values())


def test_each_row_is_for_a_host_that_has_the_step(repaired: dict[str, set[str]]) -> None:
    for row in ROWS:
        assert set(row) - {"host", "alone"} == {"step", "key", "break", "found"}
        assert row.get("host", "head") == "head"
        only_head = f"{row['step']}.{row['key']}" not in repaired[SECOND]
        assert only_head == ("host" in row), row


def test_each_fact_of_the_guests_rdma_has_a_row_or_a_reason() -> None:
    every = {fact for fact in _repaired(soft_roce_stack())[SECOND] if fact.rpartition(".")[0] in VM_STEPS}
    told: list[dict[str, str]] = yaml.safe_load((VM / "drifts.yaml").read_text())
    reasons: dict[str, str] = yaml.safe_load((VM / "not_drifted.yaml").read_text())
    rows = {f"{row['step']}.{row['key']}" for row in told}
    assert all(set(row) == {"step", "key", "break", "found"} for row in told)
    assert rows | set(reasons) == every
    assert rows & set(reasons) == set()
