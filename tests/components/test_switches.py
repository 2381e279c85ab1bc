"""Two switches with two hosts each: each has its own step, and neither is told of what the other one is."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pydantic import SecretStr

from components import observation
from components.cluster import metal
from components.observation import observe
from facts import report as reports
from facts.report import Machine, Report
from onyx.errors import Unreachable
from onyx.observe import Observation
from onyx.state import Neighbours
from onyx.wanted import Access, Wanted
from settings import flat
from settings.models import Access as KeyAccess
from settings.models import Stack
from tests.components.harness import Program, World, collected, machines, racks_stack
from tests.components.test_drift_plan import _changed, _in_sync

LEFT, RIGHT = "swx-rack-1", "swx-rack-2"
HOSTS = tuple(f"clx-mld-{number}" for number in range(41, 45))
STEPS = {name: f"{name}/switch_qos.roce" for name in (LEFT, RIGHT)}


@pytest.fixture(scope="module")
def applied() -> Program:
    return Program(World(racks_stack()))


def _found(applied: Program, **changes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what both switches have: what was applied, but for `changes`, by "left" and "right"."""
    told = {"left": LEFT, "right": RIGHT}
    return {
        name: {**flat.parse(applied.stdin(STEPS[name])), **changes.get(side, {})}
        for side, name in told.items()
    }


def _again(applied: Program, **world: Any) -> Program:
    return Program(
        World(
            racks_stack(),
            **{
                "checkpoint": applied.checkpoint(),
                "observations": _in_sync(applied, HOSTS),
                "switches_found": _found(applied),
                **world,
            },
        )
    )


def _machine(found: Report, name: str) -> Machine:
    return next(one for one in found.machines if one.name == name)


def test_each_switch_gets_its_own_name_and_ports(applied: Program) -> None:
    lines = {name: flat.parse(applied.stdin(step)) for name, step in STEPS.items()}
    assert {name: (one["hostname"], one["ports"]) for name, one in lines.items()} == {
        LEFT: (LEFT, "1/1,1/2,1/31"),
        RIGHT: (RIGHT, "1/1,1/2,1/31,1/32"),
    }
    own = ("hostname", "ports", "port")
    left, right = ({key: value for key, value in one.items() if key not in own} for one in lines.values())
    assert left == right


def test_switches_wait_for_nothing_and_the_training_for_all(applied: Program) -> None:
    assert applied.ancestors(STEPS[LEFT]) == applied.ancestors(STEPS[RIGHT]) == set()
    for number, host in enumerate(HOSTS):
        assert set(STEPS.values()) <= applied.ancestors(f"{host}/caffe2-shard-{number}")


def test_in_sync_changes_nothing(applied: Program) -> None:
    again = _again(applied)
    assert _changed(applied, again) == set()
    found = collected(again.cluster)
    assert reports.is_quiet(found)
    assert reports.summary(found) == "drift: none on 4 hosts and 2 switches"
    assert [one.name for one in found.machines if one.kind == "switch"] == [LEFT, RIGHT]


def test_the_drift_of_one_is_not_told_of_the_other(applied: Program) -> None:
    again = _again(applied, switches_found=_found(applied, right={"trust": "1/31=L2 1/1=L3"}))
    assert _changed(applied, again) == {STEPS[RIGHT]}
    assert "drift_trust" in again.stdin(STEPS[RIGHT])
    found = collected(again.cluster)
    assert reports.summary(found) == "drift: 1 fact on 1 of 2 switches"
    assert _machine(found, LEFT).drift == {}
    assert list(_machine(found, RIGHT).drift) == ["switch_qos.roce.trust"]


def test_an_unreachable_switch_does_not_freeze_the_other(applied: Program) -> None:
    drifted = _found(applied, left={"trust": "L2"})
    again = _again(
        applied, switches_found={LEFT: drifted[LEFT]}, switches_unreachable={RIGHT: "no answer within 20 s"}
    )
    assert _changed(applied, again) == {STEPS[LEFT]}
    assert again.by_name[STEPS[LEFT]].ignore_changes == ()
    assert "stdin" in again.by_name[STEPS[RIGHT]].ignore_changes
    found = collected(again.cluster)
    assert [_machine(found, name).state for name in (LEFT, RIGHT)] == ["reachable", "unreachable"]
    assert reports.summary(found) == (
        "drift: 1 fact on 1 of 2 switches; swx-rack-2 unreachable (no answer within 20 s)"
    )


def test_a_host_that_moves_to_the_other_switch_changes_both(applied: Program) -> None:
    stack = racks_stack()
    moved = stack.hosts[1].model_copy(update={"switch": RIGHT, "switch_port": "1/3"})
    hosts = (stack.hosts[0], moved, *stack.hosts[2:])
    again = Program(
        World(
            stack.model_copy(update={"hosts": hosts}),
            checkpoint=applied.checkpoint(),
            observations=_in_sync(applied, HOSTS),
            switches_found=_found(applied),
        )
    )
    assert _changed(applied, again) == set(STEPS.values())
    left, right = (flat.parse(again.stdin(step)) for step in STEPS.values())
    assert (left["ports"], left["former_ports"]) == ("1/1,1/31", "1/1,1/2,1/31")
    assert (right["ports"], right["former_ports"]) == ("1/1,1/2,1/3,1/31,1/32", "1/1,1/2,1/31,1/32")


def test_one_switch_by_either_key_declares_the_same() -> None:
    stack = racks_stack()
    assert stack.switches is not None
    hosts = tuple(host.model_copy(update={"switch": None}) for host in stack.hosts[:2])
    one = stack.model_copy(update={"hosts": hosts, "switch": stack.switches[0], "switches": None})
    several = stack.model_copy(update={"hosts": hosts, "switches": stack.switches[:1]})
    first, second = Program(World(one)), Program(World(several))
    assert _changed(first, second) == set()
    assert first.by_name.keys() == second.by_name.keys()


def test_a_chain_is_judged_at_the_hosts_own_switch(applied: Program) -> None:
    # As recorded, and yet no chain; the record itself is made so, else it were drift.
    inputs = dict(applied.checkpoint().inputs)
    key = ("command:local:Command", STEPS[RIGHT])
    lossy = applied.stdin(STEPS[RIGHT]).replace("pool_type: 'lossless'", "pool_type: 'lossy'")
    inputs[key] = {**inputs[key], "stdin": lossy}
    checkpoint = dataclasses.replace(applied.checkpoint(), inputs=inputs)
    found = _found(applied, right={"pool_type": "lossy"})
    told = collected(_again(applied, checkpoint=checkpoint, switches_found=found).cluster)
    assert [bool(_machine(told, host).chain) for host in HOSTS] == [False, False, True, True]
    assert (
        _machine(told, HOSTS[2]).chain[0].startswith(f"fabric: {HOSTS[2]} and {RIGHT}: the switch has pool")
    )
    # Drift of the other switch says nothing of these two.
    both = _found(applied, left={"trust": "L2"}, right={"pool_type": "lossy"})
    told = collected(_again(applied, checkpoint=checkpoint, switches_found=both).cluster)
    assert [bool(_machine(told, host).chain) for host in HOSTS] == [False, False, True, True]


def test_a_host_on_the_other_switch_is_named_with_both(applied: Program) -> None:
    cluster = _again(applied).cluster
    neighbours = {LEFT: Neighbours(lldp={"1/7": HOSTS[3]}), RIGHT: Neighbours(lldp={"1/1": HOSTS[2]})}
    switches = {
        name: dataclasses.replace(one, neighbours=neighbours[name]) for name, one in cluster.switches.items()
    }
    found = collected(dataclasses.replace(cluster, switches=switches))
    assert [_machine(found, host).cabling for host in HOSTS] == [
        None,
        None,
        None,
        f"cabling: {HOSTS[3]} belongs on port 1/2 of {RIGHT}, but it is on port 1/7 of {LEFT} (LLDP "
        "neighbour): move the cable, or set its switch and switch_port",
    ]


def test_all_switches_are_asked_at_once(applied: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=10)
    dead = {name: access.port for name, access in machines(racks_stack()).switches.items()}[LEFT]

    def read(access: Access, wanted: Wanted, deadline: float) -> Observation:
        together.wait()
        assert deadline == 20.0 + len(wanted.ports)
        if access.port == dead:
            raise Unreachable("no route to host")
        return Observation({"hostname": wanted.hostname}, Neighbours(macs={"m": "1/1"}))

    monkeypatch.setattr(observation, "read_switch", read)
    access = machines(racks_stack()).switches
    found = observe(applied.checkpoint(), {}, access, {}, 20.0)
    assert found.switches[LEFT].unreachable == "no route to host"
    assert found.switches[LEFT].found is None
    assert found.switches[RIGHT].found == {"hostname": RIGHT}
    assert found.switches[RIGHT].neighbours.macs == {"m": "1/1"}
    # One to which nothing was applied is not asked, and keeps the other from nothing.
    inputs = dict(applied.checkpoint().inputs)
    del inputs["command:local:Command", STEPS[LEFT]]
    together = threading.Barrier(1)
    found = observe(dataclasses.replace(applied.checkpoint(), inputs=inputs), {}, access, {}, 20.0)
    assert list(found.switches) == [RIGHT]


def _metal() -> Stack:
    stack = racks_stack()
    assert stack.switches is not None
    left, right = stack.switches
    switches = (
        left.model_copy(update={"address": "192.0.2.1", "password": SecretStr("hunter2")}),
        right.model_copy(update={"address": "192.0.2.2", "private_key_file": "switch-key", "port": 2222}),
    )
    access = KeyAccess(private_key_file="id")
    return stack.model_copy(update={"lab": None, "switches": switches, "access": access})


def test_each_switch_has_its_own_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "id").write_text("-- a private key --")
    with pytest.raises(
        pulumi.RunError, match=r"switches\[1\].private_key_file = 'switch-key' cannot be read"
    ):
        metal(_metal())
    (tmp_path / "switch-key").write_text("-- another --")
    left, right = metal(_metal()).switches.values()
    assert (left.address, left.port, left.password.get_secret_value()) == ("192.0.2.1", 22, "hunter2")
    assert left.private_key.get_secret_value() == right.password.get_secret_value() == ""
    assert (right.address, right.port) == ("192.0.2.2", 2222)
    assert right.private_key.get_secret_value() == "-- another --"
