"""GpuHost: a host made ready for its GPUs.

Guide: "Disable a Nouveau kernel Driver on a Host", "Install the NVIDIA Drivers".
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.context import Cluster, HostContext
from components.host_step import waits_for
from components.reboot import reboot_step


class GpuHost(pulumi.ComponentResource):
    """One host without nouveau and with the NVIDIA driver that the stack asks for.

    Flavour `none` is for hosts without a GPU: nouveau is kept off, no driver is installed.
    """

    def __init__(self, cluster: Cluster, context: HostContext, after: Sequence[pulumi.Resource] = ()) -> None:
        super().__init__("rocestack:components:GpuHost", context.host.name, None, waits_for(after))
        reboot_step(
            cluster,
            context,
            "gpu_host.nouveau",
            {"nouveau": "blacklisted", "driver": cluster.stack.gpu.driver.value},
            parent=self,
            depends_on=[*after, *([context.node] if context.node is not None else [])],
        )
        self.register_outputs({"driver": cluster.stack.gpu.driver.value})
