"""GpuHost: a host made ready for its GPUs.

Guide: "Disable a Nouveau kernel Driver on a Host", "Update Ubuntu Software Packages", "Install the NVIDIA
Drivers".
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.apt_repository import repository_lines
from components.context import Cluster, HostContext
from components.host_step import host_step
from components.reboot import reboot_step
from settings.artifact import Artifact
from settings.gpu import Gpu, GpuDriver, Upgrade
from settings.models import Stack
from settings.ofed import OfedFlavour
from settings.support import driver_releases, ofed_releases

_NONE, _ANY = "none", "any"
# What building a driver's modules takes, as the fact names it; the headers are those of the running kernel.
_BUILD_TOOLS = "build-essential dkms linux-headers"
# What the parts of a stack take on a host's disk with what they unpack, in MB: the container engine and the
# training image, the driver, OFED.
_ENGINE_MB, _DRIVER_MB, _OFED_MB = 4000, 3000, 3000
# A lab's vendors have the same packages with next to nothing in them.
_LAB_PART = 10


def preflight_settings(stack: Stack, stack_name: str) -> dict[str, str]:
    """Return what a host must be for the stack: the settings of the step gpu_host.preflight."""
    space = _ENGINE_MB
    space += _DRIVER_MB if stack.gpu.driver is not GpuDriver.NONE else 0
    space += _OFED_MB if stack.ofed.flavour is not OfedFlavour.INBOX else 0
    return {
        "stack": stack_name,
        "driver": _driver(stack.gpu),
        "gpus": _gpus(stack.gpu),
        "driver_releases": driver_releases(stack.gpu),
        "ofed": stack.ofed.flavour.value,
        "ofed_releases": ofed_releases(stack.ofed),
        "space_mb": str(space if stack.lab is None else space // _LAB_PART),
    }


def nouveau_settings(gpu: Gpu) -> dict[str, str]:
    """Return the settings of the step gpu_host.nouveau; without a driver what NVIDIA's there is stays."""
    wanted = gpu.driver is not GpuDriver.NONE
    return {
        "nouveau": "blacklisted",
        "driver": _driver(gpu),
        "leftovers": _NONE if wanted else _ANY,
        "tools": _BUILD_TOOLS if wanted else _NONE,
    }


def driver_settings(stack: Stack) -> dict[str, str]:
    """Return the settings of the step gpu_host.driver: where the driver comes from, and what it must show."""
    gpu = stack.gpu
    local = gpu.driver is GpuDriver.LOCAL_REPO
    return {
        "source": gpu.driver.value,
        "version": _driver(gpu),
        "package_version": gpu.package_version or _ANY,
        **_artifact_lines(gpu.package if local else None),
        **repository_lines(None if local else gpu.repository),
        "gpus": _gpus(gpu),
        "model": gpu.model or _ANY,
        "compute_capability": gpu.compute_capability,
        "sysfs_root": stack.ofed.sysfs_root,
    }


def _driver(gpu: Gpu) -> str:
    return _NONE if gpu.driver is GpuDriver.NONE else gpu.version or _ANY


def _gpus(gpu: Gpu) -> str:
    return _ANY if gpu.count is None else str(gpu.count)


def _artifact_lines(package: Artifact | None) -> dict[str, str]:
    if package is None:
        return {"package": _NONE, "package_sha256": "", "package_md5": ""}
    return {
        "package": package.source,
        "package_sha256": package.sha256,
        "package_md5": package.md5 or "",
    }


class GpuHost(pulumi.ComponentResource):
    """One host that is fit for the stack, without nouveau and with the NVIDIA driver that the stack asks for.

    Flavour `none` is for hosts without a GPU: nouveau is kept off, no driver is installed. A step that the
    stack does not ask for (package upgrades, the driver) is not there.
    """

    def __init__(self, cluster: Cluster, context: HostContext, after: Sequence[pulumi.Resource] = ()) -> None:
        super().__init__("rocestack:components:GpuHost", context.host.name)
        stack = cluster.stack
        node = [context.node] if context.node is not None else []
        last: pulumi.Resource = host_step(
            cluster,
            context,
            "gpu_host.preflight",
            preflight_settings(stack, cluster.stack_name),
            parent=self,
            depends_on=[*after, *node],
        )
        steps: list[tuple[str, dict[str, str]]] = []
        if stack.apt.upgrade is not Upgrade.NONE:
            steps.append(("gpu_host.apt", {"upgrade": stack.apt.upgrade.value, "kernel": "newest"}))
        steps.append(("gpu_host.nouveau", nouveau_settings(stack.gpu)))
        if stack.gpu.driver is not GpuDriver.NONE:
            steps.append(("gpu_host.driver", driver_settings(stack)))
        for step, wanted in steps:
            last = reboot_step(cluster, context, step, wanted, parent=self, depends_on=[last])
        self.register_outputs({"driver": _driver(stack.gpu)})
