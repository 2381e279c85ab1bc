"""Virtual machines for the tests of this folder; they run with `-m vm` alone.

make test-vm runs the story, make test-vm-full all of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.vm.files import VmFiles
from lab.vm.plan import Guest
from tests.vm.guest import Machine, plan
from tests.vm.stack import VmCluster

# The stack comes up once, and what needs it lies between its first `up` and its `destroy`.
_IN_ORDER = (
    "test_guests",
    "test_four_guests",
    "test_soft_roce",
    "test_up",
    "test_training",
    "test_repair_and_destroy",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a guest unless it was asked for by its marker, and put the stack's tests in order."""
    mine = [item for item in items if item.path.parent == Path(__file__).parent]
    mine.sort(key=lambda item: _IN_ORDER.index(item.path.stem))
    items[:] = [item for item in items if item not in mine] + mine
    if "vm" in (config.getoption("markexpr") or ""):
        return
    for item in items:
        if item.get_closest_marker("vm"):
            item.add_marker(pytest.mark.skip(reason="needs virtual machines; run make test-vm"))


@pytest.fixture(scope="session")
def files() -> VmFiles:
    return VmFiles()


@pytest.fixture(scope="session")
def cluster(files: VmFiles) -> VmCluster:
    """Return the stack's tools; test_up brings it up and test_repair_and_destroy takes it down."""
    return VmCluster(files)


@contextlib.contextmanager
def up(guests: Sequence[Guest], files: VmFiles) -> Iterator[list[Machine]]:
    """Have the guests up inside, and ended after it."""
    machines = [Machine(one, files) for one in guests]
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


@pytest.fixture(scope="module")
def pair(files: VmFiles) -> Iterator[list[Machine]]:
    """Two guests that are up."""
    with up(plan(files), files) as machines:
        yield machines


@pytest.fixture(scope="module")
def four(files: VmFiles) -> Iterator[list[Machine]]:
    """Four guests that are up, joined by the switching program."""
    with up(plan(files, count=4, memory_mb=640), files) as machines:
        yield machines


@pytest.fixture
def guest(pair: list[Machine]) -> Machine:
    return pair[0]


@pytest.fixture
def other(pair: list[Machine]) -> Machine:
    return pair[1]
