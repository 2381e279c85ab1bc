"""The stack on virtual machines, in order: up, in sync, a guest that died, and nothing left at the end.

Each test stands on the one before it; the first failure ends the story.
"""

from __future__ import annotations

import os
import signal

import pytest

from lab.vm import process
from lab.vm.files import VmFiles
from tests.vm import stack
from tests.vm.guest import until

pytestmark = pytest.mark.vm
NAMES = {"clx-vm-41", "clx-vm-42"}


@pytest.fixture(autouse=True)
def _story_ends_at_first_failure(request: pytest.FixtureRequest) -> None:
    if request.session.testsfailed:
        pytest.fail("an earlier part of the story failed, so this part has nothing to stand on")


def test_up_ends_with_a_training_over_roce(files: VmFiles) -> None:
    stack.destroy()
    stack.up()
    found = stack.outputs()
    assert set(found["hosts"]) == NAMES
    assert found["proof"]["problems"] == []
    assert [one["transport"] for one in found["proof"]["shards"]] == ["ibverbs", "ibverbs"]
    assert any("carries none of the guests' frames" in one for one in found["standins"])
    assert set(stack.processes(files)) == NAMES
    assert all(stack.processes(files).values())


def test_a_second_look_finds_nothing(files: VmFiles) -> None:
    before = stack.processes(files)
    clean, said = stack.preview()
    assert clean, said
    assert stack.processes(files) == before


def test_a_guest_that_died_is_drift_and_up_starts_it_on_its_disk(files: VmFiles) -> None:
    before = stack.processes(files)
    own = files.guest(stack.STACK, "clx-vm-42")
    pid = before["clx-vm-42"]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: process.running(own.pid) is None, 20, "the guest's end")
    clean, said = stack.preview()
    assert not clean
    assert "drift: lab machine clx-vm-42: found stopped, wanted running" in said
    disk = own.disk.stat().st_ino
    stack.up()
    after = stack.processes(files)
    assert after["clx-vm-42"] not in (None, pid)
    assert after["clx-vm-41"] == before["clx-vm-41"]
    assert own.disk.stat().st_ino == disk
    # What only a new boot shows may still have differed: the look after it settles that.
    stack.up()
    clean, said = stack.preview()
    assert clean, said


def test_destroy_ends_the_guests_and_leaves_nothing(files: VmFiles) -> None:
    pids = stack.processes(files).values()
    stack.destroy()
    assert stack.processes(files) == {}
    assert not [pid for pid in pids if pid is not None and process.words(pid)]
    assert not files.sockets(stack.STACK).exists()
    mine = ("--quiet", "--filter", f"label=rocestack.stack={stack.STACK}")
    assert stack.run("docker", "container", "ls", "--all", *mine).stdout == ""
    assert stack.run("docker", "network", "ls", *mine).stdout == ""
    assert stack.run("docker", "volume", "ls", *mine).stdout == ""
