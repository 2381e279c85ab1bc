"""What a run tells: the summary, the output and the file agree, and nothing unknown is called in sync."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import fabric, report
from components.context import Cluster
from facts import report as reports
from facts.checkpoint import Checkpoint, CheckpointError
from facts.observe import ContainerFact, HostObservation
from facts.report import Machine, Report
from onyx.state import Neighbours
from settings import flat
from tests.components.harness import IMAGE_ID, Program, World, collected, lab_stack
from tests.components.test_drift_plan import _in_sync

HEAD, SECOND, SWITCH = "clx-mld-41", "clx-mld-42", "swx-mld-1-2"
QOS = "ofed_stack.qos"
COMMAND = "command:remote:Command"


@pytest.fixture(scope="module")
def applied() -> Program:
    return Program(World(lab_stack()))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return the levels and lines that are logged."""
    lines: list[tuple[str, str]] = []
    for level in ("info", "warn"):
        monkeypatch.setattr(pulumi.log, level, lambda text, *_, level=level: lines.append((level, text)))
    return lines


def _again(applied: Program, observations: Mapping[str, HostObservation], **world: Any) -> Program:
    found = flat.parse(applied.stdin(f"{SWITCH}/switch_qos.roce"))
    return Program(
        World(
            lab_stack(),
            **{
                "checkpoint": applied.checkpoint(),
                "observations": observations,
                "switches_found": {SWITCH: found},
                **world,
            },
        )
    )


def _with(one: HostObservation, step: str, **facts: str) -> HostObservation:
    return dataclasses.replace(one, facts={**one.facts, step: {**one.facts[step], **facts}})


def _as_preview(found: Report) -> Report:
    # The mocks are those of an `up`.
    assert found.run == "up"
    return found.model_copy(update={"run": "preview"})


def _machine(found: Report, name: str) -> Machine:
    return next(one for one in found.machines if one.name == name)


def test_in_sync_is_quiet_and_has_an_empty_output(applied: Program, told: list[tuple[str, str]]) -> None:
    found = report.tell(_again(applied, _in_sync(applied)).cluster)
    assert told[-1] == ("info", "drift: none on 2 hosts and the switch")
    assert "warn" not in dict(told)
    assert reports.output(_as_preview(found)) == {}
    assert all(one.in_sync > 10 for one in found.machines)


def test_nothing_applied_is_not_in_sync(told: list[tuple[str, str]]) -> None:
    found = report.tell(Program(World(lab_stack())).cluster)
    assert told[-1] == ("info", "drift: nothing was applied yet")
    assert {one.state for one in found.machines} == {"new"}
    assert sum(one.in_sync for one in found.machines) == 0


def test_each_kind_is_told_as_what_it_is(applied: Program, told: list[tuple[str, str]]) -> None:
    observations = _in_sync(applied)
    one = _with(
        observations[HEAD],
        QOS,
        pfc="0,0,0,0,0,0,0,0",
        pause="unobservable: no such answer",
        dcbx="unobservable: no tool",
        trust="dscp (after reboot)",
    )
    stray = ContainerFact("running", 0, IMAGE_ID, None, None)
    observations[HEAD] = dataclasses.replace(
        one,
        facts={step: facts for step, facts in one.facts.items() if step != "docker_host.routes"},
        unobservable={"docker_host.routes": "ip: not found", "containers": "Docker does not answer"},
        containers={**one.containers, "stray": stray},
    )
    observations[SECOND] = HostObservation(SECOND, "unreachable", "connection refused")
    found = collected(_again(applied, observations).cluster)
    head = _machine(found, HEAD)
    assert list(head.drift) == [f"{QOS}.pfc"]
    assert list(head.pending_reboot) == [f"{QOS}.trust"]
    assert dict(head.unobservable) == {
        f"{QOS}.dcbx": "no tool",
        "docker_host.routes": "ip: not found",
        "containers": "Docker does not answer",
    }
    assert dict(head.allowed) == {f"{QOS}.pause": "no such answer"}
    assert head.foreign == ("container stray",)
    assert (_machine(found, SECOND).state, _machine(found, SECOND).in_sync) == ("unreachable", 0)
    assert reports.summary(found) == (
        "drift: 1 fact on 1 of 2 hosts; 1 pending reboot; 3 unobservable; 1 unobservable, which the stack "
        "allows; 1 foreign; clx-mld-42 unreachable (connection refused)"
    )
    in_sync = collected(_again(applied, _in_sync(applied)).cluster)
    seen_less = 4 + len(_in_sync(applied)[HEAD].facts["docker_host.routes"].keys() - {"generation", "node"})
    assert head.in_sync == _machine(in_sync, HEAD).in_sync - seen_less


def test_what_is_foreign_is_told_and_is_no_drift(applied: Program, told: list[tuple[str, str]]) -> None:
    observations = _in_sync(applied)
    one = _with(observations[SECOND], "docker_host.routes", foreign_routes="10.9.0.0/16 via 31.31.31.9 dev x")
    observations[SECOND] = dataclasses.replace(one, others=("web", "db"))
    program = _again(applied, observations)
    switch = dataclasses.replace(program.cluster.switches[SWITCH], foreign=("traffic pool storage",))
    found = report.tell(dataclasses.replace(program.cluster, switches={SWITCH: switch}))
    assert _machine(found, SECOND).foreign == (
        "container db",
        "container web",
        "route 10.9.0.0/16 via 31.31.31.9 dev x",
    )
    assert _machine(found, SWITCH).foreign == ("traffic pool storage",)
    assert told[-1] == ("warn", "drift: none on 2 hosts and the switch; 4 foreign")
    assert program.cluster.drift == []
    assert reports.verdict(found.model_copy(update={"changes": False}))[0] is reports.Exit.IN_SYNC


def test_a_step_of_which_the_probe_says_nothing_is_unobservable(applied: Program) -> None:
    observations = _in_sync(applied)
    one = observations[SECOND]
    observations[SECOND] = dataclasses.replace(
        one, facts={step: facts for step, facts in one.facts.items() if step != QOS}
    )
    found = collected(_again(applied, observations).cluster)
    assert dict(_machine(found, SECOND).unobservable) == {QOS: "the probe says nothing of it"}


def test_a_step_that_was_never_applied_is_not_missed(applied: Program) -> None:
    observations = _in_sync(applied)
    one = observations[SECOND]
    observations[SECOND] = dataclasses.replace(
        one,
        facts={step: facts for step, facts in one.facts.items() if step != QOS},
        unobservable={QOS: "nothing was applied"},
    )
    inputs = dict(applied.checkpoint().inputs)
    del inputs[COMMAND, f"{SECOND}/{QOS}"]
    found = collected(_again(applied, observations, checkpoint=Checkpoint(inputs)).cluster)
    assert dict(_machine(found, SECOND).unobservable) == {}


@pytest.mark.parametrize(
    ("world", "state", "reason"),
    [
        ({"switches_found": {}, "switches_unreachable": {SWITCH: "no answer"}}, "unreachable", "no answer"),
        ({"switches_found": {}}, "absent", "the lab machine is not there"),
    ],
)
def test_a_silent_switch_is_not_in_sync(
    applied: Program, world: dict[str, Any], state: str, reason: str | None
) -> None:
    found = collected(_again(applied, _in_sync(applied), **world).cluster)
    switch = _machine(found, SWITCH)
    assert (switch.kind, switch.state, switch.reason, switch.in_sync) == ("switch", state, reason, 0)
    assert not reports.is_quiet(found)


def test_drift_of_the_switch_and_of_a_container_are_told(applied: Program) -> None:
    observations = _in_sync(applied)
    head = observations[HEAD]
    observations[HEAD] = dataclasses.replace(
        head, containers={name: one for name, one in head.containers.items() if name != "redis"}
    )
    found = flat.parse(applied.stdin(f"{SWITCH}/switch_qos.roce")) | {"trust": "L2"}
    told = collected(_again(applied, observations, switches_found={SWITCH: found}).cluster)
    assert reports.summary(told) == "drift: 2 facts on 1 of 2 hosts and the switch"
    assert reports.output(_as_preview(told)) == {
        HEAD: {"drift": {"training_job.redis.redis": {"found": "removed", "wanted": "running"}}},
        SWITCH: {"drift": {"switch_qos.roce.trust": {"found": "L2", "wanted": "L3"}}},
    }


def _with_cables(cluster: Cluster, **host_behind_port: str) -> Cluster:
    neighbours = Neighbours(lldp={f"1/{port[1:]}": name for port, name in host_behind_port.items()})
    switch = dataclasses.replace(cluster.switches[SWITCH], neighbours=neighbours)
    return dataclasses.replace(cluster, switches={SWITCH: switch})


def test_a_wrong_cable_counts_though_nothing_drifted(applied: Program, told: list[tuple[str, str]]) -> None:
    cluster = _again(applied, _in_sync(applied)).cluster
    right = report.tell(_with_cables(cluster, p1=HEAD, p2=SECOND))
    assert reports.is_quiet(right)
    assert told[-1] == ("info", "drift: none on 2 hosts and the switch")
    swapped = report.tell(_with_cables(cluster, p1=SECOND, p2=HEAD))
    assert told[-1] == ("warn", "drift: none on 2 hosts and the switch; 2 cables in the wrong port")
    cabling = _machine(swapped, HEAD).cabling
    assert cabling is not None
    assert cabling.startswith(f"cabling: {HEAD} belongs on port 1/1 of {SWITCH}, but it is on port 1/2")
    assert ("warn", cabling) in told
    assert _machine(swapped, SWITCH).cabling is None


def test_a_chain_that_does_not_close_counts_where_nothing_drifted(applied: Program) -> None:
    # Both are as recorded, and the records do not belong together: an up that changed only the switch.
    observations = _in_sync(applied)
    observations[HEAD] = _with(observations[HEAD], QOS, pfc="0,0,0,0,1,0,0,0")
    name = f"{HEAD}/{QOS}"
    other = applied.stdin(name).replace("pfc: '0,0,0,1,0,0,0,0'", "pfc: '0,0,0,0,1,0,0,0'")
    assert other != applied.stdin(name)
    recorded = _broken(applied, COMMAND, name, other)
    found = collected(_again(applied, observations, checkpoint=recorded).cluster)
    assert not any(one.drift for one in found.machines)
    assert _machine(found, HEAD).chain == (
        f"fabric: {HEAD} and {SWITCH}: the host pauses priority 4, but its packets get switch priority 3",
    )
    assert _machine(found, SECOND).chain == ()
    assert reports.summary(found).endswith("; 1 host not in agreement with the switch")
    # As drift of the host it is told as that, and once.
    drifted = collected(_again(applied, observations).cluster)
    assert reports.summary(drifted) == "drift: 1 fact on 1 of 2 hosts"


def test_each_machine_is_looked_at_once_however_much_is_told_of_it(
    applied: Program, told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    for kind in ("HostSide", "SwitchSide"):
        make = getattr(fabric.fabric, kind)

        def noted(make: Any = make, **values: Any) -> Any:
            seen.append(values["name"])
            return make(**values)

        monkeypatch.setattr(fabric.fabric, kind, noted)
    report.tell(_again(applied, _in_sync(applied)).cluster)
    assert sorted(seen) == [HEAD, SECOND, SWITCH]
    assert (
        "info",
        f"fabric {SWITCH}: 2 of 2 hosts agree with it on the lossless chain; "
        "cables: 2 unknown (no frame was seen lately)",
    ) in told


def test_hosts_and_switch_without_our_settings_need_not_agree_yet(
    applied: Program, told: list[tuple[str, str]]
) -> None:
    bare = {name: _with(one, QOS, pfc="x", traffic_class="") for name, one in _in_sync(applied).items()}
    found = report.tell(_again(applied, bare, checkpoint=Checkpoint({})).cluster)
    assert all(one.chain == () for one in found.machines)
    assert not [line for _, line in told if line.startswith("fabric")]


def test_the_file_holds_the_report_and_no_secret(
    applied: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]
) -> None:
    path = tmp_path / "report.json"
    monkeypatch.setenv(report.FILE_VARIABLE, str(path))
    observations = {name: _with(one, QOS, pfc="x") for name, one in _in_sync(applied).items()}
    found = report.tell(_again(applied, observations).cluster)
    assert reports.read(path) == found
    assert "drift: 2 facts on 2 hosts" in path.read_text()
    assert "-- a p" not in path.read_text()
    assert told[-1] == ("warn", "drift: 2 facts on 2 hosts")


def test_silence_is_dated_by_the_file_of_the_run_before(
    applied: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(report.FILE_VARIABLE, str(tmp_path / "report.json"))
    observations = {**_in_sync(applied), SECOND: HostObservation(SECOND, "unreachable", "no answer")}
    cluster = _again(applied, observations).cluster
    first = _machine(report.tell(cluster), SECOND).since
    assert first is not None
    assert _machine(report.tell(cluster), SECOND).since == first


def test_a_file_that_cannot_be_written_is_told_and_ends_nothing(
    applied: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(report.FILE_VARIABLE, str(tmp_path / "file" / "report.json"))
    report.tell(_again(applied, _in_sync(applied)).cluster)
    assert told[-1][0] == "warn"
    assert told[-1][1].startswith("The drift report could not be written to ")


def test_a_preview_exports_what_it_found_and_an_up_what_it_left(applied: Program) -> None:
    observations = {
        HEAD: _with(_in_sync(applied)[HEAD], QOS, pfc="x"),
        SECOND: HostObservation(SECOND, "unreachable", "no answer"),
    }
    found = collected(_again(applied, observations).cluster)
    dead = {SECOND: {"state": "unreachable", "reason": "no answer"}}
    pfc = {"found": "x", "wanted": "0,0,0,1,0,0,0,0"}
    done: pulumi.Output[int] = pulumi.Output.from_input(1)
    assert report.export(_as_preview(found), done) == {HEAD: {"drift": {f"{QOS}.pfc": pfc}}, **dead}
    left: list[object] = []

    @pulumi.runtime.test
    def run() -> pulumi.Output[None]:
        return pulumi.Output.from_input(report.export(found, done)).apply(left.append)

    run()
    assert left == [dead]


def _broken(applied: Program, type_token: str, name: str, stdin: object) -> Checkpoint:
    inputs = dict(applied.checkpoint().inputs)
    inputs[type_token, name] = {**inputs[type_token, name], "stdin": stdin}
    return Checkpoint(inputs)


@pytest.mark.parametrize(
    ("stdin", "why"),
    [
        ("not a setting line", "line 1 is not a setting line"),
        ("trust: 'dscp'\n", "there is no 'generation' in its stdin"),
        ("generation: 'two'\n", "invalid literal for int"),
        ({"ciphertext": "v1:…"}, "its stdin is no text"),
    ],
)
def test_a_record_that_cannot_be_read_is_one_clear_error(applied: Program, stdin: object, why: str) -> None:
    name = f"{SECOND}/{QOS}"
    broken = _broken(applied, COMMAND, name, stdin)
    with pytest.raises(CheckpointError) as caught:
        _again(applied, _in_sync(applied), checkpoint=broken)
    said = str(caught.value)
    assert said.startswith(f"The checkpoint's record of {name} cannot be read ({why}")
    assert "`pulumi stack import`" in said
