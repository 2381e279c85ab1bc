"""The job's plan: done and running shards are in sync, any other state starts a new generation."""

from __future__ import annotations

import pytest

from facts.checkpoint import CheckpointError
from facts.job import ContainerState, JobPlan, plan_containers, plan_run, run_id

LABELS = {"rocestack.generation": "2", "rocestack.run_id": "abc"}
RECORDED = {"s0": LABELS, "s1": LABELS}
HOSTS = {"s0": "h0", "s1": "h1"}


def test_a_job_that_never_ran_is_generation_one() -> None:
    plan = plan_containers("t.s", {"s0": None, "s1": None}, {}, HOSTS)
    assert (plan.generation, plan.note, plan.drift) == (1, "", ())


@pytest.mark.parametrize("status", ["running", "created", "exited 0"])
def test_done_or_running_is_in_sync(status: str) -> None:
    found = {name: ContainerState(status, "2") for name in RECORDED}
    assert plan_containers("t.s", RECORDED, found, HOSTS).generation == 2


def test_an_unknown_host_is_no_drift() -> None:
    found = {"s0": ContainerState("exited 0", "2"), "s1": None}
    assert plan_containers("t.s", RECORDED, found, HOSTS).generation == 2


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (ContainerState("removed"), "s1 on h1 found removed, wanted exited 0"),
        (ContainerState("exited 1", "2"), "s1 on h1 found exited 1, wanted exited 0"),
        (ContainerState("exited 0", "1"), "s1 on h1 found exited 0 of generation 1, wanted exited 0"),
        (ContainerState("running"), "s1 on h1 found running of generation None, wanted exited 0"),
    ],
)
def test_any_other_end_is_drift(state: ContainerState, says: str) -> None:
    found = {"s0": ContainerState("exited 0", "2"), "s1": state}
    plan = plan_containers("t.s", RECORDED, found, HOSTS)
    assert (plan.generation, plan.note) == (3, f"{says} (repair 2)")
    assert len(plan.drift) == 1


def test_the_note_is_repeated_once_repaired() -> None:
    labels = {**LABELS, "rocestack.drift": "s1 on h1 found removed, wanted exited 0"}
    found = {name: ContainerState("exited 0", "2") for name in RECORDED}
    plan = plan_containers("t.s", {"s0": labels, "s1": labels}, found, HOSTS)
    assert (plan.generation, plan.note) == (2, labels["rocestack.drift"])


def test_a_service_must_run() -> None:
    found = {"s0": ContainerState("exited 0", "2"), "s1": ContainerState("running", "2")}
    plan = plan_containers("t.s", RECORDED, found, HOSTS, healthy=("running",))
    assert [str(one) for one in plan.drift] == ["h0 t.s.s0: found 'exited 0', wanted 'running'"]


def test_a_run_is_known_by_its_settings_and_its_try() -> None:
    assert run_id({"a": 1, "b": 2}, 1) == run_id({"b": 2, "a": 1}, 1)
    assert run_id({"a": 1}, 1) != run_id({"a": 1}, 2)
    assert run_id({"a": 1}, 1) != run_id({"a": 2}, 1)


JOB = {"batch_size": 16}


def labels(generation: int, run: str) -> dict[str, str]:
    return {"rocestack.generation": str(generation), "rocestack.run_id": run}


@pytest.mark.parametrize(
    ("recorded", "drifts", "wanted"),
    [
        ({"s0": None}, False, 1),
        ({"s0": labels(1, run_id(JOB, 1))}, False, 1),
        # Another job, also one that is the first one's settings again, never has an identity of before.
        ({"s0": labels(1, "other")}, False, 2),
        ({"s0": labels(2, "other")}, False, 3),
        # An `up` that ended half way: the run that it began goes on.
        ({"s0": labels(3, run_id(JOB, 3)), "s1": labels(2, "other")}, False, 3),
        # Drift made the generation grow already.
        ({"s0": labels(1, "other")}, True, 2),
    ],
)
def test_another_job_is_another_generation(
    recorded: dict[str, dict[str, str] | None], drifts: bool, wanted: int
) -> None:
    gone = ContainerState("removed" if drifts else "exited 0", None)
    known = {name: one["rocestack.generation"] for name, one in recorded.items() if one is not None}
    found = {name: gone if drifts else ContainerState("exited 0", known[name]) for name in known}
    before = plan_containers("t.s", recorded, found, dict.fromkeys(recorded, "h"))
    plan, run = plan_run(JOB, recorded, before)
    assert (plan.generation, run) == (wanted, run_id(JOB, wanted))
    assert plan_run(JOB, {"s0": labels(wanted, run)}, JobPlan(wanted, ""))[1] == run


@pytest.mark.parametrize("generation", ["", "two", "-1"])
def test_a_label_of_another_make_is_a_clear_error(generation: str) -> None:
    recorded = {"s0": LABELS, "s1": {"rocestack.generation": generation}}
    with pytest.raises(CheckpointError, match=r"record of s1 cannot be read .its generation is no number"):
        plan_containers("t.s", recorded, {}, HOSTS)


def test_one_that_was_made_otherwise_is_drift_by_its_key() -> None:
    other = ContainerState("running", "2", (("env", "MODE", "no MODE"), ("network", "default", "host")))
    found = {"s0": ContainerState("exited 0", "2"), "s1": other}
    plan = plan_containers("t.s", RECORDED, found, HOSTS)
    assert [str(one) for one in plan.drift] == [
        "h1 t.s.s1.env: found 'MODE', wanted 'no MODE'",
        "h1 t.s.s1.network: found 'default', wanted 'host'",
    ]
    assert plan.generation == 3
    assert plan.note.startswith("s1.env on h1 found MODE, wanted no MODE; s1.network on h1 ")


def test_one_that_ended_badly_is_told_once() -> None:
    other = ContainerState("exited 1", "2", (("env", "MODE", "no MODE"),))
    plan = plan_containers("t.s", RECORDED, {"s1": other}, HOSTS)
    assert [one.key for one in plan.drift] == ["s1"]
