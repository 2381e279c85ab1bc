"""OfedStack: the RDMA stack, the data interface and its lossless QoS.

Guide: "Installation Mellanox OFED", "Lossless fabric with L3(DSCP) configuration".
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.apt_repository import repository_lines
from components.context import Cluster, HostContext
from components.host_step import host_step
from components.reboot import reboot_step
from settings.models import Host, Stack
from settings.ofed import Ofed, OfedFlavour
from settings.roce import RoceProfile

# What each flavour takes from the distribution, sorted: the RDMA user space and the tools that observe and
# prove it; or what OFED's own modules are built with.
PACKAGES = {
    OfedFlavour.INBOX: ("ethtool", "ibverbs-utils", "pciutils", "perftest", "rdma-core"),
    OfedFlavour.MLNX_OFED: ("dkms", "ethtool", "pciutils"),
    OfedFlavour.DOCA_OFED: ("dkms", "ethtool", "pciutils"),
}
_NONE = "none"
# The one that a host without a card gets; the kernel would name it so too.
_SOFT_DEVICE = "rxe0"


def package_facts(ofed: Ofed) -> dict[str, str]:
    """Return the settings of the step ofed_stack.packages; what a flavour does not use is ``none``."""
    image = ofed.iso if ofed.flavour is OfedFlavour.MLNX_OFED else None
    repository = ofed.repository if ofed.flavour is OfedFlavour.DOCA_OFED else None
    return {
        "flavour": ofed.flavour.value,
        "version": _NONE if ofed.flavour is OfedFlavour.INBOX else ofed.version or _NONE,
        "packages": " ".join(PACKAGES[ofed.flavour]),
        "source": _NONE if image is None else image.source,
        "sha256": _NONE if image is None else image.sha256,
        "md5": "" if image is None else image.md5 or "",
        "flags": " ".join(ofed.flags),
        **repository_lines(repository),
        "hold": "yes" if ofed.flavour is OfedFlavour.DOCA_OFED else "no",
        "card": _NONE if ofed.soft_roce else "present",
        "driver": "current",
        "sysfs_root": ofed.sysfs_root,
    }


def qos_facts(roce: RoceProfile) -> dict[str, str]:
    """Return the host's half of the profile: the settings of the step ofed_stack.qos that follow from it."""
    return {
        "dcbx": "os",
        "pause": "off",
        "trust": "dscp",
        "dscp2prio": roce.dscp2prio,
        "pfc": roce.pfc_bits,
        "prio_tc": roce.prio_tc,
        "tsa": roce.tsa,
        "tcbw": roce.tcbw,
        "traffic_class": str(roce.tos),
        "cma_roce_mode": "RoCE v2",
        "cma_roce_tos": str(roce.tos),
        "cnp_dscp": str(roce.cnp_dscp),
        "cnp_802p_prio": str(roce.cnp_traffic_class),
        "ecn_priority": str(roce.switch_priority),
        "tcp_ecn": "1",
    }


def soft_roce_facts(stack: Stack, host: Host) -> dict[str, str]:
    """Return the settings of the step ofed_stack.soft_roce: the device, its GID, and what is counted."""
    return {
        "interface": stack.network.data_interface,
        "device": _SOFT_DEVICE,
        "address": str(host.data_address),
        "gid": "RoCE v2",
        "counted_dscp": str(stack.roce.dscp),
        "sysfs_root": stack.ofed.sysfs_root,
    }


class OfedStack(pulumi.ComponentResource):
    """One host's RDMA stack, its Ethernet port with a data address, and its half of the RoCE profile."""

    def __init__(self, cluster: Cluster, context: HostContext, after: Sequence[pulumi.Resource] = ()) -> None:
        super().__init__("rocestack:components:OfedStack", context.host.name)
        stack = cluster.stack
        interface = stack.network.data_interface
        packages = reboot_step(
            cluster,
            context,
            "ofed_stack.packages",
            package_facts(stack.ofed),
            parent=self,
            depends_on=after,
        )
        link_type = reboot_step(
            cluster,
            context,
            "ofed_stack.link_type",
            {"interface": interface, "link_type": "ETH", "sysfs_root": stack.ofed.sysfs_root},
            parent=self,
            depends_on=[packages],
        )
        ready: pulumi.Resource = host_step(
            cluster,
            context,
            "ofed_stack.address",
            {
                "interface": interface,
                "address": stack.data_cidr(context.host),
                "mtu": str(stack.network.mtu),
                "link": "up",
            },
            parent=self,
            depends_on=[link_type],
        )
        if stack.ofed.soft_roce:
            ready = host_step(
                cluster,
                context,
                "ofed_stack.soft_roce",
                soft_roce_facts(stack, context.host),
                parent=self,
                depends_on=[ready],
            )
        host_step(
            cluster,
            context,
            "ofed_stack.qos",
            {
                "interface": interface,
                "sysfs_root": stack.ofed.sysfs_root,
                **qos_facts(stack.roce),
                "allow_unobservable": stack.ofed.unobservable("ofed_stack.qos"),
            },
            parent=self,
            depends_on=[ready],
        )
        self.register_outputs({"address": stack.data_cidr(context.host), "interface": interface})
