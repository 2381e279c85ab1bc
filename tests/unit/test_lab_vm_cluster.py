"""The guests' resources as they are declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from lab.files import LabFiles
from lab.keys import ensure_keys
from lab.vm import cluster
from lab.vm.plan import Media, guest_from, plan_guests
from settings import flat
from settings.loader import load_file

STACK = load_file(Path(__file__).parents[2] / "Pulumi.vmlab.yaml")
NAMES = ("clx-vm-41", "clx-vm-42")


class _Recorder(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.declared: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.declared[args.name] = dict(args.inputs)
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the lab called {args.token}")


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    files = LabFiles(tmp_path)
    ensure_keys(files, NAMES)
    monkeypatch.setattr(cluster, "LabFiles", lambda: files)
    recorder = _Recorder()
    pulumi.runtime.set_mocks(recorder, project="rocestack", stack="vmlab", preview=False)
    guests = plan_guests(STACK, "vmlab", Media("i", "l", "d"), "tcg", dict.fromkeys(NAMES, "k"))

    @pulumi.runtime.test
    def declare() -> pulumi.Output[Any]:
        made = cluster.Guests("vmlab", guests)
        assert set(made.nodes) == set(NAMES)
        return pulumi.Output.all(*(node.urn for node in made.nodes.values()))

    declare()
    return recorder.declared


def test_each_guest_is_started_waited_for_and_ended(declared: dict[str, dict[str, Any]]) -> None:
    for name in NAMES:
        machine = declared[name]
        assert machine["create"] == machine["update"] == "python -m lab vm start"
        assert machine["delete"] == "python -m lab vm stop"
        assert guest_from(flat.parse(machine["stdin"])).name == name
        assert declared[f"{name}/ready"]["create"] == "python -m lab wait"
        assert "triggers" not in machine


def test_the_wait_runs_again_whenever_the_guest_is_started(declared: dict[str, dict[str, Any]]) -> None:
    for name in NAMES:
        machine = flat.parse(declared[name]["stdin"])
        wait = flat.parse(declared[f"{name}/ready"]["stdin"])
        assert machine.items() <= wait.items()
        assert wait["kind"] == "guest"
        assert wait["host_key"].startswith("ssh-ed25519 ")


def test_no_secret_and_no_path_of_this_machine_is_recorded(
    declared: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    for inputs in declared.values():
        assert str(tmp_path) not in str(inputs)
        assert "PRIVATE KEY" not in str(inputs)
