"""The RDMA stack of a host."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.artifact import AptRepository, Artifact
from settings.section import AbsolutePath, PackageVersion, Section


class OfedFlavour(StrEnum):
    """Where the RDMA stack comes from.

    `mlnx_ofed` is the guide's ISO, `doca_ofed` its successor's apt repository, `inbox` the distribution's
    rdma-core and perftest.
    """

    MLNX_OFED = "mlnx_ofed"
    DOCA_OFED = "doca_ofed"
    INBOX = "inbox"


class Ofed(Section):
    """The RDMA stack and where the NIC's settings are found.

    `sysfs_root` is /sys on metal. The lab has no RDMA card, and its stand-in keeps the card's files
    elsewhere. `allow_unobservable` lists facts, as ``step.key``, that this cluster's cards cannot show.
    """

    flavour: OfedFlavour = OfedFlavour.INBOX
    version: PackageVersion | None = None
    iso: Artifact | None = None
    flags: tuple[Annotated[str, Field(pattern=r"^--[a-z0-9-]+(=[A-Za-z0-9._/-]+)?$")], ...] = ()
    repository: AptRepository | None = None
    sysfs_root: AbsolutePath = "/sys"
    allow_unobservable: tuple[Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+\.[a-z_]+$")], ...] = ()
