"""A container that somebody made anew under a name of ours: it goes before ours is made again."""

from __future__ import annotations

import pulumi

from components.context import HostContext
from components.rendering import render
from facts.ssh import Unreachable, run_script
from settings import flat

_DEADLINE_S = 60.0


def makes_way(context: HostContext, name: str, stack_name: str) -> pulumi.ResourceHook:
    """Return the hook that removes a container of that name and stack, right before ours is made.

    The engine deletes what it made itself, by its id, and knows nothing of another one with that name. The
    hook raises RunError where that one is not the stack's, or the host cannot be asked.
    """
    host = context.access.name

    async def clear(_: pulumi.ResourceHookArgs) -> None:
        script = render("training_job/container.clear.sh.j2")
        lines = flat.render({"name": name, "stack": stack_name})
        try:
            done = await run_script(context.access, script, lines, _DEADLINE_S)
        except Unreachable as error:
            raise pulumi.RunError(f"{host} could not be asked for its container {name}: {error}") from None
        if done.status != 0:
            raise pulumi.RunError(done.stderr.strip().removeprefix("rocestack: "))

    return pulumi.ResourceHook(f"{host}-{name}-clear", clear)
