"""The switch's agent: LLDP frames in and out, and the kernel's counters."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from lab.switch.onyx_cli import agent, lldp
from lab.switch.onyx_cli.fabric import MachineFabric, Neighbour
from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.session import Session
from lab.switch.onyx_cli.store import FileStore

FIXTURES = Path(__file__).parents[1] / "fixtures/switch-agent"
FRAME = lldp.encode("02:52:02:01:01:00", "02:52:02:01:01:00", "Eth1/1", "swx", "Mellanox MSN2700")


def recorded(name: str) -> bytes:
    """Return a frame from a file of hexadecimal digits."""
    return bytes.fromhex((FIXTURES / name).read_text())


def test_what_the_switch_says_of_itself_can_be_read() -> None:
    assert lldp.decode(FRAME) == Neighbour(
        chassis="02:52:02:01:01:00",
        chassis_kind="Mac Address (4)",
        port="Eth1/1",
        port_kind="Interface Name (5)",
        system_name="swx",
        system_description="Mellanox MSN2700",
        capabilities="B",
        capabilities_enabled="B",
    )
    assert FRAME[:6] == bytes.fromhex("0180c200000e")
    assert len(FRAME) >= 60


def test_a_hosts_frame_is_read() -> None:
    assert lldp.decode(recorded("host.hex")) == Neighbour(
        chassis="02:52:01:01:01:00",
        chassis_kind="Mac Address (4)",
        port="02:52:01:01:01:00",
        port_kind="Mac Address (3)",
        port_description="enp1f0",
        system_name="clx-mld-41",
        system_description="Debian GNU/Linux 12 (bookworm)",
        capabilities="B,W,R,S",
        capabilities_enabled="S",
        ttl=120,
    )


@pytest.mark.parametrize(
    "frame",
    [b"", FRAME[:12] + b"\x08\x00" + FRAME[14:], FRAME[:20], FRAME[:14] + b"\x00\x00", b"\xff" * 64],
    ids=["empty", "no LLDP", "cut off", "without parts", "noise"],
)
def test_what_is_no_lldp_frame_is_not_read(frame: bytes) -> None:
    assert lldp.decode(frame) is None


def test_a_frame_cut_off_after_what_it_must_have_is_read() -> None:
    whole, cut = lldp.decode(FRAME), lldp.decode(FRAME[:40])
    assert whole is not None
    assert cut is not None
    assert (cut.port, cut.system_name, whole.system_name) == (whole.port, "", "swx")


def test_a_neighbour_is_forgotten_in_its_own_time() -> None:
    known = agent.Neighbours()
    known.hear("1/1", FRAME, now=100.0)
    known.hear("1/2", b"noise", now=100.0)
    assert list(known.present(now=219.0)) == ["1/1"]
    assert known.present(now=221.0) == {}


def test_a_neighbour_that_goes_away_is_forgotten_at_once() -> None:
    known = agent.Neighbours()
    known.hear("1/1", FRAME, now=100.0)
    known.hear("1/1", FRAME.replace(b"\x06\x02\x00\x78", b"\x06\x02\x00\x00"), now=101.0)
    assert known.present(now=101.0) == {}


def test_frames_go_out_where_lldp_is_on_and_the_link_is_up(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "boot", lambda: Switch.factory("swx"))
    for number, state in ((1, "up"), (2, "up"), (3, "down")):
        folder = tmp_path / "sysfs" / f"swp{number}"
        folder.mkdir(parents=True)
        (folder / "operstate").write_text(state)
        (folder / "address").write_text(f"02:52:02:01:0{number}:00")
    fabric = MachineFabric(tmp_path / "sysfs", tmp_path / "fabric.json")
    assert agent.frames(store, fabric) == {}
    cli = Session(store, fabric)
    for line in ("enable", "configure terminal", "lldp", "interface ethernet 1/2 no lldp transmit"):
        assert cli.handle(line) == ""
    sending = agent.frames(store, fabric)
    assert list(sending) == ["1/1"]
    said = lldp.decode(sending["1/1"])
    assert said is not None
    assert (said.port, said.system_name, said.chassis) == ("Eth1/1", "swx", "02:52:02:01:01:00")


def test_the_kernels_counters_are_read() -> None:
    listing = json.loads((FIXTURES / "nft_list_table.json").read_text())
    assert agent.traffic(listing) == {
        "rx": {"1/1": {"0": [7, 612], "26": [5, 640]}, "1/3/2": {"48": [1, 156]}},
        "tx": {"1/3/2": {"26": [5, 640]}},
    }


def test_counters_without_traffic_are_empty() -> None:
    listing = {"nftables": [{"table": {}}, {"set": {"name": "rx"}}, {"set": {"name": "tx"}}]}
    assert agent.traffic(listing) == {"rx": {}, "tx": {}}


def test_what_an_agent_knew_that_stopped_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "fabric.json"
    known = {"neighbours": {}, "traffic": {"rx": {"1/1": {"26": [1, 128]}}, "tx": {}}}
    file.write_text(json.dumps({**known, "at": time.monotonic()}))
    assert MachineFabric(tmp_path, file).traffic("1/1", "rx") is not None
    file.write_text(json.dumps({**known, "at": time.monotonic() - 60}))
    assert MachineFabric(tmp_path, file).traffic("1/1", "rx") is None
