"""A whole change against the simulated switch, in this process: apply, repair, refuse, take back, remove."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.session import Session as SwitchCli
from lab.switch.onyx_cli.store import MemoryStore
from onyx import dialect
from onyx.change import apply, found_in, remove
from onyx.errors import (
    ChangeFailed,
    CommandRefused,
    ConnectionFailed,
    Interrupted,
    SessionLost,
    WantedError,
)
from onyx.reading import read_everything, read_state
from onyx.state import Configuration
from onyx.wanted import Wanted
from tests.fabric import MemoryFabric
from tests.switch.answers import WANTED

EVERY_LINK_UP = MemoryFabric(up=(f"1/{number}" for number in range(1, 33)))
READS = ("show ", dialect.ENABLE, dialect.CONFIGURE, dialect.LEAVE)


class Lab:
    """A simulated switch; `sent` are the lines of the last change, `sessions` how many it took.

    `meddle` sees each line first: it returns an answer in the switch's place, or None; it may raise.
    """

    def __init__(self) -> None:
        self.store = MemoryStore(Switch.factory("switch-4f2a10"))
        self.sent: list[str] = []
        self.sessions = 0
        self.meddle: Callable[[str], str | None] = lambda _line: None

    def run(self, line: str) -> str:
        self.sent.append(line)
        answer = self.meddle(line)
        if answer is None:
            answer = self.cli.handle(line)
        refused = dialect.refusal(answer)
        if refused is not None:
            raise CommandRefused(line, refused)
        return answer

    @contextmanager
    def connect(self) -> Iterator[Lab]:
        self.sessions += 1
        self.cli = SwitchCli(self.store, EVERY_LINK_UP)
        self.run(dialect.ENABLE)
        yield self

    def apply(self, wanted: Wanted = WANTED, former: Wanted | None = None) -> list[str]:
        said: list[str] = []
        self.sent, self.sessions = [], 0
        apply(self.connect, wanted, former, said.append)
        return said

    def fails(self, wanted: Wanted = WANTED) -> str:
        with pytest.raises(ChangeFailed) as caught:
            self.apply(wanted)
        return str(caught.value)

    def remove(self, wanted: Wanted = WANTED) -> list[str]:
        said: list[str] = []
        self.sent, self.sessions = [], 0
        remove(self.connect, wanted, said.append)
        return said

    def by_hand(self, *lines: str) -> None:
        cli = SwitchCli(self.store, EVERY_LINK_UP)
        for line in ("enable", "configure terminal", *lines):
            assert cli.handle(line) == ""

    def found(self, wanted: Wanted = WANTED) -> dict[str, str]:
        with self.connect() as session:
            return found_in(read_everything(session, wanted.ports), wanted)

    def running(self) -> Configuration:
        self.meddle = lambda _line: None
        with self.connect() as session:
            return read_state(session).running

    def changes(self) -> list[str]:
        return [line for line in self.sent if not line.startswith(READS)]


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
