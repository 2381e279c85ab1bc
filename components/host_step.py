"""The one wrapper round the command resources: one concern of one machine, with its remove twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pulumi
from pulumi_command import local, remote

from components.context import Cluster, HostContext
from components.rendering import bash, render
from facts.checkpoint import Checkpoint, CheckpointError, unreadable
from facts.drift import Recorded, plan_step, recorded_from, unsettled
from facts.files import wanted_facts
from settings import flat
from settings.models import HostAccess

REMOTE = "command:remote:Command"
LOCAL = "command:local:Command"

# All that a change of the program could alter: an unreachable host keeps what is recorded, and no diff
# claims to know better (docs/decisions/0003).
_LOCAL_FROZEN = ["stdin", "create", "update", "delete"]
_FROZEN = [*_LOCAL_FROZEN, "connection"]


@dataclass(frozen=True)
class StepId:
    """Which step on which machine: the command's type, the machine's name, ``component.concern``."""

    type_token: str
    machine: str
    step: str

    @property
    def name(self) -> str:
        """The step's resource name, for example ``clx-mld-41/ofed_stack.qos``."""
        return f"{self.machine}/{self.step}"


def host_step(
    cluster: Cluster,
    context: HostContext,
    step: str,
    wanted: Mapping[str, pulumi.Input[str]],
    *,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource] = (),
    hooks: pulumi.ResourceHookBinding | None = None,
) -> remote.Command:
    """Declare `step` (``component.concern``) on one host.

    The scripts are templates/<component>/<concern>.{apply,remove}.sh.j2; the wanted values travel in
    stdin together with what drift there was. Keys are the step's facts, values one-line texts; the hashes of
    the step's files come with them (facts/files.py).
    """
    name = StepId(REMOTE, context.host.name, step).name
    observation = context.observation
    apply, remove = _scripts(step, as_root_by_sudo=context.access.user != "root")
    recorded = cluster.checkpoint.of(REMOTE, name) is not None
    if observation is not None and step in observation.unobservable and recorded:
        pulumi.log.warn(f"{name} could not be observed: {observation.unobservable[step]}", parent)
    return remote.Command(
        name,
        connection=connection(context.access),
        create=apply,
        delete=remove,
        stdin=_stdin(cluster, *_known(context, step), _with_files(step, wanted), context.node_generation),
        add_previous_output_in_env=False,
        logging=remote.Logging.STDERR,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(depends_on),
            delete_before_replace=True,
            # A lab node takes its whole disk with it, so nothing is left to take back.
            deleted_with=context.node,
            ignore_changes=_FROZEN if context.unreachable and recorded else None,
            hooks=hooks,
        ),
    )


def _with_files(step: str, wanted: Mapping[str, pulumi.Input[str]]) -> dict[str, pulumi.Input[str]]:
    """Return the wanted values with what else the step leaves on the host; its files need them all known."""
    known = {key: value for key, value in wanted.items() if isinstance(value, str)}
    return {**wanted, **wanted_facts(step, known)}


def _known(context: HostContext, step: str) -> tuple[StepId, Mapping[str, str] | None]:
    """Return a step's identity on a host, and what was found of it there (None: nothing is known)."""
    observation = context.observation
    reachable = observation is not None and observation.state == "reachable"
    found = observation.facts.get(step) if observation is not None and reachable else None
    return StepId(REMOTE, context.host.name, step), found


def local_step(
    cluster: Cluster,
    machine: str,
    step: str,
    wanted: Mapping[str, pulumi.Input[str]],
    *,
    parent: pulumi.Resource,
    found: Mapping[str, str] | None = None,
    generation: str = "1",
    depends_on: Sequence[pulumi.Resource] = (),
    works_on: HostContext | None = None,
) -> local.Command:
    """Declare `step` on the operator's machine, by the same rules as `host_step`.

    One that `works_on` a host goes with that host's lab node, and waits until an unreachable one is back.
    """
    step_id = StepId(LOCAL, machine, step)
    apply, remove = _scripts(step)
    recorded = cluster.checkpoint.of(LOCAL, step_id.name) is not None
    return local.Command(
        step_id.name,
        create=apply,
        delete=remove,
        stdin=_stdin(cluster, step_id, found, wanted, generation),
        add_previous_output_in_env=False,
        logging=local.Logging.STDERR,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(depends_on),
            delete_before_replace=True,
            deleted_with=works_on.node if works_on is not None else None,
            ignore_changes=_LOCAL_FROZEN
            if works_on is not None and works_on.unreachable and recorded
            else None,
        ),
    )


def connection(access: HostAccess) -> remote.ConnectionArgs:
    """Return how the command plugin logs in; the host key is always checked."""
    return remote.ConnectionArgs(
        host=access.address,
        port=access.port,
        user=access.user,
        host_key=access.host_key,
        private_key=pulumi.Output.secret(access.private_key.get_secret_value()),
    )


def recorded_step(checkpoint: Checkpoint, step_id: StepId) -> Recorded | None:
    """Return what a step last applied, or None if it never did. Raises CheckpointError."""
    if checkpoint.of(step_id.type_token, step_id.name) is None:
        return None
    text = checkpoint.text(step_id.type_token, step_id.name, "stdin")
    if text is None:
        raise CheckpointError(unreadable(step_id.name, "its stdin is no text"))
    try:
        return recorded_from(text)
    except KeyError as error:
        raise CheckpointError(unreadable(step_id.name, f"there is no {error} in its stdin")) from None
    except ValueError as error:
        raise CheckpointError(unreadable(step_id.name, str(error))) from None


def bookkeeping(
    cluster: Cluster,
    step_id: StepId,
    wanted: Mapping[str, pulumi.Input[str]],
    found: Mapping[str, str] | None,
    node_generation: str,
) -> dict[str, str]:
    """Return a step's generation, notes and node lines; its drift is added to the cluster's."""
    known = {key: value for key, value in wanted.items() if isinstance(value, str)}
    recorded = recorded_step(cluster.checkpoint, step_id)
    plan = plan_step(step_id.machine, step_id.step, known, recorded, found)
    cluster.drift.extend(plan.drift)
    if recorded is not None and found is not None:
        cluster.unsettled.extend(unsettled(step_id.machine, step_id.step, recorded.values, found))
    return {**plan.lines(), "node": node_generation}


def _stdin(
    cluster: Cluster,
    step_id: StepId,
    found: Mapping[str, str] | None,
    wanted: Mapping[str, pulumi.Input[str]],
    node_generation: str,
) -> pulumi.Input[str]:
    lines = bookkeeping(cluster, step_id, wanted, found, node_generation)
    if all(isinstance(value, str) for value in wanted.values()):
        return flat.render({**{key: str(value) for key, value in wanted.items()}, **lines})
    return pulumi.Output.all(**wanted).apply(lambda values: flat.render({**values, **lines}))


@cache
def _scripts(step: str, *, as_root_by_sudo: bool = False) -> tuple[str, str]:
    """Return the commands that apply a step and take it back; all hosts of a stack share their texts.

    There is none for an update: the engine then runs the first one again, and a stack's record is a third
    smaller than with its text twice (docs/decisions/0021).
    """
    place = step.replace(".", "/")
    return (
        bash(render(f"{place}.apply.sh.j2"), as_root_by_sudo=as_root_by_sudo),
        bash(render(f"{place}.remove.sh.j2"), as_root_by_sudo=as_root_by_sudo),
    )
