"""The job on the lab: two runs and four shards learn alike, `wait: false`, and what a change leaves alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import ROOT, LabCluster, stack_file_with
from tests.lab.drifts import HEAD, NODE
from tests.waiting import wait_until

pytestmark = pytest.mark.full

# Eight labels: chance is 0.125.
_CLEARLY_ABOVE_CHANCE = 0.5
# The trainer takes no seed (docs/decisions/0044); runs of the same settings end this near to each other.
_ALIKE = 0.15
_RUN = {"training_job.verify", "training_job.wait"}
_SHARDS = {f"{HEAD}/caffe2-shard-0", f"{NODE}/caffe2-shard-1"}


@pytest.fixture(scope="module")
def first(lab: LabCluster) -> dict[str, Any]:
    """Return the figures of a run of the lab's own settings."""
    lab.up()
    training: dict[str, Any] = lab.outputs()["training"]
    return training


def _running(lab: LabCluster) -> list[str]:
    """Return the shards that run on any node."""
    ask = ("docker", "ps", "--format", "{{.Names}}", "--filter", "name=caffe2-shard")
    return [name for node in (HEAD, NODE) for name in lab.on(node, *ask).split()]


def test_another_run_ends_alike(lab: LabCluster, first: dict[str, Any], tmp_path: Path) -> None:
    lab.up("--config-file", stack_file_with(tmp_path, training={"run": "again"}))
    second = lab.outputs()["training"]
    assert second["run_id"] != first["run_id"]
    for one in (first, second):
        assert one["final_top1"] >= _CLEARLY_ABOVE_CHANCE
    assert abs(first["final_top1"] - second["final_top1"]) <= _ALIKE
    for one in first["shards"] + second["shards"]:
        assert one["loss_last_epoch"] < one["loss_first_epoch"] / 2


def test_four_shards_learn_the_same(lab: LabCluster, first: dict[str, Any], tmp_path: Path) -> None:
    # As many steps as two shards have: an epoch's images are over all shards.
    four = {"shards_per_host": 2, "num_epochs": 8}
    stack_file = stack_file_with(tmp_path, training=four)
    lab.up("--config-file", stack_file)
    outputs = lab.outputs()
    training, proof = outputs["training"], outputs["proof"]
    assert [one["host"] for one in training["shards"]] == [HEAD, HEAD, NODE, NODE]
    for one in training["shards"]:
        assert one["final_top1"] >= _CLEARLY_ABOVE_CHANCE
        assert len(one["top1_per_epoch"]) == 8
        assert one["bytes_sent"] > 0
    assert abs(first["final_top1"] - training["final_top1"]) <= _ALIKE
    assert proof["problems"] == []
    assert proof["accuracy"] == training["final_top1"]
    assert lab.is_clean("--config-file", stack_file)


def test_a_job_that_is_not_waited_for_goes_on(lab: LabCluster, first: dict[str, Any], tmp_path: Path) -> None:
    lab.up("--config-file", stack_file_with(tmp_path, training={"wait": False, "run": "behind"}))
    told = lab.outputs()["training"]
    assert told["state"] == "started"
    assert _running(lab) == ["caffe2-shard-0", "caffe2-shard-1"]
    # Its log is there, and no report yet.
    wait_until(lambda: "Finished iteration" in lab.run("make", "logs").stdout, 120, "a step in the log")
    refused = lab.run("make", "report", check=False)
    assert refused.returncode != 0
    assert "was only started (`wait: false`)" in refused.stderr
    # Another `up` that does not wait leaves it alone; one that waits gets the figures of that very run.
    assert lab.is_clean("--config-file", stack_file_with(tmp_path, training={"wait": False, "run": "behind"}))
    waits = stack_file_with(tmp_path, training={"run": "behind"})
    assert set(lab.planned("--config-file", waits)) == {"training_job.wait"}
    lab.up("--config-file", waits)
    outputs = lab.outputs()
    assert outputs["training"]["run_id"] == told["run_id"]
    assert outputs["training"]["final_top1"] >= _CLEARLY_ABOVE_CHANCE
    assert outputs["proof"]["problems"] == []
    page = tmp_path / "page.html"
    lab.run("make", "report", f"OUTPUT={page}")
    assert f"{outputs['training']['final_top1']:.3f}" in page.read_text()
    # It has been waited for, so `wait: false` changes nothing more.
    assert lab.is_clean("--config-file", stack_file_with(tmp_path, training={"wait": False, "run": "behind"}))
    lab.up()


@pytest.mark.parametrize("training", [{"batch_size": 8}, {"num_epochs": 2}])
def test_another_job_is_another_run_and_nothing_else(
    lab: LabCluster, first: dict[str, Any], tmp_path: Path, training: dict[str, object]
) -> None:
    stack_file = stack_file_with(tmp_path, training=training)
    assert set(lab.planned("--config-file", stack_file)) == _RUN | _SHARDS
    assert lab.is_clean()


@pytest.mark.parametrize(
    "changes", [{"validation": {"seconds": 5, "pairs": "all"}}, {"training": {"deadline_seconds": 900}}]
)
def test_what_a_finished_run_was_measured_with_stays(
    lab: LabCluster, first: dict[str, Any], tmp_path: Path, changes: dict[str, dict[str, object]]
) -> None:
    done = lab.preview("--expect-no-changes", "--config-file", stack_file_with(tmp_path, **changes))
    said = "rocestack:validation pairs, seconds: this run was measured with what was set before"
    assert (said in done.stdout + done.stderr) == ("validation" in changes)


def test_make_train_starts_another_run_and_touches_nothing_else(
    lab: LabCluster, first: dict[str, Any]
) -> None:
    stack_file = ROOT / "Pulumi.lab.yaml"
    kept = stack_file.read_bytes()
    try:
        counted = lab.run("make", "train", "RUN=second").stdout.partition("Resources:")[2]
        assert re.search(r"~ *2 updated", counted), counted
        assert re.search(r"\+- *2 replaced", counted), counted
        assert "created" not in counted and "deleted" not in counted, counted
        assert lab.outputs()["proof"]["run"] == "second"
        # The name is the stack file's, so the next `up` keeps the run.
        assert lab.is_clean()
        assert lab.run("make", "train", "RUN=second", check=False).returncode != 0
    finally:
        stack_file.write_bytes(kept)
