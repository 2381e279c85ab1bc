"""`python -m training wait`: reads a job as flat lines, waits for its shards, prints its figures as JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

from training.remote import RemoteDocker
from training.request import RequestError, WaitRequest, parse_request
from training.wait import JobFailed, wait_for_job

FAILED = 1
USAGE = 64
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0, 1 failed, 64 wrong use, 130 interrupted."""
    if list(arguments) != ["wait"]:
        _say("usage: python -m training wait   (settings on standard input)")
        return USAGE
    try:
        request = parse_request(sys.stdin.read())
    except RequestError as error:
        _say(f"rocestack: the wait for the training cannot start: {error}.")
        return USAGE
    try:
        print(asyncio.run(_wait(request)))
    except JobFailed as error:
        _say(f"rocestack: the training failed.\n{error}")
        return FAILED
    except asyncio.CancelledError:
        _say("rocestack: interrupted. The shards go on; the next `pulumi up` waits for them again.")
        return INTERRUPTED
    return 0


async def _wait(request: WaitRequest) -> str:
    task = asyncio.current_task()
    assert task is not None  # asyncio.run always runs one
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    hosts = {shard.host: RemoteDocker(shard.host, shard.access) for shard in request.shards}
    try:
        return await wait_for_job(request, hosts, _say)
    finally:
        await asyncio.gather(*(host.close() for host in hosts.values()), return_exceptions=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
