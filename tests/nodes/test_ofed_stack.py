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
