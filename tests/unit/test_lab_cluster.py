"""The lab's resources as they are declared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from lab import cluster
from lab.files import LabFiles
from lab.keys import ensure_keys
from settings.loader import load_file

STACK_FILE = Path(__file__).parents[2] / "Pulumi.lab.yaml"
MACHINES = {"clx-mld-41", "clx-mld-42", "swx-mld-1-2", "vendor"}
Declared = dict[tuple[str, str], dict[str, Any]]


class _Recorder(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.declared: Declared = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.declared[args.typ, args.name] = dict(args.inputs)
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the lab called {args.token}")


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Declared]:
    files = LabFiles(tmp_path)
    ensure_keys(files, MACHINES - {"vendor"})
    files.vendor.mkdir(parents=True)
    files.vendor_manifest.write_text("{}")
    monkeypatch.setattr(cluster, "LabFiles", lambda: files)
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/test/docker.sock")
    recorder = _Recorder()
    pulumi.runtime.set_mocks(recorder, project="rocestack", stack="lab", preview=False)

    @pulumi.runtime.test
    def declare() -> pulumi.Output[Any]:
        lab = cluster.Lab("lab", load_file(STACK_FILE), {"clx-mld-42": 3})
        assert set(lab.nodes) == MACHINES
        return pulumi.Output.all(*(node.urn for node in lab.nodes.values()))

    declare()
    yield recorder.declared


def _containers(declared: Declared) -> dict[str, dict[str, Any]]:
    return {name: inputs for (kind, name), inputs in declared.items() if kind.endswith(":Container")}


def _labels(inputs: dict[str, Any]) -> dict[str, str]:
    return {one["label"]: one["value"] for one in inputs["labels"]}


def test_each_machine_is_one_container_and_one_step_that_waits_for_it(declared: Declared) -> None:
    assert set(_containers(declared)) == MACHINES
    ready = {name for kind, name in declared if kind == "command:local:Command"}
    assert ready == {f"{name}/ready" for name in MACHINES}
    for name in MACHINES:
        step = declared["command:local:Command", f"{name}/ready"]
        assert step["create"] == step["update"] == "python -m lab wait"
        assert "triggers" not in step


def test_the_wait_step_runs_again_for_a_new_generation(declared: Declared) -> None:
    step = declared["command:local:Command", "clx-mld-42/ready"]
    assert "node: '3'\n" in step["stdin"]
    assert "node: '1'\n" in declared["command:local:Command", "clx-mld-41/ready"]["stdin"]


def test_generations_are_labels_and_name_the_volumes(declared: Declared) -> None:
    containers = _containers(declared)
    assert _labels(containers["clx-mld-42"])["rocestack.generation"] == "3"
    assert _labels(containers["clx-mld-41"])["rocestack.generation"] == "1"
    volumes = {inputs["name"] for (kind, _), inputs in declared.items() if kind.endswith(":Volume")}
    assert {"rocestack-lab-clx-mld-42-docker-3", "rocestack-lab-clx-mld-41-docker-1"} <= volumes


def test_no_machine_is_privileged_and_every_port_is_on_loopback(declared: Declared) -> None:
    for name, inputs in _containers(declared).items():
        assert not inputs.get("privileged"), name
        assert "deviceCgroupRules" not in inputs, name
        assert [port["ip"] for port in inputs["ports"]] == ["127.0.0.1"], name
    assert "capabilities" not in _containers(declared)["vendor"]


def test_mounted_files_are_read_only_and_nothing_is_uploaded(declared: Declared) -> None:
    for name, inputs in _containers(declared).items():
        assert "uploads" not in inputs, name
        for volume in inputs["volumes"]:
            assert volume.get("readOnly", False) == ("hostPath" in volume), name


def test_the_machine_is_on_its_networks_in_order(declared: Declared) -> None:
    networks = [one["name"] for one in _containers(declared)["clx-mld-41"]["networksAdvanced"]]
    assert networks == ["rocestack-lab-management", "rocestack-lab-port-1-1"]
    cable = declared["docker:index/network:Network", "rocestack-lab-port-1-1"]
    assert cable["options"] == {"com.docker.network.driver.mtu": "9216"}
    assert not cable.get("internal")
