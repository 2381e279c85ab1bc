"""Each host step by itself: applied twice changes nothing the second time, removed leaves what was before."""

from __future__ import annotations

import pytest

from components.ofed_stack import package_facts
from settings.ofed import Ofed
from tests.nodes.node import INTERFACE, Node

STEPS = {
    "ofed_stack.packages": {**package_facts(Ofed(sysfs_root="/run/lab-sysfs")), "reboot": "never"},
    "ofed_stack.address": {
        "interface": INTERFACE,
        "address": "31.31.31.41/24",
        "mtu": "9000",
        "link": "up",
    },
}


@pytest.mark.smoke
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_idempotent_and_can_be_taken_back(node: Node, step: str) -> None:
    before = node.photograph()
    node.apply(step, STEPS[step])
    once = node.photograph()
    assert node.differences(step, STEPS[step]) == {}
    node.apply(step, STEPS[step])
    assert node.photograph() == once
    node.remove(step, STEPS[step])
    assert node.photograph() == before
