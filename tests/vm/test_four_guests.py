"""More than two guests: a program of ours switches their frames, and no pair waits for another."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lab.vm import process
from lab.vm.guests import end_all
from lab.vm.observe import observe
from tests.vm.guest import STACK, Machine
from tests.waiting import wait_until

pytestmark = [pytest.mark.vm, pytest.mark.full]
MAKE_DEVICE = """
ip link set enp1f0 mtu 4200 up
ip address replace 10.77.0.{place}/24 dev enp1f0
modprobe rdma_rxe
rdma link add rxe0 type rxe netdev enp1f0
"""
WRITE = "ib_write_bw --ib-dev=rxe0 --gid-index=1 --size=65536 --iters=400 --CPU-freq"


def _address(machine: Machine) -> str:
    return f"10.77.0.{machine.guest.place}"


def _write(server: Machine, client: Machine) -> str:
    server.run(f"systemd-run --quiet --collect --unit=server {WRITE}")
    tries = f"for try in 1 2 3 4 5; do {WRITE} {_address(server)} && exit; sleep $try; done; exit 1"
    return client.run(tries, deadline=120)


def test_two_pairs_at_once_both_end(four: list[Machine]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: one.run(MAKE_DEVICE.format(place=one.guest.place)), four))
        pairs = list(pool.map(_write, four[::2], four[1::2]))
    for said in pairs:
        assert " 65536      400 " in said, said


def test_each_reaches_each(four: list[Machine]) -> None:
    for one in four:
        others = " ".join(_address(other) for other in four if other is not one)
        one.run(f"for other in {others}; do ping -q -c 2 -w 20 $other >/dev/null; done")


def test_a_switch_that_ended_is_seen_and_comes_back_without_a_reboot(four: list[Machine]) -> None:
    files = four[0].files
    names = [one.guest.name for one in four]
    recorded = {name: four[0].guest.generation for name in names}
    pids = [one.pid for one in four]
    switch = process.running(files.switch(STACK).pid)
    assert switch is not None
    os.kill(switch, signal.SIGKILL)
    wait_until(lambda: process.running(files.switch(STACK).pid) is None, 20, "the switch's end")
    assert {one.state for one in observe(files, STACK, names, recorded).values()} == {"cut off"}
    assert four[0].script(f"ping -c 1 -w 3 {_address(four[3])}").status != 0

    for one in four:
        one.guest = replace(one.guest, start=one.guest.start + 1)
    # As `up` does it, all at once.
    with ThreadPoolExecutor() as pool:
        assert set(pool.map(Machine.start, four)) == {"runs"}
    assert [one.pid for one in four] == pids
    assert {one.state for one in observe(files, STACK, names, recorded).values()} == {"present"}
    four[0].run(f"ping -q -c 2 -w 20 {_address(four[3])}")


def test_all_are_ended_at_once_also_one_whose_lines_cannot_be_read(four: list[Machine]) -> None:
    files = four[0].files
    pids = [process.running(files.switch(STACK).pid), *(one.pid for one in four)]
    four[0].own.spec.write_text("of another version")
    assert end_all(files) == [f"{STACK}/.switch", *(f"{STACK}/{one.guest.name}" for one in four)]
    assert all(pid is not None and not os.path.exists(f"/proc/{pid}/exe") for pid in pids)
    assert not four[0].own.folder.parent.exists()
    assert not files.sockets(STACK).exists()
    assert end_all(files) == []
