"""State interchange: what stands in the state is what the official plugins write, and theirs is accepted.

docs/decisions/0007 says what is promised; the official binaries prove the same table where they can be had.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.cli import PROJECT, Engine, Stack
from tests.conformance.declare import local, raw, remote, secret
from tests.conformance.host import Host, node_image, run

VERSION = "1.2.1"
DOCKER_VERSION = "5.2.0"
# What each plugin adds to the state for itself. The other one must neither choke on it nor see a change.
MARKS: dict[str, Callable[[dict[str, Any]], None]] = {}


def _mark(name: str) -> Callable[[Callable[[dict[str, Any]], None]], Callable[[dict[str, Any]], None]]:
    def keep(work: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        MARKS[name] = work
        return work

    return keep


@_mark("defaults that a bridged provider notes")
def _defaults(resource: dict[str, Any]) -> None:
    resource["inputs"]["__defaults"] = []
    resource["outputs"]["__defaults"] = []
    connection = resource["inputs"].get("connection")
    if isinstance(connection, dict) and "plaintext" not in connection and "ciphertext" not in connection:
        connection["__defaults"] = []


@_mark("inputs that a native provider notes")
def _inputs(resource: dict[str, Any]) -> None:
    resource["outputs"]["__inputs"] = {
        key: item for key, item in resource["inputs"].items() if key != "__inputs"
    }


@_mark("optional values written as null")
def _nulls(resource: dict[str, Any]) -> None:
    for key in ("environment", "triggers", "logging"):
        resource["outputs"].setdefault(key, None)


def _declared(machine: Host, place: str, stdin: str = "v1") -> list[dict[str, Any]]:
    log = f"echo $0 $(cat) >> {place}/log"
    return [
        remote(
            machine,
            "remote",
            create=log.replace("$0", "create"),
            update=log.replace("$0", "update"),
            delete=log.replace("$0", "delete"),
            stdin=secret(stdin),
            triggers=["a", 1, True],
        ),
        local("local", create="cat", delete="true", stdin=stdin, environment={"WORD": "w"}),
    ]


def test_types_ids_and_the_providers_version(stack: Stack, machine: Host, place: str) -> None:
    stack.declare(*_declared(machine, place))
    stack.up()
    state = stack.state()
    urn = f"urn:pulumi:{stack.name}::{PROJECT}::"
    for name, token in (("remote", "command:remote:Command"), ("local", "command:local:Command")):
        one = state[name]
        assert one["type"] == token
        assert one["urn"] == f"{urn}{token}::{name}"
        assert re.fullmatch(f"{name}[0-9a-f]{{8}}", one["id"])
        assert one["custom"] is True
        provider = f"default_{VERSION.replace('.', '_')}"
        assert one["provider"].startswith(f"{urn}pulumi:providers:command::{provider}::")
        assert state[provider]["inputs"]["version"] == VERSION
    given = set(state["remote"]["inputs"]) - {"__defaults"}
    assert {"connection", "create", "update", "delete", "stdin", "triggers"} <= given
    assert set(state["remote"]["outputs"]) >= given | {"stdout", "stderr"}
    assert state["remote"]["outputs"]["triggers"] == ["a", 1, True]


@pytest.mark.parametrize("mark", sorted(MARKS))
def test_state_with_another_plugins_marks_goes_on_without_a_change(
    stack: Stack, machine: Host, place: str, mark: str, engine: Engine
) -> None:
    stack.declare(*_declared(machine, place))
    stack.up()
    document = copy.deepcopy(stack.exported())
    for one in document["deployment"]["resources"]:
        if one["type"].startswith("command:"):
            MARKS[mark](one)
    stack.imported(document)
    assert stack.expects_no_changes()
    stack.declare(*_declared(machine, place, "v2"))
    assert stack.planned() == {"remote": ("update", ["stdin"]), "local": ("update", ["stdin"])}
    stack.up()
    stack.destroy()
    assert machine.read(f"{place}/log").splitlines() == ["create v1", "update v2", "delete v2"]


def test_a_refresh_changes_nothing(stack: Stack, machine: Host, place: str) -> None:
    stack.declare(*_declared(machine, place))
    stack.up()
    before = {name: one.get("inputs") for name, one in stack.state("--show-secrets").items()}
    stack.run("refresh", "--yes", "--skip-preview")
    assert {name: one.get("inputs") for name, one in stack.state("--show-secrets").items()} == before
    assert stack.expects_no_changes()


def _docker(name: str, stop: str) -> list[dict[str, Any]]:
    """Return one of each thing that a Docker engine keeps, all with the same unique name."""
    return [
        raw("docker:index/network:Network", "network", name=name, version=DOCKER_VERSION),
        raw("docker:index/volume:Volume", "volume", name=name, version=DOCKER_VERSION),
        raw(
            "docker:index/container:Container",
            "container",
            name=name,
            image=run("docker", "image", "inspect", "-f", "{{.Id}}", node_image()).strip(),
            entrypoints=["sleep"],
            command=["600"],
            networkMode="none",
            stopSignal=stop,
            version=DOCKER_VERSION,
        ),
    ]


def test_docker_resources_under_another_plugins_marks(stack: Stack) -> None:
    name = f"rocestack-{stack.folder.parent.name}-{stack.name}"
    stack.declare(*_docker(name, "SIGKILL"))
    try:
        stack.up()
        state = stack.state()
        ids = {
            kind: run("docker", kind, "inspect", "-f", "{{.Id}}", name).strip()
            for kind in ("network", "container")
        }
        assert {kind: state[kind]["id"] for kind in ids} == ids
        assert state["volume"]["id"] == name
        document = copy.deepcopy(stack.exported())
        for one in document["deployment"]["resources"]:
            if one["type"].startswith("docker:"):
                assert one["provider"].split("::")[-2] == f"default_{DOCKER_VERSION.replace('.', '_')}"
                one["inputs"]["__defaults"] = []
                one["outputs"].update({"__meta": '{"schema_version":"2"}', "__defaults": []})
        stack.imported(document)
        assert stack.expects_no_changes()
        stack.declare(*_docker(name, "SIGTERM"))
        assert list(stack.planned()) == ["container"]
        stack.up()
        assert run("docker", "container", "inspect", "-f", "{{.Config.StopSignal}}", name) == "SIGTERM\n"
        stack.destroy()
        for kind in ("container", "network", "volume"):
            assert name not in run("docker", kind, "ls", *(["-a"] if kind == "container" else []))
    finally:
        run("docker", "rm", "-f", name, check=False)
        run("docker", "network", "rm", name, check=False)
        run("docker", "volume", "rm", name, check=False)
