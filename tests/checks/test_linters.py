"""Linters as tests: style, types, shell, imports' direction, and words that the project never says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PYTHON = [
    "__main__.py",
    *("settings", "facts", "components", "onyx", "training", "lab", "engine", "policy", "bench", "tests"),
]

# Who may import whom: a room and the rooms of ours that it may use (docs/explanation.md has the picture).
ROOMS = {
    "settings": set(),
    "facts": {"settings"},
    "onyx": {"settings"},
    "training": {"settings", "facts"},
    "components": {"settings", "facts", "onyx"},
    "lab": {"settings", "components", "facts"},
    "engine": set(),
    "policy": {"settings"},
    "__main__": {"settings", "facts", "components", "lab"},
}


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", *PYTHON],
        ["ruff", "format", "--check", "--no-cache", *PYTHON],
        ["mypy", "--no-error-summary"],
    ],
    ids=["ruff", "format", "mypy"],
)
def test_python(command: list[str]) -> None:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _is_shell(path: Path) -> bool:
    if path.suffix in (".sh", ".bash"):
        return True
    if path.suffix:
        return False
    first = path.read_bytes()[:40].split(b"\n", 1)[0]
    return re.match(rb"#!\s*/(usr/bin/env |bin/)(ba|da)?sh", first) is not None


def test_shell() -> None:
    scripts = [path for path in _tracked() if _is_shell(path)]
    assert scripts
    done = subprocess.run(
        [str(BIN / "shellcheck"), "--shell=bash", "--external-sources", *map(str, scripts)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_dockerfiles() -> None:
    files = [path for path in _tracked() if path.name.split(".")[0] == "Dockerfile"]
    assert len(files) >= 2
    done = subprocess.run(
        [str(BIN / "hadolint"), "--config", str(ROOT / ".hadolint.yaml"), *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            found.add(node.module.split(".")[0])
    return found & set(ROOMS)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_imports_point_one_way(room: str) -> None:
    folder = ROOT / room
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{room}.py"]
    assert paths
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in _imports(path) - ROOMS[room] - {room}
    }
    assert not wrong


def test_only_the_entry_imports_the_lab() -> None:
    assert {room for room, may in ROOMS.items() if "lab" in may} == {"__main__"}


def test_no_shell_text_in_python() -> None:
    rooms = [
        path
        for path in _tracked("*.py")
        if path.relative_to(ROOT).parts[0] not in ("tests", "engine", "bench")
    ]
    wrong = [
        str(path.relative_to(ROOT))
        for path in rooms
        if re.search(r"#!/bin/(ba)?sh|set -euo? pipefail|apt-get install", path.read_text(encoding="utf-8"))
    ]
    assert not wrong


def test_no_package_mirror_is_named() -> None:
    # A mirror is the operator's setting; the distribution's and the package tools' defaults are right.
    hosts = re.compile(
        rb"deb\.debian\.org|archive\.ubuntu\.com|pypi\.org|proxy\.golang\.org|files\.pythonhosted"
    )
    here = Path(__file__)
    wrong = [
        str(path.relative_to(ROOT)) for path in _tracked() if path != here and hosts.search(path.read_bytes())
    ]
    assert not wrong


# Pages that a program writes (settings.reference, settings.guide, facts.reference, benches) have long rows.
WRITTEN = re.compile(r"docs/reference/(facts|settings)\.md|docs/guide-coverage\.md|bench/results/.*")


def test_pages_are_read_without_scrolling() -> None:
    """Prose of our own pages; tables and what is indented as code may be wider."""
    pages = _tracked("README.md", "bench/*.md", "docs/*.md")
    assert len(pages) > 20
    wrong = [
        f"{path.relative_to(ROOT)}:{number} has {len(line)} characters"
        for path in pages
        if not WRITTEN.fullmatch(str(path.relative_to(ROOT)))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 128 and not line.startswith(("|", "    "))
    ]
    assert not wrong
