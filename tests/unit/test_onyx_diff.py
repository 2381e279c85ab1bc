"""Differences and commands: each setting changed gives its lines, and nothing changed gives none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onyx.diff import commands, differences, found_values, removal
from onyx.state import Configuration, Congestion, Pool, Port
from onyx.wanted import Wanted

WANTED = Wanted(
    hostname="swx-mld-1-2",
    ports=("1/1", "1/2"),
    pool="roce",
    pool_type="lossless",
    pool_memory_percent="50.00",
    pool_switch_priority=3,
    trust="L3",
    ecn_traffic_class=3,
    ecn_minimum_kb=150,
    ecn_maximum_kb=1500,
    strict_traffic_class=6,
    pfc_priority=3,
)
ECN = Congestion("ecn", True, 150, 1500)
GOOD = Port("L3", {3: ECN}, frozenset({6}), True)
POOL = Pool("lossless", "50.00", frozenset({3}))
IN_SYNC = Configuration(
    "swx-mld-1-2", {"roce": POOL}, {"1/1": GOOD, "1/2": GOOD}, pfc=True, pfc_priorities=frozenset({3})
)
# What is not ours: another pool, another port, RED and a weight on a port of ours.
FOREIGN = replace(
    IN_SYNC,
    pools={**IN_SYNC.pools, "storage": Pool("lossy", "20.00", frozenset({1}))},
    ports={
        "1/1": GOOD,
        "1/2": replace(GOOD, congestion={3: ECN, 1: Congestion("red", False, 9, 90)}),
        "1/7": Port("both", {4: ECN}, frozenset({5}), True),
    },
)


def with_second(port: Port) -> Configuration:
    return replace(IN_SYNC, ports={"1/1": GOOD, "1/2": port})


CASES = [
    pytest.param(
        replace(IN_SYNC, hostname="switch-4f2a10"),
        ["hostname: found switch-4f2a10, wanted swx-mld-1-2"],
        ["hostname swx-mld-1-2"],
        id="hostname",
    ),
    pytest.param(
        replace(IN_SYNC, pools={"roce": replace(POOL, type="lossy")}),
        ["pool_type: found lossy, wanted lossless"],
        ["traffic pool roce type lossless"],
        id="pool type",
    ),
    pytest.param(
        replace(IN_SYNC, pools={"roce": replace(POOL, memory_percent="40.00")}),
        ["pool_memory_percent: found 40.00, wanted 50.00"],
        ["traffic pool roce memory percent 50.00"],
        id="pool memory",
    ),
    pytest.param(
        replace(IN_SYNC, pools={"roce": replace(POOL, priorities=frozenset({3, 4}))}),
        ["pool_switch_priority: found 3,4, wanted 3"],
        ["no traffic pool roce map switch-priority 4"],
        id="pool has one priority too many",
    ),
    pytest.param(
        replace(IN_SYNC, pools={}),
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
        with_second(replace(GOOD, trust="L2")),
        ["trust: found 1/1=L3 1/2=L2, wanted L3"],
        ["interface ethernet 1/2 qos trust L3"],
        id="trust of one port",
    ),
    pytest.param(
        replace(IN_SYNC, ports={"1/1": replace(GOOD, trust="both"), "1/2": replace(GOOD, trust="both")}),
        ["trust: found both, wanted L3"],
        ["interface ethernet 1/1-1/2 qos trust L3"],
        id="trust of both ports",
    ),
    pytest.param(
        with_second(replace(GOOD, congestion={})),
        [
            "ecn_traffic_class: found 1/1=3 1/2=none, wanted 3",
            "ecn_minimum_kb: found 1/1=150 1/2=none, wanted 150",
            "ecn_maximum_kb: found 1/1=1500 1/2=none, wanted 1500",
        ],
        [
            "interface ethernet 1/2 traffic-class 3 congestion-control ecn "
            "minimum-absolute 150 maximum-absolute 1500"
        ],
        id="no ECN",
    ),
    pytest.param(
        with_second(replace(GOOD, congestion={3: ECN, 4: ECN})),
        ["ecn_traffic_class: found 1/1=3 1/2=3,4, wanted 3"],
        ["interface ethernet 1/2 no traffic-class 4 congestion-control"],
        id="ECN on a second class",
    ),
    pytest.param(
        with_second(replace(GOOD, congestion={3: Congestion("both", False, 10, 80)})),
        [
            "ecn_traffic_class: found 1/1=3 1/2=3(both), wanted 3",
            "ecn_minimum_kb: found 1/1=150 1/2=10%, wanted 150",
            "ecn_maximum_kb: found 1/1=1500 1/2=80%, wanted 1500",
        ],
        [
            "interface ethernet 1/2 traffic-class 3 congestion-control ecn "
            "minimum-absolute 150 maximum-absolute 1500"
        ],
        id="RED and ECN, relative",
    ),
    pytest.param(
        with_second(replace(GOOD, strict=frozenset({5}))),
        ["strict_traffic_class: found 1/1=6 1/2=5, wanted 6"],
        [
            "interface ethernet 1/2 no traffic-class 5 dcb ets",
            "interface ethernet 1/2 traffic-class 6 dcb ets strict",
        ],
        id="another strict class",
    ),
    pytest.param(
        replace(IN_SYNC, pfc=False),
        ["pfc_priority: found none, wanted 3"],
        ["dcb priority-flow-control enable force"],
        id="PFC off",
    ),
    pytest.param(
        replace(IN_SYNC, pfc_priorities=frozenset({4})),
        ["pfc_priority: found 4, wanted 3"],
        [
            "no dcb priority-flow-control priority 4 enable",
            "dcb priority-flow-control priority 3 enable",
        ],
        id="PFC on another priority",
    ),
    pytest.param(
        with_second(replace(GOOD, pfc=False)),
        ["pfc_priority: found 1/1=3 1/2=none, wanted 3"],
        ["interface ethernet 1/2 dcb priority-flow-control mode on force"],
        id="PFC off on a port",
    ),
]


def found(config: Configuration) -> dict[str, str]:
    return found_values(config, WANTED.ports, WANTED.pool)


@pytest.mark.parametrize(("config", "shown", "lines"), CASES)
def test_a_change_shows_and_gives_its_lines(
    config: Configuration, shown: list[str], lines: list[str]
) -> None:
    assert [str(each) for each in differences(found(config), WANTED.lines())] == shown
    assert commands(config, WANTED) == lines


@pytest.mark.parametrize("config", [IN_SYNC, FOREIGN], ids=["in sync", "in sync, with foreign settings"])
def test_no_change_shows_and_gives_nothing(config: Configuration) -> None:
    assert differences(found(config), WANTED.lines()) == []
    assert commands(config, WANTED) == []


def test_a_port_that_the_switch_lacks_is_a_difference() -> None:
    values = found_values(IN_SYNC, WANTED.ports, "roce", frozenset({"1/1"}))
    assert [str(each) for each in differences(values, WANTED.lines())] == ["ports: found 1/1, wanted 1/1,1/2"]


def test_removal_takes_all_of_ours() -> None:
    assert removal(IN_SYNC, WANTED) == [
        "interface ethernet 1/1-1/2 no qos trust",
        "interface ethernet 1/1-1/2 no traffic-class 3 congestion-control",
        "interface ethernet 1/1-1/2 no traffic-class 6 dcb ets",
        "interface ethernet 1/1-1/2 no dcb priority-flow-control mode force",
        "no dcb priority-flow-control priority 3 enable",
        "no dcb priority-flow-control enable force",
        "no traffic pool roce",
    ]


def test_removal_leaves_what_others_use() -> None:
    lines = removal(FOREIGN, WANTED)
    assert [line for line in lines if not line.startswith("interface ethernet 1/1-1/2 ")] == [
        "no traffic pool roce"
    ]


def test_removal_of_nothing_is_nothing() -> None:
    assert removal(Configuration("swx-mld-1-2"), WANTED) == []


def test_pfc_stays_on_for_another_priority() -> None:
    config = replace(IN_SYNC, pfc_priorities=frozenset({3, 5}))
    lines = removal(config, WANTED)
    assert "no dcb priority-flow-control priority 3 enable" in lines
    assert "no dcb priority-flow-control enable force" not in lines
