"""The distributed training: the trainer's own flags, its shards and how they meet."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from settings.section import AbsolutePath, Section, TcpPort

# A device of the RDMA stack (mlx5_0), and a node below /dev/infiniband (uverbs0).
RdmaDevice = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
RdmaNode = Annotated[str, Field(pattern=r"^(uverbs\d{1,3}|rdma_cm|umad\d{1,3})$")]

# Names a run for a person; another name is another run.
RunName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]


class Transport(StrEnum):
    """How Gloo moves gradients between shards: over the kernel's TCP, or over RDMA verbs."""

    TCP = "tcp"
    IBVERBS = "ibverbs"


class Device(StrEnum):
    """What a shard computes on: the host's processors, or one GPU of its own."""

    CPU = "cpu"
    GPU = "gpu"


class Precision(StrEnum):
    """The trainer's number format; `float16` is for GPUs."""

    FLOAT = "float"
    FLOAT16 = "float16"


class Training(Section):
    """The distributed job (guide: "Distributed Caffe2 run - sample"); most names are the trainer's own flags.

    `run` names the run: another name starts another one, on the same image and data (`make train RUN=NAME`).

    `shards_per_host` containers run on each host, each with one GPU where `device` is `gpu`. `epoch_size`
    and `test_epoch_size` count images over all shards, and the trainer rounds both down to whole steps;
    `batch_size` is per shard. The LMDBs `train_lmdb` and `val_lmdb` are below `data_path`.
    `first_iter_timeout` and `timeout` end a shard whose step takes longer, in seconds.

    With `ibverbs`, `rdma_device` and `gid_index` are looked up on each host by its data address when left
    out; `rdma_nodes` are what a shard gets of /dev/infiniband; `ack_timeout` is the exponent of
    4.096 us * 2^n after which a packet is sent again (left out: Gloo's own 14).

    `barrier_seconds` is how long a shard waits for Redis and for the others before it starts.
    `deadline_seconds` ends a job that hangs; with `wait: false` an `up` ends when the shards have started.
    `log_megabytes` is the most that a shard's log takes on its host's disk.
    """

    run: RunName = "1"
    transport: Transport = Transport.TCP
    device: Device = Device.CPU
    dtype: Precision = Precision.FLOAT
    float16_compute: bool = False
    enable_tensor_core: bool = False
    cudnn_workspace_limit_mb: Annotated[int, Field(ge=8, le=8192)] = 64
    shards_per_host: Annotated[int, Field(ge=1, le=16)] = 1
    redis_port: TcpPort = 5555
    data_path: AbsolutePath = "/data"
    num_channels: Literal[1, 3] = 3
    num_layers: int = Field(default=18)
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 16
    epoch_size: Annotated[int, Field(ge=1)] = 640
    test_epoch_size: Annotated[int, Field(ge=1)] = 384
    num_epochs: Annotated[int, Field(ge=1, le=1000)] = 4
    image_size: Annotated[int, Field(ge=32, le=256)] = 64
    num_labels: Annotated[int, Field(ge=2, le=100_000)] = 8
    base_learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.01
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0001
    load_model_path: AbsolutePath | None = None
    first_iter_timeout: Annotated[int, Field(ge=30, le=86_400)] = 1200
    timeout: Annotated[int, Field(ge=5, le=3600)] = 45
    rdma_device: RdmaDevice | None = None
    gid_index: Annotated[int, Field(ge=0, le=255)] | None = None
    rdma_nodes: tuple[RdmaNode, ...] = ("uverbs0", "rdma_cm")
    ack_timeout: Annotated[int, Field(ge=1, le=31)] | None = None
    barrier_seconds: Annotated[int, Field(ge=10, le=3600)] = 300
    deadline_seconds: Annotated[int, Field(ge=60, le=604_800)] = 1800
    wait: bool = True
    log_megabytes: Annotated[int, Field(ge=2, le=10_000)] = 256

    @property
    def train_path(self) -> str:
        """The training LMDB's folder, on the host as in the container."""
        return f"{self.data_path}/train_lmdb"

    @property
    def test_path(self) -> str:
        """The validation LMDB's folder, on the host as in the container."""
        return f"{self.data_path}/val_lmdb"
