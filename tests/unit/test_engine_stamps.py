"""Stamps: what changes a step's key, and what must not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine import python_env, stamps
from engine.paths import Checkout

PARTS: dict[str, bytes | str] = {"a": "one", "b": b"two"}


@pytest.mark.parametrize(
    "other", [{"a": "one", "b": "tw0"}, {"a": "one"}, {"a": "onetwo", "b": b""}, {"a": "two", "b": "one"}]
)
def test_another_content_is_another_digest(other: dict[str, bytes | str]) -> None:
    assert stamps.digest(other) != stamps.digest(PARTS)


def test_order_and_kind_of_text_do_not_matter() -> None:
    assert stamps.digest({"b": "two", "a": b"one"}) == stamps.digest(PARTS)


def test_fingerprint_sees_a_change_and_a_loss_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    before = stamps.fingerprint([path])
    assert stamps.fingerprint([path]) == before
    path.write_text("other text")
    changed = stamps.fingerprint([path])
    assert changed != before
    os.utime(path, ns=(1, 1))
    assert stamps.fingerprint([path]) != changed
    path.unlink()
    assert stamps.fingerprint([path]) == {}


@pytest.mark.parametrize("text", [None, "", "{", "[1]"])
def test_a_missing_or_broken_record_is_empty(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "record.json"
    if text is not None:
        path.write_text(text)
    assert stamps.read(path) == {}


def test_a_record_comes_back_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "record.json"
    stamps.write(path, {"key": "k", "files": {"f": [1, 2]}})
    assert stamps.read(path) == {"key": "k", "files": {"f": [1, 2]}}
    assert [found.name for found in path.parent.iterdir()] == ["record.json"]


def test_the_environment_is_made_again_when_a_pin_or_its_place_changes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        for name in python_env.REQUIREMENTS:
            (folder / name).write_text("package==1.0\n")
    first = python_env.key(Checkout(here))
    assert python_env.key(Checkout(here)) == first
    assert python_env.key(Checkout(there)) != first
    (here / python_env.REQUIREMENTS[1]).write_text("package==1.1\n")
    assert python_env.key(Checkout(here)) != first
