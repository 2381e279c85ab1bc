"""Switch and hosts together: a chain that closes, each single break of it, and cables right and wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facts.fabric import Cabling, HostSide, SwitchSide, cables, contradictions, summary

MACS = {"02:52:01:01:01:00": "1/1", "02:52:01:01:02:00": "1/2"}
SWITCH = SwitchSide(
    "swx-mld-1-2",
    found={
        "trust": "L3",
        "dscp_map": "26=3 48=6",
        "pool_type": "lossless",
        "pool_switch_priority": "3",
        "pfc_priority": "3",
        "ecn_traffic_class": "3",
        "strict_traffic_class": "6",
    },
    macs=MACS,
)
QOS = {"trust": "dscp", "pfc": "0,0,0,1,0,0,0,0", "traffic_class": "106", "cnp_dscp": "48"}
FIRST = HostSide("clx-mld-41", "swx-mld-1-2", "1/1", "02:52:01:01:01:00", QOS)
SECOND = HostSide("clx-mld-42", "swx-mld-1-2", "1/2", "02:52:01:01:02:00", QOS)


def test_a_chain_that_closes() -> None:
    assert contradictions(SWITCH, FIRST) == []
    assert summary([SWITCH], [FIRST, SECOND]) == [
        "fabric swx-mld-1-2: 2 of 2 hosts agree with it on the lossless chain; cables: 2 by MAC table"
    ]


@pytest.mark.parametrize(
    ("switch", "host", "says"),
    [
        ({"trust": "L2"}, {}, "the switch has trust L2, needed is L3, since the host marks DSCP 26"),
        ({"pool_type": "lossy"}, {}, "the switch has pool_type lossy, needed is lossless"),
        (
            {"pool_switch_priority": "4"},
            {},
            "the switch has pool_switch_priority 4, needed is 3, since DSCP 26",
        ),
        ({"pfc_priority": "none"}, {}, "the switch has pfc_priority none, needed is 3"),
        ({"ecn_traffic_class": "none"}, {}, "the switch has ecn_traffic_class none, needed is 3"),
        ({"strict_traffic_class": "5"}, {}, "notifies with DSCP 48, but the switch's strict class is 5"),
        ({}, {"pfc": "0,0,0,0,1,0,0,0"}, "the host pauses priority 4, but its packets get switch priority 3"),
        (
            {},
            {"pfc": "0,0,0,0,0,0,0,0"},
            "the host pauses priority none, but its packets get switch priority 3",
        ),
        ({}, {"trust": "pcp"}, "the host trusts pcp, needed is dscp"),
        ({}, {"traffic_class": ""}, "the host marks with traffic class none"),
    ],
)
def test_each_break_is_one_sentence(switch: dict[str, str], host: dict[str, str], says: str) -> None:
    other = replace(SWITCH, found={**SWITCH.found, **switch})
    found = contradictions(other, replace(FIRST, qos={**QOS, **host}))
    assert len(found) == 1
    assert found[0].startswith("fabric: clx-mld-41 and swx-mld-1-2: ")
    assert says in found[0]


def test_a_map_on_the_switch_changes_where_the_mark_leads() -> None:
    other = replace(SWITCH, found={**SWITCH.found, "dscp_map": "26=4 48=6"})
    said = " ".join(contradictions(other, FIRST))
    assert "DSCP 26 becomes switch priority 4" in said
    assert "the host pauses priority 3, but its packets get switch priority 4" in said


def test_what_was_not_observed_is_not_judged() -> None:
    assert contradictions(SWITCH, replace(FIRST, qos=None)) == []
    assert contradictions(replace(SWITCH, found={}), FIRST) == []
    assert summary([SWITCH], [replace(FIRST, qos=None)]) == []


def test_a_swapped_pair_is_named_with_both_ends() -> None:
    swapped = replace(SWITCH, macs={"02:52:01:01:01:00": "1/2", "02:52:01:01:02:00": "1/1"})
    first, second = cables([swapped], [FIRST, SECOND])
    assert (first.state, second.state) == (Cabling.WRONG, Cabling.WRONG)
    assert first.problem == (
        "cabling: clx-mld-41 belongs on port 1/1 of swx-mld-1-2, but it is on port 1/2 (MAC table): move the "
        "cable, or set its switch_port"
    )


def test_lldp_goes_before_the_mac_table() -> None:
    switch = replace(SWITCH, lldp={"1/1": "clx-mld-41.example", "1/2": "CLX-MLD-42"}, macs={})
    assert [each.state for each in cables([switch], [FIRST, SECOND])] == [Cabling.LLDP, Cabling.LLDP]
    moved = replace(SWITCH, lldp={"1/7": "clx-mld-41"})
    first, second = cables([moved], [FIRST, SECOND])
    assert first.problem.startswith(
        "cabling: clx-mld-41 belongs on port 1/1 of swx-mld-1-2, but it is on port 1/7"
    )
    assert second.state is Cabling.MAC


def test_another_host_on_its_port_is_wrong_too() -> None:
    switch = replace(SWITCH, lldp={"1/1": "clx-mld-42"}, macs={})
    first, second = cables([switch], [FIRST, SECOND])
    assert "its port 1/1 leads to clx-mld-42 (LLDP neighbour)" in first.problem
    assert "it is on port 1/1 (LLDP neighbour)" in second.problem


def test_a_host_that_was_not_seen_is_unknown() -> None:
    quiet = replace(SWITCH, macs={"02:52:01:01:01:00": "1/1"})
    assert [each.state for each in cables([quiet], [FIRST, SECOND])] == [Cabling.MAC, Cabling.UNKNOWN]
    (said,) = summary([quiet], [FIRST, SECOND])
    assert said.endswith("cables: 1 by MAC table, 1 unknown (no frame was seen lately)")
    silent = replace(FIRST, mac=None)
    assert cables([quiet], [silent])[0].state is Cabling.UNKNOWN


# Two switches, one host on each; behind port 1/31 of each is the other switch with its host.
LEFT = replace(
    SWITCH, name="left", uplinks=frozenset({"1/31"}), macs={str(FIRST.mac): "1/1", str(SECOND.mac): "1/31"}
)
RIGHT = replace(
    SWITCH, name="right", uplinks=frozenset({"1/31"}), macs={str(FIRST.mac): "1/31", str(SECOND.mac): "1/2"}
)
ON_LEFT, ON_RIGHT = replace(FIRST, switch="left"), replace(SECOND, switch="right")


def test_each_host_is_judged_by_its_own_switch() -> None:
    assert [one.state for one in cables([LEFT, RIGHT], [ON_LEFT, ON_RIGHT])] == [Cabling.MAC, Cabling.MAC]
    lossy = replace(RIGHT, found={**RIGHT.found, "pool_type": "lossy"})
    assert summary([LEFT, lossy], [ON_LEFT, ON_RIGHT]) == [
        "fabric left: 1 of 1 hosts agree with it on the lossless chain; cables: 1 by MAC table",
        "fabric right: 0 of 1 hosts agree with it on the lossless chain; cables: 1 by MAC table",
    ]
    silent = replace(RIGHT, found={})
    (said,) = summary([LEFT, silent], [ON_LEFT, ON_RIGHT])
    assert said.startswith("fabric left: ")


SECOND_MAC, ANOTHER_SWITCH = str(SECOND.mac), "set its switch and switch_port"


@pytest.mark.parametrize(
    ("left", "right", "seen"),
    [
        # Plugged into the other switch, by each of the two ways to know it.
        ({SECOND_MAC: "1/2"}, {SECOND_MAC: "1/31"}, "it is on port 1/2 of left (MAC table)"),
        ({SECOND_MAC: "1/2"}, {}, "it is on port 1/2 of left (MAC table)"),
        ({"lldp": "1/5"}, {}, "it is on port 1/5 of left (LLDP neighbour)"),
        # On its own switch, in another port; what the other one has behind its uplink says nothing more.
        ({SECOND_MAC: "1/31"}, {SECOND_MAC: "1/7"}, "it is on port 1/7 (MAC table)"),
        # Behind an uplink, and no other switch of the stack has it on a port.
        ({}, {SECOND_MAC: "1/31"}, "it is behind the uplink 1/31 (MAC table)"),
        ({SECOND_MAC: "1/31"}, {SECOND_MAC: "1/31"}, "it is behind the uplink 1/31 (MAC table)"),
    ],
)
def test_a_host_on_another_switch_is_named_with_both(
    left: dict[str, str], right: dict[str, str], seen: str
) -> None:
    heard = {left["lldp"]: ON_RIGHT.name} if "lldp" in left else {}
    switches = [replace(LEFT, macs=left, lldp=heard), replace(RIGHT, macs=right)]
    for order in (switches, switches[::-1]):
        (found,) = cables(order, [ON_RIGHT])
        assert found.state is Cabling.WRONG
        assert found.problem.startswith(
            f"cabling: clx-mld-42 belongs on port 1/2 of right, but {seen}: move the cable, or set its switch"
        )
        assert found.problem.endswith(ANOTHER_SWITCH) == (seen != "it is on port 1/7 (MAC table)")


def test_no_other_switch_is_believed_where_its_own_did_not_answer() -> None:
    dead = replace(RIGHT, found={}, macs={}, answered=False)
    left = replace(LEFT, macs={**LEFT.macs, SECOND_MAC: "1/20"})
    assert cables([left, dead], [ON_RIGHT])[0].state is Cabling.UNKNOWN
    # The host's own frame went no further than its cable, so that one is believed.
    heard = replace(left, lldp={"1/20": ON_RIGHT.name})
    assert cables([heard, dead], [ON_RIGHT])[0].state is Cabling.WRONG
    # A right place is right, whatever others saw.
    assert cables([left, RIGHT], [ON_RIGHT])[0].state is Cabling.MAC


def test_a_host_behind_uplinks_alone_is_unknown_without_its_own_switch_having_seen_it() -> None:
    quiet = replace(RIGHT, macs={})
    assert cables([LEFT, quiet], [ON_RIGHT])[0].state is Cabling.UNKNOWN
