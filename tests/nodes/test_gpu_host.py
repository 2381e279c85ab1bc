"""GpuHost's steps on a node: fit, without nouveau, with the driver; by the reboots that it really needs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import ANY

import pytest

from components.gpu_host import driver_settings, nouveau_settings, preflight_settings
from components.rendering import render
from lab.vendor.completion import complete
from settings.gpu import Gpu, GpuDriver
from settings.models import Stack
from tests.nodes.node import Node

PREFLIGHT, APT, NOUVEAU, DRIVER = (f"gpu_host.{step}" for step in ("preflight", "apt", "nouveau", "driver"))
RECORDS = "/var/lib/rocestack"
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


def _boot(node: Node) -> str:
    return node.script(render("facts/boot.sh.j2")).stdout


def _settle(node: Node, step: str, wanted: Mapping[str, str]) -> None:
    """Apply a step, which must end well after exactly one reboot."""
    before = _boot(node)
    done = node.settle(step, wanted)
    assert done.status == 0, done.stderr
    after = _boot(node)
    assert after.splitlines()[0] != before.splitlines()[0]
    assert "reboot_from" not in node.run(f"cat /var/lib/rocestack/{step}")


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

    _settle(node, NOUVEAU, wanted[NOUVEAU])
    assert "nouveau" not in _loaded(node)

    # With nouveau gone the driver loads at once: no reboot is due.
    boot = _boot(node)
    node.apply(DRIVER, wanted[DRIVER])
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


@contextlib.contextmanager
def _fault(node: Node, name: str) -> Iterator[None]:
    node.run(f"/usr/lib/rocestack-lab/standin fault set {name} on")
    try:
        yield
    finally:
        node.run(f"/usr/lib/rocestack-lab/standin fault set {name} off")


def _problems(node: Node, wanted: Mapping[str, str]) -> list[str]:
    """Return what the probe says of a host to which nothing was applied; the first step must say the same."""
    said = node.probe({PREFLIGHT: wanted}).facts[PREFLIGHT]["problems"]
    problems = [one for one in said.split("|") if one]
    done = node.try_apply(PREFLIGHT, wanted)
    if problems:
        assert done.status == 1
        # What is free changes from one look to the next.
        masked = re.sub(r"\d+ MB free", "some MB free", done.stderr)
        assert all(re.sub(r"\d+ MB free", "some MB free", one) in masked for one in problems), done.stderr
        assert node.script("test -e /var/lib/rocestack").status != 0
    else:
        assert done.status == 0, done.stderr
        node.remove(PREFLIGHT, wanted)
    return problems


def test_a_fit_host_has_no_problem(node: Node, wanted: dict[str, dict[str, str]]) -> None:
    assert _problems(node, wanted[PREFLIGHT]) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"driver_releases": "ubuntu16.04"},
            "it runs debian12, but the driver 390.12 of the stack is made for",
        ),
        ({"ofed": "mlnx_ofed", "ofed_releases": "debian8 debian9"}, "it runs debian12, but the mlnx_ofed of"),
        ({"gpus": "8"}, "there are 4 GPUs on its PCI bus, not the 8 of the stack"),
        ({"space_mb": "999999999"}, "and 999999999 MB are needed"),
    ],
    ids=["release of the driver", "release of OFED", "too few GPUs", "disk"],
)
def test_a_host_that_is_not_what_the_stack_says(
    node: Node, wanted: dict[str, dict[str, str]], change: dict[str, str], problem: str
) -> None:
    found = _problems(node, {**wanted[PREFLIGHT], **change})
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("no-gpu", "there is no GPU of NVIDIA on its PCI bus"),
        ("no-card", "there is no ConnectX card on its PCI bus"),
        ("secure-boot-on", "secure boot is on"),
    ],
)
def test_a_host_that_lacks_something(
    node: Node, wanted: dict[str, dict[str, str]], fault: str, problem: str
) -> None:
    with _fault(node, fault):
        found = _problems(node, {**wanted[PREFLIGHT], "ofed": "mlnx_ofed"})
    assert len(found) == 1
    assert problem in found[0]


def test_all_problems_come_at_once(node: Node, wanted: dict[str, dict[str, str]]) -> None:
    with _fault(node, "no-card"), _fault(node, "secure-boot-on"):
        found = _problems(node, {**wanted[PREFLIGHT], "ofed": "mlnx_ofed", "gpus": "8"})
    assert len(found) == 3


def test_a_host_of_another_stack_is_refused(node: Node, wanted: dict[str, dict[str, str]]) -> None:
    node.apply(PREFLIGHT, wanted[PREFLIGHT])
    done = node.try_apply(PREFLIGHT, {**wanted[PREFLIGHT], "stack": "other"})
    assert done.status == 1
    assert "it belongs to the stack 'lab', not to 'other'" in done.stderr
    assert node.differences(PREFLIGHT, wanted[PREFLIGHT]) == {}
    node.remove(PREFLIGHT, wanted[PREFLIGHT])


def test_never_leaves_nouveau_pending_and_says_so(node: Node, wanted: dict[str, dict[str, str]]) -> None:
    """What the first test took back is asked for again, on a host that may not be rebooted."""
    boot = _boot(node)
    never = {**wanted[NOUVEAU], "reboot": "never"}
    node.run("modprobe nouveau")
    done = node.try_apply(NOUVEAU, never)
    assert done.status == 0
    assert "nouveau is blacklisted, but loaded; reboot.policy is never" in done.stderr
    assert node.differences(NOUVEAU, never) == {"nouveau": ("blacklisted (after reboot)", "blacklisted")}

    # The driver is installed beside it, and pending too: its module cannot load.
    never_driver = {**wanted[DRIVER], "reboot": "never"}
    node.apply(DRIVER, never_driver)
    assert node.differences(DRIVER, never_driver) == {"version": ("390.12 (after reboot)", "390.12")}
    assert _boot(node) == boot

    node.reboot()
    assert node.differences(NOUVEAU, never) == node.differences(DRIVER, never_driver) == {}
    node.apply(DRIVER, wanted[DRIVER])


def test_a_reboot_that_did_not_help_is_an_error_and_no_second_one(
    node: Node, wanted: dict[str, dict[str, str]]
) -> None:
    with _fault(node, "nouveau-returns"):
        node.reboot()
        done = node.settle(NOUVEAU, wanted[NOUVEAU])
    assert done.status == 1
    assert "nouveau is blacklisted, but loaded, also after a reboot." in done.stderr
    assert "Hint: what loads it?" in done.stderr
    assert node.run("systemctl list-timers --all --no-legend 'rocestack*'") == ""
    # That is said once: the next run asks for a reboot again.
    _settle(node, NOUVEAU, wanted[NOUVEAU])
    assert "nouveau" not in _loaded(node)


def test_what_was_changed_by_hand_is_seen_and_repaired(node: Node, wanted: dict[str, dict[str, str]]) -> None:
    for step in (NOUVEAU, DRIVER):
        node.apply(step, wanted[step])
        assert node.differences(step, wanted[step]) == {}
    node.run(f"rm {BLACKLIST}; dpkg --remove --force-depends linux-headers-$(uname -r)")
    node.run("modprobe -r nvidia_uvm nvidia")
    assert node.differences(NOUVEAU, wanted[NOUVEAU]) == {
        "file_conf": ("absent", ANY),
        "nouveau": ("allowed", "blacklisted"),
        "tools": ("build-essential dkms", "build-essential dkms linux-headers"),
    }
    assert node.differences(DRIVER, wanted[DRIVER]) == {"version": ("390.12 (after reboot)", "390.12")}
    boot = _boot(node)
    for step in (NOUVEAU, DRIVER):
        node.apply(step, wanted[step])
        assert node.differences(step, wanted[step]) == {}
    assert _boot(node) == boot


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"gpus": "8"}, "gpu.count is 4, wanted 8"),
        ({"model": "Tesla V100"}, "gpu.model is Tesla P100-PCIE-16GB, wanted Tesla V100"),
        ({"compute_capability": "7.0"}, "gpu.compute_capability is 6.0, wanted 7.0"),
    ],
)
def test_gpus_that_are_not_the_stacks(
    node: Node, wanted: dict[str, dict[str, str]], change: dict[str, str], says: str
) -> None:
    other = {**wanted[DRIVER], **change}
    done = node.try_apply(DRIVER, other)
    assert done.status == 1
    assert says in done.stderr
    assert set(node.differences(DRIVER, other)) == {*change}
    node.apply(DRIVER, wanted[DRIVER])


def test_a_gpu_that_fell_off_is_seen(node: Node, wanted: dict[str, dict[str, str]]) -> None:
    with _fault(node, "gpu-fell-off"):
        assert node.differences(DRIVER, wanted[DRIVER])["gpus"][0].startswith("none: Unable to determine")
        done = node.try_apply(DRIVER, wanted[DRIVER])
    assert done.status == 1
    assert "Hint: " in done.stderr


def test_another_version_comes_by_the_second_reboot(
    node: Node, wanted: dict[str, dict[str, str]], stack: Stack, vendors: Mapping[str, Any]
) -> None:
    """From the local package to the vendor's repository, which has two versions; the old module is loaded."""
    gpu = complete(stack.model_copy(update={"gpu": Gpu(driver=GpuDriver.REPO, version="390.46")}), vendors)
    newer = {**driver_settings(gpu), "reboot": "auto"}
    _settle(node, DRIVER, newer)
    assert node.differences(DRIVER, newer) == {}
    assert node.script("dpkg-query -W 'nvidia-driver-local-repo*' | grep -q '[0-9]$'").status != 0

    # Back to the older one, which its repository has too: a pin, not the newest, decides.
    older = {**newer, "version": "390.12", "package_version": "390.12-1", "reboot": "never"}
    node.apply(DRIVER, older)
    assert node.differences(DRIVER, older) == {"version": ("390.12 (after reboot)", "390.12")}
    versions = node.run("dpkg-query -W -f '${Version} ' cuda-drivers nvidia-390")
    assert versions.split() == ["390.12-1", "390.12-0lab1"]


def test_a_module_that_does_not_load_is_an_error(node: Node, wanted: dict[str, dict[str, str]]) -> None:
    node.remove(DRIVER, wanted[DRIVER])
    with _fault(node, "driver-module-missing"):
        done = node.try_apply(DRIVER, wanted[DRIVER])
    assert done.status == 1
    assert "the driver's module does not load: modprobe: FATAL: Module nvidia not found" in done.stderr
    node.apply(DRIVER, wanted[DRIVER])


def test_leftovers_of_another_driver_go_and_what_is_ours_stays(
    node: Node, wanted: dict[str, dict[str, str]]
) -> None:
    other = {**wanted[NOUVEAU], "driver": "396.24"}
    recorded = {"record": ("damaged: it does not have driver as it was applied", "kept")}
    assert node.differences(NOUVEAU, other) == recorded
    node.run("sed -i '/^installed:/d' /var/lib/rocestack/gpu_host.driver")
    leftovers = {"leftovers": ("cuda-drivers nvidia-390", "none")}
    assert node.differences(NOUVEAU, other) == {**recorded, **leftovers}
    done = node.try_apply(NOUVEAU, other)
    assert done.status == 0, done.stderr
    assert "packages of another NVIDIA driver go: cuda-drivers nvidia-390" in done.stderr
    assert node.differences(NOUVEAU, other) == {}


def test_packages_are_upgraded_and_a_new_kernel_is_booted(node: Node) -> None:
    full = {"upgrade": "full", "kernel": "newest", "reboot": "auto"}
    node.apply(APT, full)
    assert node.differences(APT, full) == {}
    node.run("apt-get install -y linux-image-6.1.0-42-lab")
    assert node.differences(APT, full) == {"kernel": ("newest (after reboot)", "newest")}
    _settle(node, APT, full)
    assert node.differences(APT, full) == {}
    node.remove(APT, full)
