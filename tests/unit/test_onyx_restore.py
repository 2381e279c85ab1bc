"""What remove, another profile or a port that leaves gives back on the simulated switch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onyx.errors import (
    ChangeFailed,
)
from tests.switch.answers import WANTED
from tests.unit.onyx_lab import Lab


@pytest.fixture
def lab() -> Lab:
    return Lab()


BEFORE = (
    "hostname old-name",
    "traffic pool storage type lossy",
    "interface ethernet 1/1 qos trust both",
    "interface ethernet 1/2 traffic-class 6 dcb ets wrr 20",
    "interface ethernet 1/2 flowcontrol send on force",
    "interface ethernet 1/7 qos trust both",
    "configuration write",
)


def test_remove_restores_what_the_snapshot_says_and_leaves_the_rest(lab: Lab) -> None:
    lab.by_hand(*BEFORE)
    before = lab.running()
    lab.apply()
    assert lab.running() != before
    lab.by_hand("interface ethernet 1/8 qos trust port", "configuration write")
    said = lab.remove()
    assert said[-1] == "done: our settings are as they were before us"
    lab.by_hand("interface ethernet 1/8 no qos trust")
    assert lab.running() == before
    assert list(lab.store.switch.files) == ["initial"]


def test_a_second_remove_sends_no_change(lab: Lab) -> None:
    lab.apply()
    lab.remove()
    assert lab.remove()[-1] == "nothing of ours is on the switch: nothing to do"
    assert lab.changes() == []


def test_remove_without_a_snapshot_gives_defaults_and_says_so(lab: Lab) -> None:
    lab.apply()
    lab.by_hand("configuration delete rocestack-before")
    said = lab.remove()
    assert any(one.startswith("no snapshot:") for one in said)
    assert lab.store.switch.running.hostname == "swx-mld-1-2"
    assert lab.store.switch.running.pools == {}


def test_remove_keeps_pfc_for_a_port_that_someone_else_gave_it(lab: Lab) -> None:
    lab.apply()
    lab.by_hand("interface ethernet 1/20 dcb priority-flow-control mode on force")
    lab.remove()
    config = lab.store.switch.running
    assert (config.pfc, config.pfc_priorities, "1/1" in config.ports) == (True, [3], False)


def test_a_refused_line_of_the_removal_is_taken_back(lab: Lab) -> None:
    lab.apply()
    ours = lab.running()
    lab.meddle = lambda line: "% Busy.\n" if line == "no traffic pool roce" else None
    with pytest.raises(ChangeFailed, match=r"was refused: % Busy\. All was taken back"):
        lab.remove()
    assert lab.running() == ours
    assert lab.remove()[-1].startswith("done:")


def test_a_port_that_leaves_gets_its_settings_back(lab: Lab) -> None:
    lab.by_hand(*BEFORE)
    before = lab.running()
    lab.apply()
    fewer = replace(WANTED, ports=("1/1",))
    lab.apply(fewer, former=WANTED)
    after = lab.running()
    ours = {each for each in after.values if each.port == "1/2"}
    assert {each: after.get(each) for each in ours} == {
        each: value for each, value in before.values.items() if each.port == "1/2"
    }
    # From now on it is someone else's.
    lab.by_hand("interface ethernet 1/2 qos trust port")
    assert lab.apply(fewer)[-1] == "in sync: nothing to do"
    lab.remove(fewer)
    lab.by_hand("interface ethernet 1/2 no qos trust")
    assert lab.running() == before


def test_a_port_that_joins_later_is_kept_as_it_was_then(lab: Lab) -> None:
    lab.apply()
    lab.by_hand("interface ethernet 1/3 qos trust both", "configuration write")
    more = replace(WANTED, ports=("1/1", "1/2", "1/3"))
    lab.apply(more, former=WANTED)
    assert "configuration write to rocestack-before-1-3 no-switch" in lab.changes()
    assert lab.found(more)["trust"] == "L3"
    lab.apply(WANTED, former=more)
    assert lab.store.switch.running.ports["1/3"].trust == "both"
    assert sorted(lab.store.switch.files) == ["initial", "rocestack-before"]
    lab.apply(more, former=WANTED)
    lab.remove(more)
    assert lab.store.switch.running.ports["1/3"].trust == "both"
    assert sorted(lab.store.switch.files) == ["initial"]


def test_another_profile_gives_back_the_former_one(lab: Lab) -> None:
    lab.by_hand(*BEFORE)
    before = lab.running()
    lab.apply()
    other = replace(
        WANTED,
        pool="lossless-4",
        pool_switch_priority=4,
        pfc_priority=4,
        ecn_traffic_class=4,
        dscp_map=((34, 4), (48, 6)),
    )
    lab.by_hand("dcb priority-flow-control priority 5 enable")
    lab.apply(other, former=WANTED)
    found = lab.found(other)
    assert found == {key: value for key, value in other.lines().items() if key in found}
    config = lab.store.switch.running
    assert (sorted(config.pools), config.pfc_priorities) == (["lossless-4", "storage"], [4, 5])
    assert lab.apply(other)[-1] == "in sync: nothing to do"
    # PFC was on for the colleague's priority when the second profile came, so it stays on.
    lab.remove(other)
    lab.by_hand("no dcb priority-flow-control priority 5 enable", "no dcb priority-flow-control enable force")
    assert lab.running() == before
