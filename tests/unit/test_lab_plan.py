"""The lab's plan: names, addresses and fingerprints follow from the stack file alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError
from lab.files import LabFiles
from lab.keys import ensure_keys
from lab.plan import Kind, Plan, make_plan, ports
from settings.loader import load_file
from settings.models import Stack
from settings.switch import Switch

STACK_FILE = Path(__file__).parents[2] / "Pulumi.lab.yaml"
NAMES = ["swx-mld-1-2", "vendor", "clx-mld-41", "clx-mld-42"]


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    made = LabFiles(tmp_path)
    ensure_keys(made, ["clx-mld-41", "clx-mld-42", "swx-mld-1-2"])
    made.vendor.mkdir(parents=True)
    made.vendor_manifest.write_text("{}")
    return made


@pytest.fixture
def stack() -> Stack:
    return load_file(STACK_FILE)


def _plan(stack: Stack, files: LabFiles, **generations: int) -> Plan:
    numbers = {name.replace("_", "-"): number for name, number in generations.items()}
    return make_plan(stack, "lab", "rocestack/node:0", files, numbers)


def _with_host(stack: Stack, **changes: Any) -> Stack:
    host = stack.hosts[0].model_copy(update=changes)
    return stack.model_copy(update={"hosts": (host, *stack.hosts[1:])})


def _with_lab(stack: Stack, **changes: Any) -> Stack:
    assert stack.lab is not None
    return stack.model_copy(update={"lab": stack.lab.model_copy(update=changes)})


def test_ports_follow_the_order_of_the_hosts(stack: Stack) -> None:
    assert ports(stack) == {
        "swx-mld-1-2": 22400,
        "clx-mld-41": 22401,
        "clx-mld-42": 22402,
        "vendor": 22451,
    }


def test_machines_and_their_addresses(stack: Stack, files: LabFiles) -> None:
    plan = _plan(stack, files)
    assert [machine.name for machine in plan.machines] == NAMES
    assert [machine.kind for machine in plan.machines] == [
        Kind.SWITCH,
        Kind.VENDOR,
        Kind.NODE,
        Kind.NODE,
    ]
    found = {one.name: [at.address for at in one.attachments] for one in plan.machines}
    assert found == {
        "swx-mld-1-2": ["10.141.0.254", "10.142.0.83", "10.142.0.163"],
        "vendor": ["10.141.0.4"],
        "clx-mld-41": ["10.141.0.11", "10.142.0.82"],
        "clx-mld-42": ["10.141.0.12", "10.142.0.162"],
    }


def test_a_cable_is_one_network_with_both_its_ends(stack: Stack, files: LabFiles) -> None:
    plan = _plan(stack, files)
    cables = [network for network in plan.networks if "-port-" in network.name]
    assert [(one.name, str(one.subnet), one.mtu) for one in cables] == [
        ("rocestack-lab-port-1-1", "10.142.0.80/29", 9216),
        ("rocestack-lab-port-1-2", "10.142.0.160/29", 9216),
    ]
    for cable, node in zip(cables, ("clx-mld-41", "clx-mld-42"), strict=True):
        on_it = [m.name for m in plan.machines if cable.name in {at.network for at in m.attachments}]
        assert on_it == ["swx-mld-1-2", node]
    assert plan.machine("clx-mld-41").environment["LAB_CABLES"] == "enp1f0,10.142.0.82,02:52:01:01:01:00"
    assert plan.machine("swx-mld-1-2").environment["LAB_CABLES"] == (
        "swp1,10.142.0.83,02:52:02:01:01:00;swp2,10.142.0.163,02:52:02:01:02:00"
    )


def test_the_engine_takes_the_management_network_first(stack: Stack, files: LabFiles) -> None:
    # It publishes ports on the network whose name comes first, and routes through that one.
    names = [network.name for network in _plan(stack, files).networks]
    assert names[0].endswith("-management")
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("port", "interface", "network"),
    [
        ("1/7", "swp7", "10.142.2.48/29"),
        ("1/32", "swp32", "10.142.10.0/29"),
        ("1/4/2", "swp4s2", "10.142.1.80/29"),
    ],
)
def test_a_cable_depends_on_its_switch_port_alone(
    stack: Stack, files: LabFiles, port: str, interface: str, network: str
) -> None:
    plan = _plan(_with_host(stack, switch_port=port), files)
    cable = next(one for one in plan.networks if one.name.endswith(port.replace("/", "-")))
    assert str(cable.subnet) == network
    assert f"{interface}," in plan.machine("swx-mld-1-2").environment["LAB_CABLES"]
    # The other host's cable stays where it is.
    assert "10.142.0.160/29" in [str(one.subnet) for one in plan.networks]


def test_a_new_generation_has_new_volumes_and_the_old_fingerprint(stack: Stack, files: LabFiles) -> None:
    first = _plan(stack, files).machine("clx-mld-41")
    third = _plan(stack, files, clx_mld_41=3).machine("clx-mld-41")
    assert [volume.name for volume in first.volumes] == ["rocestack-lab-clx-mld-41-docker-1"]
    assert [volume.name for volume in third.volumes] == ["rocestack-lab-clx-mld-41-docker-3"]
    assert third.fingerprint == first.fingerprint
    assert third.labels("lab") == {
        "rocestack.stack": "lab",
        "rocestack.node": "clx-mld-41",
        "rocestack.generation": "3",
        "rocestack.fingerprint": first.fingerprint,
    }


def test_the_plan_is_the_same_each_time(stack: Stack, files: LabFiles) -> None:
    assert _plan(stack, files) == _plan(stack, files)


def test_a_changed_mounted_file_changes_the_fingerprint_of_its_machine_alone(
    stack: Stack, files: LabFiles
) -> None:
    before = _plan(stack, files)
    files.switch_password.write_text("another")
    after = _plan(stack, files)
    changed = [name for name in NAMES if before.machine(name) != after.machine(name)]
    assert changed == ["swx-mld-1-2"]
    assert replace(after.machine("swx-mld-1-2"), fingerprint="") == replace(
        before.machine("swx-mld-1-2"), fingerprint=""
    )


def test_no_secret_is_in_the_plan(stack: Stack, files: LabFiles) -> None:
    text = repr(_plan(stack, files))
    for path in (files.switch_password, files.client_key, files.host_key("clx-mld-41")):
        assert path.read_text().strip() not in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"cable_subnet": IPv4Network("10.142.0.0/28")},
            "no room for the cable at port 1/1 of swx-mld-1-2",
        ),
        (
            {"management_subnet": IPv4Network("10.141.0.0/28")},
            "has too few addresses for 3 hosts and switches",
        ),
    ],
)
def test_too_small_a_subnet(stack: Stack, files: LabFiles, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        _plan(_with_lab(stack, **changes), files)


LEFT, RIGHT, THIRD = "swx-rack-1", "swx-rack-2", "swx-rack-3"


@pytest.fixture
def racks(stack: Stack, files: LabFiles) -> Stack:
    """Return a stack of three switches, with a host on port 1/1 of the first two."""
    uplinks = ((LEFT, ("1/31",)), (RIGHT, ("1/30-1/31",)), (THIRD, ("1/7", "1/8")))
    hosts = [
        host.model_copy(update={"switch": name, "switch_port": "1/1"})
        for host, name in zip(stack.hosts, (LEFT, RIGHT), strict=True)
    ]
    ensure_keys(files, [LEFT, RIGHT, THIRD])
    return stack.model_copy(
        update={
            "switch": None,
            "switches": tuple(Switch(name=name, uplinks=ports) for name, ports in uplinks),
            "hosts": tuple(hosts),
        }
    )


def test_each_switch_has_the_cables_of_its_own_hosts_and_one_to_the_next_switch(
    racks: Stack, files: LabFiles
) -> None:
    plan = _plan(racks, files)
    cables = {
        name: [end.split(",")[::2] for end in plan.machine(name).environment["LAB_CABLES"].split(";")]
        for name in (LEFT, RIGHT, THIRD)
    }
    assert cables == {
        LEFT: [["swp1", "02:52:02:01:01:00"], ["swp31", "02:52:02:01:1f:00"]],
        RIGHT: [
            ["swp1", "02:52:02:02:01:00"],
            ["swp30", "02:52:02:02:1e:00"],
            ["swp31", "02:52:02:02:1f:00"],
        ],
        THIRD: [["swp7", "02:52:02:03:07:00"]],
    }
    on_it = {
        network.name: [m.name for m in plan.machines if network.name in {at.network for at in m.attachments}]
        for network in plan.networks[1:]
    }
    assert on_it == {
        "rocestack-lab-port-1-1": [LEFT, "clx-mld-41"],
        "rocestack-lab-port-2-1": [RIGHT, "clx-mld-42"],
        "rocestack-lab-port-1-31": [LEFT, RIGHT],
        "rocestack-lab-port-2-31": [RIGHT, THIRD],
    }
    assert plan.machine("clx-mld-42").environment["LAB_CABLES"].endswith(",02:52:01:02:01:00")


def test_no_two_ends_of_cables_are_alike(racks: Stack, files: LabFiles) -> None:
    plan = _plan(racks, files)
    ends = [end for m in plan.machines for end in m.environment.get("LAB_CABLES", "").split(";") if end]
    assert len({end.split(",")[1] for end in ends}) == len({end.split(",")[2] for end in ends}) == 8
    for first, second in combinations([network.subnet for network in plan.networks], 2):
        assert not first.overlaps(second)
    for machine in plan.machines:
        for at in machine.attachments:
            network = next(one for one in plan.networks if one.name == at.network)
            assert IPv4Address(at.address) in network.subnet
    assert len({machine.port for machine in plan.machines}) == len(plan.machines)


def test_a_further_switch_moves_no_other_machine(racks: Stack, files: LabFiles) -> None:
    assert racks.switches is not None
    before = _plan(racks.model_copy(update={"switches": racks.switches[:2]}), files)
    after = _plan(racks, files)
    changed = [one.name for one in before.machines if one != after.machine(one.name)]
    # It has one more cable.
    assert changed == [RIGHT]
    assert ports(racks)[LEFT] - ports(racks)[THIRD] == 2


def test_switches_without_a_free_uplink_cannot_be_joined(racks: Stack, files: LabFiles) -> None:
    assert racks.switches is not None
    middle = racks.switches[1].model_copy(update={"uplinks": ("1/30",)})
    broken = racks.model_copy(update={"switches": (racks.switches[0], middle, racks.switches[2])})
    with pytest.raises(LabError, match=f"cannot join {RIGHT} and {THIRD}: one of them has no free uplink"):
        _plan(broken, files)


def test_metal_has_no_plan(stack: Stack, files: LabFiles) -> None:
    with pytest.raises(LabError, match="This stack has no lab"):
        _plan(stack.model_copy(update={"lab": None}), files)
