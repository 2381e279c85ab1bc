"""Waiting for a job's shards: all at once, with progress; when one fails the others are stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from training import figures
from training.failures import Failure, explain
from training.log import Iteration, LogError, Loss, ShardLog, ShardResult
from training.remote import Answer, HostLost, HostRefused
from training.request import Shard, WaitRequest

Say = Callable[[str], None]

_LAST_LINES = 15
_LAST_LINES_OF_OTHERS = 3
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
    """A shard while it is watched: its output so far, and its end once it has one.

    `said` and `said_at` are the last step that was told and when, `lost` why its host does not answer now,
    `stopped` how it ended after we stopped it.
    """

    shard: Shard
    log: ShardLog = field(default_factory=ShardLog)
    said: tuple[int, int] = (-1, 0)
    said_at: float = 0.0
    lost: str = ""
    end: State | None = None
    stopped: State | None = None

    def failed(self) -> bool:
        return self.end is not None and self.end.exit_status != 0

    def failure(self) -> Failure:
        assert self.end is not None  # asked only of those that have ended
        return explain(self.log.tail, self.end.exit_status, out_of_memory=self.end.out_of_memory)


async def wait_for_job(
    request: WaitRequest, hosts: Mapping[str, Docker], say: Say, *, grace_s: float = _GRACE_S
) -> str:
    """Wait for all shards of `request` and return the job's figures as JSON.

    `hosts` maps each host's name to its docker; `say` gets progress lines; `grace_s` is how long the others
    have to end by themselves after one that fell because of another. Raises JobFailed when a shard
    fails, cannot be watched, or the deadline passes; the shards that still run are then stopped.
    Cancelled, it leaves them running.
    """
    watched = [_Watched(shard) for shard in request.shards]
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
    raise JobFailed(_report(watched, trouble))


async def _let_the_cause_end(
    watched: list[_Watched], tasks: list[asyncio.Task[None]], grace_s: float
) -> None:
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


async def _watch(one: _Watched, docker: Docker, say: Say, *, marked: bool) -> None:
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
            one.lost = str(error)
            if one.lost != lost:
                lost = one.lost
                say(f"{one.shard}: {error}; trying again")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _say_progress(one: _Watched, step: Iteration, loss: Loss, say: Say) -> None:
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


def _report(watched: list[_Watched], trouble: str | None) -> str:
    """Return the whole message: the cause and its log first, then how each other shard ended."""
    failed = [one for one in watched if one.failed()]
    # A shard that fell because of another is never the cause while one fell by itself.
    failed.sort(key=lambda one: one.failure().consequence)
    parts = [trouble] if trouble is not None else []
    lost = [one for one in watched if one.lost and not one.failed()]
    if failed and failed[0].failure().consequence:
        parts += [_lost(one) for one in lost]
    for place, one in enumerate(failed):
        assert one.end is not None  # `failed` has only ended ones
        failure = one.failure()
        parts.append(
            f"{str(one.shard).capitalize()} failed with exit status {one.end.exit_status}: {failure.sentence}"
        )
        if place == 0:
            parts += [f"Hint: {failure.hint}", f"The last lines of its log ({one.shard.container}):"]
        parts += _last(one, _LAST_LINES_OF_OTHERS if place else _LAST_LINES)
    for one in watched:
        if not one.failed():
            parts += [_other(one), *_last(one, _LAST_LINES_OF_OTHERS)]
    return "\n".join(parts)


def _lost(one: _Watched) -> str:
    return (
        f"{str(one.shard).capitalize()} is on a host that does not answer: {one.lost}.\n"
        "Hint: is that host up, and does it answer over SSH? Its shard may still run there."
    )


def _other(one: _Watched) -> str:
    """Return how a shard that did not fail by itself ended."""
    name = str(one.shard).capitalize()
    if one.end is not None:
        return f"{name} ended with exit status {one.end.exit_status}."
    if one.stopped is not None:
        return f"{name} was stopped (exit status {one.stopped.exit_status})."
    return f"{name} could not be looked after: {one.lost or 'its container is gone'}."


def _last(one: _Watched, count: int) -> list[str]:
    return [f"  {line}" for line in [*filter(_tells, one.log.tail)][-count:]]


def _tells(line: str) -> bool:
    """Whether a line helps a person: not figures, counters or the frames of native code."""
    return line.strip() != "" and not line.startswith(
        ("rocestack-csv:", "rocestack-shard: traffic", "frame #", "    @ ")
    )


def _figures(request: WaitRequest, watched: list[_Watched]) -> str:
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
