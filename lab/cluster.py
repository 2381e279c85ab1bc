"""The lab as Pulumi resources on the operator's engine: networks, volumes, machines that answer when done."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pulumi
import pulumi_docker as docker
from pulumi_command import local

from lab.cables import Network
from lab.files import LabFiles
from lab.image import node_tag
from lab.keys import public_key
from lab.plan import VENDOR, Kind, Machine, make_plan
from settings import flat
from settings.models import Stack

# What systemd, a Docker engine and `reboot` need inside a container; less than --privileged, but still root
# on the operator's machine (lab/README.md).
_NODE_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_BOOT", "SYSLOG", "IPC_LOCK")
_UNCONFINED = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")


class Lab(pulumi.ComponentResource):
    """The virtual cluster.

    `nodes` has, for each machine, the resource after which it answers: SSH with the right host key (and
    systemd up) or, for the vendors, HTTP. A host's also waits for the vendors.
    """

    def __init__(
        self,
        name: str,
        stack: Stack,
        generations: Mapping[str, int],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("rocestack:lab:Lab", name, None, opts)
        files = LabFiles()
        self._stack_name = name
        self._plan = make_plan(stack, name, node_tag(), files, generations)
        engine = docker.Provider(
            "operator", host=os.environ.get("DOCKER_HOST"), opts=pulumi.ResourceOptions(parent=self)
        )
        self._engine = pulumi.ResourceOptions(parent=self, provider=engine)
        networks = {network.name: self._network(network) for network in self._plan.networks}
        self.nodes: dict[str, pulumi.Resource] = {}
        for machine in self._plan.machines:
            needed: list[pulumi.Resource] = [self._machine(machine, networks)]
            if machine.kind is Kind.NODE:
                needed.append(self.nodes[VENDOR])
            self.nodes[machine.name] = self._ready(machine, needed, files)
        self.register_outputs({"machines": sorted(self.nodes)})

    def _network(self, network: Network) -> docker.Network:
        options = {"com.docker.network.driver.mtu": str(network.mtu)} if network.mtu else None
        return docker.Network(
            network.name,
            name=network.name,
            driver="bridge",
            ipam_configs=[{"subnet": str(network.subnet), "gateway": network.gateway}],
            labels=[{"label": "rocestack.stack", "value": self._stack_name}],
            options=options,
            opts=self._engine,
        )

    def _machine(self, machine: Machine, networks: Mapping[str, docker.Network]) -> docker.Container:
        volumes = [
            docker.Volume(
                f"{machine.name}-{one.target.rsplit('/', 1)[1]}",
                name=one.name,
                labels=[{"label": "rocestack.stack", "value": self._stack_name}],
                opts=self._engine,
            )
            for one in machine.volumes
        ]
        mounts = [
            docker.ContainerVolumeArgs(host_path=one.source, container_path=one.target, read_only=True)
            for one in machine.binds
        ]
        mounts += [
            docker.ContainerVolumeArgs(volume_name=volume.name, container_path=one.target)
            for volume, one in zip(volumes, machine.volumes, strict=True)
        ]
        node = machine.kind is Kind.NODE
        added = {Kind.NODE: _NODE_CAPABILITIES, Kind.SWITCH: ("NET_ADMIN",)}.get(machine.kind, ())
        return docker.Container(
            machine.name,
            name=machine.container,
            hostname=machine.name,
            image=machine.image,
            command=list(machine.command),
            restart="always",
            # systemd reaps its children itself; the others need somebody who does.
            init=not node,
            capabilities={"adds": [f"CAP_{one}" for one in added]} if added else None,
            security_opts=list(_UNCONFINED) if node else None,
            cgroupns_mode="private" if node else None,
            tmpfs={"/run": "", "/run/lock": "", "/tmp": "exec"} if node else None,  # noqa: S108
            envs=[f"{key}={value}" for key, value in sorted(machine.environment.items())],
            labels=[
                {"label": key, "value": value}
                for key, value in sorted(machine.labels(self._stack_name).items())
            ],
            ports=[{"internal": machine.inner_port, "external": machine.port, "ip": "127.0.0.1"}],
            networks_advanced=[
                {
                    "name": networks[one.network].name,
                    "ipv4_address": one.address,
                    "aliases": list(one.aliases),
                }
                for one in machine.attachments
            ],
            volumes=mounts,
            opts=pulumi.ResourceOptions.merge(
                self._engine, pulumi.ResourceOptions(delete_before_replace=True)
            ),
        )

    def _ready(self, machine: Machine, needed: list[pulumi.Resource], files: LabFiles) -> local.Command:
        lines = {
            "name": machine.name,
            "kind": machine.kind.value,
            "port": str(machine.port),
            "node": str(machine.generation),
            "fingerprint": machine.fingerprint,
        }
        if machine.kind in (Kind.NODE, Kind.SWITCH):
            lines["host_key"] = public_key(files.host_key(machine.name))
        return local.Command(
            f"{machine.name}/ready",
            create="python -m lab wait",
            update="python -m lab wait",
            stdin=flat.render(lines),
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needed, deleted_with=needed[0]),
        )
