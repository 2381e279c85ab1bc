"""Every fault of the switch, at many places of a change: the old or the new settings, and it says which.

Where a colleague uses PFC already, a change sends 12 commands: the snapshot, ten settings, and the save.
"""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.switch.conftest import SwitchOnLoopback, wait_for

SAVE = 12
TAKEN_BACK = "All was taken back: the switch has what it had before, and nothing was saved."


def is_as_before(switch: SwitchOnLoopback, before: dict[str, Any]) -> bool:
    """Whether running and saved settings are those of `before`; the snapshot may have been written."""
    return switch.running == before["running"] and switch.saved == before["files"][before["active"]]


@pytest.mark.parametrize("command", [1, 4, 8, SAVE])
def test_a_rejected_command(switch: SwitchOnLoopback, command: int) -> None:
    before = switch.state()
    switch.service("fault", "reject", f"command={command}")
    done = switch.onyx("apply")
    assert done.status == 1
    said = "could not be saved: % " if command == SAVE else f"line {command} of 11, "
    assert said in done.error
    assert TAKEN_BACK in done.error
    assert is_as_before(switch, before)
    # The fault struck once; the next `up` gets through.
    assert switch.onyx("apply").said[-1].startswith("done:")


def test_a_rejected_command_of_the_way_back_too(switch: SwitchOnLoopback) -> None:
    switch.service("fault", "reject", "command=8", "times=2")
    done = switch.onyx("apply")
    assert "line 8 of 11, " in done.error
    assert "Not all could be taken back: " in done.error
    assert "Another `up` continues from there." in done.error
    assert switch.onyx("apply").said[-1].startswith("done:")
    assert switch.onyx("remove").said[-1].startswith("done:")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("command", [1, 9, SAVE])
def test_a_session_that_breaks_off(switch: SwitchOnLoopback, command: int, when: str) -> None:
    before = switch.state()
    switch.service("fault", "drop", f"command={command}", f"when={when}")
    done = switch.onyx("apply")
    if (command, when) == (SAVE, "after"):
        assert done.said[-1].endswith("(the session broke off at its end)")
        assert switch.running == switch.saved
        assert switch.onyx("apply").said[-1] == "in sync: nothing to do"
    else:
        assert done.status == 1
        assert "broke off at" in done.error
        assert TAKEN_BACK in done.error
        assert is_as_before(switch, before)


def test_a_full_flash(switch: SwitchOnLoopback) -> None:
    before = switch.state()
    switch.service("fault", "full-flash")
    done = switch.onyx("apply")
    assert 'line 1 of 11, "configuration write to rocestack-before no-switch", was refused: % ' in done.error
    assert "No space left on device" in done.error
    assert switch.state() == before


def test_a_flash_that_is_full_after_the_snapshot(switch: SwitchOnLoopback) -> None:
    before = switch.state()
    switch.onyx("apply")
    switch.onyx("remove")
    switch.by_hand("configuration write to rocestack-before no-switch")
    switch.service("fault", "full-flash")
    done = switch.onyx("apply")
    assert "the settings run but could not be saved: % " in done.error
    assert TAKEN_BACK in done.error
    assert is_as_before(switch, before)


def test_someone_elses_change_in_between(switch: SwitchOnLoopback) -> None:
    line = "interface ethernet 1/20 qos trust both"
    switch.service("fault", "other-admin", f"line={line}", "command=5")
    done = switch.onyx("apply")
    assert done.said[-1].startswith("done:")
    assert "note: someone else changed port 1/20 trust meanwhile, from L2 to both; left as it is" in done.said
    assert switch.running["ports"]["1/20"]["trust"] == "both"


def test_someone_elses_change_of_ours_in_between(switch: SwitchOnLoopback) -> None:
    before = switch.state()
    line = "interface ethernet 1/1 qos trust port"
    switch.service("fault", "other-admin", f"line={line}", "command=11")
    done = switch.onyx("apply")
    assert "reading back gives: trust: found 1/1=port 1/2=L3, wanted L3." in done.error
    assert TAKEN_BACK in done.error
    assert is_as_before(switch, before)


def test_a_link_that_is_down_is_no_failure(switch: SwitchOnLoopback) -> None:
    switch.service("fault", "link-down", "port=1/2")
    done = switch.onyx("apply")
    assert done.said[-1].startswith("done:")
    assert "note: PFC is on, but does not operate on 1/2: is the link up?" in done.said
    assert switch.onyx("apply").said[-1] == "in sync: nothing to do"


def test_a_slow_switch(switch: SwitchOnLoopback) -> None:
    switch.service("fault", "slow", "seconds=0.5")
    assert switch.onyx("apply").said[-1].startswith("done:")


def test_an_interrupted_change(switch: SwitchOnLoopback) -> None:
    before = switch.state()
    switch.service("fault", "slow", "seconds=0.3")
    process = switch.start("apply", switch.lines())
    wait_for(process, "sent: traffic pool roce type lossless")
    process.send_signal(signal.SIGTERM)
    _said, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"the change was interrupted. {TAKEN_BACK}" in error
    assert is_as_before(switch, before)


def test_a_killed_change_is_continued(switch: SwitchOnLoopback) -> None:
    before = switch.state()
    switch.service("fault", "slow", "seconds=0.3")
    process = switch.start("apply", switch.lines())
    wait_for(process, "sent: traffic pool roce type lossless")
    process.kill()
    process.communicate(timeout=60)
    switch.service("clear")
    assert switch.saved == before["files"][before["active"]]
    assert switch.onyx("apply").said[-1].startswith("done:")
    assert switch.onyx("remove").said[-1].startswith("done:")
    assert switch.state() == before


def test_a_rejected_command_of_the_removal(switch: SwitchOnLoopback) -> None:
    switch.onyx("apply")
    ours = switch.state()
    switch.service("fault", "reject", "command=3")
    done = switch.onyx("remove")
    assert done.status == 1
    assert TAKEN_BACK in done.error
    assert switch.state() == ours
    assert switch.onyx("remove").said[-1].startswith("done:")
