"""Applied, found, wanted: drift grows the generation, everything else repeats the record."""

from __future__ import annotations

import pytest

from facts.drift import Recorded, plan_step, recorded_from, unsettled

WANTED = {"pfc": "0,0,0,1", "trust": "dscp"}
CLEAN = Recorded(values=WANTED, generation=1)
REPAIRED = Recorded(values=WANTED, generation=2, notes={"drift_pfc": "found 0, wanted 0,0,0,1"})


def test_a_step_that_was_never_applied_starts_at_one() -> None:
    plan = plan_step("h", "c.s", WANTED, None, {"pfc": "x"})
    assert plan.lines() == {"generation": "1"}
    assert plan.drift == ()


@pytest.mark.parametrize("recorded", [CLEAN, REPAIRED])
@pytest.mark.parametrize("found", [WANTED, None, {}, {**WANTED, "foreign": "1"}])
def test_in_sync_or_unknown_repeats_the_record(recorded: Recorded, found: dict[str, str] | None) -> None:
    plan = plan_step("h", "c.s", WANTED, recorded, found)
    assert plan.lines() == {"generation": str(recorded.generation), **recorded.notes}
    assert plan.drift == ()


def test_a_change_of_wishes_is_no_drift() -> None:
    plan = plan_step("h", "c.s", {**WANTED, "trust": "pcp"}, REPAIRED, WANTED)
    assert plan.lines() == {"generation": "2", **REPAIRED.notes}


def test_drift_is_told_by_what_was_found_and_what_is_wanted() -> None:
    plan = plan_step("h", "c.s", WANTED, CLEAN, {**WANTED, "pfc": "0,0,0,0"})
    assert plan.lines() == {"generation": "2", "drift_pfc": "found 0,0,0,0, wanted 0,0,0,1 (repair 1)"}
    assert [str(one) for one in plan.drift] == ["h c.s.pfc: found '0,0,0,0', wanted '0,0,0,1'"]


def test_the_same_drift_again_is_seen_again() -> None:
    first = plan_step("h", "c.s", WANTED, CLEAN, {**WANTED, "pfc": "0"})
    applied = Recorded(values=WANTED, generation=first.generation, notes=first.notes)
    second = plan_step("h", "c.s", WANTED, applied, {**WANTED, "pfc": "0"})
    assert second.generation == 3
    assert first.notes == {"drift_pfc": "found 0, wanted 0,0,0,1 (repair 1)"}
    assert second.notes == {"drift_pfc": "found 0, wanted 0,0,0,1 (repair 2)"}


def test_a_change_and_a_drift_of_one_setting_both_show() -> None:
    plan = plan_step("h", "c.s", {**WANTED, "trust": "both"}, CLEAN, {**WANTED, "trust": "pcp"})
    assert plan.notes == {"drift_trust": "found pcp, wanted both (repair 1)"}


def test_a_fact_that_is_gone_reads_as_nothing() -> None:
    plan = plan_step("h", "c.s", WANTED, CLEAN, {**WANTED, "trust": ""})
    assert plan.notes == {"drift_trust": "found nothing, wanted dscp (repair 1)"}


def test_the_record_is_read_back_from_stdin() -> None:
    text = "drift_pfc: 'found 0, wanted 0,0,0,1'\ngeneration: '2'\nnode: '4'\npfc: '0,0,0,1'\ntrust: 'dscp'\n"
    assert recorded_from(text) == REPAIRED


@pytest.mark.parametrize("text", ["nonsense\n", "pfc: '1'\n", "generation: 'x'\n"])
def test_a_foreign_record_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        recorded_from(text)


@pytest.mark.parametrize(("policy", "drifts"), [("auto", True), ("ask", True), ("never", False)])
def test_a_step_that_may_reboot_repairs_what_waits_for_one(policy: str, drifts: bool) -> None:
    applied = {**WANTED, "reboot": policy}
    found = {**WANTED, "pfc": WANTED["pfc"] + " (after reboot)"}
    plan = plan_step("h", "c.s", applied, Recorded(values=applied, generation=1), found)
    assert [one.key for one in plan.drift] == (["pfc"] if drifts else [])
    assert [one.key for one in unsettled("h", "c.s", applied, found)] == ([] if drifts else ["pfc"])


SILENT = {**WANTED, "pfc": "unobservable: no tool"}


@pytest.mark.parametrize(
    ("found", "allowed", "drift"),
    [
        (SILENT, "", ["pfc"]),
        (SILENT, "trust", ["pfc"]),
        (SILENT, "trust pfc", []),
        ({**WANTED, "pfc": WANTED["pfc"] + " (after reboot)"}, "", []),
        ({**WANTED, "pfc": "0 (after reboot)"}, "", ["pfc"]),
    ],
)
def test_what_waits_for_a_reboot_or_may_be_silent_is_no_drift(
    found: dict[str, str], allowed: str, drift: list[str]
) -> None:
    applied = {**WANTED, "allow_unobservable": allowed}
    plan = plan_step("h", "c.s", applied, Recorded(values=applied, generation=1), found)
    assert [one.key for one in plan.drift] == drift
    assert plan.generation == (2 if drift else 1)
    assert [one.key for one in unsettled("h", "c.s", applied, found)] == ([] if drift else ["pfc"])
