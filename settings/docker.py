"""The Docker engine of a host."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.artifact import AptRepository, Fingerprint
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


class DockerRepository(AptRepository):
    """Where docker-ce comes from: the vendor's own repository or a mirror of it, signed by the vendor's key.

    The fingerprint is the one that the guide checks ("Add Docker's official GPG key").
    """

    components: tuple[Annotated[str, Field(pattern=r"^[a-z-]+$")], ...] = ("stable",)
    key_fingerprint: Fingerprint = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"


class Docker(Section):
    """The engine and the runtime for GPUs (guide: "Docker installing and configured").

    A `version` is pinned: that one is installed, also if it is an older one, and it is held until it is
    removed. Without one the newest that apt knows is installed, and an engine that is there stays.
    `repository` is for docker-ce alone; `runtime_repository` has the packages of the GPU runtime.
    """

    flavour: DockerFlavour = DockerFlavour.DISTRIBUTION
    version: PackageVersion | None = None
    repository: DockerRepository | None = None
    forward_policy: ForwardPolicy = ForwardPolicy.RULES
    runtime: GpuRuntime = GpuRuntime.NONE
    runtime_version: PackageVersion | None = None
    runtime_repository: AptRepository | None = None
