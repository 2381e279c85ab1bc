"""The probe of the NIC's QoS, on recorded answers of the tools and a tree of the kernel's files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.ofed_stack import qos_facts
from settings.roce import RoceProfile
from tests.shell.shell import FIXTURES, answer, observed

STEP = "ofed_stack.qos"
WANTED = qos_facts(RoceProfile())
# The probe asks for an interface that this machine has too.
INTERFACE = "lo"


def _tree(root: Path, device: str = "mlx5_1", port: int = 1) -> Path:
    """Make the files of a ConnectX card that has the profile's settings."""
    ecn = root / "class" / "net" / INTERFACE / "ecn"
    for side in ("roce_rp", "roce_np"):
        (ecn / side / "enable").mkdir(parents=True)
        (ecn / side / "enable" / "3").write_text("1\n")
    (ecn / "roce_np" / "cnp_dscp").write_text("48\n")
    (ecn / "roce_np" / "cnp_802p_prio").write_text("6\n")
    link = root / "class" / "net" / INTERFACE / "device" / "infiniband" / device
    link.mkdir(parents=True)
    (root / "class" / "net" / INTERFACE / "dev_port").write_text(f"{port - 1}\n")
    tc = root / "class" / "infiniband" / device / "tc" / str(port)
    tc.mkdir(parents=True)
    (tc / "traffic_class").write_text("Global tclass=106\nsrc_ip=10.0.0.1 tclass=12\n")
    return root


CMA_MODE = "() { [[ $* == '-d mlx5_1 -p 1' ]] && echo 'RoCE v2'; }"
CMA_TOS = "() { [[ $* == '-d mlx5_1 -p 1' ]] && echo 106; }"
OFED = {
    "ethtool": answer("ethtool/pause/off.txt"),
    "mlnx_qos": answer("mlnx_qos/standin/profile.txt"),
    "cma_roce_mode": CMA_MODE,
    "cma_roce_tos": CMA_TOS,
}


def _facts(root: Path, tools: Mapping[str, str]) -> dict[str, str]:
    found = observed(STEP, {"interface": INTERFACE, "sysfs_root": str(root), **WANTED}, tools)
    assert found.unobservable.get(STEP) is None
    return dict(found.facts[STEP])


def test_every_setting_is_read_in_the_form_in_which_it_is_wanted(tmp_path: Path) -> None:
    facts = _facts(_tree(tmp_path), OFED)
    # This machine has no unit of ours, and its own TCP setting.
    assert facts.pop("trust") == "dscp (until reboot)"
    del facts["tcp_ecn"]
    assert facts.pop("interface") == INTERFACE
    # Nor has it a file of ours.
    ours = [key for key in facts if key.startswith("file_")]
    assert {facts.pop(key) for key in ours} == {"absent"}
    assert facts.pop("record") == "absent"
    del facts["unit"]
    assert facts == {key: WANTED[key] for key in WANTED if key not in ("trust", "tcp_ecn")}


def test_an_untouched_card(tmp_path: Path) -> None:
    facts = _facts(_tree(tmp_path), {**OFED, "mlnx_qos": answer("mlnx_qos/documented/untouched.txt")})
    assert facts["trust"] == "pcp (until reboot)"
    assert (facts["dcbx"], facts["dscp2prio"]) == ("fw", "26:none,48:none")
    assert (facts["pfc"], facts["prio_tc"]) == ("0,0,0,0,0,0,0,0", "1,0,2,3,4,5,6,7")
    assert (facts["tsa"], facts["tcbw"]) == (",".join(["vendor"] * 8), "0,0,0,0,0,0,0,0")


@pytest.mark.parametrize(
    ("file", "pause"),
    [
        ("off", "off"),
        ("on", "on"),
        ("negotiated", "tx"),
        ("unsupported", "unobservable: ethtool -a says: netlink error: Operation not supported"),
    ],
)
def test_global_pause(tmp_path: Path, file: str, pause: str) -> None:
    # Some cards end with an error although they answered.
    tools = {**OFED, "ethtool": answer(f"ethtool/pause/{file}.txt", status=78)}
    assert _facts(_tree(tmp_path), tools)["pause"] == pause


def test_a_card_without_data_center_bridging_has_reasons(tmp_path: Path) -> None:
    tools = {**OFED, "mlnx_qos": answer("mlnx_qos/documented/unsupported.txt", status=1)}
    facts = _facts(_tree(tmp_path), tools)
    for key in ("trust", "dcbx", "dscp2prio", "pfc", "prio_tc", "tsa", "tcbw"):
        assert facts[key].startswith("unobservable: mlnx_qos says: ETS features are not supported")
    assert facts["traffic_class"] == "106"


def _dcb(case: str) -> str:
    folder = shlex.quote(str(FIXTURES / "dcb" / case))
    return f'() {{ [[ $1 != -N ]] || shift; cat "{folder}/$1.txt" && [[ {case} != veth ]]; }}'


def test_the_distributions_driver_is_read_by_dcb(tmp_path: Path) -> None:
    facts = _facts(tmp_path, {"ethtool": OFED["ethtool"], "dcb": _dcb("connectx")})
    assert facts["trust"] == "dscp (until reboot)"
    for key in ("dcbx", "dscp2prio", "pfc", "prio_tc", "tsa", "tcbw", "pause"):
        assert facts[key] == WANTED[key]
    for key in ("traffic_class", "ecn_priority", "cnp_dscp", "cma_roce_tos"):
        assert facts[key].startswith("unobservable: ")


def test_dcb_that_fails_has_a_reason(tmp_path: Path) -> None:
    facts = _facts(tmp_path, {"dcb": _dcb("veth")})
    assert facts["pfc"] == "unobservable: dcb says: Attribute read: Operation not supported"


def test_the_device_is_found_by_ofeds_tool_where_the_kernel_links_none(tmp_path: Path) -> None:
    root = _tree(tmp_path)
    for path in (root / "class" / "net" / INTERFACE / "device" / "infiniband").iterdir():
        path.rmdir()
    assert _facts(root, OFED)["traffic_class"].startswith("unobservable: ")
    found = _facts(root, {**OFED, "ibdev2netdev": answer("ibdev2netdev/two-ports/list.txt")})
    assert (found["traffic_class"], found["cma_roce_tos"]) == ("106", "106")


def test_a_device_without_hardware_is_found_by_its_gid_table(tmp_path: Path) -> None:
    root = _tree(tmp_path)
    for path in (root / "class" / "net" / INTERFACE / "device" / "infiniband").iterdir():
        path.rmdir()
    for device, interface in (("mlx5_0", "mgmt0"), ("mlx5_1", INTERFACE)):
        table = root / "class" / "infiniband" / device / "ports" / "1" / "gid_attrs" / "ndevs"
        table.mkdir(parents=True)
        (table / "0").write_text(f"{interface}\n")
    found = _facts(root, OFED)
    assert (found["traffic_class"], found["cma_roce_tos"]) == ("106", "106")


def test_rdma_cm_is_read_from_the_kernels_configuration_where_no_tool_is(tmp_path: Path) -> None:
    root = _tree(tmp_path)
    tools = {"ethtool": OFED["ethtool"], "mlnx_qos": OFED["mlnx_qos"]}
    assert _facts(root, tools)["cma_roce_tos"].startswith("unobservable: there is no cma_roce_tos")
    folder = root / "kernel" / "config" / "rdma_cm" / "mlx5_1" / "ports" / "1"
    folder.mkdir(parents=True)
    (folder / "default_roce_tos").write_text("106\n")
    (folder / "default_roce_mode").write_text("RoCE v2\n")
    facts = _facts(root, tools)
    assert (facts["cma_roce_tos"], facts["cma_roce_mode"]) == ("106", "RoCE v2")


def test_the_second_port_of_a_device_is_its_own(tmp_path: Path) -> None:
    root = _tree(tmp_path, port=2)
    assert _facts(root, OFED)["traffic_class"] == "106"
    (root / "class" / "net" / INTERFACE / "dev_port").write_text("0\n")
    assert _facts(root, OFED)["traffic_class"].startswith("unobservable: ")
