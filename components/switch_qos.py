"""SwitchQoS: a switch's lossless configuration (guide: "Switch OS installation / configuration")."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_command import local

from components.context import Cluster, SwitchContext
from components.host_step import LOCAL, StepId, bookkeeping, recorded_step
from facts.drift import Recorded
from onyx.wanted import JUMP_KEY_VARIABLE, KEY_VARIABLE, NO_ROCE, PASSWORD_VARIABLE
from settings import flat
from settings.models import SwitchAccess
from settings.switch import SwitchTransport

STEP = "switch_qos.roce"
# The guide's memory share is printed by the switch with two decimals.
_PERCENT = "{:.2f}"
# What decides which of the switch's settings are ours: when one changes, the former one's go back.
_OWNERSHIP = (
    *("ports", "pool", "pool_switch_priority", "ecn_traffic_class", "strict_traffic_class"),
    *("pfc_priority", "roce"),
)
_FORMER = "former_"


def wanted(cluster: Cluster, context: SwitchContext) -> dict[str, str]:
    """Return a switch's settings as flat values: the profile on the ports of its own cables.

    `lldp`, `global_pause` and `saved` are the same in every stack; they stand here to be compared with
    what is found.
    """
    roce, switch = cluster.stack.roce, context.switch
    dscp_map = {roce.dscp: roce.switch_priority, roce.cnp_dscp: roce.cnp_traffic_class}
    return {
        "hostname": switch.name,
        "lldp": "on",
        "ports": ",".join(cluster.stack.ports_of(switch)),
        "pool": roce.pool.name,
        "pool_type": "lossless",
        "pool_memory_percent": _PERCENT.format(roce.pool.memory_percent),
        "pool_switch_priority": str(roce.switch_priority),
        "trust": "L3",
        "dscp_map": " ".join(f"{dscp}={priority}" for dscp, priority in sorted(dscp_map.items())),
        "ecn_traffic_class": str(roce.traffic_class),
        "ecn_minimum_kb": str(roce.ecn.minimum_kb),
        "ecn_maximum_kb": str(roce.ecn.maximum_kb),
        "strict_traffic_class": str(roce.cnp_traffic_class),
        "pfc_priority": str(roce.switch_priority),
        "global_pause": "off",
        "roce": "lossless" if switch.roce_command else NO_ROCE,
        "minimum_release": switch.minimum_release,
        "saved": "yes",
    }


def login(access: SwitchAccess) -> dict[str, str]:
    """Return the way to a switch as flat values, without the secrets."""
    lines = {"address": access.address, "port": str(access.port), "user": access.user}
    if access.transport is SwitchTransport.JSON_API:
        return {
            **lines,
            "transport": str(access.transport),
            "certificate_sha256": access.certificate_sha256,
        }
    lines["host_key"] = access.host_key
    if access.jump is not None:
        jump = access.jump
        lines |= {"jump_address": jump.address, "jump_port": str(jump.port), "jump_user": jump.user}
        lines["jump_host_key"] = jump.host_key
    return lines


def secrets(access: SwitchAccess) -> dict[str, str]:
    """Return the secrets of the login by the names of the variables that carry them."""
    given = {
        PASSWORD_VARIABLE: access.password.get_secret_value(),
        KEY_VARIABLE: access.private_key.get_secret_value(),
        JUMP_KEY_VARIABLE: access.jump_key.get_secret_value(),
    }
    return {name: value for name, value in given.items() if value}


def former(recorded: Recorded | None, lines: Mapping[str, str]) -> dict[str, str]:
    """Return what was ours until this change, as lines ``former_<key>``.

    `lines` are all others of the new stdin. Where nothing else changes, the recorded ones are repeated, so
    that the engine sees no difference and nothing is given back twice.
    """
    if recorded is None:
        return {}
    values = recorded.values
    repeated = {key: value for key, value in values.items() if key.startswith(_FORMER)}
    known = {key: value for key, value in values.items() if key not in repeated}
    told = {**known, "generation": str(recorded.generation), **recorded.notes}
    if told == {key: value for key, value in lines.items() if key != "node"}:
        return repeated
    return {
        f"{_FORMER}{key}": values[key] for key in _OWNERSHIP if key in values and values[key] != lines[key]
    }


class SwitchQoS(pulumi.ComponentResource):
    """The RoCE profile on one switch, applied and read back by ``python -m onyx`` in one session.

    The password or key travels as a secret environment value; nothing else needs it.
    """

    def __init__(self, cluster: Cluster, context: SwitchContext) -> None:
        access = context.access
        super().__init__("rocestack:components:SwitchQoS", access.name)
        step_id = StepId(LOCAL, access.name, STEP)
        settings = wanted(cluster, context)
        notes = bookkeeping(cluster, step_id, settings, context.found, context.node_generation)
        lines = {**settings, **login(access), **notes}
        record = recorded_step(cluster.checkpoint, step_id)
        node = context.node
        frozen = context.unreachable is not None and record is not None
        command = local.Command(
            step_id.name,
            create="python -m onyx apply",
            update="python -m onyx apply",
            delete="python -m onyx remove",
            stdin=flat.render({**lines, **former(record, lines)}),
            environment=pulumi.Output.secret(secrets(access)),
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
