"""`python -m training verify | wait`: reads a job as flat lines, does its work, prints what it found as JSON.

`verify` measures the network before a run, `wait` starts the run's shards, waits for them and reads their
figures; where the job says `wait: 'false'`, it starts them and no more.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from settings import flat
from training import verify
from training.gather import GatherError, gather
from training.launch import launch
from training.remote import RemoteDocker
from training.request import RequestError, WaitRequest, parse_request
from training.verify import VerifyFailed
from training.wait import JobFailed, wait_for_job

FAILED = 1
USAGE = 64
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0, 1 failed, 64 wrong use, 130 interrupted."""
    commands: Mapping[str, Callable[[str], Awaitable[str]]] = {"verify": _verify, "wait": _wait}
    if len(arguments) != 1 or arguments[0] not in commands:
        _say("usage: python -m training verify | wait   (settings on standard input)")
        return USAGE
    try:
        print(asyncio.run(_interruptible(commands[arguments[0]], sys.stdin.read())))
    except RequestError as error:
        _say(f"rocestack: `{arguments[0]}` for the training cannot start: {error}.")
        return USAGE
    except VerifyFailed as error:
        _say(f"rocestack: the training was not started.\n{error}")
        return FAILED
    except (JobFailed, GatherError) as error:
        _say(f"rocestack: the training failed.\n{error}")
        return FAILED
    except asyncio.CancelledError:
        _say("rocestack: interrupted. Shards that run go on; the next `pulumi up` waits for them again.")
        return INTERRUPTED
    return 0


async def _interruptible(command: Callable[[str], Awaitable[str]], text: str) -> str:
    task = asyncio.current_task()
    assert task is not None  # asyncio.run always runs one
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await command(text)


async def _verify(text: str) -> str:
    request = verify.parse(text)
    job = request.job
    found = await _evidence(job, request.sysfs_root, with_shards=False)
    hosts = _hosts(job)
    try:
        measured = await verify.measure(request, hosts, verify.read_hosts(found), _say)
    finally:
        await _close(hosts)
    if measured:
        # The measurement itself went through the counters, so they are read once more.
        found = await _evidence(job, request.sysfs_root, with_shards=False)
    return verify.render(request, measured, found)


async def _wait(text: str) -> str:
    request = parse_request(text)
    hosts = _hosts(request)
    try:
        await launch(request, hosts, _say)
        if not request.waits:
            return json.dumps({"run_id": request.run_id, "state": "started"}, indent=2)
        figures = json.loads(await wait_for_job(request, hosts, _say))
    finally:
        await _close(hosts)
    figures["evidence"] = await _evidence(request, flat.parse(text)["sysfs_root"], with_shards=True)
    return json.dumps(figures, indent=2, sort_keys=True)


async def _evidence(request: WaitRequest, sysfs_root: str, *, with_shards: bool) -> dict[str, list[str]]:
    return await gather(request.shards, request.interface, sysfs_root, with_shards=with_shards)


def _hosts(request: WaitRequest) -> dict[str, RemoteDocker]:
    return {shard.host: RemoteDocker(shard.host, shard.access) for shard in request.shards}


async def _close(hosts: Mapping[str, RemoteDocker]) -> None:
    await asyncio.gather(*(host.close() for host in hosts.values()), return_exceptions=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
