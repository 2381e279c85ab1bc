"""GpuHost's settings: from the stack's sections to the lines that the steps get."""

from __future__ import annotations

import itertools

import pytest

from components.gpu_host import driver_settings, nouveau_settings, preflight_settings
from settings import flat
from settings.gpu import Apt, Gpu, Upgrade
from settings.loader import load_file
from tests.components.harness import ROOT, Program, World, lab_stack

HOST = "clx-mld-41"


@pytest.fixture(scope="module")
def metal() -> Program:
    stack = load_file(ROOT / "Pulumi.roce100g.yaml")
    registry = stack.registry.model_copy(update={"ca_file": str(ROOT / "Pulumi.yaml")})
    return Program(World(stack.model_copy(update={"registry": registry})))


def test_the_guides_host_comes_in_the_guides_order(metal: Program) -> None:
    steps = ["gpu_host.preflight", "gpu_host.apt", "gpu_host.nouveau", "gpu_host.driver"]
    for before, step in itertools.pairwise(steps):
        assert f"{HOST}/{before}" in metal.ancestors(f"{HOST}/{step}")
    assert f"{HOST}/gpu_host.driver" in metal.ancestors(f"{HOST}/ofed_stack.address")


def test_the_guides_host_is_checked_for_what_it_gets(metal: Program) -> None:
    preflight = flat.parse(metal.stdin(f"{HOST}/gpu_host.preflight"))
    assert preflight["driver_releases"] == preflight["ofed_releases"] == "ubuntu16.04"
    assert (preflight["driver"], preflight["gpus"], preflight["ofed"]) == ("396.37", "4", "mlnx_ofed")
    assert preflight["space_mb"] == "10000"


def test_the_guides_driver_is_the_local_packages(metal: Program) -> None:
    driver = flat.parse(metal.stdin(f"{HOST}/gpu_host.driver"))
    assert (driver["source"], driver["version"], driver["gpus"]) == ("local-repo", "396.37", "4")
    assert driver["package"].endswith("nvidia-driver-local-repo-ubuntu1604-396.37_1.0-1_amd64.deb")
    assert (driver["repository"], driver["model"], driver["compute_capability"]) == ("none", "any", "3.0")
    nouveau = flat.parse(metal.stdin(f"{HOST}/gpu_host.nouveau"))
    assert (nouveau["driver"], nouveau["leftovers"]) == ("396.37", "none")
    assert nouveau["tools"] == "build-essential dkms linux-headers"


def test_a_host_without_gpus_gets_no_driver_and_no_tools() -> None:
    program = Program(World(lab_stack().model_copy(update={"gpu": Gpu()})))
    assert f"{HOST}/gpu_host.driver" not in program.by_name
    nouveau = flat.parse(program.stdin(f"{HOST}/gpu_host.nouveau"))
    assert (nouveau["driver"], nouveau["leftovers"], nouveau["tools"]) == ("none", "any", "none")


@pytest.mark.parametrize(("upgrade", "declared"), [("none", False), ("security", True), ("full", True)])
def test_packages_are_upgraded_only_when_asked(upgrade: str, declared: bool) -> None:
    apt = Apt(upgrade=Upgrade(upgrade))
    program = Program(World(lab_stack().model_copy(update={"apt": apt})))
    assert (f"{HOST}/gpu_host.apt" in program.by_name) is declared
    if declared:
        assert flat.parse(program.stdin(f"{HOST}/gpu_host.apt"))["upgrade"] == upgrade


def test_settings_are_one_line_each() -> None:
    stack = load_file(ROOT / "Pulumi.roce100g.yaml")
    for values in (
        preflight_settings(stack, "roce100g"),
        nouveau_settings(stack.gpu),
        driver_settings(stack),
    ):
        assert flat.parse(flat.render(values)) == values
