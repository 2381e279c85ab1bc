"""The RDMA stack's steps on a throw-away node: installed, set, lost, repaired, and taken back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from components.ofed_stack import package_facts, qos_facts
from settings.ofed import Ofed
from settings.roce import RoceProfile
from tests.nodes.node import INTERFACE, Node

SYSFS = "/run/lab-sysfs"
CONCERNS = ("packages", "link_type", "address", "qos")
PACKAGES, LINK, ADDRESS, QOS = (f"ofed_stack.{concern}" for concern in CONCERNS)
LINK_TYPE = {"interface": INTERFACE, "link_type": "ETH", "sysfs_root": SYSFS, "reboot": "never"}
DATA = {"interface": INTERFACE, "address": "31.31.31.41/24", "mtu": "9000", "link": "up"}
LOSSLESS = {
    "interface": INTERFACE,
    "sysfs_root": SYSFS,
    **qos_facts(RoceProfile()),
    "allow_unobservable": "",
}
# What the installer's codes mean, as the operator reads them.
CODES = {
    "1": "it ended with status 1",
    "2": "it has no firmware for this card",
    "28": "there is no space left on this host",
    "171": "it is not for this machine",
    "172": "packages that it needs are missing",
    "173": "mst did not start",
}


def _packages(ofed: Mapping[str, Any]) -> Mapping[str, str]:
    return {**package_facts(Ofed.model_validate({**ofed, "sysfs_root": SYSFS})), "reboot": "never"}


@pytest.fixture(scope="module")
def mlnx_ofed(vendors: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the settings of MLNX_OFED from its image."""
    source = vendors["mlnx_ofed"]
    flags = ["--without-fw-update"]
    return _packages(
        {"flavour": "mlnx_ofed", "version": source["version"], "iso": source["iso"], "flags": flags}
    )


@pytest.fixture(scope="module")
def doca_ofed(vendors: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the settings of DOCA-OFED from its repository."""
    source = vendors["doca_ofed"]
    repository = {**source["repository"], "components": tuple(source["repository"]["components"])}
    return _packages({"flavour": "doca_ofed", "version": source["package_version"], "repository": repository})


@contextlib.contextmanager
def _fault(node: Node, name: str, argument: str = "") -> Iterator[None]:
    order = f"/usr/lib/rocestack-lab/standin fault set {name}"
    node.run(f"{order} on {argument}")
    try:
        yield
    finally:
        node.run(f"{order} off")


def _refusal(node: Node, step: str, wanted: Mapping[str, str]) -> str:
    done = node.try_apply(step, wanted)
    assert done.status == 1, done.stdout
    return done.stderr


def _found(node: Node, step: str, wanted: Mapping[str, str]) -> Mapping[str, str]:
    """Return what the probe says of the host itself, whether or not the step's record is there."""
    facts = node.probe({step: wanted}).facts[step]
    return {key: value for key, value in facts.items() if key != "record"}


def _apply_twice(node: Node, step: str, wanted: Mapping[str, str]) -> None:
    node.apply(step, wanted)
    once = node.photograph()
    assert node.differences(step, wanted) == {}
    node.apply(step, wanted)
    assert node.photograph() == once


@pytest.mark.smoke
def test_the_lossless_profile_is_set_kept_and_taken_back(node: Node) -> None:
    before, found = node.photograph(), _found(node, QOS, LOSSLESS)
    _apply_twice(node, QOS, LOSSLESS)
    node.reboot()
    assert node.differences(QOS, LOSSLESS) == {}
    node.remove(QOS, LOSSLESS)
    assert node.photograph() == before
    assert _found(node, QOS, LOSSLESS) == found


def test_what_a_card_cannot_show_is_no_success_unless_the_stack_allows_it(node: Node) -> None:
    with _fault(node, "no-mlnx_qos"):
        said = _refusal(node, QOS, LOSSLESS)
        assert "pfc (dcb says: Attribute read: Operation not supported)" in said
        assert "ofed.allow_unobservable" in said
        allowed = {**LOSSLESS, "allow_unobservable": "dcbx dscp2prio pfc prio_tc tcbw trust tsa"}
        node.apply(QOS, allowed)
        assert set(node.differences(QOS, allowed)) == set(allowed["allow_unobservable"].split())
        node.remove(QOS, allowed)


def test_a_refused_setting_is_named(node: Node) -> None:
    with _fault(node, "mlnx_qos-refuses-pfc"):
        said = _refusal(node, QOS, LOSSLESS)
        assert f"cannot set pfc to 0,0,0,1,0,0,0,0 on {INTERFACE}: Netlink error" in said
    node.remove(QOS, LOSSLESS)


def test_without_a_card_nothing_is_installed(node: Node, mlnx_ofed: Mapping[str, str]) -> None:
    with _fault(node, "no-card"):
        assert "no Mellanox network adapter on its PCI bus" in _refusal(node, PACKAGES, mlnx_ofed)
        assert _found(node, PACKAGES, mlnx_ofed)["card"] == "absent"


@pytest.mark.parametrize(("sum_of", "length"), [("sha256", 64), ("md5", 32)])
def test_an_image_with_another_sum_is_not_used(
    node: Node, mlnx_ofed: Mapping[str, str], sum_of: str, length: int
) -> None:
    said = _refusal(node, PACKAGES, {**mlnx_ofed, sum_of: "0" * length})
    assert f"its {sum_of} is " in said
    assert node.script("command -v ofed_info").status != 0


@pytest.mark.parametrize("code", CODES)
def test_each_code_of_the_installer_has_its_sentence(
    node: Node, mlnx_ofed: Mapping[str, str], code: str
) -> None:
    with _fault(node, "ofed-install-fails", code):
        said = _refusal(node, PACKAGES, mlnx_ofed)
    assert f"did not install MLNX_OFED {mlnx_ofed['version']}: {CODES[code]}." in said
    assert "\nHint: " in said
    # The image is never left open.
    assert node.script("test -e /var/cache/rocestack/iso").status == 1


def test_a_wrong_flag_is_named(node: Node, mlnx_ofed: Mapping[str, str]) -> None:
    said = _refusal(node, PACKAGES, {**mlnx_ofed, "flags": "--no-such-flag"})
    assert "does not take one of these parameters: --no-such-flag" in said


def test_openibd_is_left_alone_where_management_runs_over_the_card(
    node: Node, mlnx_ofed: Mapping[str, str]
) -> None:
    management = node.run("ip -o route show default | sed -E 's/.* dev ([^ ]+).*/\\1/'").strip()
    folder = f"{SYSFS}/class/net/{management}/device"
    node.run(f"mkdir -p {folder} && echo 0x15b3 >{folder}/vendor")
    done = node.try_apply(PACKAGES, mlnx_ofed)
    assert done.status == 0, done.stderr
    assert f"this host is reached over {management}, a port of the card" in done.stderr
    assert _found(node, PACKAGES, mlnx_ofed)["driver"] == "current (after reboot)"
    node.run(f"rm -r {folder}")


def test_a_driver_that_cannot_be_exchanged_waits_for_a_reboot(
    node: Node, mlnx_ofed: Mapping[str, str]
) -> None:
    with _fault(node, "openibd-fails"):
        done = node.try_apply(PACKAGES, mlnx_ofed)
        assert done.status == 0
        assert "openibd could not exchange driver" in done.stderr
    node.reboot()
    assert _found(node, PACKAGES, mlnx_ofed)["driver"] == "current"


def test_the_guides_image_is_installed_and_its_driver_runs(node: Node, mlnx_ofed: Mapping[str, str]) -> None:
    _apply_twice(node, PACKAGES, mlnx_ofed)


def test_the_ports_type_changes_with_a_reboot(node: Node) -> None:
    assert _found(node, LINK, LINK_TYPE) == {"link_type": "IB"}
    with _fault(node, "mst-fails"):
        assert "mst did not start" in _refusal(node, LINK, LINK_TYPE)
    with _fault(node, "firmware-set-refused"):
        assert "cannot set LINK_TYPE_P1" in _refusal(node, LINK, LINK_TYPE)
    node.apply(LINK, LINK_TYPE)
    assert _found(node, LINK, LINK_TYPE) == {"link_type": "ETH (after reboot)"}
    node.apply(LINK, LINK_TYPE)
    node.reboot()
    _apply_twice(node, LINK, LINK_TYPE)


@pytest.mark.parametrize("reload", ["/etc/init.d/openibd restart", "systemctl restart openibd.service"])
def test_a_reload_of_the_driver_loses_nothing(node: Node, reload: str) -> None:
    node.apply(ADDRESS, DATA)
    node.apply(QOS, LOSSLESS)
    node.run(reload)
    # The units that openibd's end starts are waited for, as a person would.
    node.run("until systemctl is-active -q rocestack-qos@enp1f0.service; do sleep 0.2; done")
    assert node.differences(ADDRESS, DATA) == {}
    assert node.differences(QOS, LOSSLESS) == {}


def test_everything_is_taken_back(node: Node, mlnx_ofed: Mapping[str, str]) -> None:
    for step, wanted in ((QOS, LOSSLESS), (ADDRESS, DATA), (LINK, LINK_TYPE), (PACKAGES, mlnx_ofed)):
        node.remove(step, wanted)
    node.reboot()
    assert _found(node, PACKAGES, mlnx_ofed) == {
        "packages": "ethtool pciutils",
        "flavour": "inbox",
        "version": "none",
        "card": "present",
        "driver": "current",
        "repository": "none",
        "repository_key": "none",
    }
    assert node.script("ls /var/lib/rocestack /etc/rocestack /var/cache/rocestack").stdout == ""


def test_a_flavour_replaces_another(
    node: Node, mlnx_ofed: Mapping[str, str], doca_ofed: Mapping[str, str]
) -> None:
    before = node.photograph()
    node.apply(PACKAGES, mlnx_ofed)
    _apply_twice(node, PACKAGES, doca_ofed)
    assert node.run("apt-mark showhold").split() == ["doca-ofed"]
    node.remove(PACKAGES, doca_ofed)
    after = node.photograph()
    # The vendor's packages made the initramfs anew when they came.
    assert {name for name in before | after if before.get(name) != after.get(name)} <= {
        name for name in before if name.startswith("file /boot/initrd.img-")
    }


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
    _apply_twice(node, ADDRESS, DATA)
    assert f"file {file}" in node.photograph()

    node.run(f"sed -i s/9000/1500/ {file}")
    found = f"31.31.31.41/24 (but {file} differs)"
    assert node.differences(ADDRESS, DATA) == {"address": (found, "31.31.31.41/24")}
    moved = {**DATA, "address": "31.31.31.141/24"}
    node.apply(ADDRESS, moved)
    assert "31.31.31.41/" not in node.run(f"ip -4 -o address; cat {file}")
    node.reboot()
    assert node.differences(ADDRESS, moved) == {}
    assert node.run("systemctl --failed --plain --no-legend") == ""
    node.remove(ADDRESS, moved)
    assert node.photograph() == before
    node.run(f"apt-get -qq purge -y {package}")
