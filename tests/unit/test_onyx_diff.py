"""Differences and commands: each setting changed gives its lines, and nothing changed gives none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from onyx.candidate import Before, give_back, impose
from onyx.diff import commands, differences, foreign_settings, found_values
from onyx.state import Configuration, Kind, Setting, congestion, same
from tests.switch.answers import WANTED

IN_SYNC = impose(Configuration(), WANTED)
# What is not ours: another pool, other ports, a second PFC priority, RED, ECN and a strict class on ours.
FOREIGN = IN_SYNC.changed(
    {
        Setting(Kind.POOL_TYPE, "storage"): "lossy",
        Setting(Kind.POOL_MEMORY, "storage"): "20.00",
        Setting(Kind.POOL_PRIORITY, "storage", 1): "yes",
        Setting(Kind.PFC_PRIORITY, number=5): "yes",
        Setting(Kind.CONGESTION, "1/2", 1): congestion("red", "relative", 9, 90),
        Setting(Kind.CONGESTION, "1/2", 4): congestion("ecn", "absolute", 150, 1500),
        Setting(Kind.SCHEDULING, "1/2", 5): "strict",
        Setting(Kind.TRUST, "1/7"): "both",
        Setting(Kind.PAUSE_SEND, "1/7"): "on",
        Setting(Kind.PORT_PFC, "1/8"): "on",
    }
)
ECN = Setting(Kind.CONGESTION, "1/2", 3)
ECN_LINE = (
    "interface ethernet 1/2 traffic-class 3 congestion-control ecn minimum-absolute 150 maximum-absolute 1500"
)

CASES = [
    pytest.param(
        {Setting(Kind.HOSTNAME): "switch-4f2a10"},
        ["hostname: found switch-4f2a10, wanted swx-mld-1-2"],
        ["hostname swx-mld-1-2"],
        id="hostname",
    ),
    pytest.param(
        {Setting(Kind.POOL_TYPE, "roce"): "none"},
        [
            "pool: found none, wanted roce",
            "pool_type: found none, wanted lossless",
            "pool_memory_percent: found none, wanted 50.00",
            "pool_switch_priority: found none, wanted 3",
        ],
        [
            "traffic pool roce type lossless",
            "traffic pool roce memory percent 50.00",
            "traffic pool roce map switch-priority 3",
        ],
        id="no pool",
    ),
    pytest.param(
        {Setting(Kind.POOL_MEMORY, "roce"): "40.00"},
        ["pool_memory_percent: found 40.00, wanted 50.00"],
        ["traffic pool roce memory percent 50.00"],
        id="pool memory",
    ),
    pytest.param(
        {Setting(Kind.TRUST, "1/1"): "both", Setting(Kind.TRUST, "1/2"): "both"},
        ["trust: found both, wanted L3"],
        ["interface ethernet 1/1-1/2 qos trust L3"],
        id="trust of both ports",
    ),
    pytest.param(
        {ECN: "none"},
        [
            "ecn_traffic_class: found 1/1=3 1/2=none, wanted 3",
            "ecn_minimum_kb: found 1/1=150 1/2=none, wanted 150",
            "ecn_maximum_kb: found 1/1=1500 1/2=none, wanted 1500",
        ],
        [ECN_LINE],
        id="no ECN",
    ),
    pytest.param(
        {ECN: congestion("both", "relative", 10, 80)},
        [
            "ecn_traffic_class: found 1/1=3 1/2=3(both), wanted 3",
            "ecn_minimum_kb: found 1/1=150 1/2=10%, wanted 150",
            "ecn_maximum_kb: found 1/1=1500 1/2=80%, wanted 1500",
        ],
        [ECN_LINE],
        id="RED and ECN, relative",
    ),
    pytest.param(
        {ECN: congestion("ecn", "absolute", 150, 1600)},
        ["ecn_maximum_kb: found 1/1=1500 1/2=1600, wanted 1500"],
        [ECN_LINE],
        id="another threshold",
    ),
    pytest.param(
        {Setting(Kind.SCHEDULING, "1/2", 6): "wrr 20"},
        ["strict_traffic_class: found 1/1=6 1/2=6(wrr 20), wanted 6"],
        ["interface ethernet 1/2 traffic-class 6 dcb ets strict"],
        id="a weight on the strict class",
    ),
    pytest.param(
        {Setting(Kind.PORT_PFC, "1/2"): "auto", Setting(Kind.PAUSE_SEND, "1/2"): "on"},
        [
            "pfc_priority: found 1/1=3 1/2=none, wanted 3",
            "global_pause: found 1/1=off 1/2=send, wanted off",
        ],
        [
            "interface ethernet 1/2 flowcontrol send off force",
            "interface ethernet 1/2 dcb priority-flow-control mode on force",
        ],
        id="global pause instead of PFC",
    ),
]


@pytest.mark.parametrize(("changes", "shown", "lines"), CASES)
@pytest.mark.parametrize("others", [IN_SYNC, FOREIGN], ids=["alone", "beside foreign settings"])
def test_a_change_shows_and_gives_its_lines(
    others: Configuration, changes: Mapping[Setting, str], shown: list[str], lines: list[str]
) -> None:
    config = others.changed(changes)
    found = found_values(config, WANTED)
    assert sorted(str(each) for each in differences(found, WANTED.lines())) == sorted(shown)
    assert commands(config, impose(config, WANTED)) == lines


@pytest.mark.parametrize("config", [IN_SYNC, FOREIGN], ids=["in sync", "in sync, with foreign settings"])
def test_no_change_shows_and_gives_nothing(config: Configuration) -> None:
    assert differences(found_values(config, WANTED), WANTED.lines()) == []
    assert commands(config, impose(config, WANTED)) == []


def test_a_port_that_the_switch_lacks_is_a_difference() -> None:
    values = found_values(IN_SYNC, WANTED, {"1/1"})
    assert [str(each) for each in differences(values, WANTED.lines())] == ["ports: found 1/1, wanted 1/1,1/2"]


def test_breakout_ports_get_a_line_each() -> None:
    wanted = replace(WANTED, ports=("1/1/1", "1/1/2", "1/3", "1/4"))
    lines = commands(Configuration(), impose(Configuration(), wanted))
    assert [line for line in lines if "trust" in line] == [
        "interface ethernet 1/1/1 qos trust L3",
        "interface ethernet 1/1/2 qos trust L3",
        "interface ethernet 1/3-1/4 qos trust L3",
    ]


def test_the_guides_32_ports_take_ten_lines() -> None:
    wanted = replace(WANTED, ports=tuple(f"1/{number}" for number in range(1, 33)))
    assert commands(Configuration(), impose(Configuration(), wanted)) == [
        "hostname swx-mld-1-2",
        "traffic pool roce type lossless",
        "traffic pool roce memory percent 50.00",
        "traffic pool roce map switch-priority 3",
        "interface ethernet 1/1-1/32 qos trust L3",
        "interface ethernet 1/1-1/32 traffic-class 3 congestion-control ecn minimum-absolute 150 "
        "maximum-absolute 1500",
        "interface ethernet 1/1-1/32 traffic-class 6 dcb ets strict",
        "dcb priority-flow-control enable force",
        "dcb priority-flow-control priority 3 enable",
        "interface ethernet 1/1-1/32 dcb priority-flow-control mode on force",
        "lldp",
    ]


def test_the_one_command_stands_for_all_but_name_and_lldp() -> None:
    wanted = replace(WANTED, roce="lossless")
    goal = impose(Configuration(), wanted)
    assert commands(Configuration(), goal) == ["hostname swx-mld-1-2", "lldp", "roce lossless"]
    assert commands(goal, Configuration({Setting(Kind.HOSTNAME): "swx-mld-1-2"})) == ["no roce", "no lldp"]
    assert differences(found_values(goal, wanted), wanted.lines()) == []
    off = goal.changed({Setting(Kind.ROCE): "none"})
    assert [str(each) for each in differences(found_values(off, wanted), wanted.lines())] == [
        "roce: found none, wanted lossless"
    ]


def test_giving_back_takes_all_of_ours_and_no_more() -> None:
    back = give_back(FOREIGN, WANTED, Before(Configuration()))
    assert commands(FOREIGN, back) == [
        "no hostname",
        "interface ethernet 1/1-1/2 no dcb priority-flow-control mode force",
        "no traffic pool roce",
        "interface ethernet 1/1-1/2 no qos trust",
        "interface ethernet 1/1-1/2 no traffic-class 3 congestion-control",
        "interface ethernet 1/1-1/2 no traffic-class 6 dcb ets",
        "no lldp",
    ]


def test_giving_back_leaves_pfc_to_whoever_had_it_before() -> None:
    before = Configuration(
        {
            Setting(Kind.PFC): "on",
            Setting(Kind.PFC_PRIORITY, number=5): "yes",
            Setting(Kind.PORT_PFC, "1/8"): "on",
        }
    )
    back = give_back(FOREIGN, WANTED, Before(before))
    assert "no dcb priority-flow-control priority 3 enable" in commands(FOREIGN, back)
    assert back.get(Setting(Kind.PFC)) == "on"
    assert back.get(Setting(Kind.PFC_PRIORITY, number=5)) == "yes"


@pytest.mark.parametrize(
    ("found", "is_same"),
    [
        ("ecn absolute 150 1500", True),
        ("ecn absolute 151 1500", True),
        ("ecn absolute 150 1530", True),
        ("ecn absolute 150 1531", False),
        ("ecn absolute 154 1500", False),
        ("ecn relative 150 1500", False),
        ("both absolute 150 1500", False),
        ("none", False),
    ],
)
def test_thresholds_may_be_rounded(found: str, is_same: bool) -> None:
    assert same(ECN, found, "ecn absolute 150 1500") == is_same
    config = IN_SYNC.changed({ECN: found})
    assert (commands(config, impose(config, WANTED)) == []) == is_same


def test_what_others_configured_beside_ours_is_named() -> None:
    assert foreign_settings(IN_SYNC, WANTED) == ()
    assert foreign_settings(FOREIGN, WANTED) == (
        "traffic pool storage",
        "PFC priority 5",
        "QoS of port 1/7",
        "QoS of port 1/8",
    )
    assert foreign_settings(Configuration(), WANTED) == ()
