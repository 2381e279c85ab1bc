"""The RDMA stack's steps on a throw-away node: applied, lost, repaired and taken back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from components.ofed_stack import qos_facts
from settings.roce import RoceProfile
from tests.nodes.node import INTERFACE, Node

QOS = {
    "interface": INTERFACE,
    "sysfs_root": "/run/lab-sysfs",
    **qos_facts(RoceProfile()),
    "allow_unobservable": "pause",
}


def _facts(node: Node) -> Mapping[str, str]:
    return node.probe({"ofed_stack.qos": QOS}).facts["ofed_stack.qos"]


@pytest.mark.smoke
def test_the_lossless_profile_is_set_kept_and_taken_back(node: Node) -> None:
    before, found = node.photograph(), _facts(node)
    node.apply("ofed_stack.qos", QOS)
    once = node.photograph()
    assert set(node.differences("ofed_stack.qos", QOS)) <= {"pause"}
    node.apply("ofed_stack.qos", QOS)
    assert node.photograph() == once
    node.reboot()
    assert set(node.differences("ofed_stack.qos", QOS)) <= {"pause"}
    node.remove("ofed_stack.qos", QOS)
    assert node.photograph() == before
    assert _facts(node) == found


def test_a_setting_that_this_card_cannot_show_is_no_success(node: Node) -> None:
    done = node.try_apply("ofed_stack.qos", {**QOS, "allow_unobservable": ""})
    assert done.status == 1
    assert "pause (ethtool -a says: netlink error: Operation not supported)" in done.stderr
    assert "ofed.allow_unobservable" in done.stderr
    node.remove("ofed_stack.qos", QOS)


ADDRESS = {"interface": INTERFACE, "address": "31.31.31.41/24", "mtu": "9000", "link": "up"}
TOOLS = {
    "ifupdown": ("ifupdown", "true", "/etc/network/interfaces.d/rocestack"),
    "netplan": (
        "netplan.io",
        "printf 'network:\\n  version: 2\\n' >/etc/netplan/01.yaml; chmod 600 /etc/netplan/01.yaml",
        "/etc/netplan/60-rocestack.yaml",
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_hosts_own_tool_keeps_the_address(node: Node, tool: str) -> None:
    package, prepare, file = TOOLS[tool]
    node.run(f"apt-get -qq update && apt-get -qq install -y --no-install-recommends {package} && {prepare}")
    before = node.photograph()
    node.apply("ofed_stack.address", ADDRESS)
    once = node.photograph()
    assert f"file {file}" in once
    assert node.differences("ofed_stack.address", ADDRESS) == {}
    node.apply("ofed_stack.address", ADDRESS)
    assert node.photograph() == once

    node.run(f"sed -i s/9000/1500/ {file}")
    found = f"31.31.31.41/24 (but {file} differs)"
    assert node.differences("ofed_stack.address", ADDRESS) == {"address": (found, "31.31.31.41/24")}
    moved = {**ADDRESS, "address": "31.31.31.141/24"}
    node.apply("ofed_stack.address", moved)
    assert "31.31.31.41/" not in node.run(f"ip -4 -o address; cat {file}")
    node.reboot()
    assert node.differences("ofed_stack.address", moved) == {}
    assert node.run("systemctl --failed --plain --no-legend") == ""
    node.remove("ofed_stack.address", moved)
    assert node.photograph() == before
    node.run(f"apt-get -qq purge -y {package}")
