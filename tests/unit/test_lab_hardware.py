"""The nodes' stand-in hardware: what its tools print, what it keeps, and what it refuses."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from lab.hardware import boot, container, dkms, faults, gpu, modules, nic, pci, state, web
from lab.hardware.__main__ import TOOLS, main
from lab.hardware.elf import module, module_info
from lab.hardware.state import LINK_TYPES, TESLA_P100, Machine

FIXTURES = Path(__file__).parents[1] / "fixtures" / "hardware"
KERNEL = "6.1.0-41-lab"
P100 = gpu.Card(0, "0000:04:00.0", TESLA_P100, "GPU-00000000-0000-0000-0000-000000000000", "390.12")
SECOND = replace(P100, index=1, address="0000:05:00.0")
LOADED = {
    "nvidia_uvm": {"size": 757760, "version": "", "uses": ["nvidia"]},
    "nvidia": {"size": 14360576, "version": "390.12", "uses": []},
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "disk", tmp_path / "run", sysfs=tmp_path / "sys")
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: made))
    with made.change_runtime() as runtime:
        runtime["kernel"] = KERNEL
    return made


def _firmware(current: int, following: int) -> state.State:
    return {"LINK_TYPE_P1": {"default": 1, "current": current, "next": following}}


TEXTS: dict[str, Callable[[], str]] = {
    "nvidia-smi.txt": lambda: gpu.plain_table([P100, SECOND], "390.12", datetime(2018, 5, 1, 9, 30)) + "\n",
    "nvidia-debugdump.txt": lambda: gpu.debugdump_text([P100]) + "\n",
    "query-gpu.csv": lambda: gpu.query([P100], ["index", "name", "memory.total"], [], "390.12") + "\n",
    "lsmod.txt": lambda: modules.table(LOADED),
    "mst-status-stopped.txt": lambda: nic.mst_status(False, True),
    "mst-status-started.txt": lambda: nic.mst_status(True, True),
    "mlxconfig-factory.txt": lambda: nic.query_text("/dev/mst/mt4121_pciconf0", _firmware(1, 1), True),
    "mlxconfig-pending.txt": lambda: nic.query_text("/dev/mst/mt4121_pciconf0", _firmware(1, 2), True),
    "mlxconfig-done.txt": lambda: nic.query_text("/dev/mst/mt4121_pciconf0", _firmware(2, 2), True),
    "mlxconfig-brief.txt": lambda: nic.query_text("0000:03:00.0", _firmware(1, 2), False),
    "show_gids.txt": lambda: nic.gid_table("enp1f0", "02:52:01:01:01:00", ["31.31.31.41"]),
    "ethtool-a.txt": lambda: nic.pause_text("enp1f0", {"autonegotiate": False, "rx": True, "tx": False}),
    "lspci-dump.txt": lambda: pci.dump([pci.Function("0000:04:00.0", 0x10DE, 0x15F8, 0x0302, 0xA1)]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_output(name: str) -> None:
    assert TEXTS[name]() == (FIXTURES / name).read_text()


def test_every_tool_is_a_function_of_its_module() -> None:
    for tool, where in TOOLS.items():
        assert callable(getattr(__import__(f"lab.hardware.{where}", fromlist=["x"]), tool)), tool
    assert main(["no-such-tool"]) == 64


@pytest.mark.parametrize(
    ("version", "fields", "form", "answer"),
    [
        ("390.12", ["driver_version"], ["noheader"], "390.12"),
        ("390.12", ["memory.total"], ["noheader", "nounits"], "16280"),
        ("390.12", ["pci.bus_id"], [], "pci.bus_id\n00000000:04:00.0"),
        ("550.54.15", ["compute_cap"], ["noheader"], "6.0"),
    ],
)
def test_query(version: str, fields: list[str], form: list[str], answer: str) -> None:
    assert gpu.query([P100], fields, form, version) == answer


@pytest.mark.parametrize(("version", "field"), [("390.12", "compute_cap"), ("550.54.15", "colour")])
def test_a_field_that_the_driver_does_not_know(version: str, field: str) -> None:
    with pytest.raises(gpu._SmiError, match=f'Field "{field}" is not a valid field') as caught:
        gpu.query([P100], [field], [], version)
    assert caught.value.status == gpu.BAD_ARGUMENT


def _load(machine: Machine, name: str, version: str = "") -> None:
    with machine.change_runtime() as runtime:
        runtime["modules"][name] = {"size": 1, "version": version, "uses": []}


@pytest.mark.parametrize(
    ("module_version", "fault", "status"),
    [
        (None, None, gpu.NO_DRIVER),
        ("390.12", None, 0),
        ("390.46", None, gpu.MISMATCH),
        ("390.12", "no-gpu", gpu.NO_DEVICES),
        ("390.12", "gpu-fell-off", gpu.LOST),
    ],
)
def test_nvidia_smi_asks_the_loaded_module(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    module_version: str | None,
    fault: str | None,
    status: int,
) -> None:
    monkeypatch.setenv("LAB_TOOL_VERSION", "390.12")
    if module_version is not None:
        _load(machine, "nvidia", module_version)
    if fault is not None:
        faults.switch(machine, fault, "")
    assert gpu.nvidia_smi(["-L"]) == status


@pytest.mark.parametrize(
    ("name", "info", "but", "reason"),
    [
        ("nvidia", {}, "nouveau is loaded", modules.NO_DEVICE),
        ("nvidia", {}, "no-gpu", modules.NO_DEVICE),
        ("nvidia", {}, "secure-boot-on", modules.KEY_REJECTED),
        ("nvidia", {"vermagic": "6.1.0-42-lab SMP"}, "", modules.INVALID_FORMAT),
        ("nvidia", {}, "", None),
        ("nouveau", {"signer": "Lab kernel key"}, "secure-boot-on", None),
    ],
)
def test_what_the_kernel_takes_in(
    machine: Machine, name: str, info: dict[str, str], but: str, reason: str | None
) -> None:
    if but in faults.FAULTS:
        faults.switch(machine, but, "")
    elif but:
        _load(machine, "nouveau")
    found = machine.runtime()["modules"]
    if reason is None:
        modules.check(machine, name, info, KERNEL, found)
    else:
        with pytest.raises(modules.RefusedError, match=reason):
            modules.check(machine, name, info, KERNEL, found)


def test_a_module_is_in_with_its_version_until_it_goes(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "nvidia-uvm.ko"
    file.write_bytes(module({"version": "390.12", "depends": "", "vermagic": f"{KERNEL} SMP"}))
    modules.insert(machine, KERNEL, file)
    modules.insert(machine, KERNEL, file)
    assert list(machine.runtime()["modules"]) == ["nvidia_uvm"]
    assert (machine.sysfs / "module/nvidia_uvm/version").read_text() == "390.12\n"
    assert modules._remove(machine, modules.Wanted(["nvidia-uvm"], remove=True), "nvidia-uvm") == 0
    assert machine.runtime()["modules"] == {}
    assert not (machine.sysfs / "module/nvidia_uvm").exists()


def test_nouveau_draws_the_console_and_stays(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "nouveau.ko"
    file.write_bytes(module({"depends": "", "vermagic": f"{KERNEL} SMP"}))
    modules.insert(machine, KERNEL, file)
    assert modules._remove(machine, modules.Wanted(["nouveau"], remove=True), "nouveau") == 1
    assert "nouveau" in machine.runtime()["modules"]


def test_a_module_file_keeps_what_is_said_of_it() -> None:
    info = {"license": "GPL", "version": "4.2-1.2.0", "depends": "ib_core,mlx_compat"}
    assert module_info(module(info)) == info


@pytest.mark.parametrize(
    ("names", "kernel"),
    [
        (["vmlinuz-6.1.0-41-lab", "vmlinuz-6.1.0-9-lab"], "6.1.0-41-lab"),
        (["vmlinuz-6.1.0-41-lab", "vmlinuz-6.1.0-42-lab"], "6.1.0-42-lab"),
        ([], ""),
    ],
)
def test_the_newest_kernel_is_booted(names: list[str], kernel: str) -> None:
    assert boot.newest(names) == kernel


@pytest.mark.parametrize("fault", [None, "firmware-set-refused"])
def test_the_link_type_counts_from_the_next_boot(
    machine: Machine, fault: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if fault is not None:
        faults.switch(machine, fault, "")
    status = nic.mlxconfig(["-y", "-d", "03:00.0", "set", "LINK_TYPE_P1=2"])
    setting = machine.hardware()["firmware"]["LINK_TYPE_P1"]
    assert (status, setting["next"]) == ((0, 2) if fault is None else (3, 1))
    assert LINK_TYPES[machine.link_type()] == "IB(1)"
    assert ("Please reboot machine" in capsys.readouterr().out) is (fault is None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["q"], "mst might be stopped"),
        (["-d", "/dev/mst/mt4121_pciconf0", "q"], "Failed to open the device"),
        (["-d", "03:00.0", "q", "COLOUR"], "doesn't support COLOUR"),
        (["-y", "-d", "03:00.0", "s", "LINK_TYPE_P1=9"], "Bad value for parameter LINK_TYPE_P1"),
        (["-d", "03:00.0", "s", "LINK_TYPE_P1=2"], "Aborted by user"),
    ],
)
def test_mlxconfig_refuses(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert nic.mlxconfig(arguments) == 3
    assert message in capsys.readouterr().err
    assert machine.hardware()["firmware"]["LINK_TYPE_P1"]["next"] == 1


def test_pause_is_kept_and_an_unchanged_one_is_said(machine: Machine) -> None:
    _load(machine, "mlx5_core")
    assert nic.ethtool(["-A", "enp1f0", "rx", "off", "tx", "off"]) == 0
    assert machine.runtime()["pause"] == {"autonegotiate": False, "rx": False, "tx": False}
    assert nic.ethtool(["-A", "enp1f0", "rx", "off", "tx", "off"]) == 78
    assert nic.ethtool(["-A", "enp1f0", "autoneg", "on"]) == 1


@pytest.mark.parametrize(
    ("link_type", "fault", "kinds"),
    [
        (1, None, {0x15B3: 0x0207, 0x10DE: 0x0302}),
        (2, None, {0x15B3: 0x0200, 0x10DE: 0x0302}),
        (1, "no-gpu", {0x15B3: 0x0207}),
        (1, "no-card", {0x10DE: 0x0302}),
    ],
)
def test_the_bus(machine: Machine, link_type: int, fault: str | None, kinds: dict[int, int]) -> None:
    with machine.change_hardware() as hardware:
        hardware["firmware"]["LINK_TYPE_P1"]["current"] = link_type
    if fault is not None:
        faults.switch(machine, fault, "")
    found = {one.vendor: one.kind for one in pci.functions(machine) if one.vendor in (0x15B3, 0x10DE)}
    assert found == kinds


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["status"], ("status", "", "", KERNEL)),
        (["build", "-m", "nvidia", "-v", "390.12"], ("build", "nvidia", "390.12", KERNEL)),
        (["install", "nvidia/390.12", "-k", "6.1.0-42-lab"], ("install", "nvidia", "390.12", "6.1.0-42-lab")),
        (["remove", "-m", "nvidia", "-v", "390.12", "--all"], ("remove", "nvidia", "390.12", KERNEL)),
    ],
)
def test_dkms_commands(arguments: list[str], asked: tuple[str, str, str, str]) -> None:
    found = dkms.parse(arguments, KERNEL)
    assert (found.command, found.source.name, found.source.version, found.kernel) == asked


def test_dkms_wants_headers(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SOURCES", "TREE", "MODULES"):
        monkeypatch.setattr(dkms, name, tmp_path / name)
    source = tmp_path / "SOURCES" / "nvidia-390.12"
    source.mkdir(parents=True)
    (source / "dkms.conf").write_text('BUILT_MODULE_NAME[0]="nvidia"\n')
    (source / "nvidia.modinfo").write_text("version=390.12\ndepends=\n")
    build = ["build", "-m", "nvidia", "-v", "390.12"]
    assert dkms.dkms(build) == 21
    assert f"linux-headers-{KERNEL}" in capsys.readouterr().err
    (tmp_path / "MODULES" / KERNEL / "build").mkdir(parents=True)
    assert dkms.dkms(build) == 0
    assert dkms.status() == f"nvidia/390.12, {KERNEL}, x86_64: built\n"
    file = tmp_path / "TREE/nvidia/390.12" / KERNEL / "x86_64/module/nvidia.ko"
    assert module_info(file.read_bytes())["vermagic"].startswith(KERNEL)
    faults.switch(machine, "dkms-build-fails", "")
    assert dkms.dkms(build) == 10


def test_faults_are_kept_on_the_disk(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert faults.fault(["is", "ofed-install-fails"]) == 1
    assert faults.fault(["set", "ofed-install-fails", "on", "172"]) == 0
    assert faults.fault(["is", "ofed-install-fails"]) == 0
    assert faults.fault(["list"]) == 0
    assert capsys.readouterr().out == "172\nofed-install-fails 172\n"
    assert faults.fault(["set", "ofed-install-fails", "off"]) == 0
    assert faults.fault(["is", "ofed-install-fails"]) == 1
    assert faults.fault(["set", "no-such-fault", "on"]) == 64


def test_a_spoiled_download_has_its_size() -> None:
    assert web.spoiled(b"abc") == b"ab\x9c"


@pytest.mark.parametrize("default", [False, True])
def test_the_toolkit_keeps_the_engines_other_settings(default: bool) -> None:
    found = container.configured({"bip": "172.30.41.1/24", "runtimes": {"kata": {"path": "kata"}}}, default)
    assert set(found["runtimes"]) == {"kata", "nvidia"}
    assert found["bip"] == "172.30.41.1/24"
    assert found.get("default-runtime") == ("nvidia" if default else None)
