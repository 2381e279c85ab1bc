"""The rules about the training: its flags fit each other, and what the image and the hosts can do.

They say before anything is touched what the trainer would say when all is up: its own assertions, and what
ended runs of Caffe2 1.7.1 with the wrong flags (tests/fixtures/trainer).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from settings.docker import Docker, GpuRuntime
from settings.gpu import Gpu, GpuDriver
from settings.image import Image, ImageFlavour
from settings.models import Host
from settings.problem import Problem
from settings.training import Device, Precision, Training, Transport

_DEPTHS = (18, 34, 50, 101, 152, 200)
_DEPTH_OF_THE_GUIDE = 50
# Over verbs nothing tells a shard that another one died: its own limit must (docs/decisions/0034).
_LONGEST_STEP_OVER_VERBS = 59
_EPOCH_OF_MODEL = re.compile(r"_(\d+)\.mdl$")


def _epoch_feeds_all_shards(hosts: tuple[Host, ...], training: Training) -> Iterable[Problem]:
    for field in ("epoch_size", "test_epoch_size"):
        least = training.batch_size * len(hosts) * training.shards_per_host
        size = getattr(training, field)
        if size < least:
            yield Problem(
                f"training.{field}",
                size,
                f"is less than one batch per shard; allowed is at least batch_size * shards = {least}",
            )


def _flags_fit(training: Training) -> Iterable[Problem]:
    if training.num_layers not in _DEPTHS:
        allowed = ", ".join(str(depth) for depth in _DEPTHS)
        yield Problem("training.num_layers", training.num_layers, f"is no ResNet depth; allowed: {allowed}")
    if training.float16_compute and training.dtype is not Precision.FLOAT16:
        yield Problem("training.float16_compute", True, "needs training.dtype float16")
    if training.first_iter_timeout < training.timeout:
        yield Problem(
            "training.first_iter_timeout",
            training.first_iter_timeout,
            f"is less than training.timeout = {training.timeout}; the first step also sets up what follows",
        )


def _model_is_there(training: Training) -> Iterable[Problem]:
    path = training.load_model_path
    if path is None:
        return
    field = "training.load_model_path"
    if training.device is Device.CPU:
        yield Problem(field, path, "is for GPUs: the trainer loads models onto one; leave it out")
    if not PurePosixPath(path).is_relative_to(training.data_path):
        yield Problem(
            field, path, f"is not below training.data_path {training.data_path}, all that a shard sees"
        )
    epoch = _EPOCH_OF_MODEL.search(path)
    if epoch is None:
        yield Problem(field, path, "does not end as the trainer names its models: _EPOCH.mdl")
    elif int(epoch[1]) >= training.num_epochs:
        yield Problem(
            field,
            path,
            f"has done {int(epoch[1])} epochs; allowed is less than training.num_epochs = "
            f"{training.num_epochs}",
        )


def _transport_fits(training: Training) -> Iterable[Problem]:
    if training.transport is Transport.IBVERBS:
        if training.timeout > _LONGEST_STEP_OVER_VERBS:
            yield Problem(
                "training.timeout",
                training.timeout,
                "is too long: over ibverbs it alone ends a shard whose peer died; allowed is at most "
                f"{_LONGEST_STEP_OVER_VERBS}",
            )
        if len(set(training.rdma_nodes)) < len(training.rdma_nodes):
            yield Problem("training.rdma_nodes", list(training.rdma_nodes), "names a node twice")
        if not any(node.startswith("uverbs") for node in training.rdma_nodes):
            yield Problem(
                "training.rdma_nodes", list(training.rdma_nodes), "lacks the card's own, such as uverbs0"
            )
        return
    for name in ("rdma_device", "gid_index", "ack_timeout", "rdma_nodes"):
        value = getattr(training, name)
        if value != Training.model_fields[name].default:
            yield Problem(
                f"training.{name}",
                list(value) if isinstance(value, tuple) else value,
                "is of no use with training.transport tcp; leave it out",
            )


def _training_has_its_hardware(
    training: Training, gpu: Gpu, docker: Docker, image: Image
) -> Iterable[Problem]:
    if image.flavour is ImageFlavour.SOURCE and training.num_layers != _DEPTH_OF_THE_GUIDE:
        yield Problem(
            "training.num_layers",
            training.num_layers,
            "is not what the guide's trainer knows; allowed with image.flavour source: "
            f"{_DEPTH_OF_THE_GUIDE}",
        )
    if training.device is Device.CPU:
        for name, value, default in (
            ("dtype", training.dtype.value, Precision.FLOAT.value),
            ("enable_tensor_core", training.enable_tensor_core, False),
        ):
            if value != default:
                allowed = str(default).lower()
                yield Problem(
                    f"training.{name}", value, f"is for GPUs; allowed with training.device cpu: {allowed}"
                )
        return
    needed = (
        (gpu.driver is GpuDriver.NONE, "needs an NVIDIA driver: set gpu.driver to local-repo or repo"),
        (docker.runtime is GpuRuntime.NONE, "needs docker.runtime nvidia-docker or container-toolkit"),
        (
            image.flavour is not ImageFlavour.SOURCE,
            "needs image.flavour source: Debian's Caffe2 knows no GPU",
        ),
    )
    for missing, message in needed:
        if missing:
            yield Problem("training.device", training.device.value, message)
    if gpu.count is not None and training.shards_per_host > gpu.count:
        yield Problem(
            "training.shards_per_host",
            training.shards_per_host,
            f"is more than a host has GPUs; allowed is at most gpu.count = {gpu.count}",
        )


TRAINING_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("hosts", "training"), _epoch_feeds_all_shards),
    (("training",), _flags_fit),
    (("training",), _model_is_there),
    (("training",), _transport_fits),
    (("training", "gpu", "docker", "image"), _training_has_its_hardware),
)
