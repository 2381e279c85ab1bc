"""SwitchQoS: the switch's lossless configuration (guide: "Switch OS installation / configuration")."""

from __future__ import annotations

import pulumi
from pulumi_command import local

from components.context import Cluster
from components.host_step import LOCAL, StepId, bookkeeping
from settings import flat

STEP = "switch_qos.roce"
# The guide's memory share is printed by the switch with two decimals.
_PERCENT = "{:.2f}"


def wanted(cluster: Cluster) -> dict[str, str]:
    """Return the switch's settings as flat values: the profile on the ports of the hosts' cables."""
    roce = cluster.stack.roce
    return {
        "hostname": cluster.stack.switch.name,
        "ports": ",".join(sorted((host.switch_port for host in cluster.stack.hosts), key=_port_order)),
        "pool": roce.pool.name,
        "pool_type": "lossless",
        "pool_memory_percent": _PERCENT.format(roce.pool.memory_percent),
        "pool_switch_priority": str(roce.switch_priority),
        "trust": "L3",
        "ecn_traffic_class": str(roce.traffic_class),
        "ecn_minimum_kb": str(roce.ecn.minimum_kb),
        "ecn_maximum_kb": str(roce.ecn.maximum_kb),
        "strict_traffic_class": str(roce.cnp_traffic_class),
        "pfc_priority": str(roce.switch_priority),
    }


def _port_order(port: str) -> tuple[int, ...]:
    return tuple(int(part) for part in port.split("/"))


class SwitchQoS(pulumi.ComponentResource):
    """The RoCE profile on the switch, applied and read back by ``python -m onyx`` in one session.

    The password travels as a secret environment value; nothing else needs it.
    """

    def __init__(self, cluster: Cluster) -> None:
        access = cluster.switch.access
        super().__init__("rocestack:components:SwitchQoS", access.name)
        step_id = StepId(LOCAL, access.name, STEP)
        settings = wanted(cluster)
        lines = bookkeeping(cluster, step_id, settings, cluster.switch.found, cluster.switch.node_generation)
        login = {
            "address": access.address,
            "port": str(access.port),
            "user": access.user,
            "host_key": access.host_key,
        }
        node = cluster.switch.node
        recorded = cluster.checkpoint.of(LOCAL, step_id.name) is not None
        frozen = cluster.switch.unreachable is not None and recorded
        command = local.Command(
            step_id.name,
            create="python -m onyx apply",
            update="python -m onyx apply",
            delete="python -m onyx remove",
            stdin=flat.render({**settings, **login, **lines}),
            environment=pulumi.Output.secret(
                {"ROCESTACK_SWITCH_PASSWORD": access.password.get_secret_value()}
            ),
            add_previous_output_in_env=False,
            logging=local.Logging.STDERR,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[node] if node is not None else None,
                delete_before_replace=True,
                deleted_with=node,
                ignore_changes=["stdin", "create", "update", "delete", "environment"] if frozen else None,
            ),
        )
        self.report = command.stdout
        self.register_outputs({"report": self.report})
