"""Order: driver, OFED, Docker, image, training; the switch before the training; hosts side by side."""

from __future__ import annotations

import itertools

import pytest

from tests.components.harness import Program, World, lab_stack

H41, H42 = "clx-mld-41", "clx-mld-42"
CHAIN = [
    "gpu_host.nouveau",
    "ofed_stack.packages",
    "ofed_stack.link_type",
    "ofed_stack.address",
    "ofed_stack.qos",
    "docker_host.engine",
    "docker_host.routes",
]


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(World(lab_stack()))


@pytest.mark.parametrize("host", [H41, H42])
def test_each_step_of_a_host_waits_for_the_one_before(program: Program, host: str) -> None:
    for before, step in itertools.pairwise(CHAIN):
        assert f"{host}/{before}" in program.ancestors(f"{host}/{step}")


def test_hosts_do_not_wait_for_each_other(program: Program) -> None:
    for step in CHAIN:
        assert not [name for name in program.ancestors(f"{H41}/{step}") if name.startswith(H42)]


@pytest.mark.parametrize("host", [H41, H42])
def test_the_image_waits_for_every_docker_host(program: Program, host: str) -> None:
    assert f"{host}/docker_host.routes" in program.ancestors("operator/caffe2_image.build")
    assert f"{host}/docker_host.routes" in program.ancestors(f"{H41}/caffe2_image.pull")


def test_the_image_is_built_then_pushed_then_pulled(program: Program) -> None:
    assert "operator/caffe2_image.build" in program.ancestors("operator/caffe2_image.push")
    assert "operator/caffe2_image.push" in program.ancestors(f"{H42}/caffe2_image.pull")


@pytest.mark.parametrize(("shard", "host"), [("caffe2-shard-0", H41), ("caffe2-shard-1", H42)])
def test_a_shard_waits_for_all_that_it_needs(program: Program, shard: str, host: str) -> None:
    before = program.ancestors(f"{host}/{shard}")
    assert {
        f"{H41}/redis",
        # Those of all hosts: a shard without the others would only wait for them.
        *(f"{one}/training_job.dataset" for one in (H41, H42)),
        f"{host}/caffe2_image.pull",
        "swx-mld-1-2/switch_qos.roce",
        "training_job.verify",
    } <= before
    # Its own datasets would slow the measurement down.
    assert f"{host}/training_job.dataset" in program.ancestors("training_job.verify")


def test_the_wait_comes_last(program: Program) -> None:
    # A provider is no step; the containers on it stand for it.
    others = {name for name in program.by_name if not name.endswith(("/docker", ".wait"))}
    assert others <= program.ancestors("training_job.wait")


def test_the_switch_waits_for_no_host(program: Program) -> None:
    assert program.ancestors("swx-mld-1-2/switch_qos.roce") == set()
