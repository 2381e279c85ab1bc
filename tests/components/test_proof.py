"""A proof that does not hold ends an `up`, after its file is written; one that holds does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import proof
from components.proof import recorded_lines
from facts.checkpoint import Checkpoint, CheckpointError
from tests.components.harness import Program, World, lab_stack

PROOF: dict[str, Any] = {"problems": [], "run": "second", "run_id": "abc"}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "lab.json"
    monkeypatch.setattr(proof, "report_path", lambda _: found)
    return found


def test_one_that_holds_is_kept(path: Path) -> None:
    proof._keep("lab", PROOF)
    assert json.loads(path.read_text()) == PROOF


def test_one_that_does_not_says_which_run_and_how_to_go_on(path: Path) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        proof._keep("lab", PROOF | {"problems": ["The shards read other data."]})
    said = str(caught.value)
    assert said.startswith(
        "The training second (run abc) ended, but it does not prove what the stack asks for:"
    )
    assert "\n  The shards read other data.\n" in said
    assert f"{path} has the whole proof" in said
    assert said.endswith("start another run: make train RUN=NAME")
    assert json.loads(path.read_text())["problems"]


def test_a_step_of_another_run_is_not_this_runs() -> None:
    applied = Program(World(lab_stack()))
    cluster = applied.cluster
    cluster.checkpoint = applied.checkpoint()
    run = next(
        line.split("'")[1]
        for line in applied.stdin("training_job.verify").splitlines()
        if line.startswith("run_id: ")
    )
    lines = recorded_lines(cluster, "training_job.verify", run)
    assert lines is not None
    assert lines["run_id"] == run
    assert recorded_lines(cluster, "training_job.verify", "other") is None
    cluster.checkpoint = Checkpoint()
    assert recorded_lines(cluster, "training_job.verify", run) is None


def test_a_record_of_another_make_is_a_clear_error() -> None:
    cluster = Program(World(lab_stack())).cluster
    cluster.checkpoint = Checkpoint({("command:local:Command", "training_job.wait"): {"stdin": "no line"}})
    with pytest.raises(CheckpointError, match=r"record of training_job.wait cannot be read"):
        recorded_lines(cluster, "training_job.wait", "r")
