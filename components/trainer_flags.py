"""The command line of the guide's trainer, for one shard (guide: "Distributed Caffe2 run - sample")."""

from __future__ import annotations

from collections.abc import Mapping

from settings.image import ImageFlavour
from settings.models import Stack
from settings.training import Device, Training

# Where a shard writes: its folder in the container, which is all of it that is not read-only.
WORK_PATH = "/var/lib/rocestack"
# What the trainer of the guide's days does not know yet; it has one depth, and limits of its own.
_LATER = ("num_layers", "test_epoch_size", "first_iter_timeout", "timeout")


def trainer_arguments(stack: Stack, shard: int, run: str) -> list[str]:
    """Return the trainer's own flags for one shard of a run.

    Over ibverbs `distributed_interfaces` names the Ethernet interface here too: the shard's start program
    finds the RDMA device behind it, which no two hosts need to call the same.
    """
    training = stack.training
    flags = {
        "train_data": training.train_path,
        "test_data": training.test_path,
        "db_type": "lmdb",
        "file_store_path": WORK_PATH,
        "run_id": run,
        "redis_host": str(stack.head.data_address),
        "redis_port": str(training.redis_port),
        "num_shards": str(len(stack.shards)),
        "shard_id": str(shard),
        "distributed_transport": training.transport.value,
        "distributed_interfaces": stack.network.data_interface,
        **_model(training),
    }
    if stack.image.flavour is ImageFlavour.SOURCE:
        flags = {name: value for name, value in flags.items() if name not in _LATER}
    switches = [f"--{name}" for name in _switches(training)]
    return [*switches, *(part for name, value in flags.items() for part in (f"--{name}", value))]


def _switches(training: Training) -> list[str]:
    if training.device is Device.CPU:
        return ["use_cpu"]
    wanted = {
        "float16_compute": training.float16_compute,
        "enable_tensor_core": training.enable_tensor_core,
    }
    return [name for name, is_on in wanted.items() if is_on]


def _model(training: Training) -> Mapping[str, str]:
    """Return what is trained, and how long a step may take."""
    flags = {
        name: str(getattr(training, name))
        for name in (
            *("num_layers", "num_channels", "image_size", "num_labels"),
            *("batch_size", "epoch_size", "test_epoch_size", "num_epochs"),
            *("base_learning_rate", "weight_decay", "first_iter_timeout", "timeout"),
        )
    }
    if training.load_model_path is not None:
        flags["load_model_path"] = training.load_model_path
    if training.device is Device.GPU:
        # Each shard's container holds one GPU.
        flags |= {
            "num_gpus": "1",
            "dtype": training.dtype.value,
            "cudnn_workspace_limit_mb": str(training.cudnn_workspace_limit_mb),
        }
    return flags
