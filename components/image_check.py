"""What a container of the training image gets on each host: its GPUs, and the nodes of its RDMA devices."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pulumi

from components.context import Cluster
from components.host_step import host_step
from settings.docker import GpuRuntime
from settings.gpu import GpuDriver
from settings.models import Stack
from settings.training import Device, Transport

STEP = "caffe2_image.host_check"


def check_settings(stack: Stack) -> dict[str, str]:
    """Return what the check on a host is told: how a container gets GPUs, and how many."""
    gpu, runtime = stack.gpu, stack.docker.runtime
    none = gpu.driver is GpuDriver.NONE or runtime is GpuRuntime.NONE
    wanted = "any" if gpu.count is None else str(gpu.count)
    return {
        "runtime": runtime.value,
        "gpus": "none" if none else wanted,
        "needs_gpu": "yes" if stack.training.device is Device.GPU else "no",
        "needs_rdma": "no" if stack.training.transport is Transport.TCP else "yes",
    }


def host_checks(
    cluster: Cluster,
    image_ids: Mapping[str, pulumi.Input[str]],
    present: Mapping[str, pulumi.Resource],
    parent: pulumi.Resource,
) -> dict[str, pulumi.Output[dict[str, str]]]:
    """Declare the check on every host, once per image, and return what each saw; all texts, never an input.

    `image_ids` and `present` have, per host, the image's id and the resource after which it is there.
    """
    return {
        name: host_step(
            cluster,
            cluster.hosts[name],
            STEP,
            {**check_settings(cluster.stack), "image_id": image_ids[name]},
            parent=parent,
            depends_on=[there],
        ).stdout.apply(seen)
        for name, there in present.items()
    }


def seen(text: str) -> dict[str, str]:
    """Return what a check saw: by agreement its last line."""
    otherwise = f"A check of a host did not say what it saw. Hint: see the log of {STEP} above."
    return json_line(text, -1, otherwise)


def json_line(text: str, line: int, otherwise: str) -> dict[str, str]:
    """Return the JSON object on that line of a step's output, all values as texts.

    Raises RunError with `otherwise` where there is none.
    """
    try:
        found = json.loads(text.strip().splitlines()[line])
    except (IndexError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise pulumi.RunError(otherwise)
    return {str(key): str(value) for key, value in found.items()}
