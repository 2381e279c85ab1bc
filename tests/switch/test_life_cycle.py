"""`python -m onyx` on a switch over real SSH: apply, repair, leave, remove."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from onyx.observe import read_switch
from onyx.wanted import PASSWORD_VARIABLE
from tests.switch.answers import WANTED
from tests.switch.conftest import SwitchOnLoopback, ports


@pytest.mark.smoke
def test_up_twice_drift_and_destroy(switch: SwitchOnLoopback) -> None:
    before = switch.state()
    first = switch.onyx("apply")
    assert (first.status, first.error) == (0, "")
    assert first.said[-1] == "done: the switch has and keeps the wanted settings"
    assert "differs: trust: found L2, wanted L3" in first.said
    assert switch.running == switch.saved
    after = switch.state()

    second = switch.onyx("apply")
    assert second.said[1:] == ["in sync: nothing to do"]
    assert switch.state() == after

    switch.by_hand("interface ethernet 1/2 qos trust L2")
    seen = switch.onyx("show")
    assert "trust: '1/1=L3 1/2=L2'" in seen.said
    assert seen.error == "differs: trust: found 1/1=L3 1/2=L2, wanted L3\n"
    repaired = switch.onyx("apply")
    assert [line for line in repaired.said if line.startswith("sent")] == [
        "sent: interface ethernet 1/2 qos trust L3"
    ]
    assert switch.state() == after

    removed = switch.onyx("remove")
    assert removed.said[-1] == "done: our settings are as they were before us"
    assert switch.state() == before
    assert switch.onyx("remove").said[-1] == "nothing of ours is on the switch: nothing to do"


@pytest.mark.parametrize("release", ["3.6.5000", "3.6.6004", "3.6.8012", "3.8.2306", "3.10.4100"])
def test_every_layout_of_json(make_switch: Callable[..., SwitchOnLoopback], release: str) -> None:
    switch = make_switch(release)
    assert switch.onyx("apply").said[-1].startswith("done:")
    found = read_switch(switch.access, WANTED, 30.0)
    assert found.release == release
    assert found.found == {key: value for key, value in WANTED.lines().items() if key in found.found}
    assert switch.onyx("apply").said[-1] == "in sync: nothing to do"
    assert switch.onyx("remove").said[-1].startswith("done:")


def test_the_guides_32_ports(make_switch: Callable[..., SwitchOnLoopback]) -> None:
    switch = make_switch(up="1/1")
    wanted = ports(32)
    done = switch.onyx("apply", switch.lines(wanted))
    assert done.said[-1].startswith("done:")
    assert len([line for line in done.said if line.startswith("sent")]) == 12
    assert "note: PFC is on, but does not operate on 1/2-1/32: is the link up?" in done.said
    found = read_switch(switch.access, wanted, 60.0).found
    assert found == {key: value for key, value in wanted.lines().items() if key in found}


def test_a_port_that_leaves_and_one_that_comes(switch: SwitchOnLoopback) -> None:
    switch.onyx("apply", switch.lines(ports(3)))
    lines = switch.lines(ports(2), former_ports="1/1,1/2,1/3")
    assert switch.onyx("apply", lines).said[-1].startswith("done:")
    assert "1/3" not in switch.running["ports"]
    switch.by_hand("interface ethernet 1/3 qos trust both", "configuration write")
    lines = switch.lines(ports(3), former_ports="1/1,1/2")
    assert switch.onyx("apply", lines).said[-1].startswith("done:")
    assert switch.onyx("remove", lines).said[-1].startswith("done:")
    assert switch.running["ports"]["1/3"]["trust"] == "both"
    assert list(switch.state()["files"]) == ["initial"]


@pytest.mark.smoke
def test_another_host_key_and_another_password_are_refused(switch: SwitchOnLoopback) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKz9RBGz6cKxTqDe7q0Qp2q9mFbYlvdM7cV4Wl0m6Qy1"
    done = switch.onyx("apply", {**switch.lines(), "host_key": other})
    assert (done.status, done.said) == (1, [])
    assert "answers with another host key than the expected ssh-ed25519 one" in done.error
    done = switch.onyx("apply", environment={PASSWORD_VARIABLE: "not-the-one"})
    assert (done.status, done.said) == (1, [])
    assert "refuses the login of admin" in done.error
    assert "not-the-one" not in done.error


@pytest.mark.parametrize(
    ("by_hand", "says"),
    [
        ("advanced buffer management force", "manual buffer mode"),
        ("traffic pool other map switch-priority 3", "switch priority 3 belongs to the pool other"),
    ],
)
def test_what_is_in_the_way_is_refused_with_the_reason(
    switch: SwitchOnLoopback, by_hand: str, says: str
) -> None:
    if by_hand.startswith("traffic"):
        switch.by_hand("traffic pool other type lossless")
    switch.by_hand(by_hand)
    before = switch.state()
    done = switch.onyx("apply")
    assert done.status == 1
    assert says in done.error
    assert switch.state() == before
