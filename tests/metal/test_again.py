"""Drift on metal, each kind twice: seen each time, repaired by one `up`, and nothing of the old is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conformance.cli import Engine
from tests.metal.hosts import NAME, HostStack, settings
from tests.metal.test_hosts import FIRST, SECOND, docker_engine, engine, nodes
from tests.nodes.node import INTERFACE, Node

__all__ = ["docker_engine", "engine", "nodes"]  # the fixtures
NETWORK = {"data_interface": INTERFACE, "data_subnet": "31.31.31.0/24"}


@pytest.fixture(scope="module")
def stack(engine: Engine, nodes: list[Node], tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostStack]:
    """Return a stack of both nodes that is up."""
    made = HostStack(engine, tmp_path_factory.mktemp("stack"), nodes)
    made.up()
    yield made
    made.destroy()
    made.run("stack", "rm", NAME, "--yes")


def _preview(stack: HostStack) -> str:
    """Return what a preview says that must find something to do."""
    return stack.run("preview", "--diff", "--expect-no-changes", fails=True).text


def _repair(stack: HostStack) -> str:
    """Return what an `up` said, after which there is nothing to do."""
    said = stack.up().text
    assert stack.run("preview", "--expect-no-changes").status == 0
    return said


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (f"mlnx_qos -i {INTERFACE} --pfc 0,0,0,0,0,0,0,0", "ofed_stack.qos.pfc: found '0,0,0,0,0,0,0,0'"),
        ("ip route del 172.30.41.0/24", "docker_host.routes.routes: found ''"),
        (f"ip link set {INTERFACE} mtu 1500", "ofed_stack.address.mtu: found '1500'"),
    ],
)
def test_the_same_drift_is_seen_and_repaired_each_time(
    stack: HostStack, nodes: list[Node], broken: str, told: str
) -> None:
    for _ in range(2):
        nodes[1].run(broken)
        assert f"drift: {SECOND} {told}" in _preview(stack)
        assert "1 updated" in _repair(stack)


def test_a_change_and_a_drift_of_one_setting_are_both_told(stack: HostStack, nodes: list[Node]) -> None:
    nodes[1].run(f"ip link set {INTERFACE} mtu 1500")
    stack.declare(nodes, network={**NETWORK, "mtu": 4200})
    said = _preview(stack)
    assert f"drift: {SECOND} ofed_stack.address.mtu: found '1500', wanted '4200'" in said
    assert f"drift: {FIRST}" not in said
    assert said.count('"9000" => "4200"') == len(nodes)
    _repair(stack)
    for node in nodes:
        assert "mtu 4200" in node.run(f"ip link show {INTERFACE}")
    stack.declare(nodes)
    _repair(stack)


def _moved(stack: HostStack) -> list[Mapping[str, Any]]:
    """Return the hosts with the second one at another address and its containers in another subnet."""
    hosts = settings(list(stack.access.values()))["hosts"]
    return [hosts[0], {**hosts[1], "data_address": "31.31.31.142", "container_subnet": "172.30.142.0/24"}]


def _traces(node: Node, *texts: str) -> str:
    """Return where a node still has one of the texts: addresses, routes, rules, and files of ours."""
    places = "ip -4 address; ip -4 route; iptables-save; grep -rs . /etc /usr/local /var/lib/rocestack"
    pattern = "|".join(text.replace(".", "[.]") for text in texts)
    return node.run(f"{{ {places}; }} 2>/dev/null | grep -aE '({pattern})([^0-9]|$)' || true")


def test_what_is_moved_leaves_no_orphan(stack: HostStack, nodes: list[Node]) -> None:
    old, new = ("31.31.31.42", "172.30.42.0/24"), ("31.31.31.142", "172.30.142.0/24")
    assert all(_traces(node, *old) for node in nodes)
    stack.declare(nodes, hosts=_moved(stack))
    _repair(stack)
    assert f"{new[1]} via {new[0]}" in nodes[0].run("ip -4 route")
    assert f"inet {new[0]}/24" in nodes[1].run(f"ip -4 address show {INTERFACE}")
    assert [_traces(node, *old) for node in nodes] == ["", ""]
    stack.declare(nodes)
    _repair(stack)
    assert [_traces(node, *new) for node in nodes] == ["", ""]


def test_a_host_that_is_reimaged_is_seen_and_made_again_each_time(
    stack: HostStack, nodes: list[Node]
) -> None:
    for _ in range(2):
        nodes[1].reimage()
        said = _preview(stack)
        for step in ("ofed_stack.address", "ofed_stack.qos", "docker_host.routes"):
            assert f"drift: {SECOND} {step}." in said
        assert f"drift: {FIRST}" not in said
        _repair(stack)
        assert "172.30.42.0/24 via 31.31.31.42" in nodes[0].run("ip -4 route")
