"""A whole change against the simulated switch, in this process: apply, repair, read, keep what is foreign."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onyx import dialect
from tests.switch.answers import WANTED
from tests.unit.onyx_lab import Lab


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_fresh_switch_gets_all_settings_and_keeps_them(lab: Lab) -> None:
    said = lab.apply()
    assert "differs: trust: found L2, wanted L3" in said
    assert said[-1] == "done: the switch has and keeps the wanted settings"
    assert lab.sessions == 1
    found = lab.found()
    assert found == {key: value for key, value in WANTED.lines().items() if key in found}
    assert set(WANTED.lines()) - set(found) == {"minimum_release"}
    switch = lab.store.switch
    assert switch.files["initial"] == switch.running
    assert switch.files[dialect.SNAPSHOT_FILE].hostname == "switch-4f2a10"
    assert switch.active == "initial"


def test_a_second_apply_sends_no_change(lab: Lab) -> None:
    lab.apply()
    assert lab.apply()[-1] == "in sync: nothing to do"
    assert lab.changes() == []


DRIFTS = [
    ("hostname other", "hostname: found other, wanted swx-mld-1-2", ["hostname swx-mld-1-2"]),
    ("no lldp", "lldp: found off, wanted on", ["lldp"]),
    (
        "interface ethernet 1/1 no lldp transmit",
        "lldp: found 1/1=no transmit 1/2=on, wanted on",
        ["interface ethernet 1/1 lldp transmit"],
    ),
    (
        "interface ethernet 1/2 qos trust L2",
        "trust: found 1/1=L3 1/2=L2, wanted L3",
        ["interface ethernet 1/2 qos trust L3"],
    ),
    (
        "traffic pool roce type lossy",
        "pool_type: found lossy, wanted lossless",
        ["traffic pool roce type lossless"],
    ),
    (
        "traffic pool roce memory percent 30",
        "pool_memory_percent: found 30.00, wanted 50.00",
        ["traffic pool roce memory percent 50.00"],
    ),
    (
        "no traffic pool roce map switch-priority 3",
        "pool_switch_priority: found none, wanted 3",
        ["traffic pool roce map switch-priority 3"],
    ),
    (
        "traffic pool roce map switch-priority 5",
        "pool_switch_priority: found 3,5, wanted 3",
        ["no traffic pool roce map switch-priority 5"],
    ),
    (
        "interface ethernet 1/1-1/2 no traffic-class 3 congestion-control",
        "ecn_traffic_class: found none, wanted 3",
        [
            "interface ethernet 1/1-1/2 traffic-class 3 congestion-control ecn minimum-absolute 150 "
            "maximum-absolute 1500"
        ],
    ),
    (
        "interface ethernet 1/1 no traffic-class 6 dcb ets",
        "strict_traffic_class: found 1/1=none 1/2=6, wanted 6",
        ["interface ethernet 1/1 traffic-class 6 dcb ets strict"],
    ),
    (
        "no dcb priority-flow-control enable force",
        "pfc_priority: found none, wanted 3",
        ["dcb priority-flow-control enable force"],
    ),
    (
        "no dcb priority-flow-control priority 3 enable",
        "pfc_priority: found none, wanted 3",
        ["dcb priority-flow-control priority 3 enable"],
    ),
]


@pytest.mark.parametrize(("by_hand", "shown", "lines"), DRIFTS)
def test_drift_is_shown_and_repaired_by_its_line_alone(
    lab: Lab, by_hand: str, shown: str, lines: list[str]
) -> None:
    lab.apply()
    lab.by_hand(by_hand)
    said = lab.apply()
    assert f"differs: {shown}" in said
    # What was changed by hand was never saved, so the saved configuration is right already.
    assert lab.changes() == lines
    assert lab.apply()[-1] == "in sync: nothing to do"


def test_global_pause_beside_pfc_is_switched_off(lab: Lab) -> None:
    lab.apply()
    lab.by_hand(
        "interface ethernet 1/2 no dcb priority-flow-control mode force",
        "interface ethernet 1/2 flowcontrol receive on force",
    )
    said = lab.apply()
    assert "differs: global_pause: found 1/1=off 1/2=receive, wanted off" in said
    assert lab.changes() == [
        "interface ethernet 1/2 flowcontrol receive off force",
        "interface ethernet 1/2 dcb priority-flow-control mode on force",
    ]


def test_saved_drift_is_repaired_and_saved(lab: Lab) -> None:
    lab.apply()
    lab.by_hand("interface ethernet 1/2 qos trust L2", "configuration write")
    lab.apply()
    assert lab.changes() == ["interface ethernet 1/2 qos trust L3", "configuration write"]


def test_a_change_that_nobody_saved_is_seen_and_saved(lab: Lab) -> None:
    lab.apply()
    lab.by_hand("no traffic pool roce", "configuration write")
    lab.by_hand(
        "traffic pool roce type lossless",
        "traffic pool roce memory percent 50",
        "traffic pool roce map switch-priority 3",
    )
    assert lab.found()["saved"] == "no"
    said = lab.apply()
    assert any("the running configuration is right, the saved one is not: pool roce" in one for one in said)
    assert lab.changes() == ["configuration write"]
    assert lab.found()["saved"] == "yes"


def test_what_a_colleague_did_not_save_is_saved_too_and_said(lab: Lab) -> None:
    lab.by_hand("interface ethernet 1/9 qos trust both")
    said = lab.apply()
    assert "note: the save also keeps what others changed and did not save: port 1/9 trust" in said


def test_foreign_settings_stay(lab: Lab) -> None:
    lab.by_hand(
        "dcb priority-flow-control enable force",
        "dcb priority-flow-control priority 4 enable",
        "interface ethernet 1/1 traffic-class 5 dcb ets strict",
        "interface ethernet 1/1 traffic-class 1 congestion-control red minimum-relative 9 maximum-relative 9",
        "traffic pool storage type lossy",
        "traffic pool storage map switch-priority 1",
        "configuration write",
    )
    before = lab.running()
    lab.apply()
    after = lab.running()
    assert {each: after.get(each) for each in before.values if each.kind != "hostname"} == {
        each: value for each, value in before.values.items() if each.kind != "hostname"
    }
    assert lab.apply()[-1] == "in sync: nothing to do"
    lab.remove()
    assert lab.running() == before


def test_reading_32_ports_takes_one_session_and_under_40_commands(lab: Lab) -> None:
    wanted = replace(WANTED, ports=tuple(f"1/{number}" for number in range(1, 33)))
    lab.apply(wanted)
    lab.sent, lab.sessions = [], 0
    found = lab.found(wanted)
    assert found == {key: value for key, value in wanted.lines().items() if key in found}
    assert lab.sessions == 1
    assert len(lab.sent) < 40 + lab.sent.count(dialect.SHOW_LLDP[1])


def test_no_secret_of_the_switch_is_shown(lab: Lab) -> None:
    lab.meddle = lambda line: (
        "% Bad line: username x password 7 $1$geheim\n" if line == "hostname swx-mld-1-2" else None
    )
    said = lab.fails()
    assert "username x password 7 ********" in said
    assert "geheim" not in said
