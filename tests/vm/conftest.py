"""Virtual machines for the tests of this folder; they run with `-m vm` alone (make test-vm)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from lab.vm.files import VmFiles
from tests.vm.guest import Machine, plan


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a guest unless it was asked for by its marker."""
    if "vm" in (config.getoption("markexpr") or ""):
        return
    for item in items:
        if item.get_closest_marker("vm"):
            item.add_marker(pytest.mark.skip(reason="needs virtual machines; run make test-vm"))


@pytest.fixture(scope="session")
def files() -> VmFiles:
    return VmFiles()


@pytest.fixture(scope="module")
def pair(files: VmFiles) -> Iterator[list[Machine]]:
    """Two guests that are up; they are ended after the module's tests."""
    machines = [Machine(one, files) for one in plan(files)]
    try:
        for one in machines:
            one.start()
        for one in machines:
            one.wait()
        yield machines
    finally:
        for one in machines:
            with contextlib.suppress(ProcessLookupError):
                one.stop()


@pytest.fixture
def guest(pair: list[Machine]) -> Machine:
    return pair[0]


@pytest.fixture
def other(pair: list[Machine]) -> Machine:
    return pair[1]
