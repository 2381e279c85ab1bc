"""Waiting for a job's shards: all at once, with progress; when one fails the others are stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from training import figures
from training.log import Iteration, LogError, Loss, ShardLog, ShardResult
from training.remote import Answer, HostLost, HostRefused
from training.request import Shard, WaitRequest
from training.watched import State, Watched, report

Say = Callable[[str], None]

# A line at least this often from each shard whose epochs are long.
_SAY_EACH_S = 30.0
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_STOP_S = 60.0
_GRACE_S = 10.0


class JobFailed(Exception):
    """The job did not end well; the message is for the person and complete."""


class Docker(Protocol):
    """What this module needs of a host (`remote.RemoteDocker` is it)."""

    async def run(self, *words: str) -> Answer:
        """Run a docker command."""

    def follow(self, container: str) -> AsyncIterator[str]:
        """Yield a container's output until it stops."""


async def wait_for_job(
    request: WaitRequest, hosts: Mapping[str, Docker], say: Say, *, grace_s: float = _GRACE_S
) -> str:
    """Wait for all shards of `request` and return the job's figures as JSON.

    `hosts` maps each host's name to its docker; `say` gets progress lines; `grace_s` is how long the others
    have to end by themselves after one that fell because of another. Raises JobFailed when a shard
    fails, cannot be watched, or the deadline passes; the shards that still run are then stopped.
    Cancelled, it leaves them running.
    """
    watched = [Watched(shard) for shard in request.shards]
    # One shard alone has no peer, so nothing is set.
    marked = request.transport == figures.VERBS and len(watched) > 1
    tasks = [asyncio.create_task(_watch(one, hosts[one.shard.host], say, marked=marked)) for one in watched]
    try:
        async with asyncio.timeout(request.deadline_s):
            for task in asyncio.as_completed(tasks):
                await task
                if any(one.failed() for one in watched):
                    break
            if any(one.failed() for one in watched):
                await _let_the_cause_end(watched, tasks, grace_s)
        trouble = None
    except TimeoutError:
        trouble = (
            f"The job did not end within its {request.deadline_s:g} s.\n"
            "Hint: see the steps' rate above; `rocestack:training` deadline_seconds is the limit."
        )
    except HostRefused as error:
        trouble = f"{error}\nHint: log in there by hand with the stack's key, then run `pulumi up` again."
    except _Gone as error:
        trouble = (
            f"The container of {error.shard} is not on its host any more.\n"
            "Hint: run `pulumi up` again; it makes the job anew."
        )
    except _Unmarked as error:
        trouble = (
            f"{figures.unmarked(error.shard)}\n"
            "Hint: build the image anew; its checks say whether the library is in it and can be loaded."
        )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if trouble is None and not any(one.failed() for one in watched):
        return _figures(request, watched)
    await asyncio.gather(*(_settle(one, hosts[one.shard.host], say) for one in watched))
    raise JobFailed(report(watched, trouble))


async def _let_the_cause_end(watched: list[Watched], tasks: list[asyncio.Task[None]], grace_s: float) -> None:
    """Give the others a moment to end by themselves while only shards that fell because of another did."""
    pending = {task for task in tasks if not task.done()}
    loop = asyncio.get_running_loop()
    end = loop.time() + grace_s
    while pending and loop.time() < end and all(one.failure().consequence for one in watched if one.failed()):
        _, pending = await asyncio.wait(
            pending, timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED
        )


class _Gone(Exception):
    """The container does not exist."""

    def __init__(self, shard: Shard) -> None:
        super().__init__(str(shard))
        self.shard = shard


class _Unmarked(Exception):
    """The shard trains over verbs without our library."""

    def __init__(self, shard: Shard) -> None:
        super().__init__(str(shard))
        self.shard = shard


async def inspect(docker: Docker, container: str) -> State | None:
    """Return the container's state, or None if there is no such container. Raises HostLost if unreadable."""
    answer = await docker.run("container", "inspect", "--format", "{{json .State}}", container)
    if "no such container" in answer.text.lower():
        return None
    try:
        state = json.loads(answer.text)
        return State(str(state["Status"]), int(state["ExitCode"]), bool(state["OOMKilled"]))
    except (ValueError, KeyError, TypeError) as error:
        raise HostLost(f"docker says: {answer.text.strip()}") from error


async def _watch(one: Watched, docker: Docker, say: Say, *, marked: bool) -> None:
    """Follow a shard until it has ended; a host that is lost for a while is asked again.

    `marked`: the shard's library for verbs must have spoken before the first step.
    """
    pause = _FIRST_PAUSE_S
    lost = ""
    while True:
        try:
            # The log begins anew with each connection.
            log = ShardLog()
            async for line in docker.follow(one.shard.container):
                loss = log.add(line)
                one.log, one.lost = log, ""
                if loss is not None and log.step is not None:
                    _say_progress(one, log.step, loss, say)
                if marked and log.step is not None and log.verbs is None:
                    raise _Unmarked(one.shard)
                pause = _FIRST_PAUSE_S
            state = await inspect(docker, one.shard.container)
            if state is None:
                raise _Gone(one.shard)
            if state.ended:
                one.end = state
                say(f"{one.shard}: ended with exit status {state.exit_status}")
                return
        except HostLost as error:
            one.lost, one.was_away = str(error), True
            if one.lost != lost:
                lost = one.lost
                say(f"{one.shard}: {error}; trying again")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _say_progress(one: Watched, step: Iteration, loss: Loss, say: Say) -> None:
    """Say a step in the middle and at the end of an epoch, and now and then in a long one.

    None is said again after a reconnection.
    """
    now = asyncio.get_running_loop().time()
    if one.said_at == 0.0:
        one.said_at = now
    due = step.number in (step.count // 2, step.count) or now - one.said_at >= _SAY_EACH_S
    if not due or (step.epoch, step.number) <= one.said:
        return
    one.said, one.said_at = (step.epoch, step.number), now
    say(
        f"{one.shard}: epoch {step.epoch + 1}, step {step.number}/{step.count}, {step.rate:.1f} images/s, "
        f"loss {loss.loss:.3f}, accuracy {loss.accuracy:.2f}"
    )


async def _settle(one: Watched, docker: Docker, say: Say) -> None:
    """Note how a shard ended by itself, or stop it. A host that is lost is only mentioned."""
    if one.end is not None:
        return
    try:
        async with asyncio.timeout(_STOP_S):
            state = await inspect(docker, one.shard.container)
            if state is None:
                return
            if state.ended:
                one.log = ShardLog((await docker.run("logs", one.shard.container)).text.splitlines())
                one.end = state
                return
            answer = await docker.run("stop", "--time", "10", one.shard.container)
            if answer.status == 0:
                say(f"{one.shard}: stopped")
                one.stopped = await inspect(docker, one.shard.container)
            else:
                say(f"{one.shard}: could not be stopped: {answer.text.strip()}")
    except (HostLost, HostRefused, TimeoutError) as error:
        one.lost = str(error) or "no answer in time"
        say(f"{one.shard}: could not be stopped: {one.lost}")


def _figures(request: WaitRequest, watched: list[Watched]) -> str:
    results: dict[int, ShardResult] = {}
    for one in watched:
        try:
            results[one.shard.index] = one.log.result()
        except LogError as error:
            raise JobFailed(f"{str(one.shard).capitalize()} ended well, but {error}.") from error
    try:
        figures.check(request, results)
    except figures.FiguresError as error:
        raise JobFailed(str(error)) from error
    return figures.render(request, results)
