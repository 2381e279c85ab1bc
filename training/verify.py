"""The look at the data network before a run: bandwidth between hosts, then each host's counters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from facts import evidence
from facts.evidence import Evidence
from settings import flat
from training import bandwidth
from training.bandwidth import End, Measured, Pair, Plan
from training.remote import Answer, HostLost, HostRefused
from training.request import RequestError, WaitRequest, parse_request
from training.wait import Docker

Say = Callable[[str], None]

_COMMAND_S = 60.0
_SERVER_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class VerifyFailed(Exception):
    """The network is not what the stack asks for, or could not be measured; the message is complete."""


@dataclass(frozen=True)
class VerifyRequest:
    """A job, and how its network is measured before it runs; `addresses` are the hosts' data addresses."""

    job: WaitRequest
    plan: Plan
    pairs: str
    minimum_percent: float
    sysfs_root: str
    addresses: Mapping[str, str]


def parse(text: str) -> VerifyRequest:
    """Return the request in `text`: the lines of `wait`, and those of `_EXTRA` and shard_I_data_address.

    Raises RequestError.
    """
    job = parse_request(text)
    values = flat.parse(text)
    wanted = [*_EXTRA, *(f"shard_{shard.index}_data_address" for shard in job.shards)]
    missing = [key for key in wanted if not values.get(key)]
    if missing:
        raise RequestError("; ".join(f"{key} is missing" for key in missing))
    try:
        plan = Plan(
            image=values["image"],
            rdma=job.transport == "ibverbs",
            seconds=int(values["seconds"]),
            port=int(values["port"]),
            tos=int(values["tos"]),
        )
        return VerifyRequest(
            job=job,
            plan=plan,
            pairs=values["pairs"],
            minimum_percent=float(values["minimum_percent"]),
            sysfs_root=values["sysfs_root"],
            addresses={one.host: values[f"shard_{one.index}_data_address"] for one in job.shards},
        )
    except ValueError as error:
        raise RequestError(str(error)) from None


_EXTRA = ("image", "minimum_percent", "pairs", "port", "seconds", "sysfs_root", "tos")


async def measure(
    request: VerifyRequest, hosts: Mapping[str, Docker], found: Mapping[str, Evidence], say: Say
) -> list[Measured]:
    """Return the figure of each pair, in the order of their rounds; `found` is what each host told before.

    Raises VerifyFailed when a pair cannot be measured or is too slow; no container is left then either.
    """
    ends = {name: _end(request, name, one) for name, one in found.items()}
    measured: list[Measured] = []
    try:
        async with asyncio.timeout(request.job.deadline_s):
            for pairs in bandwidth.rounds(list(found), request.pairs):
                one_round = (_pair(request, pair, ends, hosts, found) for pair in pairs)
                # All of a round end, and leave no container, before the first failure counts.
                for one in await asyncio.gather(*one_round, return_exceptions=True):
                    if isinstance(one, BaseException):
                        raise one
                    measured.append(one)
    except TimeoutError:
        raise VerifyFailed(
            f"The measurement did not end within {request.job.deadline_s:g} s.\n"
            "Hint: `rocestack:validation` pairs `ring` has fewer pairs than `all`."
        ) from None
    for one in measured:
        percent = f", {one.percent:g} % of the link" if one.percent is not None else ""
        say(f"{one.sender} to {one.receiver}: {one.gbits:g} Gb/s by {one.tool}{percent} ({one.verdict})")
    slow = [one for one in measured if one.failed]
    if slow:
        raise VerifyFailed(_too_slow(slow, request))
    return measured


def _end(request: VerifyRequest, name: str, found: Evidence) -> End:
    """Return a host's end of a measurement. Raises VerifyFailed without the RDMA that is wanted."""
    address = request.addresses[name]
    if not request.plan.rdma or request.pairs == "none":
        return End(address)
    gid = found.gid_of(address)
    if found.device is None or found.verbs is None:
        raise VerifyFailed(
            f"{name} has no RDMA device behind {request.job.interface}.\n"
            "Hint: see `ibv_devices` there; without one `rocestack:training` transport must be tcp."
        )
    if gid is None:
        raise VerifyFailed(
            f"{name} has no RoCE v2 GID for {address} on {found.device}.\n"
            "Hint: see `show_gids` there; the data address must be on the device's own interface."
        )
    return End(address, found.device, found.port or 1, found.verbs, gid)


async def _pair(
    request: VerifyRequest,
    pair: Pair,
    ends: Mapping[str, End],
    hosts: Mapping[str, Docker],
    found: Mapping[str, Evidence],
) -> Measured:
    sender, receiver = pair
    plan = request.plan
    words = bandwidth.client(plan, ends[sender], ends[receiver].address)
    try:
        await _remove(hosts[receiver], bandwidth.SERVER)
        await _remove(hosts[sender], bandwidth.CLIENT)
        try:
            await _start(hosts[receiver], receiver, bandwidth.server(plan, ends[receiver]))
            answer = await _ask(hosts[sender], words, plan.seconds)
        finally:
            await _remove(hosts[sender], bandwidth.CLIENT)
            await _remove(hosts[receiver], bandwidth.SERVER)
        read = bandwidth.read_write_bw if plan.rdma else bandwidth.read_iperf3
        gbits = read(answer.text)
    except bandwidth.OutputError as error:
        raise VerifyFailed(
            f"The bandwidth from {sender} to {receiver} could not be measured: {error}.\n"
            f"To replay, on {receiver}: {bandwidth.replay(bandwidth.server(plan, ends[receiver]))}\n"
            f"and on {sender}: {bandwidth.replay(words)}\n"
            f"Hint: is TCP port {plan.port} free and let through on {receiver}? It is `rocestack:validation` "
            "port; with `pairs: none` nothing is measured."
        ) from None
    except (HostLost, HostRefused, TimeoutError) as error:
        reason = str(error) or "no answer in time"
        raise VerifyFailed(f"The bandwidth from {sender} to {receiver}: {reason}.") from None
    speeds = [one for one in (found[sender].speed_mbps, found[receiver].speed_mbps) if one]
    link = min(speeds) if len(speeds) == len(pair) else None
    return bandwidth.judge(pair, plan, gbits, link, request.minimum_percent)


async def _start(docker: Docker, host: str, words: list[str]) -> None:
    async with asyncio.timeout(_COMMAND_S):
        answer = await docker.run(*words)
    if answer.status != 0:
        said = answer.text.strip().splitlines() or ["no word"]
        raise VerifyFailed(
            f"The receiving end of the bandwidth measurement did not start on {host}: {said[-1]}\n"
            f"To replay there: {bandwidth.replay(words)}"
        )


async def _ask(docker: Docker, words: list[str], seconds: int) -> Answer:
    """Run the sending end, again while the other one does not listen yet."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _SERVER_S
    pause = _FIRST_PAUSE_S
    while True:
        async with asyncio.timeout(_COMMAND_S + seconds):
            answer = await docker.run(*words)
        if not bandwidth.came_too_early(answer.text) or loop.time() + pause > end:
            return answer
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


async def _remove(docker: Docker, container: str) -> None:
    """Have no such container. One that ends by itself goes by itself, and its name is taken until it has."""
    pause = _FIRST_PAUSE_S
    async with asyncio.timeout(_COMMAND_S):
        while "no such container" not in (await docker.run("rm", "--force", container)).text.lower():
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)


def _too_slow(slow: list[Measured], request: VerifyRequest) -> str:
    lines = [
        f"From {one.sender} to {one.receiver} go {one.gbits:g} Gb/s, {one.percent:g} % of the link's speed; "
        f"wanted is at least {request.minimum_percent:g} %."
        for one in slow
    ]
    hint = (
        "Hint: see PFC, MTU and the cable between the two (`pulumi preview` tells drift); "
        "the limit is `rocestack:validation` minimum_percent."
    )
    return "\n".join([*lines, hint])


def render(request: VerifyRequest, measured: list[Measured], hosts: Mapping[str, list[str]]) -> str:
    """Return what `python -m training verify` prints: run, bandwidths, each host's answer."""
    answer = {
        "bandwidth": [asdict(one) for one in measured],
        "hosts": dict(hosts),
        "run_id": request.job.run_id,
    }
    return json.dumps(answer, indent=2, sort_keys=True)


def read_hosts(answers: Mapping[str, list[str]]) -> dict[str, Evidence]:
    """Return each host's answer as evidence."""
    return {name: evidence.parse(lines) for name, lines in answers.items()}
