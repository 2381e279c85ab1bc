"""The report: one line for a person, the stack's output, exit codes, and files for machines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from facts.drift import Difference
from facts.report import (
    Exit,
    Finding,
    Machine,
    Report,
    as_json,
    is_quiet,
    output,
    read,
    sorted_findings,
    summary,
    verdict,
    with_since,
    write_whole,
)
from facts.textfile import textfile

FIXTURES = Path(__file__).parents[1] / "fixtures" / "report"
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
PFC = Finding(found="0,0,0,0", wanted="0,0,0,1")
LINK = Finding(found="ib (after reboot)", wanted="ib")
SWITCH = Machine(name="sw", kind="switch", in_sync=7)
OTHER_SWITCH = Machine(name="sw-2", kind="switch", in_sync=7)
OPERATOR = Machine(name="operator", kind="operator", in_sync=1)


def host(number: int, **fields: Any) -> Machine:
    return Machine(name=f"h{number}", **{"in_sync": 9, **fields})


def report(*machines: Machine, **fields: Any) -> Report:
    return Report(stack="lab", **{"run": "preview", "at": NOW, "machines": machines, **fields})


def drifted(number: int, *facts: str) -> Machine:
    return host(number, drift=dict.fromkeys(facts, PFC))


def dead(number: int, since: datetime | None = None) -> Machine:
    return host(number, state="unreachable", reason="connection refused", since=since, in_sync=0)


CLEAN = report(host(1), host(2), SWITCH, OPERATOR)
ALLOWED = report(host(1, allowed={"q.pause": "no such answer"}), SWITCH)
FULL = report(
    drifted(1, "q.pfc", "q.trust"),
    drifted(2, 'c.odd"\\name'),
    dead(3, NOW - timedelta(seconds=12)),
    host(4, pending_reboot={"q.link": LINK}),
    host(5, unobservable={"q": "no tool"}, allowed={"r.pause": "no such answer"}, foreign=("container x",)),
    host(6, state="absent", reason="the lab node is not there", in_sync=0),
    host(7, state="new", in_sync=0),
    SWITCH,
    changes=True,
)
MISFITS = report(
    host(1, cabling="cabling: h1 belongs on port 1/1"),
    host(2, chain=("fabric: h2 and sw: the host trusts pcp", "fabric: h2 and sw: the pool may drop")),
    host(3, cabling="cabling: h3 belongs on port 1/3", state="unreachable", since=NOW, in_sync=0),
    host(4),
    SWITCH,
    changes=False,
)
FAILED = report(error="`pulumi preview` ended with status 255; its own message is above")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (CLEAN, "drift: none on 2 hosts, the switch and the operator's machine"),
        (report(host(1)), "drift: none on 1 host"),
        (report(drifted(1, "q.pfc"), host(2)), "drift: 1 fact on 1 of 2 hosts"),
        (report(drifted(1, "q.pfc", "q.trust"), drifted(2, "q.pfc")), "drift: 3 facts on 2 hosts"),
        (
            report(host(1), SWITCH.model_copy(update={"drift": {"s.pfc": PFC}})),
            "drift: 1 fact on the switch",
        ),
        (report(host(1), SWITCH, OTHER_SWITCH), "drift: none on 1 host and 2 switches"),
        (
            report(host(1), SWITCH, OTHER_SWITCH.model_copy(update={"drift": {"s.pfc": PFC}})),
            "drift: 1 fact on 1 of 2 switches",
        ),
        (
            report(host(1), SWITCH, dead(2).model_copy(update={"name": "sw-2", "kind": "switch"})),
            "drift: none on 1 host and 1 of 2 switches; sw-2 unreachable (connection refused)",
        ),
        (report(host(1), dead(2)), "drift: none on 1 of 2 hosts; h2 unreachable (connection refused)"),
        (
            report(host(1), dead(2, NOW - timedelta(minutes=5))),
            "drift: none on 1 of 2 hosts; h2 unreachable (connection refused) for 5 min",
        ),
        (
            report(*(dead(number) for number in range(1, 9))),
            "drift: nothing could be observed; "
            + "; ".join(f"h{number} unreachable (connection refused)" for number in range(1, 6))
            + "; 3 more unreachable",
        ),
        (report(host(1, state="new"), host(2, state="new")), "drift: nothing was applied yet"),
        (ALLOWED, "drift: none on 1 host and the switch; 1 unobservable, which the stack allows"),
        (
            FULL,
            "drift: 3 facts on 2 of 7 hosts; 1 pending reboot; 1 unobservable; 1 unobservable, which the "
            "stack allows; 1 foreign; h3 unreachable (connection refused) for 12 s; "
            "h6 absent (the lab node is not there); nothing was applied yet to 1 of 8 machines",
        ),
        (
            MISFITS,
            "drift: none on 3 of 4 hosts and the switch; 2 cables in the wrong port; 1 host not in agreement "
            "with the switch; h3 unreachable",
        ),
        (FAILED, "drift: not known, since the preview failed"),
    ],
)
def test_one_line_says_it(given: Report, told: str) -> None:
    assert summary(given) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1, "1 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_how_long_is_told_in_one_unit(seconds: int, told: str) -> None:
    assert summary(report(dead(1, NOW - timedelta(seconds=seconds)))).endswith(f"refused) for {told}")


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (CLEAN.model_copy(update={"changes": False}), Exit.IN_SYNC, "in sync"),
        (ALLOWED.model_copy(update={"changes": False}), Exit.IN_SYNC, "in sync"),
        (CLEAN.model_copy(update={"changes": True}), Exit.CHANGES, "settings are not applied yet"),
        # Who cannot know whether there are changes does not say that there are none.
        (CLEAN, Exit.CHANGES, "settings are not applied yet"),
        (report(drifted(1, "q.pfc"), changes=True), Exit.CHANGES, "there is drift"),
        (report(host(1), dead(2), changes=False), Exit.UNKNOWN, "h2"),
        (report(host(1, unobservable={"q": "no tool"}), changes=False), Exit.UNKNOWN, "h1"),
        (report(host(1, pending_reboot={"q.link": LINK}), changes=False), Exit.UNKNOWN, "h1"),
        (report(host(1, pending_reboot={"q.link": LINK}), changes=True), Exit.UNKNOWN, "h1"),
        (report(drifted(1, "q.pfc"), dead(2), changes=True), Exit.CHANGES, "there is drift"),
        (report(host(1, state="absent"), changes=True), Exit.CHANGES, "settings are not applied yet"),
        (
            report(host(1, cabling="x"), host(2), changes=False),
            Exit.UNKNOWN,
            "not all hosts fit the switch: h1",
        ),
        (
            report(host(1), host(2, chain=("x",)), changes=False),
            Exit.UNKNOWN,
            "not all hosts fit the switch: h2",
        ),
        (report(host(1, cabling="x"), changes=True), Exit.CHANGES, "settings are not applied yet"),
        (report(drifted(1, "q.pfc"), host(2, cabling="x"), changes=True), Exit.CHANGES, "there is drift"),
        (FAILED, Exit.FAILED, "status 255"),
    ],
)
def test_the_exit_code_never_calls_the_unknown_in_sync(given: Report, code: Exit, told: str) -> None:
    found, sentence = verdict(given)
    assert found is code
    assert told in sentence


@pytest.mark.parametrize(
    ("given", "quiet"),
    [
        (CLEAN, True),
        (ALLOWED, True),
        (report(host(1, state="new")), True),
        (report(drifted(1, "q.pfc")), False),
        (report(dead(1)), False),
        (report(host(1, state="absent")), False),
        (report(host(1, unobservable={"q": "no tool"})), False),
        (report(host(1, foreign=("container x",))), False),
        (report(host(1, pending_reboot={"q.link": LINK})), False),
        (report(host(1, cabling="x")), False),
        (report(host(1, chain=("x",))), False),
    ],
)
def test_quiet_is_only_what_needs_no_one(given: Report, quiet: bool) -> None:
    assert is_quiet(given) is quiet


@pytest.mark.parametrize("run", ["preview", "up"])
def test_the_output_is_empty_when_there_is_nothing_to_report(run: str) -> None:
    for one in (CLEAN, ALLOWED, report(host(1, state="new"))):
        assert output(one.model_copy(update={"run": run})) == {}


def test_the_output_tells_each_kind_by_machine_and_no_time() -> None:
    told = output(FULL)
    assert told == {
        "h1": {"drift": {"q.pfc": PFC.model_dump(), "q.trust": PFC.model_dump()}},
        "h2": {"drift": {'c.odd"\\name': PFC.model_dump()}},
        "h3": {"state": "unreachable", "reason": "connection refused"},
        "h4": {"pending_reboot": {"q.link": LINK.model_dump()}},
        "h5": {"unobservable": {"q": "no tool"}, "foreign": ["container x"]},
        "h6": {"state": "absent", "reason": "the lab node is not there"},
    }
    later = with_since(FULL.model_copy(update={"at": NOW + timedelta(days=1)}), FULL)
    assert output(later) == told


def test_an_up_leaves_out_what_it_repairs() -> None:
    told = output(FULL.model_copy(update={"run": "up"}))
    assert set(told) == {"h3", "h4", "h5"}


def test_an_up_leaves_out_the_chain_that_it_may_close_and_keeps_the_cables() -> None:
    assert output(MISFITS)["h1"] == {"cabling": "cabling: h1 belongs on port 1/1"}
    assert len(output(MISFITS)["h2"]["chain"]) == 2
    told = output(MISFITS.model_copy(update={"run": "up"}))
    assert set(told) == {"h1", "h3"}


def test_differences_are_sorted_by_kind() -> None:
    given = [
        Difference("h", "q.s", "trust", "pcp", "dscp"),
        Difference("h", "q.s", "link", "ib (after reboot)", "ib"),
        Difference("h", "q.s", "mode", "ib (after reboot)", "eth"),
        Difference("h", "q.s", "pause", "unobservable: no such answer", "off"),
    ]
    assert sorted_findings(given) == {
        "drift": {
            "q.s.mode": Finding(found="ib (after reboot)", wanted="eth"),
            "q.s.trust": Finding(found="pcp", wanted="dscp"),
        },
        "pending_reboot": {"q.s.link": LINK},
        "unobservable": {"q.s.pause": "no such answer"},
    }


def test_silence_lasts_since_the_first_run_that_met_it() -> None:
    earlier = with_since(report(host(1), dead(2), dead(3)), None)
    assert [one.since for one in earlier.machines] == [None, NOW, NOW]
    later = NOW + timedelta(minutes=9)
    found = with_since(report(dead(1), dead(2), host(3), at=later), earlier)
    assert [one.since for one in found.machines] == [later, NOW, None]
    of_another = earlier.model_copy(update={"stack": "other"})
    assert with_since(report(dead(2), at=later), of_another).machines[0].since == later


@pytest.mark.parametrize(
    ("name", "given"), [("full", FULL), ("clean", CLEAN), ("misfits", MISFITS), ("failed", FAILED)]
)
def test_files_for_machines(name: str, given: Report) -> None:
    assert as_json(given) == (FIXTURES / f"{name}.json").read_text()
    assert textfile(given) == (FIXTURES / f"{name}.prom").read_text()


@pytest.mark.parametrize("given", [FULL, CLEAN, MISFITS, FAILED])
def test_a_report_is_read_back(given: Report, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "report.json"
    write_whole(path, as_json(given))
    assert read(path) == given
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in path.parent.iterdir()] == ["report.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json", '{"stack": "lab", "more": 1}'])
def test_a_file_that_is_no_report_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text)
    assert read(tmp_path / "report.json") is None
    assert read(tmp_path / "missing.json") is None


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    write_whole(path, "old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("facts.report.os.replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]


def test_the_summary_comes_first_in_the_file() -> None:
    assert next(iter(json.loads(as_json(FULL)))) == "summary"
