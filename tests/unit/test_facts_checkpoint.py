"""The checkpoint: recorded inputs by type and name, without what is about to be deleted."""

from __future__ import annotations

from facts.checkpoint import Checkpoint, from_export

COMMAND = "command:remote:Command"
CONTAINER = "docker:index/container:Container"


def _resource(type_token: str, name: str, inputs: dict[str, object], **more: object) -> dict[str, object]:
    urn = f"urn:pulumi:lab::rocestack::rocestack:components:X${type_token}::{name}"
    return {"urn": urn, "type": type_token, "inputs": inputs, **more}


def _export(*resources: dict[str, object]) -> Checkpoint:
    return from_export({"version": 3, "deployment": {"resources": list(resources)}})


def test_inputs_are_found_by_type_and_name() -> None:
    checkpoint = _export(_resource(COMMAND, "h/ofed_stack.qos", {"stdin": "a: '1'\n"}))
    assert checkpoint.text(COMMAND, "h/ofed_stack.qos", "stdin") == "a: '1'\n"
    assert checkpoint.text(COMMAND, "h/other", "stdin") is None
    assert checkpoint.text(COMMAND, "h/ofed_stack.qos", "create") is None


def test_a_secret_is_no_text() -> None:
    checkpoint = _export(_resource(COMMAND, "x", {"stdin": {"ciphertext": "v1:…"}}))
    assert checkpoint.text(COMMAND, "x", "stdin") is None


def test_a_resource_about_to_be_deleted_does_not_count() -> None:
    old = _resource(COMMAND, "x", {"stdin": "old"}, delete=True)
    new = _resource(COMMAND, "x", {"stdin": "new"})
    assert _export(new, old).text(COMMAND, "x", "stdin") == "new"
    assert _export(old).of(COMMAND, "x") is None


def test_labels_of_a_container() -> None:
    labels = [{"label": "rocestack.generation", "value": "2"}]
    checkpoint = _export(_resource(CONTAINER, "h/redis", {"labels": labels}))
    assert checkpoint.labels("h/redis") == {"rocestack.generation": "2"}
    assert checkpoint.labels("h/other") is None


def test_a_fresh_stack_is_empty() -> None:
    assert from_export({"version": 3, "deployment": None}) == Checkpoint({})
