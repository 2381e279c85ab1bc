"""The shard's start program, up to where the trainer starts: its data, its card's GID, and the meeting."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARD = ROOT / "templates" / "training_job" / "shard.sh"
LMDB = ROOT / "tests" / "fixtures" / "lmdb" / "three-records" / "data.mdb"
EMPTY = "0000:0000:0000:0000:0000:0000:0000:0000"
V4 = "0000:0000:0000:0000:0000:ffff:1f1f:1f2a"  # 31.31.31.42
LINK_LOCAL = "fe80:0000:0000:0000:0202:c9ff:fe00:0001"
# A Redis that has the answers of a first shard that meets one other, and notes what it is asked.
REDIS = """() {
  shift 4
  case $1 in
    PING) echo PONG ;;
    HSETNX) echo "${REDIS_FIRST:-1}" ;;
    EXPIRE) echo 1 ;;
    HLEN) [[ $2 == *:gone ]] && echo "${REDIS_GONE:-1}" || echo "${REDIS_HERE:-2}" ;;
    HEXISTS) [[ $3 == 0 ]] && echo "${REDIS_KNOWS_US:-1}" || echo 0 ;;
    HVALS) printf '%s\\n' ${REDIS_DATA:-same same} ;;
  esac
}"""


def _run(folder: Path, *more: str, **env: str) -> tuple[int, list[str]]:
    """Return exit status and lines of shard 0 of 2; the trainer cannot start here."""
    words = {
        "--train_data": str(folder / "data" / "train_lmdb"),
        "--test_data": str(folder / "data" / "val_lmdb"),
        "--run_id": "r",
        "--redis_host": "192.0.2.1",
        "--num_shards": "2",
        "--shard_id": "0",
        "--distributed_interfaces": "enp1f0",
        "--file_store_path": str(folder),
    }
    tools = {"redis-cli": REDIS, "timeout": '() { shift; "$@"; }', "python": '() { echo trainer "$@"; }'}
    done = subprocess.run(
        ["bash", str(SHARD), *(part for pair in words.items() for part in pair), *more],
        env={
            **os.environ,
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "ROCESTACK_BARRIER_SECONDS": "0",
            "ROCESTACK_SYS": str(folder / "sys"),
            **{f"BASH_FUNC_{name}%%": text for name, text in tools.items()},
            **env,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, [line.removeprefix("rocestack-shard: ") for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train_lmdb", "val_lmdb"):
        (tmp_path / "data" / name).mkdir(parents=True)
        shutil.copy(LMDB, tmp_path / "data" / name)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho trainer "$@"\n')
    python.chmod(0o755)
    return tmp_path


def _gids(folder: Path, tables: Mapping[str, Mapping[int, tuple[str, str]]]) -> None:
    """Make the GID tables of RDMA devices as sysfs has them: index, GID, type; an empty slot has no type."""
    for device, table in tables.items():
        port = folder / "sys" / "class" / "infiniband" / device / "ports" / "1"
        (port / "gids").mkdir(parents=True)
        (port / "gid_attrs" / "types").mkdir(parents=True)
        for index, (gid, kind) in table.items():
            (port / "gids" / str(index)).write_text(f"{gid}\n")
            if kind:
                (port / "gid_attrs" / "types" / str(index)).write_text(f"{kind}\n")


CONNECTX = {
    "mlx5_0": {
        0: (LINK_LOCAL, "IB/RoCE v1"),
        1: (LINK_LOCAL, "RoCE v2"),
        2: (V4, "IB/RoCE v1"),
        3: (V4, "RoCE v2"),
        4: (EMPTY, ""),
    },
    "mlx5_1": {0: (LINK_LOCAL, "IB/RoCE v1"), 1: (LINK_LOCAL, "RoCE v2")},
}


def test_shards_that_met_start_their_trainer(folder: Path) -> None:
    status, lines = _run(folder)
    assert status == 0
    identity = "run_id=r shard=0 shards=2 transport=tcp interface=enp1f0 device=enp1f0"
    assert lines[:2] == [f"start {identity}", "data train_records=3 test_records=3 manifest=none"]
    trainer = next(line for line in lines if line.startswith("trainer "))
    assert trainer.endswith(f"--file_store_path {folder}")
    assert lines[-1] == f"end exit=0 {identity}"


@pytest.mark.parametrize(
    ("env", "status", "says"),
    [
        ({"REDIS_FIRST": "0"}, 93, "shard 0 of run r was here before: a new try needs a new run id"),
        ({"REDIS_FIRST": "NOPERM"}, 91, "Redis at 192.0.2.1:6379 refused to write: NOPERM"),
        ({"REDIS_HERE": "1"}, 92, "only 1 of 2 shards came within 0 s, missing: 1"),
        ({"REDIS_HERE": "Broken pipe"}, 91, "Redis at 192.0.2.1:6379 went away: Broken pipe"),
        ({"REDIS_HERE": "0", "REDIS_KNOWS_US": "0"}, 91, "Redis at 192.0.2.1:6379 was started anew while"),
        ({"REDIS_GONE": "0"}, 92, "only 0 of 1 shards started within 0 s, missing: 1"),
        ({"REDIS_DATA": "same other"}, 94, "the shards hold different training data"),
        ({"ROCESTACK_BARRIER_SECONDS": "soon"}, 90, "'soon' is not a whole number"),
    ],
)
def test_shards_that_do_not_meet(folder: Path, env: dict[str, str], status: int, says: str) -> None:
    found, lines = _run(folder, **env)
    assert found == status
    assert lines[-1].startswith(f"error {status}: {says}")


def test_a_redis_that_went_away_is_not_waited_for_to_the_end(folder: Path) -> None:
    start = time.monotonic()
    env = {"REDIS_HERE": "Connection refused", "ROCESTACK_BARRIER_SECONDS": "300"}
    status, lines = _run(folder, **env)
    assert status == 91
    assert lines[-1] == "error 91: Redis at 192.0.2.1:6379 went away: Connection refused"
    assert time.monotonic() - start < 30


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4096)


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("train_lmdb", lambda path: shutil.rmtree(path.parent), "there is no training data at {folder}"),
        ("val_lmdb", lambda path: path.unlink(), "the training data at {folder} has no readable data.mdb"),
        ("val_lmdb", _cut, "{folder}/data.mdb is cut off: it has "),
        (
            "train_lmdb",
            lambda path: path.write_bytes(bytes(9000)),
            "{folder}/data.mdb is no LMDB (9000 bytes)",
        ),
        ("train_lmdb", lambda path: path.write_bytes(b"x"), "{folder}/data.mdb is no LMDB (1 bytes)"),
    ],
)
def test_data_that_the_trainer_would_fall_over(folder: Path, name: str, damage: object, says: str) -> None:
    assert callable(damage)
    place = folder / "data" / name
    damage(place / "data.mdb")
    status, lines = _run(folder)
    assert status == 95
    assert lines[-1].startswith("error 95: " + says.format(folder=place))


def test_made_up_images_need_no_data(folder: Path) -> None:
    shutil.rmtree(folder / "data" / "train_lmdb")
    status, lines = _run(folder, "--train_data", "null")
    assert (status, lines[1]) == (0, "data train_records=null test_records=3 manifest=none")


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({"ROCESTACK_GID_INDEX": "auto"}, "gid_index=3 device=mlx5_0"),
        ({"ROCESTACK_GID_INDEX": "3"}, "gid_index=3 device=mlx5_0"),
        ({"ROCESTACK_GID_INDEX": "auto", "ROCESTACK_RDMA_DEVICE": "mlx5_0"}, "gid_index=3 device=mlx5_0"),
    ],
)
def test_the_card_and_its_gid_are_found_by_the_data_address(
    folder: Path, env: dict[str, str], found: str
) -> None:
    _gids(folder, CONNECTX)
    status, lines = _run(
        folder, "--distributed_transport", "ibverbs", ROCESTACK_DATA_ADDRESS="31.31.31.42", **env
    )
    assert lines[0].startswith("start run_id=r shard=0 shards=2 transport=ibverbs interface=enp1f0 ")
    assert lines[0].endswith(found)
    # This machine has no image's library: without it nothing would be marked, so nothing starts.
    assert status == 97


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"ROCESTACK_GID_INDEX": "1"}, "no RoCE v2 GID of 31.31.31.42 at index 1 of any RDMA device,"),
        ({"ROCESTACK_GID_INDEX": "2"}, "no RoCE v2 GID of 31.31.31.42 at index 2 of any RDMA device,"),
        ({"ROCESTACK_GID_INDEX": "4"}, "no RoCE v2 GID of 31.31.31.42 at index 4 of any RDMA device,"),
        ({"ROCESTACK_RDMA_DEVICE": "mlx5_1"}, "no RoCE v2 GID of 31.31.31.42 at index auto of mlx5_1,"),
        ({"ROCESTACK_DATA_ADDRESS": "31.31.31.41"}, "no RoCE v2 GID of 31.31.31.41 at index auto of any"),
    ],
)
def test_a_gid_that_is_not_as_it_must_be(folder: Path, env: dict[str, str], says: str) -> None:
    _gids(folder, CONNECTX)
    asked = {"ROCESTACK_GID_INDEX": "auto", "ROCESTACK_DATA_ADDRESS": "31.31.31.42", **env}
    status, lines = _run(folder, "--distributed_transport", "ibverbs", **asked)
    assert status == 96
    assert lines[-1].startswith(f"error 96: {says}")
    assert "; mlx5_0 index 3 (RoCE v2, 0000:0000:0000:0000:0000:ffff:1f1f:1f2a);" in lines[-1]
    assert "index 4 (" not in lines[-1]


def test_a_host_without_rdma_is_told_so(folder: Path) -> None:
    status, lines = _run(
        folder,
        "--distributed_transport",
        "ibverbs",
        ROCESTACK_GID_INDEX="auto",
        ROCESTACK_DATA_ADDRESS="31.31.31.42",
    )
    assert (status, lines[-1].rpartition(", ")[2]) == (96, "there is: none")


def test_a_node_that_the_container_lacks_is_named(folder: Path) -> None:
    _gids(folder, CONNECTX)
    node = folder / "sys" / "class" / "infiniband_verbs" / "uverbs77"
    node.mkdir(parents=True)
    (node / "ibdev").write_text("mlx5_0\n")
    status, lines = _run(
        folder,
        "--distributed_transport",
        "ibverbs",
        ROCESTACK_GID_INDEX="auto",
        ROCESTACK_DATA_ADDRESS="31.31.31.42",
    )
    assert status == 96
    assert lines[-1] == (
        "error 96: the container has no /dev/infiniband/uverbs77, which is the node of mlx5_0"
    )
