"""Drift in the program: one drifted fact changes one resource, an unreachable host changes none."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from facts.observe import ContainerFact, HostObservation
from settings import flat
from tests.components.harness import IMAGE_ID, Program, World, lab_stack

HOSTS = ("clx-mld-41", "clx-mld-42")


@pytest.fixture(scope="module")
def applied() -> Program:
    return Program(World(lab_stack()))


def _in_sync(applied: Program, hosts: Sequence[str] = HOSTS) -> dict[str, HostObservation]:
    observations = {}
    for index, host in enumerate(hosts):
        facts = {
            name.partition("/")[2]: flat.parse(applied.stdin(name))
            for name, one in applied.by_name.items()
            if name.startswith(f"{host}/") and one.type == "command:remote:Command"
        }
        labels = {
            one["label"]: one["value"]
            for one in applied.by_name[f"{host}/caffe2-shard-{index}"].inputs["labels"]
        }
        shard = ContainerFact(
            "exited", 0, IMAGE_ID, labels["rocestack.generation"], labels["rocestack.run_id"]
        )
        containers = {f"caffe2-shard-{index}": shard}
        if index == 0:
            containers["redis"] = ContainerFact("running", 0, IMAGE_ID, "1", "")
        observations[host] = HostObservation(host=host, state="reachable", facts=facts, containers=containers)
    return observations


def _changed(before: Program, after: Program) -> set[str]:
    return {name for name in before.by_name if before.by_name[name].inputs != after.by_name[name].inputs}


def _again(applied: Program, observations: dict[str, HostObservation]) -> Program:
    return Program(World(lab_stack(), checkpoint=applied.checkpoint(), observations=observations))


def test_in_sync_changes_nothing(applied: Program) -> None:
    again = _again(applied, _in_sync(applied))
    assert _changed(applied, again) == set()
    assert again.cluster.drift == []


@pytest.mark.parametrize(
    ("step", "key", "found"),
    [
        ("ofed_stack.qos", "pfc", "0,0,0,0,0,0,0,0"),
        ("ofed_stack.qos", "pause", "on"),
        ("ofed_stack.qos", "tsa", "vendor,vendor,vendor,vendor,vendor,vendor,vendor,vendor"),
        ("ofed_stack.qos", "traffic_class", "unset"),
        ("ofed_stack.address", "mtu", "1500"),
        ("docker_host.routes", "routes", ""),
        ("docker_host.engine", "service", "inactive"),
    ],
)
def test_one_drifted_fact_changes_one_resource(applied: Program, step: str, key: str, found: str) -> None:
    observations = _in_sync(applied)
    one = observations["clx-mld-42"]
    facts = {**one.facts, step: {**one.facts[step], key: found}}
    observations["clx-mld-42"] = dataclasses.replace(one, facts=facts)
    again = _again(applied, observations)
    assert _changed(applied, again) == {f"clx-mld-42/{step}"}
    lines = flat.parse(again.stdin(f"clx-mld-42/{step}"))
    assert lines["generation"] == "2"
    assert lines[f"drift_{key}"].startswith(f"found {found or 'nothing'}, wanted ")
    assert [drift.host for drift in again.cluster.drift] == ["clx-mld-42"]


def test_a_drifted_step_with_a_reboot_is_one_resource(applied: Program) -> None:
    observations = _in_sync(applied)
    one = observations["clx-mld-42"]
    facts = {**one.facts, "gpu_host.nouveau": {**one.facts["gpu_host.nouveau"], "nouveau": "allowed"}}
    observations["clx-mld-42"] = dataclasses.replace(one, facts=facts)
    again = _again(applied, observations)
    assert _changed(applied, again) == {"clx-mld-42/gpu_host.nouveau"}
    assert [str(drift) for drift in again.cluster.drift] == [
        "clx-mld-42 gpu_host.nouveau.nouveau: found 'allowed', wanted 'blacklisted'"
    ]


def test_a_removed_service_is_made_again_alone(applied: Program) -> None:
    observations = _in_sync(applied)
    head = observations["clx-mld-41"]
    containers = {name: fact for name, fact in head.containers.items() if name != "redis"}
    observations["clx-mld-41"] = dataclasses.replace(head, containers=containers)
    again = _again(applied, observations)
    assert _changed(applied, again) == {"clx-mld-41/redis"}


def test_a_service_that_fails_its_health_check_is_made_again_alone(applied: Program) -> None:
    observations = _in_sync(applied)
    head = observations["clx-mld-41"]
    sick = dataclasses.replace(head.containers["redis"], status="running unhealthy")
    observations["clx-mld-41"] = dataclasses.replace(head, containers={**head.containers, "redis": sick})
    again = _again(applied, observations)
    assert _changed(applied, again) == {"clx-mld-41/redis"}
    assert [one.found for one in again.cluster.drift] == ["running unhealthy"]


def test_a_container_that_was_made_anew_by_hand_is_replaced(applied: Program) -> None:
    observations = _in_sync(applied)
    head = observations["clx-mld-41"]
    redis = applied.by_name["clx-mld-41/redis"].inputs
    labels = {one["label"]: one["value"] for one in redis["labels"]}
    made = {
        "image": IMAGE_ID,
        "config": {
            "Cmd": redis["command"],
            "User": "redis",
            "Labels": labels,
            "Env": ["A=1"],
            "Healthcheck": {
                "Test": redis["healthcheck"]["tests"],
                "Interval": 2 * 10**9,
                "Timeout": 3 * 10**9,
                "Retries": 5,
            },
        },
        "host": {
            "NetworkMode": "host",
            "CapDrop": ["ALL"],
            "RestartPolicy": {"Name": "unless-stopped"},
            "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges:true"],
            "Memory": 256 * 2**20,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "4m", "max-file": "2"}},
        },
    }
    for env, drifts in (([], False), (["A=1"], True)):
        made["config"]["Env"] = env
        fact = dataclasses.replace(head.containers["redis"], made=made)
        facts = {**head.facts, "caffe2_image.pull": {**head.facts["caffe2_image.pull"], "image_config": "{}"}}
        observations["clx-mld-41"] = dataclasses.replace(
            head, facts=facts, containers={**head.containers, "redis": fact}
        )
        again = _again(applied, observations)
        assert _changed(applied, again) == ({"clx-mld-41/redis"} if drifts else set())
        assert [one.key for one in again.cluster.drift] == ["redis.env"] * drifts
        # That one has the name: it makes way for ours, and nothing else does.
        hooks = {name: one.hooks for name, one in again.by_name.items() if one.hooks}
        assert hooks == ({"clx-mld-41/redis": ("clx-mld-41-redis-clear",)} if drifts else {})


def test_a_failed_shard_starts_the_whole_job_anew(applied: Program) -> None:
    observations = _in_sync(applied)
    one = observations["clx-mld-42"]
    failed = dataclasses.replace(one.containers["caffe2-shard-1"], exit_code=1)
    observations["clx-mld-42"] = dataclasses.replace(one, containers={"caffe2-shard-1": failed})
    again = _again(applied, observations)
    assert _changed(applied, again) == {
        "clx-mld-41/caffe2-shard-0",
        "clx-mld-42/caffe2-shard-1",
        "training_job.verify",
        "training_job.wait",
    }


def test_an_unreachable_host_keeps_its_record(applied: Program) -> None:
    observations = _in_sync(applied)
    observations["clx-mld-42"] = HostObservation(
        host="clx-mld-42", state="unreachable", reason="connection refused"
    )
    again = _again(applied, observations)
    assert again.cluster.drift == []
    for name, one in again.by_name.items():
        if name.startswith("clx-mld-42/") and one.type == "command:remote:Command":
            assert "stdin" in one.ignore_changes
        elif one.type == "command:remote:Command":
            assert one.ignore_changes == ()


def test_a_new_lab_node_is_configured_in_the_same_up(applied: Program) -> None:
    observations = _in_sync(applied)
    observations["clx-mld-42"] = HostObservation(host="clx-mld-42", state="absent")
    again = Program(
        World(
            lab_stack(),
            checkpoint=applied.checkpoint(),
            observations=observations,
            node_generations={"clx-mld-42": 2},
        )
    )
    changed = _changed(applied, again)
    assert {name for name in changed if name.startswith("clx-mld-42/") and "." in name} == {
        f"clx-mld-42/{step}"
        for step in (
            *("gpu_host.preflight", "gpu_host.nouveau", "ofed_stack.packages", "ofed_stack.link_type"),
            *("ofed_stack.address", "ofed_stack.qos"),
            *("docker_host.engine", "docker_host.routes", "caffe2_image.pull", "caffe2_image.host_check"),
            *("training_job.dataset",),
        )
    }
    assert not {name for name in changed if name.startswith("clx-mld-41/") and "." in name}


def test_switch_drift_changes_the_switch_alone(applied: Program) -> None:
    found = flat.parse(applied.stdin("swx-mld-1-2/switch_qos.roce"))
    again = Program(
        World(
            lab_stack(),
            checkpoint=applied.checkpoint(),
            observations=_in_sync(applied),
            switches_found={"swx-mld-1-2": {**found, "trust": "L2"}},
        )
    )
    assert _changed(applied, again) == {"swx-mld-1-2/switch_qos.roce"}
    assert "drift_trust: 'found L2, wanted L3 (repair 1)'" in again.stdin("swx-mld-1-2/switch_qos.roce")
