"""The probe's script, and its answers as recorded on lab nodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.observation import HOST_STEPS
from facts.probe import ProbeAnswer, ProbeError, parse, render

RECORDED = Path(__file__).parents[1] / "fixtures" / "node"
IMAGE = "sha256:a72699b2ebea65c1abc251bbe57495052bc3bca02ad549b333b7da5573607e6d"


def recorded(case: str) -> ProbeAnswer:
    return parse((RECORDED / case / "probe.txt").read_text())


def test_in_sync_node() -> None:
    answer = recorded("in_sync")
    assert answer.unobservable == {}
    # Recorded where the stack asked for no driver and no upgrades.
    assert set(answer.facts) < set(HOST_STEPS)
    assert len(answer.facts) == 9
    assert answer.facts["ofed_stack.address"] == {
        "interface": "enp1f0",
        "address": "31.31.31.41/24",
        "mtu": "9000",
        "link": "up",
    }
    assert answer.facts["ofed_stack.qos"]["pfc"] == "0,0,0,1,0,0,0,0"
    assert answer.facts["docker_host.routes"]["routes"] == "172.30.42.0/24 via 31.31.31.42"
    found = answer.containers["fh-a"]
    assert (found.status, found.image_id, found.generation, found.run_id) == ("running", IMAGE, "2", None)


def test_drifted_node_differs_in_what_was_changed_by_hand_and_in_nothing_else() -> None:
    before, after = recorded("in_sync").facts, recorded("drifted").facts
    changed = {
        (step, key): after[step][key]
        for step in before
        for key in before[step]
        if after[step][key] != before[step][key]
    }
    assert changed == {
        ("ofed_stack.address", "mtu"): "1500",
        ("ofed_stack.qos", "pfc"): "0,0,0,0,0,0,0,0",
        ("ofed_stack.qos", "trust"): "dscp (until reboot)",
        ("docker_host.routes", "routes"): "172.30.42.0/24 via 31.31.31.77",
    }


def test_stopped_engine_is_a_fact_and_what_only_it_knows_is_unobservable() -> None:
    answer = recorded("docker_stopped")
    assert answer.facts["docker_host.engine"]["service"] == "inactive"
    assert answer.containers == {}
    assert set(answer.unobservable) == {"caffe2_image.pull", "containers"}
    assert "caffe2_image.pull" not in answer.facts
    assert answer.unobservable["containers"].startswith("Cannot connect to the Docker daemon")


def test_interface_that_is_gone_is_absent_in_every_key() -> None:
    answer = recorded("interface_gone")
    assert set(answer.facts["ofed_stack.address"].values()) == {"absent"}
    assert answer.facts["ofed_stack.qos"] == {"interface": "absent"}
    assert answer.facts["docker_host.routes"]["routes"] == ""


def made(**parts: object) -> str:
    document = {"name": "/shard-0.a_b", "status": "exited", "exit_code": 137, "image": "sha256:ab"}
    return json.dumps({**document, "config": {"Labels": None}, **parts})


def labelled(**labels: str) -> dict[str, dict[str, str]]:
    return {"Labels": {f"rocestack.{name}": value for name, value in labels.items()}}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (made(config=labelled(generation="3", run_id="run-1")), ("exited", 137, "3", "run-1")),
        (made(status="running", exit_code=0, health="healthy"), ("running", 0, None, None)),
        (made(status="running", exit_code=0, health="unhealthy"), ("running unhealthy", 0, None, None)),
        (made(status="exited", exit_code=0, health="unhealthy"), ("exited", 0, None, None)),
        (made(status="created", exit_code=0), ("created", 0, None, None)),
        (made(status="dead", exit_code=-1, config=labelled(generation="2")), ("dead", -1, "2", None)),
    ],
)
def test_container(line: str, expected: tuple[object, ...]) -> None:
    found = parse(f"container={line}\nprobe.end=\n").containers
    assert set(found) == {"shard-0.a_b"}
    one = found["shard-0.a_b"]
    assert (one.status, one.exit_code, one.generation, one.run_id) == expected
    assert one.image_id == "sha256:ab"
    assert one.made == json.loads(line)


def test_other_containers_are_known_by_name_alone() -> None:
    answer = parse("containers.other=web\ncontainers.other=db\nprobe.end=\n")
    assert (answer.containers, answer.others) == ({}, ("db", "web"))


def test_value_may_hold_an_equals_sign() -> None:
    answer = parse("docker_host.engine.registry_ca=LS0=\nprobe.end=\n")
    assert answer.facts == {"docker_host.engine": {"registry_ca": "LS0="}}


def test_nothing_to_say_is_an_answer() -> None:
    assert parse("probe.end=\n") == ProbeAnswer()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cut off"),
        ("ofed_stack.qos.trust=dscp\n", "cut off"),
        ("probe.end=\nofed_stack.qos.trust=dscp\n", "cut off"),
        ("Last login: today\nprobe.end=\n", "not a line of the probe: 'Last login: today'"),
        ("container=running|0|sha256:ab|1|x\nprobe.end=\n", "not a container's state"),
        ('container={"name": "/a", "config": {}}\nprobe.end=\n', "not a container's state"),
        ("container=[]\nprobe.end=\n", "not a container's state"),
    ],
)
def test_other_answers_are_refused(text: str, message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        parse(text)


def test_script_holds_the_asked_sections_in_order_and_no_other() -> None:
    script = render(["ofed_stack.qos", "gpu_host.nouveau"])
    sections = [line for line in script.splitlines() if line.startswith("section ")]
    assert sections == ["section ofed_stack.qos", "section gpu_host.nouveau"]
    # Our files are looked at in any case, their paths say whose they are.
    assert "probe_routes" not in script


def test_script_always_ends_with_containers_and_the_end_mark() -> None:
    lines = [line for line in render([]).splitlines() if line]
    assert lines[-2:] == ["probe_containers", r"printf 'probe.end=\n'"]


@pytest.mark.parametrize("step", ["qos", "ofed_stack.qos.pfc", "../common", "ofed_stack.qos; reboot", ""])
def test_name_that_is_no_step_is_refused(step: str) -> None:
    with pytest.raises(ValueError, match=r"component\.concern"):
        render([step])
