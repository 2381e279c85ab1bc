"""DockerHost on a node: the engine, its packages, what it keeps; routes between containers of two nodes."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.nodes.node import INTERFACE, Node, wait_until

CA = base64.b64encode((Path(__file__).parents[1] / "fixtures/registry/ca.crt").read_bytes()).decode()
ENGINE = {
    "package": "docker.io",
    "version": "any",
    "hold": "no",
    "repository": "none",
    "repository_key": "none",
    "repository_key_url": "none",
    "storage_driver": "overlay2",
    "bip": "172.30.41.1/24",
    "registry": "registry:5000",
    "registry_ca": CA,
    "service": "active",
}
ADDRESS = {"interface": INTERFACE, "address": "31.31.31.41/24", "mtu": "9000", "link": "up"}
ROUTES = {
    "interface": INTERFACE,
    "subnet": "172.30.41.0/24",
    "ip_forward": "1",
    "routes": "172.30.42.0/24 via 31.31.31.42",
    "forward": "accept 172.30.42.0/24",
    "forward_policy": "rules",
}


# What dockerd and containerd themselves write when they first start.
_FIRST_START = ("file /etc/docker/key.json", "folder /etc/cni", "folder /etc/cni/net.d")


def _seen(node: Node) -> dict[str, str]:
    return {thing: state for thing, state in node.photograph().items() if thing not in _FIRST_START}


@pytest.mark.smoke
def test_the_engine_is_set_once_and_can_be_taken_back(node: Node) -> None:
    before = _seen(node)
    said = node.apply("docker_host.engine", ENGINE)
    assert "bridge 172.30.41.1/24, overlay2" in said
    assert node.differences("docker_host.engine", ENGINE) == {}
    once = _seen(node)
    started = node.run("systemctl show -P ActiveEnterTimestampMonotonic docker.service")
    node.apply("docker_host.engine", ENGINE)
    assert _seen(node) == once
    assert node.run("systemctl show -P ActiveEnterTimestampMonotonic docker.service") == started
    # The check's image does not stay.
    assert node.run("docker images --quiet") == ""
    node.remove("docker_host.engine", ENGINE)
    assert _seen(node) == before


def test_routes_are_set_once_survive_a_reboot_and_can_be_taken_back(node: Node) -> None:
    node.apply("ofed_stack.address", ADDRESS)
    node.apply("docker_host.engine", ENGINE)
    before = _seen(node)
    node.apply("docker_host.routes", ROUTES)
    once = _seen(node)
    assert node.differences("docker_host.routes", ROUTES) == {}
    node.apply("docker_host.routes", ROUTES)
    assert _seen(node) == once
    # The engine makes its chains anew, and ours come after it.
    node.run("systemctl restart docker")
    wait_until(lambda: node.differences("docker_host.routes", ROUTES) == {}, 30, "our rules after a restart")
    node.reboot()
    assert node.differences("docker_host.routes", ROUTES) == {}
    assert node.differences("docker_host.engine", ENGINE) == {}
    node.remove("docker_host.routes", ROUTES)
    assert _seen(node) == before
