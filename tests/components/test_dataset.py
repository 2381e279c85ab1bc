"""The data is made once, on the head host, and then copied, seen or made by the others."""

from __future__ import annotations

import hashlib

import pulumi
import pytest

from components.dataset import step_settings, summary
from settings import flat
from settings.dataset import Distribution
from settings.models import Stack
from tests.components.harness import MANIFEST, Program, World, lab_stack

H41, H42 = "clx-mld-41", "clx-mld-42"
STEP, SERVER = "training_job.dataset", "training_job.dataset_server"


def _stack(distribution: Distribution) -> Stack:
    stack = lab_stack()
    data = stack.dataset.model_copy(update={"distribution": distribution})
    return stack.model_copy(update={"dataset": data})


def _lines(program: Program, host: str, step: str = STEP) -> dict[str, str]:
    return flat.parse(str(program.by_name[f"{host}/{step}"].inputs["stdin"]))


@pytest.mark.parametrize(
    ("distribution", "role", "before"),
    [
        (Distribution.COPY, "copy", {f"{H41}/{STEP}", f"{H41}/{SERVER}"}),
        (Distribution.SHARED, "use", {f"{H41}/{STEP}"}),
        (Distribution.EACH, "make", set()),
    ],
)
def test_how_the_data_comes_to_the_others(distribution: Distribution, role: str, before: set[str]) -> None:
    program = Program(World(_stack(distribution)))
    assert _lines(program, H41)["role"] == "make"
    assert _lines(program, H42)["role"] == role
    steps = {name for name in program.ancestors(f"{H42}/{STEP}") if name.startswith(f"{H41}/training_job")}
    assert steps == before
    assert (f"{H41}/{SERVER}" in program.by_name) is (distribution is Distribution.COPY)
    assert f"{H42}/{SERVER}" not in program.by_name


def test_a_copy_comes_over_the_data_network() -> None:
    program = Program(World(_stack(Distribution.COPY)))
    assert _lines(program, H42)["from"] == "http://31.31.31.41:5556"
    assert _lines(program, H41, SERVER)["address"] == "31.31.31.41:5556"


def test_one_host_hands_out_nothing() -> None:
    stack = _stack(Distribution.COPY)
    program = Program(World(stack.model_copy(update={"hosts": stack.hosts[:1]})))
    assert f"{H41}/{STEP}" in program.by_name
    assert f"{H41}/{SERVER}" not in program.by_name


@pytest.mark.parametrize("role", ["make", "copy", "use"])
def test_every_role_names_the_same_data(role: str) -> None:
    stack = lab_stack()
    assert step_settings(stack, role)["dataset"] == stack.dataset.identity


def test_archives_that_nobody_named_are_a_clear_error() -> None:
    stack = lab_stack()
    bare = stack.model_copy(update={"dataset": stack.dataset.model_copy(update={"val": None})})
    with pytest.raises(pulumi.RunError, match=r"no archive dataset\.val"):
        step_settings(bare, "make")


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_summary_names_the_records(end: str) -> None:
    assert summary(MANIFEST + end) == {
        "name": "photographs-1",
        "labels": "8",
        "train_images": "960",
        "val_images": "192",
        "sha256": hashlib.sha256(f"{MANIFEST}\n".encode()).hexdigest(),
    }


def test_a_manifest_that_is_none_is_an_error() -> None:
    with pytest.raises(pulumi.RunError, match="does not say its name"):
        summary("done")
