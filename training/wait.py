"""Waiting for a job's shards: all at once, with progress; when one fails the others are stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from training import figures
from training.failures import Failure, explain
from training.log import Iteration, LogError, ShardResult, parse_iteration, parse_shard
from training.remote import Answer, HostLost, HostRefused
from training.request import Shard, WaitRequest

Say = Callable[[str], None]

_LAST_LINES = 15
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


@dataclass(frozen=True)
class State:
    """A container as `docker inspect` shows it."""

    status: str
    exit_status: int
    out_of_memory: bool

    @property
    def ended(self) -> bool:
        """Whether it ran and is over."""
        return self.status in ("exited", "dead")


@dataclass
class _Watched:
    """A shard while it is watched: its output so far, and its end once it has one."""

    shard: Shard
    lines: list[str] = field(default_factory=list)
    said: tuple[int, int] = (-1, 0)
    end: State | None = None

    def failed(self) -> bool:
        return self.end is not None and self.end.exit_status != 0

    def failure(self) -> Failure:
        assert self.end is not None  # asked only of those that have ended
        return explain(self.lines, self.end.exit_status, out_of_memory=self.end.out_of_memory)


async def wait_for_job(request: WaitRequest, hosts: Mapping[str, Docker], say: Say) -> str:
    """Wait for all shards of `request` and return the job's figures as JSON.

    `hosts` maps each host's name to its docker; `say` gets progress lines. Raises JobFailed when a shard
    fails, cannot be watched, or the deadline passes; the shards that still run are then stopped.
    Cancelled, it leaves them running.
    """
    watched = [_Watched(shard) for shard in request.shards]
    tasks = [asyncio.create_task(_watch(one, hosts[one.shard.host], say)) for one in watched]
    try:
        async with asyncio.timeout(request.deadline_s):
            for task in asyncio.as_completed(tasks):
                await task
                if any(one.failed() for one in watched):
                    break
            if any(one.failed() for one in watched):
                await _let_the_cause_end(watched, tasks)
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
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if trouble is None and not any(one.failed() for one in watched):
        return _figures(request, watched)
    await asyncio.gather(*(_settle(one, hosts[one.shard.host], say) for one in watched))
    raise JobFailed(_report(watched, trouble))


async def _let_the_cause_end(watched: list[_Watched], tasks: list[asyncio.Task[None]]) -> None:
    """Give the others a moment to end by themselves while only shards that fell because of another did."""
    pending = {task for task in tasks if not task.done()}
    loop = asyncio.get_running_loop()
    end = loop.time() + _GRACE_S
    while pending and loop.time() < end and all(one.failure().consequence for one in watched if one.failed()):
        _, pending = await asyncio.wait(
            pending, timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED
        )


class _Gone(Exception):
    """The container does not exist."""

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


async def _watch(one: _Watched, docker: Docker, say: Say) -> None:
    """Follow a shard until it has ended; a host that is lost for a while is asked again."""
    pause = _FIRST_PAUSE_S
    lost = ""
    while True:
        try:
            # The log begins anew with each connection.
            lines: list[str] = []
            async for line in docker.follow(one.shard.container):
                lines.append(line)
                one.lines = lines
                _say_progress(one, parse_iteration(line), say)
                pause = _FIRST_PAUSE_S
            state = await inspect(docker, one.shard.container)
            if state is None:
                raise _Gone(one.shard)
            if state.ended:
                one.end = state
                say(f"{one.shard}: ended with exit status {state.exit_status}")
                return
        except HostLost as error:
            if str(error) != lost:
                lost = str(error)
                say(f"{one.shard}: {error}; trying again")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _say_progress(one: _Watched, step: Iteration | None, say: Say) -> None:
    """Say a step twice an epoch, in its middle and at its end, and never again after a reconnection."""
    if step is None or step.number not in (step.count // 2, step.count):
        return
    if (step.epoch, step.number) > one.said:
        one.said = (step.epoch, step.number)
        say(f"{one.shard}: epoch {step.epoch + 1}, step {step.number}/{step.count}, {step.rate:.1f} images/s")


async def _settle(one: _Watched, docker: Docker, say: Say) -> None:
    """Note how a shard ended by itself, or stop it. A host that is lost is only mentioned."""
    if one.end is not None:
        return
    try:
        async with asyncio.timeout(_STOP_S):
            state = await inspect(docker, one.shard.container)
            if state is None:
                return
            if state.ended:
                one.lines = (await docker.run("logs", one.shard.container)).text.splitlines()
                one.end = state
                return
            answer = await docker.run("stop", "--time", "10", one.shard.container)
            if answer.status == 0:
                say(f"{one.shard}: stopped")
            else:
                say(f"{one.shard}: could not be stopped: {answer.text.strip()}")
    except (HostLost, HostRefused, TimeoutError) as error:
        say(f"{one.shard}: could not be stopped: {error or 'no answer in time'}")


def _report(watched: list[_Watched], trouble: str | None) -> str:
    """Return the whole message: the cause first, then its log, then the other shards that failed."""
    failed = [one for one in watched if one.failed()]
    # A shard that fell because of another is never the cause while one fell by itself.
    failed.sort(key=lambda one: one.failure().consequence)
    parts = [trouble] if trouble is not None else []
    for place, one in enumerate(failed):
        assert one.end is not None  # `failed` has only ended ones
        failure = one.failure()
        parts.append(
            f"{str(one.shard).capitalize()} failed with exit status {one.end.exit_status}: {failure.sentence}"
        )
        if place == 0:
            parts += [f"Hint: {failure.hint}", f"The last lines of its log ({one.shard.container}):"]
            parts += [f"  {line}" for line in [*filter(_tells, one.lines)][-_LAST_LINES:]]
    return "\n".join(parts)


def _tells(line: str) -> bool:
    """Whether a line helps a person: not figures, counters or the frames of native code."""
    return line.strip() != "" and not line.startswith(
        ("rocestack-csv:", "rocestack-shard: traffic", "frame #")
    )


def _figures(request: WaitRequest, watched: list[_Watched]) -> str:
    results: dict[int, ShardResult] = {}
    for one in watched:
        try:
            results[one.shard.index] = parse_shard(one.lines)
        except LogError as error:
            raise JobFailed(f"{str(one.shard).capitalize()} ended well, but {error}.") from error
    try:
        figures.check(request, results)
    except figures.FiguresError as error:
        raise JobFailed(str(error)) from error
    return figures.render(request, results)
