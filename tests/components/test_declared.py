"""What the engine is told: values in stdin only, secrets marked, containers with the least privilege."""

from __future__ import annotations

import pytest
from pulumi.runtime import rpc

from components.observation import HOST_STEPS
from settings import flat
from settings.artifact import AptRepository, Artifact
from settings.ofed import MayBeUnobservable, Ofed, OfedFlavour
from tests.components.harness import IMAGE_ID, Program, World, lab_stack, soft_roce_stack, whole_lab_stack

HOST = "clx-mld-41"


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(World(lab_stack()))


def test_every_remote_step_has_apply_remove_and_a_checked_host_key(program: Program) -> None:
    steps = [one for one in program.by_urn.values() if one.type == "command:remote:Command"]
    # Both hosts' own, and the head's three: two of the image registry, one that hands out the data.
    assert len(steps) == 2 * 11 + 3
    for one in steps:
        assert "update" not in one.inputs, "the engine then runs create again"
        assert one.inputs["delete"] not in ("", one.inputs["create"])
        connection = one.inputs["connection"]
        assert rpc.is_rpc_secret(connection)
        assert rpc.unwrap_rpc_secret(connection)["hostKey"].startswith("ssh-ed25519 ")
        assert one.inputs["addPreviousOutputInEnv"] is False
        assert "triggers" not in one.inputs
        assert "environment" not in one.inputs
        assert one.delete_before_replace


def test_scripts_hold_no_values(program: Program) -> None:
    for one in program.by_urn.values():
        if one.type == "command:remote:Command":
            for value in ("31.31.31.", "172.30.", "enp1f0", ":5000", "0,0,0,1"):
                assert value not in one.inputs["create"]
                assert value not in one.inputs["delete"]


def test_both_sides_of_the_profile_agree(program: Program) -> None:
    host = flat.parse(program.stdin(f"{HOST}/ofed_stack.qos"))
    switch = flat.parse(program.stdin("swx-mld-1-2/switch_qos.roce"))
    assert host["pfc"] == "0,0,0,1,0,0,0,0"
    assert host["traffic_class"] == "106"
    assert (switch["pool_switch_priority"], switch["pfc_priority"], switch["trust"]) == ("3", "3", "L3")
    assert switch["ports"] == "1/1,1/2"


def test_addresses_and_routes_follow_the_settings(program: Program) -> None:
    address = flat.parse(program.stdin(f"{HOST}/ofed_stack.address"))
    assert (address["address"], address["mtu"]) == ("31.31.31.41/24", "9000")
    routes = flat.parse(program.stdin(f"{HOST}/docker_host.routes"))
    assert routes["routes"] == "172.30.42.0/24 via 31.31.31.42"
    engine = flat.parse(program.stdin(f"{HOST}/docker_host.engine"))
    assert engine["bip"] == "172.30.41.1/24"


def test_secrets_are_marked_and_nowhere_else(program: Program) -> None:
    marked = 0
    for one in program.by_urn.values():
        for value in one.inputs.values():
            if rpc.is_rpc_secret(value):
                marked += "-- a p" in str(value)
            else:
                assert "-- a p" not in str(value)
    # Whoever logs in to a host holds the key, the switch's one step holds the password.
    logins = [
        name
        for name, one in program.by_name.items()
        if one.type == "command:remote:Command" or "python -m facts" in str(one.inputs.get("create"))
    ]
    assert marked == len(logins) + 1


def test_containers_have_the_least_privilege(program: Program) -> None:
    containers = [one for one in program.by_urn.values() if one.type.endswith(":Container")]
    assert {one.name for one in containers} == {
        "clx-mld-41/redis",
        "clx-mld-41/caffe2-shard-0",
        "clx-mld-42/caffe2-shard-1",
    }
    for one in containers:
        assert not one.inputs.get("privileged")
        assert one.inputs["capabilities"]["drops"] == ["ALL"]
        assert one.inputs["image"] == IMAGE_ID


def test_the_trainer_gets_the_guides_flags(program: Program) -> None:
    command = program.by_name["clx-mld-42/caffe2-shard-1"].inputs["command"]
    assert command[0] == "rocestack-shard"
    flags = dict(zip(command[2::2], command[3::2], strict=True))
    assert flags["--shard_id"] == "1"
    assert flags["--num_shards"] == "2"
    assert flags["--redis_host"] == "31.31.31.41"
    assert flags["--distributed_interfaces"] == "enp1f0"


def test_all_shards_share_one_run(program: Program) -> None:
    def run(name: str) -> str:
        labels = {one["label"]: one["value"] for one in program.by_name[name].inputs["labels"]}
        return str(labels["rocestack.run_id"])

    assert run("clx-mld-41/caffe2-shard-0") == run("clx-mld-42/caffe2-shard-1")


@pytest.mark.parametrize(
    ("ofed", "lines"),
    [
        (Ofed(), {"flavour": "inbox", "version": "none", "source": "none", "repository": "none"}),
        (
            Ofed(
                flavour=OfedFlavour.MLNX_OFED,
                version="4.2-1.2.0.0",
                iso=Artifact(source="/share/OFED.iso", sha256="a" * 64, md5="b" * 32),
                flags=("--without-fw-update", "--force"),
            ),
            {
                "flavour": "mlnx_ofed",
                "version": "4.2-1.2.0.0",
                "source": "/share/OFED.iso",
                "md5": "b" * 32,
                "flags": "--without-fw-update --force",
                "packages": "dkms ethtool pciutils",
            },
        ),
        (
            Ofed(
                flavour=OfedFlavour.DOCA_OFED,
                version="2.9",
                repository=AptRepository(
                    url="http://vendor/doca/",
                    suite="./",
                    key_url="http://vendor/key",
                    key_fingerprint="A" * 40,
                ),
            ),
            {"flavour": "doca_ofed", "repository": "http://vendor/doca/ ./", "repository_key": "A" * 40},
        ),
    ],
)
def test_each_flavour_of_the_rdma_stack_gets_its_own_source(ofed: Ofed, lines: dict[str, str]) -> None:
    program = Program(World(lab_stack().model_copy(update={"ofed": ofed})))
    found = flat.parse(program.stdin(f"{HOST}/ofed_stack.packages"))
    assert {key: found[key] for key in lines} == lines


def test_what_need_not_be_observable_travels_with_the_step() -> None:
    allowed = (MayBeUnobservable.TRAFFIC_CLASS, MayBeUnobservable.PAUSE)
    program = Program(World(lab_stack().model_copy(update={"ofed": Ofed(allow_unobservable=allowed)})))
    assert flat.parse(program.stdin(f"{HOST}/ofed_stack.qos"))["allow_unobservable"] == "pause traffic_class"


def test_the_lab_goes_through_every_step_of_a_host() -> None:
    lab = Program(World(whole_lab_stack()))
    steps = {name.partition("/")[2] for name in lab.by_name if name.startswith("clx-mld-41/")}
    assert set(HOST_STEPS) - steps == {"gpu_host.apt", "ofed_stack.soft_roce"}


def test_hosts_without_a_card_get_the_kernels_rdma_device() -> None:
    program = Program(World(soft_roce_stack()))
    found = flat.parse(program.stdin(f"{HOST}/ofed_stack.soft_roce"))
    wanted = {"interface": "enp1f0", "device": "rxe0", "address": "31.31.31.41", "gid": "RoCE v2"}
    assert {key: found[key] for key in wanted} == wanted
    assert (found["counted_dscp"], found["unit"]) == ("26", "active")
    assert flat.parse(program.stdin(f"{HOST}/ofed_stack.packages"))["card"] == "none"
    # Its address makes its GID, and its device has RDMA-CM's defaults.
    assert f"{HOST}/ofed_stack.address" in program.ancestors(f"{HOST}/ofed_stack.soft_roce")
    assert f"{HOST}/ofed_stack.soft_roce" in program.ancestors(f"{HOST}/ofed_stack.qos")


def test_hosts_with_a_card_get_none(program: Program) -> None:
    assert f"{HOST}/ofed_stack.soft_roce" not in program.by_name
    assert flat.parse(program.stdin(f"{HOST}/ofed_stack.packages"))["card"] == "present"


def test_shards_over_verbs_get_the_devices_that_they_need_one_by_one() -> None:
    program = Program(World(soft_roce_stack()))
    shard = program.by_name[f"{HOST}/caffe2-shard-0"].inputs
    assert not shard.get("privileged")
    assert shard["capabilities"] == {"adds": ["IPC_LOCK"], "drops": ["ALL"]}
    assert shard["ulimits"] == [{"name": "memlock", "soft": -1, "hard": -1}]
    nodes = ["/dev/infiniband/uverbs0", "/dev/infiniband/rdma_cm"]
    assert [one["hostPath"] for one in shard["devices"]] == nodes
    told = dict(one.split("=", 1) for one in shard["envs"])
    assert told["ROCESTACK_GID_INDEX"] == "auto"
    assert (told["ROCESTACK_TRAFFIC_CLASS"], told["ROCESTACK_ACK_TIMEOUT"]) == ("106", "18")
    # For the trainer alone, by its start program.
    assert not any(name.startswith("LD_") for name in told)
