"""The packages of the engine and of the GPU runtime on a node: pinned, switched in place, given back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.apt_repository import repository_lines
from components.docker_host import runtime_lines
from settings.docker import Docker, DockerFlavour, DockerRepository, GpuRuntime
from tests.nodes.node import Node
from tests.nodes.test_docker_host import ENGINE, seen

STEP, RUNTIME = "docker_host.engine", "docker_host.runtime"


@pytest.fixture(scope="module")
def docker_ce(vendors: Mapping[str, Any]) -> dict[str, str]:
    """Return the engine's lines with docker-ce from the vendor."""
    offered = vendors["docker"]
    repository = DockerRepository.model_validate(offered["repository"])
    return {
        **ENGINE,
        "package": DockerFlavour.CE.value,
        "version": offered["version"],
        "hold": "yes",
        **repository_lines(repository),
    }


def _package(node: Node, name: str) -> str:
    return node.script(f"dpkg-query -W -f '${{Version}} ${{db:Status-Status}}' {name}").stdout


def test_a_persons_engine_is_replaced_in_place_and_comes_back(node: Node, docker_ce: dict[str, str]) -> None:
    node.run("systemctl enable --now --quiet docker")
    node.run("tar -C / -c sbin/ldconfig | docker import - mine:1")
    before, there = seen(node), _package(node, "docker.io")
    node.apply(STEP, docker_ce)
    assert node.differences(STEP, docker_ce) == {}
    assert not _package(node, "docker.io").endswith(" installed")
    assert "docker-ce" in node.run("apt-mark showhold").split()
    # The engine is another, what it keeps is the same.
    assert "mine" in node.run("docker images")
    once = seen(node)
    node.apply(STEP, docker_ce)
    assert seen(node) == once
    node.run("apt-mark unhold docker-ce")
    assert node.differences(STEP, docker_ce) == {"hold": ("no", "yes")}
    node.remove(STEP, docker_ce)
    assert _package(node, "docker.io") == there
    assert "mine" in node.run("docker images")
    assert seen(node) == before


def test_the_flavour_changes_back_without_losing_what_it_keeps(node: Node, docker_ce: dict[str, str]) -> None:
    node.apply(STEP, docker_ce)
    node.apply(STEP, ENGINE)
    assert node.differences(STEP, ENGINE) == {}
    assert "mine" in node.run("docker images")
    assert node.run("apt-mark showhold") == ""
    node.remove(STEP, ENGINE)


def test_a_version_that_nobody_offers_is_told_and_changes_nothing(
    node: Node, docker_ce: dict[str, str]
) -> None:
    node.apply(STEP, docker_ce)
    before = seen(node)
    done = node.try_apply(STEP, {**docker_ce, "version": "5:99.0-1"})
    assert done.status == 1
    assert (
        f"docker-ce 5:99.0-1 is in none of this host's package repositories; there is: {docker_ce['version']}"
        in (done.stderr)
    )
    assert {key: value for key, value in seen(node).items() if "rocestack" not in key} == {
        key: value for key, value in before.items() if "rocestack" not in key
    }
    node.remove(STEP, docker_ce)


def test_an_engine_of_ours_goes_and_leaves_what_others_keep_in_it(node: Node) -> None:
    node.run(
        "systemctl stop docker docker.socket containerd && apt-get -y purge docker.io containerd runc 2>&1"
    )
    node.apply(STEP, ENGINE)
    node.run("tar -C / -c sbin/ldconfig | docker import - mine:2")
    node.remove(STEP, ENGINE)
    assert not _package(node, "docker.io").endswith(" installed")
    # Debian's package empties this folder when it is purged.
    assert "mine" in node.run("cat /var/lib/docker/image/overlay2/repositories.json")


def _runtime(vendors: Mapping[str, Any], flavour: GpuRuntime) -> dict[str, str]:
    offered = vendors["runtime"]
    docker = Docker.model_validate(
        {
            "runtime": flavour,
            "runtime_version": offered[flavour.value],
            "runtime_repository": offered["repository"],
        }
    )
    return runtime_lines(docker)


@pytest.fixture(scope="module")
def with_driver(node: Node, docker_ce: dict[str, str], vendors: Mapping[str, Any]) -> Node:
    """Return the node with docker-ce and a driver that is loaded."""
    node.apply(STEP, docker_ce)
    node.run(
        f"echo 'deb [trusted=yes] {vendors['driver']['repository']['url']} ./' "
        ">/etc/apt/sources.list.d/driver.list"
    )
    node.run("apt-get -q update && apt-get -q -y install linux-headers-$(uname -r) cuda-drivers")
    node.run("echo 'blacklist nouveau' >/etc/modprobe.d/test.conf && update-initramfs -u")
    node.reboot()
    node.run("modprobe nvidia")
    return node


@pytest.mark.parametrize("flavour", [GpuRuntime.CONTAINER_TOOLKIT, GpuRuntime.NVIDIA_DOCKER])
def test_the_gpu_runtime_is_set_once_and_can_be_taken_back(
    with_driver: Node, vendors: Mapping[str, Any], flavour: GpuRuntime
) -> None:
    node, wanted = with_driver, _runtime(vendors, flavour)
    before = seen(node)
    started = node.run("systemctl show -P ActiveEnterTimestampMonotonic docker.service")
    node.apply(RUNTIME, wanted)
    assert node.differences(RUNTIME, wanted) == {}
    once = seen(node)
    node.apply(RUNTIME, wanted)
    assert seen(node) == once
    node.remove(RUNTIME, wanted)
    assert seen(node) == before
    # No container was stopped for it.
    assert node.run("systemctl show -P ActiveEnterTimestampMonotonic docker.service") == started


def test_what_is_changed_by_hand_is_seen_and_repaired(with_driver: Node, vendors: Mapping[str, Any]) -> None:
    node, wanted = with_driver, _runtime(vendors, GpuRuntime.CONTAINER_TOOLKIT)
    node.apply(RUNTIME, wanted)
    node.run("rm /etc/cdi/nvidia.yaml; sed -i s/nvidia-container-runtime/somebody-s/ /etc/docker/daemon.json")
    assert node.differences(RUNTIME, wanted) == {
        "cdi": ("", "nvidia.com/gpu=all"),
        "registered": ("nvidia (not in daemon.json)", "nvidia"),
    }
    node.apply(RUNTIME, wanted)
    assert node.differences(RUNTIME, wanted) == {}


def test_the_flavour_of_the_runtime_changes_in_place(with_driver: Node, vendors: Mapping[str, Any]) -> None:
    toolkit = _runtime(vendors, GpuRuntime.CONTAINER_TOOLKIT)
    guide = _runtime(vendors, GpuRuntime.NVIDIA_DOCKER)
    for wanted in (guide, toolkit):
        with_driver.apply(RUNTIME, wanted)
        assert with_driver.differences(RUNTIME, wanted) == {}
    with_driver.remove(RUNTIME, toolkit)
