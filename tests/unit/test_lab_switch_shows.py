"""What the simulated switch shows, per release, beside files: each file is named after its command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.switch.onyx_cli.fabric import Neighbour, Traffic
from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.release import Release
from lab.switch.onyx_cli.session import Session
from lab.switch.onyx_cli.store import MemoryStore
from tests.fabric import MemoryFabric

FIXTURES = Path(__file__).parents[1] / "fixtures"
RELEASES = ("3.6.5000", "3.6.8012", "3.8.2306")
ECN = "traffic-class 3 congestion-control ecn minimum-absolute 150 maximum-absolute 1500"
# The guide's settings on two ports, explicit PFC, one split socket, and settings of someone else.
LINES = (
    "hostname swx-mld-1-2",
    "lldp",
    "traffic pool roce type lossless",
    "traffic pool roce memory percent 50.00",
    "traffic pool roce map switch-priority 3",
    "interface ethernet 1/3-1/4 shutdown",
    "interface ethernet 1/3 module-type qsfp-split-4 force",
    "interface ethernet 1/1-1/2 qos trust L3",
    f"interface ethernet 1/1-1/2 {ECN}",
    "interface ethernet 1/1-1/2 traffic-class 6 dcb ets strict",
    "interface ethernet 1/2 traffic-class 2 congestion-control red minimum-relative 9 maximum-relative 90",
    "dcb priority-flow-control enable force",
    "dcb priority-flow-control priority 3 enable",
    "interface ethernet 1/1-1/2 dcb priority-flow-control mode on force",
    "interface ethernet 1/9 description to the other rack",
    "interface ethernet 1/9 flowcontrol receive on force",
    "interface ethernet 1/9 no lldp transmit",
    "license install LK2-EXAMPLE-0000",
    "vlan 7",
    "ntp server time.example",
)
FABRIC = MemoryFabric(
    up=("1/1", "1/2", "1/3/1"),
    macs={"02:52:01:01:01:00": "1/1", "02:52:01:01:03:01": "1/3/1", "02:52:01:01:09:00": "1/9"},
    heard={
        "1/1": Neighbour(
            "02:52:01:01:01:00",
            "Mac Address (4)",
            "enp1f0",
            "Interface Name (5)",
            system_name="clx-mld-41",
            system_description="Debian GNU/Linux 12",
            capabilities="B,R,S",
            capabilities_enabled="S",
        )
    },
    counted={
        ("rx", "1/1"): {26: Traffic(20, 2560), 0: Traffic(3, 300)},
        ("tx", "1/1"): {48: Traffic(2, 160)},
    },
)
# Commands whose JSON depends on the release.
LAYOUTS = ("show interfaces ethernet 1/1", "show dcb priority-flow-control", "show vlan")
# Commands with one layout.
DATA = (
    "show version",
    "show hosts",
    "show module",
    "show interfaces ethernet status",
    "show interfaces ethernet 1/1 congestion-control",
    "show interfaces ethernet 1/2 congestion-control",
    "show interfaces ethernet 1/1 counters priority 3",
    "show interfaces ethernet 1/1 counters pfc prio 3",
    "show interfaces ethernet 1/1 counters tc 6",
    "show traffic pool",
    "show qos interface ethernet 1/1",
    "show dcb ets interface ethernet 1/1",
    "show lldp local",
    "show lldp interfaces",
    "show lldp remote",
    "show lldp interfaces ethernet remote",
    "show mac-address-table",
    "show mac-address-table address 02:52:01:01:01:00",
)
TEXTS = (
    *DATA,
    *LAYOUTS,
    "show running-config",
    "show running-config expanded",
    "show configuration files",
    "show licenses",
)


def session(release: str) -> Session:
    cli = Session(MemoryStore(Switch.factory("switch")), FABRIC, Release(release))
    for line in ("enable", "configure terminal", *LINES, "configuration write to before no-switch"):
        assert cli.handle(line) == "", line
    return cli


def file(folder: str, command: str, kind: str) -> Path:
    name = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in command)
    return FIXTURES / "switch" / folder / f"{name}.{kind}"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("command", LAYOUTS)
def test_json_of_each_release(release: str, command: str) -> None:
    answer = session(release).handle(f"{command} | json-print")
    assert answer == file(release, command, "json").read_text()


@pytest.mark.parametrize("command", DATA)
def test_json_of_all_releases(command: str) -> None:
    if command == "show version":
        assert json.loads(session("3.6.5000").handle(f"{command} | json-print"))["Product name"] == "MLNX-OS"
    assert session("3.6.8012").handle(f"{command} | json-print") == file("all", command, "json").read_text()


@pytest.mark.parametrize("command", TEXTS)
def test_text(command: str) -> None:
    assert session("3.6.8012").handle(command) == file("all", command, "txt").read_text()


def test_no_file_is_left_over() -> None:
    wanted = {file(release, command, "json") for release in RELEASES for command in LAYOUTS}
    wanted |= {file("all", command, "json") for command in DATA}
    wanted |= {file("all", command, "txt") for command in TEXTS}
    assert {path for path in (FIXTURES / "switch").rglob("*.*") if path.is_file()} == wanted


GUIDE = (
    "hostname swx-mld-1-2",
    "lldp",
    "traffic pool roce type lossless",
    "traffic pool roce memory percent 50.00",
    "traffic pool roce map switch-priority 3",
    "interface ethernet 1/1-1/32 qos trust L3",
    f"interface ethernet 1/1-1/32 {ECN}",
    "interface ethernet 1/1-1/32 traffic-class 6 dcb ets strict",
)


@pytest.mark.parametrize(
    ("command", "recorded"),
    [
        ("show traffic pool roce", "show_traffic_pool_roce.json"),
        ("show qos interface ethernet 1/1", "show_qos_interface_ethernet_1_1.json"),
        ("show interfaces ethernet 1/1 congestion-control", "show_congestion_control_1_1.json"),
        ("show dcb ets interface ethernet 1/1", "show_dcb_ets_1_1.json"),
        ("show version", "show_version.json"),
    ],
)
def test_the_layout_is_that_of_real_switches(command: str, recorded: str) -> None:
    cli = Session(MemoryStore(Switch.factory("switch")), MemoryFabric())
    for line in ("enable", "configure terminal", *GUIDE):
        assert cli.handle(line) == ""
    ours = json.loads(cli.handle(f"{command} | json-print"))
    theirs = json.loads((FIXTURES / "onyx" / "guide" / recorded).read_text())
    assert missing(ours, theirs) == []


def missing(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Return the places of `theirs` that `ours` does not have, or has in another kind."""
    if type(ours) is not type(theirs):
        return [f"{where}: {type(ours).__name__} for {type(theirs).__name__}"]
    if isinstance(theirs, dict):
        gone = [f"{where}/{key}" for key in theirs if key not in ours]
        return gone + [
            each
            for key in theirs
            if key in ours
            for each in missing(ours[key], theirs[key], f"{where}/{key}")
        ]
    if isinstance(theirs, list):
        by_header = {each["header"]: each for each in ours if isinstance(each, dict) and "header" in each}
        found = []
        for place, other in enumerate(theirs):
            # The recording has two of the eight classes.
            header = other.get("header") if isinstance(other, dict) else None
            one = by_header.get(header) if header else ours[place] if place < len(ours) else None
            found += missing(one, other, f"{where}/{header or place}")
        return found
    return []


def test_what_nobody_can_know_is_not_a_number() -> None:
    cli = session("3.6.8012")
    answer = json.loads(cli.handle("show interfaces ethernet 1/1 counters pfc prio 3 | json-print"))
    directions = answer["Eth1/1"][0]["PFC 3"]
    assert [set(facts.values()) for each in directions for facts in each[next(iter(each))]] == [{"N/A"}] * 2
    pool = json.loads(cli.handle("show traffic pool roce | json-print"))["roce"][0]
    assert (pool["Usage"], pool["Max Usage"]) == ("N/A", "N/A")


def test_without_an_agent_traffic_is_unknown() -> None:
    cli = Session(MemoryStore(Switch.factory("switch")), MemoryFabric(up=("1/1",)))
    answer = json.loads(cli.handle("show interfaces ethernet 1/1 counters priority 3 | json-print"))
    assert answer["Eth1/1"][0]["Priority 3"][0]["Rx"][0]["packets"] == "N/A"
    assert "% " in cli.handle("show interfaces ethernet 1/1-1/2 counters priority 3")


@pytest.mark.parametrize(
    ("trust", "priority", "packets"), [("L3", 3, "20"), ("L2", 3, "0"), ("L2", 0, "23"), ("both", 0, "3")]
)
def test_traffic_counts_for_the_priority_that_the_ports_trust_gives_it(
    trust: str, priority: int, packets: str
) -> None:
    cli = session("3.6.8012")
    cli.handle(f"interface ethernet 1/1 qos trust {trust}")
    answer = cli.handle(f"show interfaces ethernet 1/1 counters priority {priority} | json-print")
    assert json.loads(answer)["Eth1/1"][0][f"Priority {priority}"][0]["Rx"][0]["packets"] == packets


@pytest.mark.parametrize(
    "lines",
    [
        ("no lldp",),
        ("interface ethernet 1/1 no lldp receive",),
        ("interface ethernet 1/1 shutdown",),
    ],
)
def test_a_neighbour_is_known_only_where_lldp_is_received(lines: tuple[str, ...]) -> None:
    cli = session("3.6.8012")
    assert "clx-mld-41" in cli.handle("show lldp remote")
    for line in lines:
        assert cli.handle(line) == ""
    assert cli.handle("show lldp remote") == "\nNo lldp remote information.\n\n"
    data = json.loads(cli.handle("show lldp interfaces ethernet remote | json-print"))
    assert data == [{"Lines": ["", "No lldp remote information.", ""]}]


def test_the_roce_command_came_with_its_release() -> None:
    assert session("3.6.8012").handle("roce").startswith("% Unrecognized command")
    cli = session("3.8.2306")
    assert cli.handle("show roce") == "RoCE mode: N/A\n"
    assert cli.handle("roce") == ""
    assert "RoCE mode      : lossless" in cli.handle("show roce")
    for command, says in (
        ("show qos interface ethernet 1/20", "Trust mode:               L3"),
        ("show interfaces ethernet 1/20 congestion-control", "150 KB"),
        ("show dcb ets interface ethernet 1/20", "Strict"),
        ("show dcb priority-flow-control", "Priority Enabled List: 3"),
    ):
        assert says in cli.handle(command)
    assert cli.handle("advanced buffer management force").startswith("% Advanced buffer management cannot")
    assert cli.handle("interface ethernet 1/20 qos trust L2") == ""
    assert "Eth1/20" in cli.handle("show roce")
    assert cli.handle("no roce") == ""
    assert "Trust mode:               L2" in cli.handle("show qos interface ethernet 1/20")


def test_manual_buffers_exclude_pools() -> None:
    cli = session("3.6.8012")
    assert cli.handle("advanced buffer management force") == ""
    assert "   advanced buffer management force\n" in cli.handle("show running-config")
    assert cli.handle("traffic pool roce type lossless").startswith("% Traffic pools cannot be configured")
    assert cli.handle("no advanced buffer management force") == ""
    assert cli.handle("traffic pool roce type lossless") == ""


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        (("interface ethernet 1/5 module-type qsfp-split-4 force",), "% Port 1/5 must be shut down first."),
        (
            (
                "interface ethernet 1/6 shutdown",
                "interface ethernet 1/6 module-type qsfp-split-4 force",
            ),
            "% Port 1/6 cannot be split into 4.",
        ),
        (("interface ethernet 1/5 module-type qsfp force",), "% Port 1/5 is not split."),
        (
            ("interface ethernet 1/3 qos trust L3",),
            "% Invalid interface: 1/3. Port 1/3 is split: 1/3/1 to 1/3/4.",
        ),
        (("interface ethernet 1/4 qos trust L3",), "% Invalid interface: 1/4. Ports are 1/1 to 1/32."),
    ],
)
def test_what_a_split_socket_refuses(lines: tuple[str, ...], refused: str) -> None:
    cli = session("3.6.8012")
    assert [cli.handle(line) for line in lines][-1] == f"{refused}\n"


def test_a_socket_can_be_merged_again() -> None:
    cli = session("3.6.8012")
    assert cli.handle("interface ethernet 1/3/2 qos trust L3") == ""
    assert cli.handle("interface ethernet 1/3/1 module-type qsfp force") == ""
    assert "module-type" not in cli.handle("show running-config")
    assert cli.handle("interface ethernet 1/3-1/4 qos trust L3") == ""
