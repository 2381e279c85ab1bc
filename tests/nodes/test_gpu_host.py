"""GpuHost's steps on a node: fit, without nouveau, with the driver; by the reboots that it really needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.gpu_host import driver_settings, nouveau_settings, preflight_settings
from components.rendering import render
from lab.vendor.completion import complete
from settings import flat
from settings.gpu import Gpu, GpuDriver
from settings.models import Stack
from tests.nodes.node import Done, Node, wait_until

PREFLIGHT, APT, NOUVEAU, DRIVER = (f"gpu_host.{step}" for step in ("preflight", "apt", "nouveau", "driver"))
BLACKLIST = "/etc/modprobe.d/rocestack-nouveau.conf"


@pytest.fixture(scope="module")
def gpu_stack(stack: Stack, vendors: Mapping[str, Any]) -> Stack:
    """Return the lab's stack with the guide's driver on four GPUs a host."""
    return complete(stack.model_copy(update={"gpu": Gpu(driver=GpuDriver.LOCAL_REPO)}), vendors)


@pytest.fixture(scope="module")
def wanted(gpu_stack: Stack) -> dict[str, dict[str, str]]:
    """Return each step's settings."""
    return {
        PREFLIGHT: preflight_settings(gpu_stack, "lab"),
        NOUVEAU: {**nouveau_settings(gpu_stack.gpu), "reboot": "auto"},
        DRIVER: {**driver_settings(gpu_stack), "reboot": "auto"},
    }


def _verify(node: Node, step: str, wanted: Mapping[str, str]) -> Done:
    return node.script(render(f"{step.replace('.', '/')}.verify.sh.j2"), flat.render(wanted))


def _boot(node: Node) -> str:
    return node.script(render("facts/boot.sh.j2")).stdout


def _rebooted(node: Node, before: str) -> None:
    """Wait for the boot that a step asked for."""
    token = before.splitlines()[0]
    wait_until(lambda: not _boot(node).startswith(token) and _boot(node) != "", 60, "the reboot")
    node.wait_booted()


def _loaded(node: Node) -> set[str]:
    return {line.split()[0] for line in node.run("lsmod").splitlines()[1:]}


def _photograph(node: Node) -> dict[str, str]:
    # Two initramfs of the same contents differ by the times in them.
    return {name: state for name, state in node.photograph().items() if "/boot/initrd.img-" not in name}


@pytest.mark.smoke
def test_from_a_bare_host_to_a_driver_and_back(node: Node, wanted: dict[str, dict[str, str]]) -> None:
    before = _photograph(node)
    assert "nouveau" in _loaded(node)
    node.apply(PREFLIGHT, wanted[PREFLIGHT])

    boot = _boot(node)
    node.apply(NOUVEAU, wanted[NOUVEAU])
    _rebooted(node, boot)
    assert _verify(node, NOUVEAU, wanted[NOUVEAU]).status == 0
    assert "nouveau" not in _loaded(node)

    # With nouveau gone the driver loads at once: no reboot is due.
    boot = _boot(node)
    node.apply(DRIVER, wanted[DRIVER])
    done = _verify(node, DRIVER, wanted[DRIVER])
    assert (done.status, done.stdout) == (0, "driver 390.12 runs\n"), done.stderr
    once = node.photograph()
    for step, values in wanted.items():
        assert node.differences(step, values) == {}
        node.apply(step, values)
    assert node.photograph() == once
    assert _boot(node) == boot

    for step in (DRIVER, NOUVEAU, PREFLIGHT):
        for _ in range(2):
            node.remove(step, wanted[step])
    assert _photograph(node) == before
    assert "rocestack" not in node.run("lsinitramfs /boot/initrd.img-*")
