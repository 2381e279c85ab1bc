"""The GPU side of a host: package upgrades before anything else, the NVIDIA driver, and reboots."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.artifact import AptRepository, Artifact
from settings.section import PackageVersion, Section


class Upgrade(StrEnum):
    """What apt may upgrade before the first step: nothing, security updates, or everything."""

    NONE = "none"
    SECURITY = "security"
    FULL = "full"


class Apt(Section):
    """The hosts' own packages (guide: "Update Ubuntu Software Packages").

    Packages on hold stay as they are, and no package is removed. A new kernel is a reason to reboot.
    """

    upgrade: Upgrade = Upgrade.NONE


# The guide: "The 390 (or later) NVIDIA drivers must be installed".
OLDEST_DRIVER = 390


class GpuDriver(StrEnum):
    """Where the NVIDIA driver comes from; `none` is for hosts without a GPU."""

    NONE = "none"
    LOCAL_REPO = "local-repo"
    REPO = "repo"


class Gpu(Section):
    """What a host's GPUs need before anything else (guide: "Install the NVIDIA Drivers").

    `version` is the driver's, as its module shows it. `count`, `model` and the least `compute_capability` say
    what each host must have; `model` lists different ones with commas, in the alphabet's order.
    """

    driver: GpuDriver = GpuDriver.NONE
    version: Annotated[str, Field(pattern=r"^\d{3}(\.\d{1,3}){1,2}$")] | None = None
    package: Artifact | None = None
    repository: AptRepository | None = None
    package_version: PackageVersion | None = None
    count: Annotated[int, Field(ge=1, le=16)] | None = None
    model: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    compute_capability: Annotated[str, Field(pattern=r"^\d{1,2}\.\d$")] = "3.0"


class RebootPolicy(StrEnum):
    """What happens when a step needs a reboot: do it, leave it pending, or ask the operator to do it."""

    AUTO = "auto"
    NEVER = "never"
    ASK = "ask"


class Reboot(Section):
    """Reboots follow observed need only; `deadline_seconds` is how long a host may take to come back.

    With the policy `ask` that is how long somebody has to reboot it; with `never` what needs the reboot stays
    pending, which `up` and `preview` say.
    """

    policy: RebootPolicy = RebootPolicy.AUTO
    deadline_seconds: Annotated[int, Field(ge=30, le=7200)] = 900
