"""The checkpoint: recorded inputs by type and name, without what is about to be deleted."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from typing import IO, Any

import pytest

from facts import checkpoint
from facts.checkpoint import Checkpoint, CheckpointError, from_export

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


@pytest.mark.parametrize("labels", ["text", [{"label": "x"}], ["x"], [{"value": "1"}]])
def test_labels_of_another_make_are_a_clear_error(labels: object) -> None:
    found = _export(_resource(CONTAINER, "h/redis", {"labels": labels}))
    with pytest.raises(CheckpointError, match=r"record of h/redis cannot be read .*pulumi stack import"):
        found.labels("h/redis")


def _end(status: int, stdout: bytes, stderr: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.CompletedProcess([], status, stdout, stderr)


EMPTY = _end(0, b'{"version": 3, "deployment": null}')
MET_A_WRITE = _end(255, b"", b"error: failed to load checkpoint: EOF\n")
BROKEN = _end(255, b"", b"error: could not unmarshal the snapshot\n")


def _exports(monkeypatch: pytest.MonkeyPatch, *ends: object) -> Iterator[object]:
    """Let the CLI end so, one end a call; return those that were not used."""
    left: Iterator[Any] = iter(ends)

    def run(command: list[str], *, stdout: IO[bytes], **_: object) -> object:
        assert command == ["pulumi", "stack", "export", "--stack", "lab"]
        end = next(left)
        if isinstance(end, Exception):
            raise end
        stdout.write(end.stdout)
        return end

    monkeypatch.setattr(checkpoint.subprocess, "run", run)
    monkeypatch.setattr(checkpoint.time, "sleep", lambda _: None)
    return left


def test_a_read_that_met_a_write_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    left = _exports(monkeypatch, MET_A_WRITE, MET_A_WRITE, EMPTY)
    assert checkpoint.read("lab") == Checkpoint({})
    assert list(left) == []


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (BROKEN, r"stack lab could not be read; `pulumi stack export --stack lab` said: error: could not"),
        (FileNotFoundError(2, "No such file"), "stack lab could not be read: .*No such file"),
        (subprocess.TimeoutExpired("pulumi", 60), "stack lab could not be read: .*timed out"),
        (_end(0, b"no json"), "stack lab is not what `pulumi stack export`"),
        (_end(0, b"[]"), "stack lab is not what `pulumi stack export`"),
        (
            _end(0, b'{"deployment": {"resources": [{}]}}'),
            "stack lab is not what `pulumi stack export`",
        ),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, end: object, said: str
) -> None:
    left = _exports(monkeypatch, end, EMPTY)
    with pytest.raises(CheckpointError, match=said):
        checkpoint.read("lab")
    assert list(left) == [EMPTY], "only a read that met a write is tried again"


def test_a_backend_that_stays_so_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _exports(monkeypatch, *[MET_A_WRITE] * 5)
    with pytest.raises(CheckpointError, match="failed to load checkpoint: EOF"):
        checkpoint.read("lab")


def test_scripts_and_what_they_printed_are_left_out() -> None:
    step = {"create": 'x "y",\n', "delete": "…", "stdin": 'create: "kept"', "stderr": "s", "stdout": "o"}
    old = {"type": "create", "delete": True, "inputs": {"a": [1, {"b": None}], "create": ["kept"]}}
    text = json.dumps({"one": step, "old": old}, indent=4, ensure_ascii=False) + "\n"
    found = json.loads(checkpoint.lean(io.BytesIO(text.encode())))
    assert found == {
        "one": {"create": "", "delete": "", "stdin": 'create: "kept"', "stderr": "", "stdout": ""},
        "old": old,
    }


def test_an_export_of_another_form_stays_whole() -> None:
    text = json.dumps({"create": "x", "delete": True}).encode()
    assert checkpoint.lean([text]) == text
