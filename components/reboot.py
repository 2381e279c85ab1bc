"""Steps that may need a reboot: one resource each, run again by a hook after the reboot it asked for.

docs/decisions/0010 says what a reboot waits for, 0023 why it is a hook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_command import remote

from components.context import Cluster, HostContext
from components.host_step import host_step
from facts.boot import REBOOT_STATUS, Wait
from facts.reboot import await_reboot

HOOK = "rocestack-reboot"
# How the command plugin tells a script's exit status; the command's text may follow.
_ASKED = f"Process exited with status {REBOOT_STATUS}"
# What the engine says of a command that is kept in the state but asks to be run again (our own plugin).
_KEPT = "resource init failed"


def reboot_step(
    cluster: Cluster,
    context: HostContext,
    step: str,
    wanted: Mapping[str, str],
    *,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource] = (),
) -> remote.Command:
    """Declare `step` (``component.concern``), whose apply script may ask for a reboot by what it sees.

    It is a `host_step` that gets the stack's policy as its setting `reboot`. Where a reboot is due, the
    script schedules it and ends with REBOOT_STATUS (templates/common/reboot.sh). The engine then asks the
    hook, which waits for the next boot while other hosts go on, and has the step run again: now it sees
    whether its settings hold. The step counts as done only then.
    """
    settings = {**wanted, "reboot": cluster.stack.reboot.policy.value}
    hooks = pulumi.ResourceHookBinding(on_error=[_hook(cluster)])
    return host_step(cluster, context, step, settings, parent=parent, depends_on=depends_on, hooks=hooks)


def _hook(cluster: Cluster) -> pulumi.ErrorHook:
    """Return the hook that all of the stack's steps share; a preview registers it once."""
    if cluster.reboot_hook is None:

        async def again(args: pulumi.ErrorHookArgs) -> bool:
            return await rebooted(cluster, args.name, args.errors)

        cluster.reboot_hook = pulumi.ErrorHook(HOOK, again)
    return cluster.reboot_hook


async def rebooted(cluster: Cluster, name: str, errors: Sequence[str]) -> bool:
    """Return whether the step `name` (``machine/component.concern``) shall run again after its reboot.

    `errors` are what its tries ended with, the newest first. A step gets one reboot a run; a script that asks
    for a second one has already said so as an error. Raises facts.boot.BootError, which ends the step, when
    the host does not come back.
    """
    if not asks_for_reboot(errors[0]) or any(asks_for_reboot(one) for one in errors[1:]):
        return False
    machine, _, step = name.partition("/")
    reboot = cluster.stack.reboot
    wanted = Wait(machine, step, reboot.policy.value, float(reboot.deadline_seconds))
    await await_reboot(cluster.hosts[machine].access, wanted, pulumi.log.info)
    return True


def asks_for_reboot(error: str) -> bool:
    """Return whether a command's error says that its script asked for a reboot."""
    return error == _KEPT or _ASKED in error.partition(": running")[0]
