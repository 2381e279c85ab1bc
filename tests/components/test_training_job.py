"""The job's containers: their rights, what makes them anew, and what a change of the job leaves alone."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from settings import flat
from settings.docker import Docker, GpuRuntime
from settings.models import Stack
from settings.training import Device, Transport
from tests.components.harness import Program, World, lab_stack

SHARDS = {"clx-mld-41/caffe2-shard-0", "clx-mld-42/caffe2-shard-1"}
RUN = {*SHARDS, "training_job.verify", "training_job.wait"}


def _stack(**training: Any) -> Stack:
    stack = lab_stack()
    return stack.model_copy(update={"training": stack.training.model_copy(update=training)})


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(World(lab_stack()))


def _changed(before: Program, after: Program) -> set[str]:
    names = before.by_name.keys() & after.by_name.keys()
    return {name for name in names if before.by_name[name].inputs != after.by_name[name].inputs}


def _run_of(program: Program) -> str:
    labels = program.by_name["clx-mld-41/caffe2-shard-0"].inputs["labels"]
    return next(str(one["value"]) for one in labels if one["label"] == "rocestack.run_id")


def test_no_container_can_do_more_than_it_needs(program: Program) -> None:
    for name in (*SHARDS, "clx-mld-41/redis"):
        inputs = program.by_name[name].inputs
        assert inputs["capabilities"] == {"drops": ["ALL"]}, name
        assert inputs["securityOpts"] == ["no-new-privileges:true"]
        assert inputs["readOnly"] is True
        assert inputs["networkMode"] == "host"
        assert not inputs.get("privileged")
        assert not inputs.get("devices")
        assert not inputs.get("ulimits")


def test_logs_have_a_limit(program: Program) -> None:
    for name in (*SHARDS, "clx-mld-41/redis"):
        inputs = program.by_name[name].inputs
        assert inputs["logDriver"] == "json-file"
        assert inputs["logOpts"].keys() == {"max-size", "max-file"}
    assert program.by_name["clx-mld-41/caffe2-shard-0"].inputs["logOpts"]["max-size"] == "128m"


def test_a_shard_reads_its_data_and_writes_to_a_volume_of_its_own(program: Program) -> None:
    inputs = program.by_name["clx-mld-42/caffe2-shard-1"].inputs
    assert inputs["mounts"] == [
        {"type": "bind", "source": "/data", "target": "/data", "readOnly": True},
        {"type": "volume", "target": "/var/lib/rocestack"},
    ]
    assert inputs["restart"] == "no"
    assert inputs["mustRun"] is False


def test_redis_is_healthy_before_a_shard_starts(program: Program) -> None:
    redis = program.by_name["clx-mld-41/redis"].inputs
    assert redis["wait"] is True
    assert redis["healthcheck"]["tests"] == ["CMD", "redis-cli", "-h", "31.31.31.41", "-p", "5555", "ping"]
    assert all("clx-mld-41/redis" in program.ancestors(name) for name in SHARDS)


def test_redis_serves_the_data_network_alone_and_little_else(program: Program) -> None:
    redis = program.by_name["clx-mld-41/redis"].inputs
    command = redis["command"]
    assert command[command.index("--bind") + 1] == "31.31.31.41"
    assert redis["memory"] == 256
    assert redis["user"] == "redis"
    forbidden = {command[at + 1] for at, word in enumerate(command) if word == "--rename-command"}
    assert {"CONFIG", "EVAL", "SLAVEOF", "REPLICAOF", "FLUSHALL", "MODULE"} <= forbidden
    # What the start program and the trainer's store use.
    assert not forbidden & {"PING", "HSETNX", "HLEN", "HEXISTS", "HVALS", "EXPIRE", "SETNX", "GET", "EXISTS"}


@pytest.mark.parametrize(
    "training",
    [
        {"run": "again"},
        {"batch_size": 32},
        {"num_epochs": 2},
        {"weight_decay": 0.01},
        {"timeout": 30},
        {"barrier_seconds": 60},
        {"log_megabytes": 8},
    ],
)
def test_another_job_is_a_new_run_and_nothing_else(program: Program, training: dict[str, Any]) -> None:
    after = Program(World(_stack(**training), checkpoint=program.checkpoint()))
    assert _changed(program, after) == RUN
    assert _run_of(after) != _run_of(program)


@pytest.mark.parametrize("training", [{"deadline_seconds": 900}, {"wait": False}])
def test_a_run_that_was_waited_for_stays(program: Program, training: dict[str, Any]) -> None:
    after = Program(World(_stack(**training), checkpoint=program.checkpoint()))
    assert _changed(program, after) == set()


def test_an_up_that_does_not_wait_only_starts() -> None:
    started = Program(World(_stack(wait=False)))
    told = flat.parse(started.by_name["training_job.wait"].inputs["stdin"])
    assert told["wait"] == "false"
    # Waiting then is for the same run, and so is another deadline.
    for training in ({"wait": True}, {"wait": True, "deadline_seconds": 900}):
        after = Program(World(_stack(**training), checkpoint=started.checkpoint()))
        assert _changed(started, after) == {"training_job.wait"}
        assert _run_of(after) == _run_of(started)


def test_going_back_is_another_run_too(program: Program) -> None:
    second = Program(World(_stack(run="second"), checkpoint=program.checkpoint()))
    back = Program(World(_stack(), checkpoint=second.checkpoint()))
    again = Program(World(_stack(), checkpoint=back.checkpoint()))
    # Redis remembers the first one for ever.
    assert len({_run_of(one) for one in (program, second, back)}) == 3
    assert _changed(back, again) == set()


def _validated(**validation: Any) -> Stack:
    stack = lab_stack()
    return stack.model_copy(update={"validation": stack.validation.model_copy(update=validation)})


@pytest.mark.parametrize("validation", [{"minimum_percent": 50.0}, {"seconds": 5}, {"port": 18516}])
def test_another_measurement_counts_from_the_next_run_on(
    program: Program, validation: dict[str, Any]
) -> None:
    stack = _validated(**validation)
    assert _changed(program, Program(World(stack, checkpoint=program.checkpoint()))) == set()
    next_run = stack.model_copy(update={"training": stack.training.model_copy(update={"run": "second"})})
    told = Program(World(next_run, checkpoint=program.checkpoint())).by_name["training_job.verify"].inputs
    (name, value), *_ = validation.items()
    assert flat.parse(told["stdin"])[name] == f"{value:g}"


def test_a_shard_is_started_by_the_wait_alone(program: Program) -> None:
    # Where one cannot be made, the others must not wait for it.
    assert all(program.by_name[name].inputs["start"] is False for name in SHARDS)


def test_what_changes_a_container_changes_the_run(program: Program) -> None:
    # Redis remembers the shards of a run: one that is made anew under the same run would be refused.
    stack = lab_stack()
    roce = stack.model_copy(update={"roce": stack.roce.model_copy(update={"dscp": 27})})
    assert _run_of(Program(World(roce))) == _run_of(program)
    verbs = _stack(transport=Transport.IBVERBS)
    marked = verbs.model_copy(update={"roce": stack.roce.model_copy(update={"dscp": 27})})
    assert _run_of(Program(World(verbs))) != _run_of(Program(World(marked)))
    gpu = _stack(device=Device.GPU)
    runs = {
        _run_of(Program(World(gpu.model_copy(update={"docker": Docker(runtime=runtime)}))))
        for runtime in (GpuRuntime.NVIDIA_DOCKER, GpuRuntime.CONTAINER_TOOLKIT)
    }
    assert len(runs) == 2


def test_a_new_host_takes_image_and_data_and_leaves_the_others_theirs(program: Program) -> None:
    stack = lab_stack()
    third = stack.hosts[0].model_copy(
        update={
            "name": "clx-mld-43",
            "data_address": IPv4Address("31.31.31.43"),
            "container_subnet": IPv4Network("172.30.43.0/24"),
            "switch_port": "1/3",
        }
    )
    grown = stack.model_copy(update={"hosts": (*stack.hosts, third)})
    after = Program(World(grown, checkpoint=program.checkpoint()))
    changed = _changed(program, after)
    assert changed >= RUN
    steps = {name.partition("/")[2] for name in changed - RUN}
    assert not [step for step in steps if step.startswith(("caffe2_image.", "training_job."))]
    assert {"clx-mld-43/caffe2_image.pull", "clx-mld-43/training_job.dataset"} <= after.by_name.keys()


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({}, {"ROCESTACK_GID_INDEX=auto", "ROCESTACK_TRAFFIC_CLASS=106"}),
        ({"gid_index": 3, "ack_timeout": 18}, {"ROCESTACK_GID_INDEX=3", "ROCESTACK_ACK_TIMEOUT=18"}),
        ({"rdma_device": "mlx5_1", "rdma_nodes": ("uverbs1",)}, {"ROCESTACK_RDMA_DEVICE=mlx5_1"}),
    ],
)
def test_verbs_are_told_what_to_set(training: dict[str, Any], said: set[str]) -> None:
    made = Program(World(_stack(transport=Transport.IBVERBS, **training)))
    for name, address in (("clx-mld-41/caffe2-shard-0", "41"), ("clx-mld-42/caffe2-shard-1", "42")):
        inputs = made.by_name[name].inputs
        assert said <= set(inputs["envs"])
        assert f"ROCESTACK_DATA_ADDRESS=31.31.31.{address}" in inputs["envs"]
        assert inputs["capabilities"]["adds"] == ["IPC_LOCK"]
        nodes = training.get("rdma_nodes", ("uverbs0", "rdma_cm"))
        assert [one["containerPath"] for one in inputs["devices"]] == [
            f"/dev/infiniband/{node}" for node in nodes
        ]


def test_tcp_needs_none_of_it(program: Program) -> None:
    envs = program.by_name["clx-mld-42/caffe2-shard-1"].inputs["envs"]
    assert [one.partition("=")[0] for one in envs] == ["HOME", "ROCESTACK_BARRIER_SECONDS"]
