"""The reference stack: the guide's cluster, rendered completely, with its placeholders in the open."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import rpc

from components.cluster import metal
from settings import flat
from settings.loader import load_file
from settings.models import Stack
from settings.placeholders import placeholders
from tests.components.harness import ROOT, Program, World

HOSTS = [f"clx-mld-{number}" for number in range(41, 49)]


def _stack() -> Stack:
    return load_file(ROOT / "Pulumi.roce100g.yaml")


@pytest.fixture(scope="module")
def program() -> Program:
    stack = _stack()
    registry = stack.registry.model_copy(update={"ca_file": str(ROOT / "Pulumi.yaml")})
    return Program(World(stack.model_copy(update={"registry": registry})))


def _flags(program: Program, name: str) -> dict[str, str]:
    command = [one for one in program.by_name[name].inputs["command"] if one != "--float16_compute"]
    return dict(zip(command[1::2], command[2::2], strict=True))


def test_the_hosts_are_the_guides() -> None:
    stack = _stack()
    assert [host.name for host in stack.hosts] == HOSTS
    assert [str(host.data_address) for host in stack.hosts] == [f"31.31.31.{n}" for n in range(41, 49)]
    assert [host.switch_port for host in stack.hosts] == [f"1/{n}" for n in range(1, 9)]
    assert (stack.all_switches[0].name, stack.network.data_interface) == ("swx-mld-1-2", "enp1f0")
    assert stack.lab is None


def test_every_host_declares_the_same_steps(program: Program) -> None:
    steps = {
        host: sorted(
            one.name.partition("/")[2]
            for one in program.by_urn.values()
            if one.type == "command:remote:Command" and one.name.startswith(f"{host}/")
        )
        for host in HOSTS
    }
    # The first one also hands out the data that it made.
    steps[HOSTS[0]].remove("training_job.dataset_server")
    assert len(steps[HOSTS[0]]) >= 8
    assert all(found == steps[HOSTS[0]] for found in steps.values())


def test_the_switch_gets_the_eight_ports_of_the_cables(program: Program) -> None:
    switch = flat.parse(program.stdin("swx-mld-1-2/switch_qos.roce"))
    assert switch["ports"] == "1/1,1/2,1/3,1/4,1/5,1/6,1/7,1/8"
    assert (switch["ecn_minimum_kb"], switch["ecn_maximum_kb"]) == ("150", "1500")


def test_each_host_has_a_route_to_each_other_host(program: Program) -> None:
    for host in HOSTS:
        routes = flat.parse(program.stdin(f"{host}/docker_host.routes"))["routes"].split(", ")
        number = host.removeprefix("clx-mld-")
        assert len(routes) == 7
        assert not any(f".{number}." in route for route in routes)


def test_32_shards_have_a_gpu_each(program: Program) -> None:
    places = []
    for index in range(32):
        host = HOSTS[index // 4]
        shard = program.by_name[f"{host}/caffe2-shard-{index}"]
        assert shard.inputs["runtime"] == "nvidia"
        envs = dict(one.split("=") for one in shard.inputs["envs"])
        places.append((host, envs["NVIDIA_VISIBLE_DEVICES"]))
        flags = _flags(program, shard.name)
        assert (flags["--shard_id"], flags["--num_shards"], flags["--num_gpus"]) == (str(index), "32", "1")
        assert not shard.inputs.get("privileged")
    assert len(set(places)) == 32
    assert set(Counter(host for host, _ in places).values()) == {4}
    assert {visible for _, visible in places} == {"0", "1", "2", "3"}


def test_the_trainer_gets_the_sample_runs_numbers(program: Program) -> None:
    name = "clx-mld-48/caffe2-shard-31"
    flags = _flags(program, name)
    assert "--float16_compute" in program.by_name[name].inputs["command"]
    assert {key: flags[f"--{key}"] for key in ("batch_size", "epoch_size", "num_epochs", "image_size")} == {
        "batch_size": "32",
        "epoch_size": "10000",
        "num_epochs": "2",
        "image_size": "256",
    }
    assert (flags["--dtype"], flags["--distributed_transport"]) == ("float16", "ibverbs")


def test_the_shards_over_rdma_get_what_it_needs_and_no_more(program: Program) -> None:
    shard = program.by_name["clx-mld-45/caffe2-shard-16"].inputs
    assert shard["capabilities"] == {"adds": ["IPC_LOCK"], "drops": ["ALL"]}
    assert shard["ulimits"] == [{"name": "memlock", "soft": -1, "hard": -1}]
    assert [(one["hostPath"], one["permissions"]) for one in shard["devices"]] == [
        ("/dev/infiniband/uverbs0", "rw"),
        ("/dev/infiniband/rdma_cm", "rw"),
    ]
    envs = dict(one.split("=") for one in shard["envs"])
    assert {name: value for name, value in envs.items() if name.startswith("ROCESTACK_")} == {
        "ROCESTACK_BARRIER_SECONDS": "300",
        "ROCESTACK_DATA_ADDRESS": "31.31.31.45",
        "ROCESTACK_GID_INDEX": "auto",
        "ROCESTACK_TRAFFIC_CLASS": "106",
    }


def test_the_guides_trainer_gets_no_flag_that_it_does_not_know(program: Program) -> None:
    flags = _flags(program, "clx-mld-48/caffe2-shard-31")
    assert not flags.keys() & {"--num_layers", "--test_epoch_size", "--first_iter_timeout", "--timeout"}


def test_the_image_is_built_from_sources_on_the_guides_base(program: Program) -> None:
    build = flat.parse(program.stdin("operator/caffe2_image.build"))
    assert (build["flavour"], build["image"]) == ("source", "rocestack/caffe2mofed421")
    assert build["arg_base_image"] == "nvidia/cuda:9.2-cudnn7-devel-ubuntu16.04"
    assert build["ofed_source"].endswith("/MLNX_OFED_LINUX-4.2-1.2.0.0-ubuntu16.04-x86_64.tgz")
    base = flat.parse(program.stdin("operator/caffe2_image.base"))
    # A base that cannot be pulled stops here, before anything is built.
    assert (base["source"], base["suite"]) == (build["arg_base_image"], "none")
    assert "operator/caffe2_image.base" in program.ancestors("operator/caffe2_image.build")


def test_no_secret_is_given_in_clear(program: Program) -> None:
    switch = program.by_name["swx-mld-1-2/switch_qos.roce"]
    assert rpc.is_rpc_secret(switch.inputs["environment"])


def test_up_refuses_placeholders_and_names_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = _stack()
    found = placeholders(stack)
    expected = {f"hosts[{index}].host_key" for index in range(8)}
    expected |= {"switch.host_key", "switch.password", "gpu.package.sha256", "ofed.iso.sha256"}
    expected |= {"image.ofed.sha256"}
    assert expected <= set(found)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pulumi.RunError) as caught:
        metal(stack)
    assert all(path in str(caught.value) for path in found)
    assert "Nothing was changed" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
