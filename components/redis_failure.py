"""Redis that does not come up: its own words in the error, and nothing of it left running."""

from __future__ import annotations

import pulumi

from components.context import HostContext
from components.job_containers import REDIS
from components.rendering import render
from facts.ssh import Unreachable, run_script
from settings import flat

_DEADLINE_S = 60.0


def says_why(context: HostContext) -> pulumi.ErrorHook:
    """Return the hook that tells why Redis is not healthy, and stops it.

    Docker says no more than that the container ended, and an engine would start it again and again.
    """
    host = context.access.name

    async def tell(_: pulumi.ErrorHookArgs) -> bool:
        script = render("training_job/redis.why.sh.j2")
        try:
            done = await run_script(context.access, script, flat.render({"name": REDIS}), _DEADLINE_S)
            said = done.stdout.strip() if done.status == 0 else done.stderr.strip()
        except Unreachable as error:
            said = f"{host} could not be asked why: {error}."
        pulumi.log.error(f"Redis on {host} ({context.where}) did not come up. {said}")
        return False

    return pulumi.ErrorHook(f"{host}-{REDIS}-why", tell)
