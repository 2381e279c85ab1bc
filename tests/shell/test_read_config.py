"""What the probe reads of keyrings and daemon.json, by the same text that it hands to Python on a host."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from facts.rendering import render
from tests.shell.shell import FIXTURES

SIGNER, OTHER = "8F7F1BDD068C7D8A84577D1C9367CC58309EBC1A", "B545148E55206B0090AB3F7D40DE2934BCA88F73"


def _read(*paths: Path) -> list[str]:
    program = f'__name__ = "keys"\n{render("common/apt_key.py")}\n{render("facts/read_config.py")}'
    done = subprocess.run(
        [sys.executable, "-", *map(str, paths)],
        input=program,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("file", "keys"),
    [("key.gpg", SIGNER), ("two-keys.asc", f"{SIGNER} {OTHER}"), ("README.md", "no key file")],
)
def test_a_keyring_is_known_by_all_its_keys(file: str, keys: str) -> None:
    path = FIXTURES / "apt_repository" / file
    assert _read(path) == [f"keyring {path} {keys}"]


DAEMON = {
    "bip": "172.30.41.1/24",
    "storage-driver": "overlay2",
    "log-driver": "journald",
    "runtimes": {"nvidia": {"runtimeArgs": [], "path": "nvidia-container-runtime"}, "other": {}},
    "features": {"cdi": True},
}


def test_keys_of_ours_are_read_exactly_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(json.dumps(DAEMON))
    assert _read(path) == [
        'daemon bip "172.30.41.1/24"',
        'daemon storage-driver "overlay2"',
        'daemon runtimes.nvidia {"path": "nvidia-container-runtime", "runtimeArgs": []}',
        "daemon features.cdi true",
    ]


@pytest.mark.parametrize("text", ["", "{}", '{"runtimes": {}}', '{"log-driver": "journald"}'])
def test_a_file_without_ours_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(text)
    assert _read(path) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"runtimes": 1}', '"bip"'])
def test_a_file_that_is_no_object_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(text)
    assert [line[:9] for line in _read(path)] == ["daemon ! "]
