"""The lab's checks before anything is made: ports and disk."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab import preflight
from lab.errors import LabError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "linux"
WANTED = {"SSH of swx-mld-1-2": 22400, "SSH of clx-mld-41": 22401, "vendors": 22451}


def test_listeners_that_reach_loopback() -> None:
    found = preflight.parse_listeners((FIXTURES / "proc_net_tcp" / "listeners.txt").read_text())
    # 22403 listens on another address only, 22404 is a connection.
    assert found == {22400: "40001", 22401: "40002"}


def _listening(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    monkeypatch.setattr(preflight, "listening", lambda: {port: str(port) for port in ports})
    monkeypatch.setattr(preflight, "_owner", lambda inode: f"program (process {inode})")


def test_all_taken_ports_are_named_with_who_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    _listening(monkeypatch, 22400, 22401, 8080)
    with pytest.raises(LabError) as caught:
        preflight.check_ports(WANTED, ours=[], containers={22401: "somebody"})
    lines = str(caught.value).splitlines()
    assert lines[1:3] == [
        "  127.0.0.1:22400 (SSH of swx-mld-1-2) is taken by program (process 22400)",
        "  127.0.0.1:22401 (SSH of clx-mld-41) is taken by container somebody",
    ]
    assert "rocestack:lab.ssh_port_base" in lines[3]


@pytest.mark.parametrize(("busy", "ours"), [((8080,), ()), ((22400, 22401, 22451), (22400, 22401, 22451))])
def test_free_ports_and_our_own_are_no_problem(
    monkeypatch: pytest.MonkeyPatch, busy: tuple[int, ...], ours: tuple[int, ...]
) -> None:
    _listening(monkeypatch, *busy)
    assert preflight.check_ports(WANTED, ours=ours, containers={}) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(("free", "warns"), [(9.9e9, True), (10.1e9, False)])
def test_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, warns: bool) -> None:
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    warning = preflight.check_disk(tmp_path)
    assert (warning is not None) == warns
    assert warning is None or "only 9.9 GB are free" in warning


SUBNETS = {"rocestack:lab.management_subnet": IPv4Network("10.141.0.0/24")}


def _addresses(name: str, address: str) -> str:
    return json.dumps([{"ifname": name, "addr_info": [{"local": address, "prefixlen": 24}]}])


def test_an_interface_in_a_subnet_of_the_lab_is_named() -> None:
    with pytest.raises(LabError, match=r"lab\.management_subnet \S+ holds 10\.141\.0\.1 of .* br-0"):
        preflight.check_subnets(SUBNETS, _addresses("br-0", "10.141.0.1"), ours=["br-1"])


@pytest.mark.parametrize(
    "addresses",
    [_addresses("br-1", "10.141.0.1"), _addresses("eth0", "10.142.0.1"), ""],
    ids=["ours", "apart", "none"],
)
def test_other_interfaces_are_no_problem(addresses: str) -> None:
    assert preflight.check_subnets(SUBNETS, addresses, ours=["br-1"]) is None  # type: ignore[func-returns-value]
