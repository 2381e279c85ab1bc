"""The nodes themselves: their hardware, their boots, the vendors' packages, and each fault on and off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import docker
import pytest

from lab import faults
from lab.hardware.faults import FAULTS, NODE
from lab.vendor.kernel import KERNEL, NEWER_KERNEL
from tests.nodes.node import INTERFACE, Done, Node, site
from tests.waiting import wait_until

STANDIN = "/usr/lib/rocestack-lab/standin"
APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends"


@pytest.fixture(scope="module")
def node(engine: docker.DockerClient, node_image: str) -> Iterator[Node]:
    """Return one fresh node of a stack whose OFED is the vendor's."""
    with site(engine, node_image, ["clx-mld-41"], ofed_tools=False) as nodes:
        yield nodes[0]


def _fault(node: Node, name: str, state: str, argument: str = "") -> None:
    node.run(f"{STANDIN} fault set {name} {state} {argument}")


def _modules(node: Node) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in node.run("lsmod").splitlines()[1:])


@pytest.mark.smoke
def test_nouveau_is_in_until_the_initramfs_says_otherwise(node: Node) -> None:
    assert node.run("uname -r").strip() == KERNEL
    assert "nouveau" in _modules(node)
    assert node.script("modprobe -r nouveau").status == 1
    node.run("printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' > /etc/modprobe.d/test.conf")
    node.reboot()
    assert "nouveau" in _modules(node), "the initramfs was not built anew, and still loads it"
    node.run("update-initramfs -u")
    assert "nouveau" in _modules(node), "no reboot yet"
    node.reboot()
    assert "nouveau" not in _modules(node)
    assert "mlx5_core" in _modules(node)


def test_the_bus_is_the_nodes_own(node: Node) -> None:
    shown = node.run("lspci -nn")
    assert shown.count("[10de:15f8]") == 4
    assert "Infiniband controller [0207]: Mellanox Technologies MT28800 Family [ConnectX-5 Ex]" in shown
    assert node.run("lspci -v -d 15b3:").startswith("03:00.0")


def test_the_driver_comes_in_a_package_with_a_repository(node: Node, vendors: Mapping[str, Any]) -> None:
    node.run(f"apt-get -q update && {APT} install dkms build-essential linux-headers-$(uname -r)")
    package = vendors["driver"]["package"]
    node.run(f"curl -fsS {package['source']} -o /root/driver.deb")
    assert node.run("sha256sum /root/driver.deb").split()[0] == package["sha256"]
    node.run(f"dpkg -i /root/driver.deb && apt-get -q update && {APT} install cuda-drivers")
    assert node.run("dkms status") == f"nvidia/390.12, {KERNEL}, x86_64: installed\n"
    assert node.script("nvidia-smi").status == 9, "nothing loads it before the next boot"
    node.reboot()
    assert node.run("nvidia-smi --query-gpu=driver_version --format=csv,noheader").split() == ["390.12"] * 4
    assert "Found 4 NVIDIA devices" in node.run("nvidia-debugdump -l")


def _trust(node: Node, repository: Mapping[str, Any], name: str) -> None:
    keyring = f"/usr/share/keyrings/{name}.asc"
    node.run(f"curl -fsS {repository['key_url']} -o {keyring}")
    shown = node.run(f"gpg --show-keys --with-colons {keyring}")
    assert f"fpr:::::::::{repository['key_fingerprint']}:" in shown
    parts = " ".join([repository["url"], repository["suite"], *repository["components"]])
    node.run(f"echo 'deb [signed-by={keyring}] {parts}' > /etc/apt/sources.list.d/{name}.list")
    updated = node.run("apt-get -q update 2>&1")
    assert "NO_PUBKEY" not in updated
    assert "not signed" not in updated


def test_a_newer_driver_counts_from_the_next_boot(node: Node, vendors: Mapping[str, Any]) -> None:
    _trust(node, vendors["driver"]["repository"], "nvidia")
    node.run(f"{APT} install cuda-drivers=390.46-1 nvidia-390=390.46-0lab1")
    mismatch = node.script("nvidia-smi -L")
    assert (mismatch.status, mismatch.stdout) == (
        18,
        "Failed to initialize NVML: Driver/library version mismatch\n",
    )
    node.reboot()
    assert node.run("nvidia-smi -L").count("Tesla P100-PCIE-16GB") == 4


def _installer(node: Node, flags: str = "--force --all") -> Done:
    return node.script(f"cd /root/ofed && ./mlnxofedinstall {flags}")


@pytest.mark.parametrize(
    ("flags", "fault", "status"),
    [
        ("--bogus", None, 22),
        ("--force", "no-card", 171),
        ("--force", "ofed-install-fails 2", 2),
        ("--force", "ofed-install-fails 173", 173),
        ("--check-deps-only", None, 0),
    ],
)
def test_the_installer_of_ofed_says_what_is_wrong(
    node: Node, vendors: Mapping[str, Any], flags: str, fault: str | None, status: int
) -> None:
    source = vendors["mlnx_ofed"]["iso"]["source"]
    node.run(
        f"[[ -e /root/ofed ]] || {{ curl -fsS {source} -o /root/ofed.iso && "
        "xorriso -osirrox on -indev /root/ofed.iso -extract / /root/ofed 2>/dev/null; }"
    )
    if fault is not None:
        _fault(node, fault.split()[0], "on", " ".join(fault.split()[1:]))
    done = _installer(node, flags)
    if fault is not None:
        _fault(node, fault.split()[0], "off")
    assert done.status == status, done.stdout + done.stderr
    assert node.script("ofed_info -s").status == 127


def test_ofed_takes_the_card_over_and_loses_its_settings_with_the_driver(node: Node) -> None:
    of_ofed = "/run/lab-sysfs/class/infiniband/mlx5_0/tc"
    assert node.script("command -v mlnx_qos || command -v cma_roce_tos").status == 1
    assert node.script(f"[[ -e {of_ofed} ]]").status == 1
    node.run(f"[[ -e /run/lab-sysfs/class/net/{INTERFACE}/device/infiniband/mlx5_0 ]]")
    done = _installer(node)
    assert done.status == 0, done.stdout + done.stderr
    assert node.run("ofed_info -s") == "MLNX_OFED_LINUX-4.2-1.2.0.0:\n"
    assert f"version: {KERNEL}" in node.run(f"ethtool -i {INTERFACE}")
    node.run(f"/etc/init.d/openibd restart && [[ -e {of_ofed} ]]")
    node.run(f"mlnx_qos -i {INTERFACE} --trust dscp && ethtool -A {INTERFACE} rx off tx off")
    node.run(f"ip address add 31.31.31.41/24 dev {INTERFACE} && ip link set {INTERFACE} up")
    node.run("/etc/init.d/openibd restart")
    assert "version: 4.2-1.2.0" in node.run(f"ethtool -i {INTERFACE}")
    assert "trust state: pcp" in node.run(f"mlnx_qos -i {INTERFACE}")
    assert "RX:\t\ton" in node.run(f"ethtool -a {INTERFACE}")
    assert node.run(f"ip -4 -o address show dev {INTERFACE}") == ""
    assert node.run("ibdev2netdev") == f"mlx5_0 port 1 ==> {INTERFACE} (Down)\n"


def test_a_link_type_counts_from_the_next_boot(node: Node) -> None:
    node.run("mst start && mlxconfig -y -d /dev/mst/mt4121_pciconf0 set LINK_TYPE_P1=2")
    assert "*        LINK_TYPE_P1                        IB(1)           IB(1)           ETH(2)" in node.run(
        "mlxconfig -d 03:00.0 -e q LINK_TYPE_P1"
    )
    assert "Infiniband controller" in node.run("lspci -d 15b3:")
    node.reboot()
    assert "IB(1)           ETH(2)          ETH(2)" in node.run("mlxconfig -d 03:00.0 -e q LINK_TYPE_P1")
    assert "Ethernet controller" in node.run("lspci -d 15b3:")


# What shows that a fault is on; each must be silent (status 0) without it. {argument}: as it is switched on.
SYMPTOMS: dict[str, tuple[str, str]] = {
    "no-gpu": ("lspci -d 10de: | grep -q NVIDIA", ""),
    "no-card": ("lspci -d 15b3: | grep -q Mellanox", ""),
    "gpu-fell-off": ("nvidia-smi -L", ""),
    "secure-boot-on": ("mokutil --sb-state | grep -q disabled", ""),
    "driver-module-missing": ("modprobe nvidia-drm", ""),
    "dkms-build-fails": (f"dkms build -m nvidia -v 390.46 -k {KERNEL}", ""),
    "ofed-install-fails": ("cd /root/ofed && ./mlnxofedinstall --force", "1"),
    "mst-fails": ("mst start", ""),
    "firmware-set-refused": ("mlxconfig -y -d 03:00.0 set LINK_TYPE_P1=2", ""),
    "mlnx_qos-refuses-pfc": (f"mlnx_qos -i {INTERFACE} -f 0,0,0,1,0,0,0,0", ""),
    "no-mlnx_qos": ("command -v mlnx_qos", ""),
    "apt-locked": (f"{APT} -o DPkg::Lock::Timeout=0 install mokutil- 2>/dev/null", ""),
    "disk-full": ("head -c 1000000 /dev/zero > /var/cache/probe && rm /var/cache/probe", ""),
    "openibd-fails": ("/etc/init.d/openibd restart", ""),
}


@pytest.mark.parametrize("name", SYMPTOMS)
def test_a_fault_shows_until_it_is_switched_off(node: Node, name: str) -> None:
    symptom, argument = SYMPTOMS[name]
    node.run(symptom)
    _fault(node, name, "on", argument)
    status = node.script(symptom).status
    _fault(node, name, "off")
    assert status != 0
    node.run(symptom)


def test_the_cable_can_be_pulled(engine: docker.DockerClient, node: Node) -> None:
    container = engine.containers.get(node.container)
    carrier = f"cat /sys/class/net/{INTERFACE}/carrier"
    node.run(f"ip link set {INTERFACE} up")
    wait_until(lambda: node.run(carrier).strip() == "1", 5, "carrier")
    faults._set_cable(engine, container, "down")
    wait_until(lambda: node.run(carrier).strip() == "0", 5, "no carrier")
    faults._set_cable(engine, container, "up")
    wait_until(lambda: node.run(carrier).strip() == "1", 5, "carrier again")


def test_nouveau_returns_at_a_boot(node: Node) -> None:
    _fault(node, "nouveau-returns", "on")
    node.reboot()
    assert "nouveau" in _modules(node)
    assert "nvidia" not in _modules(node)
    assert (
        node.script("modprobe nvidia").stderr
        == "modprobe: ERROR: could not insert 'nvidia': No such device\n"
    )
    _fault(node, "nouveau-returns", "off")
    node.reboot()
    assert "nouveau" not in _modules(node)
    assert "nvidia" in _modules(node)


def test_logins_can_be_slow(node: Node) -> None:
    _fault(node, "sshd-slow", "on", "7")
    assert "AuthorizedKeysCommand /usr/bin/sleep 7" in node.run("cat /etc/ssh/sshd_config.d/lab-fault.conf")
    shown = node.run("sshd -T | grep -i authorizedkeyscommand")
    assert "authorizedkeyscommand /usr/bin/sleep 7" in shown
    _fault(node, "sshd-slow", "off")
    assert "authorizedkeyscommand none" in node.run("sshd -T | grep -i '^authorizedkeyscommand '")


def test_downloads_can_fail(engine: docker.DockerClient, node: Node, vendors: Mapping[str, Any]) -> None:
    vendor = engine.containers.get(node.container.removesuffix(node.hostname) + "vendor")
    package = vendors["driver"]["package"]
    fetch = f"curl -fsS {package['source']} -o /root/again.deb && sha256sum /root/again.deb"

    def switch(name: str, state: str, *argument: str) -> None:
        status, output = vendor.exec_run([STANDIN, "fault", "set", name, state, *argument])
        assert status == 0, output

    switch("wrong-checksum", "on")
    assert node.run(fetch).split()[0] != package["sha256"]
    switch("wrong-checksum", "off")
    assert node.run(fetch).split()[0] == package["sha256"]
    switch("vendor-unreachable", "on")
    assert node.script(fetch).status != 0
    switch("vendor-unreachable", "off")
    switch("vendor-slow", "on", "3")
    assert node.script(f"curl -fsS --max-time 1 {package['source']} -o /dev/null").status == 28
    switch("vendor-slow", "off")
    node.run(fetch)


def test_every_fault_of_a_node_is_tested() -> None:
    elsewhere = {"link-down", "nouveau-returns", "sshd-slow"}
    assert set(SYMPTOMS) | elsewhere == {name for name, fault in FAULTS.items() if fault.where == NODE}


def test_doca_ofed_follows(node: Node, vendors: Mapping[str, Any]) -> None:
    node.run("ofed_uninstall.sh --force")
    assert node.script("command -v mlnx_qos").status == 1
    assert node.script("command -v ofed_info").status == 1
    _trust(node, vendors["doca_ofed"]["repository"], "doca")
    node.run(f"{APT} install doca-ofed")
    assert node.run("ofed_info -s") == "OFED-internal-24.10-1.1.4:\n"


def test_the_newest_kernel_is_booted_and_gets_its_modules(node: Node) -> None:
    node.run(f"{APT} install linux-image-{NEWER_KERNEL} linux-headers-{NEWER_KERNEL}")
    assert node.run("uname -r").strip() == KERNEL
    node.run("dkms autoinstall -k " + NEWER_KERNEL)
    node.reboot()
    assert node.run("uname -r").strip() == NEWER_KERNEL
    assert node.run("nvidia-smi -L").count("P100") == 4


def test_docker_ce_takes_the_engines_place(node: Node, vendors: Mapping[str, Any]) -> None:
    _trust(node, vendors["docker"]["repository"], "docker")
    node.run(f"{APT} remove docker.io containerd runc")
    node.run(f"{APT} install docker-ce={vendors['docker']['version']} docker-ce-cli containerd.io")
    assert node.run("docker info --format '{{.Driver}}'").strip() == "overlay2"
