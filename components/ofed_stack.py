"""OfedStack: the RDMA stack, the data interface and its lossless QoS.

Guide: "Installation Mellanox OFED", "Lossless fabric with L3(DSCP) configuration".
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.context import Cluster, HostContext
from components.host_step import host_step, waits_for
from settings.roce import RoceProfile

# The distribution's RDMA user space and the tools that observe and prove it.
INBOX_PACKAGES = ("ethtool", "ibverbs-utils", "perftest", "rdma-core")


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


class OfedStack(pulumi.ComponentResource):
    """One host's RDMA packages, its static data address, and the host's half of the RoCE profile."""

    def __init__(self, cluster: Cluster, context: HostContext, after: Sequence[pulumi.Resource] = ()) -> None:
        super().__init__("rocestack:components:OfedStack", context.host.name, None, waits_for(after))
        stack = cluster.stack
        interface = stack.network.data_interface
        packages = host_step(
            cluster,
            context,
            "ofed_stack.packages",
            {"packages": " ".join(INBOX_PACKAGES)},
            parent=self,
            depends_on=after,
        )
        address = host_step(
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
            depends_on=[packages],
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
            depends_on=[address],
        )
        self.register_outputs({"address": stack.data_cidr(context.host), "interface": interface})
