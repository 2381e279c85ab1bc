"""Declares the whole program against Pulumi's mocks and keeps what the engine would have been told."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc
from pydantic import SecretStr

from components import fabric, report
from components.cluster import Machines
from components.context import Cluster, HostContext, SwitchContext
from components.program import declare
from facts.checkpoint import Checkpoint
from facts.observe import HostObservation
from facts.report import Report
from lab.vendor.completion import complete
from settings.docker import Docker
from settings.gpu import Gpu
from settings.loader import load_file
from settings.models import HostAccess, Stack, SwitchAccess
from settings.ofed import Ofed
from settings.registry import Distribution, Registry
from settings.switch import Switch
from settings.training import Transport
from settings.validation import Pairs

ROOT = Path(__file__).parents[2]
IMAGE_ID = "sha256:" + "a" * 64
CHECKS = {"cuda": "none", "operator_test": "relu: OK"}
HOST_CHECK = {"gpus": "none", "uverbs": "none"}
# Of the head's registry, as its step prints it.
CERTIFICATE = base64.b64encode(b"-- a certificate --").decode()
MANIFEST = (
    "format=2\nlabels=8\nmean_sha256=c\nname=photographs-1\ntrain_images=960\ntrain_sha256=a\n"
    "val_images=192\nval_sha256=b"
)
FIGURES = {
    "evidence": {},
    "final_top1": 0.7,
    "images_per_second": 40.0,
    "interface": "enp1f0",
    "run_id": "x",
    "shards": [],
    "transport": "tcp",
}
VERIFIED = {"bandwidth": [], "hosts": {}, "run_id": "x"}


def image_id_of(machine: str) -> str:
    """Return the id of the image that a machine builds: on each it is another one."""
    if machine == "operator":
        return IMAGE_ID
    return f"sha256:{hashlib.sha256(machine.encode()).hexdigest()}"


@dataclass(frozen=True)
class Registered:
    """One resource as the engine was told of it."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    dependencies: frozenset[str]
    ignore_changes: tuple[str, ...]
    delete_before_replace: bool
    deleted_with: str
    parent: str
    hooks: tuple[str, ...]
    error_hooks: tuple[str, ...]


class _Mocks(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        outputs = dict(args.inputs)
        if args.name.endswith("caffe2_image.build"):
            outputs["stdout"] = f"{json.dumps(CHECKS)}\n{image_id_of(args.name.partition('/')[0])}\n"
        elif args.name.endswith("caffe2_image.push"):
            outputs["stdout"] = "sha256:" + "b" * 64 + " 512"
        elif args.name.endswith("caffe2_image.host_check"):
            outputs["stdout"] = json.dumps(HOST_CHECK)
        elif args.name.endswith("caffe2_image.certificate"):
            outputs["stdout"] = CERTIFICATE
        elif args.name.endswith("/training_job.dataset"):
            outputs["stdout"] = MANIFEST
        elif args.name == "training_job.verify":
            outputs["stdout"] = json.dumps(VERIFIED)
        elif args.name == "training_job.wait":
            outputs["stdout"] = json.dumps(FIGURES)
        else:
            outputs.setdefault("stdout", "done")
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program called {args.token}")


class _Monitor(mocks.MockMonitor):
    """Pulumi's mock monitor forgets the edges; this one keeps them."""

    def __init__(self) -> None:
        super().__init__(_Mocks())
        self.registered: dict[str, Registered] = {}

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)
        self.registered[answer.urn] = Registered(
            type=request.type,
            name=request.name,
            inputs=rpc.deserialize_properties(request.object),
            dependencies=frozenset(request.dependencies),
            ignore_changes=tuple(request.ignoreChanges),
            delete_before_replace=request.deleteBeforeReplace,
            deleted_with=request.deletedWith,
            parent=request.parent,
            hooks=tuple(request.hooks.before_create),
            error_hooks=tuple(request.hooks.on_error),
        )
        return answer


@dataclass
class World:
    """What the program meets: settings, what was applied, what is found."""

    stack: Stack
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    observations: Mapping[str, HostObservation] = field(default_factory=dict)
    switches_found: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    switches_unreachable: Mapping[str, str] = field(default_factory=dict)
    node_generations: Mapping[str, int] = field(default_factory=dict)


def whole_lab_stack() -> Stack:
    """Return the lab's own settings as the components see them."""
    manifest = json.loads((ROOT / "tests" / "fixtures" / "vendor" / "manifest.json").read_text())
    return complete(load_file(ROOT / "Pulumi.lab.yaml"), manifest)


def lab_stack() -> Stack:
    """Return the lab's settings with the flavours that need no vendor, whose steps have their own tests."""
    plain = Ofed(sysfs_root="/run/lab-sysfs", allow_unobservable=("ofed_stack.qos.pause",))
    return whole_lab_stack().model_copy(update={"gpu": Gpu(), "ofed": plain, "docker": Docker()})


def soft_roce_stack() -> Stack:
    """Return the plain settings of hosts without a card, whose RDMA device is the kernel's own."""
    stack = lab_stack()
    ofed = Ofed(soft_roce=True)
    training = stack.training.model_copy(update={"transport": Transport.IBVERBS, "ack_timeout": 18})
    validation = stack.validation.model_copy(update={"pairs": Pairs.NONE})
    return stack.model_copy(update={"ofed": ofed, "training": training, "validation": validation})


def named_registry_stack() -> Stack:
    """Return the plain settings with a registry that the stack names; a file of the checkout is its CA."""
    registry = Registry(
        address="registry:5000", push_address="127.0.0.1:5000", ca_file=str(ROOT / "Pulumi.yaml")
    )
    return lab_stack().model_copy(update={"registry": registry})


def streamed_stack() -> Stack:
    """Return the plain settings without a registry: the image is sent over SSH."""
    stack = lab_stack()
    image = stack.image.model_copy(update={"distribution": Distribution.STREAM})
    return stack.model_copy(update={"registry": None, "image": image})


def built_everywhere_stack() -> Stack:
    """Return the plain settings with an image that every host builds for itself."""
    stack = lab_stack()
    image = stack.image.model_copy(update={"distribution": Distribution.BUILD_EVERYWHERE})
    return stack.model_copy(update={"registry": None, "image": image})


def built_on(stack: Stack, builder: str) -> Stack:
    """Return a stack whose image is built on the host of that name."""
    return stack.model_copy(update={"image": stack.image.model_copy(update={"builder": builder})})


def racks_stack() -> Stack:
    """Return those settings with four hosts on two switches, both on ports 1/1 and 1/2 of theirs."""
    stack = lab_stack()
    names = ("swx-rack-1", "swx-rack-2")
    hosts = [
        stack.hosts[0].model_copy(
            update={
                "name": f"clx-mld-{40 + number}",
                "data_address": IPv4Address(f"31.31.31.{40 + number}"),
                "container_subnet": IPv4Network(f"172.30.{40 + number}.0/24"),
                "switch": names[number // 3],
                "switch_port": f"1/{2 - number % 2}",
            }
        )
        for number in range(1, 5)
    ]
    switches = tuple(
        Switch(name=name, uplinks=ports)
        for name, ports in zip(names, (("1/31",), ("1/31-1/32",)), strict=True)
    )
    return stack.model_copy(update={"switch": None, "switches": switches, "hosts": tuple(hosts)})


def machines(stack: Stack) -> Machines:
    """Return access data that no one could log in with."""
    hosts = {
        host.name: HostAccess(
            name=host.name,
            address="127.0.0.1",
            port=22401 + index,
            user="root",
            host_key=f"ssh-ed25519 AAAA{index}",
            private_key=SecretStr("-- a private key --"),
            private_key_file="/nowhere/id_ed25519",
            known_hosts_file="/nowhere/known_hosts",
        )
        for index, host in enumerate(stack.hosts)
    }
    switches = {
        switch.name: SwitchAccess(
            name=switch.name,
            address="127.0.0.1",
            port=22400 - index,
            user="admin",
            host_key="ssh-ed25519 AAAAS",
            password=SecretStr("-- a password --"),
        )
        for index, switch in enumerate(stack.all_switches)
    }
    return Machines(hosts=hosts, switches=switches)


class Program:
    """The declared program: its resources by name, and the cluster with the drift that was reported."""

    def __init__(self, world: World) -> None:
        monitor = _Monitor()
        mocks.set_mocks(monitor.mocks, project="rocestack", stack="lab", preview=False, monitor=monitor)
        made = machines(world.stack)
        self.cluster = Cluster(
            stack=world.stack,
            stack_name="lab",
            hosts={
                host.name: HostContext(
                    host=host,
                    access=made.hosts[host.name],
                    observation=world.observations.get(host.name),
                    node_generation=str(world.node_generations.get(host.name, 1)),
                )
                for host in world.stack.hosts
            },
            switches={
                switch.name: SwitchContext(
                    switch=switch,
                    access=made.switches[switch.name],
                    found=world.switches_found.get(switch.name),
                    unreachable=world.switches_unreachable.get(switch.name),
                )
                for switch in world.stack.all_switches
            },
            checkpoint=world.checkpoint,
        )

        @pulumi.runtime.test
        def run() -> pulumi.Output[None]:
            declared = declare(self.cluster)
            # What the proof says of the image.
            return declared.image.told().apply(self._keep_told)

        run()
        self.by_urn = monitor.registered
        self.by_name = {
            one.name: one
            for one in monitor.registered.values()
            # The stack itself is registered by the first program of a process alone.
            if ":components:" not in one.type and one.type != "pulumi:pulumi:Stack"
        }

    def _keep_told(self, told: dict[str, Any]) -> None:
        self.image_told = told

    def stdin(self, name: str) -> str:
        """Return a step's stdin."""
        return str(self.by_name[name].inputs["stdin"])

    def ancestors(self, name: str) -> set[str]:
        """Return the names of all custom resources that `name` waits for, directly or not."""
        found: set[str] = set()
        todo = list(self.by_name[name].dependencies)
        while todo:
            urn = todo.pop()
            one = self.by_urn.get(urn)
            if one is None or one.name in found:
                continue
            found.add(one.name)
            todo += one.dependencies
        return found

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint that an `up` of this program would have left."""
        return Checkpoint({(one.type, one.name): one.inputs for one in self.by_urn.values()})


def collected(cluster: Cluster) -> Report:
    """Return the report on a cluster as a run makes it."""
    return report.collect(cluster, fabric.look(cluster))
