"""The Docker engine of a host."""

from __future__ import annotations

from enum import StrEnum

from settings.artifact import AptRepository
from settings.section import PackageVersion, Section


class DockerFlavour(StrEnum):
    """Which engine: the distribution's `docker.io`, or `docker-ce` from its own repository (the guide)."""

    DISTRIBUTION = "docker.io"
    CE = "docker-ce"


class ForwardPolicy(StrEnum):
    """How the firewall lets packets between container subnets through.

    `rules` accepts just the stack's subnets, `accept` is the guide's policy of the whole FORWARD chain.
    """

    RULES = "rules"
    ACCEPT = "accept"


class GpuRuntime(StrEnum):
    """How containers reach GPUs: not at all, the guide's nvidia-docker, or NVIDIA's container toolkit."""

    NONE = "none"
    NVIDIA_DOCKER = "nvidia-docker"
    CONTAINER_TOOLKIT = "container-toolkit"


class Docker(Section):
    """The engine, its version (pinned and held) and the runtime for GPUs (guide: "Docker installing")."""

    flavour: DockerFlavour = DockerFlavour.DISTRIBUTION
    version: PackageVersion | None = None
    repository: AptRepository | None = None
    forward_policy: ForwardPolicy = ForwardPolicy.RULES
    runtime: GpuRuntime = GpuRuntime.NONE
    runtime_version: PackageVersion | None = None
    runtime_repository: AptRepository | None = None
