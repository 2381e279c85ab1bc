"""Caffe2 over RoCE v2 between containers on two guests, and how it fails: each fault for real.

It wants the lab of virtual machines as `pulumi up --stack vmlab` leaves it, with image and data on them,
and makes the job's containers anew; the next `up` makes the stack's own again.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable

import pytest

from facts import evidence
from facts.wire_proof import moved, problems
from lab.vm.control import set_link
from tests.vm.guest import Machine
from tests.vm.job import Job, with_setting, without_devices, without_library, without_memory
from tests.vm.stack import VmCluster

pytestmark = [pytest.mark.vm, pytest.mark.full]
_RUNS = itertools.count(1)
_STARTED = int(time.time())


@pytest.fixture(scope="module")
def machines(cluster: VmCluster) -> list[Machine]:
    """Return the stack's own guests."""
    found = cluster.machines()
    assert len(found) == 2, "bring the lab up first: make vmlab"
    return found


@pytest.fixture(scope="module")
def image(machines: list[Machine]) -> str:
    """Return the id of the training image, as the stack's own shard has it."""
    return machines[0].run("docker container inspect --format '{{.Image}}' caffe2-shard-0").strip()


@pytest.fixture
def job(machines: list[Machine], image: str) -> Callable[..., Job]:
    """Return a maker of runs, each under a name of its own: Redis remembers them."""

    def make(**given: object) -> Job:
        made = Job(machines, f"test-{_STARTED}-{next(_RUNS)}", image, **given)  # type: ignore[arg-type]
        made.make()
        return made

    return make


def test_a_training_over_verbs_is_proven_packet_by_packet(job: Callable[..., Job]) -> None:
    proved = job().train()
    assert proved["problems"] == []
    assert proved["rdma"] == "RDMA over ibverbs"
    assert proved["wire"]["packets"] == proved["wire"]["marked"] > 1000
    for host in proved["hosts"].values():
        assert host["gid"]["type"] == "RoCE v2"
        assert host["wire"]["egress"]["total"] == host["hardware"]["sent_pkts"]
    json.dumps(proved)


def test_without_the_library_the_job_is_stopped_and_the_wire_shows_dscp_0(job: Callable[..., Job]) -> None:
    """The proof can fail: this is what the guide's own job puts on the wire."""
    one = job(changes={0: without_library, 1: without_library}, iterations=8)
    text = one.failure()
    # With Gloo's own acknowledgement timeout an emulated processor may end the run before a step has.
    assert "trains over ibverbs without a line of our library for verbs" in text or "ack_timeout" in text
    before, after = ({name: evidence.parse(lines) for name, lines in side.items()} for side in one.counted)
    for name in before:
        found = moved(before[name], after[name])
        assert found is not None
        sent = found["egress"]
        assert sent["total"] == sent["zero"] == sent["ipv6"] == sent["device"] > 1000
        assert f"{sent['total']} of {sent['total']} RoCE packets that left {name} were not IPv4" in str(
            problems(name, found, 26)
        )


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("7", "No RoCE v2 GID of"),
        # The link-local address: RoCE v2 over IPv6.
        ("0", "No RoCE v2 GID of"),
    ],
)
def test_a_gid_index_that_is_empty_or_another_address(job: Callable[..., Job], index: str, said: str) -> None:
    wrong = with_setting("ROCESTACK_GID_INDEX", index)
    text = job(changes={0: wrong, 1: wrong}).failure()
    assert f"failed with exit status 96: {said}" in text
    assert f"at index {index} of any RDMA device, there is: rxe0 index 0 (RoCE v2, fe80:" in text
    assert "; rxe0 index 1 (RoCE v2, 0000:0000:0000:0000:0000:ffff:1f1f:2029)." in text


def test_the_library_on_one_side_alone(job: Callable[..., Job]) -> None:
    text = job(changes={1: without_library}).failure()
    assert "The RDMA device has no usable GID at the chosen index." in text
    assert "the library loaded." in text


def test_memory_that_may_not_be_locked(job: Callable[..., Job]) -> None:
    text = job(changes={0: without_memory}).failure()
    assert text.startswith("Shard 0 on clx-vm-41 failed with exit status ")
    assert "The container may not lock memory for RDMA.\nHint: Give it the capability IPC_LOCK" in text


def test_no_device_in_the_container(job: Callable[..., Job]) -> None:
    text = job(changes={1: without_devices}).failure()
    assert "The container has no /dev/infiniband/uverbs0, which is the node of rxe0." in text


def _once_it_trains(then: Callable[[], object]) -> Callable[[str], None]:
    """Return what calls `then` at the first step that is told."""
    done: list[str] = []

    def listen(text: str) -> None:
        if "epoch 1, step" in text and not done:
            done.append(text)
            # The wait goes on meanwhile.
            threading.Thread(target=then).start()

    return listen


def test_a_data_link_that_goes_down_in_the_middle(machines: list[Machine], job: Callable[..., Job]) -> None:
    """Over verbs nobody is told of it: the trainer's own limit for a step ends both sides."""
    begun: list[float] = []

    def pull() -> None:
        begun.append(time.monotonic())
        set_link(machines[1].guest, machines[1].files, up=False)

    try:
        text = job(iterations=40).failure(_once_it_trains(pull))
        assert time.monotonic() - begun[0] < 180
    finally:
        set_link(machines[1].guest, machines[1].files, up=True)
    assert "the data network between their hosts stopped" in text or "get no answer" in text


def test_a_guest_that_reboots_in_the_middle(machines: list[Machine], job: Callable[..., Job]) -> None:
    one = machines[1]
    text = job(iterations=40).failure(_once_it_trains(lambda: one.script("systemctl reboot")))
    one.wait()
    assert "Its host went away in the middle of the run" in text


def test_an_acknowledgement_that_is_not_waited_for(job: Callable[..., Job]) -> None:
    """8 us are too short for any host here."""
    early = with_setting("ROCESTACK_ACK_TIMEOUT", "1")
    text = job(changes={0: early, 1: early}, iterations=20).failure()
    assert "ack_timeout" in text
