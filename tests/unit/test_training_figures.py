"""The job's figures: their fixed shape, and results that are not the job that was asked for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from training.figures import FiguresError, check, render
from training.log import EpochResult, ShardResult, Traffic
from training.request import Access, Shard, WaitRequest

ACCESS = Access("127.0.0.1", 22401, "root", "key", "file")
REQUEST = WaitRequest(
    run_id="r",
    transport="tcp",
    interface="enp1f0",
    deadline_s=1.0,
    shards=(Shard(0, "clx-mld-41", "s0", ACCESS), Shard(1, "clx-mld-42", "s1", ACCESS)),
)


def result(shard: int) -> ShardResult:
    """A good result of one shard of `REQUEST`."""
    return ShardResult(
        run_id="r",
        shard=shard,
        transport="tcp",
        interface="enp1f0",
        device="enp1f0",
        gid_index=None,
        verbs=None,
        epochs=(EpochResult(0, 0.5, 1.70001), EpochResult(1, 0.75 - shard / 4, 0.5)),
        images_per_second=20.5 + shard,
        traffic=(Traffic("net", "lo", 5, 5), Traffic("net", "enp1f0", 900, 800)),
    )


def test_shape() -> None:
    text = render(REQUEST, {0: result(0), 1: result(1)})
    assert json.loads(text) == {
        "final_top1": 0.625,
        "images_per_second": 42.0,
        "interface": "enp1f0",
        "run_id": "r",
        "shards": [
            {
                "bytes_received": 900,
                "bytes_sent": 800,
                "device": "enp1f0",
                "final_top1": 0.75 - shard / 4,
                "gid_index": None,
                "host": f"clx-mld-4{shard + 1}",
                "images_per_second": 20.5 + shard,
                "loss_first_epoch": 1.7,
                "loss_last_epoch": 0.5,
                "shard": shard,
                "top1_per_epoch": [0.5, 0.75 - shard / 4],
            }
            for shard in (0, 1)
        ],
        "transport": "tcp",
    }
    assert text == render(REQUEST, {1: result(1), 0: result(0)})


def test_good_results_pass() -> None:
    check(REQUEST, {0: result(0), 1: result(1)})


ONE = replace(REQUEST, shards=REQUEST.shards[:1])


def test_one_shard_alone_needs_no_traffic() -> None:
    check(ONE, {0: replace(result(0), traffic=())})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"run_id": "old"}, "ran shard 1 of run old, not 1 of r"),
        ({"shard": 0}, "ran shard 0 of run r, not 1 of r"),
        (
            {"transport": "ibverbs"},
            "Shard 1 on clx-mld-42 trained over ibverbs on enp1f0, not over tcp on enp1f0",
        ),
        ({"interface": "eth0"}, "trained over tcp on eth0, not over tcp on enp1f0"),
        ({"traffic": ()}, "busiest device was no device"),
        (
            {"traffic": (Traffic("net", "eth0", 9, 700), Traffic("net", "enp1f0", 1, 1))},
            "should move its data over enp1f0, but the busiest device was eth0 (700 bytes sent)",
        ),
    ],
)
def test_another_job(changed: dict[str, object], words: str) -> None:
    results = {0: result(0), 1: replace(result(1), **changed)}  # type: ignore[arg-type]
    with pytest.raises(FiguresError) as caught:
        check(REQUEST, results)
    assert words in str(caught.value)


VERBS = replace(REQUEST, transport="ibverbs")
RDMA = (Traffic("net", "enp1f0", 9, 9), Traffic("rdma", "mlx5_0", 900, 800), Traffic("rdma", "mlx5_1", 1, 1))


def over_verbs(shard: int, **changed: object) -> ShardResult:
    """A good result of one shard over ibverbs, with some of it changed."""
    good = replace(
        result(shard),
        transport="ibverbs",
        device="mlx5_0",
        gid_index=3,
        verbs="device=mlx5_0 gid_index=3 traffic_class=106",
        traffic=RDMA,
    )
    return replace(good, **changed)  # type: ignore[arg-type]


def test_rdma_goes_past_the_interface() -> None:
    results = {0: over_verbs(0), 1: over_verbs(1)}
    check(VERBS, results)
    first = json.loads(render(VERBS, results))["shards"][0]
    assert (first["device"], first["gid_index"], first["bytes_sent"]) == ("mlx5_0", 3, 800)


def test_software_rdma_is_counted_at_its_interface() -> None:
    soft = {
        0: over_verbs(0, device="rxe0", traffic=RDMA[:1]),
        1: over_verbs(1, device="rxe0", traffic=RDMA[:1]),
    }
    check(VERBS, soft)
    assert json.loads(render(VERBS, soft))["shards"][1]["bytes_sent"] == 9


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"verbs": None},
            "Shard 1 on clx-mld-42 trains over ibverbs without a line of our library for verbs",
        ),
        (
            {"traffic": (RDMA[0], Traffic("rdma", "mlx5_0", 1, 1), Traffic("rdma", "mlx5_1", 9, 700))},
            "should move its data over enp1f0 or mlx5_0, but the busiest device was mlx5_1 (700 bytes sent)",
        ),
    ],
)
def test_rdma_that_is_not_ours(changed: dict[str, object], words: str) -> None:
    with pytest.raises(FiguresError) as caught:
        check(VERBS, {0: over_verbs(0), 1: over_verbs(1, **changed)})
    assert words in str(caught.value)


def test_one_shard_alone_sets_nothing_up() -> None:
    check(replace(VERBS, shards=VERBS.shards[:1]), {0: over_verbs(0, verbs=None)})


def test_shards_of_one_host_meet_over_its_loopback() -> None:
    busy = (Traffic("net", "lo", 9000, 9000), Traffic("net", "enp1f0", 900, 800))
    check(REQUEST, {0: replace(result(0), traffic=busy), 1: replace(result(1), traffic=busy)})
