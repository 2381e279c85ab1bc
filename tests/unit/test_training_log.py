"""The shard's output as figures: two recorded shards, and outputs that are no finished shard."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.log import Iteration, LogError, ShardLog, Traffic, parse_iteration, parse_shard

FIXTURES = Path(__file__).parents[1] / "fixtures/trainer"
START = "rocestack-shard: start run_id=r shard=1 shards=2 transport=tcp interface=eth0"
STEPS = [
    "INFO:Imagenet_trainer:Finished iteration 1/2 of epoch 0 (10.00 images/sec)",
    "INFO:Imagenet_trainer:Training loss: 2.0, accuracy: 0.25",
    "INFO:Imagenet_trainer:Finished iteration 2/2 of epoch 0 (30.00 images/sec)",
    "INFO:Imagenet_trainer:Training loss: 1.0, accuracy: 0.5",
]
HEADER = "rocestack-csv: time_spent,epoch,loss,top1_test_accuracy"
ROW = "rocestack-csv: 22.1,0,1.0,0.625"


def _lines(case: str) -> list[str]:
    return (FIXTURES / case / "output.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (STEPS[0], Iteration(epoch=0, number=1, count=2, rate=10.0)),
        ("Finished iteration 7/40 of epoch 12 (1234.56 images/sec)", Iteration(12, 7, 40, 1234.56)),
        (STEPS[1], None),
        ("INFO:Imagenet_trainer:Starting epoch 0/4", None),
        ("", None),
    ],
)
def test_iteration(line: str, step: Iteration | None) -> None:
    assert parse_iteration(line) == step


def test_a_small_output_wholly() -> None:
    result = parse_shard(
        [
            START,
            *STEPS,
            "rocestack-shard: traffic kind=net device=lo rx_bytes=1 tx_bytes=2",
            "rocestack-shard: traffic kind=net device=eth0 rx_bytes=300 tx_bytes=400",
            "rocestack-csv: # Namespace(a=1)",
            HEADER,
            ROW,
            "rocestack-shard: end exit=0",
        ]
    )
    assert (result.run_id, result.shard, result.transport, result.interface) == ("r", 1, "tcp", "eth0")
    assert [(e.epoch, e.top1, e.loss) for e in result.epochs] == [(0, 0.625, 1.5)]
    # 1/10 s and 1/30 s an image: two steps of the same size take the time of 15 images a second.
    assert result.images_per_second == pytest.approx(15.0)
    assert result.traffic == (Traffic("net", "lo", 1, 2), Traffic("net", "eth0", 300, 400))
    assert result.busiest == Traffic("net", "eth0", 300, 400)


@pytest.mark.parametrize("shard", [0, 1])
def test_recorded_shards(shard: int) -> None:
    result = parse_shard(_lines(f"finished-{shard}"))
    assert (result.shard, result.transport, result.interface) == (shard, "tcp", "eth0")
    assert [epoch.epoch for epoch in result.epochs] == [0, 1, 2, 3]
    assert result.epochs[-1].top1 > 0.5
    assert result.epochs[-1].loss < result.epochs[0].loss / 2
    assert result.images_per_second > 1
    assert result.busiest is not None
    assert result.busiest.device == "eth0"
    assert result.busiest.sent > 2_000_000_000


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "starts with"),
        ([*STEPS, HEADER, ROW], "starts with"),
        ([START, HEADER, ROW], "no training step"),
        ([START, *STEPS], "no row"),
        ([START, *STEPS, HEADER], "no row"),
        ([START, *STEPS, HEADER, "rocestack-csv: 22.1,x,1.0,0.6"], "CSV file cannot be read"),
        ([START, *STEPS, HEADER, "rocestack-csv: 22.1"], "CSV file cannot be read"),
        ([START, *STEPS, "rocestack-csv: time_spent,epoch", "rocestack-csv: 1,0"], "CSV file cannot be read"),
        ([START, *STEPS, HEADER, "rocestack-csv: 22.1,5,1.0,0.6"], "CSV file cannot be read"),
        (["rocestack-shard: start run_id=r", *STEPS, HEADER, ROW], "cannot be read ('shard')"),
    ],
)
def test_what_is_no_finished_shard(lines: list[str], words: str) -> None:
    with pytest.raises(LogError) as caught:
        parse_shard(lines)
    assert words in str(caught.value)


def test_a_log_without_its_beginning_is_still_a_result() -> None:
    lines = _lines("finished-1")
    identity = lines[0].removeprefix("rocestack-shard: start ")
    cut = lines.index(next(line for line in lines if "of epoch 1 " in line))
    result = parse_shard([*lines[cut:-1], f"rocestack-shard: end exit=0 {identity}"])
    whole = parse_shard(lines)
    assert (result.run_id, result.shard) == (whole.run_id, 1)
    # Of the first epoch only its last step's loss is left.
    assert result.epochs[0].loss != whole.epochs[0].loss
    assert result.epochs[1:] == whole.epochs[1:]


def test_the_guides_trainer_calls_its_accuracy_otherwise() -> None:
    header = HEADER.replace("top1_test_accuracy", "test_accuracy")
    assert (
        parse_shard([START, *STEPS, header, ROW]).epochs == parse_shard([START, *STEPS, HEADER, ROW]).epochs
    )


def test_a_long_log_is_not_kept() -> None:
    log = ShardLog([START])
    for epoch in range(3):
        for number in range(1, 1001):
            log.add(f"Finished iteration {number}/1000 of epoch {epoch} (10.00 images/sec)")
            log.add(f"Training loss: {epoch}.5, accuracy: 0.5")
    log.add(HEADER)
    for epoch in range(3):
        log.add(f"rocestack-csv: 1.0,{epoch},9.9,0.5")
    assert len(log.tail) == 500
    result = log.result()
    assert [one.loss for one in result.epochs] == [0.5, 1.5, 2.5]
    assert result.images_per_second == pytest.approx(10.0)


def test_verbs_are_told_as_they_were_set() -> None:
    start = START.replace("tcp", "ibverbs") + " gid_index=3 device=mlx5_0"
    said = "rocestack-verbs: set device=mlx5_0 port=1 gid_index=3 traffic_class=106"
    result = parse_shard([start, said, *STEPS, HEADER, ROW])
    assert (result.device, result.gid_index) == ("mlx5_0", 3)
    assert result.verbs == "device=mlx5_0 port=1 gid_index=3 traffic_class=106"
    refused = parse_shard([start, "rocestack-verbs: error: no", *STEPS, HEADER, ROW])
    assert refused.verbs is None
    plain = parse_shard([START, *STEPS, HEADER, ROW])
    assert (plain.device, plain.gid_index, plain.verbs) == ("eth0", None, None)


@pytest.mark.parametrize("case", ["killed", "diverged", "peer-killed-survivor", "barrier-missed"])
def test_a_recorded_fault_is_no_result(case: str) -> None:
    lines = _lines(case)
    if case == "diverged":  # it wrote its CSV row before it gave up, so only its exit status tells
        assert parse_shard(lines).epochs[0].loss > 40
    else:
        with pytest.raises(LogError):
            parse_shard(lines)
