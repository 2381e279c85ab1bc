"""Failure texts: each recorded fault has its sentence, and a finished shard's output has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.failures import explain

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests/fixtures/trainer"
LIBRARY = "/usr/local/lib/rocestack/librocestack_verbs.so"

# case, exit status, sentence, whether another shard is the cause
RECORDED = [
    ("barrier-missed", 92, "It gave up waiting: only 1 of 2 shards came within 3 s, missing: 1.", True),
    (
        "barrier-no-redis",
        91,
        "Redis at job-redis:5556 did not answer within 3 s: "
        "Could not connect to Redis at job-redis:5556: Connection refused.",
        False,
    ),
    (
        "barrier-run-id-used",
        93,
        "Shard 0 of run ok1 was here before: a new try needs a new run id.",
        False,
    ),
    (
        "data-cut",
        95,
        "/data/train_lmdb/data.mdb is cut off: it has 12070912 bytes of 24141824.",
        False,
    ),
    (
        "data-differs",
        94,
        "The shards hold different training data: make the data set anew on each host.",
        False,
    ),
    ("data-missing", 95, "There is no training data at /data/train_lmdb on this host.", False),
    ("data-no-lmdb", 95, "/data/val_lmdb/data.mdb is no LMDB (30000000 bytes).", False),
    ("disk-full", 1, "The disk of the host's Docker engine is full.", False),
    ("lmdb-cut", 135, "The training data was cut off while it was read.", False),
    ("verbs-ack-too-short", 134, "A packet was sent again although it had arrived.", False),
    ("verbs-flushed", 134, "The RDMA connection to another shard was broken.", True),
    ("verbs-step-too-slow", 134, "Another shard stopped answering.", True),
    ("verbs-library-one-side", 1, "The RDMA device has no usable GID at the chosen index.", False),
    ("verbs-memory", 134, "The container may not lock memory for RDMA.", False),
    (
        "verbs-no-device-node",
        96,
        "The container has no /dev/infiniband/uverbs0, which is the node of rxe0.",
        False,
    ),
    (
        "verbs-library-missing",
        97,
        f"This image lacks {LIBRARY}, so the traffic would not be marked.",
        False,
    ),
    ("diverged", 1, "The training diverged: its loss rose above 40.", False),
    ("epoch-too-small", 1, "An epoch is smaller than one step of all shards.", False),
    ("half-precision", 1, "Half precision does not work without a GPU.", False),
    ("ibverbs-no-device", 1, "The container sees no RDMA device mlx5_0.", False),
    ("interface-unknown", 1, "The container has no address on the interface mlx5_0.", False),
    ("killed", 137, "It was killed from outside.", False),
    ("lmdb-missing", 1, "The training data cannot be opened: No such file or directory.", False),
    ("no-use-cpu", 1, "The trainer looked for a GPU.", False),
    ("peer-killed-survivor", 1, "Another shard broke the connection.", True),
    ("redis-refused", 1, "Redis at c2x-redis:5556 could not be reached: Connection refused.", False),
    ("redis-unknown-name", 1, "Redis at nohost:5555 could not be reached: Name or service not known.", False),
    (
        "run-id-used",
        1,
        "The run id was used before: Redis already holds allreduce_0_cw_op/0 of another try.",
        False,
    ),
    ("shard-absent", 1, "Another shard did not come within 30 s (allreduce_0_cw_op/1).", True),
    ("unknown-argument", 2, "The trainer does not know the arguments --no_such 1.", False),
]

# What only RDMA hardware, another build or a user's report shows: the text alone.
QUOTED = [
    (
        "rocestack-shard: error 96: no RoCE v2 GID of 31.31.32.41 at index 7 of any RDMA device, there is: "
        "rxe0 index 1 (RoCE v2, 0000:0000:0000:0000:0000:ffff:1f1f:2029)",
        "No RoCE v2 GID of 31.31.32.41 at index 7 of any RDMA device, there is: "
        "rxe0 index 1 (RoCE v2, 0000:0000:0000:0000:0000:ffff:1f1f:2029).",
        False,
    ),
    ("wc->status == IBV_WC_SUCCESS. 12 vs 0", "RDMA packets to another shard get no answer.", False),
    (
        "wc->status == IBV_WC_SUCCESS. 9 vs 0. Memory region send for slot 0: remote invalid request error",
        "A packet was sent again although it had arrived.",
        False,
    ),
    (
        "wc->status == IBV_WC_SUCCESS. 11 vs 0",
        "An RDMA transfer failed with work completion status 11.",
        False,
    ),
    (
        "wc->status == IBV_WC_SUCCESS. 4 vs 0",
        "The RDMA card may not reach the memory that it was given.",
        False,
    ),
    ("wc->status == IBV_WC_SUCCESS. 5 vs 0", "The RDMA connection to another shard was broken.", True),
    (
        "gloo/transport/ibverbs/pair.cc:81] rv == 0. 38 vs 0",
        "Our library for verbs does not find the RDMA library in this image.",
        False,
    ),
    (
        "rocestack-verbs: error: ROCESTACK_ACK_TIMEOUT='x' is not a whole number from 1 to 31",
        "Our library for verbs refused: ROCESTACK_ACK_TIMEOUT='x' is not a whole number from 1 to 31.",
        False,
    ),
    (
        f"ERROR: ld.so: object '{LIBRARY}' from LD_PRELOAD cannot be preloaded "
        "(cannot open shared object file): ignored.",
        f"The loader could not load {LIBRARY}, so the traffic would not be marked.",
        False,
    ),
    (
        "ERROR:timeout_guard:Call did not finish in time. Timeout:40s PID: 7",
        "Another shard stopped answering.",
        True,
    ),
    ("No space left on device", "The disk of the host's Docker engine is full.", False),
    (
        "CUDA driver version is insufficient for CUDA runtime version",
        "The host's NVIDIA driver is too old for this image's CUDA.",
        False,
    ),
    ("no CUDA-capable device is detected", "The container sees no GPU.", False),
    (
        "no kernel image is available for execution on the device",
        "This image's Caffe2 was not built for the host's GPUs.",
        False,
    ),
    ("Encountered CUDA error: out of memory", "The GPU's memory is too small for this batch.", False),
    (
        "gloo/transport/ibverbs/pair.cc:174] rv == 0. 22 vs 0",
        "The RDMA device has no usable GID at the chosen index.",
        False,
    ),
    (
        "buffer.cc:52] mr_ != nullptr. ibv_reg_mr: Cannot allocate memory (did you run into the limit?)",
        "The container may not lock memory for RDMA.",
        False,
    ),
    (
        "gloo/transport/ibverbs/buffer.cc:107] Read timeout LID: 0 QPN: 18 PSN: 1",
        "Another shard stopped answering.",
        True,
    ),
    (
        "Gloo was not compiled with ibverbs support. Please recompile with -DUSE_IBVERBS=1.",
        "This image's Gloo was built without ibverbs.",
        False,
    ),
    (
        "reply->type == REDIS_REPLY_INTEGER. 6 vs 3",
        "Redis does not take writes from this shard.",
        False,
    ),
    (
        "Redis did not answer SETNX: Connection reset by peer (Error from operator:",
        "Redis went away while the shard used it: Connection reset by peer.",
        False,
    ),
]


def _lines(case: str) -> list[str]:
    return (FIXTURES / case / "output.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("case", "status", "sentence", "consequence"), RECORDED, ids=[r[0] for r in RECORDED]
)
def test_recorded_faults(case: str, status: int, sentence: str, consequence: bool) -> None:
    failure = explain(_lines(case), status)
    assert failure.sentence == sentence
    assert failure.consequence is consequence
    assert failure.hint.endswith((".", "?"))


def test_every_recorded_fault_is_in_the_table() -> None:
    faults = {path.name for path in FIXTURES.iterdir() if path.is_dir()} - {"finished-0", "finished-1"}
    assert faults == {row[0] for row in RECORDED}


@pytest.mark.parametrize(("text", "sentence", "consequence"), QUOTED)
def test_quoted_texts(text: str, sentence: str, consequence: bool) -> None:
    failure = explain(["INFO:Imagenet_trainer:Starting epoch 0/4", f"RuntimeError: {text}"], 1)
    assert (failure.sentence, failure.consequence) == (sentence, consequence)


@pytest.mark.parametrize("case", ["finished-0", "finished-1"])
def test_a_good_output_matches_no_text(case: str) -> None:
    failure = explain(_lines(case), 1)
    assert failure.sentence == "It failed for a reason that is not known here."


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (78, "refused"),
        (134, "aborted"),
        (135, "cut off"),
        (137, "killed"),
        (139, "crashed"),
        (143, "stopped"),
        (255, "went down with its host"),
        (3, "not known"),
    ],
)
def test_exit_statuses(status: int, word: str) -> None:
    assert word in explain([], status).sentence


def test_memory_comes_before_all_texts() -> None:
    assert explain(_lines("peer-killed-survivor"), 137, out_of_memory=True).sentence.startswith("It ran out")


@pytest.mark.parametrize("status", [137, 143, 255])
def test_a_host_that_was_away_took_its_shard_with_it(status: int) -> None:
    failure = explain([], status, host_was_away=True)
    assert failure.sentence.startswith("Its host went away in the middle of the run")
    assert not failure.consequence
    assert explain([], status).sentence != failure.sentence


def test_a_shard_that_failed_by_itself_is_told_so_though_its_host_was_away() -> None:
    assert explain(_lines("diverged"), 1, host_was_away=True) == explain(_lines("diverged"), 1)


def test_every_exit_status_of_the_shard_script_is_known() -> None:
    script = (ROOT / "templates/training_job/shard.sh").read_text(encoding="utf-8")
    statuses = set(re.findall(r"\bfail (\d+) ", script))
    assert statuses == {"90", "91", "92", "93", "94", "95", "96", "97", "143"}
    for status in statuses:
        failure = explain([f"rocestack-shard: error {status}: the reason"], int(status))
        assert "not known here" not in failure.sentence
