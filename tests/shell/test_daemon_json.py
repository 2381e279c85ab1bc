"""The merge into Docker's daemon.json: our keys alone change, and what cannot be read is left as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "templates/docker_host/daemon_json.py"
THEIRS: dict[str, Any] = {"mtu": 9000, "runtimes": {"other": {"path": "/usr/bin/other"}}}
BIP = '"172.30.41.1/24"'
RUNTIME = '{"path": "nvidia-container-runtime", "runtimeArgs": []}'


def _merge(path: Path, *orders: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(path), *orders],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("before", "orders", "says", "after"),
    [
        ({}, [f"bip={BIP}"], ["changed"], {"bip": "172.30.41.1/24"}),
        ({"bip": "10.0.0.1/24"}, [f"bip={BIP}"], ['bip="10.0.0.1/24"', "changed"], {"bip": "172.30.41.1/24"}),
        ({"bip": "172.30.41.1/24"}, [f"bip={BIP}"], [f"bip={BIP}", "same"], {"bip": "172.30.41.1/24"}),
        (THEIRS, ["bip"], ["same"], THEIRS),
        (THEIRS, ["mtu?"], ["mtu=9000", "same"], THEIRS),
        (THEIRS, ["runtimes.nvidia?"], ["same"], THEIRS),
        ({}, ["runtimes.nvidia?"], ["same"], {}),
        (
            THEIRS,
            [f"runtimes.nvidia={RUNTIME}"],
            ["changed"],
            {**THEIRS, "runtimes": {**THEIRS["runtimes"], "nvidia": json.loads(RUNTIME)}},
        ),
        (
            {**THEIRS, "runtimes": {**THEIRS["runtimes"], "nvidia": json.loads(RUNTIME)}},
            ["runtimes.nvidia"],
            [f"runtimes.nvidia={RUNTIME}", "changed"],
            THEIRS,
        ),
        (
            {"mtu": 1, "features": {"cdi": True}},
            ["features.cdi"],
            ["features.cdi=true", "changed"],
            {"mtu": 1},
        ),
    ],
)
def test_our_keys_alone_change(
    tmp_path: Path, before: dict[str, Any], orders: list[str], says: list[str], after: dict[str, Any]
) -> None:
    path = tmp_path / "daemon.json"
    if before:
        path.write_text(json.dumps(before))
    done = _merge(path, *orders)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == says
    assert (json.loads(path.read_text()) if path.exists() else {}) == after


def test_a_file_left_empty_goes(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(f'{{"bip": {BIP}}}')
    assert _merge(path, "bip").returncode == 0
    assert not path.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"runtimes": []}'])
def test_what_is_not_understood_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(text)
    done = _merge(path, f"runtimes.nvidia={RUNTIME}")
    assert done.returncode != 0
    assert "so it is left as it is.\nHint: " in done.stderr
    assert path.read_text() == text
