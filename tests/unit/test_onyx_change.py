"""The whole change against the simulated switch, in this process: apply, repair, refuse, remove."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.switch.onyx_cli.model import Pool, Switch
from lab.switch.onyx_cli.session import Session as SwitchCli
from lab.switch.onyx_cli.store import MemoryStore
from onyx import dialect
from onyx.change import apply, remove, show
from onyx.errors import ChangeFailed, CommandRefused, WantedError
from onyx.reading import read_state
from onyx.wanted import Wanted
from tests.fabric import MemoryFabric

EVERY_LINK_UP = MemoryFabric(up=(f"1/{number}" for number in range(1, 33)))
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


class Lab:
    """A simulated switch and a fresh session on it per change; `sent` are the lines of the last one."""

    def __init__(self) -> None:
        self.store = MemoryStore(Switch.factory("switch-4f2a10"))
        self.sent: list[str] = []
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

    def start(self) -> Lab:
        self.cli = SwitchCli(self.store, EVERY_LINK_UP)
        self.sent = []
        self.run(dialect.ENABLE)
        return self

    def apply(self, wanted: Wanted = WANTED) -> list[str]:
        said: list[str] = []
        apply(self.start(), wanted, said.append)
        return said

    def remove(self) -> list[str]:
        said: list[str] = []
        remove(self.start(), WANTED, said.append)
        return said

    def by_hand(self, *lines: str) -> None:
        cli = SwitchCli(self.store, EVERY_LINK_UP)
        for line in ("enable", "configure terminal", *lines):
            assert cli.handle(line) == ""

    def changes(self) -> list[str]:
        reads = ("show ", dialect.ENABLE, dialect.CONFIGURE, dialect.LEAVE)
        return [line for line in self.sent if not line.startswith(reads)]


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_fresh_switch_gets_all_settings_and_keeps_them(lab: Lab) -> None:
    said = lab.apply()
    assert "differs: trust: found L2, wanted L3" in said
    assert said[-1] == "done: the switch has and keeps the wanted settings"
    assert show(lab.start(), WANTED.ports, "roce") == WANTED.lines()
    switch = lab.store.switch
    assert switch.files["initial"] == switch.running
    assert switch.files[dialect.SNAPSHOT_FILE].hostname == "switch-4f2a10"
    assert switch.active == "initial"


def test_a_second_apply_sends_no_change(lab: Lab) -> None:
    lab.apply()
    assert lab.apply()[-1] == "in sync: nothing to do"
    assert lab.changes() == []


@pytest.mark.parametrize(
    ("by_hand", "shown", "line"),
    [
        ("hostname other", "hostname: found other, wanted swx-mld-1-2", "hostname swx-mld-1-2"),
        (
            "interface ethernet 1/2 qos trust L2",
            "trust: found 1/1=L3 1/2=L2, wanted L3",
            "interface ethernet 1/2 qos trust L3",
        ),
        (
            "traffic pool roce memory percent 30",
            "pool_memory_percent: found 30.00, wanted 50.00",
            "traffic pool roce memory percent 50.00",
        ),
        (
            "interface ethernet 1/1 no traffic-class 6 dcb ets",
            "strict_traffic_class: found 1/1=none 1/2=6, wanted 6",
            "interface ethernet 1/1 traffic-class 6 dcb ets strict",
        ),
        (
            "no dcb priority-flow-control enable force",
            "pfc_priority: found none, wanted 3",
            "dcb priority-flow-control enable force",
        ),
    ],
)
def test_drift_is_shown_and_repaired_by_its_line_alone(lab: Lab, by_hand: str, shown: str, line: str) -> None:
    lab.apply()
    lab.by_hand(by_hand)
    said = lab.apply()
    assert [each for each in said if each.startswith("differs")] == [f"differs: {shown}"]
    assert lab.changes() == [line, "configuration write"]
    assert lab.apply()[-1] == "in sync: nothing to do"


def test_a_change_that_nobody_saved_is_saved(lab: Lab) -> None:
    lab.apply()
    lab.by_hand("no traffic pool roce", "configuration write")
    lab.by_hand(
        "traffic pool roce type lossless",
        "traffic pool roce memory percent 50",
        "traffic pool roce map switch-priority 3",
    )
    said = lab.apply()
    assert "differs: the running configuration is right, the saved one is not" in said
    assert lab.changes() == ["configuration write"]
    assert lab.apply()[-1] == "in sync: nothing to do"


def test_a_refused_line_is_named_and_nothing_is_saved(lab: Lab) -> None:
    lab.by_hand("traffic pool storage type lossy", "traffic pool storage memory percent 60")
    saved = copy.deepcopy(lab.store.switch.files["initial"])
    said: list[str] = []
    with pytest.raises(ChangeFailed, match=r"line 3 of 10, .*% Not enough memory.*nothing was saved"):
        apply(lab.start(), WANTED, said.append)
    assert "now trust: found L2, wanted L3" in said
    assert "now pool_memory_percent: found 0.00, wanted 50.00" in said
    assert not any(each.startswith("now hostname") for each in said)
    assert lab.store.switch.files["initial"] == saved


def test_a_line_that_changes_nothing_is_found_by_reading_back(lab: Lab) -> None:
    lab.meddle = lambda line: "" if "qos trust" in line and line.startswith("interface") else None
    with pytest.raises(ChangeFailed, match=r"reading back gives: trust: found L2, wanted L3\. Nothing was"):
        apply(lab.start(), WANTED, lambda _line: None)
    assert "configuration write" not in lab.sent


def test_ports_that_do_otherwise_than_configured_are_found(lab: Lab) -> None:
    def other_thresholds(line: str) -> str | None:
        if "congestion-control |" not in line:
            return None
        return lab.cli.handle(line).replace('"150 KB"', '"400 KB"')

    lab.meddle = other_thresholds
    with pytest.raises(ChangeFailed, match="port 1/1 marks ECN from 400 to 1500 KB"):
        apply(lab.start(), WANTED, lambda _line: None)


def test_thresholds_rounded_to_the_buffers_cells_are_right(lab: Lab) -> None:
    def rounded(line: str) -> str | None:
        if "congestion-control |" not in line:
            return None
        return lab.cli.handle(line).replace('"1500 KB"', '"1504 KB"')

    lab.meddle = rounded
    assert lab.apply()[-1].startswith("done:")


def test_a_full_flash_fails_the_change(lab: Lab) -> None:
    lab.meddle = lambda line: "% No space left on device\n" if line == "configuration write" else None
    with pytest.raises(ChangeFailed, match="could not be saved: % No space left"):
        apply(lab.start(), WANTED, lambda _line: None)


@pytest.mark.parametrize(
    ("meddle", "wanted", "says"),
    [
        (("3.6.8012", "3.4.1000"), WANTED, "runs release 3.4.1000"),
        (("   hostname", "   advanced buffer management force\n   hostname"), WANTED, "manual buffer mode"),
        (("", ""), replace(WANTED, ports=("1/1", "1/40")), "has no port 1/40"),
    ],
    ids=["old release", "manual buffers", "no such port"],
)
def test_a_switch_that_cannot_take_the_settings_is_left_alone(
    lab: Lab, meddle: tuple[str, str], wanted: Wanted, says: str
) -> None:
    lab.meddle = lambda line: lab.cli.handle(line).replace(*meddle) if meddle[0] else None
    with pytest.raises(WantedError, match=says):
        apply(lab.start(), wanted, lambda _line: None)
    assert lab.changes() == []


def test_remove_restores_what_was_before_us_and_leaves_the_rest(lab: Lab) -> None:
    lab.by_hand(
        "hostname swx-mld-1-2",
        "traffic pool storage type lossy",
        "interface ethernet 1/7 qos trust both",
        "configuration write",
    )
    lab.start()
    before = read_state(lab)
    lab.apply()
    said = lab.remove()
    assert said[-1] == "done: our settings are taken back; the host name stays"
    assert read_state(lab.start()) == before
    assert lab.store.switch.running.pools == {"storage": Pool("lossy")}
    assert list(lab.store.switch.files) == ["initial"]


def test_a_second_remove_sends_no_change(lab: Lab) -> None:
    lab.apply()
    lab.remove()
    assert lab.remove()[-1] == "nothing of ours is on the switch: nothing to do"
    assert lab.changes() == []


def test_reading_32_ports_takes_few_commands(lab: Lab) -> None:
    wanted = replace(WANTED, ports=tuple(f"1/{number}" for number in range(1, 33)))
    lab.apply(wanted)
    lab.start()
    assert show(lab, wanted.ports, "roce") == wanted.lines()
    assert len(lab.sent) == 4
