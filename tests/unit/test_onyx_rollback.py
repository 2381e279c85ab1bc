"""A change that fails against the simulated switch: it is taken back, and the way back is told."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from onyx import dialect
from onyx.errors import (
    ConnectionFailed,
    Interrupted,
    SessionLost,
    WantedError,
)
from onyx.wanted import Wanted
from tests.switch.answers import WANTED
from tests.unit.onyx_lab import READS, Lab


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_refused_line_is_named_and_all_is_taken_back(lab: Lab) -> None:
    before, saved = lab.running(), copy.deepcopy(lab.store.switch.files["initial"])
    lab.meddle = lambda line: "% Not now.\n" if "dcb ets strict" in line else None
    said = lab.fails()
    assert 'line 8 of 12, "interface ethernet 1/1-1/2 traffic-class 6 dcb ets strict", was refused' in said
    assert "% Not now. All was taken back: the switch has what it had before, and nothing was saved." in said
    assert lab.sessions == 1
    assert lab.running() == before
    assert lab.store.switch.files["initial"] == saved
    assert lab.apply()[-1].startswith("done:")


@pytest.mark.parametrize("refused", range(1, 13))
def test_whatever_line_is_refused_the_switch_is_as_before(lab: Lab, refused: int) -> None:
    before = lab.running()
    count = 0

    def refuse(line: str) -> str | None:
        nonlocal count
        count += not line.startswith(READS)
        return "% Rejected.\n" if count == refused and not line.startswith(READS) else None

    lab.meddle = refuse
    assert "All was taken back: the switch has what it had before" in lab.fails()
    assert lab.running() == before


@pytest.mark.parametrize("lost", range(1, 14))
@pytest.mark.parametrize("carried_out", [False, True], ids=["before it took effect", "after"])
def test_wherever_the_session_breaks_off_the_switch_is_as_before_or_as_wanted(
    lab: Lab, lost: int, carried_out: bool
) -> None:
    before = lab.running()
    count = 0

    def drop(line: str) -> str | None:
        nonlocal count
        count += not line.startswith(READS)
        if count == lost and not line.startswith(READS):
            if carried_out:
                lab.cli.handle(line)
            raise SessionLost(f'the session with the switch broke off at "{line}"')
        return None

    lab.meddle = drop
    if lost == 13 and carried_out:
        # The very last line is the save.
        assert lab.apply()[-1].endswith("(the session broke off at its end)")
        assert lab.apply()[-1] == "in sync: nothing to do"
    else:
        assert "All was taken back: the switch has what it had before" in lab.fails()
        assert lab.running() == before
        assert lab.store.switch.files["initial"].pools == {}


def test_a_switch_that_is_gone_is_said_to_be_unknown(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onyx.change._PAUSES_S", (0.0, None))

    def gone(line: str) -> str | None:
        if lab.sessions > 1:
            raise ConnectionFailed("nothing answers at 10.0.0.9:22")
        if "type lossless" in line:
            raise SessionLost("the session broke off")
        return None

    lab.meddle = gone
    said = lab.fails()
    assert "line 3 of 12" in said
    assert (
        "could not be asked since (nothing answers at 10.0.0.9:22): the first 3 of 12 lines may be in" in said
    )
    lab.meddle = lambda _line: None
    assert lab.apply()[-1].startswith("done:")


def test_a_change_that_is_interrupted_is_taken_back(lab: Lab) -> None:
    before = lab.running()

    def interrupt(line: str) -> str | None:
        if "qos trust" in line and lab.sessions == 1:
            raise Interrupted("the change was interrupted.")
        return None

    lab.meddle = interrupt
    assert "the change was interrupted. All was taken back" in lab.fails()
    assert lab.running() == before


def test_a_line_that_changes_nothing_is_found_by_reading_back(lab: Lab) -> None:
    before = lab.running()
    lab.meddle = lambda line: "" if "qos trust" in line and line.startswith("interface") else None
    said = lab.fails()
    assert "all lines were accepted, but reading back gives: trust: found L2, wanted L3." in said
    assert "All was taken back" in said
    assert "configuration write" not in lab.sent
    assert lab.running() == before


def test_ports_that_do_otherwise_than_configured_are_found(lab: Lab) -> None:
    def other_thresholds(line: str) -> str | None:
        if "congestion-control |" not in line:
            return None
        return lab.cli.handle(line).replace('"150 KB"', '"400 KB"')

    lab.meddle = other_thresholds
    assert "port 1/1 congestion control of traffic-class 3 is ecn absolute 400 1500, wanted" in lab.fails()


def test_a_port_that_maps_the_dscp_elsewhere_is_found(lab: Lab) -> None:
    def other_map(line: str) -> str | None:
        if not line.startswith("show qos interface ethernet 1/2"):
            return None
        return lab.cli.handle(line).replace("25 26 27", "25 27").replace("32 33", "26 32 33")

    lab.meddle = other_map
    assert "port 1/2 maps DSCP 26 to switch priority 4, but the profile needs 3" in lab.fails()
    lab.meddle = lambda _line: None
    lab.apply()
    lab.meddle = other_map
    assert lab.found()["dscp_map"] == "1/1: 26=3 48=6; 1/2: 26=4 48=6"


def test_thresholds_rounded_to_the_buffers_cells_are_right(lab: Lab) -> None:
    def rounded(line: str) -> str | None:
        answer = lab.cli.handle(line)
        return answer.replace('"1500 KB"', '"1504 KB"').replace("absolute 1500", "absolute 1504")

    lab.meddle = rounded
    assert lab.apply()[-1].startswith("done:")
    assert lab.apply()[-1] == "in sync: nothing to do"
    assert lab.found()["ecn_maximum_kb"] == "1500"


def test_a_full_flash_at_the_save_is_taken_back(lab: Lab) -> None:
    before = lab.running()
    lab.meddle = lambda line: "% No space left on device\n" if line == "configuration write" else None
    said = lab.fails()
    assert "the settings run but could not be saved: % No space left on device. All was taken back" in said
    assert lab.running() == before


def test_a_full_flash_at_the_snapshot_changes_nothing(lab: Lab) -> None:
    before = lab.running()
    lab.meddle = lambda line: "% No space left on device\n" if line.startswith("configuration w") else None
    assert 'line 1 of 12, "configuration write to rocestack-before no-switch", was refused' in lab.fails()
    assert len(lab.changes()) == 1
    assert lab.running() == before


def test_what_someone_changes_meanwhile_is_left_and_said(lab: Lab) -> None:
    def colleague(line: str) -> str | None:
        if "dcb ets strict" in line:
            lab.by_hand("interface ethernet 1/9 qos trust both")
        return None

    lab.meddle = colleague
    said = lab.apply()
    assert "note: someone else changed port 1/9 trust meanwhile, from L2 to both; left as it is" in said
    assert lab.store.switch.running.ports["1/9"].trust == "both"


def test_what_someone_changes_meanwhile_survives_the_way_back(lab: Lab) -> None:
    def colleague(line: str) -> str | None:
        if "dcb ets strict" in line:
            lab.by_hand("interface ethernet 1/9 qos trust both")
            return "% Not now.\n"
        return None

    lab.meddle = colleague
    assert "All was taken back" in lab.fails()
    assert lab.store.switch.running.ports["1/9"].trust == "both"


def test_a_link_that_is_down_is_said_and_no_failure(lab: Lab) -> None:
    lab.meddle = lambda line: (
        lab.cli.handle(line).replace('"PFC oper": "Enabled"', '"PFC oper": "Disabled"')
        if line == dialect.SHOW_PFC
        else None
    )
    assert "note: PFC is on, but does not operate on 1/1-1/2: is the link up?" in lab.apply()


@pytest.mark.parametrize(
    ("by_hand", "meddle", "wanted", "says"),
    [
        (
            [],
            ("3.6.8012", "3.4.1000"),
            WANTED,
            "runs release 3.4.1000, but its minimum_release is 3.6.5000",
        ),
        ([], ("", ""), replace(WANTED, minimum_release="3.9.1000"), "minimum_release is 3.9.1000: bring its"),
        ([], ("", ""), replace(WANTED, roce="lossless"), "has no command `roce`"),
        (
            [],
            ("   hostname", "   advanced buffer management force\n   hostname"),
            WANTED,
            "manual buffer mode",
        ),
        ([], ("", ""), replace(WANTED, ports=("1/1", "1/40")), "has no port 1/40"),
        (
            ["traffic pool storage type lossless", "traffic pool storage map switch-priority 3"],
            ("", ""),
            WANTED,
            "switch priority 3 belongs to the pool storage, which is not ours",
        ),
        (
            ["traffic pool storage type lossy", "traffic pool storage memory percent 60"],
            ("", ""),
            WANTED,
            "the pools storage, which are not ours, hold 60.00 % of the memory; 50.00 % for the pool roce",
        ),
    ],
    ids=["old release", "too old", "no roce", "manual buffers", "no such port", "priority taken", "memory"],
)
def test_a_switch_that_cannot_take_the_settings_is_left_alone(
    lab: Lab, by_hand: list[str], meddle: tuple[str, str], wanted: Wanted, says: str
) -> None:
    lab.by_hand(*by_hand)
    lab.meddle = lambda line: lab.cli.handle(line).replace(*meddle) if meddle[0] else None
    with pytest.raises(WantedError, match=says):
        lab.apply(wanted)
    assert lab.changes() == []
