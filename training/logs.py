"""All shards' output, each line after its shard's name: `python -m training.logs STACK [--follow]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from training.remote import HostLost, HostRefused, RemoteDocker
from training.request import Shard, WaitRequest
from training.stack import StackError, job
from training.wait import Docker

Say = Callable[[str], None]
_INTERRUPTED = 130


async def tell(request: WaitRequest, hosts: Mapping[str, Docker], say: Say, *, follow: bool) -> list[str]:
    """Say each shard's lines; with `follow` all at once and until they end, else one shard after the other.

    Returns a sentence for each shard whose output could not be read.
    """
    if follow:
        found = await asyncio.gather(*(_follow(one, hosts[one.host], say) for one in request.shards))
    else:
        found = [await _whole(one, hosts[one.host], say) for one in request.shards]
    return [one for one in found if one is not None]


async def _whole(shard: Shard, docker: Docker, say: Say) -> str | None:
    try:
        answer = await docker.run("logs", shard.container)
    except (HostLost, HostRefused) as error:
        return f"{shard}: {error}"
    if answer.status != 0:
        return f"{shard}: docker says: {answer.text.strip()}"
    for line in answer.text.splitlines():
        say(f"{shard.container} | {line}")
    return None


async def _follow(shard: Shard, docker: Docker, say: Say) -> str | None:
    try:
        async for line in docker.follow(shard.container):
            say(f"{shard.container} | {line}")
    except (HostLost, HostRefused) as error:
        return f"{shard}: {error}"
    return None


async def _run(stack_name: str, follow: bool) -> list[str]:
    request = job(stack_name)
    hosts = {shard.host: RemoteDocker(shard.host, shard.access) for shard in request.shards}
    try:
        return await tell(request, hosts, lambda line: print(line, flush=follow), follow=follow)
    finally:
        await asyncio.gather(*(host.close() for host in hosts.values()), return_exceptions=True)


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0, 1 when a shard's output could not be read."""
    parser = argparse.ArgumentParser(prog="python -m training.logs", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--follow", action="store_true", help="go on until the shards end")
    given = parser.parse_args(arguments)
    try:
        missing = asyncio.run(_run(given.stack, given.follow))
    except StackError as error:
        print(f"rocestack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read it (`head`, a pager) has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    for sentence in missing:
        print(f"rocestack: {sentence}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
