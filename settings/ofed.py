"""The RDMA stack of a host."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.artifact import AptRepository, Artifact
from settings.section import AbsolutePath, PackageVersion, Section

# Where a kernel shows its devices.
KERNEL_FILES = "/sys"


class MayBeUnobservable(StrEnum):
    """What a card or its driver may be unable to show; each is a fact of the host's RoCE settings."""

    TRUST = "ofed_stack.qos.trust"
    DCBX = "ofed_stack.qos.dcbx"
    PAUSE = "ofed_stack.qos.pause"
    DSCP2PRIO = "ofed_stack.qos.dscp2prio"
    PFC = "ofed_stack.qos.pfc"
    PRIO_TC = "ofed_stack.qos.prio_tc"
    TSA = "ofed_stack.qos.tsa"
    TCBW = "ofed_stack.qos.tcbw"
    TRAFFIC_CLASS = "ofed_stack.qos.traffic_class"
    CMA_ROCE_MODE = "ofed_stack.qos.cma_roce_mode"
    CMA_ROCE_TOS = "ofed_stack.qos.cma_roce_tos"
    CNP_DSCP = "ofed_stack.qos.cnp_dscp"
    CNP_802P_PRIO = "ofed_stack.qos.cnp_802p_prio"
    ECN_PRIORITY = "ofed_stack.qos.ecn_priority"


class OfedFlavour(StrEnum):
    """Where the RDMA stack comes from.

    `mlnx_ofed` is the guide's ISO, `doca_ofed` its successor's apt repository, `inbox` the distribution's
    rdma-core and perftest.
    """

    MLNX_OFED = "mlnx_ofed"
    DOCA_OFED = "doca_ofed"
    INBOX = "inbox"


class Ofed(Section):
    """The RDMA stack and where the NIC's settings are found (guide: "Installation Mellanox OFED").

    `version` is MLNX_OFED's as `ofed_info -n` shows it, or that of DOCA-OFED's package doca-ofed, which is
    held. `iso` and `flags` are mlnx_ofed's, `repository` is doca_ofed's.
    `soft_roce` makes the kernel's own RDMA device (rdma_rxe) over the data interface of hosts that have no
    card, and counts its packets by DSCP and IP version on that interface; with flavour `inbox` alone.
    `sysfs_root` is /sys on metal. The lab has no RDMA card, and its stand-in keeps the card's files
    elsewhere. `allow_unobservable` lists facts, as ``step.key``, that this cluster's cards cannot show.
    """

    flavour: OfedFlavour = OfedFlavour.INBOX
    version: PackageVersion | None = None
    iso: Artifact | None = None
    flags: tuple[Annotated[str, Field(pattern=r"^--[a-z0-9-]+(=[A-Za-z0-9._/-]+)?$")], ...] = ()
    repository: AptRepository | None = None
    soft_roce: bool = False
    sysfs_root: AbsolutePath = KERNEL_FILES
    allow_unobservable: tuple[MayBeUnobservable, ...] = ()

    def unobservable(self, step: str) -> str:
        """Return the keys of `step` that may have no answer, sorted and separated by blanks."""
        names = (one.value.rpartition(".") for one in self.allow_unobservable)
        return " ".join(sorted(key for of, _, key in names if of == step))
