"""How the job's containers are made: Redis and the shards, with no right that they can do without.

Each function returns what goes to `docker.Container` as plain data, so all of it can be part of the run's
identity: where one of these values changes, the shards are made anew, and they need a fresh run then.
"""

from __future__ import annotations

from typing import Any

from components.trainer_flags import WORK_PATH, trainer_arguments
from settings.docker import GpuRuntime
from settings.image import ImageFlavour
from settings.models import Stack
from settings.training import Device, Training, Transport

REDIS = "redis"
_NO_NEW_PRIVILEGES = "no-new-privileges:true"
_REDIS_MEMORY_MIB = 256
_REDIS_DATA = "64mb"
_REDIS_LOG_MB = 8
_REDIS_HEALTHY_WITHIN_S = 60
# What Redis must not do for whoever reaches it: it has no password, since Caffe2's store knows none.
_FORBIDDEN = (
    *("CONFIG", "DEBUG", "EVAL", "EVALSHA", "SCRIPT", "SHUTDOWN", "SLAVEOF", "SAVE", "BGSAVE"),
    *("BGREWRITEAOF", "FLUSHALL", "FLUSHDB", "KEYS", "MONITOR", "MIGRATE", "RESTORE"),
)
# The Redis of the guide's Ubuntu 16.04 does not have these; forbidding what is not there is an error.
_FORBIDDEN_SINCE_5 = ("REPLICAOF", "MODULE")


def shard_name(index: int) -> str:
    """Return the name of a shard's container."""
    return f"caffe2-shard-{index}"


def redis_container(stack: Stack) -> dict[str, Any]:
    """Return the rendezvous: on the head's data address alone, in memory alone, healthy before it counts."""
    address, port = str(stack.head.data_address), str(stack.training.redis_port)
    newer = () if stack.image.flavour is ImageFlavour.SOURCE else _FORBIDDEN_SINCE_5
    return {
        "command": [
            "redis-server",
            *("--bind", address, "--port", port),
            *("--protected-mode", "no"),
            *("--save", "", "--appendonly", "no"),
            # It refuses more than that, and forgets nothing: a lost key would let a run id be used again.
            *("--maxmemory", _REDIS_DATA, "--maxmemory-policy", "noeviction"),
            *(word for name in (*_FORBIDDEN, *newer) for word in ("--rename-command", name, "")),
        ],
        "user": "redis",
        "memory": _REDIS_MEMORY_MIB,
        "healthcheck": {
            "tests": ["CMD", "redis-cli", "-h", address, "-p", port, "ping"],
            "interval": "2s",
            "timeout": "3s",
            "retries": 5,
        },
        "wait": True,
        "wait_timeout": _REDIS_HEALTHY_WITHIN_S,
        "restart": "unless-stopped",
        "capabilities": {"drops": ["ALL"]},
        **_confined(_REDIS_LOG_MB),
    }


def shard_container(stack: Stack, index: int, run: str) -> dict[str, Any]:
    """Return one shard of a run: it reads the data, writes to a volume of its own, and never starts again.

    It is made here and started by `python -m training wait`, all at once: where one cannot be made, none of
    the others waits for it.
    """
    training = stack.training
    _, gpu = stack.shards[index]
    made = {
        "command": ["rocestack-shard", *trainer_arguments(stack, index, run)],
        "mounts": [
            {
                "type": "bind",
                "source": training.data_path,
                "target": training.data_path,
                "read_only": True,
            },
            # Without a name it goes with the container; until then `docker cp` gets the model out of it.
            {"type": "volume", "target": WORK_PATH},
        ],
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m"},  # noqa: S108  (the container's own)
        "must_run": False,
        "start": False,
        "restart": "no",
        **_confined(training.log_megabytes),
        **_rights(training),
    }
    envs = {
        "HOME": WORK_PATH,
        "ROCESTACK_BARRIER_SECONDS": str(training.barrier_seconds),
        **_verbs(stack, index),
    }
    if training.device is Device.GPU:
        access = gpu_access(stack.docker.runtime, gpu)
        envs |= access.pop("envs", {})
        made |= access
    return {**made, "envs": [f"{name}={value}" for name, value in sorted(envs.items())]}


def gpu_access(runtime: GpuRuntime, gpu: int) -> dict[str, Any]:
    """Return the container arguments that give a shard the one GPU of that number and no other."""
    if runtime is GpuRuntime.CONTAINER_TOOLKIT:
        return {"gpus": f"device={gpu}"}
    return {"runtime": "nvidia", "envs": {"NVIDIA_VISIBLE_DEVICES": str(gpu)}}


def _confined(log_megabytes: int) -> dict[str, Any]:
    """Return what both kinds have: the host's network, a read-only root, no new rights, short logs."""
    return {
        "network_mode": "host",
        "read_only": True,
        "security_opts": [_NO_NEW_PRIVILEGES],
        "log_driver": "json-file",
        # Two files: with one alone Docker begins anew, and the log's end may be a few lines.
        "log_opts": {"max-size": f"{log_megabytes // 2}m", "max-file": "2"},
    }


def _rights(training: Training) -> dict[str, Any]:
    """Return a shard's rights: none over tcp; for verbs the card's nodes, and memory that stays in place."""
    if training.transport is Transport.TCP:
        return {"capabilities": {"drops": ["ALL"]}}
    paths = [f"/dev/infiniband/{node}" for node in training.rdma_nodes]
    return {
        "capabilities": {"adds": ["IPC_LOCK"], "drops": ["ALL"]},
        "ulimits": [{"name": "memlock", "soft": -1, "hard": -1}],
        "devices": [{"host_path": path, "container_path": path, "permissions": "rw"} for path in paths],
    }


def _verbs(stack: Stack, index: int) -> dict[str, str]:
    """Return what the start program and our library for verbs are told (docs/decisions/0034)."""
    training = stack.training
    if training.transport is Transport.TCP:
        return {}
    host, _ = stack.shards[index]
    told = {
        "ROCESTACK_DATA_ADDRESS": str(host.data_address),
        "ROCESTACK_GID_INDEX": "auto" if training.gid_index is None else str(training.gid_index),
        "ROCESTACK_TRAFFIC_CLASS": str(stack.roce.tos),
    }
    if training.rdma_device is not None:
        told["ROCESTACK_RDMA_DEVICE"] = training.rdma_device
    if training.ack_timeout is not None:
        told["ROCESTACK_ACK_TIMEOUT"] = str(training.ack_timeout)
    return told
