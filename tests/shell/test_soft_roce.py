"""The probe of RDMA in software, on recorded answers of tc and a tree of the kernel's files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.shell.shell import FIXTURES, observed

STEP = "ofed_stack.soft_roce"
# The probe asks for an interface that this machine has too.
INTERFACE = "lo"
ADDRESS, DEVICE = "31.31.31.41", "rxe0"
OURS = "0000:0000:0000:0000:0000:ffff:1f1f:1f29"


def _tree(root: Path, *, above: str = INTERFACE, gids: Mapping[int, tuple[str, str]] | None = None) -> Path:
    """Make the files that the kernel has for its own device over an interface."""
    device = root / "class" / "infiniband" / DEVICE
    port = device / "ports" / "1"
    for folder in (port / "gids", port / "gid_attrs" / "types", port / "gid_attrs" / "ndevs"):
        folder.mkdir(parents=True)
    (device / "parent").write_text(f"{above}\n")
    table = {0: ("fe80:0000:0000:0000:5054:00ff:febb:0001", "RoCE v2"), 1: (OURS, "RoCE v2")}
    for index, (gid, kind) in (table if gids is None else gids).items():
        (port / "gids" / str(index)).write_text(f"{gid}\n")
        (port / "gid_attrs" / "types" / str(index)).write_text(f"{kind}\n")
        (port / "gid_attrs" / "ndevs" / str(index)).write_text(f"{above}\n")
    return root


def _tc(case: str) -> str:
    """Return a tc that lists the recorded filters: `tc filter show dev DEVICE WAY`."""
    return f'() {{ cat {shlex.quote(str(FIXTURES / "wire" / case))}/"${{!#}}.txt"; }}'


def _facts(root: Path, tc: str = "rdma-cm", dscp: str = "26") -> dict[str, str]:
    wanted = {
        "interface": INTERFACE,
        "device": DEVICE,
        "address": ADDRESS,
        "gid": "RoCE v2",
        "counted_dscp": dscp,
        "sysfs_root": str(root),
    }
    found = observed(STEP, wanted, {"tc": _tc(tc)})
    assert found.unobservable.get(STEP) is None
    return dict(found.facts[STEP])


def test_a_device_with_its_gid_and_its_counters(tmp_path: Path) -> None:
    facts = _facts(_tree(tmp_path))
    # This machine has no unit of ours.
    assert facts["device"] == "rxe0 (until reboot)"
    assert (facts["interface"], facts["gid"], facts["counted_dscp"]) == (INTERFACE, "RoCE v2", "26")


def test_no_device(tmp_path: Path) -> None:
    facts = _facts(tmp_path)
    assert (facts["device"], facts["gid"]) == ("absent (until reboot)", "absent")


def test_a_device_over_another_interface_is_not_ours(tmp_path: Path) -> None:
    assert _facts(_tree(tmp_path, above="mgmt0"))["device"] == "absent (until reboot)"


@pytest.mark.parametrize(
    ("gids", "found"),
    [
        ({}, "absent"),
        ({0: ("fe80:0000:0000:0000:5054:00ff:febb:0001", "RoCE v2")}, "absent"),
        ({1: (OURS, "IB/RoCE v1")}, "IB/RoCE v1"),
        ({1: (OURS, "IB/RoCE v1"), 2: (OURS, "RoCE v2")}, "RoCE v2"),
        ({1: (OURS.replace("1f29", "1f2a"), "RoCE v2")}, "absent"),
    ],
)
def test_the_gid_of_the_data_address(tmp_path: Path, gids: Mapping[int, tuple[str, str]], found: str) -> None:
    assert _facts(_tree(tmp_path, gids=gids))["gid"] == found


@pytest.mark.parametrize(
    ("tc", "dscp", "counted"),
    [
        ("rdma-cm", "26", "26"),
        ("none", "26", "nothing"),
        ("rdma-cm", "24", "other filters than those that were made"),
        ("one-lost", "26", "other filters than those that were made"),
    ],
)
def test_what_is_counted(tmp_path: Path, tc: str, dscp: str, counted: str) -> None:
    assert _facts(_tree(tmp_path), tc, dscp)["counted_dscp"] == counted
