"""The stack on virtual machines: what the first `up` makes of new guests, and a second look."""

from __future__ import annotations

import json

import pytest

from tests.vm.stack import NAMES, UP_S, VmCluster

pytestmark = pytest.mark.vm


def test_up_ends_with_a_training_over_roce(cluster: VmCluster) -> None:
    cluster.destroy()
    cluster.up(deadline=UP_S)
    found = cluster.outputs()
    assert set(found["hosts"]) == set(NAMES)
    assert any("carries none of the guests' frames" in one for one in found["standins"])
    proof = found["proof"]
    assert proof["problems"] == []
    assert [one["transport"] for one in proof["shards"]] == ["ibverbs", "ibverbs"]
    assert [one["gid_index"] for one in proof["shards"]] == [1, 1]
    # Each packet that the devices sent was seen on the wire, and carried the stack's DSCP.
    assert proof["wire"]["packets"] == proof["wire"]["marked"] > 1000
    for host in proof["hosts"].values():
        assert host["wire"]["egress"]["total"] == host["hardware"]["sent_pkts"]
        assert host["wire"]["egress"]["ipv6"] == host["wire"]["egress"]["zero"] == 0


def test_the_guests_booted_the_initramfs_that_the_step_made(cluster: VmCluster) -> None:
    for one in cluster.machines():
        assert "nouveau" not in one.run("lsmod")
        assert "rocestack-nouveau.conf" in one.run("lsinitramfs /boot/initrd.img-$(uname -r)")


def test_no_shard_has_more_rights_than_it_needs(cluster: VmCluster) -> None:
    for index, one in enumerate(cluster.machines()):
        made = json.loads(one.run(f"docker inspect caffe2-shard-{index}"))[0]["HostConfig"]
        assert made["Privileged"] is False
        assert made["ReadonlyRootfs"] is True
        assert (made["CapAdd"], made["CapDrop"]) == (["IPC_LOCK"], ["ALL"])
        nodes = {device["PathInContainer"] for device in made["Devices"]}
        assert nodes == {"/dev/infiniband/rdma_cm", "/dev/infiniband/uverbs0"}


def test_a_second_look_finds_nothing(cluster: VmCluster) -> None:
    before = cluster.processes()
    clean, said = cluster.look()
    assert clean, said
    assert cluster.processes() == before
