"""RDMA in software on real kernels: made, kept over a reboot, seen when changed, counted, and taken back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from facts.wire_proof import moved
from tests.vm.guest import Machine
from tests.vm.rdma import ADDRESS, QOS, SOFT, STEPS, differences, take_back, told, wanted

pytestmark = [pytest.mark.vm, pytest.mark.full]

ROWS: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("drifts.yaml").read_text())
# Facts that no device without hardware can show; the stack allows them.
UNSEEN = (
    *("trust", "dcbx", "pause", "dscp2prio", "pfc", "prio_tc", "tsa", "tcbw"),
    *("traffic_class", "cnp_dscp", "cnp_802p_prio", "ecn_priority"),
)


@pytest.fixture(scope="module")
def ready(pair: list[Machine]) -> list[Machine]:
    """Return two guests with all steps of OfedStack applied."""
    for one in pair:
        for step in STEPS:
            done = one.apply(step, wanted(one)[step])
            assert done.status == 0, f"{step}\n{done.stdout}\n{done.stderr}"
    return pair


def _in_sync(machine: Machine) -> None:
    for step in STEPS:
        found = differences(machine, step, wanted(machine)[step])
        unseen = {key: one for key, (one, _) in found.items() if one.startswith("unobservable: ")}
        assert set(found) == set(unseen), (step, found)
        assert set(unseen) == (set(UNSEEN) if step == QOS else set())


def test_all_of_it_is_seen_as_it_was_applied(ready: list[Machine]) -> None:
    for one in ready:
        _in_sync(one)
        assert one.run("cat /sys/kernel/config/rdma_cm/rxe0/ports/1/default_roce_tos").strip() == "106"


def test_a_second_apply_changes_nothing(ready: list[Machine]) -> None:
    one = ready[0]
    before = told(one).wire
    names = one.run("rdma link; tc filter show dev enp1f0 ingress; tc filter show dev enp1f0 egress")
    for step in STEPS:
        assert one.apply(step, wanted(one)[step]).status == 0
    assert one.run("rdma link; tc filter show dev enp1f0 ingress; tc filter show dev enp1f0 egress") == names
    # A counter that was put on anew would have forgotten what it saw.
    after = told(one).wire
    assert all(after[way].since(before[way]) is not None for way in before)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['step']}.{row['key']}")
def test_a_change_by_hand_is_seen_and_repaired(ready: list[Machine], row: dict[str, str]) -> None:
    one, step = ready[1], row["step"]
    one.run(row["break"])
    found = differences(one, step, wanted(one)[step])[row["key"]][0]
    if row["found"] == "other":
        assert re.fullmatch(r"[0-9a-f]{64}", found)
    else:
        assert found == row["found"]
    # A device that is made anew has forgotten RDMA-CM's defaults, as after a reload of a driver.
    for repaired in (SOFT, QOS):
        done = one.apply(repaired, wanted(one)[repaired])
        assert done.status == 0, done.stderr
    _in_sync(one)


def test_rdma_cms_default_is_on_the_wire(ready: list[Machine]) -> None:
    """A program that sets no traffic class itself gets that of the profile; every packet of it is counted."""
    server, client = ready
    address = wanted(server)[SOFT]["address"]
    before = {one.guest.name: told(one) for one in ready}
    server.run("systemd-run --quiet --unit=rping --collect rping -s -C 10")
    client.run(f"for try in 1 2 3 4 5; do rping -c -a {address} -C 10 && exit; sleep $try; done; exit 1")
    for one in ready:
        found = moved(before[one.guest.name], told(one))
        assert found is not None
        for way in ("egress", "ingress"):
            assert found[way]["total"] > 0
            assert found[way]["ipv6"] == 0
        assert found["egress"]["total"] == found["egress"]["device"]
        assert found["egress"]["marked"] > 0


def test_it_is_there_again_after_a_reboot(ready: list[Machine]) -> None:
    one = ready[0]
    one.reboot()
    _in_sync(one)


def test_a_device_that_somebody_else_made_is_told_and_stays(ready: list[Machine]) -> None:
    one = ready[1]
    one.run("rdma link delete rxe0 && rdma link add other type rxe netdev enp1f0")
    done = one.apply(SOFT, wanted(one)[SOFT])
    assert done.status == 1
    assert "enp1f0 has the RDMA device other already, which is not ours" in done.stderr
    one.run("rdma link delete other")
    for step in (SOFT, QOS):
        assert one.apply(step, wanted(one)[step]).status == 0


def test_without_its_address_the_gid_is_told_as_missing(ready: list[Machine]) -> None:
    one = ready[1]
    asked = wanted(one)
    one.run(f"ip address del {asked[ADDRESS]['address']} dev enp1f0")
    assert differences(one, SOFT, asked[SOFT])["gid"] == ("absent", "RoCE v2")
    done = one.apply(SOFT, asked[SOFT])
    assert done.status == 1
    assert f"rxe0 has no RoCE v2 GID of {asked[SOFT]['address']}: absent" in done.stderr
    for step in (ADDRESS, SOFT):
        assert one.apply(step, asked[step]).status == 0
    assert differences(one, SOFT, asked[SOFT]) == {}


def test_it_is_taken_back_whole(ready: list[Machine]) -> None:
    # The other one lost its record above, so it keeps what may have been there before: qdisc and module.
    one = ready[0]
    asked = wanted(one)
    device = "/sys/kernel/config/rdma_cm/rxe0"
    done = take_back(one, QOS, asked[QOS])
    assert done.status == 0, done.stderr
    assert one.script(f"test -e {device}").status == 1
    # What RDMA-CM gives to a connection stays in force without the folder.
    tos = one.run(f"mkdir {device} && cat {device}/ports/1/default_roce_tos && rmdir {device}")
    assert tos.strip() == "0"
    done = take_back(one, SOFT, asked[SOFT])
    assert done.status == 0, done.stderr
    assert one.run("ls /sys/class/infiniband 2>/dev/null || true").strip() == ""
    assert one.run("tc qdisc show dev enp1f0 clsact").strip() == ""
    assert one.run("ls -d /sys/module/rdma_rxe 2>/dev/null || true").strip() == ""
    left = (
        "ls /etc/systemd/system/rocestack-soft-roce* /etc/rocestack/ofed_stack.soft_roce 2>/dev/null || true"
    )
    assert one.run(left).strip() == ""
