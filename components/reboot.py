"""Steps that may need a reboot: three resources, since no SSH command outlives one (docs/decisions/0010)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_command import local

from components.context import Cluster, HostContext
from components.host_step import LOCAL, declare_step, step_stdin
from settings import flat

# What a change of the program could alter; see components/host_step.py.
_FROZEN = ["stdin", "create", "update", "environment"]
_KEY = "ROCESTACK_PRIVATE_KEY"
# Lines of a step's stdin that are no setting.
_BOOKKEEPING = ("generation", "node")


def reboot_step(
    cluster: Cluster,
    context: HostContext,
    step: str,
    wanted: Mapping[str, str],
    *,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource] = (),
) -> pulumi.Resource:
    """Declare `step` (``component.concern``), whose apply script may ask for a reboot by what it sees.

    *Apply* is a `host_step` that gets the stack's policy as its setting `reboot` and schedules the reboot
    (templates/common/reboot.sh). *Wait* lets the host go down and come back, other hosts go on meanwhile.
    *Verify* runs templates/<component>/<concern>.verify.sh.j2, which only looks, with the step's settings.
    Those two run again exactly when the step does. Returns what a later step waits for.
    """
    reboot = cluster.stack.reboot
    settings = {**wanted, "reboot": reboot.policy.value}
    stdin = step_stdin(cluster, context, step, settings)
    applied = declare_step(cluster, context, step, stdin, parent=parent, depends_on=depends_on)
    applied_lines = flat.parse(stdin)
    again = {key: applied_lines[key] for key in _BOOKKEEPING}
    # No value is shown twice in a diff: this line says that some setting changed.
    digest = hashlib.sha256(flat.render(settings).encode()).hexdigest()[:12]
    waited = _looker(
        cluster,
        context,
        f"{step}.wait",
        "python -m facts wait",
        {
            **again,
            "step": step,
            "settings": digest,
            "policy": reboot.policy.value,
            "deadline_s": str(reboot.deadline_seconds),
        },
        parent=parent,
        after=applied,
    )
    return _looker(
        cluster,
        context,
        f"{step}.verify",
        "python -m facts verify",
        {**again, "step": step, **{f"want_{key}": value for key, value in settings.items()}},
        parent=parent,
        after=waited,
    )


def _looker(
    cluster: Cluster,
    context: HostContext,
    name: str,
    program: str,
    lines: Mapping[str, str],
    *,
    parent: pulumi.Resource,
    after: pulumi.Resource,
) -> local.Command:
    """Declare a program that logs in to the host and only looks, so it has nothing to take back."""
    access = context.access
    login = {
        "machine": context.host.name,
        "address": access.address,
        "port": str(access.port),
        "user": access.user,
        "host_key": access.host_key,
    }
    name = f"{context.host.name}/{name}"
    recorded = cluster.checkpoint.of(LOCAL, name) is not None
    return local.Command(
        name,
        create=program,
        update=program,
        stdin=flat.render({**lines, **login}),
        environment=pulumi.Output.secret({_KEY: access.private_key.get_secret_value()}),
        add_previous_output_in_env=False,
        logging=local.Logging.STDERR,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=[after],
            deleted_with=context.node,
            ignore_changes=_FROZEN if context.unreachable and recorded else None,
        ),
    )
