"""DockerHost: what each choice of the stack makes of its steps."""

from __future__ import annotations

from typing import Any

import pytest

from settings import flat
from settings.docker import Docker
from settings.models import Stack
from tests.components.harness import Program, World, lab_stack

HOST = "clx-mld-41"
REPOSITORY = {"url": "http://mirror/docker", "suite": "bookworm", "key_url": "http://mirror/docker/gpg"}
RUNTIMES = {
    "url": "http://mirror/nvidia",
    "suite": "./",
    "key_url": "http://mirror/nvidia/gpgkey",
    "key_fingerprint": "C95B321B61E88C1809C4F759DDCAE044F796ECB0",
}


def _stack(**docker: Any) -> Stack:
    return lab_stack().model_copy(update={"docker": Docker.model_validate(docker)})


def _lines(program: Program, concern: str) -> dict[str, str]:
    return flat.parse(program.stdin(f"{HOST}/docker_host.{concern}"))


@pytest.fixture(scope="module")
def plain() -> Program:
    return Program(World(lab_stack()))


@pytest.fixture(scope="module")
def chosen() -> Program:
    return Program(
        World(
            _stack(
                flavour="docker-ce",
                version="5:27.5.1-1~debian.12~bookworm",
                repository=REPOSITORY,
                forward_policy="accept",
                runtime="container-toolkit",
                runtime_version="1.17.8-1",
                runtime_repository=RUNTIMES,
            )
        )
    )


def test_the_distributions_engine_is_neither_pinned_nor_from_a_repository(plain: Program) -> None:
    engine = _lines(plain, "engine")
    assert (engine["package"], engine["version"], engine["hold"]) == ("docker.io", "any", "no")
    assert {engine[key] for key in ("repository", "repository_key", "repository_key_url")} == {"none"}
    assert _lines(plain, "routes")["forward_policy"] == "rules"


def test_without_a_gpu_runtime_there_is_no_step_for_it(plain: Program, chosen: Program) -> None:
    name = f"{HOST}/docker_host.runtime"
    assert name not in plain.by_name
    assert f"{HOST}/docker_host.routes" in chosen.ancestors(name)


def test_docker_ce_is_pinned_and_held_and_its_key_is_the_guides(chosen: Program) -> None:
    engine = _lines(chosen, "engine")
    assert engine["package"] == "docker-ce"
    assert engine["version"] == "5:27.5.1-1~debian.12~bookworm"
    assert engine["hold"] == "yes"
    assert engine["repository"] == "http://mirror/docker bookworm stable"
    assert engine["repository_key"] == "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
    assert engine["repository_key_url"] == "http://mirror/docker/gpg"


def test_the_guides_policy_is_passed_on(chosen: Program) -> None:
    assert _lines(chosen, "routes")["forward_policy"] == "accept"


def test_whoever_runs_containers_waits_for_the_runtime(chosen: Program) -> None:
    assert f"{HOST}/docker_host.runtime" in chosen.ancestors("operator/caffe2_image.build")


@pytest.mark.parametrize(
    ("runtime", "cdi"), [("container-toolkit", "nvidia.com/gpu=all"), ("nvidia-docker", "none")]
)
def test_devices_are_described_by_the_toolkit_alone(runtime: str, cdi: str) -> None:
    lines = _lines(Program(World(_stack(runtime=runtime, runtime_repository=RUNTIMES))), "runtime")
    assert (lines["runtime"], lines["registered"], lines["cdi"]) == (runtime, "nvidia", cdi)
    assert lines["repository"] == "http://mirror/nvidia ./"
    assert (lines["version"], lines["hold"]) == ("any", "no")
