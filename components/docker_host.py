"""DockerHost: the Docker engine and the routes between container subnets.

Guide: "Docker installing and configured".
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pulumi

from components.apt_repository import repository_lines
from components.context import Cluster, HostContext
from components.host_step import host_step
from components.operator_files import operator_file
from settings.docker import Docker, DockerFlavour, GpuRuntime
from settings.models import Host, Stack
from settings.registry import NamedRegistry, named_registry


def routes(stack: Stack, host: Host) -> str:
    """Return the routes from `host` to the other hosts' container subnets, sorted, as one line.

    For example ``172.30.42.0/24 via 31.31.31.42`` (guide: "Add IP route with specific subnet").
    """
    others = sorted(
        (other for other in stack.hosts if other.name != host.name), key=lambda one: one.container_subnet
    )
    return ", ".join(f"{other.container_subnet} via {other.data_address}" for other in others)


def forwarded_subnets(stack: Stack, host: Host) -> str:
    """Return what the host's firewall lets through: the container subnets of the other hosts."""
    others = sorted(other.container_subnet for other in stack.hosts if other.name != host.name)
    return " ".join(["accept", *(str(subnet) for subnet in others)])


def bridge_address(host: Host) -> str:
    """Return the address of Docker's bridge: the first one of the host's container subnet."""
    return f"{next(host.container_subnet.hosts())}/{host.container_subnet.prefixlen}"


def runtime_lines(docker: Docker) -> dict[str, str]:
    """Return what the step for the GPU runtime is told; the stack asks for one."""
    cdi = docker.runtime is GpuRuntime.CONTAINER_TOOLKIT
    return {
        "runtime": docker.runtime.value,
        **_pinned(docker.runtime_version),
        **repository_lines(docker.runtime_repository),
        "registered": "nvidia",
        "cdi": "nvidia.com/gpu=all" if cdi else "none",
    }


def _pinned(version: str | None) -> dict[str, str]:
    """Return the lines of a package's version: a pinned one is held."""
    return {"version": version or "any", "hold": "no" if version is None else "yes"}


class DockerHost(pulumi.ComponentResource):
    """One host's Docker engine, trusting a registry that the stack names, reachable from other containers."""

    def __init__(self, cluster: Cluster, context: HostContext, after: Sequence[pulumi.Resource] = ()) -> None:
        super().__init__("rocestack:components:DockerHost", context.host.name)
        stack, docker = cluster.stack, cluster.stack.docker
        engine = host_step(
            cluster,
            context,
            "docker_host.engine",
            {
                "package": docker.flavour.value,
                **_pinned(docker.version),
                **repository_lines(docker.repository if docker.flavour is DockerFlavour.CE else None),
                "storage_driver": "overlay2",
                "bip": bridge_address(context.host),
                **_trusted(named_registry(stack.registry)),
                "service": "active",
            },
            parent=self,
            depends_on=after,
        )
        routed = host_step(
            cluster,
            context,
            "docker_host.routes",
            {
                "interface": stack.network.data_interface,
                "subnet": str(context.host.container_subnet),
                "ip_forward": "1",
                "routes": routes(stack, context.host),
                "forward": forwarded_subnets(stack, context.host),
                "forward_policy": docker.forward_policy.value,
            },
            parent=self,
            depends_on=[engine],
        )
        # The last step, which whoever runs containers here waits for.
        self.ready = routed
        if docker.runtime is not GpuRuntime.NONE:
            self.ready = host_step(
                cluster,
                context,
                "docker_host.runtime",
                runtime_lines(docker),
                parent=self,
                depends_on=[routed],
            )
        self.register_outputs({"container_subnet": str(context.host.container_subnet)})


def _trusted(registry: NamedRegistry | None) -> dict[str, str]:
    """Return the registry that the stack names and its CA's certificate on one line; ``none`` without one.

    The certificate is public, and the host decodes it.
    """
    if registry is None:
        return {"registry": "none", "registry_ca": "none"}
    hint = "it is a PEM file's path, from the checkout's root if it is not absolute."
    certificate = operator_file("registry.ca_file", registry.ca_file, hint)
    return {"registry": registry.address, "registry_ca": base64.b64encode(certificate).decode("ascii")}
