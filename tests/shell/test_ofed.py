"""The RDMA stack, the port's link type and the way of management, as recorded answers show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.rendering import render
from tests.shell.shell import answer, observed, run

LINK, PACKAGES = "ofed_stack.link_type", "ofed_stack.packages"
ONE_CARD = {"lspci": answer("lspci/connectx-5/one-card.txt")}


def _link(
    root: Path, mlxconfig: str, lspci: str = "one-card", status: int = 0
) -> tuple[str | None, str | None]:
    tools = {
        "mlxconfig": answer(f"mlxconfig/connectx-5/{mlxconfig}.txt", status),
        "lspci": answer(f"lspci/connectx-5/{lspci}.txt"),
    }
    # As long as the port is InfiniBand, there is no interface of that name.
    wanted = {"interface": "enp9f9", "link_type": "ETH", "sysfs_root": str(root), "reboot": "auto"}
    found = observed(LINK, wanted, tools)
    return found.facts.get(LINK, {}).get("link_type"), found.unobservable.get(LINK)


@pytest.mark.parametrize(
    ("said", "status", "link_type"),
    [
        ("factory", 0, "IB"),
        ("pending", 0, "ETH (after reboot)"),
        ("ethernet", 0, "ETH"),
        ("leaving", 0, "IB (after reboot)"),
        ("brief", 0, "ETH"),
        # A card without the setting is an Ethernet card.
        ("unsupported", 3, "ETH"),
    ],
)
def test_the_link_type_now_and_after_a_reboot(tmp_path: Path, said: str, status: int, link_type: str) -> None:
    assert _link(tmp_path, said, status=status) == (link_type, None)


@pytest.mark.parametrize(
    ("said", "lspci", "status", "reason"),
    [
        ("no-device", "one-card", 3, "mlxconfig says: -E- Failed to open the device"),
        (
            "factory",
            "two-cards",
            0,
            "there are several cards (0000:03:00.0 0000:81:00.0), and enp9f9 is of none",
        ),
        ("factory", "none", 0, "there is no Mellanox card on the PCI bus"),
        ("no-device", "one-card", 0, "mlxconfig does not show LINK_TYPE_P1"),
    ],
)
def test_a_link_type_that_nothing_shows_has_a_reason(
    tmp_path: Path, said: str, lspci: str, status: int, reason: str
) -> None:
    found, why = _link(tmp_path, said, lspci, status)
    assert found is None
    assert why is not None
    assert why.startswith(reason)


def test_the_ports_own_function_is_asked_once_it_is_an_interface(tmp_path: Path) -> None:
    slot = tmp_path / "devices" / "0000:81:00.0"
    slot.mkdir(parents=True)
    (tmp_path / "class" / "net" / "enp9f9").mkdir(parents=True)
    (tmp_path / "class" / "net" / "enp9f9" / "device").symlink_to(slot)
    assert _link(tmp_path, "ethernet", "two-cards") == ("ETH", None)


@pytest.mark.parametrize(
    ("said", "flavour", "version"),
    [
        ("mlnx_ofed", "mlnx_ofed", "4.2-1.2.0.0"),
        ("doca_ofed", "doca_ofed", "parts of OFED-internal-24.10-1.1.4"),
    ],
)
def test_the_stack_says_which_one_it_is(tmp_path: Path, said: str, flavour: str, version: str) -> None:
    tools = {**ONE_CARD, "ofed_info": answer(f"ofed_info/{said}.txt"), "dpkg-query": "() { return 1; }"}
    wanted = {"flavour": flavour, "packages": "dkms", "sysfs_root": str(tmp_path)}
    facts = observed(PACKAGES, wanted, tools).facts[PACKAGES]
    assert (facts["flavour"], facts["version"], facts["card"]) == (flavour, version, "present")


@pytest.mark.parametrize(
    ("flavour", "loaded", "installed", "driver"),
    [
        ("mlnx_ofed", "4.2-1.2.0", "echo 4.2-1.2.0", "current"),
        ("mlnx_ofed", "", "echo 4.2-1.2.0", "current (after reboot)"),
        ("mlnx_ofed", None, "echo 4.2-1.2.0", "loaded none, installed 4.2-1.2.0"),
        ("mlnx_ofed", "4.2-1.2.0", "return 1", "loaded 4.2-1.2.0, installed absent"),
        ("inbox", "", "echo", "current"),
        ("inbox", None, "echo", "current"),
        ("inbox", "4.2-1.2.0", "echo", "current (after reboot)"),
    ],
)
def test_the_driver_that_runs_is_the_installed_one_or_waits(
    tmp_path: Path, flavour: str, loaded: str | None, installed: str, driver: str
) -> None:
    if loaded is not None:
        (tmp_path / "module" / "mlx5_core").mkdir(parents=True)
    if loaded:
        (tmp_path / "module" / "mlx5_core" / "version").write_text(f"{loaded}\n")
    tools = {"modinfo": f"() {{ {installed}; }}", "lspci": answer("lspci/connectx-5/none.txt")}
    wanted = {"flavour": flavour, "packages": "ethtool", "sysfs_root": str(tmp_path)}
    facts = observed(PACKAGES, wanted, tools).facts[PACKAGES]
    assert (facts["driver"], facts["card"]) == (driver, "absent")


@pytest.mark.parametrize(
    ("routes", "over"),
    [
        ("default via 10.0.0.1 dev eno0 proto dhcp", ""),
        ("default via 10.0.0.1 dev enp1f0", "enp1f0"),
        ("default via 10.0.0.1 dev bond0", "bond0"),
        ("", ""),
    ],
)
def test_management_over_the_card_is_seen_through_a_bond(tmp_path: Path, routes: str, over: str) -> None:
    for name, vendor in (("eno0", "0x8086"), ("enp1f0", "0x15b3")):
        device = tmp_path / "class" / "net" / name / "device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
    (tmp_path / "class" / "net" / "bond0" / "lower_enp1f0").mkdir(parents=True)
    script = render("ofed_stack/driver_reload.sh") + "\nif management_on_card; then echo $REPLY; fi"
    tools = {"ip": f"() {{ [[ $* != '-o route show default' ]] || echo '{routes}'; }}"}
    head = f"declare -A want=([sysfs_root]={tmp_path}); unset SSH_CONNECTION\n"
    assert run(head + script, "", tools).strip() == over
