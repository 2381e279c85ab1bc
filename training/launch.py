"""The start of a job's shards: all at once; where one cannot start, none is left waiting for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping

from training.remote import HostLost, HostRefused
from training.request import Shard, WaitRequest
from training.wait import Docker, JobFailed, inspect

Say = Callable[[str], None]

_START_S = 120.0
_STOP_S = 60.0
_PAUSE_S = 2.0

# What an engine says when it cannot start a container, and what to do then; the first that fits counts.
_HINTS = (
    (
        r"no such container",
        "run `pulumi up` again; it makes the job anew.",
    ),
    (
        r"/dev/infiniband|gathering device information",
        "see `ls /dev/infiniband` there; `rocestack:training` rdma_nodes names what a shard gets of it.",
    ),
    (
        r"could not select device driver|nvidia|unresolvable CDI",
        "see `nvidia-smi` there, and `rocestack:docker` runtime; `pulumi preview` tells drift of both.",
    ),
    (r"no space left on device", "free space there (`docker system df` tells what takes it)."),
    (r"bind source path does not exist", "the data is gone there; `pulumi up` makes it anew."),
)


async def launch(request: WaitRequest, hosts: Mapping[str, Docker], say: Say) -> None:
    """Start each shard that was made and never started; one that runs or ended stays as it is.

    Raises JobFailed with a sentence for each shard that cannot be started. Those that were started are
    stopped then: they would only wait for it.
    """
    tasks = [_start(shard, hosts[shard.host]) for shard in request.shards]
    troubles = [one for one in await asyncio.gather(*tasks) if one is not None]
    if not troubles:
        return
    await asyncio.gather(*(_stop(shard, hosts[shard.host], say) for shard in request.shards))
    raise JobFailed("\n".join(troubles))


async def _start(shard: Shard, docker: Docker) -> str | None:
    """Start a shard; return why it could not be, or None."""
    lost = "its host gave no answer in time"
    try:
        async with asyncio.timeout(_START_S):
            while True:
                try:
                    state = await inspect(docker, shard.container)
                    if state is not None and state.status != "created":
                        return None
                    answer = await docker.run("start", shard.container)
                    break
                except HostLost as error:
                    lost = str(error)
                    await asyncio.sleep(_PAUSE_S)
    except (HostRefused, TimeoutError) as error:
        why = str(error) or lost
        return (
            f"{str(shard).capitalize()} could not be started: {why.rstrip('.')}.\nHint: log in there by hand."
        )
    if answer.status == 0:
        return None
    said = answer.text.strip().splitlines() or ["no word"]
    return (
        f"{str(shard).capitalize()} could not be started; Docker says: {said[0]}\n"
        f"To replay there: docker start {shard.container}\n"
        f"Hint: {_hint(answer.text)}"
    )


def _hint(text: str) -> str:
    fitting = (hint for pattern, hint in _HINTS if re.search(pattern, text, re.IGNORECASE))
    return next(fitting, "see `docker inspect` of it there.")


async def _stop(shard: Shard, docker: Docker, say: Say) -> None:
    try:
        async with asyncio.timeout(_STOP_S):
            state = await inspect(docker, shard.container)
            if state is None or state.status != "running":
                return
            answer = await docker.run("stop", "--time", "10", shard.container)
        say(f"{shard}: {'stopped' if answer.status == 0 else f'could not be stopped: {answer.text.strip()}'}")
    except (HostLost, HostRefused, TimeoutError) as error:
        say(f"{shard}: could not be stopped: {str(error) or 'no answer in time'}")
