"""Conformance: one engine and one machine for all cases, a stack for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cli import Engine, Stack, find_engine
from tests.conformance.host import Host
from tests.conformance.host import host as run_host

_NOTES = pytest.StashKey[list[str]]()
_NUMBERS = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and keep what the cases measured for the last lines."""
    config.addinivalue_line("markers", "smoke: the short part of a long table")
    config.stash[_NOTES] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which plugin was proven, and what was measured."""
    for line in config.stash[_NOTES]:
        terminalreporter.write_line(f"conformance: {line}")


@pytest.fixture(scope="session")
def notes(pytestconfig: pytest.Config) -> list[str]:
    """Return the lines that are printed at the end."""
    return pytestconfig.stash[_NOTES]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, notes: list[str]) -> Engine:
    """Return the CLI under test."""
    found = find_engine(tmp_path_factory.mktemp("engine"))
    notes.append(f"{found.plugins} command plugin ({found.plugin.parent.name}), CLI {found.program}")
    return found


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Run the machine that the cases' commands reach."""
    with run_host(tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture
def stack(engine: Engine, tmp_path: Path) -> Iterator[Stack]:
    """Return a new stack; what is left of it is destroyed with the machine and the folder."""
    yield Stack(engine, tmp_path, f"case{next(_NUMBERS)}")
    assert engine.processes() == [], "the CLI ended, but something that it started did not"


@pytest.fixture
def place(machine: Host) -> str:
    """Return a new folder on the machine."""
    return machine.shell("mktemp -d").strip()
