"""The stack on virtual machines after its first `up`: a guest that died, and nothing left at the end."""

from __future__ import annotations

import os
import signal

import pytest

from lab.vm import process
from lab.vm.files import VmFiles
from tests.vm.stack import NAMES, UP_S, VmCluster
from tests.waiting import wait_until

pytestmark = pytest.mark.vm


def test_a_guest_that_died_is_drift_and_up_starts_it_on_its_disk(files: VmFiles, cluster: VmCluster) -> None:
    kept, dies = NAMES
    before = cluster.processes()
    own = files.guest(cluster.stack, dies)
    pid = before[dies]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: process.running(own.pid) is None, 20, "the guest's end")
    clean, said = cluster.look()
    assert not clean
    assert f"drift: lab machine {dies}: found stopped, wanted running" in said
    disk = own.disk.stat().st_ino
    cluster.up(deadline=UP_S)
    after = cluster.processes()
    assert after[dies] not in (None, pid)
    assert after[kept] == before[kept]
    assert own.disk.stat().st_ino == disk
    clean, said = cluster.look()
    if not clean:
        # What only a new boot shows may still have differed: one more run settles that.
        cluster.up(deadline=UP_S)
        clean, said = cluster.look()
    assert clean, said


def test_destroy_ends_the_guests_and_leaves_nothing(files: VmFiles, cluster: VmCluster) -> None:
    pids = cluster.processes().values()
    cluster.destroy()
    assert cluster.processes() == {}
    assert not [pid for pid in pids if pid is not None and process.words(pid)]
    assert not files.sockets(cluster.stack).exists()
    assert cluster.objects() == {"containers": [], "networks": [], "volumes": []}
