"""The docker plugin: what is read back from the engine, and what a change means."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from engine.plugins.common import diff, wire
from engine.plugins.docker import container_state as state
from engine.plugins.docker import spec
from engine.plugins.docker.container import INCOMPLETE, Container
from engine.plugins.docker.host import Host
from engine.plugins.docker.network import network_values
from engine.plugins.docker.network import observed as observed_network
from engine.plugins.docker.remote_image import computed

RECORDED = Path(__file__).parents[1] / "fixtures" / "docker"


# What is read back. The inspections were recorded from engine 20.10 for exactly these inputs.


def recorded(case: str) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = RECORDED / case
    inputs = json.loads((folder / "inputs.json").read_text())
    return inputs, json.loads((folder / "inspect.json").read_text())


def test_an_untouched_container_does_not_differ() -> None:
    inputs, info = recorded("container")
    assert state.observed(inputs, info) == inputs


def _set(info: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for part in parents:
        info = info[part]
    info[last] = value


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("Image", "sha256:other", []),
        ("Config.Image", "other:1", ["image"]),
        ("Config.Env", ["PATH=/bin", "A=9", "B=2"], ["envs[1]"]),
        ("Config.Labels", {}, ["labels[0]"]),
        ("Config.Labels", {"gen": "4", "of the image": "x"}, []),
        ("Config.Cmd", ["/bin/sh"], ["command[1]", "command[2]"]),
        ("Config.Hostname", "other", ["hostname"]),
        ("Config.Healthcheck", None, ["healthcheck.found", "healthcheck.interval"]),
        ("HostConfig.Memory", 1 << 20, ["memory"]),
        ("HostConfig.ShmSize", 1 << 20, ["shmSize"]),
        ("HostConfig.CapAdd", ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE"], []),
        ("HostConfig.CapAdd", ["SYS_ADMIN"], ["capabilities.adds[1]", "capabilities.adds[2]"]),
        ("HostConfig.MaskedPaths", ["/proc/kcore"], ["securityOpts[2]"]),
        ("HostConfig.SecurityOpt", ["seccomp=unconfined", "apparmor=unconfined", "label=disable"], []),
        ("HostConfig.DeviceCgroupRules", None, ["deviceCgroupRules[0]"]),
        ("HostConfig.CgroupnsMode", "host", ["cgroupnsMode"]),
        ("HostConfig.Tmpfs", {"/run": ""}, ['tmpfs["/tmp"]']),
        ("HostConfig.Ulimits", [], ["ulimits[0]"]),
        ("HostConfig.ExtraHosts", None, ["hosts[0]"]),
        ("HostConfig.RestartPolicy", {"Name": "no"}, ["restart"]),
        ("HostConfig.NetworkMode", "host", []),
        ("NetworkSettings.Networks", {}, ["networksAdvanced[0]", "networksAdvanced[1]"]),
        ("State.Running", False, ["mustRun"]),
        ("State.ExitCode", 7, []),
    ],
)
def test_a_changed_container_differs_in_what_the_program_set(
    path: str, value: Any, changed: list[str]
) -> None:
    inputs, info = recorded("container")
    touched = copy.deepcopy(info)
    _set(touched, path, value)
    found = diff.compare(spec.CONTAINER.inputs, state.observed(inputs, touched), inputs)
    assert [item.path for item in found if not item.path.startswith("healthcheck")] == [
        path for path in changed if not path.startswith("healthcheck")
    ]
    assert any(item.path.startswith("healthcheck") for item in found) is any(
        "healthcheck" in path for path in changed
    )


def test_a_restarting_container_is_up() -> None:
    _, info = recorded("container")
    info["State"].update(Running=False, Restarting=True)
    assert state.is_up(info)


def test_outputs_of_a_container() -> None:
    inputs, info = recorded("container")
    outputs = state.computed(info)
    assert [item["ipAddress"] for item in outputs["networkDatas"]] == ["10.143.7.10", "10.143.8.10"]
    assert outputs["networkDatas"][0]["ipPrefixLength"] == 24
    assert outputs["exitCode"] == 0
    filled = state.filled(inputs, info)
    assert filled["logDriver"] == "json-file"
    assert "hostname" not in filled


def test_an_untouched_network_does_not_differ() -> None:
    inputs, info = recorded("network")
    assert observed_network(inputs, info) == inputs


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        ("Internal", True, []),
        ("Options", {}, ['options["com.docker.network.bridge.name"]']),
        ("Labels", {"a": "c"}, ["labels[0]"]),
        (
            "IPAM",
            {"Driver": "default", "Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}]},
            ["ipamConfigs[0]"],
        ),
    ],
)
def test_a_changed_network_differs_in_what_the_program_set(key: str, value: Any, changed: list[str]) -> None:
    inputs, info = recorded("network")
    found = diff.compare(spec.NETWORK.inputs, observed_network(inputs, {**info, key: value}), inputs)
    assert [item.path for item in found] == changed


def test_values_of_a_network() -> None:
    _, info = recorded("network")
    assert network_values(info)["ipamConfigs"] == [{"subnet": "10.143.7.0/24", "gateway": "10.143.7.1"}]


# What a change means.


def _replaced(olds: dict[str, Any], news: dict[str, Any], outputs: dict[str, Any]) -> set[str]:
    resource = Container(Host())
    return resource.must_replace(diff.compare(spec.CONTAINER.inputs, olds, news), outputs)


def test_what_replaces_a_container_and_what_does_not() -> None:
    inputs, _ = recorded("container")
    assert _replaced(inputs, inputs, {}) == set()
    assert _replaced(inputs, {**inputs, "memory": 5.0, "restart": "no", "mustRun": False}, {}) == set()
    label = [{"label": "gen", "value": "2"}]
    assert _replaced(inputs, {**inputs, "labels": label}, {}) == {"labels[0]"}
    assert _replaced(inputs, {**inputs, "image": "other"}, {}) == {"image"}


def test_a_container_that_was_not_brought_up_is_replaced() -> None:
    inputs, _ = recorded("container")
    assert _replaced(inputs, inputs, {INCOMPLETE: True}) == {"name"}
    assert Container(Host()).delete_before_replace(inputs)


def test_a_preview_knows_the_inputs_and_nothing_that_the_engine_decides() -> None:
    planned = Container(Host()).planned({"name": "n", "image": "i"}, None)
    assert planned["name"] == "n"
    assert planned["networkDatas"] is wire.UNKNOWN
    assert planned["hostname"] is wire.UNKNOWN
    changed = Container(Host()).planned({"name": "n", "memory": 5.0}, {"memory": 4.0, "exitCode": 0.0})
    assert changed == {"name": "n", "memory": 5.0, "exitCode": 0.0}


@pytest.mark.parametrize(
    ("name", "digests", "expected"),
    [
        ("r:5000/a/b:1", ["r:5000/a/b@sha256:1", "x@sha256:2"], "r:5000/a/b@sha256:1"),
        ("r:5000/a/b@sha256:1", ["x@sha256:2", "r:5000/a/b@sha256:1"], "r:5000/a/b@sha256:1"),
        ("a:1", [], ""),
    ],
)
def test_the_digest_of_an_image(name: str, digests: list[str], expected: str) -> None:
    assert computed({"Id": "sha256:i", "RepoDigests": digests}, name) == {
        "imageId": "sha256:i",
        "repoDigest": expected,
    }
