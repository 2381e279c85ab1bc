"""Destroy to the end: what a killed run was making, what is left and where, and whose lock it is."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from engine.destroy import (
    Left,
    adopt,
    dead_locks,
    failures,
    left,
    main,
    release,
    still_there,
    tell,
)

REMOTE, CONTAINER = "command:remote:Command", "docker:index/container:Container"


def _one(type_: str, title: str, /, *after: str, **inputs: Any) -> dict[str, Any]:
    dependencies = [_urn(REMOTE, one) for one in after]
    return {
        "urn": _urn(type_, title),
        "custom": True,
        "type": type_,
        "inputs": inputs,
        "dependencies": dependencies,
    }


def _urn(type_: str, name: str) -> str:
    return f"urn:pulumi:x::rocestack::{type_}::{name}"


def _document(*resources: dict[str, Any], pending: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    stack = {"urn": _urn("pulumi:pulumi:Stack", "rocestack-x"), "type": "pulumi:pulumi:Stack"}
    stack["outputs"] = {"hosts": {"a": "root@192.0.2.1 port 22"}}  # type: ignore[assignment]
    provider = {**_one("pulumi:providers:command", "default_1_2_1"), "id": "p"}
    return {"deployment": {"resources": [stack, provider, *resources], "pending_operations": pending or []}}


@pytest.mark.parametrize(
    ("resource", "id_"),
    [
        (_one(REMOTE, "a/s.1", create="x", delete="y"), "a/s.1"),
        (_one("command:local:Command", "operator/i.1", create="x", delete="y"), "operator/i.1"),
        (_one(CONTAINER, "a/redis", name="redis"), "redis"),
        (_one("docker:index/network:Network", "n", name="lab-n"), "lab-n"),
    ],
    ids=["remote", "local", "container", "network"],
)
def test_what_was_being_made_is_taken_over(resource: dict[str, Any], id_: str) -> None:
    document = _document(pending=[{"resource": resource, "type": "creating"}])
    assert adopt(document) == [resource["urn"].rsplit("::", 1)[-1]]
    made = document["deployment"]["resources"][-1]
    assert made["urn"] == resource["urn"]
    assert made["id"].startswith(id_)
    assert made["outputs"].items() >= resource["inputs"].items()
    assert document["deployment"]["pending_operations"] == []


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        (_one(REMOTE, "a/s.1", create="x"), "creating"),
        (_one(REMOTE, "a/s.1", create="x", delete="y"), "updating"),
        (_one(REMOTE, "a/s.1", create="x", delete="y"), "deleting"),
        (_one(CONTAINER, "a/redis"), "creating"),
        (_one("docker:index/remoteImage:RemoteImage", "i", name="i"), "creating"),
        (_one(REMOTE, "a/known", create="x", delete="y"), "creating"),
    ],
    ids=["no delete", "updating", "deleting", "no name", "other type", "already there"],
)
def test_the_rest_is_left_to_the_engine(resource: dict[str, Any], kind: str) -> None:
    pending = [{"resource": resource, "type": kind}]
    document = _document(_one(REMOTE, "a/known"), pending=pending)
    before = json.dumps(document)
    assert adopt(document) == []
    assert json.dumps(document) == before


def test_a_state_without_resources_is_no_error() -> None:
    document: dict[str, Any] = {"deployment": {"manifest": {}}}
    assert adopt(document) == []
    assert left(document) == []


def test_what_is_left_is_told_by_machine_last_made_first() -> None:
    document = _document(
        _one(REMOTE, "a/s.0"), _one(REMOTE, "a/s.1", "a/s.0"), _one(REMOTE, "b/s.0", "a/s.0")
    )
    found = left(document)
    assert found == [
        Left("a", ("a/s.1", "a/s.0"), (_urn(REMOTE, "a/s.0"),), "root@192.0.2.1 port 22"),
        Left("b", ("b/s.0",), (_urn(REMOTE, "b/s.0"),), None),
    ]
    lines = list(tell(found, "x"))
    assert lines[1:4] == ["  a (root@192.0.2.1 port 22)", "    a/s.1", "    a/s.0"]
    assert "  python -m engine.destroy x --yes" in lines
    forget = "  pulumi state delete --stack x --target-dependents --yes"
    assert lines[-2:] == [f"{forget} '{_urn(REMOTE, 'a/s.0')}'", f"{forget} '{_urn(REMOTE, 'b/s.0')}'"]


def _job(*failing: str) -> tuple[dict[str, Any], list[str]]:
    """Return the state of two hosts, each with a shard that comes after both hosts' data, and what failed."""
    shards = [_one(CONTAINER, f"{host}/shard", "a/data", "b/data", name="shard") for host in "ab"]
    for one in shards:
        one["propertyDependencies"] = {"image": [_urn(REMOTE, "a/data"), _urn(REMOTE, "b/data")]}
    node = _one(CONTAINER, "b")
    data = [_one(REMOTE, "a/data"), _one(REMOTE, "b/data")]
    data[1]["dependencies"] = [node["urn"], _urn(CONTAINER, "net")]
    document = _document(_one(CONTAINER, "net"), node, *data, *shards)
    return document, [_urn(CONTAINER, name) for name in failing]


def test_what_a_failed_machine_holds_on_others_is_released() -> None:
    document, failed = _job("b/shard")
    assert release(document, failed) == ["a/data"]
    after = {one["urn"]: one for one in document["deployment"]["resources"]}
    shard = after[_urn(CONTAINER, "b/shard")]
    assert shard["dependencies"] == [_urn(REMOTE, "b/data")]
    assert shard["propertyDependencies"] == {"image": [_urn(REMOTE, "b/data")]}
    # Its own steps keep their order and its machine, and so does all else.
    assert after[_urn(REMOTE, "b/data")]["dependencies"] == [_urn(CONTAINER, "b"), _urn(CONTAINER, "net")]
    assert after[_urn(CONTAINER, "a/shard")]["dependencies"] == [
        _urn(REMOTE, "a/data"),
        _urn(REMOTE, "b/data"),
    ]
    assert release(document, failed) == []


def test_the_order_on_a_failed_machine_stays_where_it_leads_over_another() -> None:
    document = _document(
        _one(REMOTE, "b/engine"),
        _one(REMOTE, "a/engine"),
        _one(REMOTE, "operator/build", "a/engine", "b/engine"),
        _one(REMOTE, "operator/push", "operator/build"),
        _one(REMOTE, "b/pull", "operator/push"),
    )
    assert release(document, [_urn(REMOTE, "b/pull")]) == ["operator/push"]
    after = {one["urn"]: one["dependencies"] for one in document["deployment"]["resources"][2:]}
    assert after[_urn(REMOTE, "b/pull")] == [_urn(REMOTE, "b/engine")]
    assert after[_urn(REMOTE, "operator/build")] == [_urn(REMOTE, "a/engine"), _urn(REMOTE, "b/engine")]


def test_a_step_of_the_job_itself_holds_no_machine() -> None:
    document = _document(
        _one(REMOTE, "b/data"),
        _one(REMOTE, "a/data"),
        _one(REMOTE, "training_job.verify", "a/data", "b/data"),
        _one(REMOTE, "b/shard", "training_job.verify"),
    )
    assert release(document, [_urn(REMOTE, "b/shard")]) == ["training_job.verify"]
    after = {one["urn"]: one["dependencies"] for one in document["deployment"]["resources"][2:]}
    assert after[_urn(REMOTE, "b/shard")] == [_urn(REMOTE, "b/data")]
    assert after[_urn(REMOTE, "training_job.verify")] == [_urn(REMOTE, "a/data"), _urn(REMOTE, "b/data")]


@pytest.mark.parametrize("failed", [(), ("a/shard", "b/shard"), ("c/shard",), ("net",)])
def test_where_nothing_waits_for_another_machine_the_state_is_kept(failed: tuple[str, ...]) -> None:
    document, urns = _job(*failed)
    before = json.dumps(document)
    assert release(document, urns) == []
    assert json.dumps(document) == before


def test_what_failed_is_read_from_the_event_log() -> None:
    metadata = {"op": "delete", "urn": _urn(CONTAINER, "b/shard")}
    events = [
        {"sequence": 1, "resOutputsEvent": {"metadata": {"op": "delete", "urn": _urn(REMOTE, "a/s")}}},
        {"sequence": 2, "resOpFailedEvent": {"metadata": metadata, "status": 3, "steps": 1}},
        {"sequence": 3, "summaryEvent": {"durationSeconds": 1}},
    ]
    text = "".join(json.dumps(one) + "\n" for one in events)
    assert failures(text) == [_urn(CONTAINER, "b/shard")]
    assert failures("") == []


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (["--yes"], ["--yes"]),
        (["--target", _urn(REMOTE, "a/s"), "--yes"], ["--target", _urn(REMOTE, "a/s"), "--yes"]),
        (["--target", _urn(REMOTE, "a/gone"), "--yes"], ["--yes"]),
        (["-t", _urn(REMOTE, "a/gone"), "-t", _urn(REMOTE, "a/s")], ["-t", _urn(REMOTE, "a/s")]),
        (["--target", "**::a/*"], ["--target", "**::a/*"]),
    ],
)
def test_a_target_that_is_gone_is_not_named_again(options: list[str], kept: list[str]) -> None:
    assert still_there(options, _document(_one(REMOTE, "a/s"))) == kept


# The pid is above the kernel's largest.
_GONE = {"pid": 2**22 + 1, "hostname": socket.gethostname()}


@pytest.mark.parametrize(
    ("locks", "dead"),
    [
        ([], False),
        ([_GONE], True),
        ([_GONE, _GONE], True),
        ([{**_GONE, "pid": os.getpid()}], False),
        ([_GONE, {**_GONE, "pid": os.getpid()}], False),
        ([{**_GONE, "hostname": "elsewhere"}], False),
    ],
    ids=["none", "gone", "both gone", "alive", "one alive", "of another machine"],
)
def test_only_a_lock_that_nobody_holds_is_dead(
    tmp_path: Path, locks: list[dict[str, Any]], dead: bool
) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "rocestack" / "x"
    folder.mkdir(parents=True)
    for number, lock in enumerate(locks):
        (folder / f"{number}.json").write_text(json.dumps(lock))
    assert dead_locks(f"file://{tmp_path}", "x") is dead
    assert not dead_locks(f"file://{tmp_path}", "other")
    assert not dead_locks("https://api.example.org", "x")


@pytest.mark.parametrize("arguments", [[], ["--yes"]])
def test_wrong_use_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 64
    assert "usage: python -m engine.destroy STACK" in capsys.readouterr().err
